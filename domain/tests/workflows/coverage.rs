//! What random traffic must have reached, so that a run without a fault means something.

use std::collections::BTreeMap;

use stockade_domain::{
    Event, OwnerKind,
    catalogue::CatalogueEvent,
    holder::HoldEvent,
    order::{OrderEvent, Placed},
    stock::{Give, StockEvent, Take},
    transfer::TransferEvent,
};

use super::world::Group;

type Seen = fn(&Event) -> bool;

/// How often each rare thing happened, by what it is.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    pub(crate) fn count(&mut self, journal: &[Group]) {
        for group in journal {
            for (name, seen) in KINDS {
                let times = group.events.iter().filter(|event| seen(event)).count();
                *self.0.entry(name).or_default() += times;
            }
            let placed = |event: &&Event| matches!(event, Event::Order(OrderEvent::Placed(_)));
            let batch = group.events.iter().filter(placed).count() > 1;
            *self.0.entry("batch placed").or_default() += usize::from(batch);
        }
    }

    pub(crate) fn missing(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, times)| **times == 0).map(|(name, _)| *name).collect()
    }
}

const KINDS: &[(&str, Seen)] = &[
    ("reservation undone", |event| undone(event, |take| matches!(take, Take::Reserve { .. }))),
    ("shipment undone", |event| undone(event, |take| matches!(take, Take::Consume { .. }))),
    ("departure undone", |event| undone(event, |take| matches!(take, Take::TransferOut { .. }))),
    ("minus undone", |event| undone(event, |take| matches!(take, Take::Minus { .. }))),
    ("shipped from a hold's entry", |event| {
        let Event::Stock(StockEvent::Taken { take: Take::Consume { entry, .. }, .. }) = event
        else {
            return false;
        };
        entry.kind() == OwnerKind::Hold
    }),
    ("restocked", |event| given(event, |give| matches!(give, Give::Restock { .. }))),
    ("arrived with some missing", |event| {
        given(event, |give| matches!(give, Give::Arrive { missing: 1.., received: 1.. }))
    }),
    ("called back", |event| {
        matches!(event, Event::Transfer(TransferEvent::Cancelled { restock: true, .. }))
    }),
    (
        "moved at once",
        |event| matches!(event, Event::Transfer(TransferEvent::Dispatched(moved)) if !moved.in_transit),
    ),
    (
        "hold replaced with a surplus",
        |event| matches!(event, Event::Hold(HoldEvent::Placed(placed)) if !placed.surplus.is_empty()),
    ),
    ("hold became an order with a surplus", |event| {
        let Event::Hold(HoldEvent::Converted { surplus, .. }) = event else { return false };
        !surplus.is_empty()
    }),
    ("hold expired", |event| matches!(event, Event::Hold(HoldEvent::Expired(_)))),
    ("claim undone", |event| matches!(event, Event::Hold(HoldEvent::Unclaimed { .. }))),
    (
        "one stock allocated twice to a line",
        |event| matches!(event, Event::Order(OrderEvent::Placed(placed)) if allocates_twice(placed)),
    ),
    (
        "expired with money to pay back",
        |event| matches!(event, Event::Order(OrderEvent::Expired(given)) if given.refund > 0),
    ),
    (
        "cancelled in part",
        |event| matches!(event, Event::Order(OrderEvent::Cancelled(given)) if given.parcels.len() == 1),
    ),
    ("paid back", |event| matches!(event, Event::Order(OrderEvent::Refunded { .. }))),
    ("opening stock", |event| {
        matches!(event, Event::Catalogue(CatalogueEvent::ProductCreated { opening: Some(_), .. }))
    }),
    ("counted less with a product", |event| {
        let Event::Catalogue(CatalogueEvent::ProductUpdated { recount: Some(recount), .. }) = event
        else {
            return false;
        };
        recount.delta < 0
    }),
    ("adjusted", |event| matches!(event, Event::Adjustment(_))),
];

fn undone(event: &Event, is: impl Fn(&Take) -> bool) -> bool {
    matches!(event, Event::Stock(StockEvent::Undone { take, .. }) if is(take))
}

fn given(event: &Event, is: impl Fn(&Give) -> bool) -> bool {
    matches!(event, Event::Stock(StockEvent::Given { give, .. }) if is(give))
}

fn allocates_twice(placed: &Placed) -> bool {
    let key = |index: usize| {
        let allocation = &placed.allocations[index];
        (allocation.line, allocation.warehouse, allocation.hold)
    };
    (1..placed.allocations.len()).any(|index| (0..index).any(|other| key(other) == key(index)))
}
