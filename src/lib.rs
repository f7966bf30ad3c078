//! Stockade: an actor-based in-memory commerce engine that takes orders, reserves their stock, and never sells what is not there.
//!
//! This is the face that programs embed. [`Engine`] is the whole of it: products, shops, warehouses, stock, orders,
//! reservations and transfers, each answer given only when what it says is durable. [`domain`] has the types that commands and
//! answers are made of.
//!
//! The engine owns its threads. Its methods are async, and run on any runtime or on none:
//!
//! ```
//! use stockade::{
//!     Config, Engine, Error,
//!     domain::{
//!         Currency, Refusal, ShopId, WarehouseId,
//!         catalogue::NewProduct,
//!         order::{LineQuantity, PlaceOrder},
//!     },
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures_executor::block_on(async {
//! // `Config::new("./shop-data")` keeps the data; this one forgets it.
//! let engine = Engine::open(Config::in_memory())?;
//!
//! // A new engine has one shop and one warehouse. Prices are in minor units: 350 is 3.50.
//! let opening = Some((WarehouseId(1), 10));
//! let ruler = NewProduct { opening, ..NewProduct::new("ruler", 350, Currency::USD) };
//! let ruler = engine.create_product(ruler).await?;
//!
//! // Every line is reserved, or none is. Unpaid, the order would expire and give its units back.
//! let rulers = |quantity| vec![LineQuantity { product: ruler.id, quantity }];
//! let order = engine.place_order(PlaceOrder::new(ShopId(1), rulers(8))).await?;
//! let paid = engine.pay_order(order.id(), None).await?;
//! assert_eq!(paid.paid_amount, 2_800);
//!
//! // Two are left, so three are refused, and the refusal says what there is.
//! let refused = engine.place_order(PlaceOrder::new(ShopId(1), rulers(3))).await;
//! let Err(Error::Refused(Refusal::InsufficientStock(short))) = refused else { panic!() };
//! assert_eq!(short[0].available, 2);
//!
//! engine.shutdown()?;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Features
//!
//! - `http` (default): the REST server, as `stockade::http`.
//! - `cli` (default): what the binary needs. Without default features there is the engine and nothing else.

pub use stockade_actors::*;
pub use stockade_domain as domain;
#[cfg(feature = "http")]
pub use stockade_http as http;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
