//! The state table, row by row.

use super::*;
use crate::order::Status;

fn expire() -> OrderCommand {
    OrderCommand::Expire
}

fn deliver() -> OrderCommand {
    OrderCommand::Deliver
}

fn refund_all() -> OrderCommand {
    refund(None)
}

/// The status afterwards, `=` for a repeat or a timer too late, or the refusal.
fn outcome(given: &Given<Order>, command: OrderCommand) -> &'static str {
    let before = given.state().clone();
    match before.decide(&command, DEADLINE) {
        Ok(events) if events.is_empty() => "=",
        Ok(_) => given.clone().at(DEADLINE).when(command).granted().status.name(),
        Err(Refusal::IllegalTransition { from, allowed, .. }) => {
            assert_eq!((from, &allowed[..]), (before.status, before.allowed_transitions()));
            "illegal"
        }
        Err(Refusal::OrderNotPayable(status)) => {
            assert_eq!(status, before.status);
            "not payable"
        }
        Err(Refusal::OrderAlreadyPaid) => "already paid",
        Err(Refusal::Overpayment { .. }) => "nothing due",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_status_answers_every_command_as_the_table_says() {
    let commands = [pay_all, expire, cancel_all, ship_all, deliver, take_back_all, refund_all];
    let none = "nothing due";
    #[rustfmt::skip]
    let rows = [
        //                         pay             expire     cancel       ship       deliver      return                refund
        (pending(),              ["paid",         "expired", "cancelled", "illegal", "illegal",   "illegal",            none]),
        (paid(),                 ["already paid", "=",       "cancelled", "shipped", "illegal",   "illegal",            none]),
        (partially_shipped(),    ["already paid", "=",       "shipped",   "shipped", "illegal",   "illegal",            none]),
        (shipped(),              ["already paid", "=",       "illegal",   "illegal", "delivered", "returned",           none]),
        (delivered(),            ["already paid", "=",       "illegal",   "illegal", "=",         "returned",           none]),
        (pending().and(cancel_all()),
                                 ["not payable",  "=",       "=",         "illegal", "illegal",   "illegal",            none]),
        (expired(),              ["not payable",  "=",       "illegal",   "illegal", "illegal",   "illegal",            none]),
        (shipped().and(take_back_all()),
                                 ["already paid", "=",       "illegal",   "illegal", "illegal",   "=",                  "returned"]),
    ];
    let mut seen = Vec::new();
    for (given, wanted) in rows {
        let found = commands.map(|command| outcome(&given, command()));
        assert_eq!(found, wanted, "{}", given.state().status.name());
        seen.push(given.state().status);
    }
    seen.dedup();
    assert_eq!(seen.len(), 8, "a row for each status");
}

#[test]
fn what_is_allowed_is_granted_and_what_is_final_allows_nothing() {
    let step = |name: &str| match name {
        "paid" => pay_all(),
        "shipped" => ship_all(),
        "delivered" => deliver(),
        "cancelled" => cancel_all(),
        "returned" => take_back_all(),
        other => panic!("{other} is no step"),
    };
    for given in [pending(), paid(), partially_shipped(), shipped(), delivered()] {
        for name in given.state().allowed_transitions() {
            given.when(step(name)).granted();
        }
    }
    for status in [Status::Cancelled, Status::Expired, Status::Returned] {
        let order = Order { status, ..paid().state().clone() };
        assert!(order.allowed_transitions().is_empty());
    }
}

#[test]
fn the_partition_holds_along_the_longest_way() {
    let way = [
        (ship(&[(1, 1)]), (1, 1, 0, 0), (3, 0, 0, 0), Status::PartiallyShipped),
        (cancel(&[(2, 1)]), (1, 1, 0, 0), (2, 0, 1, 0), Status::PartiallyShipped),
        (take_back(&[(1, 1)]), (1, 1, 0, 1), (2, 0, 1, 0), Status::PartiallyShipped),
        (ship(&[(2, 2)]), (1, 1, 0, 1), (0, 2, 1, 0), Status::PartiallyShipped),
        (cancel_all(), (0, 1, 1, 1), (0, 2, 1, 0), Status::Shipped),
        (deliver(), (0, 1, 1, 1), (0, 2, 1, 0), Status::Delivered),
        (take_back(&[(2, 1)]), (0, 1, 1, 1), (0, 2, 1, 1), Status::Delivered),
        (take_back(&[(2, 1)]), (0, 1, 1, 1), (0, 2, 1, 2), Status::Returned),
    ];
    let mut order = paid();
    for (command, first, second, status) in way {
        order = order.and(command);
        let state = order.state();
        assert_eq!((progress(state, 0), progress(state, 1)), (first, second));
        assert_eq!(state.status, status);
    }
    assert_eq!(order.state().refund_due(), 230);
}

#[test]
fn every_workflow_of_an_order_has_its_own_step() {
    let first = paid().when(ship(&[(1, 1)])).events();
    let OrderEvent::Shipped { step: 1, .. } = first[0] else { panic!("{first:?}") };
    let again = paid().and(ship(&[(1, 1)])).when(ship(&[(1, 1)])).events();
    let OrderEvent::Shipped { step: 2, .. } = again[0] else { panic!("{again:?}") };
    let given = paid().and(ship(&[(1, 1)])).and(cancel(&[(1, 1)])).and(take_back(&[(1, 1)]));
    assert_eq!(given.state().next_step, 4);
}

#[test]
fn when_an_order_closed_is_when_it_closed() {
    let later = Timestamp(NOW.0 + 9);
    assert_eq!(paid().state().closed_at, None);
    assert_eq!(shipped().state().closed_at, None);
    assert_eq!(expired().state().closed_at, Some(DEADLINE));
    assert_eq!(pending().and(cancel_all()).state().closed_at, Some(NOW));
    let part_returned = delivered().at(later).and(take_back(&[(1, 1)]));
    assert_eq!(part_returned.state().closed_at, Some(NOW), "it was delivered then");
    assert_eq!(part_returned.state().updated_at, later);
    let returned = delivered().at(later).and(take_back_all());
    assert_eq!(returned.state().closed_at, Some(later));
}

#[test]
fn the_version_counts_events() {
    assert_eq!(pending().state().version, 1);
    assert_eq!(pending().and(pay(5)).state().version, 2);
    assert_eq!(paid().state().version, 3, "recorded, and paid");
    assert_eq!(shipped().state().version, 4);
}
