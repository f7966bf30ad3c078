//! Walking over the frames of a segment.

use super::{
    JournalError,
    catalog::Catalog,
    format::{self, FRAME_FIXED_BYTES, FRAME_OVERHEAD_MAX, FrameHead, HEADER_BYTES, Header, Kind},
};
use crate::{DiskFile, Sequence};
use std::sync::Arc;

/// Read at once where everything is read: few calls, and still in the processor's cache.
pub(crate) const READ_ALL_BYTES: usize = 1024 * 1024;
/// Read at once where one record is looked for.
pub(crate) const READ_ONE_BYTES: usize = 16 * 1024;

/// Reads a segment in large pieces.
pub(crate) struct Scanner {
    file: Arc<dyn DiskFile>,
    pub(crate) name: String,
    pub(crate) len: u64,
    header: Header,
    salt: u32,
    buffer: Vec<u8>,
    /// Where in the file the buffer starts.
    start: u64,
    /// Bytes of the buffer that are filled.
    filled: usize,
    piece: usize,
}

/// Why no frame follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Zeros, or the end of the segment.
    Blank,
    /// Something that is not the next frame.
    Bad(&'static str),
}

impl Scanner {
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        header: Header,
        piece: usize,
    ) -> Result<Self, JournalError> {
        let name = format::segment_name(header.segment);
        let len = file.len().map_err(|error| JournalError::io("measure", &name, None, error))?;
        let salt = format::salt(header.journal_id, header.segment);
        Ok(Scanner {
            file,
            name,
            len,
            header,
            salt,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            piece,
        })
    }

    pub(crate) fn open(catalog: &Catalog, header: Header) -> Result<Self, JournalError> {
        Scanner::new(catalog.file(header.segment)?, header, READ_ALL_BYTES)
    }

    /// Up to `len` bytes at `offset`; fewer only at the end of the file.
    pub(crate) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], JournalError> {
        let inside = offset >= self.start && offset + len as u64 <= self.start + self.filled as u64;
        if !inside {
            // No more than is there: the length in a damaged frame may be anything.
            let wanted = (len.max(self.piece) as u64).min(self.len.saturating_sub(offset)) as usize;
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            self.filled = self
                .file
                .read_at(&mut self.buffer[..wanted], offset)
                .map_err(|error| JournalError::io("read", &self.name, Some(offset), error))?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.buffer[from..self.filled.min(from + len)])
    }

    /// The head of the frame at `offset`, as it stands there.
    pub(crate) fn head(&mut self, offset: u64) -> Result<Result<FrameHead, End>, JournalError> {
        let (base_ms, len) = (self.header.base_ms, self.len);
        let bytes = self.bytes(offset, FRAME_OVERHEAD_MAX)?;
        let fixed = &bytes[..bytes.len().min(FRAME_FIXED_BYTES)];
        if fixed.iter().all(|byte| *byte == 0) {
            return Ok(Err(End::Blank));
        }
        Ok(match FrameHead::parse(bytes, base_ms) {
            None => Err(End::Bad("this is not a frame")),
            Some(head) if offset + head.frame_bytes as u64 > len => {
                Err(End::Bad("the frame is cut off"))
            }
            Some(head) => Ok(head),
        })
    }

    /// The frame at `offset` with its checksum verified; nothing said about what came before.
    pub(crate) fn frame(&mut self, offset: u64) -> Result<Result<FrameHead, End>, JournalError> {
        let head = match self.head(offset)? {
            Ok(head) => head,
            end => return Ok(end),
        };
        let salt = self.salt;
        let bytes = self.bytes(offset, head.frame_bytes)?;
        let whole = bytes.len() == head.frame_bytes && format::frame_crc(salt, bytes) == head.crc;
        Ok(if whole { Ok(head) } else { Err(End::Bad("the checksum of the frame is wrong")) })
    }

    /// The records of a frame that [`Scanner::frame`] just returned.
    pub(crate) fn records(&mut self, head: &FrameHead, offset: u64) -> Result<&[u8], JournalError> {
        Ok(&self.bytes(offset, head.frame_bytes)?[head.head_bytes..])
    }
}

/// Where the journal stands while its frames are followed one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    /// Checksum of the last frame, or of the segment's header.
    pub(crate) chain: u32,
    pub(crate) epoch: u32,
    /// The last sequence given, or left out where an epoch began.
    pub(crate) position: Sequence,
    pub(crate) last_record: Sequence,
    pub(crate) time_ms: u64,
    /// Whether the last frame says that the journal was shut down cleanly.
    pub(crate) closed: bool,
    /// Where the next frame begins.
    pub(crate) offset: u64,
}

impl Walk {
    /// At the first frame of a segment, trusting what its header says of those before.
    pub(crate) fn enter(header: &Header) -> Self {
        Walk {
            chain: header.crc(),
            epoch: header.epoch,
            position: header.position,
            last_record: header.last_record,
            time_ms: header.base_ms,
            closed: false,
            offset: HEADER_BYTES as u64,
        }
    }

    /// Whether `header` continues where this walk ended.
    pub(crate) fn continues_in(&self, header: &Header) -> bool {
        self.chain == header.previous
            && self.position == header.position
            && self.epoch == header.epoch
    }

    /// Goes over the next frame; gives it and its offset, or why there is none.
    pub(crate) fn step(
        &mut self,
        scanner: &mut Scanner,
    ) -> Result<Result<(FrameHead, u64), End>, JournalError> {
        let offset = self.offset;
        let head = match scanner.frame(offset)? {
            Ok(head) => head,
            Err(end) => return Ok(Err(end)),
        };
        if let Some(what) = self.refuses(&head) {
            return Ok(Err(End::Bad(what)));
        }
        self.chain = head.crc;
        self.epoch = head.epoch;
        self.position = head.position();
        if head.count > 0 {
            self.last_record = self.position;
        }
        self.time_ms = head.time_ms;
        self.closed = head.kind == Kind::Closed;
        self.offset += head.frame_bytes as u64;
        Ok(Ok((head, offset)))
    }

    fn refuses(&self, head: &FrameHead) -> Option<&'static str> {
        if head.previous != self.chain {
            return Some("the frame does not follow the one before it");
        }
        if head.time_ms < self.time_ms {
            return Some("the frame is older than the one before it");
        }
        let follows = match head.kind {
            Kind::Epoch => head.epoch > self.epoch && head.first > self.position,
            Kind::Records | Kind::Closed => {
                head.epoch == self.epoch && head.first == self.position + 1
            }
        };
        (!follows).then_some("the frame's sequences do not follow those of the frame before it")
    }
}
