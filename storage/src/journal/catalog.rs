//! Which segment holds a record, and about where.
//!
//! One entry for every 64 KB of a segment: a 50 GB journal costs 13 MB. Segments that were not
//! walked at the start are indexed when they are first read.

use super::{
    JournalError,
    format::{self, Header},
    scan::{Scanner, Walk},
};
use crate::{Disk, DiskFile, Sequence};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;

/// Distance of entries: what is read, at most, to find a record.
const INDEX_BYTES: u64 = 64 * 1024;

/// Open files kept for reading: enough for reads that wander, far below any limit on open files.
const OPEN_FILES_MAX: usize = 32;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of the first record of the frame at `offset`.
    first: Sequence,
    offset: u32,
}

#[derive(Debug)]
struct Segment {
    header: Header,
    /// `None` until somebody reads there.
    index: Option<Vec<Entry>>,
}

/// A place to start reading from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) header: Header,
    pub(crate) offset: u64,
}

pub(crate) struct Catalog {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) journal_id: u128,
    segments: RwLock<Vec<Segment>>,
    /// Most recently used last.
    files: Mutex<Vec<(u64, Arc<dyn DiskFile>)>>,
}

impl Catalog {
    pub(crate) fn new(disk: Arc<dyn Disk>, journal_id: u128) -> Self {
        Catalog {
            disk,
            journal_id,
            segments: RwLock::new(Vec::new()),
            files: Mutex::new(Vec::new()),
        }
    }

    /// Adds the next segment; one that will be `walked` is indexed from the start.
    pub(crate) fn add_segment(&self, header: Header, walked: bool) {
        self.segments.write().push(Segment { header, index: walked.then(Vec::new) });
    }

    /// Notes a frame with records of the segment `number`, if it is far enough from the last noted.
    pub(crate) fn note(&self, number: u64, first: Sequence, offset: u64) {
        let mut segments = self.segments.write();
        let segment = segments.iter_mut().rev().find(|segment| segment.header.segment == number);
        if let Some(index) = segment.and_then(|segment| segment.index.as_mut()) {
            note(index, first, offset);
        }
    }

    /// Where to start looking for the first record at or above `sequence`.
    pub(crate) fn find(&self, sequence: Sequence) -> Result<Option<Place>, JournalError> {
        let (header, known) = {
            let segments = self.segments.read();
            let after = segments.partition_point(|segment| segment.header.position < sequence);
            let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
                return Ok(None);
            };
            (segment.header, segment.index.as_ref().map(|index| offset_of(index, sequence)))
        };
        let offset = match known {
            Some(offset) => offset,
            None => {
                let index = self.index(header)?;
                let offset = offset_of(&index, sequence);
                let mut segments = self.segments.write();
                if let Some(segment) = segments.iter_mut().find(|segment| segment.header == header)
                {
                    segment.index = Some(index);
                }
                offset
            }
        };
        Ok(Some(Place { header, offset }))
    }

    /// The segment behind `number`.
    pub(crate) fn next(&self, number: u64) -> Option<Place> {
        let segments = self.segments.read();
        let at = segments.partition_point(|segment| segment.header.segment <= number);
        segments
            .get(at)
            .map(|segment| Place { header: segment.header, offset: format::HEADER_BYTES as u64 })
    }

    /// Indexes a segment that is not written any more.
    fn index(&self, header: Header) -> Result<Vec<Entry>, JournalError> {
        let mut scanner = Scanner::open(self, header)?;
        let mut walk = Walk::enter(&header);
        let mut index = Vec::new();
        while let Ok((head, offset)) = walk.step(&mut scanner)? {
            if head.count > 0 {
                note(&mut index, head.first, offset);
            }
        }
        Ok(index)
    }

    /// The file of a segment, opened for reading.
    pub(crate) fn file(&self, number: u64) -> Result<Arc<dyn DiskFile>, JournalError> {
        let mut files = self.files.lock();
        if let Some(at) = files.iter().position(|(known, _)| *known == number) {
            let entry = files.remove(at);
            files.push(entry);
        } else {
            let name = format::segment_name(number);
            let file = self
                .disk
                .open_read_only(&name)
                .map_err(|error| JournalError::io("open", &name, None, error))?;
            if files.len() == OPEN_FILES_MAX {
                files.remove(0);
            }
            files.push((number, file));
        }
        Ok(files[files.len() - 1].1.clone())
    }
}

fn note(index: &mut Vec<Entry>, first: Sequence, offset: u64) {
    if index.last().is_none_or(|last| offset >= u64::from(last.offset) + INDEX_BYTES) {
        index.push(Entry { first, offset: offset as u32 });
    }
}

fn offset_of(index: &[Entry], sequence: Sequence) -> u64 {
    let after = index.partition_point(|entry| entry.first <= sequence);
    match after.checked_sub(1) {
        Some(at) => u64::from(index[at].offset),
        None => format::HEADER_BYTES as u64,
    }
}
