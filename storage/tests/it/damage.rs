//! A torn tail is trimmed, damage is refused with file and offset; never a panic, never silence.
//!
//! Precisely: the frames of the last commit are not yet known synced by any later frame, so nobody
//! can tell whether they were acknowledged. A flip in there is a torn tail. A flip in any frame
//! before it is damage. After a clean shutdown every record is known synced, and a flip in any of
//! them is damage.

use crate::harness::{Random, Records, disk, open, small, start};
use stockade_storage::{Durability, JournalError, JournalOptions, SimDisk, check};

const EVENTS: usize = 1_000;
const LAST_GROUP: usize = 7;

struct Pristine {
    files: Vec<(String, Vec<u8>)>,
    records: Records,
    /// Where the last commit's frame begins in the last file.
    last_frame: u64,
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 7_000, ..small(Durability::Sync) }
}

/// A journal of 1,000 events as a power cut, or a clean shutdown, leaves it.
fn pristine(clean: bool) -> Pristine {
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options()).unwrap();
    let mut random = Random(3);
    let mut records = Records::new();
    while records.len() < EVENTS - LAST_GROUP {
        let left = (EVENTS - LAST_GROUP - records.len()) as u64;
        let group: Vec<Vec<u8>> = random.group(left.min(24), 30);
        records.extend(running.commit(&group).unwrap());
    }
    let last_file = newest_file(&sim);
    let before = used(&sim.content(&last_file).unwrap());
    records.extend(running.commit(&vec![b"the last group".to_vec(); LAST_GROUP]).unwrap());
    assert_eq!(
        newest_file(&sim),
        last_file,
        "choose sizes so that the last two commits share a segment"
    );
    if clean {
        running.journal.shutdown().unwrap();
    }
    let mut files: Vec<(String, Vec<u8>)> =
        files(&sim).into_iter().map(|name| (name.clone(), sim.content(&name).unwrap())).collect();
    // The prepared spare says nothing.
    files.retain(|(_, bytes)| used(bytes) > 0);
    assert!(files.len() > 2, "more than one segment");
    Pristine { files, records, last_frame: before as u64 }
}

fn files(sim: &SimDisk) -> Vec<String> {
    let mut names = disk(sim).list().unwrap();
    names.sort();
    names
}

fn newest_file(sim: &SimDisk) -> String {
    files(sim).into_iter().rfind(|name| used(&sim.content(name).unwrap()) > 0).unwrap()
}

/// Behind the last byte that is not zero.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

impl Pristine {
    /// A disk on which one file is different.
    fn with(&self, changed: usize, bytes: &[u8]) -> SimDisk {
        let sim = SimDisk::new(0);
        for (at, (name, content)) in self.files.iter().enumerate() {
            sim.put(name, if at == changed { bytes } else { content });
        }
        sim
    }

    fn expect_damage(&self, changed: usize, bytes: &[u8], byte: usize, what: &str) {
        let sim = self.with(changed, bytes);
        let name = &self.files[changed].0;
        for result in
            [check(disk(&sim), &mut |_| Ok(())).map(drop), open(&sim, &options()).map(drop)]
        {
            match result {
                Err(JournalError::Damaged { file, offset, .. }) => {
                    assert_eq!(&file, name, "{what}");
                    assert!(offset <= byte as u64, "{what}: reported at {offset}");
                    assert!(byte as u64 - offset < 2_000, "{what}: reported at {offset}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    fn expect_trimmed(&self, changed: usize, bytes: &[u8], kept: usize, what: &str) {
        let sim = self.with(changed, bytes);
        let checked =
            check(disk(&sim), &mut |_| Ok(())).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (_, recovered, records) =
            open(&sim, &options()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(records == self.records[..kept], "{what}: {} records", records.len());
        assert_eq!(checked.torn, recovered.trimmed, "{what}");
        assert_eq!(checked.records, records.len() as u64);
        // What was trimmed is gone for good.
        let (_, again, records_again) = open(&sim, &options()).unwrap();
        assert!(records_again == records && again.trimmed.is_none(), "{what}");
    }
}

#[test]
fn a_flip_at_every_byte_after_a_crash() {
    let pristine = pristine(false);
    let last = pristine.files.len() - 1;
    for (file, (name, content)) in pristine.files.iter().enumerate() {
        let used = used(content);
        for byte in 0..content.len() {
            // In the zeros behind, every hundredth says enough.
            if byte > used + 40 && byte % 100 != 0 {
                continue;
            }
            let mut flipped = content.clone();
            flipped[byte] ^= 1 << (byte % 8);
            let what = format!("{name}, byte {byte} of {used}");
            if byte < used && (file < last || byte < pristine.last_frame as usize) {
                pristine.expect_damage(file, &flipped, byte, &what);
            } else if file == last && byte < used {
                pristine.expect_trimmed(file, &flipped, EVENTS - LAST_GROUP, &what);
            } else {
                // Behind the last frame of a segment nothing can be lost.
                pristine.expect_trimmed(file, &flipped, EVENTS, &what);
            }
        }
    }
}

#[test]
fn a_flip_at_every_byte_after_a_clean_shutdown() {
    let pristine = pristine(true);
    let file = pristine.files.len() - 1;
    let (name, content) = &pristine.files[file];
    let closing = {
        let sim = pristine.with(usize::MAX, &[]);
        let (_, recovered, records) = open(&sim, &options()).unwrap();
        assert!(recovered.clean && records == pristine.records);
        // The closing frame is the only thing behind the last group.
        used(content) - closing_frame_bytes(content)
    };
    for byte in 0..used(content) {
        let mut flipped = content.clone();
        flipped[byte] ^= 1 << (byte % 8);
        let what = format!("{name}, byte {byte}, closing frame at {closing}");
        if byte < closing {
            pristine.expect_damage(file, &flipped, byte, &what);
        } else {
            pristine.expect_trimmed(file, &flipped, EVENTS, &what);
        }
    }
}

/// The closing frame: fixed part of 12 bytes, the last four of which are the length of the rest.
fn closing_frame_bytes(content: &[u8]) -> usize {
    let end = used(content);
    (12..80)
        .find(|len| {
            let at = end - len;
            content[at + 12] == 0xE3
                && content[at + 8..at + 12] == ((len - 12) as u32).to_le_bytes()
        })
        .expect("a closing frame")
}

#[test]
fn a_tail_that_never_landed_is_trimmed_at_every_byte() {
    let pristine = pristine(false);
    let file = pristine.files.len() - 1;
    let (name, content) = &pristine.files[file];
    let mut kept_before = 0;
    for byte in 81..used(content) {
        let mut torn = content.clone();
        torn[byte..].fill(0);
        let sim = pristine.with(file, &torn);
        let (_, _, records) =
            open(&sim, &options()).unwrap_or_else(|error| panic!("{name} byte {byte}: {error}"));
        assert!(records == pristine.records[..records.len()], "byte {byte}");
        assert!(records.len() >= kept_before, "byte {byte}: fewer records from more bytes");
        kept_before = records.len();
        let last_frame = byte as u64 > pristine.last_frame;
        assert!(!last_frame || records.len() >= EVENTS - LAST_GROUP, "byte {byte}");
    }
    assert_eq!(kept_before, EVENTS - LAST_GROUP);
}

#[test]
fn a_file_cut_at_every_byte_is_refused() {
    let pristine = pristine(false);
    for (file, (name, content)) in pristine.files.iter().enumerate() {
        for byte in 0..content.len() {
            let sim = pristine.with(file, &content[..byte]);
            match open(&sim, &options()) {
                Err(JournalError::Damaged { file, offset, .. }) => {
                    assert_eq!(&file, name, "cut at {byte}");
                    assert!(offset <= byte as u64, "cut at {byte}, reported at {offset}");
                }
                other => panic!("{name} cut at {byte}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_missing_or_foreign_segment_is_refused() {
    let pristine = pristine(false);
    let other = {
        let sim = SimDisk::new(9);
        let options = JournalOptions { journal_id: Some(77), ..options() };
        start(&sim, &options).unwrap().commit(&[b"x".to_vec()]).unwrap();
        sim.content("0000000001.segment").unwrap()
    };
    for missing in 0..pristine.files.len() - 1 {
        let sim = pristine.with(usize::MAX, &[]);
        disk(&sim).remove(&pristine.files[missing].0).unwrap();
        match open(&sim, &options()) {
            Err(JournalError::Damaged { file, .. }) => assert_eq!(file, pristine.files[missing].0),
            Err(JournalError::Missing { wanted_after: 0, .. }) => assert_eq!(missing, 0),
            other => panic!("without {missing}: {other:?}"),
        }
        let sim = pristine.with(missing, &other);
        assert!(
            matches!(open(&sim, &options()), Err(JournalError::Damaged { .. })),
            "foreign {missing}"
        );
    }
    // The last segment is gone: the journal alone cannot know, the state beside it does.
    let sim = pristine.with(usize::MAX, &[]);
    disk(&sim).remove(&pristine.files[pristine.files.len() - 1].0).unwrap();
    let after = EVENTS as u64;
    let result = stockade_storage::OpenJournal::open(disk(&sim), options(), after, &mut |_| Ok(()));
    assert!(matches!(result, Err(JournalError::Behind { after: 1000, .. })), "{result:?}");
}
