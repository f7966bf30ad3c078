//! An order: what was bought, at which price, out of which stocks, and how far it has come.
//!
//! What was agreed when it was placed never changes and is shared ([`Placed`]); what has happened since is small. Its status is
//! mostly a consequence of its quantities (see `Order::settle`), so that no event can leave the two telling different
//! stories.
#![doc = include_str!("../../docs/order_module.md")]

mod decide;
mod event;
mod evolve;
mod fulfil;
mod money;
mod place;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

pub use event::{Given, OrderEvent, Release};
pub(crate) use place::sum_lines;
pub use place::{PlaceOrder, Quote};

use serde::{Deserialize, Serialize};

use crate::{
    Amount, Currency, CustomerId, KeySlot, OrderId, Owner, ProductId, Quantity, Sequence, ShopId,
    Step, StockKey, Timestamp, account::Sealed, sourcing::Allocation,
};

/// Everything agreed when an order was placed.
#[doc = include_str!("../../docs/placed_type.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Its id.
    pub id: OrderId,
    /// Who bought; staff may place an order for nobody.
    pub customer: Option<CustomerId>,
    /// Which shop sold.
    pub shop: ShopId,
    /// The shop's currency; every amount of the order is in it.
    pub currency: Currency,
    /// When.
    pub at: Timestamp,
    /// Milliseconds after `at` at which an unpaid order expires.
    pub payment_deadline_ms: u64,
    /// The sequence of the last catalogue event that the prices came from.
    pub priced_at: Sequence,
    /// One line for each product.
    pub lines: Vec<Line>,
    /// Where each line's units come from, in line order.
    pub allocations: Vec<Allocation>,
    /// What is seldom given.
    pub details: Option<Box<Details>>,
}

/// One line of an order.
#[doc = include_str!("../../docs/line.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub product: ProductId,
    /// How many.
    pub quantity: Quantity,
    /// At which price each, in minor units.
    pub unit_price: Amount,
}

/// What is seldom given with an order.
#[doc = include_str!("../../docs/details.md")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Where to ship to.
    pub ship_to: Option<ShipTo>,
    /// A word to the warehouse.
    pub note: Option<Box<str>>,
    /// The caller's own name for the order.
    pub reference: Option<Box<str>>,
    /// The caller's own data.
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

impl Details {
    /// At most how many bytes they take in the journal.
    fn bytes(&self) -> usize {
        const LENGTH: usize = 9;
        let text = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len) + LENGTH;
        let entries = self.metadata.iter();
        let metadata = entries.map(|(name, value)| name.len() + value.len() + 2 * LENGTH);
        4 * LENGTH + text(&self.note) + text(&self.reference) + metadata.sum::<usize>()
    }
}

/// Where to ship to: enough to find the nearest warehouse.
#[doc = include_str!("../../docs/ship_to.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipTo {
    /// Degrees north, in millionths.
    pub latitude_e6: i32,
    /// Degrees east, in millionths.
    pub longitude_e6: i32,
}

/// How far an order has come.
#[doc = include_str!("../../docs/status.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Reserved until the payment deadline.
    PendingPayment,
    /// Paid in full, nothing shipped.
    Paid,
    /// Some shipped, some still reserved.
    PartiallyShipped,
    /// All that is left of it is shipped.
    Shipped,
    /// It arrived.
    Delivered,
    /// Given up before anything was shipped.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// All that was shipped came back.
    Returned,
}

/// The state of one order.
#[doc = include_str!("../../docs/order.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What was agreed.
    pub placed: Arc<Placed>,
    /// How far it has come.
    pub status: Status,
    /// The number of its next workflow.
    pub next_step: Step,
    /// Counts its events.
    pub version: u32,
    /// Paid so far, in minor units.
    pub paid_amount: Amount,
    /// Paid back so far, in minor units.
    pub refunded_amount: Amount,
    /// When it was paid in full.
    pub paid_at: Option<Timestamp>,
    /// When it was cancelled, expired, delivered or returned.
    pub closed_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Payments, in order.
    pub payments: Vec<Payment>,
    /// What became of each allocation; empty while nothing has happened to any.
    pub progress: Vec<Progress>,
    /// What happens seldom.
    pub history: Option<Box<History>>,
    /// What is personal in its details, if its customer has a key.
    pub personal: Option<Box<SealedDetails>>,
}

/// The personal part of an order's [`Details`], that only its customer's key opens.
#[doc = include_str!("../../docs/sealed_details.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedDetails {
    /// Where the key is.
    pub key: KeySlot,
    /// A [`Details`].
    pub sealed: Sealed,
}

/// What became of one allocation. The rest of its quantity is still reserved.
#[doc = include_str!("../../docs/progress.md")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Units that left the warehouse.
    pub shipped: Quantity,
    /// Units released again (cancelled or expired).
    pub cancelled: Quantity,
    /// Shipped units that came back.
    pub returned: Quantity,
}

/// Shipments, returns and words about them.
#[doc = include_str!("../../docs/history.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Shipments, in order.
    pub shipments: Vec<Shipment>,
    /// Returns, in order.
    pub returns: Vec<Return>,
    /// Why it was cancelled.
    pub cancel_reason: Option<Box<str>>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}

/// A payment.
#[doc = include_str!("../../docs/payment.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// In minor units.
    pub amount: Amount,
    /// When it was recorded.
    pub at: Timestamp,
    /// How it was paid.
    pub method: Option<Box<str>>,
    /// The payer's name for it: the same reference on one order is the same payment.
    pub reference: Option<Box<str>>,
}

/// Units of one allocation that move together.
#[doc = include_str!("../../docs/parcel.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Index of the allocation.
    pub allocation: u32,
    /// How many.
    pub quantity: Quantity,
}

/// A shipment.
#[doc = include_str!("../../docs/shipment.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// What left.
    pub parcels: Vec<Parcel>,
    /// Who carries it.
    pub carrier: Option<Box<str>>,
    /// The carrier's number for it.
    pub tracking: Option<Box<str>>,
    /// When.
    pub at: Timestamp,
}

/// A return.
#[doc = include_str!("../../docs/return.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// What came back.
    pub parcels: Vec<Parcel>,
    /// Whether it went back on the shelf it came from.
    pub restocked: bool,
    /// Why.
    pub reason: Option<Box<str>>,
    /// When.
    pub at: Timestamp,
}

/// How many of a product a command is about.
#[doc = include_str!("../../docs/line_quantity.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineQuantity {
    /// Which product.
    pub product: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// What can be asked of an order.
#[doc = include_str!("../../docs/order_command.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// Record a payment; all that is due when no amount is named.
    Pay {
        /// In minor units.
        amount: Option<Amount>,
        /// How it was paid.
        method: Option<String>,
        /// The payer's name for it.
        reference: Option<String>,
    },
    /// The payment deadline's timer message.
    Expire,
    /// Give up what is not shipped: all of it, or the lines named.
    Cancel {
        /// Which lines; none named means all.
        lines: Option<Vec<LineQuantity>>,
        /// Why.
        reason: Option<String>,
    },
    /// The same while it is not paid: what a customer may do himself.
    CancelUnpaid {
        /// Which lines; none named means all.
        lines: Option<Vec<LineQuantity>>,
        /// Why.
        reason: Option<String>,
    },
    /// Ship what is left, or the lines named.
    Ship {
        /// Which lines; none named means all.
        lines: Option<Vec<LineQuantity>>,
        /// Who carries it.
        carrier: Option<String>,
        /// The carrier's number for it.
        tracking: Option<String>,
    },
    /// It arrived.
    Deliver,
    /// Shipped units came back: all of the order, or the lines named.
    Return {
        /// Which lines; none named means all, and then nothing may be waiting to be shipped.
        lines: Option<Vec<LineQuantity>>,
        /// Whether to put them back on the shelf.
        restock: bool,
        /// Why.
        reason: Option<String>,
    },
    /// Money due was paid back; all that is due when no amount is named.
    Refund {
        /// In minor units.
        amount: Option<Amount>,
    },
}

impl Details {
    /// What is nobody's person: the caller's own name for the order. And the rest, if there is any.
    #[doc = include_str!("../../docs/details_split.md")]
    #[must_use]
    pub fn split(mut self) -> (Option<Self>, Option<Self>) {
        let reference = self.reference.take();
        let public = reference.map(|text| Self { reference: Some(text), ..Self::default() });
        (public, (self != Self::default()).then_some(self))
    }
}

impl Placed {
    /// What all lines cost together, in minor units.
    #[doc = include_str!("../../docs/placed_total.md")]
    #[must_use]
    pub fn total(&self) -> Amount {
        self.lines.iter().map(|line| line.unit_price * line.quantity as Amount).sum()
    }

    /// When it expires if unpaid.
    #[doc = include_str!("../../docs/payment_deadline.md")]
    #[must_use]
    pub fn payment_deadline(&self) -> Timestamp {
        self.at.plus_ms(self.payment_deadline_ms)
    }

    /// The stock an allocation draws from.
    #[doc = include_str!("../../docs/placed_stock.md")]
    #[must_use]
    pub fn stock(&self, allocation: &Allocation) -> StockKey {
        StockKey::new(allocation.warehouse, self.lines[allocation.line as usize].product)
    }

    /// The key under which the stock keeps an allocation.
    #[doc = include_str!("../../docs/placed_entry.md")]
    #[must_use]
    pub fn entry(&self, allocation: &Allocation) -> Owner {
        allocation.hold.map_or_else(|| Owner::order(self.id), Owner::hold)
    }
}

impl Status {
    /// Its name, as clients write it.
    #[doc = include_str!("../../docs/status_name.md")]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Paid => "paid",
            Self::PartiallyShipped => "partially_shipped",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Returned => "returned",
        }
    }
}

impl Order {
    /// Its id.
    #[doc = include_str!("../../docs/order_id_of.md")]
    #[must_use]
    pub fn id(&self) -> OrderId {
        self.placed.id
    }

    /// What became of the allocation with this index.
    #[doc = include_str!("../../docs/order_progress.md")]
    #[must_use]
    pub fn progress(&self, allocation: usize) -> Progress {
        self.progress.get(allocation).copied().unwrap_or_default()
    }

    /// How many units of the allocation with this index are still reserved.
    #[doc = include_str!("../../docs/order_reserved.md")]
    #[must_use]
    pub fn reserved(&self, allocation: usize) -> Quantity {
        let progress = self.progress(allocation);
        self.placed.allocations[allocation].quantity - progress.shipped - progress.cancelled
    }

    /// What became of a line: (still reserved, its progress).
    #[doc = include_str!("../../docs/order_line.md")]
    #[must_use]
    pub fn line(&self, line: usize) -> (Quantity, Progress) {
        let mut reserved = 0;
        let mut sum = Progress::default();
        for (index, allocation) in self.placed.allocations.iter().enumerate() {
            if allocation.line as usize == line {
                let progress = self.progress(index);
                reserved += self.reserved(index);
                sum.shipped += progress.shipped;
                sum.cancelled += progress.cancelled;
                sum.returned += progress.returned;
            }
        }
        (reserved, sum)
    }
}
