//! Stockade's engine: actors around the rules of `stockade-domain`, on the journal of `stockade-storage`.
//!
//! Every stock and every order is an actor that processes its mailbox one message at a time, so that reserving needs no database
//! locks. Nothing is answered before it is durable. See [`Engine`].
//!
//! The examples name what is in this crate and in `stockade_domain`. Where they begin with an `engine`, its clock stands still and it has
//! one product, `ruler`: 3.50 USD, ten units in warehouse 1.

mod answers;
mod audit;
mod checkpoint;
mod clock;
mod config;
mod context;
mod crowd;
mod deadlines;
mod door;
mod engine;
mod error;
mod feed;
mod fold;
mod ids;
mod job;
mod keys;
mod lane;
mod read;
mod shared;
mod stock;
mod token;
mod vault;
mod waits;
mod workflow;

pub use audit::{Audit, Verified, VerifyError, verify};
pub use config::{Config, Durability};
pub use context::Context;
pub use engine::{
    BatchMode, CatalogueView, Engine, FirstAnswer, MadeApiKey, Opened, SignedIn, Stats, StockChange,
};
pub use error::{Error, OpenError};
pub use feed::{After, Feed, Happened};
pub use job::{CatalogueThing, NewTransfer};
pub use read::{LiveReservation, OrderFilter, OrderHistory, Reserved, StockFilter, StockRow};
