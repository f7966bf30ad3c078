use super::*;
use crate::{
    Currency,
    limits::{PAYMENT_DEADLINE_MS_MAX, SHOP_WAREHOUSES_MAX, TEXT_MAX},
};

fn create(new: NewShop) -> C {
    C::CreateShop(new)
}

fn plain() -> NewShop {
    shop(Sourcing::default(), None)
}

fn change_shop(id: u64, expected: Option<u32>, change: ShopChange) -> C {
    C::ChangeShop { id: ShopId(id), expected, change }
}

fn drawing_from(ids: &[u64]) -> ShopChange {
    let warehouses = Some(ids.iter().copied().map(WarehouseId).collect());
    ShopChange { warehouses, ..Default::default() }
}

fn sources(given: &Given<Catalogue>) -> Vec<u64> {
    let shop = given.state().shop(ShopId(1)).unwrap();
    given.state().sources(shop).map(|warehouse| warehouse.id.0).collect()
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    let deadline = |payment_deadline_ms| NewShop { payment_deadline_ms, ..plain() };
    let name = |name: &str| NewShop { name: name.into(), ..plain() };
    for (field, new) in [
        ("name", name("")),
        ("name", name(&too_long(TEXT_MAX))),
        ("payment_deadline_seconds", deadline(999)),
        ("payment_deadline_seconds", deadline(PAYMENT_DEADLINE_MS_MAX + 1)),
        ("warehouse_ids/1", shop(Sourcing::default(), Some(&[2, 2]))),
    ] {
        world().when(create(new)).invalid(field);
    }
    world().when(create(deadline(1_000))).granted();
    world().when(create(deadline(PAYMENT_DEADLINE_MS_MAX))).granted();
    let unknown = shop(Sourcing::default(), Some(&[1, 3]));
    world().when(create(unknown)).refused(not_found("warehouse", 3));
}

#[test]
fn a_shops_list_of_warehouses_is_bounded() {
    let mut given = world();
    for _ in 0..SHOP_WAREHOUSES_MAX {
        given = given.and(C::CreateWarehouse(warehouse("more", None)));
    }
    let all: Vec<u64> = (1..=SHOP_WAREHOUSES_MAX as u64 + 1).collect();
    given.when(change_shop(1, None, drawing_from(&all))).invalid("warehouse_ids");
    given.when(change_shop(1, None, drawing_from(&all[1..]))).granted();
}

#[test]
fn a_shop_without_a_list_draws_from_every_active_warehouse_also_later_ones() {
    assert_eq!(sources(&world()), [1, 2]);
    let grown = world().and(C::CreateWarehouse(warehouse("west", None)));
    assert_eq!(sources(&grown), [1, 2, 3]);
    let listed = grown.and(change_shop(1, None, drawing_from(&[3, 1])));
    assert_eq!(sources(&listed), [3, 1]);
    let change = WarehouseChange { active: Some(false), ..Default::default() };
    let closed = listed.and(C::ChangeWarehouse { id: WarehouseId(3), expected: None, change });
    assert_eq!(sources(&closed), [1]);
}

#[test]
fn a_change_names_what_changes_and_leaves_the_rest() {
    let sourcing = Sourcing { rule: Rule::MostStock, split_lines: false };
    let all = ShopChange {
        name: Some("renamed".into()),
        currency: Some(Currency::JPY),
        payment_deadline_ms: Some(5_000),
        rule: Some(sourcing.rule),
        split_lines: Some(sourcing.split_lines),
        ..drawing_from(&[2])
    };
    let after = world().and(change_shop(1, None, all.clone()));
    after.when(change_shop(1, None, all)).nothing();
    let renamed = ShopChange { name: Some("again".into()), ..Default::default() };
    let after = after.and(change_shop(1, Some(2), renamed));
    let shop = after.state().shop(ShopId(1)).unwrap();
    assert_eq!((shop.name.as_ref(), shop.currency, shop.version), ("again", Currency::JPY, 3));
    assert_eq!((shop.payment_deadline_ms, shop.sourcing), (5_000, sourcing));
    let by_distance = ShopChange { rule: Some(Rule::Nearest), ..Default::default() };
    let after = after.and(change_shop(1, None, by_distance));
    let half = Sourcing { rule: Rule::Nearest, ..sourcing };
    assert_eq!(after.state().shop(ShopId(1)).unwrap().sourcing, half, "each half is for itself");
}

#[test]
fn a_stale_version_or_an_unknown_shop_changes_nothing() {
    let stale = Refusal::VersionConflict { expected: 2, current: 1 };
    world().when(change_shop(1, Some(2), drawing_from(&[]))).refused(stale);
    world().when(change_shop(2, None, drawing_from(&[]))).refused(not_found("shop", 2));
    world().when(change_shop(0, None, drawing_from(&[]))).refused(not_found("shop", 0));
}

#[test]
fn pages_begin_after_an_id() {
    let ids = |after| world().state().products_after(after).map(|p| p.id.0).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1)), (vec![1, 2], vec![2]));
    assert_eq!((ids(2), ids(u64::MAX)), (vec![], vec![]));
    assert_eq!(world().state().shops_after(0).count(), 1);
    assert_eq!(world().state().warehouses_after(1).count(), 1);
}
