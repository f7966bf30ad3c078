//! A wall clock that jumps: expiry freezes, and is never early, whenever an order was placed; no key is forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_executor::block_on;
use stockade_domain::{
    Currency, IdempotencyKey, OrderId, ReservationId, ShopId, WarehouseId,
    catalogue::NewProduct,
    holder::{PlaceHold, Source},
    order::{LineQuantity, Order, PlaceOrder, Status},
};
use stockade_storage::MemoryDisk;

use crate::{
    Config, Context, Engine, Error,
    clock::{Clock, Guard},
    engine::open::open_by,
};

const START_MS: u64 = 1_800_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Steps up to this are followed at once.
const JUMP_MAX: Duration = Duration::from_millis(HOUR_MS);

/// An engine whose wall clock stands where the test puts it, on a disk that outlives it.
struct Shop {
    engine: Engine,
    disk: Arc<MemoryDisk>,
    wall: Arc<AtomicU64>,
}

impl Shop {
    fn open(disk: Arc<MemoryDisk>, wall_ms: u64) -> Self {
        let wall = Arc::new(AtomicU64::new(wall_ms));
        let read = wall.clone();
        let read = Box::new(move || read.load(Ordering::Acquire));
        let lasts = Duration::from_secs(3_600);
        let clock = |last| Clock::Wall(Guard::new(read, last, JUMP_MAX, lasts));
        let engine = open_by(disk.clone(), None, &Config::in_memory(), clock).unwrap();
        Self { engine, disk, wall }
    }

    fn new() -> Self {
        let shop = Self::open(Arc::new(MemoryDisk::new()), START_MS);
        let opening = Some((WarehouseId(1), 100));
        let new = NewProduct { opening, ..NewProduct::new("clock", 100, Currency::USD) };
        block_on(shop.engine.create_product(new)).unwrap();
        shop
    }

    /// Stops, and starts again with the wall clock where it is.
    fn restart(self) -> Self {
        self.restart_after(0)
    }

    /// Stops, and starts again with the wall clock so much later.
    fn restart_after(self, by_ms: u64) -> Self {
        let wall_ms = self.wall.load(Ordering::Acquire) + by_ms;
        self.engine.shutdown().unwrap();
        Self::open(self.disk, wall_ms)
    }

    fn lines(&self) -> Vec<LineQuantity> {
        let product = self.engine.catalogue().products_after(0).next().unwrap().id;
        vec![LineQuantity { product, quantity: 1 }]
    }

    fn place(&self, deadline_ms: u64) -> OrderId {
        let payment_deadline_ms = Some(deadline_ms);
        let order = PlaceOrder { payment_deadline_ms, ..PlaceOrder::new(ShopId(1), self.lines()) };
        block_on(self.engine.place_order(order)).unwrap().id()
    }

    /// Places an order under a key.
    fn place_once(&self, key: u8) -> Result<Order, Error> {
        let key = Some(IdempotencyKey { key: [key; 16], request: 0 });
        let engine = self.engine.by(Context { key, ..Context::default() });
        block_on(engine.place_order(PlaceOrder::new(ShopId(1), self.lines())))
    }

    /// Whether the effect of a key is known, and still is when the next effect has come, which is when keys are forgotten.
    fn knows(&self, key: u8) -> bool {
        let is_known = || matches!(self.place_once(key), Err(Error::AlreadyDone { .. }));
        let new = || (100..).find(|other| self.place_once(*other).is_ok());
        is_known() && new().is_some() && is_known()
    }

    fn hold(&self, ttl_ms: u64) -> ReservationId {
        let source = Source::Shop(ShopId(1));
        let lines = self.lines();
        let hold = PlaceHold {
            source,
            owner: None,
            scope: None,
            customer: None,
            lines,
            ttl_ms,
            partial: false,
        };
        block_on(self.engine.reserve(hold)).unwrap().id
    }

    fn status(&self, id: OrderId) -> Status {
        self.engine.order(id).unwrap().status
    }

    fn until(&self, done: impl Fn(&Engine) -> bool) {
        while !done(&self.engine) {
            self.engine.shared().deadlines.wake();
            std::thread::yield_now();
        }
    }

    fn until_expired(&self, id: OrderId) {
        self.until(|engine| engine.order(id).unwrap().status == Status::Expired);
    }

    /// Moves the wall clock so far at once that expiry freezes.
    fn jump(&self, by_ms: u64) {
        self.wall.fetch_add(by_ms, Ordering::AcqRel);
        self.until(Engine::is_clock_frozen);
    }

    /// Moves the wall clock so little (but more than a second) that it is followed, and returns when what is due by then has been looked at.
    fn go_on(&self, by_ms: u64) {
        let mark = self.place(1_000);
        self.wall.fetch_add(by_ms, Ordering::AcqRel);
        self.until_expired(mark);
    }
}

#[test]
fn what_is_placed_while_the_clock_is_behind_does_not_expire_early() {
    let shop = Shop::new();
    let before = shop.place(HOUR_MS);
    shop.go_on(2_000);
    shop.jump(2 * HOUR_MS);
    let (order, hold) = (shop.place(HOUR_MS), shop.hold(HOUR_MS));
    assert_eq!(shop.status(before), Status::PendingPayment, "nothing expires meanwhile");
    shop.engine.confirm_clock().unwrap();
    shop.go_on(HOUR_MS - 60_000);
    // Nobody knows since when the clock had been behind: what was placed before it was seen has its hour, too.
    assert_eq!(shop.status(before), Status::PendingPayment);
    assert_eq!(shop.status(order), Status::PendingPayment);
    assert!(shop.engine.reservation(hold).unwrap().is_active());
    shop.go_on(120_000);
    shop.until_expired(before);
    shop.until_expired(order);
    shop.until(|engine| !engine.reservation(hold).unwrap().is_active());
}

#[test]
fn a_restart_while_expiry_is_frozen_makes_nothing_early() {
    let shop = Shop::new();
    let before = shop.place(HOUR_MS);
    shop.go_on(2_000);
    shop.jump(2 * HOUR_MS);
    let order = shop.place(HOUR_MS);
    let shop = shop.restart();
    assert!(shop.engine.is_clock_frozen(), "it was away for long, as far as anybody knows");
    let later = shop.place(HOUR_MS);
    shop.engine.confirm_clock().unwrap();
    shop.go_on(HOUR_MS - 60_000);
    assert_eq!(shop.status(before), Status::PendingPayment);
    assert_eq!(shop.status(order), Status::PendingPayment);
    assert_eq!(shop.status(later), Status::PendingPayment);
    shop.go_on(120_000);
    shop.until_expired(before);
    shop.until_expired(order);
    // Time was right when this one was placed.
    shop.until_expired(later);
}

#[test]
fn a_restart_after_the_step_was_believed_makes_nothing_early() {
    let shop = Shop::new();
    shop.jump(2 * HOUR_MS);
    let order = shop.place(HOUR_MS);
    shop.engine.confirm_clock().unwrap();
    let shop = shop.restart();
    assert!(!shop.engine.is_clock_frozen());
    shop.go_on(HOUR_MS - 60_000);
    assert_eq!(shop.status(order), Status::PendingPayment);
    shop.go_on(120_000);
    shop.until_expired(order);
}

#[test]
fn a_restart_after_the_clock_was_put_right_makes_nothing_early() {
    let shop = Shop::new();
    let order = shop.place(HOUR_MS);
    let shop = shop.restart_after(2 * DAY_MS);
    shop.engine.confirm_clock().unwrap();
    shop.go_on(HOUR_MS - 60_000);
    assert_eq!(shop.status(order), Status::PendingPayment);
    shop.go_on(120_000);
    shop.until_expired(order);
}

#[test]
fn a_step_of_the_clock_forgets_no_key() {
    let shop = Shop::new();
    shop.place_once(1).unwrap();
    shop.jump(2 * DAY_MS);
    shop.place_once(2).unwrap();
    assert!(shop.knows(1) && shop.knows(2), "while the step is not believed");
    shop.engine.confirm_clock().unwrap();
    assert!(shop.knows(1) && shop.knows(2), "when it is");
    let shop = shop.restart();
    assert!(shop.knows(1) && shop.knows(2), "after a restart");
}

#[test]
fn a_restart_around_a_step_of_the_clock_forgets_no_key() {
    let shop = Shop::new();
    shop.place_once(1).unwrap();
    shop.jump(2 * DAY_MS);
    let shop = shop.restart();
    shop.engine.confirm_clock().unwrap();
    assert!(shop.knows(1), "the restart was in the middle of the step");
    let shop = shop.restart_after(2 * DAY_MS);
    shop.engine.confirm_clock().unwrap();
    assert!(shop.knows(1), "the step was in the middle of the restart");
}
