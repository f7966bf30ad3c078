//! The keyring: one key a slot, and dropping a key is for ever.
//!
//! The problem: the journal is never rewritten, and yet what it says of a person must become unreadable. So it is written under
//! a key that stands here alone, and here things are overwritten. Keys are made in lots that are durable before the first of
//! them is used, so that using one touches no disk.
//!
//! Slot 0 holds the secret of the whole ring, under which names are hashed. A slot of zeros has no key: it was dropped.

use crate::{Disk, DiskFile};
use parking_lot::{Mutex, RwLock};
use std::{io, sync::Arc};

/// A key.
pub type Key = [u8; 32];

/// Bytes of a slot. Sectors are written whole, and no slot lies in two.
const SLOT_BYTES: usize = 64;
const MAGIC: [u8; 4] = *b"KEY1";

/// Slots that are made at once.
pub const LOT_SLOTS: u64 = 1_024;

/// The file's name.
pub const KEYRING_NAME: &str = "keyring";

/// Keys by slot. Looking one up takes a lock for a moment and touches no disk; making and dropping keys does.
pub struct Keyring {
    disk: Arc<dyn Disk>,
    /// None while there is no file; also held by whoever changes it.
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    keys: RwLock<Vec<Option<Key>>>,
    damaged: Vec<u64>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("slots", &self.keys.read().len()).finish()
    }
}

impl Keyring {
    /// Reads the ring on this disk, if there is one. Nothing is written.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let there = disk.list()?.iter().any(|name| name == KEYRING_NAME);
        let file = there.then(|| disk.open(KEYRING_NAME)).transpose()?;
        let (mut keys, mut damaged) = (Vec::new(), Vec::new());
        if let Some(file) = &file {
            let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
            let read = file.read_at(&mut bytes, 0)?;
            bytes.truncate(read);
            // What is left of a slot that was cut off is no slot: the next lot writes over it.
            for (slot, bytes) in (0_u64..).zip(bytes.chunks_exact(SLOT_BYTES)) {
                let key = read_slot(slot, bytes);
                if key.is_none() && bytes.iter().any(|byte| *byte != 0) {
                    damaged.push(slot);
                }
                keys.push(key);
            }
        }
        Ok(Self { disk, file: Mutex::new(file), keys: RwLock::new(keys), damaged })
    }

    /// Whether there is a file, whatever is in it.
    pub fn is_there(&self) -> bool {
        self.file.lock().is_some()
    }

    /// Whether there is no slot at all.
    pub fn is_empty(&self) -> bool {
        self.keys.read().is_empty()
    }

    /// Slots that held neither a key nor zeros when the ring was opened: what they opened is lost.
    pub fn damaged(&self) -> &[u64] {
        &self.damaged
    }

    /// The secret of the whole ring; nothing before the first [`Keyring::extend`].
    pub fn secret(&self) -> Option<Key> {
        self.key(0)
    }

    /// The key in a slot; nothing if it was dropped or never made.
    pub fn key(&self, slot: u64) -> Option<Key> {
        *self.keys.read().get(usize::try_from(slot).ok()?)?
    }

    /// The first slot above `slot` that has a key.
    pub fn next_after(&self, slot: u64) -> Option<u64> {
        let keys = self.keys.read();
        let from = usize::try_from(slot).ok()?.checked_add(1)?;
        let found = keys.get(from..)?.iter().position(Option::is_some)?;
        Some((from + found) as u64)
    }

    /// Makes another lot of keys, and the ring if there is none; durable when this returns.
    ///
    /// # Errors
    /// What `random` or the disk says. No key of the lot is used then.
    pub fn extend(&self, random: impl Fn(&mut [u8]) -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.lock();
        let made = self.keys.read().len() as u64;
        // Without its secret there is no ring yet: a crash came between making the file and writing it.
        let first = if self.secret().is_some() { made } else { 0 };
        let up_to = made.max(first + 1) + LOT_SLOTS;
        let mut lot = Vec::with_capacity((up_to - first) as usize);
        let mut bytes = Vec::with_capacity((up_to - first) as usize * SLOT_BYTES);
        for slot in first..up_to {
            let mut key = Key::default();
            random(&mut key)?;
            bytes.extend_from_slice(&slot_bytes(slot, &key));
            lot.push(Some(key));
        }
        let known = match &*file {
            Some(known) => known.clone(),
            None => file.insert(self.disk.create(KEYRING_NAME)?).clone(),
        };
        known.write_at(&bytes, first * SLOT_BYTES as u64)?;
        known.sync()?;
        self.disk.sync_dir()?;
        let mut keys = self.keys.write();
        keys.truncate(first as usize);
        keys.extend(lot);
        Ok(())
    }

    /// Forgets the keys above `last`, the highest slot in use, or all of them and the secret where none is; the next lot is written
    /// over them. Whoever made them may have ended before they were durable, and what the system still remembers of them proves
    /// nothing.
    pub fn forget_above(&self, last: Option<u64>) {
        let used = last.map_or(0, |last| last.saturating_add(1));
        self.keys.write().truncate(usize::try_from(used).unwrap_or(usize::MAX));
    }

    /// Overwrites keys; when this returns nothing that was written under them can be read any more, not even after a crash. Slots
    /// that have none any more are written all the same: nobody knows whether the last one who did saw it synced.
    ///
    /// # Errors
    /// What the disk says. The keys are gone from memory all the same.
    pub fn drop_keys(&self, slots: &[u64]) -> io::Result<()> {
        let file = self.file.lock();
        let made = self.keys.read().len() as u64;
        let slots = || slots.iter().filter(|slot| (1..made).contains(*slot));
        {
            let mut keys = self.keys.write();
            slots().for_each(|slot| keys[*slot as usize] = None);
        }
        let Some(file) = file.as_ref().filter(|_| slots().next().is_some()) else {
            return Ok(());
        };
        for slot in slots() {
            file.write_at(&[0; SLOT_BYTES], slot * SLOT_BYTES as u64)?;
        }
        file.sync()
    }
}

fn slot_bytes(slot: u64, key: &Key) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&slot.to_le_bytes());
    bytes[16..48].copy_from_slice(key);
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn read_slot(slot: u64, bytes: &[u8]) -> Option<Key> {
    let key: Key = bytes.get(16..48)?.try_into().ok()?;
    (slot_bytes(slot, &key) == bytes).then_some(key)
}
