//! The whole engine on a simulated disk: power cuts, failing writes and syncs, and the control that must fail.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use stockade_actors::{BatchMode, Config, Engine, Error};
use stockade_domain::{
    OrderId, ProductId, StockKey, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::StockDelta,
    order::Status,
};
use stockade_storage::{Fault, SimDisk};

use crate::shop::{START_MS, check, hold_of, is_short, order_of, product, stock_of, wait};

const UNITS: u64 = 40;

/// An engine on a simulated disk.
pub(crate) fn on(disk: &SimDisk) -> Engine {
    let config = Config {
        lanes: 1,
        segment_bytes: 256 << 10,
        ..Config::in_memory().with_virtual_clock(START_MS)
    };
    Engine::open_on(Arc::new(disk.clone()), &config).expect("a simulated disk opens")
}

/// What was acknowledged, and how many operations the disk had done by then.
struct Acked {
    placed: Vec<(u64, OrderId)>,
    paid: Vec<(u64, OrderId)>,
    cancelled: Vec<(u64, OrderId)>,
}

/// Two callers' worth of traffic, with everything that was acknowledged and when.
fn traffic(disk: &SimDisk, engine: &Engine, seed: u64) -> (ProductId, Acked) {
    let thing = product(engine, UNITS);
    let mut acked = Acked { placed: Vec::new(), paid: Vec::new(), cancelled: Vec::new() };
    let mut random = seed;
    for _ in 0..30 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let quantity = (random >> 60) + 1;
        let placed = wait(engine.place_order(order_of(&[(thing, quantity)])));
        if is_short(&placed) {
            continue;
        }
        let id = placed.unwrap().id();
        acked.placed.push((disk.operations(), id));
        match (random >> 40) % 3 {
            0 => {
                wait(engine.pay_order(id, None)).unwrap();
                acked.paid.push((disk.operations(), id));
            }
            1 => {
                wait(engine.cancel_order(id, None)).unwrap();
                acked.cancelled.push((disk.operations(), id));
            }
            _ => drop(wait(engine.reserve(hold_of(Some("cart"), &[(thing, 1)])))),
        }
    }
    (thing, acked)
}

/// How many things that were acknowledged before the cut are not there after it.
fn lost(after: &Engine, acked: &Acked, cut: u64) -> usize {
    let status = |id: &OrderId| after.order(*id).map(|order| order.status);
    let before = |acks: &[(u64, OrderId)]| -> Vec<OrderId> {
        acks.iter().filter(|(at, _)| *at < cut).map(|(_, id)| *id).collect()
    };
    let gone = before(&acked.placed).iter().filter(|id| status(id).is_none()).count();
    let unpaid = before(&acked.paid).iter().filter(|id| status(id) != Some(Status::Paid)).count();
    let alive =
        before(&acked.cancelled).into_iter().filter(|id| status(id) != Some(Status::Cancelled));
    gone + unpaid + alive.count()
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut cuts = 0;
    for seed in 0..4 {
        let disk = SimDisk::new(seed);
        let engine = on(&disk);
        let (thing, acked) = traffic(&disk, &engine, seed);
        let operations = disk.operations();
        for cut in 1..=operations {
            let after = on(&disk.after_power_cut_at(cut));
            assert_eq!(lost(&after, &acked, cut), 0, "seed {seed}, cut at {cut}");
            let (on_hand, reserved) = stock_of(&after, thing);
            assert!(reserved <= on_hand, "seed {seed}, cut at {cut}");
            check(&after);
            cuts += 1;
        }
    }
    assert!(cuts > 100, "{cuts} cuts");
}

#[test]
fn a_disk_that_lies_is_caught_by_the_same_check() {
    let caught = (0..6).any(|seed| {
        let disk = SimDisk::new(seed);
        disk.lying(true);
        let engine = on(&disk);
        let (_, acked) = traffic(&disk, &engine, seed);
        let cut = disk.operations() + 1;
        let config = Config { lanes: 1, ..Config::in_memory().with_virtual_clock(START_MS) };
        match Engine::open_on(Arc::new(disk.after_power_cut_at(cut)), &config) {
            Ok(after) => lost(&after, &acked, cut) > 0,
            Err(_) => true,
        }
    });
    assert!(caught, "without a real sync something must be lost");
}

#[test]
fn a_failed_write_or_sync_stops_the_engine_and_a_restart_is_clean() {
    for (nth, fault) in [(3, Fault::Io), (9, Fault::Io), (14, Fault::NoSpace)] {
        for syncs in [true, false] {
            let disk = SimDisk::new(nth);
            let engine = on(&disk);
            let thing = product(&engine, 1_000);
            let (heard, reason) = mpsc::channel();
            engine.on_stopped(move |why| drop(heard.send(why.to_owned())));
            match syncs {
                true => disk.fail_sync(disk.syncs() + nth, fault),
                false => disk.fail_write(disk.writes() + nth, fault),
            };
            let mut acked = Vec::new();
            let error = loop {
                match wait(engine.place_order(order_of(&[(thing, 1)]))) {
                    Ok(order) => acked.push(order.id()),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, Error::Stopped(_)), "{error}");
            assert!(reason.recv().unwrap().contains("journal"));
            let again = wait(engine.place_order(order_of(&[(thing, 1)])));
            assert!(matches!(again, Err(Error::Stopped(_))), "nothing is acknowledged after it");
            drop(engine);
            let after = on(&disk.after_power_cut());
            assert!(acked.iter().all(|id| after.order(*id).is_some()));
            check(&after);
        }
    }
}

#[test]
fn a_disk_that_is_nearly_full_takes_no_new_work_and_still_expires() {
    let disk = SimDisk::new(1);
    let engine = on(&disk);
    let thing = product(&engine, 1_000_000);
    let batch = (0..200).map(|_| order_of(&[(thing, 1)])).collect();
    let orders = wait(engine.place_orders(batch, BatchMode::Each)).unwrap();
    let order = orders[0].as_ref().unwrap().id();
    // Room for the present segment and the one prepared, and for no other. What fills them is nothing that expires: the room that is
    // left must be enough for what does. It is looked at often, since it is a thread of its own that finds the disk full.
    disk.set_capacity(Some(2 * (256 << 10)));
    let found = || Adjust {
        deltas: vec![StockDelta { stock: StockKey::new(WarehouseId(1), thing), delta: 1 }],
        reason: Reason::Found,
        reference: None,
    };
    let refused = loop {
        match wait(engine.adjust_many((0..20).map(|_| (found(), None)).collect())) {
            Ok(found) => assert!(found.iter().all(Result::is_ok)),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, Error::NearlyFull);
    wait(engine.advance(Duration::from_secs(31 * 60))).unwrap();
    assert!(
        orders
            .iter()
            .flatten()
            .all(|order| { engine.order(order.id()).unwrap().status == Status::Expired })
    );
    engine.shutdown().unwrap();
    let after = on(&disk.after_power_cut());
    assert_eq!(after.order(order).unwrap().status, Status::Expired);
    check(&after);
}
