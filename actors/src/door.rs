//! The door: the one place where work is refused for being too much.
//!
//! A permit is drawn before anything is sent and given back when the answer has left. It is weighted by lines, so that it pays
//! for everything that a workflow may ever send and append; inside, nothing is refused. Timers draw permits too, and wait for
//! them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{Error, keys::InFlight};

/// Work that was let in. When this is dropped it has left, and its idempotency keys are no longer in flight.
pub(crate) struct Permit {
    _room: OwnedSemaphorePermit,
    _keys: Option<InFlight>,
}

impl Permit {
    /// The same, with the keys of the work.
    pub(crate) fn with_keys(self, keys: Option<InFlight>) -> Self {
        Self { _keys: keys, ..self }
    }
}

#[derive(Clone)]
pub(crate) struct Door {
    room: Arc<Semaphore>,
    capacity: usize,
}

impl Door {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(capacity)), capacity }
    }

    /// Lets in work with so many lines, or refuses it.
    pub(crate) fn enter(&self, lines: usize) -> Result<Permit, Error> {
        match self.room.clone().try_acquire_many_owned(self.weight(lines)) {
            Ok(room) => Ok(Permit { _room: room, _keys: None }),
            Err(TryAcquireError::Closed) => Err(Error::Draining),
            Err(TryAcquireError::NoPermits) => Err(Error::Overloaded),
        }
    }

    /// Lets in work with so many lines once there is room.
    pub(crate) async fn wait(&self, lines: usize) -> Result<Permit, Error> {
        let room = self.room.clone().acquire_many_owned(self.weight(lines)).await;
        room.map(|room| Permit { _room: room, _keys: None }).map_err(|_| Error::Draining)
    }

    /// Work under way, in units.
    pub(crate) fn under_way(&self) -> usize {
        self.capacity - self.room.available_permits().min(self.capacity)
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.room.close();
    }

    /// One, and one more for each line. The largest work takes the whole door, and has to wait for it to be empty.
    fn weight(&self, lines: usize) -> u32 {
        (lines + 1).min(self.capacity) as u32
    }
}
