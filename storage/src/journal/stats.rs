//! What the journal counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters since the journal was started, for metrics and reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Records committed.
    pub records: u64,
    /// Groups committed.
    pub groups: u64,
    /// Commits: each took everything that was queued.
    pub commits: u64,
    /// Frames written.
    pub frames: u64,
    /// Syncs of segments in use.
    pub syncs: u64,
    /// Bytes of headers and frames written; zeros written ahead are not counted.
    pub bytes_written: u64,
    /// How long the last sync took, in microseconds.
    pub last_sync_us: u64,
    /// How long all syncs took, in microseconds.
    pub sync_us_total: u64,
    /// The longest sync, in microseconds.
    pub sync_us_max: u64,
    /// Segments begun.
    pub segments_begun: u64,
    /// The segment being written.
    pub segment: u64,
    /// Records waiting in the queue.
    pub queued_records: u64,
    /// Bytes waiting in the queue.
    pub queued_bytes: u64,
    /// Whether the space for the next segment could not be had.
    pub nearly_full: bool,
    /// Whether the next segment is prepared.
    pub next_ready: bool,
    /// Bytes that are left of the segment being written.
    pub room_bytes: u64,
}

/// How much room the journal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The next segment is prepared.
    Next,
    /// The next segment is being prepared, and whether it can be had is not known yet; so many bytes are left of the present one.
    Unknown(u64),
    /// The next segment could not be had; so many bytes are left of the present one.
    Last(u64),
}

/// The same, while it is counted. Only the journal's thread adds, so plain loads and stores would
/// do.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) last_sync_us: AtomicU64,
    pub(crate) sync_us_total: AtomicU64,
    pub(crate) sync_us_max: AtomicU64,
    pub(crate) segments_begun: AtomicU64,
    pub(crate) segment: AtomicU64,
    pub(crate) nearly_full: AtomicBool,
    pub(crate) next_ready: AtomicBool,
    pub(crate) room_bytes: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn synced(&self, took_us: u64) {
        add(&self.syncs, 1);
        add(&self.sync_us_total, took_us);
        self.last_sync_us.store(took_us, Ordering::Relaxed);
        self.sync_us_max.fetch_max(took_us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, queued_records: u64, queued_bytes: u64) -> JournalStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        JournalStats {
            records: get(&self.records),
            groups: get(&self.groups),
            commits: get(&self.commits),
            frames: get(&self.frames),
            syncs: get(&self.syncs),
            bytes_written: get(&self.bytes_written),
            last_sync_us: get(&self.last_sync_us),
            sync_us_total: get(&self.sync_us_total),
            sync_us_max: get(&self.sync_us_max),
            segments_begun: get(&self.segments_begun),
            segment: get(&self.segment),
            queued_records,
            queued_bytes,
            nearly_full: self.nearly_full.load(Ordering::Relaxed),
            next_ready: self.next_ready.load(Ordering::Relaxed),
            room_bytes: get(&self.room_bytes),
        }
    }

    pub(crate) fn room(&self) -> Room {
        // Read first: should a segment begin meanwhile, this is too little and never too much.
        let left = self.room_bytes.load(Ordering::Relaxed);
        match (self.next_ready.load(Ordering::Acquire), self.nearly_full.load(Ordering::Acquire)) {
            (true, _) => Room::Next,
            (false, true) => Room::Last(left),
            (false, false) => Room::Unknown(left),
        }
    }
}
