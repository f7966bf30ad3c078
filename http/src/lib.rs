//! Stockade's REST surface, over a [`stockade_actors::Engine`].
//!
//! [`bind`] takes the sockets, [`run`] serves them. Every route exists under `/v1` (the canonical mount), `/api` and the root, from
//! one table; [`routes`] lists it. Callers present access tokens or API keys as [`Auth`] says. Without authentication, the default
//! of the library, it listens on loopback addresses only and answers only to loopback host names.
//!
//! ```no_run
//! use stockade_actors::Engine;
//! use stockade_http::{HttpConfig, bind, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::in_memory()?;
//! let bound = bind(&HttpConfig::default())?;
//! println!("listening on {:?}", bound.addresses());
//! let shutdown = std::future::pending();
//! actix_web::rt::System::new().block_on(run(bound, engine.clone(), shutdown))?;
//! engine.shutdown()?;
//! # Ok(())
//! # }
//! ```
//!
//! JSON is spoken here and nowhere further in: what clients send and get are types of this crate, converted by hand from and
//! to the domain's.

mod accounts;
mod adjustments;
mod answer;
mod api_keys;
mod as_of;
mod auth;
mod caller;
mod client;
mod command;
mod config;
mod connection;
mod cors;
mod docs;
mod edge;
mod encoding;
mod errors;
mod etag;
mod events;
mod extract;
mod fields;
mod first_password;
mod gate;
mod health;
mod limits;
mod lines;
mod money;
mod openapi;
mod orders;
mod page;
mod passwords;
mod position;
mod problem;
mod products;
mod query;
mod refusals;
mod replay;
mod reservations;
mod routes;
mod rows;
mod server;
mod shops;
mod standing;
mod state;
mod stock;
mod strict;
mod test_clock;
mod time;
mod tokens;
mod trace;
mod transfers;
mod warehouses;
mod words;

pub use auth::{Algorithm, Auth, AuthMode};
pub use client::{Network, NotANetwork};
pub use config::HttpConfig;
pub use cors::{NotAnOrigin, Origin};
pub use first_password::{FIRST_PASSWORD, forget_first_password};
pub use limits::RateLimits;
pub use openapi::openapi;
pub use passwords::{
    PASSWORD_MAX, PASSWORD_MIN, PasswordError, check_password, generate_password, hash_password,
};
pub use routes::{Route, routes};
pub use server::{BindError, Bound, bind, run};
pub use tokens::{KeyError, Proof, Tokens};
