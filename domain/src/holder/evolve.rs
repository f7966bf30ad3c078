use super::{Hold, HoldEnded, HoldEvent, HoldPlaced, HoldStatus, Holder};
use crate::{Event, ProductId, ReservationId, Timestamp};

impl Hold {
    /// A hold as it was placed.
    #[doc = include_str!("../../docs/hold_new.md")]
    #[must_use]
    pub fn new(placed: &HoldPlaced) -> Self {
        Self {
            id: placed.id,
            key: placed.key.clone(),
            owner: placed.owner.clone(),
            lines: placed.lines.clone(),
            allocations: placed.allocations.clone(),
            expires_at: placed.expires_at,
            status: HoldStatus::Active,
            claimed_by: None,
            // Step 0 was the placing.
            next_step: 1,
            version: 1,
            created_at: placed.at,
            updated_at: placed.at,
            set_at: placed.at,
        }
    }

    /// A hold after one more event that is about it; before the first there is none. Of two that were placed the later one took
    /// something from this one. Other events move nothing.
    #[doc = include_str!("../../docs/hold_after.md")]
    #[must_use]
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event) {
            (None, Event::Hold(HoldEvent::Placed(placed))) => Some(Self::new(placed)),
            (Some(mut hold), Event::Hold(event)) => {
                match event {
                    HoldEvent::Placed(newer) => hold.lose(&newer.lines, newer.at),
                    event => hold.evolve(event),
                }
                Some(hold)
            }
            (hold, _) => hold,
        }
    }

    /// Moves the state by what happened to this hold.
    #[doc = include_str!("../../docs/hold_evolve.md")]
    pub fn evolve(&mut self, event: &HoldEvent) {
        self.version += 1;
        match event {
            HoldEvent::Placed(placed) => *self = Self::new(placed),
            HoldEvent::Extended { expires_at, at, .. } => {
                self.expires_at = *expires_at;
                self.updated_at = *at;
                self.set_at = *at;
            }
            HoldEvent::Claimed { order, .. } => self.claimed_by = Some(*order),
            HoldEvent::Unclaimed { .. } => self.claimed_by = None,
            HoldEvent::Converted { order, step, at, .. } => {
                self.claimed_by = None;
                self.close(HoldStatus::Converted(*order), *at);
                self.next_step = step + 1;
            }
            HoldEvent::Released(ended) => self.end_by(HoldStatus::Released, ended),
            HoldEvent::Expired(ended) => self.end_by(HoldStatus::Expired, ended),
        }
    }

    fn end_by(&mut self, status: HoldStatus, ended: &HoldEnded) {
        self.close(status, ended.at);
        self.next_step = ended.step + 1;
    }

    fn close(&mut self, status: HoldStatus, at: Timestamp) {
        self.status = status;
        self.allocations = Vec::new();
        self.updated_at = at;
    }

    /// Loses the lines of these products to a newer hold; without any line left it is released.
    #[doc = include_str!("../../docs/hold_lose.md")]
    pub fn lose(&mut self, products: &[(ProductId, crate::Quantity)], at: Timestamp) {
        let named = |product: ProductId| products.iter().any(|(lost, _)| *lost == product);
        let mut kept = Vec::new();
        let mut place = vec![None; self.lines.len()];
        for (index, line) in self.lines.iter().enumerate() {
            if !named(line.0) {
                place[index] = Some(kept.len() as u32);
                kept.push(*line);
            }
        }
        self.version += 1;
        if kept.is_empty() {
            return self.close(HoldStatus::Released, at);
        }
        self.lines = kept;
        self.allocations.retain_mut(|allocation| {
            let line = place[allocation.line as usize];
            allocation.line = line.unwrap_or_default();
            line.is_some()
        });
        self.updated_at = at;
    }
}

impl Holder {
    /// Moves the state by what happened to one of its holds.
    #[doc = include_str!("../../docs/holder_evolve.md")]
    pub fn evolve(&mut self, event: &HoldEvent) {
        if let HoldEvent::Placed(placed) = event {
            for replaced in &placed.replaces {
                self.with(*replaced, |hold| hold.lose(&placed.lines, placed.at));
            }
            self.holds.insert(placed.id, Hold::new(placed));
        } else {
            self.with(event.hold(), |hold| hold.evolve(event));
        }
    }

    fn with(&mut self, id: ReservationId, change: impl FnOnce(&mut Hold)) {
        change(self.holds.get_mut(&id).expect("an event is about a hold that was placed"));
    }
}
