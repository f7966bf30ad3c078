//! Records on their way into the journal.

use crate::Sequence;

/// Builds the records of one atomic group; reused from group to group, so that its buffers are
/// allocated once.
///
/// Encoding happens here, on the caller's thread and outside every lock. The bytes are already
/// those of the frame: each record is its length (LEB128) and its bytes.
#[derive(Debug)]
pub struct Group<T> {
    bytes: Vec<u8>,
    pub(crate) payloads: Vec<T>,
    /// Bytes of whole records. More are there only after an encoder panicked.
    whole: usize,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Group::new()
    }
}

impl<T> Group<T> {
    /// An empty group.
    pub fn new() -> Self {
        Group { bytes: Vec::new(), payloads: Vec::new(), whole: 0 }
    }

    /// Adds a record: `encode` appends its bytes, `payload` comes back with it when it is
    /// committed.
    #[inline]
    pub fn push(&mut self, payload: T, encode: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.truncate(self.whole);
        let start = self.whole;
        self.bytes.push(0);
        encode(&mut self.bytes);
        let len = self.bytes.len() - start - 1;
        if len < 0x80 {
            self.bytes[start] = len as u8;
        } else {
            self.make_room(start, len);
        }
        self.payloads.push(payload);
        self.whole = self.bytes.len();
    }

    /// A length that needs more than the one byte kept for it.
    #[cold]
    fn make_room(&mut self, start: usize, len: usize) {
        let mut prefix = [0; super::format::VARINT_BYTES_MAX];
        let count = super::format::put_varint(&mut prefix, len as u64);
        self.bytes.splice(start..start + 1, prefix[..count].iter().copied());
    }

    /// Records in the group.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// Bytes of the group, as they will lie in a frame.
    pub fn byte_len(&self) -> usize {
        self.whole
    }

    /// The bytes of its whole records.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.whole]
    }

    /// Drops the records and keeps the buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.payloads.clear();
        self.whole = 0;
    }
}

/// The sequences that a group was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Of its first record.
    pub first: Sequence,
    /// Of its last record.
    pub last: Sequence,
}

/// What one commit brings to the sink: whole groups, in order.
#[derive(Debug)]
pub struct Committed<T> {
    /// Sequence of the first record.
    pub first: Sequence,
    /// Sequence of the last record.
    pub last: Sequence,
    /// The commit time of all of them, in milliseconds; never less than that of the commit before.
    pub time_ms: u64,
    /// The epoch they belong to.
    pub epoch: u32,
    /// The payloads, in order.
    pub payloads: Vec<(Sequence, T)>,
    pub(crate) pool: Option<std::sync::Arc<Pool<T>>>,
}

impl<T> Committed<T> {
    /// Gives the vector back to the journal once its payloads are used, so that the next commit
    /// needs no new one. Optional.
    pub fn recycle(mut self) {
        if let Some(pool) = self.pool.take() {
            pool.put(std::mem::take(&mut self.payloads));
        }
    }
}

/// Vectors to use again.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    free: parking_lot::Mutex<Vec<Vec<(Sequence, T)>>>,
}

/// More than one being filled, one being written and one being consumed are never of use.
const POOL_MAX: usize = 4;

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Pool { free: parking_lot::Mutex::new(Vec::new()) }
    }

    fn put(&self, mut payloads: Vec<(Sequence, T)>) {
        payloads.clear();
        let mut free = self.free.lock();
        if free.len() < POOL_MAX {
            free.push(payloads);
        }
    }

    /// An empty vector, with room for `expected` where none is to be had again.
    pub(crate) fn get(&self, expected: usize) -> Vec<(Sequence, T)> {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| Vec::with_capacity(expected))
    }
}

/// What hears of commits. Called on the journal's thread, in order; whatever it does, the next
/// commit waits for it.
pub trait Sink<T>: Send {
    /// The batch is committed, in the sense of the journal's [`Durability`](super::Durability).
    fn committed(&mut self, batch: Committed<T>);
    /// Everything up to `sequence`, the last of its commit at `time_ms`, is synced.
    fn synced(&mut self, sequence: Sequence, time_ms: u64);
    /// The journal is poisoned: nothing more will ever be committed. What was appended and not
    /// committed may or may not be found at the next start.
    fn failed(&mut self, error: &super::JournalError);
}
