//! Stockade's rules, and nothing else.
//!
//! Everything that decides stock or money is in this crate: aggregates, each with the same two functions, `decide` (a command
//! and the present state give events or a [`Refusal`]) and `evolve` (an event moves the state). There is no IO here, no
//! clock, no randomness and no async: time and ids come in as arguments, so that every rule can be tested as
//! given (events), when (command), then (events or refusal), modelled, and replayed.
//!
//! Every workflow has one shape, *take, decide, give* (see [`open`]): takes at the stocks, which may be refused and can be
//! undone; one decision at the owner; gives at the stocks, which are never refused.

pub mod account;
pub mod adjustment;
pub mod catalogue;
mod event;
pub mod holder;
mod ids;
pub mod invariants;
pub mod ledger;
pub mod limits;
mod money;
pub mod open;
pub mod order;
mod origin;
mod refusal;
pub mod sourcing;
pub mod stock;
pub mod succession;
#[cfg(test)]
mod testing;
mod time;
pub mod transfer;

pub use event::Event;
pub use ids::{
    AdjustmentId, ApiKeyId, CustomerId, KeySlot, OrderId, Owner, OwnerKind, ProductId,
    ReservationId, Sequence, SessionId, ShopId, Step, StockKey, TransferId, WarehouseId, Who,
};
pub use money::{Amount, Currency, MoneyError};
pub use origin::{IdempotencyKey, Origin};
pub use refusal::{Refusal, Shortage};
pub use time::{ClockEvent, ClockSteps, Timestamp};

/// A count of units of one product. Always checked arithmetic; see [`limits`] for what one request may name.
#[doc = include_str!("../docs/quantity.md")]
pub type Quantity = u64;
