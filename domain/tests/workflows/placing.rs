//! Orders and holds: the workflows that find units.

use std::sync::Arc;

use stockade_domain::{
    Event, OrderId, Owner, Refusal, ReservationId,
    holder::{HolderKey, PlaceHold},
    open::OpenTake,
    order::{Order, OrderEvent, PlaceOrder, Quote},
    sourcing::Held,
};

use super::{
    planning::{Beliefs, Lines},
    told::Subject,
    workflow::{Actor, Decision, Job, Next, Reply, View, claimed, refusal},
    world::RequestKey,
};

/// One order, or a batch of which all are placed or none.
pub(crate) struct Place {
    key: Option<RequestKey>,
    orders: Vec<Placing>,
    beliefs: Beliefs,
    stage: Stage,
}

struct Placing {
    id: OrderId,
    request: PlaceOrder,
    quoted: Option<(Quote, Lines)>,
}

enum Stage {
    Start,
    Claiming,
    Reserving,
}

impl Place {
    pub(crate) fn new(key: Option<RequestKey>, orders: Vec<(OrderId, PlaceOrder)>) -> Self {
        let placing = |(id, request)| Placing { id, request, quoted: None };
        let orders = orders.into_iter().map(placing).collect();
        Self { key, orders, beliefs: Beliefs::default(), stage: Stage::Start }
    }

    fn start(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        if let Some(key) = self.key
            && let Some(order) = view.live.requests.get(&key)
        {
            return Ok(Decision::all(Vec::new(), Subject::Request(key, *order)));
        }
        for placing in &mut self.orders {
            let quote = placing.request.quote(&view.live.catalogue, 0)?;
            let lines = Lines {
                owner: Owner::order(placing.id),
                sourcing: quote.sourcing,
                candidates: quote.candidates.clone(),
                wanted: quote.wanted(),
                allocations: Vec::new(),
            };
            placing.quoted = Some((quote, lines));
        }
        let claims = self.orders.iter().flat_map(|placing| {
            let owner = Owner::order(placing.id);
            placing.request.reservations.iter().map(move |hold| (owner, 0, OpenTake::Claim(*hold)))
        });
        let claims: Vec<_> = claims.collect();
        if claims.is_empty() {
            return self.reserve(view);
        }
        self.stage = Stage::Claiming;
        Ok(Next::Take(claims))
    }

    fn use_claims(&mut self, view: &View<'_>, replies: &[Reply]) -> Result<Next, Refusal> {
        refusal(replies).map_or(Ok(()), Err)?;
        let claimed = claimed(replies);
        for placing in &mut self.orders {
            let of_this = claimed.iter().filter(|id| placing.request.reservations.contains(*id));
            let holds = of_this.filter_map(|hold| view.live.hold(*hold));
            let held: Vec<Held> = holds.flat_map(|hold| hold.held()).collect();
            let (_, lines) = placing.quoted.as_mut().expect("it was quoted");
            lines.start_with(&held);
        }
        self.reserve(view)
    }

    fn reserve(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        self.stage = Stage::Reserving;
        let mut takes = Vec::new();
        for placing in &self.orders {
            let (_, lines) = placing.quoted.as_ref().expect("it was quoted");
            let (asked, short) = lines.ask(&mut self.beliefs, view.read);
            if !short.is_empty() {
                return Err(Refusal::InsufficientStock(short));
            }
            takes.extend(asked);
        }
        Ok(if takes.is_empty() { self.place(view) } else { Next::Take(takes) })
    }

    /// One group: the orders, and the holds that become part of them.
    fn place(&mut self, view: &View<'_>) -> Next {
        let mut events: Vec<Event> = Vec::new();
        let mut about = Vec::new();
        for placing in std::mem::take(&mut self.orders) {
            let (quote, lines) = placing.quoted.expect("it was quoted");
            let holds = placing.request.reservations.clone();
            let placed = quote.place(placing.request, placing.id, lines.allocations, view.now);
            for hold in holds {
                let product_of = |allocation: &stockade_domain::sourcing::Allocation| {
                    placed.lines[allocation.line as usize].product
                };
                let hold = view.live.hold(hold).expect("a claimed hold stays");
                let converted = hold.convert(placing.id, &placed.allocations, product_of, view.now);
                events.push(converted.into());
            }
            let placed = Arc::new(placed);
            events.push(OrderEvent::Placed(placed.clone()).into());
            events.extend(Order::new(placed).paid_at_once().map(Event::from));
            about.push(Subject::Order(placing.id));
        }
        let request = self.key.zip(match about[..] {
            [Subject::Order(id)] => Some(id),
            _ => None,
        });
        about.extend(request.map(|(key, id)| Subject::Request(key, id)));
        Next::Decide(Decision { events, request, about })
    }
}

impl Job for Place {
    fn actors(&self) -> Vec<Actor> {
        let orders = self.orders.iter().map(|placing| Actor::Order(placing.id));
        orders.chain(self.key.map(Actor::Request)).collect()
    }

    fn next(&mut self, view: &View<'_>, replies: Vec<Reply>) -> Next {
        let next = match self.stage {
            Stage::Start => self.start(view),
            Stage::Claiming => self.use_claims(view, &replies),
            Stage::Reserving => {
                for placing in &mut self.orders {
                    let (_, lines) = placing.quoted.as_mut().expect("it was quoted");
                    lines.hear(&replies, &mut self.beliefs);
                }
                self.reserve(view)
            }
        };
        next.unwrap_or_else(Next::Refuse)
    }
}

/// A hold, which may replace earlier ones of the same owner.
pub(crate) struct PlaceOnHold {
    id: ReservationId,
    request: PlaceHold,
    lines: Option<Lines>,
    beliefs: Beliefs,
}

impl PlaceOnHold {
    pub(crate) fn new(id: ReservationId, request: PlaceHold) -> Self {
        Self { id, request, lines: None, beliefs: Beliefs::default() }
    }

    fn start(&mut self, view: &View<'_>) -> Result<(), Refusal> {
        let quote = self.request.quote(&view.live.catalogue)?;
        let holder = view.live.holder(&self.request.key(self.id));
        let (held, replaces) = holder.replaced(&self.request, &quote.lines);
        holder.check_room(&self.request, &quote.lines, &replaces)?;
        let mut lines = Lines {
            owner: Owner::hold(self.id),
            sourcing: quote.sourcing,
            candidates: quote.candidates,
            wanted: quote.lines,
            allocations: Vec::new(),
        };
        lines.start_with(&held);
        self.lines = Some(lines);
        Ok(())
    }

    fn reserve(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        if self.lines.is_none() {
            self.start(view)?;
        }
        let lines = self.lines.as_mut().expect("it has started");
        let (takes, short) = lines.ask(&mut self.beliefs, view.read);
        let part_is_enough = self.request.partial && !lines.allocations.is_empty();
        if !short.is_empty() && !self.request.partial {
            return Err(Refusal::InsufficientStock(short));
        }
        if !takes.is_empty() {
            return Ok(Next::Take(takes));
        }
        if !short.is_empty() && !part_is_enough {
            return Err(Refusal::InsufficientStock(short));
        }
        let holder = view.live.holder(&self.request.key(self.id));
        let (wanted, allocations) = (lines.wanted.clone(), lines.allocations.clone());
        let placed = holder.place(self.id, &self.request, wanted, allocations, view.now);
        Ok(Decision::one(placed, Subject::Hold(self.id)))
    }
}

impl Job for PlaceOnHold {
    fn actors(&self) -> Vec<Actor> {
        let key: HolderKey = self.request.key(self.id);
        vec![Actor::Holder(key)]
    }

    fn next(&mut self, view: &View<'_>, replies: Vec<Reply>) -> Next {
        if let Some(lines) = &mut self.lines {
            lines.hear(&replies, &mut self.beliefs);
        }
        self.reserve(view).unwrap_or_else(Next::Refuse)
    }
}
