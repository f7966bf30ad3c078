use super::*;
use crate::{
    Currency,
    catalogue::{Catalogue, CatalogueCommand as C, NewProduct, WarehouseChange},
    holder::HoldQuote,
    limits::{HOLD_LINES_MAX, HOLD_TTL_MS_MAX, QUANTITY_MAX, TEXT_MAX},
    sourcing::{Rule, Sourcing},
    testing::{catalogue, invalid, product, shop, shops, warehouse},
};

/// Warehouses 1 (active) and 2 (inactive), shop 1, products: 1, 2 in euros, 3 of another shop, 4 archived.
fn world() -> Catalogue {
    let inactive = WarehouseChange { active: Some(false), ..Default::default() };
    let sourcing = Sourcing { rule: Rule::MostStock, split_lines: false };
    catalogue([
        C::CreateWarehouse(warehouse("open", None)),
        C::CreateWarehouse(warehouse("closed", None)),
        C::ChangeWarehouse { id: WarehouseId(2), expected: None, change: inactive },
        C::CreateShop(shop(sourcing, Some(&[2, 1]))),
        C::CreateShop(shop(sourcing, None)),
        C::CreateProduct(product("one", 1)),
        C::CreateProduct(NewProduct { currency: Currency::EUR, ..product("euro", 1) }),
        C::CreateProduct(NewProduct { shops: shops(&[2]), ..product("elsewhere", 1) }),
        C::CreateProduct(product("old", 1)),
        C::ArchiveProduct { id: ProductId(4), expected: None },
    ])
}

fn quote(request: &PlaceHold) -> Result<HoldQuote, Refusal> {
    request.quote(&world())
}

fn from_warehouse(id: u64, product: u64) -> PlaceHold {
    PlaceHold { source: Source::Warehouse(WarehouseId(id)), ..request(&[(product, 1)]) }
}

#[test]
fn a_hold_from_a_shop_draws_from_its_active_warehouses_by_its_rule() {
    let quote = quote(&request(&[(1, 2), (1, 3)])).unwrap();
    assert_eq!(quote.candidates, [WarehouseId(1)]);
    assert_eq!(quote.lines, [(ProductId(1), 5)]);
    assert_eq!(quote.sourcing.rule, Rule::MostStock);
}

#[test]
fn a_hold_from_a_warehouse_needs_it_active() {
    assert_eq!(quote(&from_warehouse(1, 1)).unwrap().candidates, [WarehouseId(1)]);
    quote(&from_warehouse(1, 2)).expect("a warehouse has no currency");
    let inactive = Refusal::WarehouseInactive(WarehouseId(2));
    assert_eq!(quote(&from_warehouse(2, 1)), Err(inactive));
    let unknown = Refusal::NotFound { kind: "warehouse", id: 3 };
    assert_eq!(quote(&from_warehouse(3, 1)), Err(unknown));
}

#[test]
fn what_cannot_be_sold_cannot_be_held() {
    let unknown = Refusal::NotFound { kind: "product", id: 9 };
    let archived = Refusal::ProductArchived(ProductId(4));
    assert_eq!(quote(&request(&[(9, 1)])), Err(unknown.clone()));
    assert_eq!(quote(&from_warehouse(1, 9)), Err(unknown));
    assert_eq!(quote(&request(&[(1, 1), (4, 1)])), Err(archived.clone()));
    assert_eq!(quote(&from_warehouse(1, 4)), Err(archived));
    let elsewhere = Refusal::ProductNotSoldHere(ProductId(3));
    assert_eq!(quote(&request(&[(3, 1)])), Err(elsewhere));
    assert!(matches!(quote(&request(&[(2, 1)])), Err(Refusal::CurrencyMismatch { .. })));
    let nowhere = PlaceHold { source: Source::Shop(ShopId(7)), ..request(&[(1, 1)]) };
    assert_eq!(quote(&nowhere), Err(Refusal::NotFound { kind: "shop", id: 7 }));
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    for ttl_ms in [0, 999, HOLD_TTL_MS_MAX + 1, u64::MAX] {
        invalid(quote(&PlaceHold { ttl_ms, ..request(&[(1, 1)]) }), "ttl_seconds");
    }
    for owner in [String::new(), "x".repeat(TEXT_MAX + 1), "a\nb".into()] {
        invalid(quote(&PlaceHold { owner: Some(owner), ..request(&[(1, 1)]) }), "owner");
    }
    invalid(quote(&request(&[])), "lines");
    invalid(quote(&request(&vec![(1, 1); HOLD_LINES_MAX + 1])), "lines");
    for quantity in [0, QUANTITY_MAX + 1, u64::MAX] {
        invalid(quote(&request(&[(1, quantity)])), "lines/0/quantity");
    }
    invalid(quote(&request(&[(1, QUANTITY_MAX), (1, 1)])), "lines/1/quantity");
}

#[test]
fn who_decides_about_a_hold() {
    let id = ReservationId(3);
    let key = |customer, owner: Option<&str>| {
        PlaceHold { customer, owner: owner.map(Into::into), ..request(&[(1, 1)]) }.key(id)
    };
    let customer = HolderKey::Customer(CustomerId(1));
    assert_eq!(key(Some(CustomerId(1)), None), customer);
    assert_eq!(key(Some(CustomerId(1)), Some("cart")), customer);
    assert_eq!(key(None, Some("cart")), HolderKey::Named("cart".into()));
    assert_eq!(key(None, None), HolderKey::Single(id));
    let scoped = |scope: &str, owner: &str| {
        let (customer, scope, owner) = (None, Some(scope.into()), Some(owner.into()));
        PlaceHold { customer, scope, owner, ..request(&[(1, 1)]) }
    };
    let own = scoped("web", "cart").key(id);
    assert_eq!(own, scoped("web", "cart").key(ReservationId(4)));
    for other in [scoped("till", "cart"), scoped("web", "cart 2"), scoped("webc", "art")] {
        assert_ne!(own, other.key(id));
    }
    // Whoever has no scope cannot write himself into another's.
    let HolderKey::Named(name) = own else { panic!("{own:?}") };
    let forged = PlaceHold { owner: Some(name.into()), ..request(&[(1, 1)]) };
    assert!(matches!(forged.quote(&world()), Err(Refusal::Invalid { .. })));
}
