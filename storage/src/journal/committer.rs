//! The journal's thread.
//!
//! The problem: one sync serves everybody who waits for it, so the longer it is put off the cheaper
//! it gets for each; but nobody who is alone should wait for company. The answer: everything that
//! queued up while the last commit was under way is taken at once. Only when that commit had much
//! company does the next one wait for its members to come back, no longer than
//! `JournalOptions::linger_max`.

use super::{
    Committed, Durability, JournalError, OpenJournal, Sink, UNSYNCED_RECORDS_MAX,
    queue::{Batch, Phase, Shared},
    space::Space,
    stats::{Counters, add},
    writer::Writer,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

pub(crate) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A commit of at least this many groups had company: the next one waits for it to come back.
const LINGER_GROUPS_MIN: usize = 24;
/// Nobody waits for more than this: the sync is well shared.
const LINGER_RECORDS_ENOUGH: usize = 2048;
/// The same in bytes; also keeps large records from filling the queue while it waits.
const LINGER_BYTES_ENOUGH: usize = 256 * 1024;

enum Taken {
    Batch,
    /// Nothing came until the sync was due.
    SyncDue,
    /// The queue is empty and will stay so.
    Drained,
}

struct Committer<T> {
    shared: Arc<Shared<T>>,
    writer: Writer,
    sink: Box<dyn Sink<T>>,
    now_ms: Clock,
    durability: Durability,
    linger_max: Duration,
    batch: Batch<T>,
    last_groups: usize,
    last_records: usize,
    last_commit: Instant,
    /// When the records that are written must be synced.
    sync_due: Option<Instant>,
}

pub(crate) fn start<T: Send + 'static>(
    open: OpenJournal,
    sink: Box<dyn Sink<T>>,
    now_ms: Clock,
) -> Result<(Arc<Shared<T>>, JoinHandle<()>), JournalError> {
    let OpenJournal { options, catalog, active, spare, walk, epoch, next } = open;
    let stats = Arc::new(Counters::default());
    let space = Space::start(
        catalog.disk.clone(),
        options.segment_bytes,
        stats.clone(),
        spare,
        options.background,
    )?;
    let mut writer = Writer::new(catalog.clone(), stats.clone(), space, active, walk);
    writer.begin_epoch(epoch, next, now_ms())?;
    let shared = Arc::new(Shared::new(&options, catalog, stats, epoch, walk.last_record, next));
    let committer = Committer {
        shared: shared.clone(),
        writer,
        sink,
        now_ms,
        durability: options.durability,
        linger_max: options.linger_max,
        batch: Batch::new(),
        last_groups: 0,
        last_records: 0,
        last_commit: Instant::now(),
        sync_due: None,
    };
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || committer.run())
        .map_err(|error| JournalError::Thread(Arc::new(error)))?;
    Ok((shared, thread))
}

impl<T> Committer<T> {
    fn run(mut self) {
        let result = catch_unwind(AssertUnwindSafe(|| self.work()));
        let error = match result {
            Ok(Ok(())) => {
                self.shared.stop();
                return;
            }
            Ok(Err(error)) => error,
            Err(panic) => JournalError::Panicked(panic_text(&*panic)),
        };
        tracing::error!(%error, "the journal is poisoned: nothing more will be committed");
        // The reason stands before anybody can be told "stopped".
        let _ = self.shared.poison.set(error.clone());
        self.shared.stop();
        let _ = catch_unwind(AssertUnwindSafe(|| self.sink.failed(&error)));
    }

    fn work(&mut self) -> Result<(), JournalError> {
        loop {
            match self.take() {
                Taken::Batch => self.commit()?,
                Taken::SyncDue => self.sync()?,
                Taken::Drained => {
                    self.sync()?;
                    return self.writer.close();
                }
            }
        }
    }

    /// Waits for something to do. Afterwards no append wakes this thread, which is awake.
    fn take(&mut self) -> Taken {
        let mut queue = self.shared.queue.lock();
        if self.last_groups >= LINGER_GROUPS_MIN && queue.phase == Phase::Running {
            let until = self.last_commit + self.linger_max;
            let enough = self.last_records.min(LINGER_RECORDS_ENOUGH);
            queue.wake_records = enough;
            queue.wake_bytes = LINGER_BYTES_ENOUGH;
            while queue.batch.payloads.len() < enough
                && queue.batch.bytes.len() < LINGER_BYTES_ENOUGH
                && queue.phase == Phase::Running
                && !self.shared.wake.wait_until(&mut queue, until).timed_out()
            {}
        }
        while queue.batch.payloads.is_empty() {
            if queue.phase != Phase::Running {
                return Taken::Drained;
            }
            queue.wake_records = 1;
            match self.sync_due {
                None => self.shared.wake.wait(&mut queue),
                Some(due) => {
                    if self.shared.wake.wait_until(&mut queue, due).timed_out() {
                        queue.never_wake();
                        return Taken::SyncDue;
                    }
                }
            }
        }
        queue.never_wake();
        std::mem::swap(&mut queue.batch, &mut self.batch);
        Taken::Batch
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        let time_ms = self.writer.advance_time((self.now_ms)());
        self.writer.write(&self.batch.bytes, &self.batch.groups)?;
        if self.durability == Durability::Sync {
            self.writer.sync()?;
        }
        let records = self.batch.payloads.len();
        self.last_groups = self.batch.groups.len();
        self.last_records = records;
        let next_payloads = self.shared.pool.get(records);
        let payloads = std::mem::replace(&mut self.batch.payloads, next_payloads);
        self.batch.clear();
        if let (Some(first), Some(last)) = (payloads.first(), payloads.last()) {
            let (first, last) = (first.0, last.0);
            if self.durability == Durability::Sync {
                self.shared.synced.store(last, Ordering::Release);
            }
            self.shared.committed.store(last, Ordering::Release);
            self.count(records);
            let pool = Some(self.shared.pool.clone());
            self.sink.committed(Committed {
                first,
                last,
                time_ms,
                epoch: self.shared.epoch,
                payloads,
                pool,
            });
            if self.durability == Durability::Sync {
                self.sink.synced(last, time_ms);
            }
        }
        self.last_commit = Instant::now();
        self.sync_if_due()
    }

    fn count(&self, records: usize) {
        let stats = &self.shared.stats;
        add(&stats.records, records as u64);
        add(&stats.groups, self.last_groups as u64);
        add(&stats.commits, 1);
    }

    /// Where committed is only written: syncs when it is time, or when too much would be lost.
    fn sync_if_due(&mut self) -> Result<(), JournalError> {
        let full =
            self.writer.unsynced_records() >= UNSYNCED_RECORDS_MAX || self.writer.take_rotated();
        let due = match self.durability {
            Durability::Sync => return Ok(()),
            Durability::Interval(every) => {
                let due = *self.sync_due.get_or_insert(self.last_commit + every);
                self.last_commit >= due
            }
            Durability::None => false,
        };
        if due || full { self.sync() } else { Ok(()) }
    }

    /// Syncs, and says so if that is news.
    fn sync(&mut self) -> Result<(), JournalError> {
        self.sync_due = None;
        self.writer.sync()?;
        let committed = self.shared.committed.load(Ordering::Acquire);
        if self.shared.synced.swap(committed, Ordering::AcqRel) < committed {
            self.sink.synced(committed, self.writer.time_ms());
        }
        Ok(())
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
