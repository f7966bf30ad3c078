//! What must hold whatever is asked, and in whatever order.

mod properties {
    mod aggregates;
    mod catalogue;
    mod engine;
    mod ops;
    mod orders;
    mod stored;
    mod workflows;
    mod world;
}
