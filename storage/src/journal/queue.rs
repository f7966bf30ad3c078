//! Where appenders and the journal's thread meet.
//!
//! The problem: an appender must not wait for the disk, nor pay for waking a thread that is awake
//! anyway. So the lock is held for two copies and a few additions, and a wake-up is sent only by
//! the append that the thread waits for.

use super::{
    AppendError, Appended, Group, JournalError, catalog::Catalog, group::Pool,
    options::JournalOptions, stats::Counters,
};
use crate::Sequence;
use parking_lot::{Condvar, Mutex};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Shutting down: what is queued is finished, nothing more is taken.
    Draining,
    /// Nothing will be committed any more.
    Stopped,
}

/// Where a group ends in a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) bytes: usize,
    pub(crate) records: usize,
}

/// Groups in order, ready to be framed.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) groups: Vec<Mark>,
    pub(crate) payloads: Vec<(Sequence, T)>,
}

impl<T> Batch<T> {
    pub(crate) fn new() -> Self {
        Batch { bytes: Vec::new(), groups: Vec::new(), payloads: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.groups.clear();
        self.payloads.clear();
    }
}

#[derive(Debug)]
pub(crate) struct Queue<T> {
    pub(crate) batch: Batch<T>,
    pub(crate) next: Sequence,
    pub(crate) phase: Phase,
    /// The append that brings the queue to this many records wakes the journal's thread;
    /// `usize::MAX` while it works.
    pub(crate) wake_records: usize,
    /// The same, in bytes.
    pub(crate) wake_bytes: usize,
}

impl<T> Queue<T> {
    /// Whoever sees true has to notify; nobody else will.
    fn wakes(&mut self) -> bool {
        let wakes = self.batch.payloads.len() >= self.wake_records
            || self.batch.bytes.len() >= self.wake_bytes;
        if wakes {
            self.never_wake();
        }
        wakes
    }

    pub(crate) fn never_wake(&mut self) {
        self.wake_records = usize::MAX;
        self.wake_bytes = usize::MAX;
    }
}

/// What the journal's handles and its thread share.
pub(crate) struct Shared<T> {
    pub(crate) queue: Mutex<Queue<T>>,
    pub(crate) wake: Condvar,
    pub(crate) appended: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) synced: AtomicU64,
    pub(crate) epoch: u32,
    pub(crate) stats: Arc<Counters>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) poison: OnceLock<JournalError>,
    pub(crate) pool: Arc<Pool<T>>,
    records_max: usize,
    bytes_max: usize,
    pub(crate) group_bytes_max: usize,
}

impl<T> Shared<T> {
    /// `last` is the last record there is, `next` the first sequence to give.
    pub(crate) fn new(
        options: &JournalOptions,
        catalog: Arc<Catalog>,
        stats: Arc<Counters>,
        epoch: u32,
        last: Sequence,
        next: Sequence,
    ) -> Self {
        let batch = Batch::new();
        let queue = Queue {
            batch,
            next,
            phase: Phase::Running,
            wake_records: usize::MAX,
            wake_bytes: usize::MAX,
        };
        Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            appended: AtomicU64::new(last),
            committed: AtomicU64::new(last),
            synced: AtomicU64::new(last),
            epoch,
            stats,
            catalog,
            poison: OnceLock::new(),
            pool: Arc::new(Pool::new()),
            records_max: options.queue_records_max,
            bytes_max: options.queue_bytes_max,
            group_bytes_max: options.group_bytes_max(),
        }
    }

    pub(crate) fn append(&self, group: &mut Group<T>) -> Result<Appended, AppendError> {
        let (records, bytes) = (group.payloads.len(), group.byte_len());
        if records == 0 {
            let last = self.appended.load(Ordering::Acquire);
            return Ok(Appended { first: last + 1, last });
        }
        if records > self.records_max || bytes > self.group_bytes_max {
            return Err(AppendError::TooLarge);
        }
        let mut queue = self.queue.lock();
        match queue.phase {
            Phase::Running => {}
            Phase::Draining => return Err(AppendError::Draining),
            Phase::Stopped => return Err(AppendError::Stopped),
        }
        let batch = &mut queue.batch;
        if batch.payloads.len() + records > self.records_max
            || batch.bytes.len() + bytes > self.bytes_max
        {
            return Err(AppendError::Full);
        }
        let first = queue.next;
        let last = first + records as u64 - 1;
        queue.next = last + 1;
        let batch = &mut queue.batch;
        batch.bytes.extend_from_slice(group.bytes());
        batch.payloads.extend((first..).zip(group.payloads.drain(..)));
        batch.groups.push(Mark { bytes: batch.bytes.len(), records: batch.payloads.len() });
        self.appended.store(last, Ordering::Release);
        let wakes = queue.wakes();
        drop(queue);
        if wakes {
            self.wake.notify_one();
        }
        group.clear();
        Ok(Appended { first, last })
    }

    pub(crate) fn queued(&self) -> (u64, u64) {
        let queue = self.queue.lock();
        (queue.batch.payloads.len() as u64, queue.batch.bytes.len() as u64)
    }

    /// Begins the shutdown.
    pub(crate) fn drain(&self) {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Running {
            queue.phase = Phase::Draining;
        }
        queue.never_wake();
        drop(queue);
        self.wake.notify_one();
    }

    /// Stops for good. What was queued is dropped, outside the lock.
    pub(crate) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.phase = Phase::Stopped;
        let dropped = std::mem::replace(&mut queue.batch, Batch::new());
        drop(queue);
        drop(dropped);
    }
}
