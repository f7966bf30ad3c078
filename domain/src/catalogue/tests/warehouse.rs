use super::*;

fn change_warehouse(id: u64, expected: Option<u32>, change: WarehouseChange) -> C {
    C::ChangeWarehouse { id: WarehouseId(id), expected, change }
}

fn active(active: bool) -> WarehouseChange {
    WarehouseChange { active: Some(active), ..Default::default() }
}

fn at(north: Option<i32>, east: Option<i32>) -> WarehouseChange {
    WarehouseChange { latitude_e6: Some(north), longitude_e6: Some(east), ..Default::default() }
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    let in_country =
        |country: &str| NewWarehouse { country: Some(country.into()), ..warehouse("x", None) };
    let at = |north, east| NewWarehouse { place_e6: Some((north, east)), ..warehouse("x", None) };
    for (field, new) in [
        ("name", warehouse(" ", None)),
        ("country", in_country("")),
        ("country", in_country("no")),
        ("country", in_country("NOR")),
        ("country", in_country("Å")),
        ("latitude", at(90_000_001, 0)),
        ("latitude", at(i32::MIN, 0)),
        ("latitude", at(0, -180_000_001)),
    ] {
        world().when(C::CreateWarehouse(new)).invalid(field);
    }
    world().when(C::CreateWarehouse(in_country("NO"))).granted();
    world().when(C::CreateWarehouse(at(-90_000_000, 180_000_000))).granted();
}

#[test]
fn opening_and_closing_has_its_own_event_and_a_repeat_has_none() {
    let events = world().when(change_warehouse(1, None, active(false))).events();
    let [CatalogueEvent::WarehouseStatusChanged(closed)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(!closed.active);
    let given = world().and(change_warehouse(1, None, active(false)));
    given.when(change_warehouse(1, None, active(false))).nothing();
    let open = given.and(change_warehouse(1, Some(2), active(true)));
    assert!(open.state().warehouse(WarehouseId(1)).unwrap().active);
    world().when(change_warehouse(1, None, active(true))).nothing();
}

#[test]
fn a_change_names_what_changes_and_leaves_the_rest() {
    let placed = WarehouseChange { country: Some(Some("NO".into())), ..at(Some(1), Some(2)) };
    let given = world().and(change_warehouse(1, None, placed));
    let renamed = WarehouseChange { name: Some("renamed".into()), ..Default::default() };
    let given = given.and(change_warehouse(1, None, renamed));
    let found = given.state().warehouse(WarehouseId(1)).unwrap();
    assert_eq!((found.name.as_ref(), found.place_e6, found.version), ("renamed", Some((1, 2)), 3));
    assert_eq!(found.country.as_deref(), Some("NO"));
    let nowhere = WarehouseChange { country: Some(None), ..at(None, None) };
    let given = given.and(change_warehouse(1, None, nowhere));
    let found = given.state().warehouse(WarehouseId(1)).unwrap();
    assert_eq!((found.place_e6, &found.country), (None, &None));
}

#[test]
fn each_half_of_a_place_changes_for_itself_but_half_a_place_is_none() {
    let north = |north| WarehouseChange { latitude_e6: Some(north), ..Default::default() };
    let half = change_warehouse(1, None, north(Some(5)));
    world().when(half).invalid("longitude");
    let given = world().and(change_warehouse(1, None, at(Some(1), Some(2))));
    let moved = given.and(change_warehouse(1, None, north(Some(5))));
    assert_eq!(moved.state().warehouse(WarehouseId(1)).unwrap().place_e6, Some((5, 2)));
    moved.when(change_warehouse(1, None, north(None))).invalid("latitude");
    moved.when(change_warehouse(1, None, north(Some(90_000_001)))).invalid("latitude");
}

#[test]
fn a_stale_version_or_an_unknown_warehouse_changes_nothing() {
    let stale = Refusal::VersionConflict { expected: 7, current: 1 };
    world().when(change_warehouse(1, Some(7), active(false))).refused(stale);
    let unknown = change_warehouse(3, None, active(false));
    world().when(unknown).refused(not_found("warehouse", 3));
    let unknown = change_warehouse(u64::MAX, None, active(false));
    world().when(unknown).refused(not_found("warehouse", u64::MAX));
}
