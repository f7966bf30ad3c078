//! A disk whose sync is held: no answer leaves before what it saw is durable, be it a refusal or a repeat that adds nothing.
//!
//! The answers of one lane leave in order, and that alone would hold most of these back. So there are two lanes, and what is waited
//! for is another lane's.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use stockade_actors::{Config, Engine, Error, FirstAnswer};
use stockade_domain::{
    ProductId, Quantity, StockKey,
    order::{Order, Status},
    stock::StockCommand,
};
use stockade_storage::{Fault, HeldSyncs, SimDisk};

use crate::{
    keys::{at, under},
    shop::{MAIN, START_MS, check, is_short, order_of, product, stock_of, wait},
};

/// An engine of two lanes on a disk whose sync will be held.
struct Shop {
    disk: SimDisk,
    engine: Engine,
    thing: ProductId,
    /// Of the other lane. There is plenty of it.
    other: ProductId,
    /// Of the thing's lane. There is plenty of it.
    third: ProductId,
}

/// A call that is under way.
type Call<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

impl Shop {
    fn open(units: Quantity) -> Self {
        let disk = SimDisk::new(1);
        let config = Config {
            lanes: 2,
            segment_bytes: 256 << 10,
            ..Config::in_memory().with_virtual_clock(START_MS)
        };
        let engine = Engine::open_on(Arc::new(disk.clone()), &config).unwrap();
        // Products go round the lanes by their ids.
        let [thing, other, third] = [units, 100, 100].map(|units| product(&engine, units));
        // The journal's next segment is synced as well, by another thread; once it is there, the sync that is held is a commit's.
        while !engine.stats().journal.next_ready {
            thread::yield_now();
        }
        Self { disk, engine, thing, other, third }
    }

    /// Begins a call that appends, after which the sync waits.
    fn hold<'a, T>(&self, call: impl Future<Output = T> + 'a) -> (HeldSyncs, Call<'a, T>) {
        let held = self.disk.hold_syncs();
        let mut call: Call<'_, T> = Box::pin(call);
        assert!(poll(&mut call).is_none(), "nothing is durable yet");
        held.wait_for_one();
        (held, call)
    }

    /// Lets both lanes do all that was asked of them before: whoever asks last is served last, and an order that was appended has
    /// been to both. Three in a row, so that a workflow with a step more than theirs is through, too.
    fn witness(&self) {
        for _ in 0..3 {
            let before = self.engine.stats().journal.queued_records;
            let mut placing = self.place(&[(self.other, 1), (self.third, 1)]);
            assert!(poll(&mut placing).is_none());
            while self.engine.stats().journal.queued_records < before + 3 {
                thread::yield_now();
            }
        }
    }

    fn place(&self, wanted: &[(ProductId, Quantity)]) -> Call<'_, Result<Order, Error>> {
        Box::pin(self.engine.place_order(order_of(wanted)))
    }

    /// Everything is in order once the last witness is through.
    fn check(&self) {
        for product in [self.other, self.third] {
            wait(self.place(&[(product, 1)])).unwrap();
        }
        check(&self.engine);
    }
}

/// Looks once whether a call was answered.
fn poll<T>(call: &mut Call<'_, T>) -> Option<T> {
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn a_refusal_waits_until_what_it_saw_is_durable() {
    let shop = Shop::open(1);
    let (held, taker) = shop.hold(shop.place(&[(shop.thing, 1)]));
    let mut refused = shop.place(&[(shop.other, 1), (shop.thing, 1)]);
    assert!(poll(&mut refused).is_none());
    shop.witness();
    assert!(poll(&mut refused).is_none(), "a crash would undo what it was refused for");
    drop(held);
    assert!(wait(taker).is_ok());
    assert!(is_short(&wait(refused)));
    shop.check();
}

#[test]
fn a_refusal_whose_reason_never_becomes_durable_is_none() {
    let shop = Shop::open(1);
    let (held, taker) = shop.hold(shop.place(&[(shop.thing, 1)]));
    let mut refused = shop.place(&[(shop.other, 1), (shop.thing, 1)]);
    assert!(poll(&mut refused).is_none());
    shop.witness();
    shop.disk.fail_sync(shop.disk.syncs() + 1, Fault::Io);
    drop(held);
    assert!(matches!(wait(taker), Err(Error::Stopped(_))));
    let told = wait(refused);
    assert!(matches!(told, Err(Error::Stopped(_))), "{told:?}");
}

#[test]
fn a_repeat_that_adds_nothing_waits_until_what_it_saw_is_durable() {
    let shop = Shop::open(10);
    let (held, taker) = shop.hold(shop.place(&[(shop.other, 1), (shop.thing, 1)]));
    shop.witness();
    let stock = StockKey::new(MAIN, shop.thing);
    let before = shop.engine.stock(stock).version;
    let as_it_is = StockCommand::SetPolicy { safety_stock: Some(0), backorder_limit: None };
    let mut repeat: Call<'_, _> = Box::pin(shop.engine.change_stock(stock, as_it_is));
    assert!(poll(&mut repeat).is_none());
    shop.witness();
    assert!(poll(&mut repeat).is_none(), "a crash would undo what it shows");
    drop(held);
    assert!(wait(taker).is_ok());
    let row = wait(repeat).unwrap();
    assert_eq!((row.reserved, row.version), (1, before), "it added nothing");
    shop.check();
}

#[test]
fn whoever_cancels_again_waits_for_the_first_to_be_durable() {
    let shop = Shop::open(10);
    let order = wait(shop.place(&[(shop.thing, 1)])).unwrap().id();
    let cancel = || shop.engine.cancel_order(order, None);
    let (held, first) = shop.hold(cancel());
    let mut again: Call<'_, _> = Box::pin(cancel());
    assert!(poll(&mut again).is_none());
    shop.witness();
    assert!(poll(&mut again).is_none(), "a crash would undo what it was told");
    drop(held);
    let first = wait(first).unwrap();
    assert_eq!(first.status, Status::Cancelled);
    assert_eq!(wait(again).unwrap(), first, "it added nothing");
    shop.check();
}

#[test]
fn a_key_is_not_done_before_its_effect_is_durable() {
    let shop = Shop::open(10);
    let keyed = under(&shop.engine, 1);
    let place = || keyed.place_order(order_of(&[(shop.thing, 1)]));
    let (held, placing) = shop.hold(place());
    // Whoever asked goes away, and the key stays in flight all the same.
    drop(placing);
    shop.witness();
    assert_eq!(wait(place()), Err(Error::InProgress));
    assert_eq!(keyed.check_key(), Err(Error::InProgress));
    drop(held);
    let again = loop {
        match wait(place()) {
            Err(Error::InProgress) => thread::yield_now(),
            answer => break at(answer),
        }
    };
    let FirstAnswer::Order(order) = shop.engine.first_answer(again).unwrap() else {
        panic!("an order was placed")
    };
    assert_eq!(shop.engine.order(order.id()), Some(order));
    assert_eq!(stock_of(&shop.engine, shop.thing), (10, 1));
    shop.check();
}
