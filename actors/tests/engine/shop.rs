//! A small shop to test in.

use std::{fs, future::Future, path::Path};

use futures_executor::block_on;
use stockade_actors::{Config, Engine, Error};
use stockade_domain::{
    Currency, ProductId, Quantity, Refusal, ShopId, StockKey, WarehouseId,
    catalogue::NewProduct,
    holder::{PlaceHold, Source},
    order::{LineQuantity, PlaceOrder},
};

pub(crate) const START_MS: u64 = 1_800_000_000_000;
pub(crate) const MAIN: WarehouseId = WarehouseId(1);
pub(crate) const SHOP: ShopId = ShopId(1);

/// An engine in memory, whose clock stands still.
pub(crate) fn still() -> Engine {
    Engine::open(Config::in_memory().with_virtual_clock(START_MS))
        .expect("an engine in memory opens")
}

/// An engine on a data directory, with so many lanes.
pub(crate) fn durable(path: &Path, lanes: usize) -> Engine {
    let config = Config { lanes, ..Config::new(path).with_virtual_clock(START_MS) };
    Engine::open(config).expect("the data directory opens")
}

/// A product with so many units in the main warehouse.
pub(crate) fn product(engine: &Engine, units: Quantity) -> ProductId {
    let opening = (units > 0).then_some((MAIN, units));
    let new = NewProduct { opening, ..NewProduct::new("thing", 1_000, Currency::USD) };
    wait(engine.create_product(new)).expect("a product is created").id
}

pub(crate) fn lines(lines: &[(ProductId, Quantity)]) -> Vec<LineQuantity> {
    lines.iter().map(|&(product, quantity)| LineQuantity { product, quantity }).collect()
}

pub(crate) fn order_of(wanted: &[(ProductId, Quantity)]) -> PlaceOrder {
    PlaceOrder::new(SHOP, lines(wanted))
}

pub(crate) fn hold_of(owner: Option<&str>, wanted: &[(ProductId, Quantity)]) -> PlaceHold {
    PlaceHold {
        source: Source::Shop(SHOP),
        owner: owner.map(Into::into),
        scope: None,
        customer: None,
        lines: lines(wanted),
        ttl_ms: 60_000,
        partial: false,
    }
}

pub(crate) fn stock_of(engine: &Engine, product: ProductId) -> (Quantity, Quantity) {
    let row = engine.stock(StockKey::new(MAIN, product));
    (row.on_hand, row.reserved)
}

pub(crate) fn is_short<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::InsufficientStock(_))))
}

/// Nothing is in flight, every invariant holds, and the journal comes to the live state.
pub(crate) fn check(engine: &Engine) {
    let audit = engine.audit().expect("the journal is readable");
    assert_eq!(audit.violations, [], "after {} events", audit.events);
    assert_eq!(audit.digest, engine.digest());
    let stats = engine.stats();
    assert_eq!(stats.open_table, 0, "nothing is in flight");
    assert_eq!(stats.under_way, 0, "every permit came back");
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    block_on(future)
}

/// A copy of a data directory: of a running engine, what a kill would leave.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
