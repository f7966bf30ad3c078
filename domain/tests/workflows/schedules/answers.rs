//! What may be told, and when.

use stockade_domain::{
    Event, Refusal,
    invariants::Invariant,
    order::{OrderCommand, OrderEvent, Status},
    stock::{Give, StockEvent, Take},
};

use super::{engine, group_of, healed_prefixes, order, pay, request, settle_down, stock};
use crate::workflows::{
    engine::{BUILT, Engine, Rules},
    faults::{Fault, breaks},
    jobs::OnOrder,
    schedules::believing,
    told::Subject,
    world::World,
};

const AT_ONCE: Rules = Rules { answers_wait: false, ..BUILT };
const DAY_MS: u64 = 86_400_000;

#[test]
fn repeat_answered_from_memory() {
    let placed_and_repeated = |rules| {
        let mut engine = engine(rules, [5, 0, 0]);
        request(&mut engine, 1);
        engine.run();
        let appended = engine.journal.len();
        let repeat = request(&mut engine, 1);
        engine.run();
        assert_eq!(engine.journal.len(), appended, "a repeat appends nothing");
        (engine, repeat)
    };

    let (mut engine, repeat) = placed_and_repeated(AT_ONCE);
    assert!(engine.left[&repeat].is_ok());
    let faults = engine.check_all().expect_err("the order may be gone");
    assert!(faults.iter().any(|fault| matches!(fault, Fault::Lost(Subject::Order(_)))));

    let (mut engine, repeat) = placed_and_repeated(BUILT);
    assert!(!engine.left.contains_key(&repeat), "the repeat waits for what it saw");
    engine.crash(engine.durable()).expect("nothing that was told is lost");
    let again = request(&mut engine, 1);
    settle_down(&mut engine);
    assert!(engine.left[&again].is_ok());
    assert_eq!(engine.live.orders.len(), 1);
}

#[test]
fn refused_by_what_a_crash_undoes() {
    let refused = |rules| {
        let mut engine = engine(rules, [1, 0, 0]);
        order(&mut engine, &[(1, 1)], &[]);
        engine.step();
        assert_eq!(engine.live.stock(stock(1, 1)).available(), 0, "taken, and not durable");
        let (second, _) = order(&mut engine, &[(1, 1)], &[]);
        engine.run();
        (engine, second)
    };

    let (mut engine, second) = refused(AT_ONCE);
    assert!(matches!(engine.left[&second], Err(Refusal::InsufficientStock(_))));
    let faults = engine.check_all().expect_err("the refusal may be untrue");
    assert!(faults.iter().any(|fault| matches!(fault, Fault::ToldTooEarly { .. })));

    let (mut engine, second) = refused(BUILT);
    assert!(!engine.left.contains_key(&second), "nobody was told no");
    engine.crash(engine.durable()).expect("nothing that was told is untrue");
    let (again, _) = order(&mut engine, &[(1, 1)], &[]);
    settle_down(&mut engine);
    assert!(engine.left[&again].is_ok(), "the unit is free and can be had");
}

#[test]
fn key_apart_from_its_effect() {
    let orders_after_a_retry = |rules, lost: usize| {
        let mut engine = engine(rules, [5, 0, 0]);
        request(&mut engine, 1);
        engine.run();
        engine.crash(engine.journal.len() - lost).expect("every crash heals");
        request(&mut engine, 1);
        engine.run();
        engine.live.orders.len()
    };

    let apart = Rules { key_with_effect: false, ..BUILT };
    assert_eq!(orders_after_a_retry(apart, 1), 2, "the effect survived, its key did not");
    for lost in 0..=2 {
        assert_eq!(orders_after_a_retry(BUILT, lost), 1);
    }
}

#[test]
fn answer_before_append() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let before = engine.journal.len();
    order(&mut engine, &[(1, 1)], &[]);
    engine.run();
    let [taken, placed] = &engine.journal[before..] else { panic!("a take and a decision") };
    assert!(matches!(taken.events[..], [Event::Stock(StockEvent::Taken { .. })]));

    // The stock answers first and appends later: a crash in between keeps the order and not its stock.
    let mut survived = World::fold(&engine.journal[..before]);
    survived.apply(placed);
    assert!(breaks(&survived.faults_at_rest(), Invariant::EveryEntryHasItsOwner));

    engine.check_all().expect("appended in the order in which they depend on each other");
}

/// An order whose deadline has passed, its payment and its timer's message both on their way.
fn due_order(first: OrderCommand, second: OrderCommand) -> (Engine, [Option<bool>; 2]) {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let (_, id) = order(&mut engine, &[(1, 2)], &[]);
    settle_down(&mut engine);
    engine.now = engine.now.plus_ms(DAY_MS);
    let asked = [first, second].map(|command| engine.ask(OnOrder::new(id, command)));
    settle_down(&mut engine);
    let answers = asked.map(|asked| engine.left.get(&asked).map(Result::is_ok));
    (engine, answers)
}

#[test]
fn stock_frees_by_its_own_clock() {
    let (late, answers) = due_order(OrderCommand::Expire, pay());
    assert_eq!(answers, [Some(true), Some(false)], "the timer came first");
    assert_eq!(late.live.stock(stock(1, 1)).reserved, 0);

    let (paid, answers) = due_order(pay(), OrderCommand::Expire);
    assert_eq!(answers, [Some(true), Some(true)], "a timer that lost means nothing");
    let (id, order) = paid.live.orders.first_key_value().expect("it was placed");
    assert_eq!(order.status, Status::Paid);
    assert_eq!(paid.live.stock(stock(1, 1)).reserved, 2);

    // A stock with a clock of its own frees what was just paid for.
    let (owner, stock) = (stockade_domain::Owner::order(*id), stock(1, 1));
    let give = Give::Release { entry: owner, quantity: 2 };
    let freed = StockEvent::Given { stock, owner, step: 1, give }.into();
    let freed = believing(paid.live.clone(), &[freed]);
    assert!(breaks(&freed.faults_at_rest(), Invariant::EveryEntryHasItsOwner));
}

#[test]
fn asleep_too_soon() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let (_, id) = order(&mut engine, &[(1, 2)], &[]);
    settle_down(&mut engine);
    engine.now = engine.now.plus_ms(DAY_MS);
    engine.ask(OnOrder::new(id, OrderCommand::Expire));
    assert_eq!(engine.live.orders[&id].status, Status::Expired);
    assert_eq!(engine.folds[0].orders[&id].status, Status::PendingPayment, "and not durable");

    // Asleep and woken from the read side it would take the money, with the stock already on its way back.
    let events = engine.folds[0].orders[&id].decide(&pay(), engine.now).expect("a payable order");
    let events: Vec<Event> = events.into_iter().map(Event::from).collect();
    let both = believing(engine.live.clone(), &events);
    let order = &both.orders[&id];
    assert!(order.closed_at.is_some() && order.paid_at.is_some(), "expired and paid");

    let payment = engine.ask(OnOrder::new(id, pay()));
    settle_down(&mut engine);
    assert_eq!(engine.left[&payment], Err(Refusal::OrderNotPayable(Status::Expired)));
    assert_eq!(engine.live.orders[&id].paid_amount, 0);
}

#[test]
fn admitted_while_settling() {
    let mut engine = engine(BUILT, [1, 0, 0]);
    let (_, id) = order(&mut engine, &[(1, 1)], &[]);
    engine.run();
    let is_taken = |event: &Event| {
        matches!(event, Event::Stock(StockEvent::Taken { take: Take::Reserve { .. }, .. }))
    };
    let taken = group_of(&engine.journal, is_taken);
    let placed = engine.journal[taken + 1].clone();
    assert!(matches!(&placed.events[..], [Event::Order(OrderEvent::Placed(p))] if p.id == id));

    // Admitted before what settles was appended, the same client finds that it has its unit, and is placed without it.
    let mut unsettled = World::fold(&engine.journal[..=taken]);
    let settling = unsettled.open.settle();
    unsettled.apply(&placed);
    let placed_without = believing(unsettled, &settling);
    assert!(breaks(&placed_without.faults(), Invariant::EveryEntryHasItsOwner));

    // As built it is a new order, after the old one's unit came free; and no crash on the way makes it one too many.
    engine.crash(taken + 1).expect("every crash heals");
    let (again, new) = order(&mut engine, &[(1, 1)], &[]);
    engine.run();
    for healed in healed_prefixes(&mut engine).expect("every crash heals") {
        assert!(healed.orders.len() <= 1);
    }
    settle_down(&mut engine);
    assert!(engine.left[&again].is_ok());
    assert!(new != id && engine.live.orders.contains_key(&new));
}
