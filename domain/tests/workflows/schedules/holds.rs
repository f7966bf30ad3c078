//! Holds: replaced, claimed, and become orders.

use std::sync::Arc;

use stockade_domain::{
    Event, OrderId, Owner, Refusal,
    holder::{HoldCommand, HoldEvent, HoldStatus},
    invariants::Invariant,
    order::OrderEvent,
};

use super::{engine, group_of, healed_prefixes, hold, order, settle_down, stock};
use crate::workflows::{
    engine::{BUILT, Rules},
    faults::{Fault, breaks},
    jobs::OnHold,
    recovery::Recovery,
    told::Subject,
    workflow::{Actor, Address, Message},
    world::{Group, World},
};

const NO_UNDO: Rules = Rules { recovery: Recovery::NoUndo, ..BUILT };

#[test]
fn hold_handed_over_too_early() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let held = hold(&mut engine, 2);
    settle_down(&mut engine);
    assert!(engine.told.knows(Subject::Hold(held)));
    let (_, id) = order(&mut engine, &[(1, 2)], &[held]);
    engine.run();
    assert_eq!(engine.live.hold(held).unwrap().status, HoldStatus::Converted(id));

    // Handed over before the order is placed, in a group of its own: a crash in between, and neither has the units.
    let is_converted = |event: &Event| matches!(event, Event::Hold(HoldEvent::Converted { .. }));
    let handed = group_of(&engine.journal, is_converted);
    let mut between = World::fold(&engine.journal[..handed]);
    let [converted, _placed] = &engine.journal[handed].events[..] else { panic!("one group") };
    between.apply(&Group { events: vec![converted.clone()], request: None });
    let faults = between.faults();
    assert!(faults.contains(&Fault::NoSuchOrder(held, id)));
    assert!(breaks(&faults, Invariant::EveryEntryHasItsOwner));

    for healed in healed_prefixes(&mut engine).expect("every crash heals") {
        let active = healed.hold(held).is_some_and(|hold| hold.is_active());
        assert_ne!(active, healed.orders.contains_key(&id), "the hold lives or its order does");
    }
}

#[test]
fn claim_of_an_order_that_never_was() {
    let claimed = |rules| {
        let mut engine = engine(BUILT, [5, 0, 0]);
        let held = hold(&mut engine, 2);
        settle_down(&mut engine);
        engine.rules = rules;
        let (_, id) = order(&mut engine, &[(1, 2)], &[held]);
        engine.step();
        assert_eq!(engine.live.hold(held).unwrap().claimed_by, Some(id));
        (engine, held)
    };

    let (mut engine, held) = claimed(NO_UNDO);
    let faults = engine.check_all().expect_err("the hold can neither live nor end");
    assert!(faults.contains(&Fault::Claim(held)));

    let (mut engine, held) = claimed(BUILT);
    engine.crash(engine.journal.len()).expect("every crash heals");
    let key = engine.live.holder_of(held);
    let released = engine.ask(OnHold { key, hold: held, command: HoldCommand::Release });
    settle_down(&mut engine);
    assert!(engine.left[&released].is_ok(), "it lives again, and can end");
    assert_eq!(engine.live.stock(stock(1, 1)).reserved, 0);
}

#[test]
fn claim_of_an_order_that_fails() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let held = hold(&mut engine, 2);
    settle_down(&mut engine);
    let (asked, _) = order(&mut engine, &[(1, 2), (2, 1)], &[held]);
    engine.run();
    healed_prefixes(&mut engine).expect("every crash heals");
    engine.sync().expect("nothing is wrong");
    assert!(matches!(engine.left[&asked], Err(Refusal::InsufficientStock(_))));
    let hold = engine.live.hold(held).unwrap();
    assert!(hold.is_active() && hold.claimed_by.is_none());
}

#[test]
fn replacement_leaks() {
    let grown = |rules: Rules| {
        let mut engine = engine(BUILT, [5, 0, 0]);
        let first = hold(&mut engine, 2);
        settle_down(&mut engine);
        engine.rules = rules;
        hold(&mut engine, 5);
        engine.step();
        assert_eq!(engine.live.stock(stock(1, 1)).reserved, 5, "the growth is taken");
        assert_eq!(engine.live.holds().count(), 1, "and not decided");
        (engine, first)
    };

    // The owner's holder is alive, so a rule that asks for missing owners would leave the growth where it is.
    let (mut engine, _) = grown(NO_UNDO);
    let faults = engine.check_all().expect_err("an entry without a reason");
    assert!(breaks(&faults, Invariant::EveryEntryHasItsOwner));

    let (mut engine, first) = grown(BUILT);
    engine.crash(engine.journal.len()).expect("every crash heals");
    assert_eq!(engine.live.stock(stock(1, 1)).reserved, 2);
    assert!(engine.live.hold(first).unwrap().is_active());
}

#[test]
fn hold_moved_then_converted() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let first = hold(&mut engine, 3);
    settle_down(&mut engine);
    let second = hold(&mut engine, 1);
    let entry = Owner::hold(first);
    assert_eq!(engine.live.stock(stock(1, 1)).reserved_for(entry), 3, "the rest is not back yet");

    // The claim waits until the holder's own gives are done.
    let (_, id) = order(&mut engine, &[(1, 1)], &[second]);
    assert!(engine.is_busy(&Actor::Holder(engine.live.holder_of(second))));
    assert_eq!(engine.deliverable().len(), 1, "the give, and not the claim");
    engine.run();
    let order = &engine.live.orders[&id];
    assert_eq!(order.placed.entry(&order.placed.allocations[0]), entry, "nothing was moved");
    assert_eq!(engine.live.stock(stock(1, 1)).reserved_for(entry), 1);

    // An order that adopts whatever the stock keeps under the entry owns more than its lines.
    let decided = group_of(&engine.journal, |event| is_placing(event, id));
    let mut placed = (*order.placed).clone();
    placed.allocations[0].quantity = 3;
    let mut world = World::fold(&engine.journal[..decided]);
    let events = vec![OrderEvent::Placed(Arc::new(placed)).into()];
    world.apply(&Group { events, request: None });
    assert!(breaks(&world.faults(), Invariant::LinesAreAllocated));

    healed_prefixes(&mut engine).expect("every crash heals");
}

#[test]
fn claimed_while_being_replaced() {
    let both_on_their_way = || {
        let mut engine = engine(BUILT, [5, 0, 0]);
        let first = hold(&mut engine, 2);
        settle_down(&mut engine);
        let second = hold(&mut engine, 4);
        let (asked, _) = order(&mut engine, &[(1, 2)], &[first]);
        let is_claim =
            |message: &Message| matches!(message, Message::Ask { to: Address::Holder(_), .. });
        let claim = engine.flights.iter().position(is_claim).expect("it is claimed");
        (engine, claim, asked, second)
    };

    // A holder that listens while it waits for the growth gives the same units to the hold and to the order.
    let (mut weak, claim, ..) = both_on_their_way();
    weak.deliver(claim);
    weak.run();
    assert!(breaks(&weak.live.faults_at_rest(), Invariant::EveryEntryHasItsOwner));

    let (mut engine, claim, asked, second) = both_on_their_way();
    assert!(!engine.deliverable().contains(&claim), "a busy holder is spoken to afterwards");
    engine.run();
    healed_prefixes(&mut engine).expect("every crash heals");
    engine.sync().expect("nothing is wrong");
    assert!(matches!(engine.left[&asked], Err(Refusal::ReservationReleased(_))));
    assert_eq!(engine.live.hold(second).unwrap().held_of(0), 4);
}

fn is_placing(event: &Event, id: OrderId) -> bool {
    matches!(event, Event::Order(OrderEvent::Placed(placed)) if placed.id == id)
}
