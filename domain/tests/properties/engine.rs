//! Properties of the whole: every invariant after every group of events, replay, crashes, refusals that change nothing.

use std::collections::BTreeSet;

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use stockade_domain::Event;

use super::{
    ops::{Op, ops},
    world::World,
};

pub(crate) fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// `World::run` checks after every group that every invariant holds, and after every workflow that nothing is in flight and
/// that a refusal changed nothing.
pub(crate) fn ran(ops: &[Op]) -> World {
    let mut world = World::begin();
    for op in ops {
        world.run(op);
    }
    world
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn no_sequence_of_workflows_breaks_an_invariant_and_replay_gives_the_same(ops in ops()) {
        let world = ran(&ops);
        World::replay(&world.log).assert_same_as(&world);
    }

    #[test]
    fn a_crash_anywhere_settles_to_a_state_without_a_leak(ops in ops(), at in any::<prop::sample::Index>()) {
        let world = ran(&ops);
        let kept = *at.get(&world.cuts);
        let recovered = world.recovered(kept);
        World::replay(&recovered.log).assert_same_as(&recovered);
    }

    #[test]
    fn when_everything_has_ended_nothing_is_reserved(ops in ops()) {
        let mut world = ran(&ops);
        world.end();
        for (key, stock) in &world.stocks {
            prop_assert_eq!((stock.reserved, stock.entries.len(), stock.incoming), (0, 0, 0), "{}", key);
        }
    }
}

/// The names of an event: `Stock Taken Reserve`, `Order Paid`.
fn names(event: &Event) -> String {
    let text = format!("{event:?}");
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = format!("{} {}", words.next().unwrap_or(""), words.next().unwrap_or(""));
    if let Event::Stock(_) = event {
        let moves = words.skip_while(|word| !matches!(*word, "take" | "give")).nth(1);
        name.extend(moves.into_iter().flat_map(|name| [" ", name]));
    }
    name
}

#[test]
fn the_random_workflows_reach_every_kind_of_event() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let ops = ops().new_tree(&mut runner).expect("a strategy without filters").current();
        seen.extend(ran(&ops).log.iter().map(names));
    }
    let wanted = "Stock Taken Reserve, Stock Taken Consume, Stock Taken TransferOut, Stock Taken Minus, \
        Stock Undone Reserve, Stock Undone Consume, Stock Undone TransferOut, Stock Undone Minus, \
        Stock Given Release, Stock Given Plus, Stock Given Restock, Stock Given TransferIn, \
        Stock Given Expect, Stock Given Arrive, Stock Recounted, Stock PolicyChanged, \
        Order Placed, Order PaymentRecorded, Order Paid, Order Expired, Order Cancelled, \
        Order Shipped, Order Delivered, Order Returned, Order Refunded, \
        Hold Placed, Hold Extended, Hold Claimed, Hold Unclaimed, Hold Converted, Hold Released, \
        Hold Expired, Catalogue ProductCreated, Catalogue ProductUpdated, \
        Catalogue ProductArchived, Catalogue ShopCreated, Catalogue ShopUpdated, \
        Catalogue WarehouseCreated, Catalogue WarehouseStatusChanged, \
        Transfer Dispatched, Transfer Received, Transfer Cancelled, Adjustment Adjusted, \
        Adjustment RowsAdjusted";
    let missing: Vec<_> =
        wanted.split(", ").map(str::trim).filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?} of {seen:?}");
}
