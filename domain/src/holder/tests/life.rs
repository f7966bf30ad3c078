use super::*;
use crate::{holder::HoldEnded, limits::HOLD_TTL_MS_MAX};

fn ended(hold: u64, releases: Vec<Release>, at: Timestamp) -> Box<HoldEnded> {
    Box::new(HoldEnded { hold: ReservationId(hold), step: 1, at, releases })
}

fn one() -> Given<Holder> {
    nobody().and(place(7, &[(1, 2), (2, 3)]))
}

#[test]
fn a_hold_keeps_its_units_until_its_deadline_and_not_before() {
    let early = Timestamp(DEADLINE.0 - 1);
    one().at(early).when(expire(7)).nothing();
    let freed = vec![release(1, 7, 2), release(2, 7, 3)];
    let after =
        one().at(DEADLINE).when(expire(7)).then([HoldEvent::Expired(ended(7, freed, DEADLINE))]);
    let hold = &after.holds[&ReservationId(7)];
    assert_eq!((hold.status, hold.held().count()), (HoldStatus::Expired, 0));
}

#[test]
fn an_old_timer_means_nothing_after_an_extension() {
    let extended = one().and(extend(7, 2 * TTL_MS)).at(DEADLINE);
    extended.when(expire(7)).nothing();
    assert_eq!(hold(&extended, 7).expires_at, NOW.plus_ms(2 * TTL_MS));
    extended.at(NOW.plus_ms(2 * TTL_MS)).when(expire(7)).granted();
}

#[test]
fn an_extension_counts_from_now_and_is_bounded() {
    let later = Timestamp(NOW.0 + 50_000);
    let extended = one().at(later).and(extend(7, 20_000));
    assert_eq!(hold(&extended, 7).expires_at, Timestamp(NOW.0 + 70_000));
    for ttl_ms in [0, 999, HOLD_TTL_MS_MAX + 1, u64::MAX] {
        one().when(extend(7, ttl_ms)).invalid("ttl_seconds");
    }
    one().when(extend(7, 1_000)).granted();
    one().when(extend(7, HOLD_TTL_MS_MAX)).granted();
}

#[test]
fn a_release_repeated_frees_nothing_twice() {
    let freed = vec![release(1, 7, 2), release(2, 7, 3)];
    one().when(let_go(7)).then([HoldEvent::Released(ended(7, freed, NOW))]);
    let released = one().and(let_go(7));
    released.when(let_go(7)).nothing();
    released.at(DEADLINE).when(expire(7)).nothing();
}

#[test]
fn what_a_hold_answers_after_its_end() {
    let id = ReservationId(7);
    let expired = one().at(DEADLINE).and(expire(7));
    let released = one().and(let_go(7));
    let order = OrderId(4);
    let converted = one().and(Ask::Claim(7, 4));
    let conversion = hold(&converted, 7).convert(order, &[], |_| ProductId(1), NOW);
    let converted = converted.happened(conversion);
    let gone = Refusal::ReservationExpired(id);
    let given_back = Refusal::ReservationReleased(id);
    let sold = Refusal::ReservationConverted { reservation: id, order };
    let ask: [fn() -> Ask; 3] = [|| extend(7, 5_000), || Ask::Claim(7, 9), || let_go(7)];
    for (given, refusal) in [(&expired, gone), (&converted, sold)] {
        for ask in ask {
            given.when(ask()).refused(refusal.clone());
        }
        given.when(expire(7)).nothing();
    }
    released.when(extend(7, 5_000)).refused(given_back.clone());
    released.when(Ask::Claim(7, 9)).refused(given_back);
}

#[test]
fn a_hold_that_never_was_is_not_found() {
    let unknown = Refusal::NotFound { kind: "reservation", id: 9 };
    for ask in [extend(9, 5_000), expire(9), let_go(9), Ask::Claim(9, 1)] {
        one().when(ask).refused(unknown.clone());
    }
}

#[test]
fn nobody_else_may_touch_a_hold_that_an_order_has_claimed() {
    let (reservation, order) = (ReservationId(7), OrderId(4));
    let claimed = one().and(Ask::Claim(7, 4)).at(DEADLINE);
    claimed.when(expire(7)).nothing();
    let refusal = Refusal::ReservationClaimed(reservation);
    for ask in [extend(7, 5_000), let_go(7), Ask::Claim(7, 4), Ask::Claim(7, 5)] {
        claimed.when(ask).refused(refusal.clone());
    }
    let again = claimed.happened(HoldEvent::Unclaimed { hold: reservation, order });
    assert_eq!(held(&again, 7), [(1, 7, 2), (2, 7, 3)]);
    again.when(expire(7)).granted();
    again.when(Ask::Claim(7, 5)).granted();
}

fn adopt(line: u32, hold: u64, quantity: Quantity) -> Allocation {
    let hold = (hold > 0).then_some(ReservationId(hold));
    Allocation { line, warehouse: WarehouseId(1), hold, quantity }
}

#[track_caller]
fn surplus(given: &Given<Holder>, adopted: &[Allocation]) -> Vec<Release> {
    // Line 0 of the order is product 1, line 1 is product 2.
    let product_of = |allocation: &Allocation| ProductId(u64::from(allocation.line) + 1);
    match hold(given, 7).convert(OrderId(4), adopted, product_of, NOW) {
        HoldEvent::Converted { surplus, step: 1, .. } => surplus,
        other => panic!("it becomes part of the order: {other:?}"),
    }
}

#[test]
fn what_an_order_does_not_take_of_a_hold_is_given_back() {
    let given = one().and(Ask::Claim(7, 4));
    assert_eq!(surplus(&given, &[adopt(0, 7, 2), adopt(1, 7, 3)]), []);
    assert_eq!(surplus(&given, &[adopt(0, 7, 1)]), [release(1, 7, 1), release(2, 7, 3)]);
    assert_eq!(surplus(&given, &[]), [release(1, 7, 2), release(2, 7, 3)]);
    let others = [adopt(0, 0, 5), adopt(0, 8, 5), adopt(1, 7, 3)];
    assert_eq!(surplus(&given, &others), [release(1, 7, 2)], "only its own entry counts");
}

#[test]
fn one_entry_written_as_two_allocations_is_counted_once() {
    let lines = vec![(ProductId(1), 5)];
    let twice = vec![adopt(0, 0, 3), adopt(0, 0, 2)];
    let event = nobody().state().place(ReservationId(7), &request(&[(1, 5)]), lines, twice, NOW);
    let given = nobody().happened(event);
    assert_eq!(surplus(&given, &[adopt(0, 7, 3), adopt(0, 7, 2)]), []);
    let left: Quantity = surplus(&given, &[adopt(0, 7, 3), adopt(0, 7, 1)])
        .iter()
        .map(|release| release.quantity)
        .sum();
    assert_eq!(left, 1);
}

#[test]
fn a_converted_hold_holds_nothing() {
    let given = one().and(Ask::Claim(7, 4));
    let event = hold(&given, 7).convert(OrderId(4), &[], |_| ProductId(1), NOW);
    let given = given.happened(event);
    assert_eq!(hold(&given, 7).status, HoldStatus::Converted(OrderId(4)));
    assert_eq!((hold(&given, 7).claimed_by, hold(&given, 7).next_step), (None, 2));
    assert!(held(&given, 7).is_empty());
}
