//! What was at a position, against a plain reading of the whole journal.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use stockade_actors::{Config, Engine, Happened, NewTransfer, StockRow};
use stockade_domain::{
    Event, OrderId, ProductId, StockKey, Timestamp, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::{
        CatalogueEvent, NewWarehouse, Product, ProductChange, StockDelta, WarehouseChange,
    },
    stock::{Stock, StockCommand},
    transfer::TransferCommand,
};

use crate::shop::{MAIN, START_MS, check, copy_tree, durable, order_of, product, wait};

/// The whole journal, read and folded the long way.
#[derive(Default)]
struct Plain {
    stocks: HashMap<StockKey, Stock>,
    active: HashMap<WarehouseId, bool>,
    products: HashMap<ProductId, Arc<Product>>,
}

impl Plain {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Stock(event) => self.stocks.entry(event.stock()).or_default().evolve(event),
            Event::Catalogue(
                CatalogueEvent::ProductCreated { product, .. }
                | CatalogueEvent::ProductUpdated { product, .. }
                | CatalogueEvent::ProductArchived { product },
            ) => drop(self.products.insert(product.id, product.clone())),
            Event::Catalogue(
                CatalogueEvent::WarehouseCreated(place)
                | CatalogueEvent::WarehouseUpdated(place)
                | CatalogueEvent::WarehouseStatusChanged(place),
            ) => drop(self.active.insert(place.id, place.active)),
            _ => {}
        }
    }

    fn row(&self, key: StockKey) -> Option<StockRow> {
        let active = *self.active.get(&key.warehouse)?;
        self.products.get(&key.product)?;
        let stock = self.stocks.get(&key).cloned().unwrap_or_default();
        Some(StockRow {
            key,
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            safety_stock: stock.safety_stock,
            incoming: stock.incoming,
            backorder_limit: stock.backorder_limit,
            available: if active { stock.available() } else { 0 },
            version: stock.version,
        })
    }
}

fn journal(engine: &Engine) -> Vec<Happened> {
    let mut all = Vec::new();
    let mut after = 0;
    while after < engine.position() {
        let feed = engine.feed(after, usize::MAX, |_| true).unwrap();
        after = feed.position;
        all.extend(feed.happened);
    }
    all
}

/// Every stock, product and moment, at every position: as the plain reading has it.
fn agrees(engine: &Engine) {
    let journal = journal(engine);
    let (warehouses, products) = (1..=3, 1..=3);
    let keys: Vec<_> = warehouses
        .flat_map(|place| {
            let key = move |thing| StockKey::new(WarehouseId(place), ProductId(thing));
            products.clone().map(key)
        })
        .collect();
    let mut plain = Plain::default();
    for (place, happened) in journal.iter().enumerate() {
        let before = happened.sequence - 1;
        keys.iter().for_each(|key| assert_eq!(engine.stock_as_of(*key, before), plain.row(*key)));
        plain.apply(&happened.event);
        let at = happened.sequence;
        keys.iter().for_each(|key| assert_eq!(engine.stock_as_of(*key, at), plain.row(*key)));
        for id in products.clone().map(ProductId) {
            let then = plain.products.get(&id).cloned();
            assert_eq!(engine.product_as_of(id, at).unwrap(), then, "{id} at {at}");
        }
        if !place.is_multiple_of(8) {
            continue;
        }
        let later = journal[place..].iter().take_while(|later| later.at == happened.at);
        let last = later.last().map(|later| later.sequence);
        assert_eq!(Some(engine.sequence_at(happened.at).unwrap()), last);
    }
    let now = |key: &StockKey| engine.stock_as_of(*key, engine.position());
    keys.iter().for_each(|key| assert_eq!(now(key), Some(engine.stock(*key))));
    assert_eq!(engine.sequence_at(Timestamp(START_MS - 1)).unwrap(), 0);
    assert_eq!(engine.sequence_at(engine.now()).unwrap(), journal.last().unwrap().sequence);
}

/// All that moves a stock, in three warehouses.
fn trade(engine: &Engine, round: u64) {
    let (hot, other) = (ProductId(1), ProductId(2));
    let away = WarehouseId(2);
    for number in 0..15 {
        wait(engine.advance(Duration::from_millis(5))).unwrap();
        let order = wait(engine.place_order(order_of(&[(hot, 2), (other, 1)]))).unwrap();
        match (round + number) % 5 {
            0 => drop(wait(engine.cancel_order(order.id(), None)).unwrap()),
            1 => ship(engine, order.id()),
            _ => {}
        }
    }
    let stock = StockKey::new(MAIN, hot);
    let policy = StockCommand::SetPolicy {
        safety_stock: Some(round),
        backorder_limit: Some(5_000_000_000 % (round + 7)),
    };
    wait(engine.change_stock(stock, policy)).unwrap();
    let count = StockCommand::Recount { on_hand: 9_000 - round, reason: "counted".into() };
    wait(engine.change_stock(stock, count)).unwrap();
    let request =
        NewTransfer { product: hot, from: MAIN, to: away, quantity: 40, in_transit: true };
    let transfer = wait(engine.transfer(request)).unwrap();
    let receive = TransferCommand::Receive { quantity: Some(15), discrepancy: None };
    wait(engine.change_transfer(transfer.dispatched.id, receive)).unwrap();
    let active = !engine.catalogue().warehouse(away).unwrap().active;
    let status = WarehouseChange { active: Some(active), ..Default::default() };
    wait(engine.change_warehouse(away, None, status)).unwrap();
    let delta = StockDelta { stock: StockKey::new(WarehouseId(3), other), delta: 3 };
    let found = Adjust { deltas: vec![delta], reason: Reason::Found, reference: None };
    wait(engine.adjust(found)).unwrap();
    let name = ProductChange { name: Some(format!("round {round}")), ..Default::default() };
    wait(engine.change_product(hot, None, name)).unwrap();
}

fn ship(engine: &Engine, order: OrderId) {
    use stockade_domain::order::OrderCommand::{Return, Ship};
    wait(engine.pay_order(order, None)).unwrap();
    let ship = Ship { lines: None, carrier: None, tracking: None };
    wait(engine.change_order(order, ship)).unwrap();
    let back = Return { lines: None, restock: true, reason: None };
    wait(engine.change_order(order, back)).unwrap();
}

/// Sixteen stocks awake at most: others sleep and wake meanwhile.
fn crowded(path: &Path) -> Engine {
    let few = Config { stocks_awake_max: 16, ..Config::new(path).with_virtual_clock(START_MS) };
    Engine::open(Config { lanes: 2, ..few }).unwrap()
}

#[test]
fn what_was_is_as_the_whole_journal_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let engine = crowded(dir.path());
    for name in ["b", "c"] {
        let new = NewWarehouse { name: name.into(), ..Default::default() };
        wait(engine.create_warehouse(new)).unwrap();
    }
    for _ in 0..24 {
        product(&engine, 10_000);
    }
    trade(&engine, 0);
    agrees(&engine);
    engine.shutdown().unwrap();
    // On from a checkpoint, in a new epoch, whose sequences begin further on.
    for round in 1..4 {
        let engine = crowded(dir.path());
        agrees(&engine);
        trade(&engine, round);
        (4..24).for_each(|id| {
            drop(wait(engine.place_order(order_of(&[(ProductId(id), 1)]))).unwrap());
        });
        agrees(&engine);
        check(&engine);
        if round == 3 {
            copy_tree(dir.path(), killed.path());
        }
        engine.shutdown().unwrap();
    }
    // A tail behind a checkpoint, and no checkpoint at all.
    for without_state in [false, true] {
        if without_state {
            std::fs::remove_dir_all(killed.path().join("state")).unwrap();
        }
        let engine = durable(killed.path(), 1);
        agrees(&engine);
        check(&engine);
        engine.shutdown().unwrap();
    }
}
