use super::*;
use crate::limits::{HOLDS_PER_OWNER_MAX, HOLDS_PER_PRODUCT_MAX};

fn ids(ids: &[u64]) -> Vec<ReservationId> {
    ids.iter().copied().map(ReservationId).collect()
}

#[test]
fn a_retry_is_not_blocked_by_its_own_hold() {
    let first = nobody().and(in_cart(1, "a", &[(1, 5)]));
    let placed = one_placed(first.when(in_cart(2, "a", &[(1, 5)])).events());
    assert_eq!((placed.replaces, placed.surplus), (ids(&[1]), vec![]));
    assert_eq!(placed.allocations.len(), 1);
    assert_eq!(placed.allocations[0].hold, Some(ReservationId(1)), "nothing more is reserved");
    let after = first.and(in_cart(2, "a", &[(1, 5)]));
    assert_eq!(hold(&after, 1).status, HoldStatus::Released);
    assert_eq!(held(&after, 2), [(1, 1, 5)]);
    after.at(DEADLINE).when(expire(1)).nothing();
}

#[test]
fn growth_is_reserved_and_surplus_given_back() {
    let grown = nobody().and(in_cart(1, "a", &[(1, 5)])).and(in_cart(2, "a", &[(1, 8)]));
    assert_eq!(held(&grown, 2), [(1, 1, 5), (1, 2, 3)]);
    let shrunk = one_placed(grown.when(in_cart(3, "a", &[(1, 2)])).events());
    assert_eq!(shrunk.surplus, [release(1, 1, 3), release(1, 2, 3)]);
    let after = grown.and(in_cart(3, "a", &[(1, 2)]));
    assert_eq!(held(&after, 3), [(1, 1, 2)]);
    let HoldEvent::Released(ended) = &after.when(let_go(3)).events()[0] else { panic!("released") };
    assert_eq!(ended.releases, [release(1, 1, 2)], "under the entry the stock knows");
}

#[test]
fn a_hold_loses_only_the_products_that_the_new_one_names() {
    let both = nobody().and(in_cart(1, "a", &[(1, 5), (2, 3), (3, 1)]));
    let after = both.and(in_cart(2, "a", &[(2, 4)]));
    assert_eq!(
        (held(&after, 1), held(&after, 2)),
        (vec![(1, 1, 5), (3, 1, 1)], vec![(2, 1, 3), (2, 2, 1)])
    );
    assert_eq!(hold(&after, 1).status, HoldStatus::Active);
    let lines: Vec<u64> = hold(&after, 1).lines.iter().map(|(product, _)| product.0).collect();
    assert_eq!(lines, [1, 3]);
    let HoldEvent::Expired(ended) = &after.at(DEADLINE).when(expire(1)).events()[0] else {
        panic!("expired")
    };
    assert_eq!(ended.releases, [release(1, 1, 5), release(3, 1, 1)]);
}

#[test]
fn one_hold_may_replace_parts_of_several() {
    let two = nobody().and(in_cart(1, "a", &[(1, 5), (9, 1)])).and(in_cart(2, "a", &[(2, 3)]));
    let placed = one_placed(two.when(in_cart(3, "a", &[(1, 4), (2, 4)])).events());
    assert_eq!((placed.replaces, placed.surplus), (ids(&[1, 2]), vec![release(1, 1, 1)]));
    let after = two.and(in_cart(3, "a", &[(1, 4), (2, 4)]));
    assert_eq!(held(&after, 3), [(1, 1, 4), (2, 2, 3), (2, 3, 1)]);
    assert_eq!((held(&after, 1), hold(&after, 2).status), (vec![(9, 1, 1)], HoldStatus::Released));
}

#[test]
fn another_cart_another_customer_or_no_name_replaces_nothing() {
    let first = nobody().and(in_cart(1, "a", &[(1, 5)]));
    for ask in [in_cart(2, "b", &[(1, 5)]), place(2, &[(1, 5)]), in_cart(2, "a", &[(2, 5)])] {
        let placed = one_placed(first.when(ask).events());
        assert_eq!((placed.replaces, placed.surplus), (vec![], vec![]));
    }
    let anonymous = nobody().and(place(1, &[(1, 5)]));
    let placed = one_placed(anonymous.when(place(2, &[(1, 5)])).events());
    assert!(placed.replaces.is_empty(), "no name is not a shared name");
    let other = PlaceHold { customer: Some(CustomerId(2)), ..request(&[(1, 5)]) };
    assert_ne!(other.key(ReservationId(2)), request(&[(1, 5)]).key(ReservationId(1)));
}

#[test]
fn a_hold_that_ended_or_is_becoming_an_order_is_not_replaced() {
    let first = nobody().and(in_cart(1, "a", &[(1, 5)]));
    let claimed = first.clone().and(Ask::Claim(1, 4));
    let ended = first.clone().and(let_go(1));
    let expired = first.at(DEADLINE).and(expire(1));
    for given in [claimed, ended, expired] {
        let placed = one_placed(given.when(in_cart(2, "a", &[(1, 5)])).events());
        assert_eq!((placed.replaces, placed.surplus), (vec![], vec![]));
        assert_eq!(placed.allocations[0].hold, None);
    }
}

#[test]
fn a_customer_cannot_hoard_a_product() {
    let mut given = nobody();
    for id in 1..=HOLDS_PER_PRODUCT_MAX as u64 {
        given = given.and(in_cart(id, &format!("cart {id}"), &[(1, 1), (id + 100, 1)]));
    }
    let next = HOLDS_PER_PRODUCT_MAX as u64 + 1;
    given.when(place(next, &[(2, 1), (1, 1)])).refused(Refusal::TooManyHolds);
    given.when(place(next, &[(2, 1)])).granted();
    given.when(in_cart(next, "cart 1", &[(1, 2)])).granted();
    given.clone().and(let_go(1)).when(place(next, &[(1, 1)])).granted();
    given.and(Ask::Claim(1, 4)).when(place(next, &[(1, 1)])).refused(Refusal::TooManyHolds);
}

#[test]
fn staff_may_hold_a_product_often_but_not_without_end() {
    let staff = |id: u64| {
        Ask::Place(
            id,
            PlaceHold { customer: None, owner: Some("b2b".into()), ..request(&[(id, 1)]) },
        )
    };
    let mut given = nobody();
    for id in 1..=HOLDS_PER_OWNER_MAX as u64 {
        given = given.and(staff(id));
    }
    given.when(staff(5_000)).refused(Refusal::TooManyHolds);
    let again = PlaceHold { customer: None, owner: Some("b2b".into()), ..request(&[(1, 2)]) };
    given.when(Ask::Place(5_000, again)).granted();
}

#[test]
fn a_hold_that_keeps_a_part_still_counts() {
    let cart = |id: u64, lines: &[(u64, Quantity)]| {
        let named = PlaceHold { customer: None, owner: Some("b2b".into()), ..request(lines) };
        Ask::Place(id, named)
    };
    let mut given = nobody();
    for id in 1..=HOLDS_PER_OWNER_MAX as u64 {
        given = given.and(cart(id, &[(id, 1), (id + 10_000, 1)]));
    }
    given.when(cart(5_000, &[(1, 1)])).refused(Refusal::TooManyHolds);
    given.when(cart(5_000, &[(1, 1), (10_001, 1)])).granted();
}

#[test]
fn held_units_are_counted_by_line() {
    let given = nobody().and(in_cart(1, "a", &[(1, 5)])).and(in_cart(2, "a", &[(1, 8), (2, 1)]));
    assert_eq!((hold(&given, 2).held_of(0), hold(&given, 2).held_of(1)), (8, 1));
}
