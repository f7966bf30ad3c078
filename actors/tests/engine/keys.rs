//! One effect a key, however often, however late, and whatever fails in between.

use std::{future::Future, path::Path, thread, time::Duration};

use stockade_actors::{BatchMode, Config, Context, Engine, Error, FirstAnswer};
use stockade_domain::{
    IdempotencyKey, ProductId, Refusal, StockKey,
    adjustment::{Adjust, Reason},
    catalogue::{NewProduct, ProductChange, StockDelta},
    order::{Order, OrderCommand, PlaceOrder, Status},
    stock::StockCommand,
    transfer::TransferCommand,
};

use crate::shop::{
    MAIN, START_MS, check, copy_tree, durable, hold_of, is_short, order_of, product, still,
    stock_of, wait,
};

/// The key of this number, for the request of this number.
fn key(key: u8, request: u64) -> IdempotencyKey {
    IdempotencyKey { key: [key; 16], request }
}

/// The engine under a key.
fn under(engine: &Engine, number: u8) -> Engine {
    engine.by(Context { key: Some(key(number, 1)), ..Context::default() })
}

/// Where the effect of a command that was carried out before is.
fn at<T: std::fmt::Debug>(answer: Result<T, Error>) -> u64 {
    match answer {
        Err(Error::AlreadyDone { at }) => at,
        other => panic!("it was carried out before: {other:?}"),
    }
}

/// The first answer of a command that was carried out before.
fn first<T: std::fmt::Debug>(engine: &Engine, answer: Result<T, Error>) -> FirstAnswer {
    engine.first_answer(at(answer)).expect("its first answer is in the journal")
}

/// Polls a call once, so that it is on its way, and drops it.
fn abandon<T>(call: impl Future<Output = T>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = Box::pin(call).as_mut().poll(&mut context);
}

#[test]
fn a_retry_has_no_second_effect_and_the_first_answer_again() {
    let engine = still();
    let thing = product(&engine, 10);
    let keyed = under(&engine, 1);
    let place = || wait(keyed.place_order(order_of(&[(thing, 2)])));
    let placed = place().unwrap();
    wait(engine.pay_order(placed.id(), None)).unwrap();
    assert_eq!(first(&engine, place()), FirstAnswer::Order(placed));
    assert_eq!(stock_of(&engine, thing), (10, 2));
    // Without a key the same request is another order; under another one too.
    wait(engine.place_order(order_of(&[(thing, 2)]))).unwrap();
    wait(under(&engine, 2).place_order(order_of(&[(thing, 2)]))).unwrap();
    assert_eq!(stock_of(&engine, thing), (10, 6));
    assert_eq!(engine.stats().idempotency_keys, 2);
    check(&engine);
}

#[test]
fn another_request_under_the_same_key_is_refused() {
    let engine = still();
    let thing = product(&engine, 10);
    wait(under(&engine, 1).place_order(order_of(&[(thing, 1)]))).unwrap();
    let changed = engine.by(Context { key: Some(key(1, 2)), ..Context::default() });
    let answer = wait(changed.place_order(order_of(&[(thing, 9)])));
    assert_eq!(answer, Err(Error::KeyReused));
    assert_eq!(stock_of(&engine, thing), (10, 1));
    for nothing in [0, 1, engine.position() + 1, u64::MAX] {
        let answer = engine.first_answer(nothing);
        assert_eq!(answer, Err(Refusal::NotFound { kind: "decision", id: nothing }.into()));
    }
    check(&engine);
}

#[test]
fn a_refusal_and_what_changes_nothing_are_not_remembered() {
    let engine = still();
    let thing = product(&engine, 1);
    let keyed = under(&engine, 1);
    let place = |units| wait(keyed.place_order(order_of(&[(thing, units)])));
    assert!(is_short(&place(2)) && is_short(&place(2)));
    let order = place(1).expect("the same key, once there is enough");
    at(place(1));
    let cancel = |number| wait(under(&engine, number).cancel_order(order.id(), None));
    cancel(2).unwrap();
    assert_eq!(cancel(3).unwrap(), cancel(3).unwrap(), "a repeat is no effect of the third key");
    assert_eq!(engine.stats().idempotency_keys, 2);
    check(&engine);
}

#[test]
fn work_refused_at_the_door_frees_its_key() {
    let config = Config { work_max: 4_096, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let thing = product(&engine, 100_000);
    let batch = |count| vec![order_of(&[(thing, 1)]); count];
    // The door is full while the first batch is under way; should it be through by then, once more.
    let refused = (1..=20).map(|number| under(&engine, number)).find(|keyed| {
        let mut crowd = Box::pin(engine.place_orders(batch(2_000), BatchMode::All));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(crowd.as_mut().poll(&mut context).is_pending());
        let answer = wait(keyed.place_orders(batch(2_000), BatchMode::All));
        wait(crowd).unwrap();
        answer == Err(Error::Overloaded)
    });
    let keyed = refused.expect("the door was full");
    wait(keyed.place_orders(batch(2_000), BatchMode::All)).expect("the key is free again");
    at(wait(keyed.place_orders(batch(2_000), BatchMode::All)));
    check(&engine);
}

#[test]
fn a_key_used_by_many_at_once_has_one_effect() {
    let config = Config { lanes: 3, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let thing = product(&engine, 1_000);
    for number in 1..=20 {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let keyed = under(&engine, number);
                thread::spawn(move || wait(keyed.place_order(order_of(&[(thing, 1)]))))
            })
            .collect();
        let answers = tasks.into_iter().map(|task| task.join().unwrap());
        let (placed, others): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
        assert_eq!(placed.len(), 1);
        for other in others {
            let allowed = matches!(other, Err(Error::InProgress | Error::AlreadyDone { .. }));
            assert!(allowed, "{other:?}");
        }
        assert_eq!(stock_of(&engine, thing).1, u64::from(number));
    }
    check(&engine);
}

#[test]
fn whoever_went_away_comes_back_to_its_effect() {
    let engine = still();
    let thing = product(&engine, 1_000);
    for number in 1..=100 {
        let keyed = under(&engine, number);
        abandon(keyed.place_order(order_of(&[(thing, 1)])));
        // It may still be under way, but it is one order in the end.
        let order = loop {
            match wait(keyed.place_order(order_of(&[(thing, 1)]))) {
                Err(Error::InProgress) => thread::yield_now(),
                answer => break first(&engine, answer),
            }
        };
        assert!(matches!(order, FirstAnswer::Order(_)), "{order:?}");
    }
    assert_eq!(stock_of(&engine, thing), (1_000, 100));
    check(&engine);
}

/// One command of every kind, each under a key of its own, and what it answered.
struct Everything {
    thing: ProductId,
    answers: Vec<FirstAnswer>,
}

impl Everything {
    fn run(engine: &Engine) -> Self {
        let new = NewProduct::new("keyed", 5, stockade_domain::Currency::USD);
        let made = wait(under(engine, 1).create_product(new)).unwrap();
        let thing = made.id;
        let mut everything = Self { thing, answers: Vec::new() };
        let product = stockade_actors::CatalogueThing::Product(made);
        everything.answers.push(FirstAnswer::Catalogue(product));
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
            2 => wait(keyed.adjust(adjust)).map(FirstAnswer::Adjusted),
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
                let request = stockade_actors::NewTransfer {
                    product: thing,
                    from: MAIN,
                    to,
                    quantity: 5,
                    in_transit: true,
                };
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
        let new = NewProduct::new("keyed", 5, stockade_domain::Currency::USD);
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
            FirstAnswer::Catalogue(stockade_actors::CatalogueThing::Product(archived))
        );
    }
}

fn second_warehouse(engine: &Engine) {
    let new = stockade_domain::catalogue::NewWarehouse { name: "b".into(), ..Default::default() };
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
fn a_stock_is_shown_as_it_is_now() {
    let engine = still();
    let thing = product(&engine, 5);
    let stock = StockKey::new(MAIN, thing);
    let recount = || {
        let command = StockCommand::Recount { on_hand: 7, reason: "counted".into() };
        wait(under(&engine, 1).change_stock(stock, command))
    };
    assert_eq!(recount().unwrap().on_hand, 7);
    wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    assert_eq!(first(&engine, recount()), FirstAnswer::Stock(engine.stock(stock)));
    assert_eq!(engine.stock(stock).version, 2, "counted once");
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
fn the_newest_keys_are_kept_and_the_rest_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let config = Config {
            lanes: 1,
            idempotency_keys_max: 5,
            ..Config::new(dir.path()).with_virtual_clock(START_MS)
        };
        Engine::open(config).unwrap()
    };
    let engine = open();
    let thing = product(&engine, 100);
    let place =
        |engine: &Engine, number| wait(under(engine, number).place_order(order_of(&[(thing, 1)])));
    (1..=8).for_each(|number| drop(place(&engine, number).unwrap()));
    let stats = engine.stats();
    assert_eq!((stats.idempotency_keys, stats.idempotency_keys_dropped), (5, 3));
    engine.shutdown().unwrap();
    drop(engine);
    let engine = open();
    (4..=8).for_each(|number| drop(at(place(&engine, number))));
    place(&engine, 3).expect("it is forgotten");
    place(&engine, 4).expect("and so is the next one now");
    at(place(&engine, 8));
    let wrong = Config { idempotency_keys_max: 0, ..Config::in_memory() };
    assert!(Engine::open(wrong).is_err());
}

#[test]
fn a_key_is_remembered_for_a_day_of_engine_time() {
    let dir = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let place =
        |engine: &Engine, thing| wait(under(engine, 1).place_order(order_of(&[(thing, 1)])));
    let engine = durable(dir.path(), 1);
    let thing = product(&engine, 100);
    place(&engine, thing).unwrap();
    wait(engine.advance(day)).unwrap();
    at(place(&engine, thing));
    // The clock begins where the journal ended, not where it had been moved to.
    product(&engine, 0);
    engine.shutdown().unwrap();
    drop(engine);
    let engine = durable(dir.path(), 1);
    at(place(&engine, thing));
    wait(engine.advance(Duration::from_secs(120))).unwrap();
    place(&engine, thing).expect("a new day");
    assert_eq!(engine.stats().idempotency_keys_dropped, 0, "its time was up");
    check(&engine);
}

fn orders(answers: Vec<Result<Order, Error>>) -> Vec<Order> {
    answers.into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_batch_of_each_replays_what_happened_and_decides_the_rest_anew() {
    let engine = still();
    let (plenty, scarce) = (product(&engine, 100), product(&engine, 0));
    let rows: Vec<PlaceOrder> =
        (0..20).map(|row| order_of(&[(if row % 2 == 0 { plenty } else { scarce }, 1)])).collect();
    let keyed = under(&engine, 1);
    let place = || wait(keyed.place_orders(rows.clone(), BatchMode::Each)).unwrap();
    let mut before = place();
    let stock = StockKey::new(MAIN, scarce);
    let recount = StockCommand::Recount { on_hand: 5, reason: "found".into() };
    wait(engine.change_stock(stock, recount)).unwrap();
    // A crash in the middle leaves the same: some rows have their order, the others nothing.
    let after = place();
    for (row, (before, after)) in before.drain(..).zip(after).enumerate() {
        match before {
            Ok(order) => assert_eq!(first(&engine, after), FirstAnswer::Order(order)),
            Err(_) if row < 10 => drop(after.expect("there is stock now")),
            Err(_) => assert!(is_short(&after), "{after:?}"),
        }
    }
    assert_eq!((stock_of(&engine, plenty).1, stock_of(&engine, scarce).1), (10, 5));
    let changed = engine.by(Context { key: Some(key(1, 2)), ..Context::default() });
    let answer = wait(changed.place_orders(rows.clone(), BatchMode::Each));
    assert_eq!(answer, Err(Error::KeyReused), "all of it, though five rows were not placed");
    assert_eq!(stock_of(&engine, scarce).1, 5);
    check(&engine);
}

#[test]
fn rows_of_a_batch_have_keys_of_their_own() {
    let engine = still();
    let thing = product(&engine, 100);
    let row = |number: Option<u8>| (order_of(&[(thing, 1)]), number.map(|number| key(number, 1)));
    let place = |rows: &[Option<u8>], mode| {
        let rows = rows.iter().map(|number| row(*number)).collect();
        wait(engine.place_orders_keyed(rows, mode))
    };
    let placed = orders(place(&[Some(1), None], BatchMode::Each).unwrap());
    let again = place(&[Some(1), Some(2), Some(2)], BatchMode::Each).unwrap();
    let [one, two, twice] = again.try_into().unwrap();
    assert_eq!(first(&engine, one), FirstAnswer::Order(placed[0].clone()));
    assert!(two.is_ok());
    assert_eq!(twice, Err(Error::InProgress), "the same key twice in one batch");
    assert_eq!(stock_of(&engine, thing).1, 3);

    // All or none: one that is there already is in the way of the others.
    let mixed = place(&[Some(3), Some(1)], BatchMode::All);
    let Err(Error::InBatch { at: 1, error }) = mixed else { panic!("{mixed:?}") };
    assert!(matches!(*error, Error::AlreadyDone { .. }));
    let placed = orders(place(&[Some(3), Some(4)], BatchMode::All).unwrap());
    let again = place(&[Some(3), Some(4)], BatchMode::All).unwrap();
    for (answer, order) in again.into_iter().zip(placed) {
        assert_eq!(first(&engine, answer), FirstAnswer::Order(order));
    }
    assert_eq!(stock_of(&engine, thing).1, 5);
    check(&engine);
}

#[test]
fn a_batch_of_all_has_one_key_beside_those_of_its_rows() {
    let engine = still();
    let thing = product(&engine, 10);
    let keyed = under(&engine, 1);
    let place = || {
        let rows =
            vec![(order_of(&[(thing, 1)]), Some(key(2, 1))), (order_of(&[(thing, 2)]), None)];
        wait(keyed.place_orders_keyed(rows, BatchMode::All))
    };
    let placed = orders(place().unwrap());
    assert_eq!(first(&engine, place()), FirstAnswer::Orders(placed.clone()));
    let alone = wait(under(&engine, 2).place_order(order_of(&[(thing, 1)])));
    assert_eq!(first(&engine, alone), FirstAnswer::Order(placed[0].clone()));
    assert_eq!(engine.stats().idempotency_keys, 2);
    check(&engine);
}

#[test]
fn every_command_of_a_batch_has_its_key() {
    let engine = still();
    let thing = product(&engine, 10);
    let ids: Vec<_> =
        (0..3).map(|_| wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id()).collect();
    let pay = OrderCommand::Pay { amount: Some(1), method: None, reference: None };
    let commands: Vec<_> = ids.iter().map(|id| (*id, pay.clone())).collect();
    let paid = orders(wait(under(&engine, 1).change_orders(commands.clone())).unwrap());
    let again = wait(under(&engine, 1).change_orders(commands)).unwrap();
    for (answer, order) in again.into_iter().zip(paid) {
        assert_eq!(order.paid_amount, 1);
        assert_eq!(first(&engine, answer), FirstAnswer::Order(order));
    }
    check(&engine);
}

#[test]
fn a_refused_batch_of_all_says_which_order_it_was() {
    let engine = still();
    let thing = product(&engine, 5);
    let all = |wanted: &[(ProductId, u64)]| {
        let batch = wanted.iter().map(|one| order_of(&[*one])).collect();
        match wait(engine.place_orders(batch, BatchMode::All)) {
            Err(Error::InBatch { at, error }) => (at, *error),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        matches!(all(&[(thing, 3), (thing, 3)]), (1, error) if is_short::<()>(&Err(error.clone())))
    );
    let unknown = Refusal::NotFound { kind: "product", id: 99 };
    assert_eq!(all(&[(thing, 1), (thing, 1), (ProductId(99), 1)]), (2, unknown.clone().into()));
    let alone = wait(engine.place_order(order_of(&[(ProductId(99), 1)])));
    assert_eq!(alone, Err(unknown.into()), "one order is no batch");
    let change = ProductChange { price: Some(7), ..ProductChange::default() };
    wait(engine.change_product(thing, None, change)).unwrap();
    check(&engine);
}
