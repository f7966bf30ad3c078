//! The mark outside: how far the state must be.

use crate::{Sequence, SlotFile};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// What is known to be durable in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub(super) journal_id: u128,
    pub(super) sequence: Sequence,
    /// Parts in the store.
    pub(super) parts: u64,
    /// Sum of their fingerprints.
    pub(super) sum: u64,
}

/// Length of a [`Position`] in bytes: id, sequence, parts, sum.
pub(super) const POSITION_BYTES: usize = 40;

impl Position {
    pub(super) fn to_bytes(self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        bytes[..16].copy_from_slice(&self.journal_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.parts.to_le_bytes());
        bytes[32..].copy_from_slice(&self.sum.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; POSITION_BYTES] = bytes.try_into().ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Some(Position {
            journal_id: u128::from(word(0)) | u128::from(word(8)) << 64,
            sequence: word(16),
            parts: word(24),
            sum: word(32),
        })
    }
}

/// `state` becomes `state.mark`, beside the folder: deleting the folder leaves it.
pub(super) fn path_of(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().map(OsString::from).unwrap_or_default();
    name.push(".mark");
    folder.with_file_name(name)
}

pub(super) struct Mark {
    slots: SlotFile,
}

impl Mark {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Mark { slots: SlotFile::open(path_of(folder))? })
    }

    /// `None` where nothing was ever written. A torn mark is an older one, which asks for less.
    pub(super) fn position(&self) -> Option<Position> {
        self.slots.value().and_then(Position::from_bytes)
    }

    pub(super) fn write(&mut self, position: Position) -> io::Result<()> {
        self.slots.write(&position.to_bytes())
    }
}
