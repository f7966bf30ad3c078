use super::*;
use crate::order::{Parcel, Status};

#[test]
fn a_cancel_frees_every_entry_it_held() {
    // Line 0 comes from two warehouses and partly from hold 9; line 1 from one.
    let event = placed_from(
        &[(1, 6, 100), (2, 3, 10)],
        &[(0, 1, 9, 2), (0, 1, 0, 1), (0, 2, 0, 3), (1, 2, 0, 3)],
    );
    let events = given::<Order>([event]).when(cancel_all()).events();
    let held = Release { entry: Owner::hold(ReservationId(9)), ..release(1, 1, 2) };
    assert_eq!(
        freed(&events).releases,
        [held, release(1, 1, 1), release(1, 2, 3), release(2, 2, 3)]
    );
}

#[test]
fn a_cancel_says_all_about_itself() {
    let command = OrderCommand::Cancel { lines: lines(&[(2, 1)]), reason: Some("broken".into()) };
    let order = pending().when(command).then([OrderEvent::Cancelled(Box::new(Freed {
        order: ID,
        step: 1,
        at: NOW,
        reason: Some("broken".into()),
        refund: 0,
        parcels: vec![Parcel { allocation: 1, quantity: 1 }],
        releases: vec![release(2, 1, 1)],
    }))]);
    assert_eq!(order.status, Status::PendingPayment);
    assert_eq!((order.due(), progress(&order, 1)), (220, (2, 0, 1, 0)));
    let reason = order.history.and_then(|history| history.cancel_reason);
    assert_eq!(reason.as_deref(), Some("broken"));
}

#[test]
fn a_cancel_repeated_frees_nothing_twice() {
    let order = pending().and(cancel_all());
    order.when(cancel_all()).nothing();
    let part = paid().and(cancel(&[(1, 2)]));
    part.when(cancel(&[(1, 1)])).invalid("lines");
    assert_eq!(freed(&part.when(cancel_all()).events()).releases, [release(2, 1, 3)]);
}

#[test]
fn a_cancelled_order_answers_another_cancel_only_if_it_means_the_same() {
    let refusal = |from| Refusal::IllegalTransition { from, action: "cancelled", allowed: vec![] };
    for order in [pending().and(cancel_all()), paid().and(cancel(&[(1, 2), (2, 3)]))] {
        order.when(cancel(&[(1, 2), (2, 3)])).nothing();
        order.when(cancel(&[(2, 1), (1, 2), (2, 2)])).nothing();
        for part in [cancel(&[(1, 1)]), cancel(&[(1, 2)]), cancel(&[(1, 3), (2, 3)])] {
            order.when(part).refused(refusal(Status::Cancelled));
        }
        order.when(cancel(&[(3, 1)])).invalid("lines/0/product_id");
    }
    expired().when(cancel(&[(1, 2), (2, 3)])).refused(refusal(Status::Expired));
}

#[test]
fn line_by_line_is_as_good_as_all() {
    let order = paid().and(cancel(&[(1, 2)])).and(cancel(&[(2, 2)])).and(cancel(&[(2, 1)]));
    assert_eq!(order.state().status, Status::Cancelled);
    assert_eq!(order.state().refund_due(), 230);
}

#[test]
fn lines_are_summed_before_anything_is_decided() {
    let order = paid().when(cancel(&[(1, 1), (2, 1), (1, 1)])).granted();
    assert_eq!((progress(&order, 0), progress(&order, 1)), ((0, 0, 2, 0), (2, 0, 1, 0)));
    paid().when(cancel(&[(1, 1), (1, 2)])).invalid("lines");
}

#[test]
fn lines_that_make_no_sense_are_refused_by_name() {
    type Make = fn(&[(u64, Quantity)]) -> OrderCommand;
    let given = partially_shipped();
    for make in [cancel as Make, ship, take_back] {
        given.when(make(&[])).invalid("lines");
        given.when(make(&[(1, 1), (2, 0)])).invalid("lines/1/quantity");
        given.when(make(&[(1, u64::MAX)])).invalid("lines/0/quantity");
        given.when(make(&[(1, 1), (3, 1)])).invalid("lines/1/product_id");
        given.when(make(&[(1, 1_000_000_000); 2_000])).invalid("lines");
        given.when(make(&[(1, 1); 2_001])).invalid("lines");
        given.when(make(&[(1, 2)])).invalid("lines");
    }
}

#[test]
fn cancelling_what_made_the_difference_makes_the_order_paid() {
    let part = pending().and(pay(200));
    let exact = part.when(cancel(&[(2, 3)])).events();
    assert_eq!(exact[1], OrderEvent::Paid { order: ID, at: NOW });
    assert_eq!(freed(&exact).refund, 0);
    let order = part.when(cancel(&[(2, 3)])).granted();
    assert_eq!((order.status, order.refund_due()), (Status::Paid, 0));
    let over = part.when(cancel(&[(1, 1)])).granted();
    assert_eq!((over.status, over.refund_due()), (Status::Paid, 70));
    let under = part.when(cancel(&[(2, 2)])).granted();
    assert_eq!((under.status, under.due()), (Status::PendingPayment, 10));
}

#[test]
fn what_is_left_of_an_order_may_be_free_and_is_then_paid() {
    let mixed = given::<Order>([placed(&[(1, 1, 100), (2, 1, 0)])]);
    let order = mixed.when(cancel(&[(1, 1)])).granted();
    assert_eq!((order.status, order.paid_at), (Status::Paid, Some(NOW)));
}

#[test]
fn a_part_paid_order_that_is_cancelled_is_not_made_paid() {
    let events = pending().and(pay(200)).when(cancel_all()).events();
    assert_eq!((events.len(), freed(&events).refund), (1, 200));
}

#[test]
fn the_refund_of_each_event_adds_up_to_what_is_due() {
    let mut order = paid();
    let mut sum = 0;
    for command in [cancel(&[(1, 1)]), cancel(&[(2, 1)]), cancel_all()] {
        sum += freed(&order.when(command.clone()).events()).refund;
        order = order.and(command);
        assert_eq!(order.state().refund_due(), sum);
    }
    assert_eq!(sum, 230);
}

#[test]
fn a_cancel_after_a_part_shipment_keeps_what_is_shipped() {
    let order = partially_shipped().when(cancel_all()).granted();
    assert_eq!(order.status, Status::Shipped);
    assert_eq!((progress(&order, 0), progress(&order, 1)), ((0, 1, 1, 0), (0, 1, 2, 0)));
    assert_eq!(order.refund_due(), 120);
    let all_came_back =
        partially_shipped().and(take_back(&[(1, 1), (2, 1)])).when(cancel_all()).granted();
    assert_eq!((all_came_back.status, all_came_back.refund_due()), (Status::Returned, 230));
}

#[test]
fn words_are_checked() {
    for text in ["", "\u{0}", &"x".repeat(256)] {
        let text = Some(text.to_owned());
        let reason = text.clone();
        pending().when(OrderCommand::Cancel { lines: None, reason }).invalid("reason");
        let reason = text.clone();
        let back = OrderCommand::Return { lines: None, restock: true, reason };
        shipped().when(back).invalid("reason");
        let carrier = text.clone();
        let ship = OrderCommand::Ship { lines: None, carrier, tracking: None };
        paid().when(ship).invalid("carrier");
        let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: text };
        paid().when(ship).invalid("tracking");
    }
}

#[test]
fn a_customer_cancels_what_is_not_paid() {
    let own = || OrderCommand::CancelUnpaid { lines: None, reason: None };
    let order = pending().and(own());
    order.when(own()).nothing();
    let events = |command| pending().when(command).events();
    assert_eq!(events(own()), events(cancel_all()));
    paid().when(own()).refused(Refusal::OrderAlreadyPaid);
    paid().and(cancel_all()).when(own()).nothing();
    let refusal = |from| Refusal::IllegalTransition { from, action: "cancelled", allowed: vec![] };
    expired().when(own()).refused(refusal(Status::Expired));
}
