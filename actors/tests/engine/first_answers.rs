//! What a command answered at first, it answers again, whatever happened since.

use std::path::Path;

use stockade_actors::{BatchMode, Engine, Error, FirstAnswer, NewTransfer};
use stockade_domain::{
    Currency, ProductId, StockKey,
    adjustment::{Adjust, AdjustmentEvent, Reason},
    catalogue::{NewProduct, NewWarehouse, ProductChange, StockDelta, StockTotal, WarehouseChange},
    order::Status,
    stock::StockCommand,
    transfer::TransferCommand,
};

use crate::{
    keys::{at, first, under},
    shop::{MAIN, check, copy_tree, durable, hold_of, order_of, product, still, wait},
};

/// One command of every kind, each under a key of its own, and what it answered.
struct Everything {
    thing: ProductId,
    answers: Vec<FirstAnswer>,
}

impl Everything {
    fn run(engine: &Engine) -> Self {
        let new = NewProduct::new("keyed", 5, Currency::USD);
        let made = wait(under(engine, 1).create_product(new)).unwrap();
        let thing = made.id;
        let mut everything = Self { thing, answers: Vec::new() };
        everything.answers.push(FirstAnswer::Product { product: made, on_hand: 0, available: 0 });
        for number in 2..=11 {
            let answer = everything.command(engine, number).unwrap();
            everything.answers.push(answer);
        }
        everything
    }

    /// The command of this number, under the key of this number.
    fn command(&self, engine: &Engine, number: u8) -> Result<FirstAnswer, Error> {
        let (keyed, thing) = (under(engine, number), self.thing);
        let order = |index: usize| match &self.answers[index] {
            FirstAnswer::Order(order) => order.id(),
            other => panic!("{other:?}"),
        };
        let hold = || match &self.answers[6] {
            FirstAnswer::Hold(hold) => hold.id,
            other => panic!("{other:?}"),
        };
        let transfer = || match &self.answers[9] {
            FirstAnswer::Transfer(transfer) => transfer.dispatched.id,
            other => panic!("{other:?}"),
        };
        let delta = StockDelta { stock: StockKey::new(MAIN, thing), delta: 50 };
        let adjust = Adjust { deltas: vec![delta], reason: Reason::Found, reference: None };
        match number {
            2 => wait(keyed.adjust(adjust)).map(|adjusted| {
                FirstAnswer::Adjusted(AdjustmentEvent::Adjusted(Box::new(adjusted)))
            }),
            3 => wait(keyed.place_order(order_of(&[(thing, 3)]))).map(FirstAnswer::Order),
            4 => wait(keyed.pay_order(order(2), Some(5))).map(FirstAnswer::Order),
            5 => wait(keyed.pay_order(order(2), None)).map(FirstAnswer::Order),
            6 => {
                let batch = vec![order_of(&[(thing, 1)]), order_of(&[(thing, 2)])];
                let placed = wait(keyed.place_orders(batch, BatchMode::All))?;
                Ok(FirstAnswer::Orders(placed.into_iter().map(Result::unwrap).collect()))
            }
            7 => {
                let request = hold_of(Some("cart"), &[(thing, 4)]);
                wait(keyed.reserve(request)).map(FirstAnswer::Hold)
            }
            8 => wait(keyed.extend_reservation(hold(), 90_000)).map(FirstAnswer::Hold),
            9 => wait(keyed.release_reservation(hold())).map(FirstAnswer::Hold),
            10 => {
                let to = engine.catalogue().warehouses_after(1).next().unwrap().id;
                let request =
                    NewTransfer { product: thing, from: MAIN, to, quantity: 5, in_transit: true };
                wait(keyed.transfer(request)).map(FirstAnswer::Transfer)
            }
            11 => {
                let receive = TransferCommand::Receive { quantity: Some(2), discrepancy: None };
                wait(keyed.change_transfer(transfer(), receive)).map(FirstAnswer::Transfer)
            }
            _ => unreachable!(),
        }
    }

    /// Retries all of it: every answer is the first one again.
    fn retry(&self, engine: &Engine) {
        for number in 2..=11 {
            let answer = first(engine, self.command(engine, number));
            assert_eq!(answer, self.answers[usize::from(number) - 1], "command {number}");
        }
        let new = NewProduct::new("keyed", 5, Currency::USD);
        let made = first(engine, wait(under(engine, 1).create_product(new)));
        assert_eq!(made, self.answers[0]);
    }

    /// Goes on with all of it, so that nothing is any more as it was.
    fn go_on(&self, engine: &Engine) {
        for answer in &self.answers {
            match answer {
                FirstAnswer::Order(order) => {
                    let cancelled = wait(engine.cancel_order(order.id(), None));
                    assert_eq!(cancelled.unwrap().status, Status::Cancelled);
                }
                FirstAnswer::Orders(orders) => orders
                    .iter()
                    .for_each(|order| drop(wait(engine.pay_order(order.id(), None)).unwrap())),
                _ => {}
            }
        }
        let archived = wait(engine.archive_product(self.thing, None)).unwrap();
        assert_ne!(
            self.answers[0],
            FirstAnswer::Product { product: archived, on_hand: 0, available: 0 }
        );
    }
}

fn second_warehouse(engine: &Engine) {
    let new = NewWarehouse { name: "b".into(), ..Default::default() };
    wait(engine.create_warehouse(new)).unwrap();
}

#[test]
fn every_kind_of_command_answers_as_it_did_at_first() {
    let engine = still();
    second_warehouse(&engine);
    let everything = Everything::run(&engine);
    everything.retry(&engine);
    let digest = engine.digest();
    everything.retry(&engine);
    assert_eq!(engine.digest(), digest, "a retry changes nothing");
    everything.go_on(&engine);
    everything.retry(&engine);
    check(&engine);
}

#[test]
fn a_stock_and_a_product_are_shown_as_they_were() {
    let engine = still();
    second_warehouse(&engine);
    let there = engine.catalogue().warehouses_after(1).next().unwrap().id;
    let thing = product(&engine, 5);
    let stock = StockKey::new(MAIN, thing);
    let recount = || {
        let command = StockCommand::Recount { on_hand: 7, reason: "counted".into() };
        wait(under(&engine, 1).change_stock(stock, command))
    };
    let counted = recount().unwrap();
    assert_eq!((counted.on_hand, counted.reserved), (7, 0));
    wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    assert_eq!(first(&engine, recount()), FirstAnswer::Stock(counted));
    assert_eq!(engine.stock(stock).version, 2, "counted once");

    // The total over two warehouses, with what the command itself brought, or took.
    let add = |delta| StockDelta { stock: StockKey::new(there, thing), delta };
    for (number, delta, shown) in [(2, 3, (10, 9)), (3, -2, (8, 7))] {
        let change = || {
            let change = ProductChange { recount: Some(add(delta)), ..Default::default() };
            wait(under(&engine, number).change_product(thing, None, change))
        };
        let changed = change().unwrap();
        let (on_hand, available) = shown;
        assert_eq!(engine.product_stock(thing, None), shown);
        wait(engine.adjust(Adjust {
            deltas: vec![add(100)],
            reason: Reason::Found,
            reference: None,
        }))
        .unwrap();
        let answer = FirstAnswer::Product { product: changed, on_hand, available };
        assert_eq!(first(&engine, change()), answer);
        wait(engine.adjust(Adjust {
            deltas: vec![add(-100)],
            reason: Reason::Lost,
            reference: None,
        }))
        .unwrap();
    }
    // A wanted total is counted once, too.
    let total = || {
        let total = Some(StockTotal { wanted: 20, warehouse: MAIN, seen: None });
        let change = ProductChange { total, ..Default::default() };
        wait(under(&engine, 5).change_product(thing, None, change))
    };
    let product = total().unwrap();
    assert_eq!(engine.product_stock(thing, None), (20, 19));
    let answer = FirstAnswer::Product { product, on_hand: 20, available: 19 };
    assert_eq!(first(&engine, total()), answer);
    let archived = wait(under(&engine, 4).archive_product(thing, None)).unwrap();
    let close = WarehouseChange { active: Some(false), ..Default::default() };
    wait(engine.change_warehouse(there, None, close)).unwrap();
    assert_eq!(engine.product_stock(thing, None), (20, 0), "nobody can order it");
    let again = first(&engine, wait(under(&engine, 4).archive_product(thing, None)));
    assert_eq!(again, FirstAnswer::Product { product: archived, on_hand: 20, available: 0 });
}

#[test]
fn keys_survive_a_stop_and_a_kill_with_and_without_sled() {
    let dir = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let everything = {
        let engine = durable(dir.path(), 2);
        second_warehouse(&engine);
        let everything = Everything::run(&engine);
        everything.go_on(&engine);
        copy_tree(dir.path(), killed.path());
        engine.shutdown().unwrap();
        everything
    };
    let again = |path: &Path, replays: bool| {
        let engine = durable(path, 1);
        assert_eq!(engine.opened().replayed > 0, replays);
        everything.retry(&engine);
        assert_eq!(engine.stats().idempotency_keys, 11);
        check(&engine);
    };
    again(killed.path(), true);
    again(dir.path(), false);
    // A tail behind a checkpoint: a key in the state, and one behind it.
    let tail = tempfile::tempdir().unwrap();
    {
        let engine = durable(dir.path(), 1);
        let thing = product(&engine, 5);
        wait(under(&engine, 99).place_order(order_of(&[(thing, 1)]))).unwrap();
        copy_tree(dir.path(), tail.path());
    }
    let engine = durable(tail.path(), 1);
    everything.retry(&engine);
    at(wait(under(&engine, 99).place_order(order_of(&[(ProductId(2), 1)]))));
    drop(engine);
    std::fs::remove_dir_all(tail.path().join("state")).unwrap();
    again_without_sled(tail.path(), &everything);
}

fn again_without_sled(path: &Path, everything: &Everything) {
    let engine = durable(path, 3);
    everything.retry(&engine);
    assert_eq!(engine.stats().idempotency_keys, 12);
    check(&engine);
}

#[test]
fn a_hold_that_lost_a_line_and_one_that_became_an_order() {
    let engine = still();
    let (a, b) = (product(&engine, 10), product(&engine, 10));
    let hold = wait(engine.reserve(hold_of(Some("cart"), &[(a, 2), (b, 3)]))).unwrap();
    // The newer hold takes a line of the older one.
    let newer = || wait(under(&engine, 1).reserve(hold_of(Some("cart"), &[(a, 4)])));
    let newer_first = newer().unwrap();
    let extend = || wait(under(&engine, 2).extend_reservation(hold.id, 90_000));
    let extended = extend().unwrap();
    assert_eq!(extended.lines, [(b, 3)]);
    let mut request = order_of(&[(a, 1), (b, 3)]);
    request.reservations = vec![hold.id, newer_first.id];
    let place = || wait(under(&engine, 3).place_order(request.clone()));
    let placed = place().unwrap();
    wait(engine.cancel_order(placed.id(), None)).unwrap();
    assert_eq!(first(&engine, newer()), FirstAnswer::Hold(newer_first.clone()));
    assert_eq!(first(&engine, extend()), FirstAnswer::Hold(extended.clone()));
    assert_eq!(first(&engine, place()), FirstAnswer::Order(placed.clone()));
    check(&engine);
}
