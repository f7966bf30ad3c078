//! A write or sync that fails: nothing is acknowledged after it, and a restart is clean.

use crate::harness::{Random, Records, Running, open, small, start};
use stockade_storage::{
    AppendError, Durability, Fault, Group, JournalError, JournalOptions, Room, SimDisk,
};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Write,
    Sync,
}

/// Appends until something fails; returns everything that was appended, and whether anything
/// failed.
fn run(sim: &SimDisk, options: &JournalOptions) -> (Records, Option<Running>, bool) {
    let Ok(mut running) = start(sim, options) else { return (Records::new(), None, true) };
    let mut random = Random(5);
    let mut appended = Records::new();
    for _ in 0..20 {
        let group = random.group(4, 300);
        let Some(records) = running.append(&group) else { break };
        let last = records[records.len() - 1].0;
        appended.extend(records);
        if !running.ledger.wait_committed(last) {
            break;
        }
    }
    let failed = running.journal.shutdown().is_err();
    (appended, Some(running), failed)
}

fn last(records: &Records) -> u64 {
    records.last().map_or(0, |(last, _)| *last)
}

fn check_after(
    sim: &SimDisk,
    options: &JournalOptions,
    appended: &Records,
    running: Option<Running>,
    what: &str,
) {
    let acked = running
        .as_ref()
        .map_or((0, 0), |running| running.ledger.told(|told| (told.synced, last(&told.committed))));
    let (synced, committed) = acked;
    if let Some(mut running) = running {
        running.ledger.told(|told| {
            assert!(told.failed.is_some(), "{what}: the sink was not told");
            assert!(!told.told_after_failure, "{what}: told of commits after the failure");
            assert!(options.durability != Durability::Sync || synced == committed, "{what}");
        });
        assert!(running.append(&[b"more".to_vec()]).is_none(), "{what}: it takes more");
        assert!(running.journal.poisoned().is_some(), "{what}");
    }
    // The process ends and starts again: with the power on, and after a cut.
    for (disk, acked, how) in
        [(sim.after_power_cut(), synced, "power cut"), (sim.clone(), committed, "restart")]
    {
        let (open_journal, _, records) =
            open(&disk, options).unwrap_or_else(|error| panic!("{what}, {how}: {error}"));
        assert!(last(&records) >= acked, "{what}, {how}: lost what was acknowledged");
        assert!(records == appended[..records.len()], "{what}, {how}: something else was written");
        drop(open_journal);
        let mut again =
            start(&disk, options).unwrap_or_else(|error| panic!("{what}, {how}: {error}"));
        assert!(again.commit(&[b"and on".to_vec()]).is_some(), "{what}, {how}");
        again.journal.shutdown().unwrap();
    }
}

#[test]
fn every_write_and_every_sync_fails_once() {
    for durability in [Durability::Sync, Durability::None] {
        let options = small(durability);
        for operation in [Operation::Write, Operation::Sync] {
            for fault in [Fault::Io, Fault::NoSpace] {
                let mut failures = 0;
                for n in 1.. {
                    let sim = SimDisk::new(n);
                    match operation {
                        Operation::Write => sim.fail_write(n, fault),
                        Operation::Sync => sim.fail_sync(n, fault),
                    };
                    let (appended, running, failed) = run(&sim, &options);
                    let happened = match operation {
                        Operation::Write => sim.writes() >= n,
                        Operation::Sync => sim.syncs() >= n,
                    };
                    if !happened {
                        break;
                    }
                    let what = format!("{durability:?}, {operation:?} {n}, {fault:?}");
                    // Preparing a segment may fail and be tried again; everything else stops the
                    // journal.
                    if failed {
                        failures += 1;
                        check_after(&sim, &options, &appended, running, &what);
                    }
                }
                let enough = if durability == Durability::Sync { 20 } else { 4 };
                assert!(
                    failures > enough,
                    "{durability:?}, {operation:?}: only {failures} failures"
                );
            }
        }
    }
}

#[test]
fn a_full_disk_is_announced_while_a_segment_is_left() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    assert!(!running.journal.nearly_full());
    // Room for the two segments there are, and no third.
    sim.set_capacity(Some(2 * options.segment_bytes));
    let record = vec![7; 500];
    let mut after_warning = 0;
    while running.commit(std::slice::from_ref(&record)).is_some() {
        after_warning += u32::from(running.journal.nearly_full());
    }
    assert!(after_warning >= 6, "a whole segment was left, {after_warning} records went into it");
    let poison = running.journal.poisoned();
    assert!(
        matches!(&poison, Some(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::StorageFull),
        "{poison:?}"
    );
    assert!(running.journal.shutdown().is_err());
    // With space again, everything that was acknowledged is there.
    let acked = running.ledger.told(|told| told.committed.clone());
    sim.set_capacity(None);
    let (_, _, records) = open(&sim, &options).unwrap();
    assert_eq!(records, acked);
}

#[test]
fn space_that_comes_back_ends_the_warning() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    sim.set_capacity(Some(2 * options.segment_bytes));
    let record = vec![7; 500];
    while !running.journal.nearly_full() {
        running.commit(std::slice::from_ref(&record)).unwrap();
    }
    sim.set_capacity(None);
    for _ in 0..20 {
        running.commit(std::slice::from_ref(&record)).unwrap();
    }
    assert!(!running.journal.nearly_full());
    running.journal.shutdown().unwrap();
}

#[test]
fn the_room_that_is_left_is_known() {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    assert_eq!(running.journal.room(), Room::Next);
    sim.set_capacity(Some(2 * options.segment_bytes));
    let record = vec![7; 500];
    let mut least = options.segment_bytes;
    while least > 1_500 {
        running.commit(std::slice::from_ref(&record)).unwrap();
        match running.journal.room() {
            Room::Next => assert_eq!(least, options.segment_bytes, "there was a last segment"),
            Room::Last(left) => {
                assert!(left + 500 < least, "{left} bytes are left after {least}");
                assert_eq!(left, running.journal.stats().room_bytes);
                least = left;
            }
            Room::Unknown(_) => panic!("it is tried at once"),
        }
    }
    sim.set_capacity(None);
    while running.journal.room() != Room::Next {
        running.commit(std::slice::from_ref(&record)).unwrap();
    }
    assert!(!running.journal.nearly_full());
    running.journal.shutdown().unwrap();
}

#[test]
fn a_panic_in_the_sink_poisons() {
    struct Panics;
    impl stockade_storage::Sink<()> for Panics {
        fn committed(&mut self, _: stockade_storage::Committed<()>) {
            panic!("on purpose");
        }
        fn synced(&mut self, _: u64, _: u64) {}
        fn failed(&mut self, error: &JournalError) {
            assert!(matches!(error, JournalError::Panicked(text) if text == "on purpose"));
        }
    }
    let sim = SimDisk::new(1);
    let (open_journal, ..) = open(&sim, &small(Durability::Sync)).unwrap();
    let journal = open_journal.start(Box::new(Panics), std::sync::Arc::new(|| 0)).unwrap();
    let mut group = Group::new();
    group.push((), |out| out.push(1));
    journal.append(&mut group).unwrap();
    assert!(matches!(journal.shutdown(), Err(JournalError::Panicked(_))));
    group.push((), |out| out.push(1));
    assert_eq!(journal.append(&mut group), Err(AppendError::Stopped));
}
