//! Stockade: an actor-based in-memory commerce engine.
