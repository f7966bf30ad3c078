//! A plan says yes exactly when placing would: on the same state, whatever that is.

use std::time::Duration;

use proptest::prelude::*;
use stockade_actors::{Engine, Error};
use stockade_domain::{
    Currency, ProductId, Quantity, Refusal, ReservationId, ShopId, StockKey, WarehouseId,
    catalogue::{NewProduct, NewShop, NewWarehouse, WarehouseChange},
    holder::{PlaceHold, Source},
    order::{Details, LineQuantity, PlaceOrder, ShipTo},
    sourcing::{Rule, Sourcing},
    stock::StockCommand,
};

use crate::shop::{check, hold_of, order_of, product, still, wait};

const WAREHOUSES: usize = 3;
const PRODUCTS: usize = 2;

/// What becomes of a hold before the plan is asked for.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Live,
    Expired,
    Released,
    /// Another order took it over.
    Converted,
}

#[derive(Clone, Debug)]
struct Held {
    owner: Option<&'static str>,
    lines: Vec<(usize, Quantity)>,
    warehouse: Option<usize>,
    fate: Fate,
}

#[derive(Clone, Debug)]
struct State {
    sourcing: Sourcing,
    /// Which warehouses the shop asks, in this order; `None` is all of them.
    asks: Option<Vec<usize>>,
    active: [bool; WAREHOUSES],
    /// (on hand, safety stock, backorder limit)
    stocks: [[(Quantity, Quantity, Quantity); PRODUCTS]; WAREHOUSES],
    holds: Vec<Held>,
    wants: Vec<(usize, Quantity)>,
    /// Which of the holds the order names; one that never was is beyond them.
    names: Vec<usize>,
    ship_to: bool,
}

fn sourcing() -> impl Strategy<Value = Sourcing> {
    let rules = [Rule::Priority, Rule::MostStock, Rule::Nearest, Rule::SingleWarehouse];
    let rule = prop::sample::select(rules.to_vec());
    (rule, any::<bool>()).prop_map(|(rule, split_lines)| Sourcing { rule, split_lines })
}

fn held() -> impl Strategy<Value = Held> {
    let owner = prop::sample::select(vec![None, Some("ann"), Some("bob")]);
    let lines = prop::collection::vec((0..PRODUCTS, 1..4_u64), 1..3);
    let fates = prop_oneof![
        5 => Just(Fate::Live), 1 => Just(Fate::Expired),
        1 => Just(Fate::Released), 1 => Just(Fate::Converted),
    ];
    (owner, lines, prop::option::of(0..WAREHOUSES), fates)
        .prop_map(|(owner, lines, warehouse, fate)| Held { owner, lines, warehouse, fate })
}

fn state() -> impl Strategy<Value = State> {
    let stock = || (0..7_u64, 0..3_u64, 0..3_u64);
    let stocks = prop::array::uniform3(prop::array::uniform2(stock()));
    let asks = prop::option::of(
        Just((0..WAREHOUSES).collect::<Vec<_>>())
            .prop_shuffle()
            .prop_flat_map(|all| (1..=WAREHOUSES).prop_map(move |some| all[..some].to_vec())),
    );
    let active = prop::array::uniform3(prop::bool::weighted(0.8));
    let wants = prop::collection::vec((0..PRODUCTS, 1..8_u64), 1..4);
    let names = prop_oneof![
        9 => prop::sample::subsequence(vec![0, 1, 2], 0..=3), 1 => Just(vec![7]),
    ];
    let holds = prop::collection::vec(held(), 3);
    (sourcing(), asks, active, stocks, holds, wants, names, any::<bool>()).prop_map(
        |(sourcing, asks, active, stocks, holds, wants, names, ship_to)| State {
            sourcing,
            asks,
            active,
            stocks,
            holds,
            wants,
            names,
            ship_to,
        },
    )
}

fn warehouse(index: usize) -> WarehouseId {
    WarehouseId(index as u64 + 1)
}

fn lines(products: &[ProductId], of: &[(usize, Quantity)]) -> Vec<LineQuantity> {
    of.iter().map(|&(at, quantity)| LineQuantity { product: products[at], quantity }).collect()
}

/// An engine in this state, and the order that is asked for.
fn build(state: &State) -> (Engine, PlaceOrder) {
    let engine = still();
    for (index, degrees) in [(1, 20), (2, 10)] {
        let name = format!("warehouse {index}");
        let place_e6 = Some((degrees * 1_000_000, 0));
        let new = NewWarehouse { name, place_e6, ..NewWarehouse::default() };
        wait(engine.create_warehouse(new)).unwrap();
    }
    let new = || NewProduct::new("thing", 100, Currency::USD);
    let products: Vec<ProductId> =
        (0..PRODUCTS).map(|_| wait(engine.create_product(new())).unwrap().id).collect();
    for (at, of_warehouse) in state.stocks.iter().enumerate() {
        for (product, &(on_hand, safety_stock, backorder_limit)) in
            products.iter().zip(of_warehouse)
        {
            let stock = StockKey::new(warehouse(at), *product);
            let count = StockCommand::Recount { on_hand, reason: "counted".into() };
            wait(engine.change_stock(stock, count)).unwrap();
            let (safety_stock, backorder_limit) = (Some(safety_stock), Some(backorder_limit));
            let policy = StockCommand::SetPolicy { safety_stock, backorder_limit };
            wait(engine.change_stock(stock, policy)).unwrap();
        }
    }
    let warehouses = state.asks.as_ref().map(|asks| asks.iter().copied().map(warehouse).collect());
    let shop =
        NewShop { sourcing: state.sourcing, warehouses, ..NewShop::new("shop", Currency::USD) };
    let shop = wait(engine.create_shop(shop)).unwrap().id;
    let holds: Vec<ReservationId> =
        state.holds.iter().map(|held| hold(&engine, &products, shop, held)).collect();
    // The expired ones were held for a second, the others for an hour.
    wait(engine.advance(Duration::from_secs(2))).unwrap();
    for (at, active) in state.active.iter().enumerate() {
        let change = WarehouseChange { active: Some(*active), ..WarehouseChange::default() };
        wait(engine.change_warehouse(warehouse(at), None, change)).unwrap();
    }
    let name = |at: &usize| holds.get(*at).copied().unwrap_or(ReservationId(99));
    let ship_to = state.ship_to.then_some(ShipTo { latitude_e6: 0, longitude_e6: 0 });
    let request = PlaceOrder {
        reservations: state.names.iter().map(name).collect(),
        details: ship_to.map(|to| Box::new(Details { ship_to: Some(to), ..Details::default() })),
        ..PlaceOrder::new(shop, lines(&products, &state.wants))
    };
    (engine, request)
}

/// Places a hold and brings it to its fate; one that nothing is left for never was.
fn hold(engine: &Engine, products: &[ProductId], shop: ShopId, held: &Held) -> ReservationId {
    let source = held.warehouse.map_or(Source::Shop(shop), |at| Source::Warehouse(warehouse(at)));
    let ttl_ms = if matches!(held.fate, Fate::Expired) { 1_000 } else { 3_600_000 };
    let asked = PlaceHold {
        source,
        owner: held.owner.map(Into::into),
        scope: None,
        customer: None,
        lines: lines(products, &held.lines),
        ttl_ms,
        partial: true,
    };
    let Ok(hold) = wait(engine.reserve(asked)) else { return ReservationId(99) };
    match held.fate {
        Fate::Live | Fate::Expired => {}
        Fate::Released => drop(wait(engine.release_reservation(hold.id)).unwrap()),
        Fate::Converted => {
            let some = LineQuantity { product: hold.lines[0].0, quantity: 1 };
            let takes_over =
                PlaceOrder { reservations: vec![hold.id], ..PlaceOrder::new(shop, vec![some]) };
            // It may find nothing for its line in what is held: then the hold stays.
            drop(wait(engine.place_order(takes_over)));
        }
    }
    hold.id
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_complete_exactly_when_the_order_is_placed(state in state()) {
        let (engine, request) = build(&state);
        let planned = engine.plan(&request);
        let placed = wait(engine.place_order(request));
        match (planned, placed) {
            (Ok(planned), Ok(order)) => {
                prop_assert_eq!(planned.shortages, []);
                let mut allocations = planned.allocations;
                allocations.sort_by_key(|allocation| allocation.line);
                prop_assert_eq!(&allocations, &order.placed.allocations);
            }
            (Ok(planned), Err(Error::Refused(Refusal::InsufficientStock(short)))) => {
                let products = |short: &[stockade_domain::Shortage]| {
                    short.iter().map(|short| short.product).collect::<Vec<_>>()
                };
                prop_assert!(!short.is_empty());
                prop_assert_eq!(products(&planned.shortages), products(&short));
            }
            (planned, placed) => prop_assert_eq!(planned.err(), placed.err()),
        }
        check(&engine);
        engine.shutdown().unwrap();
    }
}

#[test]
fn a_plan_refuses_holds_that_are_no_more_as_placing_does() {
    let engine = still();
    let thing = product(&engine, 10);
    let expired = wait(engine.reserve(hold_of(None, &[(thing, 2)]))).unwrap().id;
    wait(engine.advance(Duration::from_secs(61))).unwrap();
    let converted = wait(engine.reserve(hold_of(None, &[(thing, 2)]))).unwrap().id;
    let order = PlaceOrder { reservations: vec![converted], ..order_of(&[(thing, 2)]) };
    let order = wait(engine.place_order(order)).unwrap().id();
    let live = wait(engine.reserve(hold_of(Some("ann"), &[(thing, 8)]))).unwrap().id;
    let with = |id| PlaceOrder { reservations: vec![id], ..order_of(&[(thing, 5)]) };
    let refused = |id| match engine.plan(&with(id)) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(expired), Refusal::ReservationExpired(expired));
    assert_eq!(refused(converted), Refusal::ReservationConverted { reservation: converted, order });
    let never = ReservationId(99);
    assert_eq!(refused(never), Refusal::NotFound { kind: "reservation", id: 99 });
    // Nothing is left but what is held.
    assert_eq!(engine.plan(&order_of(&[(thing, 1)])).unwrap().shortages.len(), 1);
    assert_eq!(engine.plan(&with(live)).unwrap().shortages, []);
}
