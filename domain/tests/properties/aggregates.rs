//! Properties of one aggregate at a time, and of the planner.

use proptest::prelude::*;
use stockade_domain::{
    AdjustmentId, OrderId, Owner, ProductId, Refusal, ReservationId, StockKey, Timestamp,
    TransferId, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::StockDelta,
    holder::{HoldCommand, Holder},
    invariants::check_stock,
    sourcing::{Demand, Held, Rule, Sourcing, plan, use_held},
    stock::{Stock, StockCommand, Take},
    transfer::{Dispatched, Transfer, TransferCommand, TransferEvent},
};

use super::engine::config;

pub(crate) const AT: Timestamp = Timestamp(1_000);

fn key(warehouse: u64, product: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(product))
}

/// A stock that came about by what was granted.
fn stock() -> impl Strategy<Value = Stock> {
    let part = || prop::option::of(0..=12_u64);
    let step = (part(), part(), part(), part(), 1..=3_u64);
    prop::collection::vec(step, 0..8).prop_map(|steps| {
        let mut stock = Stock::default();
        for (on_hand, safety_stock, backorder_limit, reserve, owner) in steps {
            let count =
                on_hand.map(|on_hand| StockCommand::Recount { on_hand, reason: "counted".into() });
            let policy = StockCommand::SetPolicy { safety_stock, backorder_limit };
            for command in count.into_iter().chain([policy]) {
                let event = stock.decide(key(1, 1), &command, AT);
                event.into_iter().flatten().for_each(|event| stock.evolve(&event));
            }
            let owner = Owner::order(OrderId(owner));
            let take = Take::Reserve { quantity: reserve.unwrap_or(0) };
            let event = stock.take(key(1, 1), owner, 0, take);
            event.into_iter().for_each(|event| stock.evolve(&event));
        }
        stock
    })
}

fn sourcing() -> impl Strategy<Value = Sourcing> {
    let rules = [Rule::Priority, Rule::MostStock, Rule::Nearest, Rule::SingleWarehouse];
    (prop::sample::select(rules.to_vec()), any::<bool>())
        .prop_map(|(rule, split_lines)| Sourcing { rule, split_lines })
}

/// Small, around the limits, or anything.
pub(crate) fn hostile() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..=20_u64,
        999_999_999..=1_000_000_001_u64,
        (u64::MAX - 20)..=u64::MAX,
        any::<u64>()
    ]
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn available_says_yes_if_and_only_if_a_reserve_is_granted(stock in stock(), wanted in hostile()) {
        check_stock(key(1, 1), &stock, &mut |violation| panic!("{violation}"));
        let available = stock.available();
        for quantity in [wanted, available, available + 1].into_iter().filter(|n| *n > 0) {
            let answer = stock.take(key(1, 1), Owner::order(OrderId(9)), 0, Take::Reserve { quantity });
            prop_assert_eq!(answer.is_ok(), quantity <= available);
            match answer {
                Ok(event) => {
                    let mut after = stock.clone();
                    after.evolve(&event);
                    check_stock(key(1, 1), &after, &mut |violation| panic!("{violation}"));
                    prop_assert_eq!(after.available(), available - quantity);
                }
                Err(Refusal::InsufficientStock(short)) => {
                    prop_assert_eq!((short[0].wanted, short[0].available), (quantity, available));
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn what_may_leave_the_shelf_never_breaks_a_promise(stock in stock(), wanted in hostile()) {
        let removable = stock.removable();
        for quantity in [wanted, removable, removable + 1].into_iter().filter(|n| *n > 0) {
            for take in [Take::Minus { quantity }, Take::TransferOut { quantity }] {
                let answer = stock.take(key(1, 1), Owner::order(OrderId(9)), 0, take);
                prop_assert_eq!(answer.is_ok(), quantity <= removable);
                if let Ok(event) = answer {
                    let mut after = stock.clone();
                    after.evolve(&event);
                    check_stock(key(1, 1), &after, &mut |violation| panic!("{violation}"));
                }
            }
        }
    }

    #[test]
    fn a_plan_is_complete_if_and_only_if_it_is_granted_whole(
        stocks in prop::collection::vec(prop::collection::vec(stock(), 3), 3),
        wanted in prop::collection::vec(1..=15_u64, 1..=3),
        sourcing in sourcing(),
    ) {
        let mut stocks = stocks;
        let at = |key: StockKey| (key.warehouse.0 as usize - 1, key.product.0 as usize - 1);
        let demand = |(line, quantity): (u32, &u64)| {
            Demand { line, product: ProductId(u64::from(line) + 1), quantity: *quantity }
        };
        let demands: Vec<Demand> = (0..).zip(&wanted).map(demand).collect();
        let candidates = [1, 2, 3].map(WarehouseId);
        let there = |warehouse: WarehouseId, demand: &Demand| {
            stocks[warehouse.0 as usize - 1][demand.line as usize].available()
        };
        let possible = match sourcing {
            Sourcing { rule: Rule::SingleWarehouse, .. } => candidates.iter().any(|warehouse| {
                demands.iter().all(|demand| there(*warehouse, demand) >= demand.quantity)
            }),
            Sourcing { split_lines: false, .. } => demands.iter().all(|demand| {
                candidates.iter().any(|warehouse| there(*warehouse, demand) >= demand.quantity)
            }),
            _ => demands.iter().all(|demand| {
                let sum: u64 = candidates.iter().map(|warehouse| there(*warehouse, demand)).sum();
                sum >= demand.quantity
            }),
        };
        let plan = plan(sourcing, &candidates, &demands, &mut |key| {
            let (warehouse, product) = at(key);
            stocks[warehouse][product].available()
        });
        prop_assert_eq!(plan.shortages.is_empty(), possible);
        for demand in &demands {
            let mine = || plan.allocations.iter().filter(|found| found.line == demand.line);
            let sum: u64 = mine().map(|found| found.quantity).sum();
            let short = plan.shortages.iter().find(|short| short.product == demand.product);
            prop_assert_eq!(sum, short.map_or(demand.quantity, |short| short.available));
            prop_assert!(short.is_none_or(|short| short.available < short.wanted));
            prop_assert!(sourcing.split_lines || mine().count() <= 1);
        }
        let owner = Owner::order(OrderId(9));
        for found in &plan.allocations {
            let key = StockKey::new(found.warehouse, demands[found.line as usize].product);
            let (warehouse, product) = at(key);
            let stock = &mut stocks[warehouse][product];
            let granted = stock.take(key, owner, 0, Take::Reserve { quantity: found.quantity });
            prop_assert!(granted.is_ok(), "planned and refused: {:?}", granted);
            granted.into_iter().for_each(|event| stock.evolve(&event));
            check_stock(key, stock, &mut |violation| panic!("{violation}"));
        }
    }

    #[test]
    fn held_units_are_used_first_and_never_twice(
        wanted in prop::collection::vec((1..=3_u64, 1..=9_u64), 1..4),
        units in prop::collection::vec((1..=2_u64, 1..=3_u64, 1..=9_u64), 0..5),
    ) {
        let lines: Vec<_> = wanted.iter().map(|&(product, n)| (ProductId(product), n)).collect();
        let unit = |(hold, &(warehouse, product, quantity)): (u64, &(u64, u64, u64))| {
            Held { stock: key(warehouse, product), hold: ReservationId(hold), quantity }
        };
        let held: Vec<Held> = (1..).zip(&units).map(unit).collect();
        let (allocations, demands) = use_held(&lines, &held);
        for held in &held {
            let mine = allocations.iter().filter(|found| found.hold == Some(held.hold));
            let used: u64 = mine.map(|found| found.quantity).sum();
            prop_assert!(used <= held.quantity);
            let missing = demands.iter().any(|demand| demand.product == held.stock.product);
            prop_assert!(used == held.quantity || !missing, "left over while something is missing");
        }
        for (line, (_, wanted)) in (0..).zip(&lines) {
            let found = allocations.iter().filter(|found| found.line == line);
            let found: u64 = found.map(|found| found.quantity).sum();
            let missing = demands.iter().filter(|demand| demand.line == line);
            let missing: u64 = missing.map(|demand| demand.quantity).sum();
            prop_assert_eq!(found + missing, *wanted);
        }
    }

    #[test]
    fn no_number_makes_a_transfer_panic_or_lose_a_unit(
        commands in prop::collection::vec((hostile(), hostile(), 0..6_u8), 1..12),
    ) {
        let (id, product) = (TransferId(1), ProductId(1));
        let (from, to, quantity) = (WarehouseId(1), WarehouseId(2), 30);
        let dispatched = Dispatched { id, product, from, to, quantity, in_transit: true, at: AT };
        let mut transfer = Transfer::new(dispatched);
        let (mut back, mut there) = (0, 0);
        for (first, second, kind) in commands {
            let command = match kind {
                0 => TransferCommand::Cancel { restock: first % 2 == 0, reason: None },
                1 => TransferCommand::Receive { quantity: None, discrepancy: None },
                2 => TransferCommand::Receive {
                    quantity: None,
                    discrepancy: Some((second, "lost".into())),
                },
                3 => TransferCommand::Receive { quantity: Some(first), discrepancy: None },
                _ => TransferCommand::Receive {
                    quantity: Some(first),
                    discrepancy: Some((second, "lost".into())),
                },
            };
            if let Ok(event) = transfer.decide(&command, AT) {
                transfer.evolve(&event);
                match event {
                    TransferEvent::Received { received, .. } => there += received,
                    TransferEvent::Cancelled { quantity, restock: true, .. } => back += quantity,
                    _ => {}
                }
            }
            let known = transfer.received + transfer.missing + transfer.restocked;
            prop_assert_eq!(known + transfer.on_the_road(), 30);
            prop_assert_eq!((transfer.received, transfer.restocked), (there, back));
        }
    }

    #[test]
    fn no_number_makes_a_stock_a_hold_or_an_adjustment_panic(
        stock in stock(), first in hostile(), second in hostile(), delta in any::<i64>(),
    ) {
        let owner = Owner::order(OrderId(1));
        for quantity in [first, second] {
            for take in [
                Take::Reserve { quantity },
                Take::Consume { entry: owner, quantity },
                Take::TransferOut { quantity },
                Take::Minus { quantity },
            ] {
                if let Ok(event) = stock.take(key(1, 1), owner, 0, take) {
                    let mut after = stock.clone();
                    after.evolve(&event);
                    check_stock(key(1, 1), &after, &mut |violation| panic!("{violation}"));
                }
            }
        }
        for command in [
            StockCommand::Recount { on_hand: first, reason: "counted".into() },
            StockCommand::SetPolicy { safety_stock: Some(first), backorder_limit: Some(second) },
        ] {
            if let Ok(Some(event)) = stock.decide(key(1, 1), &command, Timestamp(second)) {
                let mut after = stock.clone();
                after.evolve(&event);
                check_stock(key(1, 1), &after, &mut |violation| panic!("{violation}"));
                prop_assert!(after.available() <= after.on_hand + after.backorder_limit);
            }
        }
        let found = Holder::default().decide(ReservationId(first), HoldCommand::Expire, AT);
        prop_assert!(found.is_err());
        let deltas = [delta, first as i64].map(|delta| StockDelta { stock: key(1, 1), delta });
        let adjust = Adjust { deltas: deltas.to_vec(), reason: Reason::Found, reference: None };
        if let Ok(sums) = adjust.check() {
            prop_assert_eq!(sums[0].delta, delta + first as i64);
            let _event = adjust.decide(AdjustmentId(1), sums, AT);
        }
    }
}
