use std::sync::atomic::Ordering;

use stockade_domain::{
    Event, ReservationId, Sequence, StockKey,
    account::{AccountEvent, AccountId},
    catalogue::CatalogueEvent,
    holder::{Hold, HoldEvent},
    order::{Order, OrderEvent},
    stock::StockEvent,
    transfer::{Transfer, TransferEvent},
};

use super::{AccountsDirt, CatalogueDirt, PAGE_IDS, ReadSide, Recorded};

impl ReadSide {
    /// Folds one committed event.
    pub(crate) fn apply(&self, sequence: Sequence, event: &Event) {
        self.open.lock().apply(sequence, event);
        match event {
            Event::Stock(event) => self.apply_stock(sequence, event),
            Event::Order(event) => self.apply_order(sequence, event),
            Event::Hold(event) => self.apply_hold(sequence, event),
            Event::Catalogue(event) => {
                // First: whoever sees the catalogue finds in its past at least as much.
                self.past.note_catalogue(sequence, event);
                let mut catalogue = self.catalogue.write();
                catalogue.evolve(event);
                // Under the lock: whoever sees the catalogue finds its position at or after what he sees.
                self.set_catalogue_at(sequence);
                drop(catalogue);
                self.dirty_catalogue.lock().note(event);
            }
            Event::Transfer(event) => self.apply_transfer(sequence, event),
            Event::Adjustment(event) => {
                self.adjustments.update(event.adjustment().0, |place| *place = Some(event.clone()));
            }
            Event::IdsLeased { kind, up_to } => {
                self.leased.lock().insert(*kind, *up_to);
            }
            Event::Account(event) => {
                self.accounts.write().evolve(event);
                self.dirty_accounts.lock().note(event);
            }
            Event::Clock(event) => self.clock.lock().evolve(event),
            Event::Origin(origin) => self.covered.begin(sequence, origin),
        }
        self.applied.store(sequence, Ordering::Release);
    }

    fn apply_stock(&self, sequence: Sequence, event: &StockEvent) {
        let key = event.stock();
        if let Some(mut stock) = self.stocks.get_mut(&key) {
            stock.evolve(event);
            self.past.note_stock(key, sequence, &stock);
            let entry = event.freed().filter(|entry| !stock.entries.contains_key(entry));
            drop(stock);
            if let Some(entry) = entry {
                self.taken_over.remove(&(entry, key));
            }
        } else {
            self.new_stock(key);
            let mut stock = self.stocks.entry(key).or_default();
            stock.evolve(event);
            self.past.note_stock(key, sequence, &stock);
        }
        self.dirty_stocks.lock().insert(key);
    }

    /// Lists a stock that is about to appear.
    pub(crate) fn new_stock(&self, key: StockKey) {
        self.stock_keys.write().insert(key);
    }

    fn apply_order(&self, sequence: Sequence, event: &OrderEvent) {
        if let OrderEvent::Placed(placed) = event {
            self.order_index.add(placed);
        }
        let origin = self.covered.origin_of(sequence);
        self.orders.update(event.order().0, |place| match (place, event) {
            (place @ None, OrderEvent::Placed(placed)) => {
                let now = Order::new(placed.clone());
                self.take_over_order(&now);
                *place = Some(Recorded::new(now, origin, sequence));
            }
            (Some(_), OrderEvent::Placed(placed)) => panic!("order {} is placed twice", placed.id),
            (Some(order), event) => {
                order.now.evolve(event);
                order.record(origin, sequence);
            }
            (None, event) => panic!("order {} was never placed", event.order()),
        });
    }

    fn apply_hold(&self, sequence: Sequence, event: &HoldEvent) {
        let origin = self.covered.origin_of(sequence);
        let change = |id, change: &dyn Fn(&mut Hold)| {
            self.change_hold(id, |hold| {
                change(&mut hold.now);
                hold.record(origin, sequence);
            });
        };
        if let HoldEvent::Placed(placed) = event {
            for replaced in &placed.replaces {
                change(*replaced, &|hold| hold.lose(&placed.lines, placed.at));
            }
            let hold = Hold::new(placed);
            self.take_over_hold(&hold);
            self.order_index.add_holder(&hold.key);
            let hold = Recorded::new(hold, origin, sequence);
            self.holds.update(placed.id.0, |place| *place = Some(hold));
            self.holders.entry(placed.key.clone()).or_default().insert(placed.id);
        } else {
            change(event.hold(), &|hold| hold.evolve(event));
        }
    }

    fn change_hold(&self, id: ReservationId, change: impl FnOnce(&mut Recorded<Hold>)) {
        let mut ended = None;
        self.holds.update(id.0, |place| {
            let hold = place.as_mut().expect("an event is about a hold that was placed");
            change(hold);
            if !hold.now.is_active() {
                ended = Some(hold.now.key.clone());
            }
        });
        if let Some(key) = ended {
            self.holders.remove_if_mut(&key, |_, live| {
                live.remove(&id);
                live.is_empty()
            });
        }
    }

    fn apply_transfer(&self, sequence: Sequence, event: &TransferEvent) {
        let origin = self.covered.origin_of(sequence);
        self.transfers.update(event.transfer().0, |place| match (place, event) {
            (place @ None, TransferEvent::Dispatched(dispatched)) => {
                let transfer = Transfer::new((**dispatched).clone());
                *place = Some(Recorded::new(transfer, origin, sequence));
            }
            (Some(transfer), event) => {
                transfer.now.evolve(event);
                transfer.record(origin, sequence);
            }
            (None, event) => panic!("transfer {} was never dispatched", event.transfer()),
        });
    }
}

impl CatalogueDirt {
    fn note(&mut self, event: &CatalogueEvent) {
        match event {
            CatalogueEvent::ProductCreated { product, .. }
            | CatalogueEvent::ProductUpdated { product, .. }
            | CatalogueEvent::ProductArchived { product } => {
                self.product_pages.insert(product.id.0 / PAGE_IDS);
            }
            CatalogueEvent::ShopCreated(_) | CatalogueEvent::ShopUpdated(_) => self.shops = true,
            CatalogueEvent::WarehouseCreated(_)
            | CatalogueEvent::WarehouseUpdated(_)
            | CatalogueEvent::WarehouseStatusChanged(_) => self.warehouses = true,
        }
    }
}

impl AccountsDirt {
    fn note(&mut self, event: &AccountEvent) {
        let account = match event {
            AccountEvent::Registered(account)
            | AccountEvent::Updated(account)
            | AccountEvent::PasswordChanged(account)
            | AccountEvent::RoleChanged(account)
            | AccountEvent::Erased(account) => account.id,
            AccountEvent::SessionOpened { account, .. } => {
                self.rest = true;
                *account
            }
            AccountEvent::SessionRotated { account, .. }
            | AccountEvent::SessionRevoked { account, .. }
            | AccountEvent::SessionsRevoked { account, .. } => *account,
            AccountEvent::ApiKeyCreated(_) | AccountEvent::ApiKeyRevoked { .. } => {
                self.rest = true;
                return;
            }
        };
        match account {
            AccountId::Customer(id) => self.customer_pages.insert(id.0 / PAGE_IDS),
            AccountId::Account(id) => self.account_pages.insert(id / PAGE_IDS),
        };
    }
}
