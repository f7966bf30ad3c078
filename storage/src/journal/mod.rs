//! The journal: an append-only record of everything that happened.
//!
//! The problem: thousands of callers a second want their records durable, in one order, whole
//! groups or nothing, and a sync costs more than all of their work together. And after a crash the
//! reader must tell a tail that nobody was promised from records that were promised and lost.
//!
//! The answer, by file:
//!
//! - `group`: records are encoded by the caller, outside every lock;
//! - `queue`: one lock gives sequences and copies bytes, nothing else;
//! - `committer`: one thread takes everything queued, writes it, syncs once, tells the sink;
//! - `writer`, `space`: frames in segments that were filled with zeros ahead of need, because a
//!   file that grows costs 4 ms a sync;
//! - `recovery`: the torn tail is trimmed and synced before anything is replayed; damage is
//!   refused;
//! - `catalog`, `scan`, `read`, `check`: finding records again.

mod catalog;
mod check;
mod committer;
mod error;
mod format;
mod group;
mod options;
mod queue;
mod read;
mod recovery;
mod scan;
mod space;
mod stats;
mod survey;
mod writer;

pub use check::{Checked, check, journal_id};
pub use error::{AppendError, JournalError};
pub use group::{Appended, Committed, Group, Sink};
pub use options::{
    Durability, EPOCH_GAP, JournalOptions, QUEUE_RECORDS_LIMIT, SEGMENT_BYTES_LIMIT,
    SEGMENT_BYTES_MIN, UNSYNCED_RECORDS_MAX,
};
pub use recovery::{OpenJournal, Recovered, Trimmed};
pub use stats::{JournalStats, Room};

use crate::{Disk, Sequence};
use parking_lot::Mutex;
use std::{
    sync::{Arc, atomic::Ordering},
    thread::{JoinHandle, ThreadId},
};

/// A record, while the journal is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its sequence.
    pub sequence: Sequence,
    /// Its commit time in milliseconds.
    pub time_ms: u64,
    /// Its epoch.
    pub epoch: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A record that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its sequence.
    pub sequence: Sequence,
    /// Its commit time in milliseconds.
    pub time_ms: u64,
    /// Its epoch.
    pub epoch: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A running journal. Dropping it shuts it down.
pub struct Journal<T: Send + 'static> {
    shared: Arc<queue::Shared<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
}

impl<T: Send + 'static> std::fmt::Debug for Journal<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("committed", &self.committed())
            .field("synced", &self.synced())
            .finish()
    }
}

impl<T: Send + 'static> Journal<T> {
    /// Opens or creates the journal on `disk`; the same as [`OpenJournal::open`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        after: Sequence,
        replay: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
    ) -> Result<(OpenJournal, Recovered), JournalError> {
        OpenJournal::open(disk, options, after, replay)
    }

    fn start(
        open: OpenJournal,
        sink: Box<dyn Sink<T>>,
        now_ms: committer::Clock,
    ) -> Result<Arc<Self>, JournalError> {
        let (shared, thread) = committer::start(open, sink, now_ms)?;
        let thread_id = thread.thread().id();
        Ok(Arc::new(Journal { shared, thread: Mutex::new(Some(thread)), thread_id }))
    }

    /// Puts one atomic group into the queue and gives its records their sequences. `group` is empty
    /// afterwards and keeps its buffers. Never waits for the disk.
    ///
    /// An empty group gets no sequences: `first` is above `last`, which is the last appended.
    #[inline]
    pub fn append(&self, group: &mut Group<T>) -> Result<Appended, AppendError> {
        self.shared.append(group)
    }

    /// The most bytes one group may have: a larger one is [`AppendError::TooLarge`].
    pub fn group_bytes_max(&self) -> usize {
        self.shared.group_bytes_max
    }

    /// The last sequence given.
    #[inline]
    pub fn appended(&self) -> Sequence {
        self.shared.appended.load(Ordering::Acquire)
    }

    /// The last sequence committed.
    #[inline]
    pub fn committed(&self) -> Sequence {
        self.shared.committed.load(Ordering::Acquire)
    }

    /// The last sequence synced.
    #[inline]
    pub fn synced(&self) -> Sequence {
        self.shared.synced.load(Ordering::Acquire)
    }

    /// The epoch that began when this journal was started.
    pub fn epoch(&self) -> u32 {
        self.shared.epoch
    }

    /// The journal's name, given when it was created.
    pub fn journal_id(&self) -> u128 {
        self.shared.catalog.journal_id
    }

    /// Whether the space for the next segment could not be had: refuse new work while what is left
    /// of the current one lasts for what must still be finished. Cleared when space is to be had
    /// again.
    #[inline]
    pub fn nearly_full(&self) -> bool {
        self.shared.stats.nearly_full.load(Ordering::Relaxed)
    }

    /// How much can still be written before the journal needs space that it may not get. What is queued is not written yet.
    pub fn room(&self) -> Room {
        self.shared.stats.room()
    }

    /// Why the journal is poisoned, if it is.
    pub fn poisoned(&self) -> Option<JournalError> {
        self.shared.poison.get().cloned()
    }

    /// The record `sequence`, if it is committed and there is one.
    pub fn read(&self, sequence: Sequence) -> Result<Option<OwnedRecord>, JournalError> {
        read::one(&self.shared.catalog, sequence, self.committed())
    }

    /// Up to `limit` committed records after `after`, in order.
    pub fn read_from(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<OwnedRecord>, JournalError> {
        read::page(&self.shared.catalog, after, limit, self.committed())
    }

    /// Counters since the start.
    pub fn stats(&self) -> JournalStats {
        let (queued_records, queued_bytes) = self.shared.queued();
        self.shared.stats.read(queued_records, queued_bytes)
    }

    /// Finishes what is queued, syncs, closes the journal cleanly and waits for its thread. Appends
    /// are refused from here on. Called again, it says again how it ended.
    ///
    /// Called from the sink it cannot wait for its own thread: it then only begins.
    pub fn shutdown(&self) -> Result<(), JournalError> {
        self.shared.drain();
        if std::thread::current().id() != self.thread_id {
            // Held while waiting: whoever else calls this waits for the end as well.
            let mut thread = self.thread.lock();
            if let Some(handle) = thread.take() {
                // A panic in there was caught and became the poison.
                let _ = handle.join();
            }
        }
        self.poisoned().map_or(Ok(()), Err)
    }
}

impl<T: Send + 'static> Drop for Journal<T> {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls it before.
        let _ = self.shutdown();
    }
}
