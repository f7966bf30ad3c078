//! The durable heart of Stockade: what was acknowledged survives, and a disk that lost something
//! says so.
//!
//! Two kinds of data are kept, and they are not alike:
//!
//! - the [journal] is the truth. It is append-only, checksummed, and synced before
//!   anything is acknowledged;
//! - the [state] is what makes a start fast. It lives in sled, is verified in full when it
//!   is opened, and is thrown away and rebuilt from the journal at the slightest doubt.
//!
//! Both live in a [data directory](directory) that one process at a time may hold. Everything the
//! journal does to a disk goes through the small [`Disk`] trait, so that the same code runs on a
//! real folder, in memory, and on a [simulated disk](SimDisk) whose power can be cut at any
//! operation.
//!
//! ```
//! use std::sync::Arc;
//! use stockade_storage::{
//!     Committed, Group, Journal, JournalError, JournalOptions, MemoryDisk, Sequence, Sink,
//! };
//!
//! struct Print;
//! impl Sink<&'static str> for Print {
//!     fn committed(&mut self, batch: Committed<&'static str>) {
//!         for (sequence, payload) in &batch.payloads {
//!             println!("{sequence}: {payload}");
//!         }
//!     }
//!     fn synced(&mut self, _: Sequence, _: u64) {}
//!     fn failed(&mut self, error: &JournalError) {
//!         eprintln!("{error}");
//!     }
//! }
//!
//! # fn main() -> Result<(), JournalError> {
//! let disk = Arc::new(MemoryDisk::new());
//! let options = JournalOptions::default();
//! let (journal, recovered) = Journal::<&'static str>::open(disk, options, 0, &mut |_| Ok(()))?;
//! assert_eq!(recovered.last_sequence, 0);
//! let journal = journal.start(Box::new(Print), Arc::new(|| 1_700_000_000_000))?;
//!
//! let mut group = Group::new();
//! group.push("first", |out| out.extend_from_slice(b"bytes of the first record"));
//! group.push("second", |out| out.extend_from_slice(b"bytes of the second record"));
//! let appended = journal.append(&mut group).expect("the queue is empty");
//! journal.shutdown()?;
//! assert_eq!(journal.synced(), appended.last);
//! # Ok(())
//! # }
//! ```

pub mod codec;
pub mod directory;
pub mod disk;
mod files;
pub mod journal;
pub mod keyring;
pub mod slot;
pub mod state;

pub use codec::{CodecError, decode, decode_page, encode};
pub use directory::{DataDirectory, DirectoryError, FORMAT_VERSION};
pub use disk::{Disk, DiskFile, Fault, HeldSyncs, MemoryDisk, RealDisk, SimDisk};
pub use journal::{
    AppendError, Appended, Checked, Committed, Durability, Group, Journal, JournalError,
    JournalOptions, JournalStats, OpenJournal, OwnedRecord, Record, Recovered, Room, Sink, Trimmed,
    check, journal_id,
};
pub use keyring::Keyring;
pub use slot::SlotFile;
pub use state::{StateError, StateOpened, StateStore};

/// The number of a record in its journal: rising, never given twice, with gaps only where a new
/// epoch begins.
pub type Sequence = u64;
