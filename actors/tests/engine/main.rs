//! The engine: whole, in process, on virtual time where time matters.

mod accounts;
mod concurrency;
mod deadlines;
mod durability;
mod erasing;
mod feed;
mod lanes;
mod power;
mod shop;
mod workflows;
