//! Leased ids.
//!
//! An id is never given out twice, not even after a crash that lost the event that used it: ids come from a lease that is
//! durable before its first id is used. Lanes deal a lease out round robin, so an id names its lane.

use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;
use stockade_domain::{Event, OwnerKind};

/// Ids of a first lease. Small, because what is left of it is skipped after a crash.
const LEASE_FIRST: u64 = 4_096;

/// The largest lease: about a second of ids at the highest rate.
const LEASE_MAX: u64 = 1 << 20;

/// Kinds whose ids are leased; products, shops and warehouses are numbered by the catalogue.
pub(crate) const KINDS: [OwnerKind; 4] =
    [OwnerKind::Order, OwnerKind::Hold, OwnerKind::Transfer, OwnerKind::Adjustment];

/// The place of a kind in [`KINDS`].
pub(crate) fn index(kind: OwnerKind) -> usize {
    KINDS.iter().position(|known| *known == kind).expect("the catalogue numbers its own")
}

/// The leases of an engine.
pub(crate) struct Leases(Vec<Lease>);

struct Lease {
    /// The first id that this start may give out.
    start: u64,
    /// Ids below this are durable, and may be used.
    durable: AtomicU64,
    /// Ids below this have been asked for.
    asked: AtomicU64,
}

impl Leases {
    pub(crate) fn new(leased: &FxHashMap<OwnerKind, u64>) -> Self {
        let lease = |kind: &OwnerKind| {
            let start = leased.get(kind).copied().unwrap_or(1);
            Lease { start, durable: AtomicU64::new(start), asked: AtomicU64::new(start) }
        };
        Self(KINDS.iter().map(lease).collect())
    }

    /// The first id of a kind that a lane of so many may give out.
    pub(crate) fn first(&self, kind: OwnerKind, lane: usize, lanes: usize) -> u64 {
        let (start, lane, lanes) = (self.0[index(kind)].start, lane as u64, lanes as u64);
        start + (lane + lanes - start % lanes) % lanes
    }

    /// The first id of a kind that this start may give out.
    pub(crate) fn start(&self, kind: OwnerKind) -> u64 {
        self.0[index(kind)].start
    }

    /// Whether an id may be used.
    pub(crate) fn covers(&self, kind: OwnerKind, id: u64) -> bool {
        id < self.0[index(kind)].durable.load(Ordering::Acquire)
    }

    /// A lease became durable.
    pub(crate) fn durable(&self, kind: OwnerKind, up_to: u64) {
        self.0[index(kind)].durable.fetch_max(up_to, Ordering::AcqRel);
    }

    /// The event that leases more ids, once half of the last lease is used; each lease is twice the last one. Whoever is given
    /// it appends it.
    pub(crate) fn more(&self, kind: OwnerKind, id: u64) -> Option<Event> {
        let Lease { start, asked, durable } = &self.0[index(kind)];
        let before = asked.load(Ordering::Acquire);
        // One at a time: two could reach the journal in the other order, and the last one there counts.
        if before != durable.load(Ordering::Acquire) {
            return None;
        }
        let size = (before - start).clamp(LEASE_FIRST, LEASE_MAX);
        if id + size / 2 < before {
            return None;
        }
        let up_to = before.max(id) + size;
        asked.compare_exchange(before, up_to, Ordering::AcqRel, Ordering::Acquire).ok()?;
        Some(Event::IdsLeased { kind, up_to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_share_a_lease_and_never_an_id() {
        let leases = Leases::new(&FxHashMap::from_iter([(OwnerKind::Order, 10)]));
        assert_eq!([0, 1, 2].map(|lane| leases.first(OwnerKind::Order, lane, 3)), [12, 10, 11]);
        assert_eq!(leases.first(OwnerKind::Hold, 0, 1), 1);
    }

    #[test]
    fn an_id_is_used_only_when_its_lease_is_durable() {
        let leases = Leases::new(&FxHashMap::default());
        assert!(!leases.covers(OwnerKind::Order, 1));
        let Some(Event::IdsLeased { up_to, .. }) = leases.more(OwnerKind::Order, 1) else {
            panic!("a first lease is needed");
        };
        assert!(leases.more(OwnerKind::Order, 1).is_none(), "it is asked for once");
        leases.durable(OwnerKind::Order, up_to);
        assert!(
            leases.covers(OwnerKind::Order, up_to - 1) && !leases.covers(OwnerKind::Order, up_to)
        );
        assert!(
            leases.more(OwnerKind::Order, up_to / 2 + 1).is_some(),
            "the next one comes in time"
        );
    }
}
