//! The workflow model: the engine's protocol (take, decide, give; answers that wait; the open table) run over the pure domain,
//! with messages in any order, crashes at every append, and crashes inside recovery.
//!
//! `crashes` drives random traffic through it and looks at every crash; its null controls break one rule each and must be
//! caught. `schedules` are the interleavings that broke weaker designs, each by its name, step by step.

mod workflows {
    mod coverage;
    mod crashes;
    mod engine;
    mod faults;
    mod hearing;
    mod jobs;
    mod placing;
    mod planning;
    mod recovery;
    mod rng;
    mod schedules;
    mod told;
    mod traffic;
    mod workflow;
    mod world;
}
