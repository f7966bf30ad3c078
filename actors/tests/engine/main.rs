//! The engine: whole, in process, on virtual time where time matters.

mod concurrency;
mod context;
mod deadlines;
mod durability;
mod keys;
mod power;
mod shop;
mod workflows;
