//! Reading records back while the journal runs.
//!
//! Only committed frames are read, and those do not change any more, so no lock is shared with the
//! writer but that of the index.

use super::{
    JournalError, OwnedRecord,
    catalog::{Catalog, Place},
    format::{self, FrameHead},
    scan::{READ_ALL_BYTES, READ_ONE_BYTES, Scanner},
};
use crate::Sequence;

/// Records reserved for at once: a page may be asked for with any limit.
const PAGE_RESERVE_MAX: usize = 1024;

/// The record `sequence`.
pub(crate) fn one(
    catalog: &Catalog,
    sequence: Sequence,
    committed: Sequence,
) -> Result<Option<OwnedRecord>, JournalError> {
    let mut found = None;
    if sequence > 0 && sequence <= committed {
        visit(catalog, sequence, committed, READ_ONE_BYTES, &mut |record| {
            if record.sequence == sequence {
                found = Some(owned(record));
            }
            record.sequence < sequence
        })?;
    }
    Ok(found)
}

/// Up to `limit` records after `after`.
pub(crate) fn page(
    catalog: &Catalog,
    after: Sequence,
    limit: usize,
    committed: Sequence,
) -> Result<Vec<OwnedRecord>, JournalError> {
    let mut page = Vec::with_capacity(limit.min(PAGE_RESERVE_MAX));
    if limit > 0 && after < committed {
        let piece = if limit > PAGE_RESERVE_MAX { READ_ALL_BYTES } else { READ_ONE_BYTES };
        visit(catalog, after + 1, committed, piece, &mut |record| {
            page.push(owned(record));
            page.len() < limit
        })?;
    }
    Ok(page)
}

fn owned(record: super::Record<'_>) -> OwnedRecord {
    OwnedRecord {
        sequence: record.sequence,
        time_ms: record.time_ms,
        epoch: record.epoch,
        bytes: record.bytes.to_vec(),
    }
}

/// Gives committed records from `from` on, until `each` says false.
fn visit(
    catalog: &Catalog,
    from: Sequence,
    committed: Sequence,
    piece: usize,
    each: &mut dyn FnMut(super::Record<'_>) -> bool,
) -> Result<(), JournalError> {
    let Some(mut place) = catalog.find(from)? else { return Ok(()) };
    loop {
        let mut scanner = Scanner::new(catalog.file(place.header.segment)?, place.header, piece)?;
        while let Some((head, offset)) = next_frame(&mut scanner, &mut place, from)? {
            if head.first > committed {
                return Ok(());
            }
            if !visit_frame(&mut scanner, &head, offset, from, committed, each)? {
                return Ok(());
            }
        }
        match catalog.next(place.header.segment) {
            Some(next) if next.header.position < committed => place = next,
            _ => return Ok(()),
        }
    }
}

/// The next frame that holds records at or above `from`; those below are stepped over unread.
fn next_frame(
    scanner: &mut Scanner,
    place: &mut Place,
    from: Sequence,
) -> Result<Option<(FrameHead, u64)>, JournalError> {
    loop {
        let offset = place.offset;
        let Ok(head) = scanner.head(offset)? else { return Ok(None) };
        place.offset += head.frame_bytes as u64;
        if head.count > 0 && head.position() >= from {
            return Ok(Some((head, offset)));
        }
    }
}

/// Returns whether to go on.
fn visit_frame(
    scanner: &mut Scanner,
    head: &FrameHead,
    offset: u64,
    from: Sequence,
    committed: Sequence,
    each: &mut dyn FnMut(super::Record<'_>) -> bool,
) -> Result<bool, JournalError> {
    if let Err(super::scan::End::Bad(what)) = scanner.frame(offset)? {
        return Err(JournalError::damaged(&scanner.name, offset, what));
    }
    let bytes = scanner.records(head, offset)?;
    let mut more = true;
    format::for_each_record(bytes, head.count, |number, bytes| {
        let sequence = head.first + number;
        if more && sequence >= from && sequence <= committed {
            more =
                each(super::Record { sequence, time_ms: head.time_ms, epoch: head.epoch, bytes });
        }
        Ok(())
    })?;
    Ok(more && head.position() < committed)
}
