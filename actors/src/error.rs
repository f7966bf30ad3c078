use std::{path::PathBuf, sync::Arc};

use stockade_domain::{Refusal, Sequence};
use stockade_storage::{DirectoryError, JournalError, StateError};
use thiserror::Error;

/// Why a call had no effect, or cannot say whether it had one.
#[doc = include_str!("../docs/error.md")]
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Error {
    /// The rules say no. Nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More work is under way than the engine's bound. Nothing changed; try again later.
    #[error("the engine is at its bound of work under way, try again later")]
    Overloaded,
    /// The disk has no room for the journal's next segment. What room is left is for work under way, expiries and the shutdown.
    /// Nothing changed.
    #[error("the disk is nearly full, no new work is taken")]
    NearlyFull,
    /// A rule panicked: a bug, and contained. Nothing changed.
    #[error("a rule of the engine failed; nothing was changed")]
    Panicked,
    /// The engine is shutting down and takes no new work. Nothing changed.
    #[error("the engine is shutting down")]
    Draining,
    /// The engine has stopped: what was under way may or may not have happened, and the next start will know.
    #[error("the engine has stopped: {0}")]
    Stopped(Arc<str>),
    /// The same idempotency key is being worked on. Nothing more was begun.
    #[error("a request with the same idempotency key is still under way")]
    InProgress,
    /// The idempotency key had an effect, and that was for another request. Nothing changed.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The idempotency key had its effect, here: see [`crate::Engine::first_answer`]. It has no second one.
    #[error("the request was carried out before")]
    AlreadyDone {
        /// The decision.
        at: Sequence,
    },
    /// One order of a batch of all or none is in the way. Nothing changed.
    #[error("order {at} of the batch: {error}")]
    InBatch {
        /// Which, from 0.
        at: usize,
        /// Why.
        error: Box<Error>,
    },
    /// What was to be waited for did not happen in time.
    #[error("the position is not reached yet")]
    PositionNotReached,
}

/// Why an engine cannot be opened. Nothing was changed.
#[doc = include_str!("../docs/open_error.md")]
#[derive(Debug, Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state on sled cannot be made anew.
    #[error(transparent)]
    Store(#[from] StateError),
    /// The state on sled is of no use and cannot be removed.
    #[error("{path}: cannot be removed: {source}")]
    State {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A setting is out of its range.
    #[error("{setting}: {detail}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What would be right.
        detail: String,
    },
    /// The keyring cannot be used.
    #[error("secrets/keyring {0}")]
    Keyring(String),
    /// The operating system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}
