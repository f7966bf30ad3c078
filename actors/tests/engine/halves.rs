//! The power is cut in the middle of every workflow that takes at one place and gives at another: after the next start it has
//! happened or it has not, and every unit is in exactly one place.

use std::time::Duration;

use stockade_actors::{BatchMode, Engine, NewTransfer};
use stockade_domain::{
    OrderId, ProductId, StockKey, TransferId, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::{NewWarehouse, StockDelta},
    holder::HoldStatus,
    order::{OrderCommand, PlaceOrder, Status},
    transfer::{TransferCommand, TransferStatus},
};
use stockade_storage::SimDisk;

use crate::{
    keys::{at, under},
    power::on,
    shop::{MAIN, check, hold_of, order_of, product, stock_of, wait},
};

/// How often a workflow is run until cuts fell before, into and behind it. Which of its events are written together is up to two
/// threads; nearly always the first run is enough.
const RUNS_MAX: u64 = 200;

/// One command of a workflow that has several, on the things that were set up.
type Step<T> = fn(&Engine, &T);

/// Runs `act` and cuts the power at each of its operations. After each cut `look` says whether all of it happened, and fails when
/// it is neither whole nor not at all.
fn cut_everywhere<T>(
    set_up: impl Fn(&Engine) -> T,
    act: impl Fn(&Engine, &T),
    look: impl Fn(&Engine, &T) -> bool,
) {
    let (mut settled, mut nothing) = (0, 0);
    for seed in 0..RUNS_MAX {
        let disk = SimDisk::new(seed);
        let engine = on(&disk);
        let things = set_up(&engine);
        let first = disk.operations() + 1;
        act(&engine, &things);
        let answered = disk.operations() + 1;
        for cut in first..=answered {
            let after = on(&disk.after_power_cut_at(cut));
            check(&after);
            settled += after.opened().settled;
            let all = look(&after, &things);
            nothing += usize::from(!all);
            assert!(all || cut < answered, "seed {seed}: it was acknowledged");
            check(&after);
        }
        if settled > 0 && nothing > 0 {
            return;
        }
    }
    panic!("no cut fell into its middle");
}

fn on_hand(engine: &Engine, warehouse: WarehouseId, product: ProductId) -> (u64, u64) {
    let row = engine.stock(StockKey::new(warehouse, product));
    (row.on_hand, row.incoming)
}

#[test]
fn a_hold_is_a_hold_or_an_order_and_never_lost_between() {
    let set_up = |engine: &Engine| {
        let (held, other) = (product(engine, 10), product(engine, 10));
        let hold = wait(engine.reserve(hold_of(Some("cart"), &[(held, 3)]))).unwrap().id;
        (held, other, hold)
    };
    let act = |engine: &Engine, &(held, other, hold): &_| {
        let wanted = order_of(&[(held, 2), (other, 1)]);
        let request = PlaceOrder { reservations: vec![hold], ..wanted };
        drop(wait(engine.place_order(request)).unwrap());
    };
    cut_everywhere(set_up, act, |after, &(held, other, hold)| {
        let status = |engine: &Engine| engine.reservation(hold).map(|hold| hold.status);
        let reserved = |engine: &Engine| (stock_of(engine, held).1, stock_of(engine, other).1);
        if let Some(order) = after.order(OrderId(1)) {
            assert_eq!(order.status, Status::PendingPayment);
            assert_eq!(status(after), Some(HoldStatus::Converted(order.id())));
            assert_eq!(reserved(after), (2, 1));
            return true;
        }
        assert_eq!(status(after), Some(HoldStatus::Active));
        assert_eq!(reserved(after), (3, 0));
        // It is nobody's but its owner's again, its deadline included.
        wait(after.advance(Duration::from_secs(61))).unwrap();
        assert_eq!(status(after), Some(HoldStatus::Expired));
        assert_eq!(reserved(after), (0, 0));
        false
    });
}

/// Two warehouses, with everything in the first.
fn two_warehouses(engine: &Engine) -> (ProductId, WarehouseId) {
    let far = NewWarehouse { name: "far".into(), ..Default::default() };
    (product(engine, 10), wait(engine.create_warehouse(far)).unwrap().id)
}

/// The steps of a transfer over the road: it leaves, some of it comes in, the rest is called back.
const ON_THE_ROAD: [Step<(ProductId, WarehouseId)>; 3] = [
    |engine, &(product, to)| {
        let new = NewTransfer { product, from: MAIN, to, quantity: 5, in_transit: true };
        drop(wait(engine.transfer(new)).unwrap());
    },
    |engine, _| {
        let discrepancy = Some((1, "broken".into()));
        let receive = TransferCommand::Receive { quantity: Some(2), discrepancy };
        drop(wait(engine.change_transfer(TransferId(1), receive)).unwrap());
    },
    |engine, _| {
        let cancel = TransferCommand::Cancel { restock: true, reason: None };
        drop(wait(engine.change_transfer(TransferId(1), cancel)).unwrap());
    },
];

/// Units there and on the road to there, in the first warehouse and in the second, after so many steps.
const AFTER_STEPS: [[(u64, u64); 2]; 4] =
    [[(10, 0), (0, 0)], [(5, 0), (0, 5)], [(5, 0), (2, 2)], [(7, 0), (2, 0)]];

#[test]
fn a_transfer_in_transit_is_here_or_on_the_road_or_there() {
    for (step, act) in ON_THE_ROAD.into_iter().enumerate() {
        let set_up = |engine: &Engine| {
            let things = two_warehouses(engine);
            ON_THE_ROAD[..step].iter().for_each(|before| before(engine, &things));
            things
        };
        cut_everywhere(set_up, act, |after, &(thing, far)| {
            let steps = match after.transfer_of(TransferId(1)) {
                None => 0,
                Some(transfer) if transfer.status() == TransferStatus::Cancelled => 3,
                Some(transfer) => 1 + usize::from(transfer.received > 0),
            };
            let found = [on_hand(after, MAIN, thing), on_hand(after, far, thing)];
            assert_eq!(found, AFTER_STEPS[steps], "after {steps} steps");
            assert!([step, step + 1].contains(&steps), "{steps} steps, cut in {step}");
            steps > step
        });
    }
}

#[test]
fn a_transfer_at_once_is_here_or_there() {
    let act = |engine: &Engine, &(thing, far): &_| {
        let new =
            NewTransfer { product: thing, from: MAIN, to: far, quantity: 4, in_transit: false };
        drop(wait(engine.transfer(new)).unwrap());
    };
    cut_everywhere(two_warehouses, act, |after, &(thing, far)| {
        let moved = after.transfer_of(TransferId(1)).is_some();
        let wanted = if moved { ((6, 0), (4, 0)) } else { ((10, 0), (0, 0)) };
        assert_eq!((on_hand(after, MAIN, thing), on_hand(after, far, thing)), wanted);
        moved
    });
}

#[test]
fn an_adjustment_of_many_stocks_is_whole_or_not_at_all() {
    let set_up = |engine: &Engine| [5, 5, 5, 0].map(|units| product(engine, units));
    let act = |engine: &Engine, things: &[ProductId; 4]| {
        let of = |(&product, delta)| StockDelta { stock: StockKey::new(MAIN, product), delta };
        let deltas = things.iter().zip([-3, -5, 4, 7]).map(of).collect();
        let adjust = Adjust { deltas, reason: Reason::Correction, reference: None };
        drop(wait(engine.adjust(adjust)).unwrap());
    };
    cut_everywhere(set_up, act, |after, things| {
        let found = things.map(|thing| stock_of(after, thing).0);
        assert!([[5, 5, 5, 0], [2, 0, 9, 7]].contains(&found), "{found:?}");
        found == [2, 0, 9, 7]
    });
}

#[test]
fn a_batch_of_all_is_whole_or_not_at_all_and_its_key_with_it() {
    let set_up = |engine: &Engine| (product(engine, 10), product(engine, 10));
    let place = |engine: &Engine, &(a, b): &(ProductId, ProductId)| {
        let orders = vec![order_of(&[(a, 2)]), order_of(&[(a, 3), (b, 1)]), order_of(&[(b, 4)])];
        wait(under(engine, 1).place_orders(orders, BatchMode::All))
    };
    let act = |engine: &Engine, things: &_| drop(place(engine, things).unwrap());
    cut_everywhere(set_up, act, |after, things| {
        let reserved = || (stock_of(after, things.0).1, stock_of(after, things.1).1);
        let count = || after.orders(&Default::default(), 0, 10).len();
        let (orders, units) = (count(), reserved());
        assert!([(0, (0, 0)), (3, (5, 5))].contains(&(orders, units)), "{orders} {units:?}");
        match place(after, things) {
            Ok(placed) => assert_eq!((orders, placed.len()), (0, 3)),
            known => assert!(orders == 3 && at(known) > 0),
        }
        assert_eq!((count(), reserved()), (3, (5, 5)), "once");
        orders == 3
    });
}

#[test]
fn goods_that_left_or_came_back_did_so_once() {
    let steps: [Step<(ProductId, ProductId, OrderId)>; 2] = [
        |engine, &(.., order)| {
            let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
            drop(wait(engine.change_order(order, ship)).unwrap());
        },
        |engine, &(.., order)| {
            let back = OrderCommand::Return { lines: None, restock: true, reason: None };
            drop(wait(engine.change_order(order, back)).unwrap());
        },
    ];
    for (step, act) in steps.into_iter().enumerate() {
        let set_up = |engine: &Engine| {
            let (a, b) = (product(engine, 10), product(engine, 10));
            let order = wait(engine.place_order(order_of(&[(a, 2), (b, 3)]))).unwrap().id();
            wait(engine.pay_order(order, None)).unwrap();
            steps[..step].iter().for_each(|before| before(engine, &(a, b, order)));
            (a, b, order)
        };
        cut_everywhere(set_up, act, |after, &(a, b, order)| {
            let status = after.order(order).unwrap().status;
            let (steps, wanted) = match status {
                Status::Paid => (0, ((10, 2), (10, 3))),
                Status::Shipped => (1, ((8, 0), (7, 0))),
                Status::Returned => (2, ((10, 0), (10, 0))),
                other => panic!("{other:?}"),
            };
            assert_eq!((stock_of(after, a), stock_of(after, b)), wanted, "{status:?}");
            assert!([step, step + 1].contains(&steps), "{status:?}, cut in step {step}");
            steps > step
        });
    }
}
