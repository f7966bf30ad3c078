//! Looking at a journal without touching it.

use super::{
    JournalError, Record, Trimmed, catalog::Catalog, recovery::replay_segments, survey::Survey,
};
use crate::{Disk, Sequence};
use std::sync::Arc;

/// What a check found. Damage is an error instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// The journal's name; 0 if there is no journal.
    pub journal_id: u128,
    /// Segments in use.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// The last record; 0 if there is none.
    pub last_sequence: Sequence,
    /// The commit time of the last frame, in milliseconds.
    pub last_time_ms: u64,
    /// The last epoch begun; 0 if there is none.
    pub epoch: u32,
    /// Whether the journal was shut down cleanly.
    pub clean: bool,
    /// A torn tail, which opening the journal would cut off. Nothing in it was acknowledged.
    pub torn: Option<Trimmed>,
}

/// Walks the whole journal, verifies every frame, and gives every record to `visit`. Changes
/// nothing; the journal must not be running.
pub fn check(
    disk: Arc<dyn Disk>,
    visit: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<Checked, JournalError> {
    let survey = Survey::take(&*disk)?;
    let Some(last) = survey.segments.last() else {
        return Ok(Checked::default());
    };
    let tail = survey.tail(&*disk, last)?;
    let catalog = Catalog::new(disk, last.journal_id);
    let begins_after = survey.segments[0].position;
    let records = replay_segments(&catalog, &survey.segments, &tail.walk, begins_after, visit)?;
    Ok(Checked {
        journal_id: last.journal_id,
        segments: survey.segments.len() as u64,
        records,
        last_sequence: tail.walk.last_record,
        last_time_ms: tail.walk.time_ms,
        epoch: tail.walk.epoch,
        clean: tail.walk.closed,
        torn: tail.trimmed(last),
    })
}

/// The name of the journal on `disk`, from its headers alone; `None` if there is none yet. What a
/// state must belong to before the journal is opened from its position.
pub fn journal_id(disk: &dyn Disk) -> Result<Option<u128>, JournalError> {
    Ok(Survey::take(disk)?.segments.last().map(|last| last.journal_id))
}
