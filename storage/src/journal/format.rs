//! The bytes of a segment: its header and its frames. `docs/file-format.md` draws them.
//!
//! The problem: after a crash, what lies behind the last whole frame may be zeros, half a frame, or
//! a whole frame that was never acknowledged; after bit rot it may be anything. The reader has to
//! tell "never acknowledged" from "lost". So a frame names the frame before it (by checksum), and
//! says how far the journal was known synced when it was written.

use super::JournalError;
use crate::Sequence;

/// The version of this format.
pub(crate) const VERSION: u32 = 1;
/// First bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"STOCKADE";
/// Length of a segment's header.
pub(crate) const HEADER_BYTES: usize = 80;
/// Length of the part of a frame that is always there: checksum, checksum of the frame before,
/// length.
pub(crate) const FRAME_FIXED_BYTES: usize = 12;
/// The longest LEB128 of 64 bits.
pub(crate) const VARINT_BYTES_MAX: usize = 10;
/// The most a frame adds to its records: fixed part, kind, and five varints.
pub(crate) const FRAME_OVERHEAD_MAX: usize = FRAME_FIXED_BYTES + 1 + 5 * VARINT_BYTES_MAX;
/// Frames end at this size where groups allow it: what has to be read for one record.
pub(crate) const FRAME_BYTES_TARGET: usize = 64 * 1024;

/// What a frame is. The values are far apart and never zero, so that other bytes are seldom taken
/// for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Records.
    Records = 0xA6,
    /// A new epoch begins; `first` is the first sequence it may give. No records.
    Epoch = 0xC9,
    /// The journal was shut down cleanly; everything before is synced. No records.
    Closed = 0xE3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Kind::Records, Kind::Epoch, Kind::Closed].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) journal_id: u128,
    pub(crate) segment: u64,
    /// Checksum of the last frame of the segment before; 0 in the first.
    pub(crate) previous: u32,
    /// The epoch at the end of the segment before.
    pub(crate) epoch: u32,
    /// Where the segment before ended: the last sequence given or left out. Everything up to there
    /// is synced.
    pub(crate) position: Sequence,
    /// The last record before this segment.
    pub(crate) last_record: Sequence,
    /// Commit times in this segment count from here.
    pub(crate) base_ms: u64,
    /// Length of the file. It was made and synced before this header was written, so a shorter file
    /// was cut.
    pub(crate) capacity: u64,
}

pub(crate) enum HeaderError {
    /// Nothing but zeros: a segment prepared and not yet used.
    Blank,
    Newer(u32),
    Damaged(&'static str),
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.journal_id.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.segment.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.previous.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.position.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.last_record.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.base_ms.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.capacity.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderError> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(HeaderError::Blank);
        }
        if bytes[..8] != MAGIC {
            return Err(HeaderError::Damaged("this is not a segment's header"));
        }
        if header_crc(bytes) != u32_at(bytes, 12) {
            return Err(HeaderError::Damaged("the checksum of the segment's header is wrong"));
        }
        // Magic, version and checksum stay where they are in every version, so a newer one is not
        // taken for damage.
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(HeaderError::Newer(version));
        }
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[16..32]);
        Ok(Header {
            journal_id: u128::from_le_bytes(id),
            segment: u64_at(bytes, 32),
            previous: u32_at(bytes, 40),
            epoch: u32_at(bytes, 44),
            position: u64_at(bytes, 48),
            last_record: u64_at(bytes, 56),
            base_ms: u64_at(bytes, 64),
            capacity: u64_at(bytes, 72),
        })
    }

    /// What the first frame of this segment names as the one before it.
    pub(crate) fn crc(&self) -> u32 {
        u32_at(&self.to_bytes(), 12)
    }
}

/// Over the header without its checksum.
fn header_crc(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// Where the checksums of a segment's frames start from: a frame of another journal or segment is
/// never one of this.
pub(crate) fn salt(journal_id: u128, segment: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&journal_id.to_le_bytes()), &segment.to_le_bytes())
}

/// What a frame says about its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) crc: u32,
    pub(crate) previous: u32,
    pub(crate) kind: Kind,
    pub(crate) epoch: u32,
    pub(crate) first: Sequence,
    pub(crate) count: u64,
    pub(crate) time_ms: u64,
    /// Known synced when this was written.
    pub(crate) synced: Sequence,
    /// Bytes from the start of the frame to its records.
    pub(crate) head_bytes: usize,
    /// Bytes of the whole frame.
    pub(crate) frame_bytes: usize,
}

impl FrameHead {
    /// Where the journal stands after this frame: the last sequence given, or left out.
    pub(crate) fn position(&self) -> Sequence {
        self.first + self.count - 1
    }

    /// Reads the start of a frame; nothing is verified but that it can be one. `base_ms` is its
    /// segment's.
    pub(crate) fn parse(bytes: &[u8], base_ms: u64) -> Option<Self> {
        if bytes.len() < FRAME_FIXED_BYTES {
            return None;
        }
        let length = u32_at(bytes, 8) as usize;
        let mut rest = &bytes[FRAME_FIXED_BYTES..];
        let kind = Kind::from_byte(*rest.first()?)?;
        rest = &rest[1..];
        let epoch = u32::try_from(take_varint(&mut rest)?).ok()?;
        let first = take_varint(&mut rest)?;
        let count = take_varint(&mut rest)?;
        let time_ms = base_ms.checked_add(take_varint(&mut rest)?)?;
        let lag = take_varint(&mut rest)?;
        let head_bytes = bytes.len() - rest.len();
        let frame_bytes = FRAME_FIXED_BYTES + length;
        let synced = first.checked_sub(lag)?;
        // Every record takes at least the byte of its length.
        let records_bytes = frame_bytes.checked_sub(head_bytes)? as u64;
        let plausible =
            first > 0 && lag > 0 && count <= records_bytes && first.checked_add(count).is_some();
        let kind_fits = (kind == Kind::Records) == (count > 0);
        (plausible && kind_fits).then(|| FrameHead {
            crc: u32_at(bytes, 0),
            previous: u32_at(bytes, 4),
            kind,
            epoch,
            first,
            count,
            time_ms,
            synced,
            head_bytes,
            frame_bytes,
        })
    }
}

/// A frame about to be written.
pub(crate) struct FrameStart {
    pub(crate) previous: u32,
    pub(crate) kind: Kind,
    pub(crate) epoch: u32,
    pub(crate) first: Sequence,
    pub(crate) count: u64,
    /// Since the segment's base.
    pub(crate) time_delta_ms: u64,
    pub(crate) synced: Sequence,
}

impl FrameStart {
    /// Appends the whole frame to `out`; returns its checksum.
    pub(crate) fn write(&self, salt: u32, records: &[u8], out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let mut head = [0; FRAME_OVERHEAD_MAX];
        head[4..8].copy_from_slice(&self.previous.to_le_bytes());
        head[FRAME_FIXED_BYTES] = self.kind as u8;
        let mut at = FRAME_FIXED_BYTES + 1;
        let lag = self.first - self.synced;
        for value in [u64::from(self.epoch), self.first, self.count, self.time_delta_ms, lag] {
            at += put_varint(&mut head[at..], value);
        }
        let length = at - FRAME_FIXED_BYTES + records.len();
        head[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&head[..at]);
        out.extend_from_slice(records);
        let crc = frame_crc(salt, &out[start..]);
        out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        crc
    }
}

/// Over everything in the frame behind its checksum.
pub(crate) fn frame_crc(salt: u32, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(salt, &frame[4..])
}

/// What a segment is called while it is prepared; leftovers are removed when the journal is opened.
pub(crate) const PREPARING: &str = ".segment.new";

/// The name of a segment's file.
pub(crate) fn segment_name(segment: u64) -> String {
    format!("{segment:010}.segment")
}

/// The number in a segment's name; `None` for a file that is none.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".segment")?;
    let number = digits.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

/// LEB128. Returns the number of bytes used.
pub(crate) fn put_varint(out: &mut [u8], mut value: u64) -> usize {
    let mut at = 0;
    while value >= 0x80 {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    at + 1
}

/// Takes a LEB128 from the front; `None` if it does not end or is too large.
#[inline]
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
        let part = u64::from(byte & 0x7f);
        if at == VARINT_BYTES_MAX - 1 && part > 1 {
            return None;
        }
        value |= part << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}

/// Splits a frame's records; `Err` with the number of the record that does not fit.
pub(crate) fn for_each_record(
    mut records: &[u8],
    count: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), JournalError>,
) -> Result<bool, JournalError> {
    for number in 0..count {
        let Some(len) = take_varint(&mut records) else { return Ok(false) };
        let Some((record, rest)) =
            usize::try_from(len).ok().and_then(|len| records.split_at_checked(len))
        else {
            return Ok(false);
        };
        each(number, record)?;
        records = rest;
    }
    Ok(records.is_empty())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn a_varint_comes_back_and_takes_no_more_than_its_bytes(value: u64, behind: u8) {
            let mut bytes = [behind; VARINT_BYTES_MAX + 1];
            let used = put_varint(&mut bytes, value);
            let mut rest = &bytes[..];
            prop_assert_eq!(take_varint(&mut rest), Some(value));
            prop_assert_eq!(rest.len(), bytes.len() - used);
            // Cut anywhere it is none.
            for len in 0..used {
                prop_assert_eq!(take_varint(&mut &bytes[..len]), None);
            }
        }

        #[test]
        fn a_frame_comes_back(
            previous: u32,
            epoch: u32,
            first in 1..u64::MAX / 2,
            lag in 1u64..1 << 32,
            delta in 0u64..1 << 40,
            records in vec(vec(any::<u8>(), 0..300), 0..20),
            salt: u32,
        ) {
            let mut group = super::super::Group::new();
            for record in &records {
                group.push((), |out| out.extend_from_slice(record));
            }
            let kind = if records.is_empty() { Kind::Epoch } else { Kind::Records };
            let synced = first.saturating_sub(lag);
            let count = records.len() as u64;
            let start =
                FrameStart { previous, kind, epoch, first, count, time_delta_ms: delta, synced };
            let mut bytes = vec![0xEE];
            let crc = start.write(salt, group.bytes(), &mut bytes);
            let frame = &bytes[1..];
            let head = FrameHead::parse(frame, 1_000).expect("a frame");
            prop_assert_eq!((head.crc, head.previous, head.kind), (crc, previous, kind));
            prop_assert_eq!((head.epoch, head.first, head.count), (epoch, first, count));
            prop_assert_eq!((head.synced, head.time_ms), (synced, 1_000 + delta));
            prop_assert_eq!(head.frame_bytes, frame.len());
            prop_assert_eq!(frame_crc(salt, frame), crc);
            let mut found = Vec::new();
            let whole = for_each_record(&frame[head.head_bytes..], count, |_, record| {
                found.push(record.to_vec());
                Ok(())
            });
            prop_assert!(whole.expect("nothing fails") && found == records);
        }

        #[test]
        fn nonsense_is_no_frame_and_no_panic(
            mut bytes in vec(any::<u8>(), 0..100),
            kind: bool,
        ) {
            if kind && bytes.len() > FRAME_FIXED_BYTES {
                bytes[FRAME_FIXED_BYTES] = Kind::Records as u8;
            }
            if let Some(head) = FrameHead::parse(&bytes, u64::MAX / 2) {
                prop_assert!(head.synced < head.first && head.head_bytes <= head.frame_bytes);
                prop_assert!(head.position() >= head.first - 1);
            }
            let _ = for_each_record(&bytes, u64::MAX, |_, _| Ok(()));
        }
    }

    #[test]
    fn a_varint_above_64_bits_is_refused() {
        assert_eq!(take_varint(&mut &[0xff; 10][..]), None);
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(take_varint(&mut &most[..]), Some(u64::MAX));
        most[9] = 2;
        assert_eq!(take_varint(&mut &most[..]), None);
    }

    #[test]
    fn only_our_own_names_are_segments() {
        assert_eq!(segment_number(&segment_name(7)), Some(7));
        assert_eq!(segment_number(&segment_name(12_345_678_901)), Some(12_345_678_901));
        for name in ["7.segment", "0000000007.segment.new", "00000000007.segment", "x", ".segment"]
        {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }
}
