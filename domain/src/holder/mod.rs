//! Reservations without an order ("holds"), one holder for each owner key.
//!
//! A holder is the one place that decides about the holds of its key, so that holding the same product again replaces the
//! earlier hold instead of standing in its own way. A stock keeps held units under the hold's entry; when a hold is replaced,
//! or becomes an order, the units stay under that entry and the new owner's record names it. Nothing is moved.
#![doc = include_str!("../../docs/holder_module.md")]

mod decide;
mod evolve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    CustomerId, OrderId, Owner, ProductId, Quantity, ReservationId, ShopId, Step, StockKey,
    Timestamp, WarehouseId,
    order::{LineQuantity, Release},
    sourcing::{Allocation, Held, Sourcing},
};

/// Whose holds are decided together.
#[doc = include_str!("../../docs/holder_key.md")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HolderKey {
    /// A hold of nobody in particular stands alone.
    Single(ReservationId),
    /// All holds under this name of the caller's (a cart, a session).
    Named(Box<str>),
    /// All holds of a customer.
    Customer(CustomerId),
}

/// What a caller asks to be held.
#[doc = include_str!("../../docs/place_hold.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceHold {
    /// From which shop's warehouses, or from which warehouse alone.
    pub source: Source,
    /// The caller's name for whom it is held: the same product again under it replaces the hold.
    pub owner: Option<String>,
    /// Among whose names that is one: callers of different scopes that choose the same name do not meet.
    pub scope: Option<String>,
    /// For which customer.
    pub customer: Option<CustomerId>,
    /// What; the same product twice is summed.
    pub lines: Vec<LineQuantity>,
    /// How long, in milliseconds.
    pub ttl_ms: u64,
    /// Whether a part is better than nothing.
    pub partial: bool,
}

/// Where held units may come from.
#[doc = include_str!("../../docs/source.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The warehouses of a shop, by its rule.
    Shop(ShopId),
    /// One warehouse.
    Warehouse(WarehouseId),
}

/// A hold to be: checked, and ready to be allocated.
#[doc = include_str!("../../docs/hold_quote.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldQuote {
    /// How warehouses are chosen.
    pub sourcing: Sourcing,
    /// Warehouses in the order in which they are asked.
    pub candidates: Vec<WarehouseId>,
    /// One line for each product.
    pub lines: Vec<(ProductId, Quantity)>,
}

/// The state of one hold.
#[doc = include_str!("../../docs/hold.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: ReservationId,
    /// Who decides about it.
    pub key: HolderKey,
    /// The caller's name for whom it is held.
    pub owner: Option<Box<str>>,
    /// What was wanted, a line for each product.
    pub lines: Vec<(ProductId, Quantity)>,
    /// What is held.
    pub allocations: Vec<Allocation>,
    /// Until when.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub status: HoldStatus,
    /// The order that is about to take it over: nothing else may touch it then.
    pub claimed_by: Option<OrderId>,
    /// The number of its next workflow.
    pub next_step: Step,
    /// Counts its events.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When `expires_at` was set.
    pub set_at: Timestamp,
}

/// Where a hold stands.
#[doc = include_str!("../../docs/hold_status.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldStatus {
    /// Its units are held.
    Active,
    /// It was given back, or replaced.
    Released,
    /// Its time was up.
    Expired,
    /// It became part of an order.
    Converted(OrderId),
}

/// The state of one holder: its live holds.
#[doc = include_str!("../../docs/holder_type.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// By id.
    pub holds: BTreeMap<ReservationId, Hold>,
}

/// What can be asked of a live hold.
#[doc = include_str!("../../docs/hold_command.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldCommand {
    /// Hold it this long from now, in milliseconds.
    Extend {
        /// How long.
        ttl_ms: u64,
    },
    /// Give it back.
    Release,
    /// The deadline's timer message.
    Expire,
}

/// What happened to a hold.
#[doc = include_str!("../../docs/hold_event.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldEvent {
    /// Units are held; adopts what was reserved for it and what it replaces, gives back the surplus.
    Placed(Box<HoldPlaced>),
    /// Its deadline moved.
    Extended {
        /// Which hold.
        hold: ReservationId,
        /// Until when.
        expires_at: Timestamp,
        /// When it was moved.
        at: Timestamp,
    },
    /// An order is about to take it over: a take of the order's, open until the order is placed.
    Claimed {
        /// Which hold.
        hold: ReservationId,
        /// For which order.
        order: OrderId,
    },
    /// The order came to nothing; the hold lives again.
    Unclaimed {
        /// Which hold.
        hold: ReservationId,
        /// For which order it had been claimed.
        order: OrderId,
    },
    /// It became part of an order; gives back what the order did not need.
    Converted {
        /// Which hold.
        hold: ReservationId,
        /// Which order.
        order: OrderId,
        /// In which workflow of the hold.
        step: Step,
        /// What the order did not need.
        surplus: Vec<Release>,
        /// When.
        at: Timestamp,
    },
    /// It was given back.
    Released(Box<HoldEnded>),
    /// Its time was up.
    Expired(Box<HoldEnded>),
}

/// How a hold began.
#[doc = include_str!("../../docs/hold_placed.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldPlaced {
    /// Its id.
    pub id: ReservationId,
    /// Who decides about it.
    pub key: HolderKey,
    /// The caller's name for whom it is held.
    pub owner: Option<Box<str>>,
    /// What was wanted.
    pub lines: Vec<(ProductId, Quantity)>,
    /// What is held.
    pub allocations: Vec<Allocation>,
    /// Until when.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
    /// Earlier holds of the same owner that lose these lines' products to it.
    pub replaces: Vec<ReservationId>,
    /// Units of those that it does not need.
    pub surplus: Vec<Release>,
}

/// How a hold ended.
#[doc = include_str!("../../docs/hold_ended.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldEnded {
    /// Which hold.
    pub hold: ReservationId,
    /// In which workflow.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// What is free again.
    pub releases: Vec<Release>,
}

impl Hold {
    /// What it holds, as units that a new owner can count first.
    #[doc = include_str!("../../docs/hold_held.md")]
    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.allocations.iter().map(|allocation| {
            let product = self.lines[allocation.line as usize].0;
            Held {
                stock: StockKey::new(allocation.warehouse, product),
                hold: allocation.hold.unwrap_or(self.id),
                quantity: allocation.quantity,
            }
        })
    }

    /// Whether its units are held.
    #[doc = include_str!("../../docs/hold_is_active.md")]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == HoldStatus::Active
    }

    /// How many of a line's units are held.
    #[doc = include_str!("../../docs/hold_held_of.md")]
    #[must_use]
    pub fn held_of(&self, line: usize) -> Quantity {
        let of_line = self.allocations.iter().filter(|allocation| allocation.line as usize == line);
        of_line.map(|allocation| allocation.quantity).sum()
    }
}

impl From<Held> for Release {
    fn from(held: Held) -> Self {
        Self { stock: held.stock, entry: Owner::hold(held.hold), quantity: held.quantity }
    }
}

impl HoldEvent {
    /// Which hold it happened to.
    #[doc = include_str!("../../docs/hold_event_hold.md")]
    #[must_use]
    pub fn hold(&self) -> ReservationId {
        match self {
            Self::Placed(placed) => placed.id,
            Self::Released(ended) | Self::Expired(ended) => ended.hold,
            Self::Extended { hold, .. }
            | Self::Claimed { hold, .. }
            | Self::Unclaimed { hold, .. }
            | Self::Converted { hold, .. } => *hold,
        }
    }
}
