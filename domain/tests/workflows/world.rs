//! The world: what folding the journal gives, with the domain's own functions and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rustc_hash::FxHashMap;
use stockade_domain::{
    AdjustmentId, Event, OrderId, ReservationId, Sequence, StockKey, TransferId,
    catalogue::Catalogue,
    holder::{Hold, HoldEvent, Holder, HolderKey},
    ledger::Ledger,
    open::{OpenTable, Part, part},
    order::{Order, OrderEvent},
    stock::Stock,
    transfer::{Transfer, TransferEvent},
};

use super::told::{Effect, Subject};

/// The caller's name for a request: the same name is the same request.
pub(crate) type RequestKey = u64;

/// Events that are appended together: all of them survive a crash or none.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) events: Vec<Event>,
    /// The request that they are the effect of, and what it made.
    pub(crate) request: Option<(RequestKey, OrderId)>,
}

/// Everything that the journal says. As the actors' live state it is the fold of all that is appended; after a crash it is
/// the fold of what survived.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) stocks: BTreeMap<StockKey, Stock>,
    pub(crate) orders: BTreeMap<OrderId, Arc<Order>>,
    pub(crate) holders: BTreeMap<HolderKey, Holder>,
    pub(crate) transfers: BTreeMap<TransferId, Transfer>,
    pub(crate) adjustments: BTreeSet<AdjustmentId>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) open: OpenTable,
    pub(crate) ledger: Ledger,
    /// How many groups were folded.
    pub(crate) groups: usize,
    /// Every take that was not undone, adopted or not: all that a table without adoption would know.
    pub(crate) unadopted: OpenTable,
    pub(crate) requests: BTreeMap<RequestKey, OrderId>,
    /// Requests that had an effect twice.
    pub(crate) doubled: Vec<RequestKey>,
    holder_of: FxHashMap<ReservationId, HolderKey>,
    sequence: Sequence,
}

impl World {
    /// Folds a journal from its beginning.
    pub(crate) fn fold(journal: &[Group]) -> Self {
        let mut world = Self::default();
        journal.iter().for_each(|group| world.apply(group));
        world
    }

    pub(crate) fn apply(&mut self, group: &Group) {
        self.groups += 1;
        for event in &group.events {
            self.sequence += 1;
            self.open.apply(self.sequence, event);
            if matches!(part(event), Part::Taken(..) | Part::Undone(..)) {
                self.unadopted.apply(self.sequence, event);
            }
            self.evolve(event);
        }
        if let Some((key, order)) = group.request
            && self.requests.insert(key, order).is_some()
        {
            self.doubled.push(key);
        }
    }

    /// Moves the aggregates by an event, without the open table.
    pub(crate) fn evolve(&mut self, event: &Event) {
        self.ledger.apply(event);
        match event {
            Event::Stock(event) => {
                self.stocks.entry(event.stock()).or_default().evolve(event);
            }
            Event::Order(OrderEvent::Placed(placed)) => {
                self.orders.insert(placed.id, Arc::new(Order::new(placed.clone())));
            }
            Event::Order(event) => {
                let order = self.orders.get_mut(&event.order()).expect("the order was placed");
                Arc::make_mut(order).evolve(event);
            }
            Event::Hold(event) => {
                if let HoldEvent::Placed(placed) = event {
                    self.holder_of.insert(placed.id, placed.key.clone());
                }
                self.holders.entry(self.holder_of(event.hold())).or_default().evolve(event);
            }
            Event::Catalogue(event) => Arc::make_mut(&mut self.catalogue).evolve(event),
            Event::Transfer(TransferEvent::Dispatched(dispatched)) => {
                let transfer = Transfer::new((**dispatched).clone());
                self.transfers.insert(dispatched.id, transfer);
            }
            Event::Transfer(event) => {
                let transfer = self.transfers.get_mut(&event.transfer());
                transfer.expect("the transfer was dispatched").evolve(event);
            }
            Event::Adjustment(event) => {
                self.adjustments.insert(event.adjustment());
            }
            Event::IdsLeased { .. } | Event::Account(_) | Event::Clock(_) | Event::Origin(_) => {}
        }
    }

    /// Who decides about a hold; a hold that nobody knows stands alone.
    pub(crate) fn holder_of(&self, hold: ReservationId) -> HolderKey {
        self.holder_of.get(&hold).cloned().unwrap_or(HolderKey::Single(hold))
    }

    pub(crate) fn stock(&self, key: StockKey) -> Stock {
        self.stocks.get(&key).cloned().unwrap_or_default()
    }

    pub(crate) fn holder(&self, key: &HolderKey) -> Holder {
        self.holders.get(key).cloned().unwrap_or_default()
    }

    pub(crate) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holders.values().flat_map(|holder| holder.holds.values())
    }

    pub(crate) fn hold(&self, id: ReservationId) -> Option<&Hold> {
        self.holders.get(&self.holder_of(id))?.holds.get(&id)
    }

    /// How far a subject has come; `None` when there is no such thing.
    pub(crate) fn effect(&self, subject: Subject) -> Option<Effect> {
        match subject {
            Subject::Order(id) => self.orders.get(&id).map(|o| (o.version, o.paid_amount)),
            Subject::Hold(id) => self.hold(id).map(|hold| (hold.version, 0)),
            Subject::Transfer(id) => self.transfers.get(&id).map(|t| (t.version, 0)),
            Subject::Adjustment(id) => self.adjustments.contains(&id).then_some((1, 0)),
            Subject::Product(id) => self.catalogue.product(id).map(|p| (p.version, 0)),
            Subject::Stock(key) => self.stocks.get(&key).map(|stock| (stock.version, 0)),
            Subject::Request(key, order) => {
                (self.requests.get(&key) == Some(&order)).then_some((1, 0))
            }
        }
    }

    /// Whether two folds came to the same world.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.stocks == other.stocks
            && self.orders == other.orders
            && self.holders == other.holders
            && self.transfers == other.transfers
            && self.adjustments == other.adjustments
            && self.catalogue == other.catalogue
            && self.requests == other.requests
            && self.open == other.open
            && self.ledger.expected(&self.open) == other.ledger.expected(&other.open)
            && self.groups == other.groups
    }
}
