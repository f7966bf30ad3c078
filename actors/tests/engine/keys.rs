//! One effect a key, however often, however late, and whatever fails in between.

use std::{collections::BTreeSet, future::Future, thread, time::Duration};

use stockade_actors::{BatchMode, Config, Context, Engine, Error, FirstAnswer};
use stockade_domain::{
    IdempotencyKey, Refusal, StockKey, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::StockDelta,
};
use stockade_storage::SimDisk;

use crate::{
    power::on,
    shop::{START_MS, check, durable, is_short, order_of, product, still, stock_of, wait},
};

/// The key of this number, for the request of this number.
pub(crate) fn key(key: u8, request: u64) -> IdempotencyKey {
    IdempotencyKey { key: [key; 16], request }
}

/// The engine under a key.
pub(crate) fn under(engine: &Engine, number: u8) -> Engine {
    engine.by(Context { key: Some(key(number, 1)), ..Context::default() })
}

/// Where the effect of a command that was carried out before is.
pub(crate) fn at<T: std::fmt::Debug>(answer: Result<T, Error>) -> u64 {
    match answer {
        Err(Error::AlreadyDone { at }) => at,
        other => panic!("it was carried out before: {other:?}"),
    }
}

/// The first answer of a command that was carried out before.
pub(crate) fn first<T: std::fmt::Debug>(engine: &Engine, answer: Result<T, Error>) -> FirstAnswer {
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
    assert_eq!((engine.check_key(), keyed.check_key()), (Ok(()), Ok(())), "a look takes nothing");
    let placed = place().unwrap();
    assert_eq!(engine.check_key(), Ok(()));
    at(keyed.check_key());
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
fn a_batch_of_rows_holds_its_key_from_the_first_effect() {
    let dir = tempfile::tempdir().unwrap();
    let engine = durable(dir.path(), 2);
    let (short, thing) = (product(&engine, 0), product(&engine, 10));
    let place = |engine: &Engine, key, rows: &[_]| {
        let rows = rows.iter().map(|row| order_of(&[*row])).collect();
        let context = Context { key: Some(key), ..Context::default() };
        wait(engine.by(context).place_orders(rows, BatchMode::Each))
    };
    let alone = |engine: &Engine, request| {
        let context = Context { key: Some(key(1, request)), ..Context::default() };
        wait(engine.by(context).place_order(order_of(&[(thing, 1)])))
    };
    let (rows, other) = ([(short, 1), (thing, 2)], [(thing, 3)]);
    // Without an effect it is free.
    let refused = place(&engine, key(1, 7), &rows[..1]).unwrap();
    assert!(is_short(&refused[0]));
    let placed = place(&engine, key(1, 1), &rows).unwrap();
    assert!(placed[1].is_ok());
    let told = |engine: &Engine| {
        assert_eq!(place(engine, key(1, 2), &other), Err(Error::KeyReused));
        assert_eq!(alone(engine, 2), Err(Error::KeyReused));
        assert_eq!(alone(engine, 1), Err(Error::KeyReused), "it is no single command's either");
        let mut again = place(engine, key(1, 1), &rows).unwrap();
        at(again.pop().unwrap());
        assert!(is_short(&again[0]));
        assert_eq!(stock_of(engine, thing).1, 2);
    };
    told(&engine);
    let keys = engine.stats().idempotency_keys;
    assert_eq!(keys, 2, "of the batch, and of the row that had an effect");
    engine.shutdown().unwrap();
    drop(engine);
    let engine = durable(dir.path(), 2);
    told(&engine);
    // A row that comes right later adds its own, and not the batch's once more.
    let found = StockDelta { stock: StockKey::new(WarehouseId(1), short), delta: 1 };
    let found = Adjust { deltas: vec![found], reason: Reason::Found, reference: None };
    wait(engine.adjust(found)).unwrap();
    assert!(place(&engine, key(1, 1), &rows).unwrap()[0].is_ok());
    assert_eq!(engine.stats().idempotency_keys, keys + 1);
    check(&engine);
}

#[test]
fn of_two_batches_under_a_key_at_once_one_has_effects() {
    let config = Config { lanes: 3, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let things = [product(&engine, 1_000), product(&engine, 1_000), product(&engine, 1_000)];
    for number in 1..=20 {
        let tasks: Vec<_> = (0..16u64)
            .map(|request| {
                let context = Context { key: Some(key(number, request)), ..Context::default() };
                let keyed = engine.by(context);
                thread::spawn(move || {
                    // Each of its own length, so that places of one are no places of another.
                    let rows = (0..=request as usize).map(|row| order_of(&[(things[row % 3], 1)]));
                    wait(keyed.place_orders(rows.collect(), BatchMode::Each))
                })
            })
            .collect();
        let answers = tasks.into_iter().map(|task| task.join().unwrap());
        let (placed, others): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
        assert_eq!(placed.len(), 1);
        for other in others {
            let allowed = matches!(other, Err(Error::InProgress | Error::KeyReused));
            assert!(allowed, "{other:?}");
        }
    }
    check(&engine);
}

#[test]
fn work_refused_at_the_door_frees_its_key() {
    let config = Config { work_max: 4_096, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let thing = product(&engine, 100_000);
    let batch = || vec![order_of(&[(thing, 1)]); 1_000];
    // The door is full while two batches are under way; should one be through by then, once more.
    let refused = (1..=20).map(|number| under(&engine, number)).find(|keyed| {
        let mut crowd = [(); 2].map(|()| Box::pin(engine.place_orders(batch(), BatchMode::All)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for call in &mut crowd {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        let answer = wait(keyed.place_orders(batch(), BatchMode::All));
        crowd.into_iter().for_each(|call| drop(wait(call).unwrap()));
        answer == Err(Error::Overloaded)
    });
    let keyed = refused.expect("the door was full");
    wait(keyed.place_orders(batch(), BatchMode::All)).expect("the key is free again");
    at(wait(keyed.place_orders(batch(), BatchMode::All)));
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
    assert_eq!(engine.stats().idempotency_keys_dropped, 0, "since the start");
    (4..=8).for_each(|number| assert!(at(place(&engine, number)) > 0));
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
    at(place(&engine, thing));
    // Whoever is done next sees that its time is up.
    wait(under(&engine, 2).place_order(order_of(&[(thing, 1)]))).unwrap();
    place(&engine, thing).expect("a new day");
    assert_eq!(engine.stats().idempotency_keys_dropped, 0, "its time was up");
    check(&engine);
}

#[test]
fn a_retry_after_a_power_cut_at_any_operation_has_one_effect() {
    const ALONE: u8 = 8;
    const ROWS: usize = 6;
    let disk = SimDisk::new(7);
    let engine = on(&disk);
    let thing = product(&engine, 1_000);
    let place =
        |engine: &Engine, number| wait(under(engine, number).place_order(order_of(&[(thing, 1)])));
    let place_rows = |engine: &Engine| {
        let rows = vec![order_of(&[(thing, 1)]); ROWS];
        wait(under(engine, ALONE + 1).place_orders(rows, BatchMode::Each)).unwrap()
    };
    let mut acked = Vec::new();
    for number in 1..=ALONE {
        place(&engine, number).unwrap();
        acked.push(disk.operations());
    }
    place_rows(&engine);
    let mut replayed = BTreeSet::new();
    for cut in 1..=disk.operations() {
        let after = on(&disk.after_power_cut_at(cut));
        if after.catalogue().product(thing).is_none() {
            continue;
        }
        let mut done = 0;
        for (number, acked) in (1..=ALONE).zip(&acked) {
            match place(&after, number) {
                Ok(_) => assert!(*acked >= cut, "what was acknowledged is known, cut at {cut}"),
                answer => done += usize::from(at(answer) > 0),
            }
        }
        let rows = stock_of(&after, thing).1 - u64::from(ALONE);
        let other = Context { key: Some(key(ALONE + 1, 2)), ..Context::default() };
        let told = if rows > 0 { Err(Error::KeyReused) } else { Ok(()) };
        assert_eq!(after.by(other).check_key(), told, "{rows} rows, cut at {cut}");
        done += place_rows(&after).into_iter().filter(Result::is_err).map(at).count();
        replayed.insert(done);
        assert_eq!(stock_of(&after, thing).1, u64::from(ALONE) + ROWS as u64, "cut at {cut}");
        check(&after);
    }
    // Which commits are cut apart depends on how they gathered; none, all and some of the keys are there in any case.
    assert!(replayed.contains(&0) && replayed.len() > usize::from(ALONE) / 2, "{replayed:?}");
}
