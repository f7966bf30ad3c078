//! Takes and gives: each known by its owner and step, each done once.

use stockade_domain::{
    AdjustmentId, Event, TransferId,
    adjustment::{Adjust, Reason},
    catalogue::StockDelta,
    invariants::Invariant,
    order::OrderCommand,
    stock::{Give, StockEvent, Take},
    transfer::{Dispatched, TransferCommand},
};

use super::{
    believing, engine, group_of, healed_prefixes, order, paid_order, settle_down, ship, stock,
};
use crate::workflows::{
    engine::{BUILT, Engine, Rules},
    faults::breaks,
    jobs::{AdjustAll, Dispatch, OnOrder, OnTransfer},
    recovery::Recovery,
    world::World,
};

#[test]
fn second_part_shipment_ignored() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let id = paid_order(&mut engine, 2);
    for _ in 0..2 {
        engine.ask(OnOrder::new(id, ship(1)));
        engine.run();
    }
    let shelf = engine.live.stock(stock(1, 1));
    assert_eq!((shelf.on_hand, shelf.reserved), (3, 0), "both parts left");
    healed_prefixes(&mut engine).expect("every crash heals");

    // A stock that knows takes by their owner alone takes the second for a repeat, and says yes.
    let is_consumed = |event: &Event| {
        matches!(event, Event::Stock(StockEvent::Taken { take: Take::Consume { .. }, .. }))
    };
    let second = group_of(&engine.journal, is_consumed);
    let mut journal = engine.journal.clone();
    journal.remove(second);
    let faults = World::fold(&journal).faults_at_rest();
    assert!(breaks(&faults, Invariant::UnitsAreConserved));
    assert!(breaks(&faults, Invariant::EveryEntryHasItsOwner));
}

fn adjust(engine: &mut Engine, deltas: &[(u64, u64, i64)]) -> AdjustmentId {
    let id = AdjustmentId(engine.id());
    let delta =
        |&(warehouse, product, delta): &_| StockDelta { stock: stock(warehouse, product), delta };
    let deltas = deltas.iter().map(delta).collect();
    let request = Adjust { deltas, reason: Reason::Correction, reference: None };
    engine.ask(AdjustAll::new(id, request));
    id
}

#[test]
fn delta_delivered_twice() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    adjust(&mut engine, &[(1, 1, 3)]);
    settle_down(&mut engine);
    let given = engine.journal.last().expect("the give was appended").clone();

    let twice = believing(engine.live.clone(), &given.events);
    assert!(breaks(&twice.faults_at_rest(), Invariant::UnitsAreConserved));

    // What was given is open no more, so no start gives it again; what was not is given once, however often a start is cut.
    engine.crash(engine.journal.len()).expect("every crash heals");
    assert_eq!(engine.live.stock(stock(1, 1)).on_hand, 8);
    adjust(&mut engine, &[(1, 1, 3)]);
    engine.crash(engine.journal.len()).expect("every crash heals");
    for _ in 0..3 {
        assert_eq!(engine.live.stock(stock(1, 1)).on_hand, 11);
        engine.crash(engine.durable()).expect("every crash heals");
    }
}

#[test]
fn return_forgotten() {
    let returned = |rules: Rules| {
        let mut engine = engine(BUILT, [5, 0, 0]);
        let id = paid_order(&mut engine, 2);
        engine.ask(OnOrder::new(id, ship(2)));
        settle_down(&mut engine);
        engine.rules = rules;
        let command = OrderCommand::Return { lines: None, restock: true, reason: None };
        engine.ask(OnOrder::new(id, command));
        assert_eq!(engine.live.stock(stock(1, 1)).on_hand, 3, "decided, not on the shelf yet");
        engine
    };

    let mut weak = returned(Rules { recovery: Recovery::NoGives, ..BUILT });
    let faults = weak.check_all().expect_err("the units are nowhere");
    assert!(breaks(&faults, Invariant::UnitsAreConserved));

    let mut engine = returned(BUILT);
    engine.crash(engine.journal.len()).expect("every crash heals");
    assert_eq!(engine.live.stock(stock(1, 1)).on_hand, 5);
}

fn dispatch(engine: &mut Engine, quantity: u64, in_transit: bool) -> TransferId {
    let id = TransferId(engine.id());
    let (from, to) = (stock(1, 1).warehouse, stock(2, 1).warehouse);
    let product = stock(1, 1).product;
    let at = engine.now;
    engine.ask(Dispatch::new(Dispatched { id, product, from, to, quantity, in_transit, at }));
    id
}

#[test]
fn transfer_in_no_place_in_two_places() {
    // In no place: taken out, crashed, and the take left standing.
    let mut weak = engine(BUILT, [5, 0, 0]);
    weak.rules.recovery = Recovery::NoUndo;
    dispatch(&mut weak, 2, false);
    weak.step();
    let faults = weak.check_all().expect_err("two units are nowhere");
    assert!(breaks(&faults, Invariant::UnitsAreConserved));

    // In two places: given in before the departure was decided, which a crash then undoes.
    let owner = weak.live.open.takes()[0].0;
    let give = Give::TransferIn { quantity: 2 };
    let early = StockEvent::Given { stock: stock(2, 1), owner, step: 0, give }.into();
    let undone = weak.live.open.settle();
    let mut doubled = believing(believing(weak.live.clone(), &[early]), &undone);
    doubled.open = Default::default();
    assert!(breaks(&doubled.faults_at_rest(), Invariant::UnitsAreConserved));

    let mut engine = engine(BUILT, [5, 0, 0]);
    dispatch(&mut engine, 2, false);
    engine.run();
    for healed in healed_prefixes(&mut engine).expect("every crash heals") {
        let on_hand = [stock(1, 1), stock(2, 1)].map(|stock| healed.stock(stock).on_hand);
        assert!([[5, 0], [3, 2]].contains(&on_hand), "{on_hand:?}");
    }
}

#[test]
fn transfer_received_in_parts_and_called_back() {
    let mut engine = engine(BUILT, [5, 0, 0]);
    let transfer = dispatch(&mut engine, 4, true);
    let part = TransferCommand::Receive {
        quantity: Some(1),
        discrepancy: Some((1, "broken on the way".into())),
    };
    let back = TransferCommand::Cancel { restock: true, reason: None };
    for command in [part, back] {
        engine.ask(OnTransfer { transfer, command });
    }
    engine.run();
    let healed = healed_prefixes(&mut engine).expect("every crash heals");
    let last = healed.last().expect("there is a prefix");
    let on_hand = [stock(1, 1), stock(2, 1)].map(|stock| last.stock(stock).on_hand);
    assert_eq!(on_hand, [3, 1], "two went back, one came in, one broke");
}

#[test]
fn adjustment_of_many_half() {
    let deltas = [(1, 1, 3), (2, 1, -2), (1, 2, -1), (2, 2, 4)];
    let stocks = deltas.map(|(warehouse, product, _)| stock(warehouse, product));
    let on_hand = |world: &World| stocks.map(|stock| world.stock(stock).on_hand);
    let (before, after) = ([5, 5, 5, 0], [8, 3, 4, 4]);

    let mut one_by_one = engine(BUILT, [5, 5, 5]);
    for delta in deltas {
        adjust(&mut one_by_one, &[delta]);
    }
    one_by_one.run();
    let halves = healed_prefixes(&mut one_by_one).expect("each of them heals");
    assert!(halves.iter().any(|world| ![before, after].contains(&on_hand(world))));

    let mut engine = engine(BUILT, [5, 5, 5]);
    let id = adjust(&mut engine, &deltas);
    engine.run();
    for healed in healed_prefixes(&mut engine).expect("every crash heals") {
        let wanted = if healed.adjustments.contains(&id) { after } else { before };
        assert_eq!(on_hand(&healed), wanted);
    }
}

#[test]
fn release_refused() {
    let cancelled = || {
        let mut engine = engine(BUILT, [2, 0, 0]);
        let (_, id) = order(&mut engine, &[(1, 2)], &[]);
        settle_down(&mut engine);
        let command = OrderCommand::Cancel { lines: None, reason: None };
        let cancel = engine.ask(OnOrder::new(id, command));
        assert_eq!(engine.flights.len(), 1, "the release is on its way");
        (engine, cancel)
    };

    // A full mailbox that drops it: the unit is nobody's until the next start.
    let (mut engine, cancel) = cancelled();
    engine.flights.clear();
    engine.forget(cancel);
    assert!(breaks(&engine.live.faults_at_rest(), Invariant::OpenTableIsEmpty));

    // Whatever else is asked of the stock meanwhile, a give is never refused.
    let (mut engine, _) = cancelled();
    order(&mut engine, &[(1, 1)], &[]);
    settle_down(&mut engine);
    assert_eq!(engine.live.stock(stock(1, 1)).reserved, 1, "the other order's, and no more");
    assert_eq!(engine.live.faults_at_rest(), []);
}
