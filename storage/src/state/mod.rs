//! The state beside the journal: pages in sled that make a start fast.
//!
//! The problem: sled 0.34 is fast, but its flush is not an fsync on Linux, and what a power cut or
//! a flipped bit leaves is refused, fatal or silent: rows vanish without a word, a cut file opens
//! as an empty database, damage panics inside the library. None of that may ever become a wrong
//! answer.
//!
//! The answer: everything in here can be rebuilt, and doubt is enough to do so.
//!
//! - Every part of a page carries a checksum over its key and value, and the batch carries the
//!   number of all parts and the sum of their checksums. Opening reads everything and compares: a
//!   missing, an extra, an old or a changed part shows.
//! - A small mark outside says how far the state must be, so that a state which comes back
//!   older, or empty, shows too.
//! - Every call into sled is guarded against panics.
//! - Nothing is larger than 4 KB, so sled's blob files, which lose data, are never used.

mod mark;
mod open;
mod pages;
mod store;

pub use pages::{PART_BYTES_MAX, PARTS_MAX};
pub use store::{StateError, StateOpened, StateStore};
