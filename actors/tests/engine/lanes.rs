//! One data directory, opened with one, two and three lanes in turn: whatever lived on a lane lives on another one now.

use std::{collections::BTreeSet, path::Path, time::Duration};

use stockade_actors::{Config, Engine, NewTransfer, StockRow, verify};
use stockade_domain::{
    AdjustmentId, OrderId, ProductId, ReservationId, StockKey, TransferId, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::{NewWarehouse, StockDelta},
    holder::{Hold, HoldStatus},
    order::{Order, OrderCommand, PlaceOrder, Status},
    stock::StockCommand,
    transfer::{Transfer, TransferCommand, TransferStatus},
};

use crate::shop::{MAIN, START_MS, check, copy_tree, hold_of, order_of, product, wait};

/// Every number follows every other one.
const LANES: [usize; 7] = [1, 3, 2, 1, 2, 3, 1];
const PRODUCTS: usize = 7;
const FAR: WarehouseId = WarehouseId(2);
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// With small segments: they are copied often.
fn open(path: &Path, lanes: usize) -> Engine {
    let config = Config::new(path).with_virtual_clock(START_MS);
    let config = Config { lanes, segment_bytes: 8 << 20, ..config };
    Engine::open(config).expect("the data directory opens")
}

/// All that an engine shows.
#[derive(Debug, PartialEq)]
struct Shown {
    orders: Vec<Order>,
    holds: Vec<Hold>,
    transfers: Vec<Transfer>,
    stocks: Vec<StockRow>,
}

impl Shown {
    fn by(engine: &Engine) -> Self {
        Self {
            orders: engine.orders(&Default::default(), 0, 10_000),
            holds: engine.reservations(0, 10_000, |_| true),
            transfers: engine.transfers(0, 10_000, |_| true),
            stocks: engine.stocks(Default::default(), None, 10_000),
        }
    }
}

/// Every id that was given out.
#[derive(Default)]
struct Ids {
    orders: BTreeSet<OrderId>,
    holds: BTreeSet<ReservationId>,
    transfers: BTreeSet<TransferId>,
    adjustments: BTreeSet<AdjustmentId>,
}

#[test]
fn everything_goes_on_when_the_lanes_change() {
    let first = tempfile::tempdir().unwrap();
    let mut things = Vec::new();
    {
        let engine = open(first.path(), 2);
        let far = NewWarehouse { name: "far".into(), ..Default::default() };
        assert_eq!(wait(engine.create_warehouse(far)).unwrap().id, FAR);
        things.extend((0..PRODUCTS).map(|_| product(&engine, 1_000)));
    }
    let mut dir = first;
    let mut ids = Ids::default();
    for (life, lanes) in LANES.into_iter().enumerate() {
        let engine = open(dir.path(), lanes);
        go_on(&engine, life, &mut ids);
        begin(&engine, &things, &mut ids);
        check(&engine);
        let shown = Shown::by(&engine);
        if life % 2 == 0 {
            engine.shutdown().unwrap();
        } else {
            // What is on disk while it runs is what a kill would leave.
            let copy = tempfile::tempdir().unwrap();
            copy_tree(dir.path(), copy.path());
            dir = copy;
        }
        same_again(dir.path(), lanes % 3 + 1, &shown, engine.digest());
    }
}

/// Another number of lanes shows the same; and when it only looked, the state is the same to the last lease of ids.
fn same_again(dir: &Path, lanes: usize, shown: &Shown, digest: u64) {
    let engine = open(dir, lanes);
    assert_eq!(Shown::by(&engine), *shown);
    check(&engine);
    engine.shutdown().unwrap();
    assert_eq!(engine.digest(), digest);
    drop(engine);
    let verified = verify(dir).unwrap();
    assert_eq!((verified.audit.violations, verified.state_agrees), (vec![], Some(true)));
    assert_eq!(verified.audit.digest, digest);
}

/// What an earlier life left goes on in this one: some by command, the rest by its deadline.
fn go_on(engine: &Engine, life: usize, ids: &mut Ids) {
    let left = Shown::by(engine);
    let unpaid = left.orders.iter().filter(|order| order.status == Status::PendingPayment);
    for (index, order) in unpaid.enumerate() {
        let id = order.id();
        match (index + life) % 3 {
            0 => {
                wait(engine.pay_order(id, None)).unwrap();
                let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
                assert_eq!(wait(engine.change_order(id, ship)).unwrap().status, Status::Shipped);
            }
            1 => drop(wait(engine.cancel_order(id, None)).unwrap()),
            _ => {}
        }
    }
    for (index, hold) in left.holds.iter().filter(|hold| hold.is_active()).enumerate() {
        match (index + life) % 3 {
            0 => {
                // An order takes it over, though its lane and its hold's were others once.
                let (thing, units) = hold.lines[0];
                let request =
                    PlaceOrder { reservations: vec![hold.id], ..order_of(&[(thing, units + 1)]) };
                let order = wait(engine.place_order(request)).unwrap();
                assert!(ids.orders.insert(order.id()), "{} again", order.id());
                wait(engine.pay_order(order.id(), None)).unwrap();
            }
            1 => {
                wait(engine.extend_reservation(hold.id, 120_000)).unwrap();
                wait(engine.release_reservation(hold.id)).unwrap();
            }
            _ => {}
        }
    }
    for transfer in left.transfers.iter().filter(|one| one.status() == TransferStatus::InTransit) {
        let id = transfer.dispatched.id;
        let some = TransferCommand::Receive { quantity: Some(1), discrepancy: None };
        let back = TransferCommand::Cancel { restock: true, reason: None };
        let command = if transfer.received == 0 { some } else { back };
        wait(engine.change_transfer(id, command)).unwrap();
    }
    wait(engine.advance(DEADLINE + Duration::from_secs(1))).unwrap();
    let now = Shown::by(engine);
    let unpaid = now.orders.iter().filter(|order| order.status == Status::PendingPayment);
    assert_eq!((unpaid.count(), now.holds.iter().filter(|hold| hold.is_active()).count()), (0, 0));
    let of = |status| now.orders.iter().filter(|order| order.status == status).count();
    let expired = now.holds.iter().filter(|hold| hold.status == HoldStatus::Expired).count();
    assert_eq!((of(Status::Expired) > 0, expired > 0), (life > 0, life > 0));
}

/// Something of every kind begins, over products of several lanes.
fn begin(engine: &Engine, things: &[ProductId], ids: &mut Ids) {
    for (index, &thing) in things.iter().enumerate() {
        let other = things[(index + 1) % things.len()];
        let order = wait(engine.place_order(order_of(&[(thing, 2), (other, 1)]))).unwrap();
        assert!(ids.orders.insert(order.id()), "{} again", order.id());
        let owner = format!("cart {}", index % 3);
        let hold = wait(engine.reserve(hold_of(Some(&owner), &[(thing, 1)]))).unwrap();
        assert!(ids.holds.insert(hold.id), "{} again", hold.id);
        let new =
            NewTransfer { product: thing, from: MAIN, to: FAR, quantity: 3, in_transit: true };
        let transfer = wait(engine.transfer(new)).unwrap().dispatched.id;
        assert!(ids.transfers.insert(transfer), "{transfer} again");
        let delta = |product, delta| StockDelta { stock: StockKey::new(MAIN, product), delta };
        let deltas = vec![delta(thing, -1), delta(other, 1)];
        let adjust = Adjust { deltas, reason: Reason::Correction, reference: None };
        let adjusted = wait(engine.adjust(adjust)).unwrap().id;
        assert!(ids.adjustments.insert(adjusted), "{adjusted} again");
        let policy = StockCommand::SetPolicy { safety_stock: Some(5), backorder_limit: None };
        wait(engine.change_stock(StockKey::new(MAIN, thing), policy)).unwrap();
    }
}
