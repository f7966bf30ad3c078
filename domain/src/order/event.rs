use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Parcel, Payment, Placed, Return, SealedDetails, Shipment};
use crate::{Amount, OrderId, Owner, Quantity, Step, StockKey, Timestamp};

/// What happened to an order. Boxed where large: most events of a busy shop are the first three.
#[doc = include_str!("../../docs/order_event.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// It was placed; adopts what was reserved and claimed for it.
    Placed(Arc<Placed>),
    /// Some or all of it was paid.
    PaymentRecorded {
        /// Which order.
        order: OrderId,
        /// The payment.
        payment: Box<Payment>,
    },
    /// Nothing is due any more.
    Paid {
        /// Which order.
        order: OrderId,
        /// When.
        at: Timestamp,
    },
    /// It was not paid in time.
    Expired(Box<Given>),
    /// What was not shipped, or a part of it, was given up.
    Cancelled(Box<Given>),
    /// Units left; adopts what was consumed for it.
    Shipped {
        /// Which order.
        order: OrderId,
        /// In which workflow.
        step: Step,
        /// What left.
        shipment: Box<Shipment>,
    },
    /// It arrived.
    Delivered {
        /// Which order.
        order: OrderId,
        /// When.
        at: Timestamp,
    },
    /// Shipped units came back; gives them to their stocks where restocked.
    Returned {
        /// Which order.
        order: OrderId,
        /// In which workflow.
        step: Step,
        /// What came back.
        returned: Box<Return>,
        /// What more is due to be paid back for it, in minor units.
        refund: Amount,
        /// Where restocked units go: (stock, quantity).
        restock: Vec<(StockKey, Quantity)>,
    },
    /// Money was paid back.
    Refunded {
        /// Which order.
        order: OrderId,
        /// In minor units.
        amount: Amount,
        /// When.
        at: Timestamp,
    },
    /// What is personal in its details, sealed; right behind its placing.
    Personal {
        /// Which order.
        order: OrderId,
        /// The details.
        personal: Box<SealedDetails>,
    },
}

/// Units given up, by deadline or by decision.
#[doc = include_str!("../../docs/given.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Which order.
    pub order: OrderId,
    /// In which workflow.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<Box<str>>,
    /// What more is due to be paid back for it, in minor units.
    pub refund: Amount,
    /// What was given up.
    pub parcels: Vec<Parcel>,
    /// Which entries of which stocks are free again.
    pub releases: Vec<Release>,
}

/// Reserved units of a stock that are free again.
#[doc = include_str!("../../docs/release.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Where.
    pub stock: StockKey,
    /// Under which entry.
    pub entry: Owner,
    /// How many.
    pub quantity: Quantity,
}

impl OrderEvent {
    /// Which order it happened to.
    #[doc = include_str!("../../docs/order_event_order.md")]
    #[must_use]
    pub fn order(&self) -> OrderId {
        match self {
            Self::Placed(placed) => placed.id,
            Self::Expired(given) | Self::Cancelled(given) => given.order,
            Self::PaymentRecorded { order, .. }
            | Self::Paid { order, .. }
            | Self::Shipped { order, .. }
            | Self::Delivered { order, .. }
            | Self::Returned { order, .. }
            | Self::Refunded { order, .. }
            | Self::Personal { order, .. } => *order,
        }
    }
}
