//! What can be chosen about a journal, and its bounds.

use super::{JournalError, format};
use std::time::Duration;

/// Sequences left out where a new epoch begins after anything but a clean shutdown. Above every
/// sequence that can have been handed out and lost: what is queued, what is being written, and what
/// was written and not yet synced. Part of the format: a journal may be opened with other options
/// than it was written with.
pub const EPOCH_GAP: u64 = 1 << 20;

/// Records that may be written and not yet synced (`Interval`, `None`) before the journal syncs of
/// its own accord.
pub const UNSYNCED_RECORDS_MAX: u64 = 1 << 18;

/// The largest queue: two of them (one filling, one being written) and what is unsynced fit into
/// [`EPOCH_GAP`].
pub const QUEUE_RECORDS_LIMIT: usize = 1 << 18;

/// The largest segment: offsets in the index are 32 bits.
pub const SEGMENT_BYTES_LIMIT: u64 = 1 << 31;

/// The smallest segment: room for its header and a useful frame.
pub const SEGMENT_BYTES_MIN: u64 = 4096;

/// What *committed* means.
///
/// ```
/// use stockade_storage::Durability;
///
/// assert_eq!(Durability::default(), Durability::Sync);
/// // A power cut may cost the last 50 ms.
/// let quick = Durability::Interval(std::time::Duration::from_millis(50));
/// # assert_ne!(quick, Durability::Sync);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Committed is synced: a power cut loses nothing that was committed.
    #[default]
    Sync,
    /// Committed is written to the operating system; synced this often. A power cut may lose this
    /// much, a killed process nothing.
    Interval(Duration),
    /// Committed is written to the operating system; synced at the end of a segment, after
    /// [`UNSYNCED_RECORDS_MAX`] records and at shutdown.
    None,
}

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// What committed means. Default: `Sync`.
    pub durability: Durability,
    /// Size of a segment file, preallocated. Default 64 MiB: rare enough to rotate, small enough to
    /// prepare in the background within a second.
    pub segment_bytes: u64,
    /// How long a commit waits for company when the one before it had much. Default 300 µs: commits
    /// that are too quick cost more in wake-ups than they gain.
    pub linger_max: Duration,
    /// Records that may wait in the queue. Default 131,072: a tenth of a second at full rate, so
    /// that a slow sync does not refuse work.
    pub queue_records_max: usize,
    /// Bytes that may wait in the queue; also the largest group. Default 16 MiB.
    pub queue_bytes_max: usize,
    /// Prepare the next segment on a thread of its own. Default true. False does it on the
    /// journal's thread, so that a simulation sees all operations in one order.
    pub background: bool,
    /// The name of a journal that is created. Default: random. Set it only to get the same bytes
    /// twice.
    pub journal_id: Option<u128>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        JournalOptions {
            durability: Durability::Sync,
            segment_bytes: 64 * 1024 * 1024,
            linger_max: Duration::from_micros(300),
            queue_records_max: 128 * 1024,
            queue_bytes_max: 16 * 1024 * 1024,
            background: true,
            journal_id: None,
        }
    }
}

impl JournalOptions {
    /// The most bytes a group may have: it must fit into one frame of one segment, and into the
    /// queue.
    pub(crate) fn group_bytes_max(&self) -> usize {
        let room = self.segment_bytes - (format::HEADER_BYTES + format::FRAME_OVERHEAD_MAX) as u64;
        (room as usize).min(self.queue_bytes_max)
    }

    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let refuse = |what: String| Err(JournalError::Options(what));
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_LIMIT).contains(&self.segment_bytes) {
            return refuse(format!(
                "segment_bytes is {}, it must be {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_LIMIT}",
                self.segment_bytes
            ));
        }
        if !(1..=QUEUE_RECORDS_LIMIT).contains(&self.queue_records_max) {
            return refuse(format!(
                "queue_records_max is {}, it must be 1 to {QUEUE_RECORDS_LIMIT}",
                self.queue_records_max
            ));
        }
        if self.queue_bytes_max == 0 {
            return refuse("queue_bytes_max is 0, it must hold at least one record".to_owned());
        }
        Ok(())
    }
}

const _: () = assert!(2 * QUEUE_RECORDS_LIMIT as u64 + UNSYNCED_RECORDS_MAX <= EPOCH_GAP);
