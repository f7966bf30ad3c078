//! Many callers at once, on several lanes.

use std::{sync::Arc, task::Poll, thread};

use stockade_actors::{BatchMode, Config, Engine, Error};
use stockade_domain::order::OrderCommand;
use stockade_storage::SimDisk;

use crate::shop::{START_MS, check, hold_of, is_short, order_of, product, stock_of, wait};

fn lanes(lanes: usize) -> Engine {
    let config = Config { lanes, ..Config::in_memory().with_virtual_clock(START_MS) };
    Engine::open(config).unwrap()
}

/// Runs `work` on so many threads, and collects what each says.
fn crowd<T: Send + 'static>(
    engine: &Engine,
    threads: usize,
    work: impl Fn(&Engine, usize) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let work = Arc::new(work);
    let start = |index| {
        let (engine, work) = (engine.clone(), work.clone());
        thread::spawn(move || work(&engine, index))
    };
    let threads: Vec<_> = (0..threads).map(start).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn a_hot_sku_sells_exactly_its_stock() {
    for lane_count in [1, 3] {
        let engine = lanes(lane_count);
        let hot = product(&engine, 1_000);
        let sold: usize = crowd(&engine, 64, move |engine, _| {
            let placed = (0..25).map(|_| wait(engine.place_order(order_of(&[(hot, 1)]))));
            placed
                .filter(|placed| {
                    assert!(placed.is_ok() || is_short(placed), "{placed:?}");
                    placed.is_ok()
                })
                .count()
        })
        .into_iter()
        .sum();
        assert_eq!((sold, stock_of(&engine, hot)), (1_000, (1_000, 1_000)));
        check(&engine);
    }
}

#[test]
fn orders_that_want_each_others_products_neither_deadlock_nor_both_fail() {
    let engine = lanes(2);
    for _ in 0..50 {
        let (a, b) = (product(&engine, 1), product(&engine, 1));
        let won = crowd(&engine, 2, move |engine, index| {
            let wanted = if index == 0 { [(a, 1), (b, 1)] } else { [(b, 1), (a, 1)] };
            wait(engine.place_order(order_of(&wanted))).is_ok()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "one of the two");
    }
    check(&engine);
}

#[test]
fn everything_at_once_keeps_every_invariant() {
    let engine = lanes(3);
    let products: Vec<_> = (0..8).map(|_| product(&engine, 200)).collect();
    crowd(&engine, 8, move |engine, index| {
        let mut random = index as u64 + 1;
        let mut next = move |bound: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        for round in 0..60 {
            let one = products[next(8) as usize];
            let other = products[next(8) as usize];
            let wanted = [(one, next(5) + 1), (other, next(5) + 1)];
            let owner = format!("cart {}", next(4));
            let hold = wait(engine.reserve(hold_of(Some(&owner), &wanted[..1])));
            let mut request = order_of(&wanted);
            request.reservations =
                hold.iter().filter(|_| next(2) == 0).map(|hold| hold.id).collect();
            let Ok(order) = wait(engine.place_order(request)) else { continue };
            let id = order.id();
            let commands = [
                OrderCommand::Pay { amount: None, method: None, reference: None },
                OrderCommand::Ship { lines: None, carrier: None, tracking: None },
                OrderCommand::Return { lines: None, restock: true, reason: None },
            ];
            for command in commands.into_iter().take(next(4) as usize) {
                wait(engine.change_order(id, command)).unwrap();
            }
            if round % 2 == 0 {
                let _ = wait(engine.cancel_order(id, None));
            }
            if round % 20 == 0 {
                let _ = wait(engine.advance(std::time::Duration::from_secs(61)));
            }
        }
    });
    check(&engine);
}

#[test]
fn a_caller_that_goes_away_changes_nothing() {
    let engine = lanes(1);
    let thing = product(&engine, 1_000);
    for _ in 0..200 {
        let mut placing = Box::pin(engine.place_order(order_of(&[(thing, 1)])));
        // Polled once, so that it is on its way, and dropped.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = placing.as_mut().poll(&mut context);
    }
    // The last answer comes after all of them.
    let cancelled = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    wait(engine.cancel_order(cancelled.id(), None)).unwrap();
    assert_eq!(stock_of(&engine, thing), (1_000, 200));
    check(&engine);
}

#[test]
fn overload_is_a_refusal_and_nothing_leaks() {
    let config = Config { work_max: 4_096, ..Config::in_memory().with_virtual_clock(START_MS) };
    let disk = SimDisk::new(1);
    let engine = Engine::open_on(Arc::new(disk.clone()), &config).unwrap();
    let thing = product(&engine, 1_000_000);
    let batch = || (0..1_000).map(|_| order_of(&[(thing, 1)])).collect::<Vec<_>>();
    // Nothing is through before the disk says so: of eight that come meanwhile, the door has room for two.
    let held = disk.hold_syncs();
    let mut crowd: Vec<_> =
        (0..8).map(|_| Box::pin(engine.place_orders(batch(), BatchMode::Each))).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let told: Vec<_> = crowd.iter_mut().map(|call| call.as_mut().poll(&mut context)).collect();
    drop(held);
    let (taken, refused): (Vec<_>, Vec<_>) =
        crowd.into_iter().zip(told).partition(|(_, told)| told.is_pending());
    assert_eq!((taken.len(), refused.len()), (2, 6));
    for (_, told) in refused {
        assert_eq!(told, Poll::Ready(Err(Error::Overloaded)));
    }
    for (call, _) in taken {
        assert!(wait(call).unwrap().iter().all(Result::is_ok));
    }
    assert_eq!(stock_of(&engine, thing).1, 2_000);
    check(&engine);
}

#[test]
fn stocks_that_fall_asleep_wake_up_as_they_were() {
    let config = Config {
        lanes: 2,
        stocks_awake_max: 3,
        ..Config::in_memory().with_virtual_clock(START_MS)
    };
    let engine = Engine::open(config).unwrap();
    // One after the other: each is folded before the next one wakes, so that it can fall asleep.
    let products: Vec<_> = (0..40).map(|_| product(&engine, 30)).collect();
    assert!(engine.stats().stocks_awake < 30, "{} awake", engine.stats().stocks_awake);
    crowd(&engine, 4, move |engine, index| {
        for round in 0..10 {
            for one in products.iter().skip(index) {
                let placed = wait(engine.place_order(order_of(&[(*one, 1)])));
                if (round + index) % 3 == 0 {
                    placed.map(|order| wait(engine.cancel_order(order.id(), None)).unwrap()).ok();
                }
            }
        }
    });
    check(&engine);
}
