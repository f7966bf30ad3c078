use std::sync::Arc;

use super::{
    Allocation, Demand, Held, Plan, Rule, Sourcing, candidates, orderable, plan, use_held,
};
use crate::{
    ProductId, Quantity, ReservationId, Shortage, StockKey, WarehouseId,
    catalogue::Warehouse,
    order::ShipTo,
    stock::{Give, Stock, StockEvent, Take},
    testing::NOW,
};

const PRIORITY: Sourcing = sourcing(Rule::Priority, true);

const fn sourcing(rule: Rule, split_lines: bool) -> Sourcing {
    Sourcing { rule, split_lines }
}

fn at(warehouse: u64, product: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(product))
}

/// Allocations (line, warehouse, quantity), shortages (product, wanted, available).
type Read = (Vec<(u32, u64, Quantity)>, Vec<(u64, Quantity, Quantity)>);

/// Plans lines (product, quantity) over warehouses 1 to 3, where (warehouse, product, available).
fn planned(sourcing: Sourcing, lines: &[(u64, Quantity)], there: &[(u64, u64, Quantity)]) -> Read {
    let demands: Vec<Demand> = (0..)
        .zip(lines)
        .map(|(line, &(product, quantity))| Demand { line, product: ProductId(product), quantity })
        .collect();
    let warehouses = [1, 2, 3].map(WarehouseId);
    let found = plan(sourcing, &warehouses, &demands, &mut |stock| {
        let here = there.iter().find(|(warehouse, product, _)| at(*warehouse, *product) == stock);
        here.map_or(0, |(_, _, quantity)| *quantity)
    });
    read(found)
}

fn read(plan: Plan) -> Read {
    let allocation = |found: Allocation| {
        assert_eq!(found.hold, None);
        (found.line, found.warehouse.0, found.quantity)
    };
    let shortage = |short: Shortage| {
        assert_eq!((short.warehouse, short.frees_at), (None, None));
        (short.product.0, short.wanted, short.available)
    };
    let allocations = plan.allocations.into_iter().map(allocation).collect();
    (allocations, plan.shortages.into_iter().map(shortage).collect())
}

#[test]
fn priority_asks_in_the_shops_order_and_splits() {
    let there = [(1, 7, 2), (2, 7, 3), (3, 7, 9)];
    assert_eq!(planned(PRIORITY, &[(7, 2)], &there), (vec![(0, 1, 2)], vec![]));
    assert_eq!(planned(PRIORITY, &[(7, 6)], &there).0, [(0, 1, 2), (0, 2, 3), (0, 3, 1)]);
    assert_eq!(planned(PRIORITY, &[(7, 14)], &there).1, []);
}

#[test]
fn what_is_short_says_what_there_is() {
    let there = [(1, 7, 2), (3, 7, 3)];
    let (allocations, shortages) = planned(PRIORITY, &[(7, 6), (8, 1), (7, 1)], &there);
    assert_eq!(allocations[..2], [(0, 1, 2), (0, 3, 3)], "a part, for owners that take a part");
    assert_eq!(shortages, [(7, 6, 5), (8, 1, 0)]);
}

#[test]
fn the_most_stock_goes_first_and_equals_stay_in_the_shops_order() {
    let most = sourcing(Rule::MostStock, true);
    let there = [(1, 7, 2), (2, 7, 5), (3, 7, 5), (1, 8, 9)];
    assert_eq!(
        planned(most, &[(7, 11), (8, 1)], &there).0,
        [(0, 2, 5), (0, 3, 5), (0, 1, 1), (1, 1, 1)]
    );
}

#[test]
fn a_line_that_may_not_split_comes_from_one_warehouse() {
    let whole = sourcing(Rule::Priority, false);
    let there = [(1, 7, 2), (2, 7, 4), (3, 7, 9)];
    assert_eq!(planned(whole, &[(7, 3)], &there), (vec![(0, 2, 3)], vec![]));
    assert_eq!(planned(whole, &[(7, 10)], &there), (vec![(0, 3, 9)], vec![(7, 10, 9)]));
    let whole = sourcing(Rule::MostStock, false);
    assert_eq!(planned(whole, &[(7, 1)], &there).0, [(0, 3, 1)]);
    let tie = [(1, 7, 4), (2, 7, 4)];
    assert_eq!(planned(sourcing(Rule::Priority, false), &[(7, 9)], &tie).0, [(0, 1, 4)]);
}

#[test]
fn a_single_warehouse_gives_everything_or_the_order_is_short() {
    let single = sourcing(Rule::SingleWarehouse, true);
    let there = [(1, 7, 9), (2, 7, 3), (2, 8, 1), (3, 7, 3), (3, 8, 2)];
    assert_eq!(planned(single, &[(7, 3), (8, 1)], &there), (vec![(0, 2, 3), (1, 2, 1)], vec![]));
    assert_eq!(planned(single, &[(7, 3), (8, 2)], &there).0, [(0, 3, 3), (1, 3, 2)]);
    let (allocations, shortages) = planned(single, &[(7, 3), (8, 3)], &there);
    assert_eq!(allocations, [(0, 3, 3), (1, 3, 2)], "the one that can give most");
    assert_eq!(shortages, [(8, 3, 2)]);
}

#[test]
fn without_a_warehouse_everything_is_short_and_without_a_demand_nothing_is() {
    let demand = Demand { line: 0, product: ProductId(7), quantity: 2 };
    for rule in [Rule::Priority, Rule::MostStock, Rule::Nearest, Rule::SingleWarehouse] {
        for split in [true, false] {
            let none = plan(sourcing(rule, split), &[], &[demand], &mut |_| 9);
            assert_eq!(read(none), (vec![], vec![(7, 2, 0)]));
            let nothing = plan(sourcing(rule, split), &[], &[], &mut |_| 9);
            assert_eq!(nothing, Plan::default());
        }
    }
}

#[test]
fn a_hostile_availability_does_not_overflow() {
    let demand = |line| Demand { line, product: ProductId(7), quantity: 1_000_000_000 };
    let demands: Vec<_> = (0..2_000).map(demand).collect();
    for rule in [Rule::Priority, Rule::MostStock, Rule::SingleWarehouse] {
        let warehouses = [WarehouseId(1), WarehouseId(2)];
        let found = plan(sourcing(rule, true), &warehouses, &demands, &mut |_| u64::MAX);
        assert_eq!((found.allocations.len(), found.shortages.len()), (2_000, 0));
    }
}

fn held(product: u64, hold: u64, quantity: Quantity) -> Held {
    Held { stock: at(1, product), hold: ReservationId(hold), quantity }
}

#[test]
fn held_units_count_first_and_once() {
    let lines = [(ProductId(7), 5), (ProductId(8), 2), (ProductId(9), 1)];
    let (allocations, demands) =
        use_held(&lines, &[held(8, 3, 4), held(7, 3, 2), held(7, 4, 1), held(6, 4, 9)]);
    let take = |line, hold, quantity| Allocation {
        line,
        warehouse: WarehouseId(1),
        hold: Some(ReservationId(hold)),
        quantity,
    };
    assert_eq!(allocations, [take(0, 3, 2), take(0, 4, 1), take(1, 3, 2)]);
    let demand = |line, product, quantity| Demand { line, product: ProductId(product), quantity };
    assert_eq!(demands, [demand(0, 7, 2), demand(2, 9, 1)]);
}

/// docs/decisions/0007: a hold's promise is kept, and the rule is for what is still to be found.
#[test]
fn what_is_held_stays_where_it_is_and_the_rule_is_for_the_rest() {
    let lines = [(ProductId(7), 3), (ProductId(8), 2)];
    let (allocations, demands) = use_held(&lines, &[held(7, 3, 2)]);
    assert_eq!(allocations[0].warehouse, WarehouseId(1));
    let there = |key: StockKey| if key.warehouse == WarehouseId(2) { 5 } else { 0 };
    for sourcing in [sourcing(Rule::SingleWarehouse, true), sourcing(Rule::Priority, false)] {
        let asked = [WarehouseId(1), WarehouseId(2)];
        let rest = plan(sourcing, &asked, &demands, &mut { there });
        let from = |allocation: &Allocation| (allocation.line, allocation.warehouse.0);
        assert_eq!(rest.allocations.iter().map(from).collect::<Vec<_>>(), [(0, 2), (1, 2)]);
        assert!(rest.shortages.is_empty(), "held units count first: the order is not short");
    }
}

#[test]
fn held_units_of_one_entry_serve_two_lines_no_further_than_they_go() {
    let lines = [(ProductId(7), 3), (ProductId(7), 3)];
    let (allocations, demands) = use_held(&lines, &[held(7, 3, 4)]);
    let used: Quantity = allocations.iter().map(|allocation| allocation.quantity).sum();
    assert_eq!((used, demands.len(), demands[0].quantity), (4, 1, 2));
}

#[test]
fn the_planner_that_answers_available_is_the_one_that_allocates() {
    let stock = |on_hand, safety_stock| Stock { on_hand, safety_stock, ..Stock::default() };
    let stocks = [stock(3, 1), stock(0, 0), stock(9, 20)];
    let available: Quantity = stocks.iter().map(Stock::available).sum();
    for (wanted, enough) in [(available, true), (available + 1, false)] {
        let demand = Demand { line: 0, product: ProductId(7), quantity: wanted };
        let warehouses = [1, 2, 3].map(WarehouseId);
        let of = |key: StockKey| &stocks[key.warehouse.0 as usize - 1];
        let plan = plan(PRIORITY, &warehouses, &[demand], &mut |key| of(key).available());
        assert_eq!(plan.shortages.is_empty(), enough);
        for allocation in plan.allocations {
            let key = at(allocation.warehouse.0, 7);
            let owner = crate::Owner::order(crate::OrderId(1));
            let take = Take::Reserve { quantity: allocation.quantity };
            let granted = of(key).take(key, owner, 0, take).expect("what is planned is granted");
            let mut after = of(key).clone();
            after.evolve(&granted);
            let give = Give::Release { entry: owner, quantity: allocation.quantity };
            after.evolve(&StockEvent::Given { stock: key, owner, step: 1, give });
            assert_eq!(&after, of(key));
        }
    }
}

fn warehouses(places: &[Option<(i32, i32)>]) -> Vec<Arc<Warehouse>> {
    let warehouse = |(id, place_e6): (u64, &Option<(i32, i32)>)| {
        Arc::new(Warehouse {
            id: WarehouseId(id),
            name: "w".into(),
            country: None,
            place_e6: *place_e6,
            active: true,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        })
    };
    (1..).zip(places).map(warehouse).collect()
}

#[track_caller]
fn asked(rule: Rule, places: &[Option<(i32, i32)>], to: Option<(i32, i32)>, wanted: &[u64]) {
    let ship_to = to.map(|(latitude_e6, longitude_e6)| ShipTo { latitude_e6, longitude_e6 });
    let warehouses = warehouses(places);
    let found = candidates(rule, warehouses.iter(), ship_to);
    assert_eq!(found.iter().map(|id| id.0).collect::<Vec<_>>(), wanted);
}

#[test]
fn nearest_means_over_the_globe_not_over_the_map() {
    let degrees = |north: i32, east: i32| Some((north * 1_000_000, east * 1_000_000));
    let places = [degrees(0, 0), None, degrees(51, 0), degrees(40, -74), degrees(51, 0)];
    asked(Rule::Nearest, &places, degrees(48, 2), &[3, 5, 1, 4, 2]);
    asked(Rule::Nearest, &places, None, &[1, 2, 3, 4, 5]);
    asked(Rule::Priority, &places, degrees(48, 2), &[1, 2, 3, 4, 5]);
    // Across the date line 2 degrees apart; on a map 358.
    asked(Rule::Nearest, &[degrees(0, 100), degrees(0, -179)], degrees(0, 179), &[2, 1]);
    // Far north, a degree of longitude is short.
    asked(Rule::Nearest, &[degrees(80, 0), degrees(85, 40)], degrees(85, 0), &[2, 1]);
    asked(Rule::Nearest, &[degrees(0, 0), None], Some((i32::MIN, i32::MAX)), &[1, 2]);
}

#[test]
fn what_one_line_takes_of_a_hold_the_next_cannot_have() {
    let held = Held { stock: at(1, 7), hold: ReservationId(9), quantity: 5 };
    let (allocations, demands) = use_held(&[(ProductId(7), 3), (ProductId(7), 3)], &[held]);
    let used: Vec<_> = allocations.iter().map(|found| (found.line, found.quantity)).collect();
    assert_eq!(used, [(0, 3), (1, 2)]);
    assert_eq!(demands, [Demand { line: 1, product: ProductId(7), quantity: 1 }]);
}

#[test]
fn what_can_be_ordered_is_all_of_them_or_the_most_of_one() {
    let can = |sourcing| orderable(sourcing, [3, 9, 0].into_iter());
    assert_eq!(can(PRIORITY), 12);
    assert_eq!(can(sourcing(Rule::MostStock, true)), 12);
    assert_eq!(can(sourcing(Rule::Nearest, false)), 9);
    assert_eq!(can(sourcing(Rule::SingleWarehouse, true)), 9);
    assert_eq!(orderable(sourcing(Rule::SingleWarehouse, false), [].into_iter()), 0);
}
