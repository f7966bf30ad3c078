//! Opening sled without trusting it.

use super::{
    mark::Position,
    pages::{self, POSITION_KEY},
};
use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

/// sled's cache. It takes more than it is told; what is in here is packed and read once at the
/// start.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// sled lets go of its lock some time after the last handle is dropped: how often to try, and how
/// long to wait between.
const LOCK_TRIES_MAX: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

pub(super) fn words(error: sled::Error) -> String {
    error.to_string()
}

pub(super) fn changed() -> String {
    "a page is not what was written".to_owned()
}

/// Turns a panic inside sled into an error.
pub(super) fn guarded<R>(call: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(format!("it panicked: {}", text.unwrap_or_default()))
    })
}

/// sled leaves these behind when it dies while it writes one, and then cannot open.
pub(super) fn remove_half_snapshots(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

pub(super) fn open_sled(folder: &Path) -> Result<sled::Db, String> {
    let config = sled::Config::default()
        .path(folder)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::HighThroughput)
        // It bounds memory and collects garbage.
        .flush_every_ms(Some(500));
    for _ in 1..LOCK_TRIES_MAX {
        match guarded(|| Ok(config.open())) {
            // The lock, from a store of this process that was dropped just now.
            Ok(Err(sled::Error::Io(error))) if is_lock(&error) => {
                std::thread::sleep(LOCK_PAUSE); // sleep: sled tells nobody when it lets go
            }
            Ok(opened) => return opened.map_err(words),
            Err(panic) => return Err(panic),
        }
    }
    guarded(|| config.open().map_err(words))
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.to_string().contains("could not acquire lock")
}

/// Opens the state if all of it is as it was written, at the mark or above it.
pub(super) fn open_verified(
    folder: &Path,
    journal_id: u128,
    mark: Option<Position>,
) -> Result<(sled::Db, Position), String> {
    let existed = folder.join("db").exists();
    let mark = mark.unwrap_or(Position { journal_id, ..Position::default() });
    if mark.journal_id != journal_id {
        return Err("it belongs to another journal".to_owned());
    }
    if !existed && mark.sequence > 0 {
        return Err(format!("it is gone, but was at record {}", mark.sequence));
    }
    let db = open_sled(folder)?;
    // The database is dropped inside as well if this fails: that may panic too.
    guarded(move || {
        let position = verify(&db, journal_id)?;
        if position.sequence < mark.sequence {
            return Err(format!(
                "it is at record {}, but was at {}",
                position.sequence, mark.sequence
            ));
        }
        if position.sequence == mark.sequence && position != mark {
            return Err("it is not what was written last".to_owned());
        }
        Ok((db, position))
    })
}

/// Reads everything, and compares with what the last batch said is there.
fn verify(db: &sled::Db, journal_id: u128) -> Result<Position, String> {
    let position = match db.get(POSITION_KEY).map_err(words)? {
        None => Position { journal_id, ..Position::default() },
        Some(value) => {
            let bytes = pages::open_value(POSITION_KEY, &value).ok_or_else(changed)?.1;
            Position::from_bytes(bytes).ok_or_else(changed)?
        }
    };
    if position.journal_id != journal_id {
        return Err("it belongs to another journal".to_owned());
    }
    let (mut parts, mut sum) = (0u64, 0u64);
    for entry in db.iter() {
        let (part_key, value) = entry.map_err(words)?;
        if part_key != POSITION_KEY {
            pages::open_value(&part_key, &value).ok_or_else(changed)?;
            parts += 1;
            sum = sum.wrapping_add(pages::fingerprint(&part_key, &value));
        }
    }
    if (parts, sum) != (position.parts, position.sum) {
        return Err(format!(
            "{} parts are there, {} were written, or they are not those",
            parts, position.parts
        ));
    }
    Ok(position)
}

/// Renames the folder to `<name>.damaged-N`; earlier ones are removed.
pub(super) fn move_aside(folder: &Path) -> io::Result<()> {
    let parent =
        folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!("{}.damaged-", folder.file_name().unwrap_or_default().to_string_lossy());
    let mut number = 1;
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if let Some(found) = entry.file_name().to_string_lossy().strip_prefix(&prefix) {
            number = number.max(found.parse().unwrap_or(0) + 1);
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    if folder.exists() {
        std::fs::rename(folder, parent.join(format!("{prefix}{number}")))?;
    }
    File::open(parent)?.sync_all()
}

/// Makes durable what sled's flush only started to write.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A snapshot may be replaced while we look; then its successor counts.
        if entry.file_type()?.is_file() {
            match File::open(entry.path()) {
                Ok(file) => file.sync_data()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    File::open(folder)?.sync_all()
}
