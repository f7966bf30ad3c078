//! What was answered survives.

use std::{fs, path::Path, time::Duration};

use stockade_actors::{Config, Durability, Engine, Error, OpenError, verify};
use stockade_domain::order::{OrderCommand, Status};
use stockade_storage::JournalError;

use crate::shop::{
    START_MS, check, copy_tree, durable, hold_of, order_of, product, stock_of, wait,
};

/// Some of everything, so that a state that was lost shows.
fn some_of_everything(engine: &Engine) {
    let things: Vec<_> = (0..20).map(|_| product(engine, 100)).collect();
    for (index, &thing) in things.iter().enumerate() {
        let order = wait(engine.place_order(order_of(&[(thing, 3), (things[0], 1)]))).unwrap();
        let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
        match index % 4 {
            0 => {}
            1 => drop(wait(engine.pay_order(order.id(), None)).unwrap()),
            2 => {
                drop(wait(engine.cancel_order(order.id(), Some("changed my mind".into()))).unwrap())
            }
            _ => {
                wait(engine.pay_order(order.id(), None)).unwrap();
                wait(engine.change_order(order.id(), ship)).unwrap();
            }
        }
        wait(engine.reserve(hold_of(Some("cart"), &[(thing, 1)]))).unwrap();
    }
}

#[test]
fn a_clean_stop_replays_nothing_and_gives_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let engine = durable(dir.path(), 2);
        some_of_everything(&engine);
        check(&engine);
        engine.shutdown().unwrap();
        engine.digest()
    };
    let engine = durable(dir.path(), 1);
    let opened = engine.opened();
    assert!(opened.clean && !opened.created && opened.settled == 0);
    assert_eq!((opened.replayed, opened.state_rebuilt.clone()), (0, None));
    assert_eq!(engine.orders(&Default::default(), 0, 100).len(), 20);
    let next = wait(engine.place_order(order_of(&[(stockade_domain::ProductId(1), 1)]))).unwrap();
    assert_eq!(next.id().0, 21, "ids go on where they were");
    check(&engine);
    // The new start leased ids; everything else is as it was.
    drop(engine);
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.audit.violations, verified.state_agrees), (vec![], Some(true)));
    assert_ne!(before, 0);
}

#[test]
fn sled_may_vanish_or_be_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let digest = {
        let engine = durable(dir.path(), 1);
        some_of_everything(&engine);
        engine.shutdown().unwrap();
        engine.digest()
    };
    let digest_with = |harm: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(dir.path(), copy.path());
        harm(&copy.path().join("state"));
        let verified = verify(copy.path()).unwrap();
        assert_eq!(verified.audit.violations, []);
        let engine = durable(copy.path(), 1);
        check(&engine);
        let rebuilt = engine.opened().state_rebuilt.clone();
        drop(engine);
        (verified.audit.digest, rebuilt)
    };
    let (whole, rebuilt) = digest_with(&|_| {});
    assert_eq!((whole, rebuilt), (digest, None));
    let (deleted, _) = digest_with(&|state| fs::remove_dir_all(state).unwrap());
    assert_eq!(deleted, digest);
    let (cut, rebuilt) = digest_with(&|state| {
        let file = fs::OpenOptions::new().write(true).open(state.join("db")).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    });
    assert_eq!(cut, digest);
    assert!(rebuilt.is_some(), "a state that was cut is not believed");
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let engine = durable(dir.path(), 1);
    let thing = product(&engine, 1_000);
    let mut answered = Vec::new();
    for _ in 0..50 {
        answered.push(wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id());
    }
    wait(engine.pay_order(answered[7], None)).unwrap();
    // What is on disk while it runs is what a kill would leave.
    copy_tree(dir.path(), copy.path());
    let after = durable(copy.path(), 1);
    assert!(!after.opened().clean);
    for id in &answered {
        let expected = if *id == answered[7] { Status::Paid } else { Status::PendingPayment };
        assert_eq!(after.order(*id).unwrap().status, expected);
    }
    assert_eq!(stock_of(&after, thing), (1_000, 50));
    let next = wait(after.place_order(order_of(&[(thing, 1)]))).unwrap();
    assert!(next.id() > answered[49], "an id is never given out twice");
    check(&after);
}

#[test]
fn holds_are_decided_in_one_place_when_the_lanes_change() {
    let dir = tempfile::tempdir().unwrap();
    let (things, holds): (Vec<_>, Vec<_>);
    {
        let engine = durable(dir.path(), 3);
        things = (0..6).map(|_| product(&engine, 10)).collect();
        let hold = |thing| wait(engine.reserve(hold_of(Some("cart"), &[(thing, 10)]))).unwrap().id;
        holds = things.iter().map(|thing| hold(*thing)).collect();
        engine.shutdown().unwrap();
    }
    let engine = durable(dir.path(), 2);
    for (thing, hold) in things.iter().zip(&holds) {
        wait(engine.extend_reservation(*hold, 120_000)).unwrap();
        let again = wait(engine.reserve(hold_of(Some("cart"), &[(*thing, 10)]))).unwrap();
        wait(engine.release_reservation(*hold)).unwrap();
        assert_eq!(stock_of(&engine, *thing), (10, 10), "its units belong to the newer hold");
        wait(engine.release_reservation(again.id)).unwrap();
    }
    check(&engine);
}

/// A schedule that broke weaker designs: what was written behind was ahead of what was synced.
#[test]
fn sled_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let early = tempfile::tempdir().unwrap();
    {
        let config = Config {
            durability: Durability::None,
            checkpoint_every: Duration::ZERO,
            ..Config::new(dir.path()).with_virtual_clock(START_MS)
        };
        let engine = Engine::open(config).unwrap();
        some_of_everything(&engine);
        let stats = engine.stats();
        assert!(stats.checkpoint_position <= stats.synced, "{stats:?}");
        assert!(
            stats.folded > stats.synced,
            "it was answered and not synced: the case in question"
        );
        copy_tree(dir.path(), early.path());
        engine.shutdown().unwrap();
    }
    // The journal as it was then, without what came after, beside a state that has it: refused, not served.
    fs::remove_dir_all(early.path().join("state")).unwrap();
    fs::remove_file(early.path().join("state.mark")).unwrap();
    copy_tree(&dir.path().join("state"), &early.path().join("state"));
    fs::copy(dir.path().join("state.mark"), early.path().join("state.mark")).unwrap();
    let opened = Engine::open(Config::new(early.path()));
    let Err(OpenError::Journal(refused)) = opened else { panic!("acknowledged work is missing") };
    assert!(matches!(refused, JournalError::Behind { .. }), "{refused}");
}

#[test]
fn a_second_engine_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _engine = durable(dir.path(), 1);
    let second = Engine::open(Config::new(dir.path()));
    assert!(matches!(second, Err(OpenError::Directory(_))));
}

#[test]
fn after_shutdown_every_call_says_so_and_what_was_under_way_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let engine = durable(dir.path(), 1);
    let thing = product(&engine, 100);
    let placing: Vec<_> = (0..8)
        .map(|_| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                let mut placed = 0;
                loop {
                    match wait(engine.place_order(order_of(&[(thing, 1)]))) {
                        Ok(_) => placed += 1,
                        Err(Error::Draining) => return placed,
                        Err(error) if crate::shop::is_short::<()>(&Err(error.clone())) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    engine.shutdown().unwrap();
    let placed: u64 = placing.into_iter().map(|caller| caller.join().unwrap()).sum();
    assert_eq!(stock_of(&engine, thing).1, placed);
    assert_eq!(engine.shutdown(), Ok(()), "again says the same");
    drop(engine);
    let engine = durable(dir.path(), 1);
    assert_eq!(stock_of(&engine, thing).1, placed);
}
