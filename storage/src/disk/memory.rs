//! A disk in memory, for engines that need none.

use super::{Disk, DiskFile};
use parking_lot::RwLock;
use std::{collections::HashMap, io, sync::Arc};

/// Memory is taken in pieces of this size, when they are first written: a preallocated segment
/// costs nothing.
const PIECE_BYTES: usize = 64 * 1024;

/// A disk without durability: it lives as long as its last handle. Handles are cheap to clone.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    files: Arc<RwLock<HashMap<String, Arc<MemoryFile>>>>,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        MemoryDisk::default()
    }
}

impl std::fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryDisk").field("files", &self.files.read().len()).finish()
    }
}

pub(super) fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file named {name}"))
}

impl Disk for MemoryDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.write();
        if files.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} exists")));
        }
        let file = Arc::new(MemoryFile::default());
        files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.files.read().get(name).cloned().ok_or_else(|| missing(name))?;
        Ok(file)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.read().keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.write().remove(name).map(drop).ok_or_else(|| missing(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.write();
        let file = files.remove(from).ok_or_else(|| missing(from))?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct MemoryFile {
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    len: u64,
    /// Absent pieces are zeros.
    pieces: Vec<Option<Box<[u8]>>>,
}

/// The pieces that `offset..offset + len` touches: (piece, place in it, place in the caller's
/// bytes, length).
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset as usize + done;
        let inside = at % PIECE_BYTES;
        let count = (PIECE_BYTES - inside).min(len - done);
        let item = (at / PIECE_BYTES, inside, done, count);
        done += count;
        Some(item)
    })
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.read().len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.read();
        let count = content.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (piece, inside, at, len) in pieces(offset, count) {
            match content.pieces.get(piece) {
                Some(Some(bytes)) => {
                    buffer[at..at + len].copy_from_slice(&bytes[inside..inside + len])
                }
                _ => buffer[at..at + len].fill(0),
            }
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = self.content.write();
        for (piece, inside, at, len) in pieces(offset, bytes.len()) {
            if content.pieces.len() <= piece {
                content.pieces.resize(piece + 1, None);
            }
            let home = content.pieces[piece]
                .get_or_insert_with(|| vec![0; PIECE_BYTES].into_boxed_slice());
            home[inside..inside + len].copy_from_slice(&bytes[at..at + len]);
        }
        content.len = content.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        let mut content = self.content.write();
        for (piece, inside, _, len) in pieces(from, to.saturating_sub(from) as usize) {
            if let Some(Some(bytes)) = content.pieces.get_mut(piece) {
                bytes[inside..inside + len].fill(0);
            }
        }
        content.len = content.len.max(to);
        Ok(())
    }
}
