//! Who did it, which version they saw, and reading what was written.

use std::{sync::mpsc, thread, time::Duration};

use stockade_actors::{BatchMode, Config, Context, Engine, Error, NewTransfer};
use stockade_domain::{
    CustomerId, Event, Refusal, StockKey, Who,
    catalogue::{NewWarehouse, ProductChange},
    order::OrderCommand,
    stock::StockCommand,
    transfer::TransferCommand,
};

use crate::shop::{
    MAIN, START_MS, check, durable, hold_of, order_of, product, still, stock_of, wait,
};

fn who(engine: &Engine, who: Who) -> Engine {
    engine.by(Context { who: Some(who), ..Context::default() })
}

fn expecting(engine: &Engine, version: u32) -> Engine {
    engine.by(Context { expected: Some(version), ..Context::default() })
}

fn conflict<T: std::fmt::Debug>(answer: Result<T, Error>) -> (u32, u32) {
    match answer {
        Err(Error::Refused(Refusal::VersionConflict { expected, current })) => (expected, current),
        other => panic!("the version is another: {other:?}"),
    }
}

#[test]
fn the_feed_says_who_decided_what_wherever_a_page_begins() {
    let dir = tempfile::tempdir().unwrap();
    let engine = durable(dir.path(), 2);
    let thing = product(&engine, 100);
    let (customer, clerk) = (Who::Customer(CustomerId(7)), Who::Account(3));
    wait(who(&engine, clerk).create_api_key("till".into())).unwrap();
    let rows = vec![order_of(&[(thing, 1)]); 30];
    let placed = wait(who(&engine, customer).place_orders(rows, BatchMode::All)).unwrap();
    let id = placed[0].as_ref().unwrap().id();
    wait(who(&engine, clerk).pay_order(id, None)).unwrap();
    wait(engine.cancel_order(id, None)).unwrap();
    let all = engine.feed(0, 10_000, |_| true).unwrap().happened;
    let of = |fits: fn(&Event) -> bool| -> Vec<Option<Who>> {
        all.iter().filter(|one| fits(&one.event)).map(|one| one.who).collect()
    };
    assert_eq!(of(|event| matches!(event, Event::Account(_))), [Some(clerk)]);
    let orders = of(|event| matches!(event, Event::Order(_)));
    let wanted = [vec![Some(customer); 30], vec![Some(clerk); 2], vec![None]].concat();
    assert_eq!(orders, wanted, "placed, paid (and what is due), cancelled by nobody known");
    // What is taken is taken before it is decided.
    assert!(of(|event| matches!(event, Event::Stock(_))).iter().all(Option::is_none));
    // A page that begins in the middle of a group knows what stands in front of it.
    for one in &all {
        let page = engine.feed(one.sequence - 1, 1, |_| true).unwrap();
        assert_eq!(page.happened[0].who, one.who, "{one:?}");
    }
    check(&engine);
}

#[test]
fn a_history_says_who_did_what() {
    let dir = tempfile::tempdir().unwrap();
    let (customer, clerk) = (Who::Customer(CustomerId(7)), Who::Account(3));
    let (ids, expected) = {
        let engine = durable(dir.path(), 1);
        let thing = product(&engine, 10);
        let order = wait(who(&engine, customer).place_order(order_of(&[(thing, 1)]))).unwrap();
        let free =
            wait(who(&engine, clerk).create_product(stockade_domain::catalogue::NewProduct {
                opening: Some((MAIN, 5)),
                ..stockade_domain::catalogue::NewProduct::new(
                    "free",
                    0,
                    stockade_domain::Currency::USD,
                )
            }));
        let free = free.unwrap().id;
        // Paid at once: two events of one decision.
        let batch = vec![order_of(&[(free, 1)]), order_of(&[(thing, 1)])];
        let both = wait(who(&engine, clerk).place_orders(batch, BatchMode::All)).unwrap();
        wait(engine.pay_order(order.id(), Some(1))).unwrap();
        wait(who(&engine, Who::ApiKey(9)).cancel_order(order.id(), None)).unwrap();
        wait(engine.advance(Duration::from_secs(3_600 * 24 * 30))).unwrap();
        let ids: Vec<_> = std::iter::once(order.id())
            .chain(both.into_iter().map(|order| order.unwrap().id()))
            .collect();
        let expected = vec![
            vec![Some(customer), None, Some(Who::ApiKey(9))],
            vec![Some(clerk), Some(clerk)],
            vec![Some(clerk), None],
        ];
        check(&engine);
        engine.shutdown().unwrap();
        (ids, expected)
    };
    let check_all = |engine: &Engine| {
        for (id, expected) in ids.iter().zip(&expected) {
            let history = engine.order_history(*id).unwrap();
            assert_eq!(&history.iter().map(|one| one.who).collect::<Vec<_>>(), expected);
        }
    };
    let engine = durable(dir.path(), 1);
    assert_eq!(engine.opened().replayed, 0);
    check_all(&engine);
    drop(engine);
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    check_all(&durable(dir.path(), 2));
}

#[test]
fn a_stale_version_is_refused_and_nothing_happens() {
    let engine = still();
    wait(engine.create_warehouse(NewWarehouse { name: "b".into(), ..Default::default() })).unwrap();
    let thing = product(&engine, 20);
    let to = engine.catalogue().warehouses_after(1).next().unwrap().id;

    let order = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    let pay = |version| wait(expecting(&engine, version).pay_order(order.id(), Some(1)));
    assert_eq!(conflict(pay(2)), (2, 1));
    assert_eq!(pay(1).unwrap().version, 2);
    assert_eq!(conflict(pay(1)), (1, 2));

    let hold = wait(engine.reserve(hold_of(None, &[(thing, 1)]))).unwrap();
    let extend = |version| wait(expecting(&engine, version).extend_reservation(hold.id, 90_000));
    assert_eq!(conflict(extend(7)), (7, 1));
    assert_eq!(extend(1).unwrap().version, 2);
    assert_eq!(conflict(wait(expecting(&engine, 1).release_reservation(hold.id))), (1, 2));

    let request = NewTransfer { product: thing, from: MAIN, to, quantity: 5, in_transit: true };
    let transfer = wait(engine.transfer(request)).unwrap().dispatched.id;
    let receive = |version| {
        let command = TransferCommand::Receive { quantity: Some(1), discrepancy: None };
        wait(expecting(&engine, version).change_transfer(transfer, command))
    };
    assert_eq!(conflict(receive(0)), (0, 1));
    assert_eq!(receive(1).unwrap().received, 1);

    let stock = StockKey::new(MAIN, thing);
    let recount = |version, on_hand| {
        let command = StockCommand::Recount { on_hand, reason: "count".into() };
        wait(expecting(&engine, version).change_stock(stock, command))
    };
    let version = engine.stock(stock).version;
    assert_eq!(conflict(recount(version + 1, 3)), (version + 1, version));
    assert_eq!(recount(version, 17).unwrap().on_hand, 17);

    let change = || ProductChange { price: Some(3), ..ProductChange::default() };
    let product = wait(expecting(&engine, 9).change_product(thing, None, change()));
    assert_eq!(conflict(product).0, 9);
    let own = wait(expecting(&engine, 9).change_product(thing, Some(1), change()));
    assert_eq!(own.unwrap().price, 3, "what the command says itself counts");
    assert_eq!(engine.order(order.id()).unwrap().paid_amount, 1);
    check(&engine);
}

#[test]
fn of_two_commands_at_one_version_exactly_one_wins() {
    let config = Config { lanes: 2, ..Config::in_memory().with_virtual_clock(START_MS) };
    let engine = Engine::open(config).unwrap();
    let thing = product(&engine, 100);
    let race = |command: &(dyn Fn(&Engine) -> Result<(), Error> + Sync), version| {
        let won: usize = thread::scope(|scope| {
            let one = || command(&expecting(&engine, version));
            let both = [scope.spawn(one), scope.spawn(one)];
            both.into_iter().map(|one| one.join().unwrap()).filter(Result::is_ok).count()
        });
        assert_eq!(won, 1);
    };
    let stock = StockKey::new(MAIN, thing);
    for round in 1..=50 {
        let id = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id();
        race(&|engine| wait(engine.pay_order(id, Some(1))).map(drop), 1);
        assert_eq!(engine.order(id).unwrap().paid_amount, 1);
        let hold = wait(engine.reserve(hold_of(None, &[(thing, 1)]))).unwrap().id;
        race(&|engine| wait(engine.extend_reservation(hold, 90_000)).map(drop), 1);
        let policy = StockCommand::SetPolicy { safety_stock: Some(round), backorder_limit: None };
        let version = engine.stock(stock).version;
        race(&|engine| wait(engine.change_stock(stock, policy.clone())).map(drop), version);
        assert_eq!(engine.stock(stock).version, version + 1);
        wait(engine.change_order(id, OrderCommand::Cancel { lines: None, reason: None })).unwrap();
        wait(engine.release_reservation(hold)).unwrap();
    }
    assert_eq!(stock_of(&engine, thing), (100, 0));
    check(&engine);
}

#[test]
fn a_position_that_was_answered_is_there_and_one_that_is_not_is_waited_for() {
    let engine = still();
    let minute = Duration::from_secs(60);
    let before = engine.position();
    assert_eq!(wait(engine.wait_for(before, Duration::ZERO)), Ok(()));
    let thing = product(&engine, 1);
    assert!(engine.position() > before);
    let next = engine.position() + 1;
    assert_eq!(wait(engine.wait_for(next, Duration::ZERO)), Err(Error::PositionNotReached));
    let (begun, waits) = mpsc::channel();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (engine, begun) = (engine.clone(), begun.clone());
            thread::spawn(move || {
                begun.send(()).unwrap();
                wait(engine.wait_for(next, minute))
            })
        })
        .collect();
    // Whichever comes first, the wait or the event: nobody waits in vain.
    (0..8).for_each(|_| waits.recv().unwrap());
    wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    waiting.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), Ok(())));
    // A wait for what never comes is in nobody's way.
    let never = engine.clone();
    let never = thread::spawn(move || wait(never.wait_for(u64::MAX, Duration::MAX)));
    wait(engine.place_order(order_of(&[(product(&engine, 1), 1)]))).unwrap();
    engine.shutdown().unwrap();
    let ended = never.join().unwrap();
    assert!(matches!(ended, Err(Error::Stopped(_))), "the shutdown ends it: {ended:?}");
}
