use serde::{Deserialize, Serialize};

use crate::{
    ClockEvent, Origin, OwnerKind, account::AccountEvent, adjustment::AdjustmentEvent,
    catalogue::CatalogueEvent, holder::HoldEvent, order::OrderEvent, stock::StockEvent,
    transfer::TransferEvent,
};

/// Everything that can have happened. Facts in the past tense, complete in themselves: replaying them needs no rule that
/// might change.
///
/// The order of variants and fields, here and in every event, is the stored format: only ever append.
#[doc = include_str!("../docs/event.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// At a stock.
    Stock(StockEvent),
    /// At an order.
    Order(OrderEvent),
    /// At a reservation without an order.
    Hold(HoldEvent),
    /// In the catalogue.
    Catalogue(CatalogueEvent),
    /// At a transfer.
    Transfer(TransferEvent),
    /// Of an adjustment.
    Adjustment(AdjustmentEvent),
    /// Ids of a kind were leased: whatever is below `up_to` may have been given out, and never is again.
    IdsLeased {
        /// Of which kind.
        kind: OwnerKind,
        /// The first id that is not leased.
        up_to: u64,
    },
    /// Among the accounts.
    Account(AccountEvent),
    /// Engine time was frozen, or made a step.
    Clock(ClockEvent),
    /// Who did what follows, and under which idempotency key. The first event of a decision's group.
    Origin(Origin),
}

macro_rules! from {
    ($($variant:ident($event:ty)),* $(,)?) => {$(
        impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        }
    )*};
}

from!(
    Stock(StockEvent),
    Order(OrderEvent),
    Hold(HoldEvent),
    Catalogue(CatalogueEvent),
    Transfer(TransferEvent),
    Adjustment(AdjustmentEvent),
    Account(AccountEvent),
    Clock(ClockEvent),
    Origin(Origin),
);
