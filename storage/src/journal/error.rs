//! What can go wrong with a journal.

use crate::Sequence;
use std::{io, sync::Arc};

/// Why the journal could not be opened, written or read. Cheap to clone: everyone who waits gets
/// told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The disk refused.
    #[error("cannot {action} journal file {file}{}: {source}", at(*offset))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file's name in the journal's folder.
        file: String,
        /// Where in the file, in bytes.
        offset: Option<u64>,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// Something that was synced is gone or changed.
    #[error(
        "journal file {file} is damaged at byte {offset}: {what}. Records that were acknowledged \
         may be lost, so it is not opened; restore the journal from a backup"
    )]
    Damaged {
        /// The file's name in the journal's folder.
        file: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Records that are asked for are not in the journal any more.
    #[error(
        "the journal begins after record {begins_after}, but records after {wanted_after} are \
         needed: a segment is missing; restore it from a backup"
    )]
    Missing {
        /// The caller's position.
        wanted_after: Sequence,
        /// The last record before the first segment.
        begins_after: Sequence,
    },
    /// The state kept beside the journal is further than the journal.
    #[error(
        "the state is at record {after}, but the journal ends at {last}: the journal lost records, \
         or is not the one the state was made from. If it was restored on purpose, remove the state \
         and start again"
    )]
    Behind {
        /// The caller's position.
        after: Sequence,
        /// The journal's last record.
        last: Sequence,
    },
    /// Written by a newer version.
    #[error(
        "journal file {file} has format version {version}, this program knows up to {known}: use a \
         newer program"
    )]
    Newer {
        /// The file's name in the journal's folder.
        file: String,
        /// Its version.
        version: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The caller's replay refused a record.
    #[error("record {sequence} of the journal cannot be replayed: {reason}")]
    Replay {
        /// The record.
        sequence: Sequence,
        /// The caller's reason.
        reason: String,
    },
    /// The options contradict each other.
    #[error("journal options: {0}")]
    Options(String),
    /// A panic on the journal's thread, most likely in the sink.
    #[error("the journal's thread panicked: {0}. Nothing more is committed; restart to recover")]
    Panicked(String),
    /// The system gives no thread.
    #[error("cannot start the journal's thread: {0}")]
    Thread(Arc<io::Error>),
}

fn at(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}

impl JournalError {
    pub(crate) fn io(
        action: &'static str,
        file: &str,
        offset: Option<u64>,
        source: io::Error,
    ) -> Self {
        JournalError::Io { action, file: file.to_owned(), offset, source: Arc::new(source) }
    }

    pub(crate) fn damaged(file: &str, offset: u64, what: impl Into<String>) -> Self {
        JournalError::Damaged { file: file.to_owned(), offset, what: what.into() }
    }
}

/// Why a group was not taken. The group is as it was; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: the disk does not keep up. Try again later.
    #[error("the journal's queue is full; try again")]
    Full,
    /// The group can never fit, by its bytes or its records. Split it.
    #[error("the group is larger than the journal takes at once; split it")]
    TooLarge,
    /// The journal is poisoned or was shut down. Nothing will be committed any more.
    #[error("the journal has stopped")]
    Stopped,
    /// The journal is shutting down: it finishes what it has and takes no more.
    #[error("the journal is shutting down")]
    Draining,
}
