//! What must survive together.

use stockade_domain::{OrderId, order::PlaceOrder};

use super::{engine, healed_prefixes, lines, settle_down};
use crate::workflows::{
    engine::{BUILT, Engine},
    placing::Place,
    traffic::SHOP,
    world::{Group, World},
};

fn batch(engine: &mut Engine, quantities: [u64; 2]) -> u64 {
    let place = |quantity| (OrderId(engine.id()), PlaceOrder::new(SHOP, lines(&[(1, quantity)])));
    let orders = quantities.map(place).into();
    engine.ask(Place::new(None, orders))
}

#[test]
fn batch_all_half() {
    let mut engine = engine(BUILT, [3, 2, 0]);
    batch(&mut engine, [2, 3]);
    engine.run();
    for healed in healed_prefixes(&mut engine).expect("every crash heals") {
        assert!([0, 2].contains(&healed.orders.len()), "all or none");
    }

    // The first events of two orders in two groups: a crash in between keeps half of the batch.
    let decision = engine.journal.last().expect("it was decided").clone();
    let mut world = World::fold(&engine.journal[..engine.journal.len() - 1]);
    let events = decision.events[..1].to_vec();
    world.apply(&Group { events, request: None });
    assert_eq!(world.orders.len(), 1);
}

#[test]
fn batch_all_short() {
    let mut engine = engine(BUILT, [3, 2, 0]);
    // Another's units are taken, and the read side does not show it yet: one of the stocks says no.
    batch(&mut engine, [1, 1]);
    let refused = batch(&mut engine, [2, 2]);
    engine.run();
    healed_prefixes(&mut engine).expect("every crash heals");
    settle_down(&mut engine);
    assert!(engine.left[&refused].is_err());
    assert_eq!(engine.live.orders.len(), 2);
    assert_eq!(engine.live.faults_at_rest(), []);
}
