//! Stockade's engine: actors around the rules of `stockade-domain`, on the journal of `stockade-storage`.
//!
//! Every stock and every order is an actor that processes its mailbox one message at a time, so that reserving needs no database
//! locks. Nothing is answered before it is durable. See [`Engine`].

mod answers;
mod audit;
mod checkpoint;
mod clock;
mod config;
mod context;
mod deadlines;
mod door;
mod engine;
mod error;
mod fold;
mod ids;
mod job;
mod keys;
mod lane;
mod read;
mod shared;
mod stock;
mod waits;
mod workflow;

pub use audit::{Audit, Verified, VerifyError, verify};
pub use config::{Config, Durability};
pub use context::Context;
pub use engine::{BatchMode, CatalogueView, Engine, FirstAnswer, Opened, Stats};
pub use error::{Error, OpenError};
pub use job::{CatalogueThing, NewTransfer};
pub use read::{OrderFilter, OrderHistory, StockFilter, StockRow};
