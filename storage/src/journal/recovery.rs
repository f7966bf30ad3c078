//! Opening a journal.
//!
//! The order matters. First the tail is found; what is torn is overwritten with zeros, so that a
//! whole frame left behind a torn one can never come back behind a new one of the same length. Then
//! the tail is synced: a killed process leaves frames in the page cache that no disk has seen, and
//! nobody may act on those before they are durable. Only then are records replayed. And only when
//! the journal is started does a new epoch begin, above every sequence that can have been handed
//! out before.

use super::{
    EPOCH_GAP, Journal, JournalError, JournalOptions, Record, Sink,
    catalog::Catalog,
    committer::Clock,
    format::{self, Header},
    scan::{End, READ_ALL_BYTES, Scanner, Walk},
    space::Spare,
    survey::{Survey, Tail},
    writer::Active,
};
use crate::{Disk, DiskFile, Sequence};
use std::sync::Arc;

/// A torn tail: written and never acknowledged, or not even written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed {
    /// The file, in the journal's folder.
    pub file: String,
    /// Where the journal ends now.
    pub offset: u64,
    /// Bytes from there to the last that was not zero.
    pub bytes: u64,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last record in the journal; 0 if there is none.
    pub last_sequence: Sequence,
    /// The commit time of the last frame, in milliseconds; 0 if there is none.
    pub last_time_ms: u64,
    /// The epoch that begins when the journal is started.
    pub epoch: u32,
    /// The first sequence of that epoch.
    pub next_sequence: Sequence,
    /// The journal's name.
    pub journal_id: u128,
    /// Whether the journal was made just now.
    pub created: bool,
    /// Whether it was shut down cleanly.
    pub clean: bool,
    /// The torn tail that was cut off.
    pub trimmed: Option<Trimmed>,
    /// Records replayed.
    pub records: u64,
}

/// A journal that was opened and replayed, and not yet started.
pub struct OpenJournal {
    pub(crate) options: JournalOptions,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) active: Option<Active>,
    /// A prepared segment that was found.
    pub(crate) spare: Option<Spare>,
    pub(crate) walk: Walk,
    pub(crate) epoch: u32,
    pub(crate) next: Sequence,
}

impl std::fmt::Debug for OpenJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenJournal")
            .field("last", &self.walk.last_record)
            .field("epoch", &self.epoch)
            .finish()
    }
}

impl OpenJournal {
    /// Opens the journal on `disk`, trims and syncs its tail, and gives every record above `after`
    /// to `replay`, in order. A journal that is not there is created when it is started.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        after: Sequence,
        replay: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
    ) -> Result<(OpenJournal, Recovered), JournalError> {
        options.check()?;
        let survey = Survey::take(&*disk)?;
        let Some(last) = survey.segments.last().copied() else {
            return create(disk, options, after, &survey);
        };
        let tail = survey.tail(&*disk, &last)?;
        if after > tail.walk.position {
            return Err(JournalError::Behind { after, last: tail.walk.last_record });
        }
        let file = trim(&*disk, &last, &tail)?;
        let spare = clear_rest(&*disk, &options, &survey, &last, &tail)?;
        let catalog = Arc::new(Catalog::new(disk, last.journal_id));
        let records = replay_segments(&catalog, &survey.segments, &tail.walk, after, replay)?;
        let walk = tail.walk;
        let gap = if walk.closed { 0 } else { EPOCH_GAP };
        let open = OpenJournal {
            options,
            catalog,
            active: Some(Active { file, header: last }),
            spare,
            walk,
            epoch: walk.epoch + 1,
            next: walk.position + gap + 1,
        };
        let recovered = open.recovered(tail.trimmed(&last), records, false);
        Ok((open, recovered))
    }

    /// Begins a new epoch, durably, and starts the journal's thread. `now_ms` is asked once a
    /// commit.
    pub fn start<T: Send + 'static>(
        self,
        sink: Box<dyn Sink<T>>,
        now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) -> Result<Arc<Journal<T>>, JournalError> {
        let clock: Clock = now_ms;
        Journal::start(self, sink, clock)
    }

    fn recovered(&self, trimmed: Option<Trimmed>, records: u64, created: bool) -> Recovered {
        Recovered {
            last_sequence: self.walk.last_record,
            last_time_ms: self.walk.time_ms,
            epoch: self.epoch,
            next_sequence: self.next,
            journal_id: self.catalog.journal_id,
            created,
            clean: self.walk.closed,
            trimmed,
            records,
        }
    }
}

fn create(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    after: Sequence,
    survey: &Survey,
) -> Result<(OpenJournal, Recovered), JournalError> {
    if after > 0 {
        return Err(JournalError::Behind { after, last: 0 });
    }
    for name in survey
        .rest
        .iter()
        .map(|number| format::segment_name(*number))
        .chain(survey.preparing.clone())
    {
        remove(&*disk, &name)?;
    }
    let journal_id = match options.journal_id {
        Some(id) => id,
        None => random_id()?,
    };
    let walk = Walk {
        chain: 0,
        epoch: 0,
        position: 0,
        last_record: 0,
        time_ms: 0,
        closed: false,
        offset: 0,
    };
    let catalog = Arc::new(Catalog::new(disk, journal_id));
    let open = OpenJournal { options, catalog, active: None, spare: None, walk, epoch: 1, next: 1 };
    let recovered = open.recovered(None, 0, true);
    Ok((open, recovered))
}

fn random_id() -> Result<u128, JournalError> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).map_err(
        |error| {
            JournalError::io("draw a name for the", &format::segment_name(1), None, error.into())
        },
    )?;
    Ok(u128::from_le_bytes(bytes))
}

/// Writes zeros over the torn tail, and syncs the segment whether or not there was one.
fn trim(disk: &dyn Disk, last: &Header, tail: &Tail) -> Result<Arc<dyn DiskFile>, JournalError> {
    let name = format::segment_name(last.segment);
    let file = disk.open(&name).map_err(|error| JournalError::io("open", &name, None, error))?;
    let from = tail.walk.offset;
    if tail.torn_bytes > 0 {
        file.write_zeros(from, from + tail.torn_bytes)
            .map_err(|error| JournalError::io("trim", &name, Some(from), error))?;
    }
    file.sync().map_err(|error| JournalError::io("sync", &name, None, error))?;
    Ok(file)
}

/// Removes what lies behind the last segment, but for one that is prepared and can be used.
fn clear_rest(
    disk: &dyn Disk,
    options: &JournalOptions,
    survey: &Survey,
    last: &Header,
    tail: &Tail,
) -> Result<Option<Spare>, JournalError> {
    let mut spare = None;
    for number in &survey.rest {
        let name = format::segment_name(*number);
        let failed = |error| JournalError::io("open", &name, None, error);
        let file = disk.open(&name).map_err(failed)?;
        let usable = *number == last.segment + 1
            && !tail.torn_files.contains(number)
            && file.len().map_err(failed)? == options.segment_bytes;
        if usable {
            file.sync().map_err(|error| JournalError::io("sync", &name, None, error))?;
            spare = Some(Spare { number: *number, file });
        } else {
            remove(disk, &name)?;
        }
    }
    for name in &survey.preparing {
        remove(disk, name)?;
    }
    disk.sync_dir()
        .map_err(|error| JournalError::io("sync the folder of", "*.segment", None, error))?;
    Ok(spare)
}

fn remove(disk: &dyn Disk, name: &str) -> Result<(), JournalError> {
    disk.remove(name).map_err(|error| JournalError::io("remove", name, None, error))
}

/// Replays records above `after`, and enters all segments into the catalog. Segments that end at or
/// before `after` are not read.
pub(crate) fn replay_segments(
    catalog: &Catalog,
    segments: &[Header],
    tail: &Walk,
    after: Sequence,
    replay: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<u64, JournalError> {
    let from = segments.partition_point(|header| header.position <= after).checked_sub(1);
    let Some(from) = from else {
        let begins_after = segments[0].position;
        return Err(JournalError::Missing { wanted_after: after, begins_after });
    };
    for header in &segments[..from] {
        catalog.add_segment(*header, false);
    }
    let mut records = 0;
    for (at, header) in segments.iter().enumerate().skip(from) {
        catalog.add_segment(*header, true);
        let (walk, end) = replay_segment(catalog, header, after, &mut records, replay)?;
        let complete = match segments.get(at + 1) {
            Some(next) => walk.continues_in(next),
            None => walk.chain == tail.chain,
        };
        if !complete {
            let what = match end {
                End::Bad(what) => what.to_owned(),
                End::Blank => format!(
                    "the segment ends after record {}, the next does not follow it",
                    walk.last_record
                ),
            };
            return Err(JournalError::damaged(
                &format::segment_name(header.segment),
                walk.offset,
                what,
            ));
        }
    }
    Ok(records)
}

fn replay_segment(
    catalog: &Catalog,
    header: &Header,
    after: Sequence,
    records: &mut u64,
    replay: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<(Walk, End), JournalError> {
    let file = catalog.file(header.segment)?;
    let mut scanner = Scanner::new(file, *header, READ_ALL_BYTES)?;
    let mut walk = Walk::enter(header);
    loop {
        let (head, offset) = match walk.step(&mut scanner)? {
            Ok(found) => found,
            Err(end) => return Ok((walk, end)),
        };
        if head.count == 0 {
            continue;
        }
        catalog.note(header.segment, head.first, offset);
        if head.position() <= after {
            continue;
        }
        let bytes = scanner.records(&head, offset)?;
        let whole = format::for_each_record(bytes, head.count, |number, bytes| {
            let sequence = head.first + number;
            if sequence <= after {
                return Ok(());
            }
            *records += 1;
            let record = Record { sequence, time_ms: head.time_ms, epoch: head.epoch, bytes };
            replay(record).map_err(|reason| JournalError::Replay { sequence, reason })
        })?;
        if !whole {
            let what = "the frame's checksum is right, but its records do not fill it";
            return Err(JournalError::damaged(&scanner.name, offset, what));
        }
    }
}
