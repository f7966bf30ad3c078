//! What storage promises, one file a risk.

mod damage;
mod directory;
mod failing_disk;
mod golden;
mod harness;
mod keyring;
mod power_cut;
mod queue;
mod reading;
mod real_disk;
mod schedules;
mod state;
