//! A data directory: who may use it, and where things lie in it.
//!
//! ```text
//! journal/    segments                     the truth
//! state/      sled                         rebuilt from the journal at any doubt
//! state.mark  how far state/ must be
//! secrets/    keys (0700, files 0600)      cannot be rebuilt
//!   keyring         of persons
//!   token-key       by which access tokens are signed
//!   admin-password  of the account that the first start made
//! LOCK        held while a process uses the directory
//! FORMAT      the version of all of the above
//! ```
//!
//! The problem: two processes writing one journal destroy it, and a program that is older than its
//! data must not guess.

use crate::files::{make_folder, sync_parent};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The version of the directory's layout and of everything in it.
pub const FORMAT_VERSION: u32 = 1;

const FORMAT_NAME: &str = "stockade";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process, or another part of this one, uses it.
    #[error("{path} is in use{by}: stop the other one, or use another directory")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as it said.
        by: String,
    },
    /// Written by a newer version.
    #[error(
        "{path} has format {found}, this program knows up to {FORMAT_VERSION}: use a newer program"
    )]
    Newer {
        /// The FORMAT file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Not a data directory, or its FORMAT file is damaged.
    #[error("{path} does not say which format it has ({what}): is this Stockade's data directory?")]
    Unknown {
        /// The FORMAT file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { action, path, source }
}

/// A data directory that is locked for as long as this lives.
#[derive(Debug)]
pub struct DataDirectory {
    root: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Opens the directory, or makes it; nobody else can while this lives.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DirectoryError> {
        let root = path.into();
        make_folder(&root).map_err(failed("create", &root))?;
        let directory = DataDirectory::lock(root)?;
        directory.check_format(true)?;
        for folder in [directory.journal(), directory.secrets()] {
            make_folder(&folder).map_err(failed("create", &folder))?;
        }
        let secrets = directory.secrets();
        std::fs::set_permissions(&secrets, Permissions::from_mode(0o700))
            .map_err(failed("protect", &secrets))?;
        // An earlier start may have been cut off between making a folder and syncing its name.
        sync_parent(&secrets).map_err(failed("sync the folder of", &secrets))?;
        match sync_parent(&directory.root) {
            // Whoever owns the folder above, and lets nobody look into it, has made ours.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(failed("sync the folder of", &directory.root))?,
        }
        Ok(directory)
    }

    /// Opens an existing directory to look at it; changes nothing but the lock, which is taken as
    /// well.
    pub fn open_read_only(path: impl Into<PathBuf>) -> Result<Self, DirectoryError> {
        let root = path.into();
        let format = root.join("FORMAT");
        if !format.exists() {
            let what = "there is no such file".to_owned();
            return Err(DirectoryError::Unknown { path: format, what });
        }
        let directory = DataDirectory::lock(root)?;
        directory.check_format(false)?;
        Ok(directory)
    }

    fn lock(root: PathBuf) -> Result<Self, DirectoryError> {
        let path = root.join("LOCK");
        let open = |options: &mut OpenOptions| options.read(true).mode(0o600).open(&path);
        // A directory on read-only media can still be looked at.
        let mut lock = open(OpenOptions::new().write(true).create(true).truncate(false))
            .or_else(|error| open(&mut OpenOptions::new()).map_err(|_| error))
            .map_err(failed("open", &path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut by = String::new();
                let _ = lock.read_to_string(&mut by);
                let by = if by.is_empty() { by } else { format!(" by process {}", by.trim()) };
                return Err(DirectoryError::InUse { path: root, by });
            }
            Err(error) => return Err(failed("lock", &path)(error.into())),
        }
        // Only a help for whoever reads the refusal; the lock itself is the kernel's.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(DataDirectory { root, _lock: lock })
    }

    fn check_format(&self, create: bool) -> Result<(), DirectoryError> {
        let path = self.root.join("FORMAT");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                return self.write_format(&path);
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let unknown = || DirectoryError::Unknown {
            path: path.clone(),
            what: format!("it says {:?}", text.trim()),
        };
        let version =
            text.trim().strip_prefix(FORMAT_NAME).and_then(|rest| rest.trim().parse::<u32>().ok());
        match version.ok_or_else(unknown)? {
            0 => Err(unknown()),
            found if found > FORMAT_VERSION => Err(DirectoryError::Newer { path, found }),
            _ => Ok(()),
        }
    }

    /// A directory without FORMAT is new, unless there is a journal in it.
    fn write_format(&self, path: &Path) -> Result<(), DirectoryError> {
        let has_segments =
            std::fs::read_dir(self.journal()).is_ok_and(|mut entries| entries.next().is_some());
        if has_segments {
            let what = "the file is missing, and there is a journal".to_owned();
            return Err(DirectoryError::Unknown { path: path.to_owned(), what });
        }
        replace_file(path, format!("{FORMAT_NAME} {FORMAT_VERSION}\n").as_bytes(), 0o644)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the journal's segments lie.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Where sled lies.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Where keys lie.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Reads a secret; `None` if there is none of this name.
    pub fn read_secret(&self, name: &str) -> Result<Option<Vec<u8>>, DirectoryError> {
        let path = self.secrets().join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Reads a secret, or makes it if there is none of this name: the same ever after.
    pub fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, DirectoryError> {
        if let Some(bytes) = self.read_secret(name)? {
            return Ok(bytes);
        }
        let bytes = make();
        self.write_secret(name, &bytes)?;
        Ok(bytes)
    }

    /// Removes a secret, if there is one of this name; durable when this returns.
    pub fn remove_secret(&self, name: &str) -> Result<(), DirectoryError> {
        let path = self.secrets().join(name);
        let removed = match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        removed.and_then(|()| sync_parent(&path)).map_err(failed("remove", &path))
    }

    /// Writes a secret, whole or not at all, readable by nobody else; durable when this returns.
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        replace_file(&self.secrets().join(name), bytes, 0o600)
    }
}

/// Writes beside, syncs, renames, syncs the folder.
fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DirectoryError> {
    let beside = path.with_extension("new");
    let write = || {
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        sync_parent(path)
    };
    write().map_err(failed("write", path))
}
