//! The next segment, prepared before it is needed.
//!
//! The problem: a file that grows changes its length at every sync, and that costs 4 ms; and a disk
//! that fills up in the middle of a commit stops everything. So the next segment is made ahead:
//! filled with zeros and synced, on a thread of its own. When there is no room for it the current
//! segment still lasts a while, and the engine is told.

use super::{JournalError, format, stats::Counters};
use crate::{Disk, DiskFile};
use parking_lot::{Condvar, Mutex};
use std::{
    io,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

/// Zeros are synced in pieces, because a commit's sync waits behind them. At 80 MB/s of records the
/// slowest commit in a thousand took 7 ms with pieces of 4 MB, and 1 ms with these.
const SYNC_EVERY_BYTES: u64 = 256 * 1024;

/// How long to wait before trying again to get space.
const RETRY: Duration = Duration::from_secs(1);

/// A segment that is prepared and not yet used.
pub(crate) struct Spare {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

#[derive(Default)]
struct State {
    wanted: Option<u64>,
    ready: Option<Spare>,
    failed: Option<JournalError>,
    /// The writer waits: try at once.
    urgent: bool,
    stop: bool,
}

struct Shared {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    stats: Arc<Counters>,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct Space {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Space {
    /// `ready` is a segment that was left prepared.
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        stats: Arc<Counters>,
        ready: Option<Spare>,
        background: bool,
    ) -> Result<Self, JournalError> {
        let state = Mutex::new(State { ready, ..State::default() });
        let shared =
            Arc::new(Shared { disk, segment_bytes, stats, state, changed: Condvar::new() });
        let thread = if background {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name("journal-space".to_owned());
            Some(
                builder
                    .spawn(move || shared.run())
                    .map_err(|error| JournalError::Thread(Arc::new(error)))?,
            )
        } else {
            None
        };
        Ok(Space { shared, thread })
    }

    /// Asks for the segment `number`, to be prepared in the background where there is one.
    pub(crate) fn request(&self, number: u64) {
        let mut state = self.shared.state.lock();
        if state.ready.as_ref().is_some_and(|spare| spare.number == number) {
            self.shared.stats.next_ready.store(true, Ordering::Release);
            return;
        }
        self.shared.stats.next_ready.store(false, Ordering::Release);
        state.ready = None;
        state.wanted = Some(number);
        if self.thread.is_some() {
            drop(state);
            self.shared.changed.notify_all();
        } else {
            self.shared.attempt(&mut state, number);
        }
    }

    /// The prepared segment `number`; waits for it, and tries once more if it could not be had.
    pub(crate) fn take(&self, number: u64) -> Result<Arc<dyn DiskFile>, JournalError> {
        self.shared.state.lock().urgent = true;
        self.request(number);
        let mut state = self.shared.state.lock();
        if self.thread.is_none() && state.ready.is_none() {
            self.shared.attempt(&mut state, number);
        } else if state.ready.is_none() {
            state.failed = None;
            self.shared.changed.notify_all();
            while state.ready.is_none() && state.failed.is_none() {
                self.shared.changed.wait(&mut state);
            }
        }
        state.urgent = false;
        self.shared.stats.next_ready.store(false, Ordering::Release);
        match (state.ready.take(), state.failed.clone()) {
            (Some(spare), _) => Ok(spare.file),
            (None, Some(error)) => Err(error),
            (None, None) => Err(JournalError::io(
                "prepare",
                &format::segment_name(number),
                None,
                io::Error::other("the thread that prepares segments has ended"),
            )),
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stop {
            let due = state.urgent || state.failed.is_none();
            match state.wanted {
                Some(number) if due => self.attempt_unlocked(&mut state, number),
                Some(_) => {
                    if self.changed.wait_for(&mut state, RETRY).timed_out() {
                        state.failed = None;
                    }
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Without the lock while the disk works.
    fn attempt_unlocked(&self, state: &mut parking_lot::MutexGuard<'_, State>, number: u64) {
        // Who waits for the whole segment waits least if it is synced once.
        let piece =
            if std::mem::take(&mut state.urgent) { self.segment_bytes } else { SYNC_EVERY_BYTES };
        let result = parking_lot::MutexGuard::unlocked(state, || self.prepare(number, piece));
        self.conclude(state, number, result);
        self.changed.notify_all();
    }

    fn attempt(&self, state: &mut State, number: u64) {
        let result = self.prepare(number, self.segment_bytes);
        self.conclude(state, number, result);
    }

    fn conclude(
        &self,
        state: &mut State,
        number: u64,
        result: Result<Arc<dyn DiskFile>, JournalError>,
    ) {
        if state.wanted != Some(number) || state.stop {
            return;
        }
        match result {
            Ok(file) => {
                state.wanted = None;
                state.failed = None;
                state.ready = Some(Spare { number, file });
                self.stats.nearly_full.store(false, Ordering::Relaxed);
                self.stats.next_ready.store(true, Ordering::Release);
            }
            Err(error) => {
                if !self.stats.nearly_full.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "no space for the journal's next segment");
                }
                state.failed = Some(error);
            }
        }
    }

    /// Makes the file, zeroed and durable. What fails half-way is removed again: it is space others
    /// could use.
    fn prepare(&self, number: u64, piece: u64) -> Result<Arc<dyn DiskFile>, JournalError> {
        let name = format::segment_name(number);
        let beside = format!("{number:010}{}", format::PREPARING);
        self.fill(&name, &beside, piece).map_err(|error| {
            let _ = self.disk.remove(&beside);
            JournalError::io("prepare", &name, None, error)
        })
    }

    /// The file gets its name when it is whole: a segment that is too short was never left by a
    /// crash.
    fn fill(&self, name: &str, beside: &str, piece: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create(beside)?;
        let mut at = 0;
        while at < self.segment_bytes {
            let end = (at + piece).min(self.segment_bytes);
            file.write_zeros(at, end)?;
            file.sync()?;
            at = end;
            if self.stopping() {
                return Err(io::Error::other("the journal is closed"));
            }
        }
        self.disk.rename(beside, name)?;
        self.disk.sync_dir()?;
        Ok(file)
    }

    /// Inline preparation holds the lock itself, and is never told to stop.
    fn stopping(&self) -> bool {
        self.state.try_lock().is_some_and(|state| state.stop)
    }
}
