//! A simulated disk's syncs, held back: what was written and is not durable stays so until a test has looked.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// What syncs of files wait at while they are held.
#[derive(Default)]
pub(super) struct Gate {
    syncs: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    held: bool,
    waiting: usize,
}

/// Syncs of files wait while this lives.
pub struct HeldSyncs(Arc<Gate>);

impl Gate {
    /// Waits while syncs are held.
    pub(super) fn pass(&self) {
        let mut syncs = self.syncs.lock();
        syncs.waiting += 1;
        self.changed.notify_all();
        self.changed.wait_while(&mut syncs, |syncs| syncs.held);
        syncs.waiting -= 1;
    }
}

impl HeldSyncs {
    pub(super) fn new(gate: &Arc<Gate>) -> Self {
        gate.syncs.lock().held = true;
        Self(gate.clone())
    }

    /// Blocks until a sync waits.
    pub fn wait_for_one(&self) {
        let mut syncs = self.0.syncs.lock();
        self.0.changed.wait_while(&mut syncs, |syncs| syncs.waiting == 0);
    }
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        self.0.syncs.lock().held = false;
        self.0.changed.notify_all();
    }
}
