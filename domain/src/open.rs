//! The open table: the whole of recovery.
//!
//! Every workflow is *take, decide, give*. Folding the events, a take enters the table and its owner's decision removes it; a
//! decision enters its gives, and each give removes itself. What is in the table when the events end is exactly what a crash
//! interrupted: its takes are undone (newest first), its gives are done, and nothing else needs to be looked at. The table is
//! empty whenever nothing is in flight.
#![doc = include_str!("../docs/open_module.md")]

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{
    Event, OrderId, Owner, ReservationId, Sequence, Step, StockKey, adjustment,
    catalogue::CatalogueEvent,
    holder::HoldEvent,
    order::{OrderEvent, Release},
    stock::{Give, StockEvent, Take},
};

/// What a workflow has taken and not yet decided.
#[doc = include_str!("../docs/open_take.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenTake {
    /// From a stock.
    Stock(StockKey, Take),
    /// A hold, for an order that is being placed.
    Claim(ReservationId),
}

/// What part an event plays in a workflow.
#[doc = include_str!("../docs/part_type.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It stands alone.
    Alone,
    /// Something was taken for (owner, step).
    Taken(Owner, Step, OpenTake),
    /// It was undone.
    Undone(Owner, Step, OpenTake),
    /// (owner, step) was decided: adopts all its takes, owes these gives.
    Decided(Owner, Step, Vec<(StockKey, Give)>),
    /// One of the gives was done.
    Given(Owner, Step, StockKey, Give),
}

/// The part that an event plays. This is the one place that knows.
#[doc = include_str!("../docs/part.md")]
#[must_use]
pub fn part(event: &Event) -> Part {
    match event {
        Event::Stock(event) => stock_part(event),
        Event::Order(event) => order_part(event),
        Event::Hold(event) => hold_part(event),
        Event::Catalogue(event) => catalogue_part(event),
        Event::Transfer(event) => {
            let (owner, step, gives) = event.gives();
            Part::Decided(owner, step, gives)
        }
        Event::Adjustment(event) => {
            Part::Decided(event.owner(), 0, adjustment::gives(event.deltas()).collect())
        }
        Event::IdsLeased { .. } | Event::Account(_) | Event::Clock(_) | Event::Origin(_) => {
            Part::Alone
        }
    }
}

fn stock_part(event: &StockEvent) -> Part {
    match event {
        StockEvent::Taken { stock, owner, step, take } => {
            Part::Taken(*owner, *step, OpenTake::Stock(*stock, *take))
        }
        StockEvent::Undone { stock, owner, step, take } => {
            Part::Undone(*owner, *step, OpenTake::Stock(*stock, *take))
        }
        StockEvent::Given { stock, owner, step, give } => Part::Given(*owner, *step, *stock, *give),
        StockEvent::Recounted { .. } | StockEvent::PolicyChanged { .. } => Part::Alone,
    }
}

fn order_part(event: &OrderEvent) -> Part {
    let owner = Owner::order(event.order());
    match event {
        OrderEvent::Placed(_) => Part::Decided(owner, 0, Vec::new()),
        OrderEvent::Expired(given) | OrderEvent::Cancelled(given) => {
            Part::Decided(owner, given.step, releases(&given.releases))
        }
        OrderEvent::Shipped { step, .. } => Part::Decided(owner, *step, Vec::new()),
        OrderEvent::Returned { step, restock, .. } => {
            let give = |&(stock, quantity): &(StockKey, u64)| (stock, Give::Restock { quantity });
            Part::Decided(owner, *step, restock.iter().map(give).collect())
        }
        OrderEvent::PaymentRecorded { .. }
        | OrderEvent::Paid { .. }
        | OrderEvent::Delivered { .. }
        | OrderEvent::Refunded { .. }
        | OrderEvent::Personal { .. } => Part::Alone,
    }
}

fn hold_part(event: &HoldEvent) -> Part {
    let owner = Owner::hold(event.hold());
    match event {
        HoldEvent::Placed(placed) => Part::Decided(owner, 0, releases(&placed.surplus)),
        HoldEvent::Extended { .. } => Part::Alone,
        HoldEvent::Claimed { hold, order } => {
            Part::Taken(Owner::order(*order), 0, OpenTake::Claim(*hold))
        }
        HoldEvent::Unclaimed { hold, order } => {
            Part::Undone(Owner::order(*order), 0, OpenTake::Claim(*hold))
        }
        HoldEvent::Converted { step, surplus, .. } => {
            Part::Decided(owner, *step, releases(surplus))
        }
        HoldEvent::Released(ended) | HoldEvent::Expired(ended) => {
            Part::Decided(owner, ended.step, releases(&ended.releases))
        }
    }
}

fn catalogue_part(event: &CatalogueEvent) -> Part {
    match event {
        CatalogueEvent::ProductCreated { product, opening: Some((stock, quantity)) } => {
            let give = (*stock, Give::Plus { quantity: *quantity });
            Part::Decided(Owner::product(product.id), product.step(), vec![give])
        }
        CatalogueEvent::ProductUpdated { product, recount: Some(recount) } => {
            let gives = adjustment::gives(std::slice::from_ref(recount)).collect();
            Part::Decided(Owner::product(product.id), product.step(), gives)
        }
        _ => Part::Alone,
    }
}

/// The gives that free reserved units.
#[doc = include_str!("../docs/releases.md")]
#[must_use]
pub fn releases(releases: &[Release]) -> Vec<(StockKey, Give)> {
    let give = |release: &Release| {
        (release.stock, Give::Release { entry: release.entry, quantity: release.quantity })
    };
    releases.iter().map(give).collect()
}

/// What is taken and not decided, and what is decided and not given.
#[doc = include_str!("../docs/open_table.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTable {
    takes: FxHashMap<(Owner, Step), Vec<(Sequence, OpenTake)>>,
    gives: FxHashMap<(Owner, Step), Vec<(StockKey, Give)>>,
}

impl OpenTable {
    /// Folds one event.
    #[doc = include_str!("../docs/open_table_apply.md")]
    pub fn apply(&mut self, sequence: Sequence, event: &Event) {
        match part(event) {
            Part::Alone => {}
            Part::Taken(owner, step, take) => {
                self.takes.entry((owner, step)).or_default().push((sequence, take));
            }
            Part::Undone(owner, step, take) => {
                remove(&mut self.takes, (owner, step), |(_, open)| *open == take);
            }
            Part::Decided(owner, step, gives) => {
                self.takes.remove(&(owner, step));
                if !gives.is_empty() {
                    self.gives.insert((owner, step), gives);
                }
            }
            Part::Given(owner, step, stock, give) => {
                remove(&mut self.gives, (owner, step), |open| *open == (stock, give));
            }
        }
    }

    /// Whether nothing is in flight.
    #[doc = include_str!("../docs/open_table_is_empty.md")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.takes.is_empty() && self.gives.is_empty()
    }

    /// How many takes and gives are open.
    #[doc = include_str!("../docs/open_table_len.md")]
    #[must_use]
    pub fn len(&self) -> usize {
        let takes: usize = self.takes.values().map(Vec::len).sum();
        let gives: usize = self.gives.values().map(Vec::len).sum();
        takes + gives
    }

    /// The open takes, newest first.
    #[doc = include_str!("../docs/open_table_takes.md")]
    #[must_use]
    pub fn takes(&self) -> Vec<(Owner, Step, OpenTake)> {
        let mut takes: Vec<_> = self
            .takes
            .iter()
            .flat_map(|((owner, step), takes)| takes.iter().map(move |take| (*owner, *step, *take)))
            .collect();
        takes.sort_by_key(|(_, _, (sequence, _))| std::cmp::Reverse(*sequence));
        takes.into_iter().map(|(owner, step, (_, take))| (owner, step, take)).collect()
    }

    /// The open gives, by owner and step.
    #[doc = include_str!("../docs/open_table_gives.md")]
    #[must_use]
    pub fn gives(&self) -> Vec<(Owner, Step, StockKey, Give)> {
        let mut gives: Vec<_> = self
            .gives
            .iter()
            .flat_map(|((owner, step), gives)| {
                gives.iter().map(move |(stock, give)| (*owner, *step, *stock, *give))
            })
            .collect();
        gives.sort_by_key(|(owner, step, stock, _)| (*owner, *step, *stock));
        gives
    }

    /// The events that settle everything that a crash interrupted: undo what was taken and not decided (newest first), give
    /// what was decided and not given.
    #[doc = include_str!("../docs/open_table_settle.md")]
    #[must_use]
    pub fn settle(&self) -> Vec<Event> {
        let undo = |(owner, step, take): (Owner, Step, OpenTake)| match take {
            OpenTake::Stock(stock, take) => StockEvent::Undone { stock, owner, step, take }.into(),
            OpenTake::Claim(hold) => {
                HoldEvent::Unclaimed { hold, order: OrderId(owner.id()) }.into()
            }
        };
        let give = |(owner, step, stock, give): (Owner, Step, StockKey, Give)| {
            StockEvent::Given { stock, owner, step, give }.into()
        };
        let undone = self.takes().into_iter().map(undo);
        undone.chain(self.gives().into_iter().map(give)).collect()
    }
}

/// Removes the newest open entry that fits; the key goes with its last entry.
fn remove<T>(
    open: &mut FxHashMap<(Owner, Step), Vec<T>>,
    key: (Owner, Step),
    fits: impl Fn(&T) -> bool,
) {
    let entries = open.get_mut(&key).expect("what is undone or given is open");
    let place = entries.iter().rposition(fits).expect("what is undone or given is open");
    entries.remove(place);
    if entries.is_empty() {
        open.remove(&key);
    }
}
