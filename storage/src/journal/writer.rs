//! Frames into segments.

use super::{
    JournalError,
    catalog::Catalog,
    format::{self, FRAME_BYTES_TARGET, FRAME_OVERHEAD_MAX, FrameStart, Header, Kind},
    queue::Mark,
    scan::Walk,
    space::Space,
    stats::{Counters, add},
};
use crate::{DiskFile, Sequence};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// Bytes handed to the disk in one write; a larger commit takes several.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// The segment being written.
pub(crate) struct Active {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) header: Header,
}

pub(crate) struct Writer {
    catalog: Arc<Catalog>,
    stats: Arc<Counters>,
    space: Space,
    active: Option<Active>,
    walk: Walk,
    /// Everything up to here is durable or will never be.
    known_synced: Sequence,
    /// Frames not yet handed to the disk, and where they go.
    buffer: Vec<u8>,
    buffer_at: u64,
    unsynced_records: u64,
    unsynced: bool,
    rotated: bool,
}

impl Writer {
    /// Continues at `walk`, which is the synced end of `active`.
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        stats: Arc<Counters>,
        space: Space,
        active: Option<Active>,
        walk: Walk,
    ) -> Self {
        Writer {
            catalog,
            stats,
            space,
            active,
            walk,
            known_synced: walk.position,
            buffer: Vec::new(),
            buffer_at: walk.offset,
            unsynced_records: 0,
            unsynced: false,
            rotated: false,
        }
    }

    /// Begins an epoch whose first sequence is `first`; durable when this returns.
    pub(crate) fn begin_epoch(
        &mut self,
        epoch: u32,
        first: Sequence,
        time_ms: u64,
    ) -> Result<(), JournalError> {
        self.walk.time_ms = self.walk.time_ms.max(time_ms);
        if self.room() < FRAME_OVERHEAD_MAX as u64 {
            self.rotate()?;
        }
        self.walk.epoch = epoch;
        self.frame(Kind::Epoch, first, 0, &[])?;
        self.flush()?;
        self.sync()?;
        self.rotated = false;
        if let Some(active) = &self.active {
            self.stats.segment.store(active.header.segment, Ordering::Relaxed);
            self.stats.room_bytes.store(self.room(), Ordering::Relaxed);
            self.space.request(active.header.segment + 1);
        }
        Ok(())
    }

    /// The commit time to use: the clock's, but never less than the last.
    pub(crate) fn advance_time(&mut self, now_ms: u64) -> u64 {
        self.walk.time_ms = self.walk.time_ms.max(now_ms);
        self.walk.time_ms
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.walk.time_ms
    }

    pub(crate) fn unsynced_records(&self) -> u64 {
        self.unsynced_records
    }

    /// Whether a segment ended since this was last asked: what is in it is synced, and that should
    /// be told.
    pub(crate) fn take_rotated(&mut self) -> bool {
        std::mem::take(&mut self.rotated)
    }

    /// Writes a batch of groups whose records follow the last written; `marks` says where each
    /// group ends.
    pub(crate) fn write(&mut self, bytes: &[u8], marks: &[Mark]) -> Result<(), JournalError> {
        let mut from = Mark { bytes: 0, records: 0 };
        let mut at = 0;
        while at < marks.len() {
            let room = self.room().min(FRAME_BYTES_TARGET as u64);
            let fits = |mark: &Mark, room: u64| {
                (mark.bytes - from.bytes + FRAME_OVERHEAD_MAX) as u64 <= room
            };
            let mut end = at + marks[at..].partition_point(|mark| fits(mark, room));
            if end == at {
                // A group above the usual size is a frame of its own, if the segment has room for
                // it.
                if !fits(&marks[at], self.room()) {
                    self.rotate()?;
                    continue;
                }
                end = at + 1;
            }
            let to = marks[end - 1];
            let first = self.walk.position + 1;
            self.frame(
                Kind::Records,
                first,
                to.records - from.records,
                &bytes[from.bytes..to.bytes],
            )?;
            self.unsynced_records += (to.records - from.records) as u64;
            (from, at) = (to, end);
        }
        self.flush()
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        let Some(active) = &self.active else { return Ok(()) };
        if self.unsynced {
            let begun = Instant::now();
            let name = || format::segment_name(active.header.segment);
            active.file.sync().map_err(|error| JournalError::io("sync", &name(), None, error))?;
            self.stats.synced(begun.elapsed().as_micros() as u64);
            self.unsynced = false;
        }
        self.known_synced = self.walk.position;
        self.unsynced_records = 0;
        Ok(())
    }

    /// Says that the journal ends here on purpose; durable when this returns.
    pub(crate) fn close(&mut self) -> Result<(), JournalError> {
        self.sync()?;
        if self.room() < FRAME_OVERHEAD_MAX as u64 {
            // Not worth a segment: without the frame the next epoch only leaves a gap.
            return Ok(());
        }
        self.frame(Kind::Closed, self.walk.position + 1, 0, &[])?;
        self.flush()?;
        self.sync()
    }

    fn room(&self) -> u64 {
        let used = self.buffer_at + self.buffer.len() as u64;
        self.active.as_ref().map_or(0, |active| active.header.capacity.saturating_sub(used))
    }

    /// Appends a frame to the buffer. There is room for it.
    fn frame(
        &mut self,
        kind: Kind,
        first: Sequence,
        count: usize,
        records: &[u8],
    ) -> Result<(), JournalError> {
        let Some(active) = &self.active else { return Ok(()) };
        let header = active.header;
        let start = FrameStart {
            previous: self.walk.chain,
            kind,
            epoch: self.walk.epoch,
            first,
            count: count as u64,
            time_delta_ms: self.walk.time_ms - header.base_ms,
            synced: self.known_synced,
        };
        let offset = self.buffer_at + self.buffer.len() as u64;
        self.walk.chain =
            start.write(format::salt(header.journal_id, header.segment), records, &mut self.buffer);
        self.walk.position = first + count as u64 - 1;
        if count > 0 {
            self.walk.last_record = self.walk.position;
            self.catalog.note(header.segment, first, offset);
        }
        add(&self.stats.frames, 1);
        if self.buffer.len() >= WRITE_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        let Some(active) = &self.active else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        let at = self.buffer_at;
        active.file.write_at(&self.buffer, at).map_err(|error| {
            JournalError::io("write", &format::segment_name(active.header.segment), Some(at), error)
        })?;
        add(&self.stats.bytes_written, self.buffer.len() as u64);
        self.buffer_at += self.buffer.len() as u64;
        self.buffer.clear();
        self.unsynced = true;
        self.stats.room_bytes.store(self.room(), Ordering::Relaxed);
        Ok(())
    }

    /// Goes on in the next segment. The one before is synced first: its end can then never be a
    /// torn tail.
    fn rotate(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.sync()?;
        let (number, previous) = self
            .active
            .as_ref()
            .map_or((1, 0), |active| (active.header.segment + 1, self.walk.chain));
        let file = self.space.take(number)?;
        let name = format::segment_name(number);
        let capacity =
            file.len().map_err(|error| JournalError::io("measure", &name, None, error))?;
        let header = Header {
            journal_id: self.catalog.journal_id,
            segment: number,
            previous,
            epoch: self.walk.epoch,
            position: self.walk.position,
            last_record: self.walk.last_record,
            base_ms: self.walk.time_ms,
            capacity,
        };
        self.buffer.extend_from_slice(&header.to_bytes());
        self.buffer_at = 0;
        self.walk.chain = header.crc();
        self.catalog.add_segment(header, true);
        self.active = Some(Active { file, header });
        self.rotated = true;
        add(&self.stats.segments_begun, 1);
        self.stats.segment.store(number, Ordering::Relaxed);
        self.space.request(number + 1);
        Ok(())
    }
}
