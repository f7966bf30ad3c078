//! A disk that is full: nothing new is let in, what is due waits for room, and nothing stops.

use std::{sync::Arc, time::Duration};

use stockade_actors::{BatchMode, Config, Engine, Error, OpenError};
use stockade_domain::{
    Event, OrderId, OwnerKind, ProductId, StockKey,
    account::{Personal, Role},
    adjustment::{Adjust, Reason},
    catalogue::StockDelta,
    order::{OrderCommand, Status},
};
use stockade_storage::{Fault, JournalError, SimDisk};

use crate::{
    audit::append,
    power::on,
    shop::{MAIN, START_MS, check, order_of, product, stock_of, wait},
};

const SEGMENT: u64 = 256 << 10;
const DEADLINE: Duration = Duration::from_secs(31 * 60);

/// So many unpaid orders of one unit each.
fn unpaid(engine: &Engine, thing: ProductId, orders: usize) -> Vec<OrderId> {
    let batch = (0..orders).map(|_| order_of(&[(thing, 1)])).collect();
    let placed = wait(engine.place_orders(batch, BatchMode::Each)).unwrap();
    placed.into_iter().map(|order| order.unwrap().id()).collect()
}

fn expired(engine: &Engine, orders: &[OrderId]) -> usize {
    let status = |id: &&OrderId| engine.order(**id).unwrap().status == Status::Expired;
    orders.iter().filter(status).count()
}

/// Finds things until nothing more is let in: the segments that there are get filled by what does not expire.
fn fill(engine: &Engine, disk: &SimDisk, thing: ProductId) {
    disk.set_capacity(Some(2 * SEGMENT));
    let found = || Adjust {
        deltas: vec![StockDelta { stock: StockKey::new(MAIN, thing), delta: 1 }],
        reason: Reason::Found,
        reference: None,
    };
    loop {
        match wait(engine.adjust_many((0..20).map(|_| (found(), None)).collect())) {
            Ok(found) => assert!(found.iter().all(Result::is_ok)),
            Err(error) => return assert_eq!(error, Error::NearlyFull),
        }
    }
}

/// Waits until the thread that prepares segments has found room.
fn until_open(engine: &Engine) {
    while engine.ready().is_err() {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Waits until the next segment is there.
fn until_next(engine: &Engine) {
    while !engine.stats().journal.next_ready {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn more_falls_due_than_there_is_room_for_and_the_rest_waits() {
    let disk = SimDisk::new(1);
    let engine = on(&disk);
    let thing = product(&engine, 10_000);
    let orders: Vec<OrderId> = (0..3).flat_map(|_| unpaid(&engine, thing, 800)).collect();
    fill(&engine, &disk, thing);
    wait(engine.advance(DEADLINE)).unwrap();
    let stats = engine.stats();
    let some = expired(&engine, &orders);
    assert!(stats.expiry_paused && (128..orders.len()).contains(&some), "{some} expired");
    assert!(stats.journal.room_bytes >= SEGMENT / 2, "{} bytes are left", stats.journal.room_bytes);
    assert_eq!(stock_of(&engine, thing).1, (orders.len() - some) as u64, "what waits is reserved");
    // Again, later, and often: nothing more happens, and nothing stops.
    for _ in 0..3 {
        wait(engine.advance(DEADLINE)).unwrap();
    }
    assert_eq!(expired(&engine, &orders), some);
    assert_eq!(engine.ready(), Err(Error::NearlyFull));
    disk.set_capacity(None);
    until_open(&engine);
    wait(engine.advance(Duration::from_millis(100))).unwrap();
    assert_eq!(expired(&engine, &orders), orders.len());
    let stats = engine.stats();
    assert_eq!((stats.expired, stats.expiry_paused), (orders.len() as u64, false), "each once");
    assert_eq!(stock_of(&engine, thing).1, 0);
    check(&engine);
    engine.shutdown().unwrap();
}

#[test]
fn what_is_due_and_waits_can_be_paid_once_there_is_room() {
    let disk = SimDisk::new(2);
    let engine = on(&disk);
    let thing = product(&engine, 10_000);
    let orders: Vec<OrderId> = (0..3).flat_map(|_| unpaid(&engine, thing, 800)).collect();
    fill(&engine, &disk, thing);
    wait(engine.advance(DEADLINE)).unwrap();
    let is_waiting = |id: &&OrderId| engine.order(**id).unwrap().status == Status::PendingPayment;
    let waiting = *orders.iter().find(is_waiting).unwrap();
    let gone = *orders.iter().find(|id| !is_waiting(id)).unwrap();
    assert_eq!(wait(engine.pay_order(waiting, None)), Err(Error::NearlyFull));
    disk.set_capacity(None);
    until_open(&engine);
    // Expiry is an event, not a time: its units were never anybody else's.
    assert_eq!(wait(engine.pay_order(waiting, None)).unwrap().status, Status::Paid);
    assert!(wait(engine.pay_order(gone, None)).is_err());
    wait(engine.advance(Duration::from_millis(100))).unwrap();
    assert_eq!(engine.order(waiting).unwrap().status, Status::Paid);
    assert_eq!(expired(&engine, &orders), orders.len() - 1);
    let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
    assert_eq!(wait(engine.change_order(waiting, ship)).unwrap().status, Status::Shipped);
    check(&engine);
}

#[test]
fn a_restart_on_a_full_disk_lets_what_is_due_wait_too() {
    let disk = SimDisk::new(3);
    let engine = on(&disk);
    let thing = product(&engine, 10_000);
    let orders: Vec<OrderId> = (0..3).flat_map(|_| unpaid(&engine, thing, 800)).collect();
    fill(&engine, &disk, thing);
    wait(engine.advance(DEADLINE)).unwrap();
    let some = expired(&engine, &orders);
    engine.shutdown().unwrap();
    drop(engine);
    let engine = on(&disk);
    wait(engine.advance(DEADLINE)).unwrap();
    assert!(engine.stats().expiry_paused);
    assert!(expired(&engine, &orders) < orders.len() && expired(&engine, &orders) >= some);
    disk.set_capacity(None);
    until_open(&engine);
    wait(engine.advance(Duration::from_millis(100))).unwrap();
    assert_eq!(expired(&engine, &orders), orders.len());
    check(&engine);
}

#[test]
fn a_start_that_finds_no_room_says_so() {
    let disk = SimDisk::new(4);
    let engine = on(&disk);
    let thing = product(&engine, 10);
    let order = unpaid(&engine, thing, 1)[0];
    engine.shutdown().unwrap();
    drop(engine);
    // The segments there are get filled to the last byte that a start might use.
    let lease = Event::IdsLeased { kind: OwnerKind::Order, up_to: 100_000 };
    disk.set_capacity(Some(2 * SEGMENT));
    let before = disk.operations();
    append(&disk, std::iter::repeat_n(lease, 100_000));
    assert!(disk.operations() > before);
    let config = Config {
        lanes: 1,
        segment_bytes: SEGMENT,
        ..Config::in_memory().with_virtual_clock(START_MS)
    };
    let opened = Engine::open_on(Arc::new(disk.clone()), &config);
    let Err(OpenError::Journal(error)) = opened else { panic!("{:?}", opened.err()) };
    let full = std::io::ErrorKind::StorageFull;
    assert!(matches!(&error, JournalError::Io { source, .. } if source.kind() == full), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    disk.set_capacity(None);
    let engine = on(&disk);
    assert_eq!(engine.order(order).unwrap().status, Status::PendingPayment);
    check(&engine);
}

#[test]
fn keys_that_cannot_be_made_are_no_reason_to_stop() {
    let disk = SimDisk::new(5);
    let engine = on(&disk);
    let person = |name: &str| Personal { username: Some(name.into()), ..Personal::default() };
    // The next segment is there, and the journal is far from full; the keyring's first lot finds no room.
    until_next(&engine);
    disk.set_capacity(Some(2 * SEGMENT));
    let refused = wait(engine.register(Role::Staff, person("ann")));
    assert_eq!(refused.map(drop), Err(Error::NearlyFull));
    product(&engine, 1);
    disk.set_capacity(None);
    let ann = wait(engine.register(Role::Staff, person("ann"))).unwrap();
    check(&engine);
    engine.shutdown().unwrap();
    drop(engine);
    let engine = on(&disk);
    assert!(engine.personal(&ann).is_some(), "what was made after it is whole");
    // Any other failure may have left anything: the engine stops, as for the journal.
    let disk = SimDisk::new(6);
    let engine = on(&disk);
    until_next(&engine);
    disk.fail_write(disk.writes() + 1, Fault::Io);
    let stopped = wait(engine.register(Role::Staff, person("ann")));
    assert!(matches!(stopped, Err(Error::Stopped(_))));
}
