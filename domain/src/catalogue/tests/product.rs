use std::collections::BTreeSet;

use super::*;
use crate::{
    Currency, Shortage, StockKey,
    catalogue::{Counting, StockTotal},
    limits::{ATTRIBUTES_MAX, LONG_TEXT_MAX, ON_HAND_MAX, PRICE_MAX, QUANTITY_MAX, TEXT_MAX},
    testing::shops,
};

fn create(new: NewProduct) -> C {
    C::CreateProduct(new)
}

fn sku(sku: &str) -> ProductChange {
    ProductChange { sku: Some(sku.into()), ..Default::default() }
}

fn price(price: i64) -> ProductChange {
    ProductChange { price: Some(price), ..Default::default() }
}

fn back_on_sale() -> C {
    change(1, ProductChange { archived: Some(false), ..Default::default() })
}

fn recount(product: u64, warehouse: u64, delta: i64) -> ProductChange {
    let stock = StockKey::new(WarehouseId(warehouse), ProductId(product));
    ProductChange { recount: Some(StockDelta { stock, delta }), ..Default::default() }
}

#[test]
fn ids_are_given_in_order_and_skus_made_up_never_collide() {
    let world = world();
    assert_eq!(world.state().product(ProductId(1)).unwrap().sku.as_ref(), "P1");
    let taken =
        world.and(change(1, sku("P3"))).and(change(2, sku("P3-2"))).and(create(named("three")));
    let three = taken.state().product(ProductId(3)).unwrap();
    assert_eq!((three.sku.as_ref(), three.version, three.archived), ("P3-3", 1, false));
    assert_eq!(taken.state().product_by_sku("P3-3").unwrap().id, ProductId(3));
}

#[test]
fn a_sku_has_one_product() {
    let blue = || NewProduct { sku: Some("blue".into()), ..named("again") };
    let taken = Refusal::SkuTaken("blue".into());
    world().when(create(blue())).refused(taken.clone());
    world().when(change(1, sku("blue"))).refused(taken.clone());
    world().and(archive(2)).when(create(blue())).refused(taken);
    world().when(change(2, sku("blue"))).nothing();
    world().when(change(1, sku("BLUE"))).granted();
}

#[test]
fn a_sku_given_up_is_free_and_leads_nowhere() {
    let moved = world().and(change(2, sku("red")));
    assert!(moved.state().product_by_sku("blue").is_none());
    assert_eq!(moved.state().product_by_sku("red").unwrap().id, ProductId(2));
    let reused = moved.and(change(1, sku("blue")));
    assert_eq!(reused.state().product_by_sku("blue").unwrap().id, ProductId(1));
    reused.when(change(2, sku("blue"))).refused(Refusal::SkuTaken("blue".into()));
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    let many = (0..=ATTRIBUTES_MAX).map(|i| (i.to_string().into(), "v".into())).collect();
    let long_value = [("k".into(), too_long(LONG_TEXT_MAX).into())].into();
    let blank_key = [(" ".into(), "v".into())].into();
    let cases = [
        ("sku", NewProduct { sku: Some(String::new()), ..named("x") }),
        ("sku", NewProduct { sku: Some("a\tb".into()), ..named("x") }),
        ("sku", NewProduct { sku: Some(too_long(TEXT_MAX)), ..named("x") }),
        ("name", named(" ")),
        ("name", named(&too_long(TEXT_MAX))),
        ("description", NewProduct { description: too_long(LONG_TEXT_MAX), ..named("x") }),
        ("description", NewProduct { description: "\u{1b}[31m".into(), ..named("x") }),
        ("price", NewProduct { price: -1, ..named("x") }),
        ("price", NewProduct { price: i64::MIN, ..named("x") }),
        ("attributes", NewProduct { attributes: many, ..named("x") }),
        ("attributes/k", NewProduct { attributes: long_value, ..named("x") }),
        ("metadata", NewProduct { metadata: blank_key, ..named("x") }),
        ("reference", NewProduct { reference: Some(String::new()), ..named("x") }),
    ];
    for (field, new) in cases {
        world().when(create(new)).invalid(field);
    }
    let edge = NewProduct { price: PRICE_MAX, description: "two\nlines".into(), ..named("x") };
    world().when(create(edge)).granted();
    world().when(create(NewProduct { price: 0, ..named("x") })).granted();
    let too_large = Refusal::AmountTooLarge("price");
    world()
        .when(create(NewProduct { price: PRICE_MAX + 1, ..named("x") }))
        .refused(too_large.clone());
    world().when(change(1, price(PRICE_MAX + 1))).refused(too_large);
}

#[test]
fn shops_and_warehouses_that_are_named_exist() {
    let in_shop = NewProduct { shops: shops(&[1, 2]), ..named("x") };
    world().when(create(in_shop)).refused(not_found("shop", 2));
    let opening = Some((WarehouseId(3), 5));
    world().when(create(NewProduct { opening, ..named("x") })).refused(not_found("warehouse", 3));
    world().when(change(9, price(1))).refused(not_found("product", 9));
    world().when(change(0, price(1))).refused(not_found("product", 0));
    world().when(archive(u64::MAX)).refused(not_found("product", u64::MAX));
}

#[test]
fn an_opening_stock_is_given_once_or_not_at_all() {
    let opening =
        |quantity| create(NewProduct { opening: Some((WarehouseId(2), quantity)), ..named("x") });
    let events = world().when(opening(5)).events();
    let stock = StockKey::new(WarehouseId(2), ProductId(3));
    let [CatalogueEvent::ProductCreated { opening: Some(found), .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*found, (stock, 5));
    let events = world().when(opening(0)).events();
    let [CatalogueEvent::ProductCreated { opening: None, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    world().when(opening(QUANTITY_MAX + 1)).invalid("stock");
}

#[test]
fn a_stale_version_changes_nothing() {
    let stale = |command: fn(Option<u32>) -> C| {
        let changed = world().and(change(1, price(5)));
        changed.when(command(Some(2))).granted();
        for expected in [0, 1, 3] {
            let refusal = Refusal::VersionConflict { expected, current: 2 };
            changed.when(command(Some(expected))).refused(refusal);
        }
    };
    stale(|expected| C::ChangeProduct { id: ProductId(1), expected, change: price(6) });
    stale(|expected| C::ArchiveProduct { id: ProductId(1), expected });
}

#[test]
fn a_change_names_what_changes_and_leaves_the_rest() {
    let created = world().and(create(NewProduct {
        description: "old".into(),
        shops: shops(&[1]),
        reference: Some("ref".into()),
        attributes: [("colour".into(), "red".into())].into(),
        ..named("three")
    }));
    let before = created.state().product(ProductId(3)).unwrap().clone();
    let after = created.at(Timestamp(NOW.0 + 1)).and(change(3, price(7)));
    let after = after.state().product(ProductId(3)).unwrap();
    let mut wanted = crate::catalogue::Product::clone(&before);
    (wanted.price, wanted.version, wanted.updated_at) = (7, 2, Timestamp(NOW.0 + 1));
    assert_eq!(**after, wanted);
    let all = ProductChange {
        sku: Some("s".into()),
        name: Some("n".into()),
        description: Some(String::new()),
        price: Some(0),
        currency: Some(Currency::EUR),
        shops: Some(BTreeSet::new()),
        attributes: Some(Default::default()),
        reference: Some(None),
        metadata: Some([("k".into(), "v".into())].into()),
        archived: None,
        recount: None,
        total: None,
    };
    let after = world().and(change(1, all.clone()));
    let after = after.state().product(ProductId(1)).unwrap().clone();
    assert_eq!(
        (after.sku.as_ref(), after.name.as_ref(), after.currency),
        ("s", "n", Currency::EUR)
    );
    assert_eq!((after.price, after.reference.clone(), after.metadata.len()), (0, None, 1));
    world().and(change(1, all.clone())).when(change(1, all)).nothing();
}

#[test]
fn an_archived_product_can_only_come_back() {
    let archived = world().and(archive(1));
    assert!(archived.state().product(ProductId(1)).unwrap().archived);
    archived.when(archive(1)).nothing();
    let refusal = Refusal::ProductArchived(ProductId(1));
    archived.when(change(1, price(5))).refused(refusal.clone());
    archived.when(change(1, recount(1, 1, 5))).refused(refusal);
    let back = archived.clone().and(back_on_sale());
    assert!(!back.state().product(ProductId(1)).unwrap().archived);
    let events = world().when(archive(1)).events();
    assert!(matches!(events[..], [CatalogueEvent::ProductArchived { .. }]));
    let events = archived.when(back_on_sale()).events();
    assert!(matches!(events[..], [CatalogueEvent::ProductUpdated { recount: None, .. }]));
}

#[test]
fn a_recount_rides_on_the_change_of_its_product() {
    let found = world().when(change(1, recount(1, 2, -5))).events();
    let [CatalogueEvent::ProductUpdated { product, recount: Some(delta) }] = &found[..] else {
        panic!("{found:?}")
    };
    let stock = StockKey::new(WarehouseId(2), ProductId(1));
    assert_eq!((product.version, *delta), (2, StockDelta { stock, delta: -5 }));
    world().when(change(1, recount(1, 2, 0))).nothing();
}

#[test]
fn a_recount_is_of_this_product_somewhere_that_exists_and_within_limits() {
    let given = world();
    given.when(change(1, recount(2, 1, 5))).invalid("stock");
    given.when(change(1, recount(1, 3, 5))).refused(not_found("warehouse", 3));
    given.when(change(1, recount(1, 1, QUANTITY_MAX as i64))).granted();
    given.when(change(1, recount(1, 1, -(ON_HAND_MAX as i64)))).granted();
    for delta in [QUANTITY_MAX as i64 + 1, i64::MAX, -(ON_HAND_MAX as i64) - 1, i64::MIN] {
        given.when(change(1, recount(1, 1, delta))).invalid("stock");
    }
}

#[test]
fn archiving_never_drops_a_recount_whose_minus_was_taken() {
    let both = ProductChange { archived: Some(true), ..recount(1, 1, -5) };
    world().when(change(1, both)).invalid("stock");
    let both = ProductChange { archived: Some(true), ..recount(1, 1, 0) };
    world().when(change(1, both)).granted();
}

/// A change of product 1's total, as seen; the catalogue's part of it.
fn counting(given: &Given<Catalogue>, change: ProductChange, total: StockTotal) -> Counting {
    let change = ProductChange { total: Some(total), ..change };
    let command = C::ChangeProduct { id: ProductId(1), expected: None, change };
    given.state().counting(&command, NOW).unwrap().expect("it is about a total")
}

fn wanted(wanted: u64) -> StockTotal {
    StockTotal { wanted, warehouse: WarehouseId(2), seen: None }
}

#[test]
fn a_total_is_decided_by_what_there_is_in_all_warehouses() {
    let given = world();
    let (there, removable) = (10, 6);
    for (total, delta) in [(10, None), (12, Some(2)), (4, Some(-6)), (500, Some(490))] {
        let event = counting(&given, ProductChange::default(), wanted(total))
            .decide(there, removable)
            .unwrap();
        let corrected = event.map(|event| match event {
            CatalogueEvent::ProductUpdated { product, recount: Some(recount) } => {
                assert_eq!((product.version, recount.stock.warehouse), (2, WarehouseId(2)));
                recount.delta
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(corrected, delta);
    }
    let too_few = counting(&given, ProductChange::default(), wanted(3)).decide(there, removable);
    let short = Shortage {
        product: ProductId(1),
        warehouse: Some(WarehouseId(2)),
        wanted: 4,
        available: 3,
        frees_at: None,
    };
    assert_eq!(too_few, Err(Refusal::InsufficientStock(vec![short])));
    // The rest of the change happens whether or not the total was right already.
    let event = counting(&given, price(5), wanted(10)).decide(there, removable).unwrap();
    assert!(matches!(event, Some(CatalogueEvent::ProductUpdated { recount: None, .. })));
}

#[test]
fn a_total_that_is_not_what_was_seen_is_a_conflict_whatever_is_wanted() {
    let seen = |total| StockTotal { seen: Some(10), ..wanted(total) };
    let changed = Refusal::StockChanged { product: ProductId(1), seen: 10, there: 9 };
    for total in [9, 10, 11] {
        let counting = counting(&world(), ProductChange::default(), seen(total));
        assert_eq!(counting.decide(9, 9), Err(changed.clone()));
        assert!(counting.decide(10, 10).is_ok());
    }
}

#[test]
fn a_total_of_an_archived_product_stays() {
    let archiving = ProductChange { archived: Some(true), ..Default::default() };
    let going = counting(&world(), archiving.clone(), wanted(5));
    assert!(matches!(going.decide(6, 6), Err(Refusal::Invalid { field, .. }) if field == "stock"));
    let event = going.decide(5, 5).unwrap();
    assert!(matches!(event, Some(CatalogueEvent::ProductArchived { .. })));
    let gone = counting(&world().and(archive(1)), ProductChange::default(), wanted(5));
    assert_eq!(gone.decide(6, 6), Err(Refusal::ProductArchived(ProductId(1))));
    assert_eq!(gone.decide(5, 5), Ok(None));
}

#[test]
fn a_total_is_somewhere_that_exists_within_limits_and_no_difference_beside_it() {
    let world = world();
    let ask = |change: ProductChange, total| {
        let change = ProductChange { total: Some(total), ..change };
        let command = C::ChangeProduct { id: ProductId(1), expected: None, change };
        world.state().counting(&command, NOW).map(drop)
    };
    assert_eq!(ask(ProductChange::default(), wanted(ON_HAND_MAX)), Ok(()));
    let nowhere = StockTotal { warehouse: WarehouseId(3), ..wanted(1) };
    assert_eq!(ask(ProductChange::default(), nowhere), Err(not_found("warehouse", 3)));
    let field = |refused| match refused {
        Err(Refusal::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(ask(ProductChange::default(), wanted(ON_HAND_MAX + 1))), "stock");
    assert_eq!(field(ask(recount(1, 1, 5), wanted(1))), "stock");
}
