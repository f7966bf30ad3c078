//! Records are found again: while the journal runs, in segments old and new, across epochs.

use crate::harness::{Ledger, Random, Records, Running, disk, small, start};
use std::sync::Arc;
use stockade_storage::{
    Disk, Durability, JournalError, JournalOptions, OpenJournal, Record, SimDisk, check,
};

/// Three epochs in many segments: ended cleanly, killed, and running.
fn written(options: &JournalOptions) -> (SimDisk, Records, Running) {
    let mut sim = SimDisk::new(1);
    let mut records = Records::new();
    let mut random = Random(11);
    for killed in [false, true] {
        let mut running = start(&sim, options).unwrap();
        for _ in 0..60 {
            let group = random.group(5, 400);
            records.extend(running.commit(&group).unwrap());
        }
        if killed {
            sim = sim.after_kill();
        }
    }
    let mut running = start(&sim, options).unwrap();
    for number in 0..40 {
        records.extend(running.commit(&[vec![number; 300]]).unwrap());
    }
    (sim, records, running)
}

#[test]
fn every_record_and_every_page() {
    let large = JournalOptions { segment_bytes: 200 * 1024, ..small(Durability::Sync) };
    for options in [large, small(Durability::Sync)] {
        let (_, records, running) = written(&options);
        let journal = &running.journal;
        for (sequence, bytes) in &records {
            let found = journal.read(*sequence).unwrap();
            let found = found.unwrap_or_else(|| panic!("{sequence} is not found"));
            assert_eq!((found.sequence, &found.bytes), (*sequence, bytes));
            assert_eq!(found.time_ms, 1_000);
        }
        let last = records[records.len() - 1].0;
        // Before the first, in the gap, behind the last.
        for sequence in [0, records[records.len() - 41].0 + 1, last - 40, last + 1, u64::MAX] {
            assert_eq!(journal.read(sequence).unwrap(), None, "{sequence}");
        }
        let pages = [
            (0, 1),
            (100, 7),
            (3, 50),
            (0, 10_000),
            (last - 3, 10),
            (last, 10),
            (u64::MAX, 10),
            (0, 0),
        ];
        for (after, limit) in pages {
            let page = journal.read_from(after, limit).unwrap();
            let expected = records.iter().filter(|(sequence, _)| *sequence > after).take(limit);
            let found = page.iter().map(|record| (record.sequence, record.bytes.clone()));
            assert!(found.eq(expected.cloned()), "after {after}, limit {limit}");
        }
    }
}

#[test]
fn a_start_at_a_position_reads_only_what_follows_and_finds_the_rest_later() {
    let options = small(Durability::Sync);
    let (sim, records, running) = written(&options);
    running.journal.shutdown().unwrap();
    let names = sim.list().unwrap();
    assert!(names.len() > 10, "{names:?}");
    for at in (0..=records.len()).step_by(17) {
        let copy = SimDisk::new(3);
        for name in &names {
            copy.put(name, &sim.content(name).unwrap());
        }
        let after = at.checked_sub(1).map_or(0, |at| records[at].0);
        let mut replayed = Records::new();
        let mut replay = |record: Record<'_>| {
            replayed.push((record.sequence, record.bytes.to_vec()));
            Ok(())
        };
        let (open_journal, recovered) =
            OpenJournal::open(disk(&copy), options.clone(), after, &mut replay).unwrap();
        assert!(replayed == records[at..], "after {after}");
        assert_eq!(recovered.last_sequence, records[records.len() - 1].0);
        let journal = open_journal.start(Box::new(Ledger::new(&copy)), Arc::new(|| 0)).unwrap();
        for (sequence, bytes) in records.iter().step_by(5) {
            assert_eq!(&journal.read(*sequence).unwrap().unwrap().bytes, bytes);
        }
    }
}

#[test]
fn a_record_that_cannot_be_replayed_stops_the_start() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    start(&sim, &options).unwrap().commit(&[b"a".to_vec(), b"b".to_vec()]).unwrap();
    let mut refuse = |record: Record<'_>| {
        if record.sequence == 2 { Err("no".to_owned()) } else { Ok(()) }
    };
    let sim = sim.after_kill();
    for result in [
        OpenJournal::open(disk(&sim), options, 0, &mut refuse).map(drop),
        check(disk(&sim), &mut refuse).map(drop),
    ] {
        assert!(
            matches!(&result, Err(JournalError::Replay { sequence: 2, reason }) if reason == "no"),
            "{result:?}"
        );
    }
}

#[test]
fn damage_under_a_running_journal_is_refused_and_never_returned() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    let record = vec![9; 100];
    running.commit(std::slice::from_ref(&record)).unwrap();
    let name = "0000000001.segment";
    let mut bytes = sim.content(name).unwrap();
    let at = bytes.windows(100).position(|window| window == record).unwrap();
    bytes[at + 50] ^= 4;
    sim.put(name, &bytes);
    assert!(
        matches!(running.journal.read(1), Err(JournalError::Damaged { file, .. }) if file == name)
    );
}
