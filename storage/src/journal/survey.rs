//! What lies in the journal's folder, and where the journal ends. Nothing is changed here.

use super::{
    JournalError, SEGMENT_BYTES_MIN,
    format::{self, FRAME_OVERHEAD_MAX, FrameHead, HEADER_BYTES, Header, HeaderError},
    recovery::Trimmed,
    scan::{End, READ_ALL_BYTES, Scanner, Walk},
};
use crate::{Disk, DiskFile};
use std::sync::Arc;

/// The files of a journal.
pub(crate) struct Survey {
    /// Segments in use, in order.
    pub(crate) segments: Vec<Header>,
    /// Numbers of files behind them: prepared and unused, or begun and torn.
    pub(crate) rest: Vec<u64>,
    /// Names of files that were being prepared.
    pub(crate) preparing: Vec<String>,
}

/// Where a journal ends.
pub(crate) struct Tail {
    pub(crate) walk: Walk,
    /// Bytes behind the end that are not zeros, up to the last of them.
    pub(crate) torn_bytes: u64,
    /// Files behind the last segment that are not blank.
    pub(crate) torn_files: Vec<u64>,
    /// Bytes in them, up to the last that is not zero.
    pub(crate) torn_files_bytes: u64,
}

impl Tail {
    pub(crate) fn trimmed(&self, last: &Header) -> Option<Trimmed> {
        let bytes = self.torn_bytes + self.torn_files_bytes;
        (bytes > 0).then(|| Trimmed {
            file: format::segment_name(last.segment),
            offset: self.walk.offset,
            bytes,
        })
    }

    /// Names the place where the good part of the journal ends.
    fn damaged(&self, name: &str, end: End, proof: &FrameHead) -> JournalError {
        let what = match end {
            End::Bad(what) => what,
            End::Blank => "the journal ends here",
        };
        // A segment that ends well, and one behind it that does not begin: that one is damaged.
        let (name, offset, what) = match self.torn_files.first() {
            Some(next) if self.torn_bytes == 0 => {
                (format::segment_name(*next), 0, "the segment's header is damaged")
            }
            _ => (name.to_owned(), self.walk.offset, what),
        };
        let (first, last, synced) = (proof.first, proof.position(), proof.synced);
        let good = self.walk.last_record;
        let what = format!(
            "{what}, but a later frame (records {first} to {last}) says that everything up to \
             record {synced} was synced, and the last good record is {good}"
        );
        JournalError::damaged(&name, offset, what)
    }
}

fn open(disk: &dyn Disk, number: u64) -> Result<(Arc<dyn DiskFile>, String), JournalError> {
    let name = format::segment_name(number);
    let file =
        disk.open_read_only(&name).map_err(|error| JournalError::io("open", &name, None, error))?;
    Ok((file, name))
}

impl Survey {
    pub(crate) fn take(disk: &dyn Disk) -> Result<Self, JournalError> {
        let names =
            disk.list().map_err(|error| JournalError::io("list", "*.segment", None, error))?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|name| format::segment_number(name)).collect();
        numbers.sort_unstable();
        let headers = numbers
            .iter()
            .map(|number| read_header(disk, *number))
            .collect::<Result<Vec<_>, _>>()?;
        let used = headers.iter().rposition(|header| header.is_ok()).map_or(0, |last| last + 1);
        let mut segments: Vec<Header> = Vec::with_capacity(used);
        for (number, header) in numbers.iter().zip(&headers).take(used) {
            let name = format::segment_name(*number);
            let header = match header {
                Ok(header) => *header,
                Err(what) => return Err(JournalError::damaged(&name, 0, *what)),
            };
            if header.segment != *number {
                return Err(JournalError::damaged(
                    &name,
                    0,
                    format!("it says it is segment {}", header.segment),
                ));
            }
            if let Some(before) = segments.last() {
                if before.segment + 1 != *number {
                    let missing = format::segment_name(before.segment + 1);
                    return Err(JournalError::damaged(&missing, 0, "the file is missing"));
                }
                if before.journal_id != header.journal_id {
                    return Err(JournalError::damaged(&name, 0, "it belongs to another journal"));
                }
            }
            segments.push(header);
        }
        let preparing =
            names.into_iter().filter(|name| name.ends_with(format::PREPARING)).collect();
        let survey = Survey { segments, rest: numbers.split_off(used), preparing };
        survey.check_rest(disk)?;
        Ok(survey)
    }

    /// Files behind the last segment in use have their full length before they get their name. And
    /// without a single header, there may be no more than a part of one: the frame behind it is
    /// durable before anything is served.
    fn check_rest(&self, disk: &dyn Disk) -> Result<(), JournalError> {
        for number in &self.rest {
            let (file, name) = open(disk, *number)?;
            let len =
                file.len().map_err(|error| JournalError::io("measure", &name, None, error))?;
            if len < SEGMENT_BYTES_MIN {
                return Err(JournalError::damaged(&name, len, "the file is cut off"));
            }
            if self.segments.is_empty() && nonzero_end(&*file, &name, 0)? > HEADER_BYTES as u64 {
                let what =
                    "the segment's header is missing or damaged, and the segment is not empty";
                return Err(JournalError::damaged(&name, 0, what));
            }
        }
        Ok(())
    }

    /// Follows the last segment to its end, and decides whether what lies behind is a torn tail or
    /// damage.
    pub(crate) fn tail(&self, disk: &dyn Disk, last: &Header) -> Result<Tail, JournalError> {
        let (file, name) = open(disk, last.segment)?;
        let mut scanner = Scanner::new(file.clone(), *last, READ_ALL_BYTES)?;
        let mut walk = Walk::enter(last);
        let end = loop {
            match walk.step(&mut scanner)? {
                Ok(_) => {}
                Err(end) => break end,
            }
        };
        let nonzero = nonzero_end(&*file, &name, walk.offset)?;
        let mut tail = Tail {
            walk,
            torn_bytes: nonzero - walk.offset,
            torn_files: Vec::new(),
            torn_files_bytes: 0,
        };
        let mut proof = find_synced_above(&mut scanner, &walk, walk.offset, nonzero, last.base_ms)?;
        for number in &self.rest {
            let (file, name) = open(disk, *number)?;
            let nonzero = nonzero_end(&*file, &name, 0)?;
            if nonzero == 0 {
                continue;
            }
            tail.torn_files.push(*number);
            tail.torn_files_bytes += nonzero;
            // Its header is unreadable: times in there count from nowhere, and do not matter.
            let header = Header { segment: *number, ..*last };
            let mut scanner = Scanner::new(file, header, READ_ALL_BYTES)?;
            proof = proof.or(find_synced_above(&mut scanner, &walk, 0, nonzero, last.base_ms)?);
        }
        match proof {
            None => Ok(tail),
            Some(proof) => Err(tail.damaged(&name, end, &proof)),
        }
    }
}

/// The header of a segment, or what is wrong with it.
fn read_header(disk: &dyn Disk, number: u64) -> Result<Result<Header, &'static str>, JournalError> {
    let (file, name) = open(disk, number)?;
    let mut bytes = [0; HEADER_BYTES];
    let read = file
        .read_at(&mut bytes, 0)
        .map_err(|error| JournalError::io("read", &name, Some(0), error))?;
    let len = file.len().map_err(|error| JournalError::io("measure", &name, None, error))?;
    match Header::from_bytes(&bytes) {
        Ok(header) if len < header.capacity => {
            let what = format!("the file is cut off, it had {} bytes", header.capacity);
            Err(JournalError::damaged(&name, len, what))
        }
        Ok(header) => Ok(Ok(header)),
        Err(HeaderError::Blank) => Ok(Err("the segment's header is blank")),
        Err(HeaderError::Damaged(_)) if read < HEADER_BYTES => {
            Ok(Err("the segment's header is cut off"))
        }
        Err(HeaderError::Damaged(what)) => Ok(Err(what)),
        Err(HeaderError::Newer(version)) => {
            Err(JournalError::Newer { file: name, version, known: format::VERSION })
        }
    }
}

/// Behind the last byte at or above `from` that is not zero; `from` if there is none.
fn nonzero_end(file: &dyn DiskFile, name: &str, from: u64) -> Result<u64, JournalError> {
    let mut buffer = vec![0; READ_ALL_BYTES];
    let (mut at, mut end) = (from, from);
    loop {
        let read = file
            .read_at(&mut buffer, at)
            .map_err(|error| JournalError::io("read", name, Some(at), error))?;
        if read == 0 {
            return Ok(end);
        }
        // Whole chunks of zeros, the usual case, compare fast.
        if buffer[..read]
            .chunks(4096)
            .any(|chunk| chunk.iter().fold(0, |all, byte| all | byte) != 0)
            && let Some(last) = buffer[..read].iter().rposition(|byte| *byte != 0)
        {
            end = at + last as u64 + 1;
        }
        at += read as u64;
    }
}

/// A whole frame at or above `from` that was written when more was known synced than `walk`
/// reached: proof that the journal lost something.
fn find_synced_above(
    scanner: &mut Scanner,
    walk: &Walk,
    from: u64,
    to: u64,
    base_ms: u64,
) -> Result<Option<FrameHead>, JournalError> {
    for offset in from..to {
        let head = FrameHead::parse(scanner.bytes(offset, FRAME_OVERHEAD_MAX)?, base_ms);
        // Cheap questions first: most offsets are the middle of something.
        let proves = |head: &FrameHead| head.synced > walk.position && head.epoch >= walk.epoch;
        if head.filter(proves).is_some()
            && let Ok(head) = scanner.frame(offset)?
        {
            return Ok(Some(head));
        }
    }
    Ok(None)
}
