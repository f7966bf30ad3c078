//! What the journal asks of a disk, and three that answer.
//!
//! The problem: what a power cut leaves behind cannot be tested on a real disk, and a database that
//! runs in memory should not be another database. So everything the journal does to files goes
//! through this small trait: [`RealDisk`] does it, [`MemoryDisk`] keeps it in memory, [`SimDisk`]
//! also remembers what was synced and can lose the rest in every way a disk may.
//!
//! Names are relative to one root folder; there are no subfolders.

mod gate;
mod image;
mod memory;
mod real;
mod sim;

pub use gate::HeldSyncs;
pub use memory::MemoryDisk;
pub use real::RealDisk;
pub use sim::{Fault, SimDisk};

use std::{io, sync::Arc};

/// Zeros are written in pieces of this size: large enough to be few, small enough that a sync of
/// another file does not wait long behind one.
pub const ZERO_CHUNK_BYTES: usize = 1024 * 1024;

/// One folder of files.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new, empty file. A file of this name must not exist.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read and write.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read only, so that a check needs no right to write.
    fn open_read_only(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(name)
    }
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Renames a file over whatever bears the new name. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes created, removed and renamed names durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file. Reads and writes may come from several threads; positions are always given.
pub trait DiskFile: Send + Sync + 'static {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file holds no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buffer` from `offset`; returns fewer bytes only where the file ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`, growing the file if needed. Durable after
    /// [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the file's data, and the length needed to read it, durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Writes zeros over `from..to`, growing the file if needed, so that later writes in there
    /// change no metadata.
    fn write_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        static ZEROS: [u8; ZERO_CHUNK_BYTES] = [0; ZERO_CHUNK_BYTES];
        let mut at = from;
        while at < to {
            let piece = (to - at).min(ZERO_CHUNK_BYTES as u64);
            self.write_at(&ZEROS[..piece as usize], at)?;
            at += piece;
        }
        Ok(())
    }
}
