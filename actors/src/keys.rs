//! Idempotency keys: one effect a key.
//!
//! A key is in flight from before its work is sent until its answer leaves, and done from when the fold sees its effect. The
//! fold comes first, so that there is no moment in which a key with an effect is neither. Work without an effect, a refusal or an
//! overload, leaves nothing behind.

mod done;

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashSet;
use stockade_domain::{ClockSteps, IdempotencyKey, Sequence};

use crate::Error;
use done::Done;
pub(crate) use done::{Pages, Run};

/// Reads the key of a decision back from the journal: all that is kept in memory is a fingerprint.
pub(crate) type ReadKey<'a> = dyn Fn(Sequence) -> Result<Option<IdempotencyKey>, Error> + 'a;

/// The part of a key that tells it from others.
type Name = [u8; 16];

/// The keys of an engine.
pub(crate) struct Keys(Mutex<State>);

struct State {
    in_flight: FxHashSet<Name>,
    done: Done,
}

/// What [`Keys`] says about itself.
pub(crate) struct Counts {
    /// Keys that are remembered.
    pub(crate) kept: usize,
    /// Keys that were forgotten before their time, since the start.
    pub(crate) dropped_early: u64,
}

impl Keys {
    /// Remembers the newest `max` keys.
    pub(crate) fn new(max: usize) -> Self {
        Self(Mutex::new(State { in_flight: FxHashSet::default(), done: Done::new(max) }))
    }

    /// Takes a key for work that is about to be sent.
    fn begin(&self, key: IdempotencyKey, read: &ReadKey<'_>) -> Result<(), Error> {
        self.ask(key, read, |state, is_of_rows| match is_of_rows {
            true => Err(Error::KeyReused),
            false => {
                state.in_flight.insert(key.key);
                Ok(())
            }
        })
    }

    /// Takes the key of a batch whose rows have effects by themselves, and says whether one of them had one before.
    fn begin_batch(&self, key: IdempotencyKey, read: &ReadKey<'_>) -> Result<bool, Error> {
        self.ask(key, read, |state, is_of_rows| {
            state.in_flight.insert(key.key);
            Ok(is_of_rows)
        })
    }

    /// Says what work under this key would be told. A batch that had effects of rows may ask for the others.
    ///
    /// # Errors
    /// It is in flight, or its effect is there.
    pub(crate) fn look(&self, key: IdempotencyKey, read: &ReadKey<'_>) -> Result<(), Error> {
        self.ask(key, read, |_, _| Ok(()))
    }

    /// What `when_free` says of a key that neither is in flight nor had an effect, but for those of rows: it is told of them.
    fn ask<T>(
        &self,
        key: IdempotencyKey,
        read: &ReadKey<'_>,
        when_free: impl FnOnce(&mut State, bool) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (mut others, mut is_of_rows) = (Vec::new(), false);
        loop {
            let at = {
                let mut state = self.0.lock();
                if state.in_flight.contains(&key.key) {
                    return Err(Error::InProgress);
                }
                let Some(at) = state.done.find(&key.key, &others) else {
                    return when_free(&mut state, is_of_rows);
                };
                at
            };
            match read(at)? {
                Some(known) if known == key => return Err(Error::AlreadyDone { at }),
                Some(known) if known == key.of_batch() => {
                    is_of_rows = true;
                    others.push(at);
                }
                Some(known) if known.key == key.key => return Err(Error::KeyReused),
                // Another key with the same fingerprint.
                _ => others.push(at),
            }
        }
    }

    /// Remembers the key of a decision that is committed, and forgets those whose time is up. Nobody else forgets: only whoever
    /// follows the journal knows every step that the clock made before its time.
    pub(crate) fn done(
        &self,
        key: &IdempotencyKey,
        at: Sequence,
        time_ms: u64,
        clock: &ClockSteps,
    ) {
        let mut state = self.0.lock();
        state.done.forget(time_ms, clock);
        state.done.add(&key.key, at, time_ms);
    }

    /// The pages that changed since this was last asked.
    pub(crate) fn take_dirty(&self) -> Pages {
        self.0.lock().done.take_dirty()
    }

    /// Puts back the pages of a checkpoint.
    pub(crate) fn restore(&self, runs: Vec<Run>) {
        self.0.lock().done.restore(runs);
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.0.lock();
        Counts { kept: state.done.len(), dropped_early: state.done.dropped_early() }
    }
}

/// Keys in flight. They are free again when this is dropped: with the answer, or when the work is refused at the door.
pub(crate) struct InFlight {
    keys: Arc<Keys>,
    held: Vec<Name>,
}

impl InFlight {
    pub(crate) fn new(keys: &Arc<Keys>) -> Self {
        Self { keys: keys.clone(), held: Vec::new() }
    }

    /// Takes one more key.
    ///
    /// # Errors
    /// It is in flight already, or its effect is there. Two rows of one batch are two commands, and cannot have one key.
    pub(crate) fn begin(&mut self, key: IdempotencyKey, read: &ReadKey<'_>) -> Result<(), Error> {
        self.keys.begin(key, read).map_err(|error| match error {
            Error::InProgress if self.held.contains(&key.key) => Error::KeyReused,
            error => error,
        })?;
        self.held.push(key.key);
        Ok(())
    }

    /// Takes the key of a batch whose rows have effects by themselves, and says whether one of them had one before.
    ///
    /// # Errors
    /// It is in flight already, or was used for another request.
    pub(crate) fn begin_batch(
        &mut self,
        key: IdempotencyKey,
        read: &ReadKey<'_>,
    ) -> Result<bool, Error> {
        let is_of_rows = self.keys.begin_batch(key, read)?;
        self.held.push(key.key);
        Ok(is_of_rows)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.keys.0.lock();
        for name in &self.held {
            state.in_flight.remove(name);
        }
    }
}
