//! Expiry, on virtual time: never early, never twice, and exactly one of payment and expiry wins.

use std::{future::Future, time::Duration};

use stockade_actors::{BatchMode, Config, Engine, Error};
use stockade_domain::{
    OrderId, Refusal,
    holder::HoldStatus,
    order::{Order, Status},
};

use crate::shop::{START_MS, check, durable, hold_of, order_of, product, still, stock_of, wait};

const DEADLINE: Duration = Duration::from_secs(30 * 60);

#[test]
fn an_unpaid_order_expires_at_its_deadline_and_not_before() {
    let engine = still();
    let thing = product(&engine, 5);
    let order = wait(engine.place_order(order_of(&[(thing, 5)]))).unwrap();
    wait(engine.advance(DEADLINE - Duration::from_millis(1))).unwrap();
    assert_eq!(engine.order(order.id()).unwrap().status, Status::PendingPayment);
    wait(engine.advance(Duration::from_millis(101))).unwrap();
    assert_eq!(engine.order(order.id()).unwrap().status, Status::Expired);
    assert_eq!(stock_of(&engine, thing), (5, 0));
    assert_eq!(engine.stats().expired, 1);
    wait(engine.advance(DEADLINE)).unwrap();
    assert_eq!(engine.stats().expired, 1, "once");
    let late = wait(engine.pay_order(order.id(), None));
    assert_eq!(late, Err(Error::Refused(Refusal::OrderNotPayable(Status::Expired))));
    check(&engine);
}

#[test]
fn what_is_due_by_now_is_done_when_the_clock_has_moved() {
    // Deadlines share buckets of 100 ms, and a clock moved by hand may stand anywhere in one.
    for start_ms in [START_MS, START_MS + 1, START_MS + 99] {
        let engine = Engine::open(Config::in_memory().with_virtual_clock(start_ms)).unwrap();
        let thing = product(&engine, 5);
        let order = wait(engine.place_order(order_of(&[(thing, 2)]))).unwrap();
        let until = DEADLINE - Duration::from_secs(60);
        wait(engine.advance(until)).unwrap();
        let hold = wait(engine.reserve(hold_of(None, &[(thing, 3)]))).unwrap();
        wait(engine.advance(Duration::from_secs(60) - Duration::from_millis(1))).unwrap();
        assert_eq!(engine.order(order.id()).unwrap().status, Status::PendingPayment);
        assert!(engine.reservation(hold.id).unwrap().is_active());
        wait(engine.advance(Duration::from_millis(1))).unwrap();
        assert_eq!(engine.order(order.id()).unwrap().status, Status::Expired);
        assert_eq!(engine.reservation(hold.id).unwrap().status, HoldStatus::Expired);
        assert_eq!(stock_of(&engine, thing), (5, 0));
        check(&engine);
    }
}

#[test]
fn a_paid_order_does_not_expire() {
    let engine = still();
    let thing = product(&engine, 5);
    let order = wait(engine.place_order(order_of(&[(thing, 5)]))).unwrap();
    wait(engine.pay_order(order.id(), None)).unwrap();
    wait(engine.advance(DEADLINE * 2)).unwrap();
    assert_eq!(engine.order(order.id()).unwrap().status, Status::Paid);
    assert_eq!(stock_of(&engine, thing), (5, 5));
    check(&engine);
}

#[test]
fn part_paid_and_expired_means_a_refund_is_due() {
    let engine = still();
    let thing = product(&engine, 5);
    let order = wait(engine.place_order(order_of(&[(thing, 2)]))).unwrap();
    wait(engine.pay_order(order.id(), Some(700))).unwrap();
    wait(engine.advance(DEADLINE * 2)).unwrap();
    let expired = engine.order(order.id()).unwrap();
    assert_eq!((expired.status, expired.refund_due()), (Status::Expired, 700));
    check(&engine);
}

#[test]
fn payment_and_expiry_at_one_instant_have_one_winner() {
    let engine = still();
    let thing = product(&engine, 500);
    let orders: Vec<OrderId> =
        (0..500).map(|_| wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id()).collect();
    let payers: Vec<_> = (0..4)
        .map(|payer| {
            let (engine, orders) = (engine.clone(), orders.clone());
            std::thread::spawn(move || {
                let mine = orders.into_iter().skip(payer).step_by(4);
                mine.map(|id| (id, wait(engine.pay_order(id, None)))).collect::<Vec<_>>()
            })
        })
        .collect();
    wait(engine.advance(DEADLINE + Duration::from_millis(100))).unwrap();
    let answers: Vec<(OrderId, Result<Order, Error>)> =
        payers.into_iter().flat_map(|payer| payer.join().unwrap()).collect();
    for (id, answer) in &answers {
        let expected = if answer.is_ok() { Status::Paid } else { Status::Expired };
        assert_eq!(engine.order(*id).unwrap().status, expected, "the answer says which won");
    }
    let paid = answers.iter().filter(|(_, answer)| answer.is_ok()).count() as u64;
    assert_eq!(stock_of(&engine, thing), (500, paid));
    check(&engine);
}

#[test]
fn a_hold_expires_unless_it_is_extended() {
    let engine = still();
    let thing = product(&engine, 10);
    let short = wait(engine.reserve(hold_of(None, &[(thing, 2)]))).unwrap();
    let long = wait(engine.reserve(hold_of(None, &[(thing, 3)]))).unwrap();
    wait(engine.extend_reservation(long.id, 300_000)).unwrap();
    wait(engine.advance(Duration::from_secs(61))).unwrap();
    assert_eq!(engine.reservation(short.id).unwrap().status, HoldStatus::Expired);
    assert!(engine.reservation(long.id).unwrap().is_active());
    assert_eq!(stock_of(&engine, thing), (10, 3));
    let gone = wait(engine.extend_reservation(short.id, 1_000));
    assert_eq!(gone, Err(Error::Refused(Refusal::ReservationExpired(short.id))));
    wait(engine.advance(Duration::from_secs(300))).unwrap();
    assert_eq!(stock_of(&engine, thing), (10, 0));
    check(&engine);
}

#[test]
fn deadlines_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (order, hold, thing);
    {
        let engine = durable(dir.path(), 1);
        thing = product(&engine, 10);
        order = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id();
        hold = wait(engine.reserve(hold_of(None, &[(thing, 2)]))).unwrap().id;
        engine.shutdown().unwrap();
    }
    let engine = durable(dir.path(), 1);
    assert_eq!(stock_of(&engine, thing), (10, 3));
    wait(engine.advance(DEADLINE * 2)).unwrap();
    assert_eq!(engine.order(order).unwrap().status, Status::Expired);
    assert_eq!(engine.reservation(hold).unwrap().status, HoldStatus::Expired);
    assert_eq!(stock_of(&engine, thing), (10, 0));
    check(&engine);
}

#[test]
fn many_deadlines_at_one_moment_are_all_met() {
    let engine = still();
    let thing = product(&engine, 5_000);
    for _ in 0..5 {
        let batch = (0..1_000).map(|_| order_of(&[(thing, 1)])).collect();
        let placed = wait(engine.place_orders(batch, stockade_actors::BatchMode::Each)).unwrap();
        assert!(placed.iter().all(Result::is_ok));
    }
    wait(engine.advance(DEADLINE + Duration::from_secs(1))).unwrap();
    assert_eq!((engine.stats().expired, stock_of(&engine, thing)), (5_000, (5_000, 0)));
    check(&engine);
}

#[test]
fn a_caller_that_moves_the_clock_and_goes_away_loses_no_deadline() {
    let config = Config { work_max: 4_096, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let thing = product(&engine, 6_000);
    for _ in 0..6 {
        let orders = vec![order_of(&[(thing, 1)]); 1_000];
        wait(engine.place_orders(orders, BatchMode::Each)).unwrap();
    }
    let mut advance = Box::pin(engine.advance(DEADLINE + Duration::from_millis(100)));
    let waker = std::task::Waker::noop();
    let polled = advance.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending(), "the door has no room for all of them at once");
    drop(advance);
    wait(engine.advance(Duration::ZERO)).unwrap();
    while engine.stats().under_way > 0 {
        std::thread::yield_now();
    }
    assert_eq!(engine.stats().expired, 6_000);
    assert_eq!(stock_of(&engine, thing), (6_000, 0));
    check(&engine);
}
