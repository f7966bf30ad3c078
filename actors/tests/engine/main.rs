//! The engine: whole, in process, on virtual time where time matters.

mod accounts;
mod as_of;
mod audit;
mod batches;
mod concurrency;
mod context;
mod deadlines;
mod durability;
mod erasing;
mod feed;
mod first_answers;
mod halves;
mod held;
mod keys;
mod lanes;
mod plans;
mod power;
mod room;
mod shop;
mod workflows;
