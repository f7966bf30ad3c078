use std::sync::Arc;

use super::*;
use crate::{
    catalogue::{Catalogue, CatalogueCommand as C, ProductChange, ShopChange, WarehouseChange},
    limits::{
        ATTRIBUTES_MAX, LONG_TEXT_MAX, ORDER_LINES_MAX, PAYMENT_DEADLINE_MS_DEFAULT,
        PAYMENT_DEADLINE_MS_MAX, PRICE_MAX, QUANTITY_MAX, TEXT_MAX, TOTAL_MAX,
    },
    order::{Details, PlaceOrder, Quote, SealedDetails, ShipTo},
    sourcing::{Rule, Sourcing},
    testing::{catalogue, invalid, product, shop, shops, warehouse},
};

/// Warehouses 1 to 3 (Oslo, Rome, nowhere); shop 1 sells from all, shop 2 from (3, 1); products 1 (1.00), 2 (0.10),
/// 3 (in euros), 4 (sold by shop 2 only).
fn world() -> Catalogue {
    let euros = crate::catalogue::NewProduct { currency: Currency::EUR, ..product("euro", 5) };
    let elsewhere = crate::catalogue::NewProduct { shops: shops(&[2]), ..product("elsewhere", 5) };
    catalogue([
        C::CreateWarehouse(warehouse("oslo", Some((59, 10)))),
        C::CreateWarehouse(warehouse("rome", Some((41, 12)))),
        C::CreateWarehouse(warehouse("nowhere", None)),
        C::CreateShop(shop(Sourcing::default(), None)),
        C::CreateShop(shop(Sourcing { rule: Rule::Nearest, split_lines: false }, Some(&[3, 1, 2]))),
        C::CreateProduct(product("one", 100)),
        C::CreateProduct(product("two", 10)),
        C::CreateProduct(euros),
        C::CreateProduct(elsewhere),
    ])
}

fn changed(command: C) -> Catalogue {
    let mut world = world();
    let event = world.decide(&command, NOW).unwrap().expect("something changed");
    world.evolve(&event);
    world
}

fn order_of(of: &[(u64, Quantity)]) -> PlaceOrder {
    PlaceOrder::new(ShopId(1), lines(of).unwrap())
}

fn quote(of: &[(u64, Quantity)]) -> Result<Quote, Refusal> {
    order_of(of).quote(&world(), 0)
}

fn ids(of: &[u64]) -> Vec<WarehouseId> {
    of.iter().copied().map(WarehouseId).collect()
}

#[test]
fn the_same_product_twice_is_one_demand() {
    let quote = quote(&[(2, 1), (1, 2), (2, 3)]).unwrap();
    assert_eq!(quote.wanted(), [(ProductId(2), 4), (ProductId(1), 2)]);
    assert_eq!(quote.lines[0].unit_price, 10);
}

#[test]
fn lines_are_one_to_the_maximum() {
    invalid(quote(&[]), "lines");
    invalid(quote(&[(1, 1); ORDER_LINES_MAX + 1]), "lines");
    assert_eq!(quote(&[(1, 1); ORDER_LINES_MAX]).unwrap().wanted(), [(ProductId(1), 2_000)]);
}

#[test]
fn quantities_are_bounded_alone_and_in_sum() {
    for quantity in [0, QUANTITY_MAX + 1, u64::MAX] {
        invalid(quote(&[(1, 1), (2, quantity)]), "lines/1/quantity");
    }
    quote(&[(1, QUANTITY_MAX)]).unwrap();
    invalid(quote(&[(1, QUANTITY_MAX), (2, 1), (1, 1)]), "lines/2/quantity");
}

#[test]
fn a_total_that_no_reader_can_hold_is_refused_not_wrapped() {
    let too_large = Refusal::AmountTooLarge("total_price");
    let dear = |price| {
        let change = ProductChange { price: Some(price), ..Default::default() };
        changed(C::ChangeProduct { id: ProductId(1), expected: None, change })
    };
    let refused = order_of(&[(1, QUANTITY_MAX)]).quote(&dear(PRICE_MAX), 0);
    assert_eq!(refused, Err(too_large.clone()));
    let fits = (TOTAL_MAX / PRICE_MAX) as u64;
    let quote = order_of(&[(1, fits)]).quote(&dear(PRICE_MAX), 0).unwrap();
    assert_eq!(quote.lines[0].unit_price * quote.lines[0].quantity as Amount, TOTAL_MAX);
    assert_eq!(order_of(&[(1, fits), (2, 1)]).quote(&dear(PRICE_MAX), 0), Err(too_large));
}

#[test]
fn only_what_this_shop_can_sell_now_is_sold() {
    let not_found = |kind, id| Err(Refusal::NotFound { kind, id });
    assert_eq!(quote(&[(9, 1)]), not_found("product", 9));
    assert_eq!(quote(&[(u64::MAX, 1)]), not_found("product", u64::MAX));
    assert_eq!(quote(&[(0, 1)]), not_found("product", 0));
    assert_eq!(quote(&[(4, 1)]), Err(Refusal::ProductNotSoldHere(ProductId(4))));
    let (product, found, wanted) = (ProductId(3), Currency::EUR, Currency::USD);
    assert_eq!(quote(&[(3, 1)]), Err(Refusal::CurrencyMismatch { product, found, wanted }));
    let nowhere = PlaceOrder { shop: ShopId(7), ..order_of(&[(1, 1)]) };
    assert_eq!(nowhere.quote(&world(), 0), not_found("shop", 7));
    let archived = changed(C::ArchiveProduct { id: ProductId(1), expected: None });
    let refused = order_of(&[(1, 1)]).quote(&archived, 0);
    assert_eq!(refused, Err(Refusal::ProductArchived(ProductId(1))));
}

#[test]
fn a_customer_may_shorten_the_deadline_and_staff_may_set_it() {
    let quote = |ms, may_lengthen_deadline| {
        let request = order_of(&[(1, 1)]);
        let request = PlaceOrder { payment_deadline_ms: ms, may_lengthen_deadline, ..request };
        let quote = request.quote(&world(), 0)?;
        Ok(quote.place(request, ID, Vec::new(), NOW).payment_deadline_ms)
    };
    let default = PAYMENT_DEADLINE_MS_DEFAULT;
    for (ms, staff) in [(Some(default), false), (Some(1_000), false), (Some(default + 1), true)] {
        assert_eq!(quote(ms, staff).ok(), ms);
    }
    assert_eq!(quote(None, false), Ok(default));
    invalid(quote(Some(default + 1), false), "payment_deadline_seconds");
    for ms in [0, 999, PAYMENT_DEADLINE_MS_MAX + 1, u64::MAX] {
        invalid(quote(Some(ms), true), "payment_deadline_seconds");
    }
}

#[test]
fn what_is_seldom_given_is_checked_too() {
    let quote = |details: Details| {
        PlaceOrder { details: Some(Box::new(details)), ..order_of(&[(1, 1)]) }.quote(&world(), 0)
    };
    let text = |length| Some("x".repeat(length).into_boxed_str());
    quote(Details { note: text(LONG_TEXT_MAX), reference: text(TEXT_MAX), ..Details::default() })
        .unwrap();
    quote(Details { note: Some("two\nlines".into()), ..Details::default() }).unwrap();
    invalid(quote(Details { note: text(LONG_TEXT_MAX + 1), ..Details::default() }), "note");
    invalid(quote(Details { reference: text(TEXT_MAX + 1), ..Details::default() }), "reference");
    invalid(quote(Details { reference: text(0), ..Details::default() }), "reference");
    let many = (0..=ATTRIBUTES_MAX).map(|i| (i.to_string().into(), "v".into())).collect();
    invalid(quote(Details { metadata: many, ..Details::default() }), "metadata");
    let blank = [("".into(), "v".into())].into();
    invalid(quote(Details { metadata: blank, ..Details::default() }), "metadata");
}

#[test]
fn a_reservation_is_named_once() {
    let quote =
        |reservations| PlaceOrder { reservations, ..order_of(&[(1, 1)]) }.quote(&world(), 0);
    let ids = |ids: &[u64]| ids.iter().copied().map(ReservationId).collect::<Vec<_>>();
    quote(ids(&[1, 2])).unwrap();
    invalid(quote(ids(&[1, 2, 1])), "reservation_ids/2");
    invalid(quote((0..=ORDER_LINES_MAX as u64).map(ReservationId).collect()), "reservation_ids");
}

#[test]
fn warehouses_are_asked_in_the_shops_order_and_never_when_inactive() {
    assert_eq!(quote(&[(1, 1)]).unwrap().candidates, ids(&[1, 2, 3]));
    let from_shop_2 = PlaceOrder { shop: ShopId(2), ..order_of(&[(1, 1)]) };
    assert_eq!(from_shop_2.quote(&world(), 0).unwrap().candidates, ids(&[3, 1, 2]));
    let change = WarehouseChange { active: Some(false), ..Default::default() };
    let closed = changed(C::ChangeWarehouse { id: WarehouseId(1), expected: None, change });
    assert_eq!(order_of(&[(1, 1)]).quote(&closed, 0).unwrap().candidates, ids(&[2, 3]));
    assert_eq!(from_shop_2.quote(&closed, 0).unwrap().candidates, ids(&[3, 2]));
}

#[test]
fn the_nearest_warehouse_needs_a_place_to_be_near_to() {
    let ship_to = Some(ShipTo { latitude_e6: 45_000_000, longitude_e6: 9_000_000 });
    let details = Some(Box::new(Details { ship_to, ..Details::default() }));
    let near = PlaceOrder { shop: ShopId(2), details, ..order_of(&[(1, 1)]) };
    assert_eq!(near.quote(&world(), 0).unwrap().candidates, ids(&[2, 1, 3]));
    let priority = PlaceOrder { shop: ShopId(1), ..near };
    assert_eq!(priority.quote(&world(), 0).unwrap().candidates, ids(&[1, 2, 3]));
    for (latitude_e6, longitude_e6) in [(90_000_001, 0), (0, -180_000_001), (i32::MIN, i32::MAX)] {
        let ship_to = Some(ShipTo { latitude_e6, longitude_e6 });
        let details = Some(Box::new(Details { ship_to, ..Details::default() }));
        let nowhere = PlaceOrder { details, ..order_of(&[(1, 1)]) };
        invalid(nowhere.quote(&world(), 0), "ship_to");
    }
}

#[test]
fn an_order_keeps_the_price_and_the_deadline_it_was_placed_at() {
    let world = world();
    let request = order_of(&[(1, 2)]);
    let quote = request.quote(&world, 42).unwrap();
    let take =
        |line, quantity| Allocation { line, warehouse: WarehouseId(1), hold: None, quantity };
    let placed = quote.place(request, ID, vec![take(0, 2)], NOW);
    assert_eq!((placed.priced_at, placed.total(), placed.shop), (42, 200, ShopId(1)));
    assert_eq!(placed.payment_deadline(), NOW.plus_ms(PAYMENT_DEADLINE_MS_DEFAULT));
    let change = ShopChange { currency: Some(Currency::EUR), ..Default::default() };
    let after = changed(C::ChangeShop { id: ShopId(1), expected: None, change });
    assert!(order_of(&[(1, 2)]).quote(&after, 43).is_err(), "the shop sells in euros now");
    let order = Order::new(Arc::new(placed));
    assert_eq!((order.placed.currency, order.due()), (Currency::USD, 200));
}

#[test]
fn allocations_stand_in_line_order() {
    let request = order_of(&[(1, 2), (2, 1)]);
    let quote = request.quote(&world(), 0).unwrap();
    let take = |line, warehouse| Allocation { line, warehouse, hold: None, quantity: 1 };
    let all = [take(1, WarehouseId(1)), take(0, WarehouseId(2)), take(0, WarehouseId(1))];
    let placed = quote.place(request, ID, all.to_vec(), NOW);
    assert_eq!(placed.allocations, [all[1], all[2], all[0]]);
}

#[test]
fn what_is_personal_in_details_is_told_from_what_is_not() {
    let reference = || Details { reference: Some("A-1".into()), ..Details::default() };
    let note = || Details { note: Some("ring twice".into()), ..Details::default() };
    assert_eq!(Details::default().split(), (None, None));
    assert_eq!(reference().split(), (Some(reference()), None));
    assert_eq!(note().split(), (None, Some(note())));
    let both = Details { reference: reference().reference, ..note() };
    assert_eq!(both.split(), (Some(reference()), Some(note())));
}

#[test]
fn sealed_details_belong_to_the_placing() {
    let placed = quote(&[(1, 1)]).unwrap().place(order_of(&[(1, 1)]), OrderId(1), vec![], NOW);
    let mut order = crate::order::Order::new(Arc::new(placed));
    let before = order.clone();
    let sealed = crate::account::Sealed([1, 2, 3].into());
    let personal = Box::new(SealedDetails { key: crate::KeySlot(4), sealed });
    order.evolve(&OrderEvent::Personal { order: OrderId(1), personal: personal.clone() });
    assert_eq!(order, crate::order::Order { personal: Some(personal), ..before });
}
