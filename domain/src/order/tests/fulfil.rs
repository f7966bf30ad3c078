use super::*;
use crate::{
    order::{Parcel, Return, Shipment, Status},
    stock::Take,
};

/// Line 0 from hold 9 and from two warehouses: 2 + 1 in warehouse 1, 3 in warehouse 2.
fn split() -> Given<Order> {
    let allocations = [(0, 1, 9, 2), (0, 1, 0, 1), (0, 2, 0, 3)];
    given([placed_from(&[(1, 6, 100)], &allocations)]).and(pay_all())
}

fn parcels(of: &[(u32, Quantity)]) -> Vec<Parcel> {
    of.iter().map(|&(allocation, quantity)| Parcel { allocation, quantity }).collect()
}

fn shipment(of: &[(u32, Quantity)]) -> Box<Shipment> {
    Box::new(Shipment { parcels: parcels(of), carrier: None, tracking: None, at: NOW })
}

#[test]
fn a_shipment_takes_allocations_in_the_order_they_were_planned() {
    let order = split().when(ship(&[(1, 4)])).then([OrderEvent::Shipped {
        order: ID,
        step: 1,
        shipment: shipment(&[(0, 2), (1, 1), (2, 1)]),
    }]);
    assert_eq!(order.status, Status::PartiallyShipped);
    let rest = split().and(ship(&[(1, 4)])).when(ship_all()).then([OrderEvent::Shipped {
        order: ID,
        step: 2,
        shipment: shipment(&[(2, 2)]),
    }]);
    assert_eq!(rest.status, Status::Shipped);
}

#[test]
fn a_shipment_consumes_under_the_entries_that_hold_the_units() {
    let takes = split().state().consumes(&parcels(&[(0, 2), (2, 1)]));
    let hold = Owner::hold(ReservationId(9));
    assert_eq!(
        takes,
        [
            (stock(1, 1), Take::Consume { entry: hold, quantity: 2 }),
            (stock(1, 2), Take::Consume { entry: Owner::order(ID), quantity: 1 }),
        ]
    );
}

#[test]
fn the_same_part_shipped_twice_is_two_parts_and_never_more_than_there_is() {
    let once = paid().and(ship(&[(1, 1)]));
    let twice = once.and(ship(&[(1, 1)]));
    assert_eq!(progress(twice.state(), 0), (0, 2, 0, 0));
    twice.when(ship(&[(1, 1)])).invalid("lines");
    twice.and(ship_all()).when(ship_all()).refused(Refusal::IllegalTransition {
        from: Status::Shipped,
        action: "shipped",
        allowed: vec!["delivered", "returned"],
    });
}

#[test]
fn nothing_is_shipped_before_it_is_paid_or_after_it_was_given_up() {
    for given in [pending(), pending().and(pay(229)), expired(), paid().and(cancel_all())] {
        let (from, allowed) = (given.state().status, given.state().allowed_transitions().to_vec());
        let refusal = Refusal::IllegalTransition { from, action: "shipped", allowed };
        given.when(ship_all()).refused(refusal);
    }
    paid().and(cancel(&[(1, 1)])).when(ship(&[(1, 2)])).invalid("lines");
}

#[test]
fn a_delivery_repeated_is_one_delivery() {
    let order = delivered();
    order.when(OrderCommand::Deliver).nothing();
    let at = order.state().history.as_ref().and_then(|history| history.delivered_at);
    assert_eq!(at, Some(NOW));
}

#[test]
fn a_return_is_never_more_than_was_shipped() {
    let part = partially_shipped();
    part.when(take_back(&[(1, 2)])).invalid("lines");
    let back = part.and(take_back(&[(1, 1)]));
    assert_eq!(progress(back.state(), 0), (1, 1, 0, 1));
    back.when(take_back(&[(1, 1)])).invalid("lines");
    let all = back.and(take_back(&[(2, 1)]));
    assert_eq!(progress(all.state(), 1), (2, 1, 0, 1));
    all.when(take_back(&[(2, 1)])).invalid("lines");
}

#[test]
fn a_part_that_comes_back_does_not_make_the_order_returned_while_the_rest_is_here() {
    let part = partially_shipped();
    part.when(take_back_all()).refused(Refusal::IllegalTransition {
        from: Status::PartiallyShipped,
        action: "returned",
        allowed: vec!["shipped", "cancelled"],
    });
    let back = part.and(take_back(&[(1, 1), (2, 1)]));
    assert_eq!((back.state().status, back.state().refund_due()), (Status::PartiallyShipped, 110));
    let rest = back.and(ship_all()).and(take_back_all());
    assert_eq!((rest.state().status, rest.state().refund_due()), (Status::Returned, 230));
}

#[test]
fn a_return_goes_back_to_the_shelves_it_came_from_summed() {
    let order = split().and(ship_all());
    let events = order.when(take_back(&[(1, 5)])).events();
    assert_eq!(
        events,
        [OrderEvent::Returned {
            order: ID,
            step: 2,
            returned: Box::new(Return {
                parcels: parcels(&[(0, 2), (1, 1), (2, 2)]),
                restocked: true,
                reason: None,
                at: NOW,
            }),
            refund: 500,
            restock: vec![(stock(1, 1), 3), (stock(1, 2), 2)],
        }]
    );
}

#[test]
fn a_return_that_is_not_restocked_gives_nothing_to_the_shelves() {
    let command = OrderCommand::Return { lines: None, restock: false, reason: Some("wet".into()) };
    let events = shipped().when(command).events();
    let [OrderEvent::Returned { restock, refund: 230, returned, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(restock.is_empty() && !returned.restocked);
}

#[test]
fn a_returned_paid_order_owes_the_money_back_once() {
    let part = shipped().and(take_back(&[(1, 1)]));
    assert_eq!((part.state().status, part.state().refund_due()), (Status::Shipped, 100));
    let all = part.and(refund(None)).and(take_back_all());
    assert_eq!((all.state().status, all.state().refund_due()), (Status::Returned, 130));
    all.when(take_back_all()).nothing();
    all.when(take_back(&[(1, 2), (2, 3)])).nothing();
    all.when(take_back(&[(1, 1)])).refused(Refusal::IllegalTransition {
        from: Status::Returned,
        action: "returned",
        allowed: vec![],
    });
}

#[test]
fn what_came_back_cannot_be_shipped_again() {
    let order = paid().and(ship(&[(1, 2)])).and(take_back(&[(1, 2)]));
    assert_eq!(order.state().status, Status::PartiallyShipped);
    order.when(ship(&[(1, 1)])).invalid("lines");
    let rest = order.when(ship_all()).granted();
    assert_eq!((progress(&rest, 0), progress(&rest, 1)), ((0, 2, 0, 2), (0, 3, 0, 0)));
    assert_eq!(rest.status, Status::Shipped);
}
