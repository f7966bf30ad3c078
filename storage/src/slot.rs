//! A small file that is replaced as a whole and is never half of anything.
//!
//! The problem: a cursor or a mark of a few bytes is rewritten often, and a power cut in the middle
//! must leave the old value or the new one. The answer: two slots, written in turn, each with a
//! generation and a checksum; the valid one with the higher generation counts. The file never grows
//! after it was made, so a write costs one `fdatasync`.

use crate::files::sync_parent;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Size of a slot: one sector of the larger kind, so that tearing one never touches the other.
const SLOT_BYTES: usize = 4096;
/// Magic, checksum, generation, length.
const HEAD_BYTES: usize = 20;
/// The longest value.
pub const VALUE_BYTES_MAX: usize = SLOT_BYTES - HEAD_BYTES;
const MAGIC: [u8; 4] = *b"SLT1";

/// A double-slot file.
#[derive(Debug)]
pub struct SlotFile {
    path: PathBuf,
    file: File,
    generation: u64,
    value: Option<Vec<u8>>,
}

impl SlotFile {
    /// Opens the file, or makes it (mode 0600, durable). [`SlotFile::value`] is what was written
    /// last.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        if file.metadata()?.len() != 2 * SLOT_BYTES as u64 {
            file.set_len(0)?;
            file.write_all_at(&[0; 2 * SLOT_BYTES], 0)?;
            file.sync_all()?;
            sync_parent(&path)?;
        }
        let mut slots = [read_slot(&file, 0)?, read_slot(&file, 1)?];
        slots.sort_by_key(|slot| slot.as_ref().map_or(0, |(generation, _)| *generation));
        let [_, newest] = slots;
        let (generation, value) =
            newest.map_or((0, None), |(generation, value)| (generation, Some(value)));
        Ok(SlotFile { path, file, generation, value })
    }

    /// The value, if one was ever written and is whole.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the value; durable when this returns. At most [`VALUE_BYTES_MAX`] bytes.
    pub fn write(&mut self, value: &[u8]) -> io::Result<()> {
        if value.len() > VALUE_BYTES_MAX {
            let what = format!("{} bytes do not fit into {}", value.len(), self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let generation = self.generation + 1;
        let mut slot = vec![0; SLOT_BYTES];
        slot[..4].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&generation.to_le_bytes());
        slot[16..20].copy_from_slice(&(value.len() as u32).to_le_bytes());
        slot[HEAD_BYTES..HEAD_BYTES + value.len()].copy_from_slice(value);
        let crc = crc32c::crc32c(&slot[8..HEAD_BYTES + value.len()]);
        slot[4..8].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&slot, (generation % 2) * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        self.generation = generation;
        self.value = Some(value.to_vec());
        Ok(())
    }
}

fn read_slot(file: &File, slot: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut bytes = vec![0; SLOT_BYTES];
    file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64)?;
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&bytes[at..at + 4]);
        u32::from_le_bytes(word)
    };
    let len = word(16) as usize;
    if bytes[..4] != MAGIC
        || len > VALUE_BYTES_MAX
        || crc32c::crc32c(&bytes[8..HEAD_BYTES + len]) != word(4)
    {
        return Ok(None);
    }
    let generation = u64::from(word(8)) | u64::from(word(12)) << 32;
    Ok(Some((generation, bytes[HEAD_BYTES..HEAD_BYTES + len].to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let mut slots = SlotFile::open(&path).unwrap();
        assert_eq!(slots.value(), None);
        slots.write(b"one").unwrap();
        slots.write(b"two").unwrap();
        drop(slots);
        let whole = std::fs::read(&path).unwrap();
        // Generation 2 lies in slot 0. Damage each byte of it that matters in turn.
        for at in 0..HEAD_BYTES + 3 {
            let mut torn = whole.clone();
            torn[at] ^= 0x10;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(SlotFile::open(&path).unwrap().value(), Some(&b"one"[..]), "byte {at}");
        }
        std::fs::write(&path, &whole).unwrap();
        let mut slots = SlotFile::open(&path).unwrap();
        assert_eq!(slots.value(), Some(&b"two"[..]));
        slots.write(b"three").unwrap();
        assert_eq!(SlotFile::open(&path).unwrap().value(), Some(&b"three"[..]));
    }
}
