//! Who owns a workflow, and who may end it.

use stockade_domain::{
    AdjustmentId, Refusal, adjustment, catalogue::StockDelta, invariants::Invariant,
};

use super::{engine, healed_prefixes, order, settle_down, stock};
use crate::workflows::{
    engine::{BUILT, Engine},
    faults::breaks,
    jobs::AdjustAll,
    workflow::{Address, Message, WorkflowId},
};

#[test]
fn caller_goes_away() {
    // A workflow that lived in the caller's future goes with it, between reserved and placed.
    let mut weak = engine(BUILT, [5, 0, 0]);
    let (asked, _) = order(&mut weak, &[(1, 2)], &[]);
    weak.step();
    weak.forget(asked);
    weak.run();
    assert!(breaks(&weak.live.faults_at_rest(), Invariant::OpenTableIsEmpty));

    // As built the caller may go at any moment: the same happens, and nobody hears of it.
    for steps in 0..3 {
        let mut engine = engine(BUILT, [5, 0, 0]);
        let (asked, id) = order(&mut engine, &[(1, 2)], &[]);
        for _ in 0..steps {
            engine.step();
        }
        engine.caller_leaves(asked);
        healed_prefixes(&mut engine).expect("every crash heals");
        settle_down(&mut engine);
        assert!(engine.live.orders.contains_key(&id));
        assert_eq!(engine.live.faults_at_rest(), []);
    }
}

/// An adjustment that two stocks are asked for, of which the second will refuse.
fn refused_by_one(engine: &mut Engine) -> WorkflowId {
    let delta = |stock| StockDelta { stock, delta: -2 };
    let request = adjustment::Adjust {
        deltas: vec![delta(stock(1, 1)), delta(stock(2, 1))],
        reason: adjustment::Reason::Lost,
        reference: None,
    };
    let id = AdjustmentId(engine.id());
    engine.ask(AdjustAll::new(id, request))
}

/// Lets the message to this stock, and then what it answers, arrive before all others.
fn answer_from(engine: &mut Engine, warehouse: u64) {
    let to_it = |message: &Message| matches!(message, Message::Ask { to: Address::Stock(to), .. } if *to == stock(warehouse, 1));
    let asked = engine.flights.iter().position(to_it).expect("it was asked");
    engine.deliver(asked);
    engine.deliver(engine.flights.len() - 1);
}

#[test]
fn late_grant() {
    // No patience: gives up when the second stock has refused, and the first one's grant comes later.
    let mut weak = engine(BUILT, [5, 0, 0]);
    let asked = refused_by_one(&mut weak);
    answer_from(&mut weak, 2);
    weak.forget(asked);
    weak.run();
    assert!(breaks(&weak.live.faults_at_rest(), Invariant::OpenTableIsEmpty));

    let mut engine = engine(BUILT, [5, 0, 0]);
    let asked = refused_by_one(&mut engine);
    answer_from(&mut engine, 2);
    assert_eq!(engine.flights.len(), 1, "nothing is undone before every take was answered");
    engine.run();
    healed_prefixes(&mut engine).expect("every crash heals");
    engine.sync().expect("nothing is wrong");
    assert!(matches!(engine.left[&asked], Err(Refusal::InsufficientStock(_))));
    assert_eq!(engine.live.stock(stock(1, 1)).on_hand, 5);
    assert_eq!(engine.live.faults_at_rest(), []);
}

#[test]
fn settling_on_a_live_system() {
    // "Its owner is missing, so undo", while the owner is being placed.
    let mut weak = engine(BUILT, [5, 0, 0]);
    order(&mut weak, &[(1, 2)], &[]);
    weak.step();
    let undone = weak.live.open.settle();
    assert_eq!(undone.len(), 1);
    weak.append(undone, None);
    weak.run();
    assert!(breaks(&weak.live.faults_at_rest(), Invariant::EveryEntryHasItsOwner));

    // That rule belongs to recovery alone, which nothing that lived survives.
    let mut engine = engine(BUILT, [5, 0, 0]);
    let (_, id) = order(&mut engine, &[(1, 2)], &[]);
    engine.step();
    engine.crash(engine.journal.len()).expect("every crash heals");
    engine.run();
    assert!(!engine.live.orders.contains_key(&id));
    assert_eq!(engine.live.faults_at_rest(), []);
}
