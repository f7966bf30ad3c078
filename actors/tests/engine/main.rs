//! The engine: whole, in process, on virtual time where time matters.

mod concurrency;
mod deadlines;
mod durability;
mod feed;
mod power;
mod shop;
mod workflows;
