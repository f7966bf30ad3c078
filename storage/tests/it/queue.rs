//! The queue is bounded, groups stay whole, and order is one.

use crate::harness::{Ledger, open, small, start};
use std::sync::{Arc, Mutex, mpsc};
use stockade_storage::{
    AppendError, Committed, Durability, Group, Journal, JournalError, JournalOptions, MemoryDisk,
    Sequence, SimDisk, Sink,
};

/// Holds the journal's thread in `committed` until it is let go.
struct Gate {
    entered: mpsc::Sender<()>,
    leave: mpsc::Receiver<()>,
}

impl Sink<()> for Gate {
    fn committed(&mut self, _: Committed<()>) {
        let _ = self.entered.send(());
        let _ = self.leave.recv();
    }
    fn synced(&mut self, _: Sequence, _: u64) {}
    fn failed(&mut self, _: &JournalError) {}
}

fn group_of(records: usize, bytes: usize) -> Group<()> {
    let mut group = Group::new();
    for _ in 0..records {
        group.push((), |out| out.resize(out.len() + bytes, 1));
    }
    group
}

#[test]
fn a_full_queue_refuses_and_recovers() {
    let options =
        JournalOptions { queue_records_max: 10, queue_bytes_max: 1_000, ..small(Durability::Sync) };
    let (open_journal, ..) = open(&SimDisk::new(1), &options).unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (let_go, leave) = mpsc::channel();
    let journal = open_journal.start(Box::new(Gate { entered, leave }), Arc::new(|| 0)).unwrap();
    journal.append(&mut group_of(1, 1)).unwrap();
    has_entered.recv().unwrap();
    // The thread is held: the queue fills, by records and by bytes.
    journal.append(&mut group_of(9, 1)).unwrap();
    let mut two = group_of(2, 1);
    assert_eq!(journal.append(&mut two), Err(AppendError::Full));
    assert_eq!(
        (two.len(), journal.appended()),
        (2, 10),
        "a refused group is untouched and gets no sequences"
    );
    assert_eq!(journal.append(&mut group_of(1, 990)), Err(AppendError::Full));
    assert_eq!(journal.append(&mut group_of(11, 1)), Err(AppendError::TooLarge));
    assert_eq!(journal.append(&mut group_of(1, 1_001)), Err(AppendError::TooLarge));
    assert_eq!(journal.stats().queued_records, 9);
    drop(let_go);
    loop {
        match journal.append(&mut two) {
            Ok(appended) => break assert_eq!((appended.first, appended.last), (11, 12)),
            Err(error) => assert_eq!(error, AppendError::Full),
        }
    }
    journal.shutdown().unwrap();
    assert_eq!(journal.committed(), 12);
    assert_eq!(journal.append(&mut group_of(1, 1)), Err(AppendError::Stopped));
}

#[test]
fn draining_takes_nothing_more_and_finishes_what_it_has() {
    let (open_journal, ..) = open(&SimDisk::new(1), &small(Durability::Sync)).unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (let_go, leave) = mpsc::channel();
    let journal = open_journal.start(Box::new(Gate { entered, leave }), Arc::new(|| 0)).unwrap();
    journal.append(&mut group_of(1, 1)).unwrap();
    has_entered.recv().unwrap();
    let queued = journal.append(&mut group_of(3, 1)).unwrap();
    std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| journal.shutdown());
        let mut one = group_of(1, 1);
        while journal.append(&mut one) != Err(AppendError::Draining) {
            if one.is_empty() {
                one = group_of(1, 1);
            }
        }
        drop(let_go);
        shutdown.join().unwrap().unwrap();
    });
    assert!(journal.synced() >= queued.last);
    assert_eq!(journal.synced(), journal.appended());
}

#[test]
fn groups_of_many_threads_stay_whole_and_in_order() {
    const THREADS: u64 = 4;
    const GROUPS: u64 = 500;
    let sim = SimDisk::new(1);
    let options = JournalOptions {
        segment_bytes: 128 * 1024,
        background: true,
        linger_max: std::time::Duration::from_micros(300),
        ..small(Durability::Sync)
    };
    let running = start(&sim, &options).unwrap();
    let given = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, given) = (&running.journal, &given);
            scope.spawn(move || {
                let mut group = Group::new();
                for number in 0..GROUPS {
                    let records = 1 + number % 3;
                    for record in 0..records {
                        let bytes = format!("{thread} {number} {record} {records}").into_bytes();
                        group.push(bytes.clone(), |out| out.extend_from_slice(&bytes));
                    }
                    let appended = journal.append(&mut group).unwrap();
                    given.lock().unwrap().push((appended.first, thread, number, records));
                }
            });
        }
    });
    running.journal.shutdown().unwrap();
    let committed = running.ledger.told(|told| std::mem::take(&mut told.committed));
    assert_eq!(committed.len() as u64, running.journal.appended());
    for (first, thread, number, records) in given.into_inner().unwrap() {
        for record in 0..records {
            let (sequence, bytes) = &committed[(first + record - 1) as usize];
            assert_eq!(*sequence, first + record);
            assert_eq!(bytes, format!("{thread} {number} {record} {records}").as_bytes());
        }
    }
    let (_, _, replayed) = open(&sim, &options).unwrap();
    assert!(replayed == committed);
    let stats = running.journal.stats();
    assert_eq!((stats.records, stats.groups), (committed.len() as u64, THREADS * GROUPS));
    assert!(stats.commits <= stats.groups && stats.frames >= stats.commits);
}

#[test]
fn the_largest_group_fits_and_is_one_frame() {
    let sim = SimDisk::new(1);
    let options = JournalOptions {
        segment_bytes: 1024 * 1024,
        queue_bytes_max: 1024 * 1024,
        ..small(Durability::Sync)
    };
    let mut running = start(&sim, &options).unwrap();
    // Segment without header and frame overhead; the record's own length takes three bytes.
    let most = 1024 * 1024 - 80 - 63 - 3;
    let frames = running.journal.stats().frames;
    running.commit(&[vec![7; most]]).unwrap();
    assert_eq!(running.journal.stats().frames, frames + 1);
    assert_eq!(
        running.journal.append(&mut {
            let mut group = Group::new();
            group.push(Vec::new(), |out| out.resize(out.len() + most + 1, 1));
            group
        }),
        Err(AppendError::TooLarge)
    );
    let (_, _, records) = open(&sim.after_kill(), &options).unwrap();
    assert_eq!(records, [(1, vec![7; most])]);
}

/// A panic while a group is made becomes a refusal, and the group is used again.
#[test]
fn half_a_record_of_a_panicking_encoder_is_forgotten() {
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &small(Durability::Sync)).unwrap();
    running.group.push(b"whole".to_vec(), |out| out.extend_from_slice(b"whole"));
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        running.group.push(b"half".to_vec(), |out| {
            out.extend_from_slice(b"half");
            panic!("on purpose");
        });
    }));
    assert!(panics.is_err());
    assert_eq!((running.group.len(), running.group.byte_len()), (1, 6));
    running.group.push(b"next".to_vec(), |out| out.extend_from_slice(b"next"));
    let last = running.journal.append(&mut running.group).unwrap().last;
    assert!(running.ledger.wait_committed(last));
    let (_, _, records) = open(&sim.after_kill(), &small(Durability::Sync)).unwrap();
    assert_eq!(records, [(1, b"whole".to_vec()), (2, b"next".to_vec())]);
}

/// The sink may end the journal, even while somebody else waits for its end.
#[test]
fn a_shutdown_from_the_sink_does_not_wait_for_itself() {
    struct Ends(mpsc::Receiver<Arc<Journal<()>>>);
    impl Sink<()> for Ends {
        fn committed(&mut self, _: Committed<()>) {
            self.0.recv().unwrap().shutdown().unwrap();
        }
        fn synced(&mut self, _: Sequence, _: u64) {}
        fn failed(&mut self, _: &JournalError) {}
    }
    let (open_journal, ..) = open(&SimDisk::new(1), &small(Durability::Sync)).unwrap();
    let (give, take) = mpsc::channel();
    let journal = open_journal.start(Box::new(Ends(take)), Arc::new(|| 0)).unwrap();
    journal.append(&mut group_of(1, 1)).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| journal.shutdown());
        give.send(journal.clone()).unwrap();
        waits.join().unwrap().unwrap();
    });
    assert_eq!(journal.synced(), 1);
}

#[test]
fn options_that_contradict_the_format_are_refused() {
    for options in [
        JournalOptions { segment_bytes: 100, ..JournalOptions::default() },
        JournalOptions { segment_bytes: u64::MAX, ..JournalOptions::default() },
        JournalOptions { queue_records_max: 1 << 19, ..JournalOptions::default() },
        JournalOptions { queue_bytes_max: 0, ..JournalOptions::default() },
    ] {
        assert!(matches!(open(&SimDisk::new(1), &options), Err(JournalError::Options(_))));
    }
}

#[test]
fn memory_is_the_same_journal() {
    let memory = Arc::new(MemoryDisk::new());
    let (open_journal, recovered) =
        Journal::<Vec<u8>>::open(memory.clone(), JournalOptions::default(), 0, &mut |_| Ok(()))
            .unwrap();
    assert!(recovered.created);
    let ledger = Ledger::new(&SimDisk::new(0));
    let journal = open_journal.start(Box::new(ledger.clone()), Arc::new(|| 0)).unwrap();
    let mut group = Group::new();
    group.push(b"x".to_vec(), |out| out.push(b'x'));
    let last = journal.append(&mut group).unwrap().last;
    assert!(ledger.wait_committed(last));
    assert_eq!(journal.read(last).unwrap().unwrap().bytes, b"x");
    journal.shutdown().unwrap();
    let mut records = 0;
    Journal::<()>::open(memory, JournalOptions::default(), 0, &mut |_| {
        records += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(records, 1);
}
