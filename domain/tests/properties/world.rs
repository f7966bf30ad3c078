//! A small engine: all state there is, moved by events alone, and checked after every group of them.

use std::collections::{BTreeMap, BTreeSet};

use stockade_domain::{
    Event, OrderId, Owner, Quantity, ReservationId, Sequence, Step, StockKey, Timestamp,
    TransferId,
    account::Accounts,
    catalogue::Catalogue,
    holder::{Hold, HoldEvent, Holder, HolderKey},
    invariants::{Reasons, check_conservation, check_open, check_order, check_stock},
    ledger::Ledger,
    open::{OpenTable, Part, part},
    order::{Order, OrderEvent, Status},
    stock::{Stock, StockEvent},
    succession::{Before, check_event},
    transfer::{Transfer, TransferEvent},
};

#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) catalogue: Catalogue,
    pub(crate) stocks: BTreeMap<StockKey, Stock>,
    pub(crate) orders: BTreeMap<OrderId, Order>,
    pub(crate) holders: BTreeMap<HolderKey, Holder>,
    pub(crate) keys: BTreeMap<ReservationId, HolderKey>,
    pub(crate) transfers: BTreeMap<TransferId, Transfer>,
    pub(crate) open: OpenTable,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<Event>,
    /// Lengths of the log at which a crash may happen: a group is whole or absent.
    pub(crate) cuts: Vec<usize>,
    ledger: Ledger,
    decided: BTreeSet<(Owner, Step)>,
}

impl World {
    pub(crate) fn replay(log: &[Event]) -> Self {
        let mut world = Self::default();
        log.iter().for_each(|event| world.apply(event.clone()));
        world
    }

    pub(crate) fn stock(&self, key: StockKey) -> Stock {
        self.stocks.get(&key).cloned().unwrap_or_default()
    }

    pub(crate) fn available(&self, key: StockKey) -> Quantity {
        self.stocks.get(&key).map_or(0, Stock::available)
    }

    /// Appends a group of events and checks everything.
    pub(crate) fn commit(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.apply(event));
        self.cuts.push(self.log.len());
        self.check();
    }

    /// Appends a decision, then does what it gives, each give by itself.
    pub(crate) fn decide(&mut self, events: Vec<Event>) {
        let gives = events.iter().filter_map(|event| match part(event) {
            Part::Decided(owner, step, gives) => Some((owner, step, gives)),
            _ => None,
        });
        let gives: Vec<_> = gives.collect();
        self.commit(events);
        for (owner, step, gives) in gives {
            for (stock, give) in gives {
                self.commit([StockEvent::Given { stock, owner, step, give }.into()]);
            }
        }
    }

    pub(crate) fn apply(&mut self, event: Event) {
        check_event(self, &event, &mut |violation| panic!("{violation}"));
        match &event {
            Event::Stock(event) => self.stocks.entry(event.stock()).or_default().evolve(event),
            Event::Order(OrderEvent::Placed(placed)) => {
                let before = self.orders.insert(placed.id, Order::new(placed.clone()));
                assert_eq!(before, None, "an order is placed once");
            }
            Event::Order(event) => {
                self.orders.get_mut(&event.order()).expect("it was placed").evolve(event);
            }
            Event::Hold(event) => {
                if let HoldEvent::Placed(placed) = event {
                    self.keys.insert(placed.id, placed.key.clone());
                }
                let key = self.keys[&event.hold()].clone();
                self.holders.entry(key).or_default().evolve(event);
            }
            Event::Catalogue(event) => self.catalogue.evolve(event),
            Event::Transfer(TransferEvent::Dispatched(dispatched)) => {
                self.transfers.insert(dispatched.id, Transfer::new((**dispatched).clone()));
            }
            Event::Transfer(event) => {
                let transfer = self.transfers.get_mut(&event.transfer());
                transfer.expect("it was dispatched").evolve(event);
            }
            Event::Adjustment(_)
            | Event::IdsLeased { .. }
            | Event::Account(_)
            | Event::Clock(_)
            | Event::Origin(_) => {}
        }
        match part(&event) {
            Part::Taken(owner, step, _) => {
                assert!(!self.decided.contains(&(owner, step)), "a take after its decision");
            }
            Part::Decided(owner, step, _) => {
                assert!(self.decided.insert((owner, step)), "{owner} decides step {step} twice");
            }
            Part::Alone | Part::Undone(..) | Part::Given(..) => {}
        }
        self.log.push(event);
        let event = self.log.last().expect("it was just pushed");
        self.ledger.apply(event);
        self.open.apply(self.log.len() as Sequence, event);
    }

    /// Every named invariant, with what is in flight taken into account.
    pub(crate) fn check(&self) {
        let mut found = Vec::new();
        let mut report = |violation| found.push(violation);
        for (key, stock) in &self.stocks {
            check_stock(*key, stock, &mut report);
        }
        let mut reasons = Reasons::default();
        for order in self.orders.values() {
            check_order(order, &mut report);
            reasons.order(order);
        }
        for hold in self.holders.values().flat_map(|holder| holder.holds.values()) {
            reasons.hold(hold);
        }
        reasons.open(&self.open);
        let stocks = || self.stocks.iter().map(|(key, stock)| (*key, stock));
        reasons.check(stocks(), &mut report);
        check_conservation(self.ledger.expected(&self.open), stocks(), &mut report);
        assert!(found.is_empty(), "{found:?} after {:?}", self.log.last());
        for order in self.orders.values() {
            let stuck = order.status == Status::PendingPayment && order.due() == 0;
            assert!(!stuck, "nothing is due, and yet it waits for payment: {order:?}");
        }
        for (key, stock) in &self.stocks {
            assert_eq!(stock.incoming, self.expected_at(*key), "on the road to {key}");
        }
    }

    /// What transfers say is on the road to a stock, but for what is decided and not given.
    fn expected_at(&self, key: StockKey) -> Quantity {
        use stockade_domain::stock::Give;
        let on_the_road = self.transfers.values().filter(|t| t.dispatched.destination() == key);
        let decided: Quantity = on_the_road.map(Transfer::on_the_road).sum();
        let gives = self.open.gives().into_iter().filter(|(_, _, stock, _)| *stock == key);
        gives.fold(decided, |sum, (_, _, _, give)| match give {
            Give::Expect { quantity } => sum - quantity,
            Give::Arrive { received, missing } => sum + received + missing,
            _ => sum,
        })
    }

    pub(crate) fn check_idle(&self) {
        check_open(&self.open, &mut |violation| panic!("{violation}"));
    }

    /// Starts again after a crash that kept this much of the log.
    pub(crate) fn recovered(&self, kept: usize) -> Self {
        let mut world = Self::replay(&self.log[..kept]);
        world.check();
        for event in world.open.settle() {
            world.commit([event]);
        }
        world.check_idle();
        world
    }

    /// Everything but the versions of stocks, which count undone takes too.
    #[track_caller]
    pub(crate) fn assert_unchanged_since(&self, before: &Self) {
        let plain = |world: &Self| -> BTreeMap<StockKey, Stock> {
            let stocks = world.stocks.iter();
            stocks.map(|(key, stock)| (*key, Stock { version: 0, ..stock.clone() })).collect()
        };
        let live = |world: &Self| {
            let holds = world.holders.values().flat_map(|holder| holder.holds.clone());
            let plain = holds.map(|(id, mut hold)| {
                hold.version = 0;
                (id, hold)
            });
            plain.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(plain(self), plain(before));
        assert_eq!(live(self), live(before));
        assert_eq!(self.orders, before.orders);
        assert_eq!(self.transfers, before.transfers);
        assert_eq!(self.catalogue, before.catalogue);
        assert_eq!(self.open, before.open);
    }

    #[track_caller]
    pub(crate) fn assert_same_as(&self, other: &Self) {
        assert_eq!(self.stocks, other.stocks);
        assert_eq!(self.holders, other.holders);
        self.assert_unchanged_since(other);
    }
}

impl Before for World {
    fn order<T>(&self, id: OrderId, look: impl FnOnce(Option<&Order>) -> T) -> T {
        look(self.orders.get(&id))
    }

    fn hold<T>(&self, id: ReservationId, look: impl FnOnce(Option<&Hold>) -> T) -> T {
        look(self.keys.get(&id).and_then(|key| self.holders.get(key)?.holds.get(&id)))
    }

    fn transfer<T>(&self, id: TransferId, look: impl FnOnce(Option<&Transfer>) -> T) -> T {
        look(self.transfers.get(&id))
    }

    fn stock<T>(&self, key: StockKey, look: impl FnOnce(Option<&Stock>) -> T) -> T {
        look(self.stocks.get(&key))
    }

    fn catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.catalogue)
    }

    fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        look(&Accounts::default())
    }
}
