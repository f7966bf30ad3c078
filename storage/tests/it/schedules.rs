//! The schedules that broke weaker designs, as far as they are the journal's.

use crate::harness::{disk, open, small, start};
use std::time::Duration;
use stockade_storage::{Disk, Durability, JournalError, OpenJournal, SimDisk, journal::EPOCH_GAP};

const FIRST: &str = "0000000001.segment";

/// Two frames of the same length that were never synced, the first of them torn.
#[test]
fn stale_frame_comes_back() {
    let options = small(Durability::None);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    running.commit(&[b"synced".to_vec()]).unwrap();
    let before = sim.content(FIRST).unwrap();
    running.commit(&[b"torn..".to_vec()]).unwrap();
    running.commit(&[b"stale.".to_vec()]).unwrap();
    let mut torn = sim.content(FIRST).unwrap();
    let frame = before.iter().zip(&torn).position(|(old, new)| old != new).unwrap();
    torn[frame + 20] ^= 1;

    let sim = SimDisk::new(2);
    sim.put(FIRST, &torn);
    let (_, recovered, records) = open(&sim, &options).unwrap();
    assert_eq!(records, [(1, b"synced".to_vec())]);
    let trimmed = recovered.trimmed.unwrap();
    assert_eq!((trimmed.file.as_str(), trimmed.offset), (FIRST, frame as u64));
    // Durably gone, not only from sight.
    let durable = sim.after_power_cut().content(FIRST).unwrap();
    assert!(durable[frame..].iter().all(|byte| *byte == 0), "the stale frame is still on the disk");
    // Whatever is written over it, it does not come back.
    let mut running = start(&sim, &options).unwrap();
    let new = running.commit(&[b"newer.".to_vec()]).unwrap();
    let (_, _, records) = open(&sim.after_kill(), &options).unwrap();
    assert_eq!(records, [vec![(1, b"synced".to_vec())], new].concat());
}

/// Killed before a sync: the successor reads frames that no disk has seen, and must not act on them
/// before one has.
#[test]
fn tail_from_the_page_cache() {
    let options = small(Durability::None);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    let last = running.commit(&[b"never synced".to_vec()]).unwrap();
    let lost = (0..20).any(|cut| {
        open(&SimDisk::after_power_cut_at(&sim, sim.operations() + cut), &options)
            .unwrap()
            .2
            .is_empty()
    });
    assert!(lost, "nothing was at stake");
    let sim = sim.after_kill();
    let mut seen = 0;
    OpenJournal::open(disk(&sim), options.clone(), 0, &mut |record| {
        seen += 1;
        let (_, _, durable) = open(&sim.after_power_cut(), &options).unwrap();
        assert!(
            durable.contains(&(record.sequence, record.bytes.to_vec())),
            "replayed before it was durable"
        );
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, last.len());
}

#[test]
fn a_new_epoch_never_gives_a_sequence_twice() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    assert_eq!(running.journal.epoch(), 1);
    assert_eq!(running.commit(&[b"a".to_vec(), b"b".to_vec()]).unwrap()[1].0, 2);
    // Killed: what was queued may have been told to somebody inside. Leave a gap.
    let sim = sim.after_kill();
    let mut running = start(&sim, &options).unwrap();
    assert_eq!((running.journal.epoch(), running.journal.appended()), (2, 2));
    assert_eq!(running.commit(&[b"c".to_vec()]).unwrap()[0].0, 3 + EPOCH_GAP);
    running.journal.shutdown().unwrap();
    // Ended cleanly: everything given is there.
    let mut running = start(&sim, &options).unwrap();
    assert_eq!(running.journal.epoch(), 3);
    assert_eq!(running.commit(&[b"d".to_vec()]).unwrap()[0].0, 4 + EPOCH_GAP);
    // Killed at once, twice: every start is an epoch of its own.
    let sim = sim.after_kill();
    let running = start(&sim, &options).unwrap();
    let sim = sim.after_kill();
    drop(running);
    let (_, recovered, records) = open(&sim, &options).unwrap();
    assert_eq!(recovered.epoch, 5);
    assert_eq!((recovered.last_sequence, records.len()), (4 + EPOCH_GAP, 4));
    assert!(recovered.next_sequence > 4 + 2 * EPOCH_GAP);
}

#[test]
fn committed_is_written_and_synced_is_later() {
    let sim = SimDisk::new(1);
    let hour = Durability::Interval(Duration::from_secs(3600));
    let mut running = start(&sim, &small(hour)).unwrap();
    let syncs = running.journal.stats().syncs;
    let last = running.commit(&[b"written".to_vec()]).unwrap()[0].0;
    assert_eq!((running.journal.committed(), running.journal.synced()), (last, 0));
    assert_eq!(running.journal.stats().syncs, syncs);
    assert_eq!(running.ledger.told(|told| told.synced), 0);
    running.journal.shutdown().unwrap();
    assert_eq!(running.journal.synced(), last);
    assert_eq!(running.ledger.told(|told| told.synced), last);

    // Nothing else comes, and still it is synced when it is time.
    let mut running = start(&sim, &small(Durability::Interval(Duration::from_millis(1)))).unwrap();
    let last = running.commit(&[b"synced soon".to_vec()]).unwrap()[0].0;
    assert!(running.ledger.wait_synced(last));
    let (_, _, records) = open(&sim.after_power_cut(), &small(hour)).unwrap();
    assert_eq!(records.last(), Some(&(last, b"synced soon".to_vec())));
}

#[test]
fn without_syncs_the_end_of_a_segment_is_one() {
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &small(Durability::None)).unwrap();
    while running.journal.stats().segment == 1 {
        running.commit(&[vec![1; 700]]).unwrap();
    }
    let first_segment = running.journal.committed() - 1;
    assert!(running.ledger.wait_synced(first_segment));
}

#[test]
fn time_never_goes_back() {
    use std::sync::{Arc, Mutex};
    let sim = SimDisk::new(1);
    let options = small(Durability::Sync);
    let clock = Arc::new(Mutex::new(vec![5, 40, 10, 50, 20, 1_000]));
    for _ in 0..2 {
        let (open_journal, recovered, _) = open(&sim, &options).unwrap();
        let ledger = crate::harness::Ledger::new(&sim);
        let ticks = clock.clone();
        let now = Arc::new(move || ticks.lock().unwrap().pop().unwrap());
        let journal = open_journal.start(Box::new(ledger.clone()), now).unwrap();
        let mut running =
            crate::harness::Running { journal, ledger, group: stockade_storage::Group::new() };
        running.commit(&[b"x".to_vec()]).unwrap();
        running.commit(&[b"y".to_vec()]).unwrap();
        running.ledger.told(|told| assert_eq!(told.times, [1_000, 1_000]));
        running.journal.shutdown().unwrap();
        assert!([0, 1_000].contains(&recovered.last_time_ms));
    }
}

#[test]
fn a_killed_preparation_is_cleared_away() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    start(&sim, &options).unwrap().commit(&[b"x".to_vec()]).unwrap();
    let sim = sim.after_kill();
    sim.put("0000000002.segment.new", &[0; 100]);
    open(&sim, &options).unwrap();
    assert!(!sim.list().unwrap().contains(&"0000000002.segment.new".to_owned()));
    // The whole spare is kept.
    assert!(sim.list().unwrap().contains(&"0000000002.segment".to_owned()));
}

/// Two histories of one journal that differ in one frame of the same length: nothing else gives a
/// splice away.
#[test]
fn a_frame_does_not_follow_another_history() {
    let options = small(Durability::Sync);
    let write = |first: &[u8]| {
        let sim = SimDisk::new(1);
        let mut running = start(&sim, &options).unwrap();
        let before = used(&sim);
        running.commit(&[first.to_vec()]).unwrap();
        let after = used(&sim);
        running.commit(&[b"second".to_vec()]).unwrap();
        running.commit(&[b"third".to_vec()]).unwrap();
        (sim.content(FIRST).unwrap(), before..after)
    };
    let (mut one, place) = write(b"paid");
    let (other, _) = write(b"free");
    one[place.clone()].copy_from_slice(&other[place.clone()]);
    let sim = SimDisk::new(2);
    sim.put(FIRST, &one);
    match open(&sim, &options) {
        Err(JournalError::Damaged { file, offset, .. }) => {
            assert_eq!((file.as_str(), offset), (FIRST, place.end as u64));
        }
        other => panic!("{other:?}"),
    }
}

/// Behind the last byte that is not zero.
fn used(sim: &SimDisk) -> usize {
    sim.content(FIRST).unwrap().iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
