//! What is asked of the small engine, at random. Small numbers, so that everything gets in everything's way.

use proptest::prelude::*;

/// Lines as (product, quantity).
pub(crate) type Lines = Vec<(u64, u64)>;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Order { shop: u64, lines: Lines, holds: Vec<usize>, trip: Option<usize> },
    OnOrder { order: usize, act: Act, trip: Option<usize> },
    Hold(AskHold),
    OnHold { hold: usize, act: HoldAct },
    Transfer { product: u64, from: u64, to: u64, quantity: u64, in_transit: bool, trip: bool },
    OnTransfer { transfer: usize, act: TransferAct },
    Adjust { deltas: Vec<(u64, u64, i64)>, trip: Option<usize> },
    Recount { warehouse: u64, product: u64, on_hand: u64 },
    Policy { warehouse: u64, product: u64, safety: Option<u64>, backorder: Option<u64> },
    NewProduct { price: i64, opening: Option<(u64, u64)> },
    ChangeProduct { product: u64, archived: Option<bool>, recount: Option<(u64, i64)>, price: i64 },
    Warehouse { warehouse: u64, active: bool },
    Shop { shop: u64, rule: u8, split: bool, warehouses: Vec<u64> },
    Wait { ms: u64 },
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Pay { amount: Option<i64>, reference: Option<u8> },
    Expire,
    Cancel(Option<Lines>),
    Ship(Option<Lines>),
    Deliver,
    Return { lines: Option<Lines>, restock: bool },
    Refund(Option<i64>),
}

#[derive(Clone, Debug)]
pub(crate) struct AskHold {
    pub(crate) customer: Option<u64>,
    pub(crate) owner: Option<u8>,
    pub(crate) warehouse: Option<u64>,
    pub(crate) lines: Lines,
    pub(crate) partial: bool,
    pub(crate) trip: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum HoldAct {
    Extend,
    Release,
    Expire,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum TransferAct {
    Receive { quantity: Option<u64>, missing: Option<u64> },
    Cancel { restock: bool },
}

fn product() -> impl Strategy<Value = u64> {
    1..=4_u64
}

fn warehouse() -> impl Strategy<Value = u64> {
    1..=3_u64
}

fn lines() -> impl Strategy<Value = Lines> {
    prop::collection::vec((product(), 1..=6_u64), 1..4)
}

fn some_lines() -> impl Strategy<Value = Option<Lines>> {
    prop::option::of(prop::collection::vec((product(), 1..=3_u64), 1..3))
}

/// Seldom: after so many takes something else is in the way.
fn trip() -> impl Strategy<Value = Option<usize>> {
    prop::option::weighted(0.1, 0..3_usize)
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let amount = || prop::option::of(-1..=400_i64);
    prop_oneof![
        4 => (amount(), prop::option::of(0..3_u8))
            .prop_map(|(amount, reference)| Act::Pay { amount, reference }),
        1 => Just(Act::Expire),
        2 => some_lines().prop_map(Act::Cancel),
        4 => some_lines().prop_map(Act::Ship),
        1 => Just(Act::Deliver),
        3 => (some_lines(), any::<bool>())
            .prop_map(|(lines, restock)| Act::Return { lines, restock }),
        1 => amount().prop_map(Act::Refund),
    ]
}

fn hold() -> impl Strategy<Value = AskHold> {
    let who = (prop::option::of(1..=2_u64), prop::option::weighted(0.8, 0..2_u8));
    let what = (prop::option::weighted(0.2, warehouse()), lines(), any::<bool>(), trip());
    (who, what).prop_map(|((customer, owner), (warehouse, lines, partial, trip))| AskHold {
        customer,
        owner,
        warehouse,
        lines,
        partial,
        trip,
    })
}

fn stock_op() -> impl Strategy<Value = Op> {
    let small = || 0..=30_u64;
    let delta = || (warehouse(), product(), -8..=12_i64);
    prop_oneof![
        3 => (prop::collection::vec(delta(), 1..4), trip())
            .prop_map(|(deltas, trip)| Op::Adjust { deltas, trip }),
        2 => (warehouse(), product(), small())
            .prop_map(|(warehouse, product, on_hand)| Op::Recount { warehouse, product, on_hand }),
        2 => (warehouse(), product(), prop::option::of(0..=3_u64), prop::option::of(0..=5_u64))
            .prop_map(|(warehouse, product, safety, backorder)| {
                Op::Policy { warehouse, product, safety, backorder }
            }),
        3 => (product(), warehouse(), warehouse(), 0..=6_u64, any::<bool>(), trip()).prop_map(
            |(product, from, to, quantity, in_transit, trip)| {
                let trip = trip.is_some();
                Op::Transfer { product, from, to, quantity, in_transit, trip }
            }
        ),
    ]
}

fn transfer_act() -> impl Strategy<Value = TransferAct> {
    let part = || prop::option::of(0..=5_u64);
    prop_oneof![
        3 => (part(), part())
            .prop_map(|(quantity, missing)| TransferAct::Receive { quantity, missing }),
        1 => any::<bool>().prop_map(|restock| TransferAct::Cancel { restock }),
    ]
}

fn catalogue_op() -> impl Strategy<Value = Op> {
    let recount = || prop::option::of((warehouse(), -6..=9_i64));
    let archived = || prop::option::weighted(0.3, any::<bool>());
    let list = || prop::sample::subsequence(vec![1_u64, 2, 3], 1..=3).prop_shuffle();
    prop_oneof![
        1 => (0..=90_i64, prop::option::of((warehouse(), 0..=9_u64)))
            .prop_map(|(price, opening)| Op::NewProduct { price, opening }),
        3 => (product(), archived(), recount(), 0..=90_i64).prop_map(
            |(product, archived, recount, price)| {
                Op::ChangeProduct { product, archived, recount, price }
            }
        ),
        1 => (warehouse(), prop::bool::weighted(0.7))
            .prop_map(|(warehouse, active)| Op::Warehouse { warehouse, active }),
        1 => (1..=2_u64, 0..4_u8, any::<bool>(), list())
            .prop_map(|(shop, rule, split, warehouses)| Op::Shop { shop, rule, split, warehouses }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let hold_act =
        prop_oneof![Just(HoldAct::Extend), Just(HoldAct::Release), Just(HoldAct::Expire)];
    let holds = prop::collection::vec(0..40_usize, 0..3);
    prop_oneof![
        6 => (1..=2_u64, lines(), holds, trip())
            .prop_map(|(shop, lines, holds, trip)| Op::Order { shop, lines, holds, trip }),
        12 => (0..40_usize, act(), trip())
            .prop_map(|(order, act, trip)| Op::OnOrder { order, act, trip }),
        6 => hold().prop_map(Op::Hold),
        3 => (0..40_usize, hold_act).prop_map(|(hold, act)| Op::OnHold { hold, act }),
        6 => stock_op(),
        3 => (0..40_usize, transfer_act())
            .prop_map(|(transfer, act)| Op::OnTransfer { transfer, act }),
        2 => catalogue_op(),
        2 => (0..=60_000_u64).prop_map(|ms| Op::Wait { ms }),
    ]
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..60)
}
