//! The store itself.

use super::{
    mark::{self, Mark, Position},
    open::{
        changed, guarded, move_aside, open_sled, open_verified, remove_half_snapshots, sync_folder,
        words,
    },
    pages::{self, KEY_BYTES_MAX, PART_BYTES_MAX, PARTS_MAX, POSITION_KEY},
};
use crate::Sequence;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Why the state could not be read or written. The journal is not affected; the next start rebuilds
/// what is needed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("cannot {action} the state at {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// sled refused, or panicked.
    #[error(
        "sled failed at {path}: {what}. The journal is not affected; the next start rebuilds the \
         state"
    )]
    Broken {
        /// The state's folder.
        path: PathBuf,
        /// sled's words.
        what: String,
    },
    /// A page that cannot be stored.
    #[error("a page cannot be stored: {0}")]
    Page(String),
}

/// How the state was found.
#[derive(Debug)]
pub enum StateOpened {
    /// Whole and consistent; replay the journal from its position.
    Ready(StateStore),
    /// It was not to be trusted and has been moved aside; this one is empty. Replay the journal in
    /// full.
    Rebuild {
        /// The new, empty store.
        store: StateStore,
        /// What was wrong, for the log.
        reason: String,
    },
}

impl StateOpened {
    /// The store, however it was found.
    pub fn into_store(self) -> StateStore {
        match self {
            StateOpened::Ready(store) | StateOpened::Rebuild { store, .. } => store,
        }
    }
}

/// Pages at a position of the journal. One writes at a time; whoever reads waits for no disk.
pub struct StateStore {
    folder: PathBuf,
    /// `None` only while it is dropped.
    db: Option<sled::Db>,
    position: AtomicU64,
    writer: Mutex<Writer>,
    /// Held while a batch is applied, so that nobody reads half of an old page and half of a new
    /// one.
    pages: RwLock<()>,
    /// What sled does after an error is not known: nothing more is asked of it.
    broken: OnceLock<String>,
}

struct Writer {
    position: Position,
    mark: Mark,
}

impl std::fmt::Debug for StateStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let position = self.position();
        f.debug_struct("StateStore")
            .field("folder", &self.folder)
            .field("position", &position)
            .finish()
    }
}

impl StateStore {
    /// Opens the state in `folder` for a look, and verifies all of it. Unlike [`StateStore::open`] it puts nothing aside.
    ///
    /// # Errors
    /// Why the state is not to be believed.
    pub fn inspect(folder: &Path, journal_id: u128) -> Result<StateStore, String> {
        let mark = Mark::open(folder).map_err(|error| error.to_string())?;
        let (db, position) = open_verified(folder, journal_id, mark.position())?;
        Ok(StateStore::new(folder, db, position, mark))
    }

    /// Opens the state in `folder`, verifies all of it, and falls back to an empty one.
    pub fn open(folder: &Path, journal_id: u128) -> Result<StateOpened, StateError> {
        remove_half_snapshots(folder);
        let io = |action, path: PathBuf| move |source| StateError::Io { action, path, source };
        let mut mark = Mark::open(folder).map_err(io("open the mark of", mark::path_of(folder)))?;
        let reason = match open_verified(folder, journal_id, mark.position()) {
            Ok((db, position)) => {
                return Ok(StateOpened::Ready(StateStore::new(folder, db, position, mark)));
            }
            Err(reason) => reason,
        };
        move_aside(folder).map_err(io("move aside", folder.to_owned()))?;
        // Only now: as long as the doubtful one is in place, the mark has to speak against it.
        let position = Position { journal_id, ..Position::default() };
        mark.write(position).map_err(io("write the mark of", folder.to_owned()))?;
        let db = open_sled(folder)
            .map_err(|what| StateError::Broken { path: folder.to_owned(), what })?;
        let store = StateStore::new(folder, db, position, mark);
        Ok(StateOpened::Rebuild { store, reason })
    }

    fn new(folder: &Path, db: sled::Db, position: Position, mark: Mark) -> Self {
        StateStore {
            folder: folder.to_owned(),
            db: Some(db),
            position: AtomicU64::new(position.sequence),
            writer: Mutex::new(Writer { position, mark }),
            pages: RwLock::new(()),
            broken: OnceLock::new(),
        }
    }

    /// The position of the last [`StateStore::write`]; 0 if there was none.
    pub fn position(&self) -> Sequence {
        self.position.load(Ordering::Acquire)
    }

    /// Gives every page to `each`, keys in no particular order.
    pub fn for_each(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StateError> {
        self.with(|db| {
            let _pages = self.pages.read_recursive();
            for_each_page(db, each)
        })
    }

    /// The value of a page.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.with(|db| {
            let _pages = self.pages.read_recursive();
            let first_key = pages::part_key(key, 0);
            let Some(first) = db.get(&first_key).map_err(words)? else { return Ok(None) };
            let (parts, bytes) = pages::open_value(&first_key, &first).ok_or_else(changed)?;
            let mut value = bytes.to_vec();
            for part in 1..parts {
                let part_key = pages::part_key(key, part);
                let bytes = db.get(&part_key).map_err(words)?.ok_or_else(changed)?;
                value
                    .extend_from_slice(pages::open_value(&part_key, &bytes).ok_or_else(changed)?.1);
            }
            Ok(Some(value))
        })
    }

    /// Writes pages (`None` removes one) as one atomic batch at `position`, makes it durable, and
    /// moves the mark. The position must be synced in the journal.
    pub fn write(
        &self,
        position: Sequence,
        pages: &[(Vec<u8>, Option<Vec<u8>>)],
    ) -> Result<(), StateError> {
        for (key, value) in pages {
            check_page(key, value.as_deref())?;
        }
        self.with(|db| {
            let mut writer = self.writer.lock();
            let mut next = Position { sequence: position, ..writer.position };
            let mut batch = sled::Batch::default();
            // Of a page that comes twice the last counts.
            let last: BTreeMap<&[u8], Option<&[u8]>> =
                pages.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            for (key, value) in last {
                put_page(db, &mut batch, &mut next, key, value)?;
            }
            let envelope = pages::part_value(POSITION_KEY, 0, &next.to_bytes());
            batch.insert(POSITION_KEY, envelope);
            {
                let _pages = self.pages.write();
                db.apply_batch(batch).map_err(words)?;
            }
            db.flush().map_err(words)?;
            sync_folder(&self.folder).map_err(|error| format!("cannot sync: {error}"))?;
            let marked = writer.mark.write(next);
            marked.map_err(|error| format!("cannot write the mark: {error}"))?;
            writer.position = next;
            self.position.store(position, Ordering::Release);
            Ok(())
        })
    }

    /// Calls into sled: panics become errors, and after the first error there are no more calls.
    fn with<R>(&self, call: impl FnOnce(&sled::Db) -> Result<R, String>) -> Result<R, StateError> {
        let broken =
            |what: &str| StateError::Broken { path: self.folder.clone(), what: what.to_owned() };
        if let Some(what) = self.broken.get() {
            return Err(broken(what));
        }
        let Some(db) = &self.db else { return Err(broken("it is closed")) };
        guarded(|| call(db)).map_err(|what| broken(self.broken.get_or_init(|| what)))
    }
}

impl Drop for StateStore {
    fn drop(&mut self) {
        let db = self.db.take();
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }
}

fn check_page(key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(StateError::Page(format!(
            "its key has {} bytes, 1 to {KEY_BYTES_MAX} are possible",
            key.len()
        )));
    }
    let bytes = value.map_or(0, <[u8]>::len);
    if bytes > PART_BYTES_MAX * PARTS_MAX {
        let most = PART_BYTES_MAX * PARTS_MAX;
        return Err(StateError::Page(format!("it has {bytes} bytes, {most} are possible")));
    }
    Ok(())
}

/// Replaces the parts of a page, and keeps the count and the sum right.
fn put_page(
    db: &sled::Db,
    batch: &mut sled::Batch,
    position: &mut Position,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), String> {
    let first = pages::part_key(key, 0);
    for entry in db.scan_prefix(&first[..first.len() - 2]) {
        let (part_key, old) = entry.map_err(words)?;
        position.parts = position.parts.wrapping_sub(1);
        position.sum = position.sum.wrapping_sub(pages::fingerprint(&part_key, &old));
        batch.remove(part_key);
    }
    let Some(value) = value else { return Ok(()) };
    let parts = value.len().div_ceil(PART_BYTES_MAX).max(1);
    for part in 0..parts {
        let from = part * PART_BYTES_MAX;
        let part_key = pages::part_key(key, part);
        let bytes = &value[from..value.len().min(from + PART_BYTES_MAX)];
        let bytes = pages::part_value(&part_key, parts, bytes);
        position.parts = position.parts.wrapping_add(1);
        position.sum = position.sum.wrapping_add(pages::fingerprint(&part_key, &bytes));
        batch.insert(part_key, bytes);
    }
    Ok(())
}

/// Puts parts together again. Parts of a page lie side by side, in order.
fn for_each_page(db: &sled::Db, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), String> {
    let mut value = Vec::new();
    let mut next = 0;
    for entry in db.iter() {
        let (part_key, bytes) = entry.map_err(words)?;
        if part_key == POSITION_KEY {
            continue;
        }
        let (key, part) = pages::split_key(&part_key).ok_or_else(changed)?;
        let (parts, bytes) = pages::open_value(&part_key, &bytes).ok_or_else(changed)?;
        if part != next || part >= parts {
            return Err(changed());
        }
        value.extend_from_slice(bytes);
        next = part + 1;
        if next == parts {
            each(key, &value);
            value.clear();
            next = 0;
        }
    }
    if next == 0 { Ok(()) } else { Err(changed()) }
}
