use super::*;
use crate::{invariants::Invariant, limits::PAYMENTS_MAX, order::Status};

fn overpayment(due: Amount) -> Refusal {
    Refusal::Overpayment { due }
}

#[test]
fn a_payment_in_full_is_one_decision() {
    let events = pending().when(pay_all()).events();
    let [OrderEvent::PaymentRecorded { payment, .. }, OrderEvent::Paid { at, .. }] = &events[..]
    else {
        panic!("recorded and paid: {events:?}")
    };
    assert_eq!((payment.amount, *at), (230, NOW));
    let order = paid();
    assert_eq!((order.state().status, order.state().due()), (Status::Paid, 0));
    assert_eq!(order.state().paid_at, Some(NOW));
}

#[test]
fn payments_in_part_add_up() {
    let part = pending().and(pay(200));
    assert_eq!((part.state().status, part.state().due()), (Status::PendingPayment, 30));
    part.when(pay(31)).refused(overpayment(30));
    assert_eq!(part.when(pay(29)).granted().status, Status::PendingPayment);
    let order = part.when(pay_all()).granted();
    assert_eq!((order.status, order.paid_amount, order.payments.len()), (Status::Paid, 230, 2));
}

#[test]
fn no_payment_is_zero_negative_or_too_much() {
    for amount in [0, -1, 231, Amount::MAX, Amount::MIN] {
        pending().when(pay(amount)).refused(overpayment(230));
    }
}

#[test]
fn the_same_reference_is_the_same_payment() {
    let part = pending().and(pay_as("r1", Some(100)));
    part.when(pay_as("r1", Some(100))).nothing();
    part.when(pay_as("r1", None)).nothing();
    let taken = |differs| Refusal::ReferenceTaken { reference: "r1".into(), differs };
    part.when(pay_as("r1", Some(130))).refused(taken("amount"));
    let cash = |amount| OrderCommand::Pay {
        amount,
        method: Some("cash".into()),
        reference: Some("r1".into()),
    };
    part.when(cash(Some(100))).refused(taken("method"));
    part.when(cash(None)).refused(taken("method"));
    pending().and(cash(Some(100))).when(pay_as("r1", Some(100))).nothing();
    assert_eq!(part.when(pay_as("r2", Some(100))).granted().paid_amount, 200);
}

#[test]
fn a_webhook_that_repeats_is_answered_like_the_first_whatever_came_since() {
    let order = pending().and(pay_as("r1", None));
    order.when(pay_as("r1", None)).nothing();
    order.when(pay_as("r2", None)).refused(Refusal::OrderAlreadyPaid);
    for since in [order.clone().and(ship_all()), order.and(cancel_all())] {
        since.when(pay_as("r1", Some(230))).nothing();
    }
    let lapsed = pending().and(pay_as("r1", Some(1))).at(DEADLINE).and(OrderCommand::Expire);
    lapsed.when(pay_as("r1", Some(1))).nothing();
    lapsed.when(pay(1)).refused(Refusal::OrderNotPayable(Status::Expired));
}

#[test]
fn payments_without_a_reference_are_never_taken_for_each_other() {
    assert_eq!(pending().and(pay(100)).and(pay(100)).state().paid_amount, 200);
}

#[test]
fn words_of_a_payment_are_checked() {
    for text in ["", " ", "a\nb", &"x".repeat(256)] {
        pending().when(pay_as(text, None)).invalid("reference");
        let method = Some(text.to_owned());
        pending()
            .when(OrderCommand::Pay { amount: None, method, reference: None })
            .invalid("method");
    }
}

#[test]
fn the_number_of_payments_is_bounded() {
    let mut order = given::<Order>([placed(&[(1, 1, 1_000_000)])]);
    for _ in 0..PAYMENTS_MAX {
        order = order.and(pay(1));
    }
    order.when(pay(1)).invalid("amount");
    order.when(pay_as("r", None)).invalid("amount");
    order.when(cancel_all()).granted();
}

#[test]
fn an_order_of_total_zero_is_paid_at_once() {
    let free = given::<Order>([placed(&[(1, 5, 0)])]);
    let event = free.state().paid_at_once().expect("nothing is due");
    assert_eq!(event, OrderEvent::Paid { order: ID, at: NOW });
    let order = free.happened(event);
    assert_eq!(order.state().status, Status::Paid);
    order.when(pay_all()).refused(Refusal::OrderAlreadyPaid);
    let cancelled = order.when(cancel_all()).granted();
    assert_eq!((cancelled.status, cancelled.refund_due()), (Status::Cancelled, 0));
    assert_eq!(pending().state().paid_at_once(), None);
}

#[test]
fn expiry_before_the_deadline_is_nothing() {
    let early = Timestamp(DEADLINE.0 - 1);
    pending().at(early).when(OrderCommand::Expire).nothing();
    let order = pending().at(DEADLINE).when(OrderCommand::Expire).granted();
    assert_eq!(order.status, Status::Expired);
}

#[test]
fn expiry_and_payment_exactly_one_wins() {
    let late = Timestamp(DEADLINE.0 + 1_000);
    let paid_late = pending().at(late).and(pay_all());
    assert_eq!(paid_late.state().status, Status::Paid, "expiry is an event, not a time");
    paid_late.when(OrderCommand::Expire).nothing();
    expired().when(pay_all()).refused(Refusal::OrderNotPayable(Status::Expired));
    expired().when(OrderCommand::Expire).nothing();
}

#[test]
fn expiry_frees_everything_and_owes_back_what_was_paid() {
    let part = pending().and(pay(50)).and(cancel(&[(1, 1)])).at(DEADLINE);
    let events = part.when(OrderCommand::Expire).events();
    let gone = freed(&events);
    assert_eq!(
        gone.releases,
        [release(1, 1, 1), release(2, 1, 3)],
        "the cancelled one is not freed twice"
    );
    assert_eq!(gone.refund, 50);
    let order = part.when(OrderCommand::Expire).granted();
    assert_eq!((order.refund_due(), order.due(), order.owed()), (50, 0, 0));
    assert_eq!(progress(&order, 0), (0, 0, 2, 0));
}

#[test]
fn a_refund_is_paid_back_once() {
    let order = paid().and(cancel(&[(2, 3)]));
    assert_eq!(order.state().refund_due(), 30);
    for amount in [0, -1, 31, Amount::MAX, Amount::MIN] {
        order.when(refund(Some(amount))).refused(overpayment(30));
    }
    let part = order.and(refund(Some(20)));
    assert_eq!(part.state().refund_due(), 10);
    let all = part.and(refund(None));
    assert_eq!((all.state().refund_due(), all.state().refunded_amount), (0, 30));
    all.when(refund(None)).refused(overpayment(0));
    let more = all.and(cancel_all());
    assert_eq!(more.state().refund_due(), 200, "what was paid back is not owed again");
}

#[test]
fn an_order_paid_after_it_expired_breaks_an_invariant() {
    let mut order = expired().state().clone();
    order.evolve(&OrderEvent::Paid { order: ID, at: DEADLINE });
    let mut broken = Vec::new();
    check_order(&order, &mut |violation| broken.push(violation.invariant));
    assert_eq!((order.status, broken), (Status::Expired, vec![Invariant::StatusFitsQuantities]));
}
