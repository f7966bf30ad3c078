//! A stock: one product in one warehouse.
//!
//! Every change comes as one of a few primitive moves: a *take* (refusable, with an exact undo), a *give* (never refused), a
//! recount or a policy. A stock knows who holds how many of its reserved units, but not until when: only the owner knows, so
//! a payment is one event in one place.
#![doc = include_str!("../../docs/stock_module.md")]

mod decide;
mod evolve;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{Owner, Quantity, Step, StockKey, Timestamp};

/// The state of one stock.
#[doc = include_str!("../../docs/stock.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Units that are physically there.
    pub on_hand: Quantity,
    /// Units promised to owners: always the sum of [`Stock::entries`].
    pub reserved: Quantity,
    /// Units that are never promised.
    pub safety_stock: Quantity,
    /// Units on their way here.
    pub incoming: Quantity,
    /// How many units may be promised beyond what is there.
    pub backorder_limit: Quantity,
    /// Counts changes of on hand and policy, not reservations.
    pub version: u32,
    /// Who holds how many of the reserved units.
    pub entries: FxHashMap<Owner, Quantity>,
}

/// A move that a stock may refuse. Each names its owner and step in [`StockEvent`], and can be undone exactly.
#[doc = include_str!("../../docs/take.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Take {
    /// Promise units to the owner, under the owner's own entry.
    Reserve {
        /// How many.
        quantity: Quantity,
    },
    /// Reserved units leave the warehouse (a shipment).
    Consume {
        /// Under which entry they are reserved.
        entry: Owner,
        /// How many.
        quantity: Quantity,
    },
    /// Unreserved units leave for another warehouse.
    TransferOut {
        /// How many.
        quantity: Quantity,
    },
    /// Unreserved units are taken off (damaged, lost, counted less).
    Minus {
        /// How many.
        quantity: Quantity,
    },
}

/// A move that follows from a decision. Never refused, done once for each (owner, step) that decided it.
#[doc = include_str!("../../docs/give.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Give {
    /// Reserved units are free again.
    Release {
        /// Under which entry they were reserved.
        entry: Owner,
        /// How many.
        quantity: Quantity,
    },
    /// Units come in (an adjustment, an opening stock).
    Plus {
        /// How many.
        quantity: Quantity,
    },
    /// Units come back from a customer.
    Restock {
        /// How many.
        quantity: Quantity,
    },
    /// Units of a transfer come in (at once, or back to where they left).
    TransferIn {
        /// How many.
        quantity: Quantity,
    },
    /// Units are on their way here.
    Expect {
        /// How many.
        quantity: Quantity,
    },
    /// Expected units came in, or will never come.
    Arrive {
        /// How many came in.
        received: Quantity,
        /// How many will not come.
        missing: Quantity,
    },
}

/// What a caller asks of one stock outside any workflow.
#[doc = include_str!("../../docs/stock_command.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCommand {
    /// What was counted on the shelf.
    Recount {
        /// Units that are there.
        on_hand: Quantity,
        /// Why it was counted.
        reason: String,
    },
    /// Changes the rule by which the stock is promised; what is absent stays.
    SetPolicy {
        /// Units never promised.
        safety_stock: Option<Quantity>,
        /// Units promised beyond what is there.
        backorder_limit: Option<Quantity>,
    },
}

/// What happened at a stock.
#[doc = include_str!("../../docs/stock_event.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockEvent {
    /// A take was granted. Open until the owner's decision adopts it or it is undone.
    Taken {
        /// Where.
        stock: StockKey,
        /// For whom.
        owner: Owner,
        /// For which of the owner's workflows.
        step: Step,
        /// What.
        take: Take,
    },
    /// A take was undone, exactly.
    Undone {
        /// Where.
        stock: StockKey,
        /// For whom it had been taken.
        owner: Owner,
        /// For which of the owner's workflows.
        step: Step,
        /// What had been taken.
        take: Take,
    },
    /// A give was done.
    Given {
        /// Where.
        stock: StockKey,
        /// Who decided it.
        owner: Owner,
        /// In which of the owner's workflows.
        step: Step,
        /// What.
        give: Give,
    },
    /// The shelf was counted.
    Recounted {
        /// Where.
        stock: StockKey,
        /// Units before.
        from: Quantity,
        /// Units counted.
        to: Quantity,
        /// Why.
        reason: Box<str>,
        /// When.
        at: Timestamp,
    },
    /// The rule by which it is promised changed.
    PolicyChanged {
        /// Where.
        stock: StockKey,
        /// Units never promised.
        safety_stock: Quantity,
        /// Units promised beyond what is there.
        backorder_limit: Quantity,
        /// When.
        at: Timestamp,
    },
}

impl StockEvent {
    /// Where it happened.
    #[doc = include_str!("../../docs/stock_event_stock.md")]
    #[must_use]
    pub fn stock(&self) -> StockKey {
        match self {
            Self::Taken { stock, .. }
            | Self::Undone { stock, .. }
            | Self::Given { stock, .. }
            | Self::Recounted { stock, .. }
            | Self::PolicyChanged { stock, .. } => *stock,
        }
    }

    /// The entry under which fewer units, or none, are reserved after it.
    #[doc = include_str!("../../docs/freed.md")]
    #[must_use]
    pub fn freed(&self) -> Option<Owner> {
        match self {
            Self::Taken { take: Take::Consume { entry, .. }, .. }
            | Self::Given { give: Give::Release { entry, .. }, .. } => Some(*entry),
            Self::Undone { owner, take: Take::Reserve { .. }, .. } => Some(*owner),
            _ => None,
        }
    }
}

impl Stock {
    /// Units that can be promised now: `max(0, on_hand - reserved - safety_stock + backorder_limit)`.
    #[doc = include_str!("../../docs/stock_available.md")]
    #[must_use]
    pub fn available(&self) -> Quantity {
        (self.on_hand + self.backorder_limit).saturating_sub(self.reserved + self.safety_stock)
    }

    /// Units that can leave the shelf without touching what is promised. Safety stock may be moved: it limits promises.
    #[doc = include_str!("../../docs/stock_removable.md")]
    #[must_use]
    pub fn removable(&self) -> Quantity {
        let free = (self.on_hand + self.backorder_limit).saturating_sub(self.reserved);
        free.min(self.on_hand)
    }

    /// How many units are reserved under `entry`.
    #[doc = include_str!("../../docs/reserved_for.md")]
    #[must_use]
    pub fn reserved_for(&self, entry: Owner) -> Quantity {
        self.entries.get(&entry).copied().unwrap_or(0)
    }
}
