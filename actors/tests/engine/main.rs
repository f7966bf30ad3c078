//! The engine: whole, in process, on virtual time where time matters.

mod batches;
mod concurrency;
mod context;
mod deadlines;
mod durability;
mod first_answers;
mod keys;
mod power;
mod shop;
mod workflows;
