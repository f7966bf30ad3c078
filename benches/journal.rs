//! Append, commit by the number of groups in flight, and replay.
//!
//! The disk that counts is the one behind the temporary folder: set `TMPDIR` to choose it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use stockade_storage::{
    Committed, Disk, Group, Journal, JournalError, JournalOptions, MemoryDisk, OpenJournal,
    RealDisk, Sequence, Sink,
};

/// About what an event of one order takes.
const RECORD: [u8; 28] = [7; 28];

struct Ignore;

impl Sink<u64> for Ignore {
    fn committed(&mut self, batch: Committed<u64>) {
        batch.recycle();
    }
    fn synced(&mut self, _: Sequence, _: u64) {}
    fn failed(&mut self, error: &JournalError) {
        panic!("{error}");
    }
}

fn start(disk: Arc<dyn Disk>) -> Arc<Journal<u64>> {
    let options = JournalOptions { queue_records_max: 1 << 18, ..JournalOptions::default() };
    let (journal, _) = OpenJournal::open(disk, options, 0, &mut |_| Ok(())).expect("a new journal");
    journal.start(Box::new(Ignore), Arc::new(|| 1_700_000_000_000)).expect("a new journal")
}

/// Two records: a reservation and a decision.
fn fill(group: &mut Group<u64>) {
    for payload in 0..2 {
        group.push(payload, |out| out.extend_from_slice(&RECORD));
    }
}

fn wait(journal: &Journal<u64>, sequence: Sequence) {
    while journal.committed() < sequence {
        std::thread::yield_now();
    }
}

/// The caller's side alone: encode and append, with the journal's thread busy beside it.
fn append(c: &mut Criterion) {
    let journal = start(Arc::new(MemoryDisk::new()));
    let mut group = Group::new();
    c.bench_function("append/group of 2", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            let mut left = iterations;
            while left > 0 {
                let round = left.min(50_000);
                let begun = Instant::now();
                for _ in 0..round {
                    fill(&mut group);
                    black_box(journal.append(&mut group)).expect("room in the queue");
                }
                spent += begun.elapsed();
                wait(&journal, journal.appended());
                left -= round;
            }
            spent
        });
    });
}

/// So many groups, appended at once and waited for: one commit, synced.
fn commit(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = start(Arc::new(RealDisk::new(folder.path())));
    let mut benches = c.benchmark_group("commit");
    for groups in [1u64, 8, 64, 512, 4_096] {
        benches.throughput(Throughput::Elements(groups));
        benches.bench_with_input(
            BenchmarkId::from_parameter(groups),
            &groups,
            |bencher, groups| {
                let mut group = Group::new();
                bencher.iter(|| {
                    for _ in 0..*groups {
                        fill(&mut group);
                        journal.append(&mut group).expect("room in the queue");
                    }
                    wait(&journal, journal.appended());
                });
            },
        );
    }
    benches.finish();
    println!("{:#?}", journal.stats());
}

/// Opening a journal of a million records.
fn replay(c: &mut Criterion) {
    const RECORDS: u64 = 1_000_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()));
    let journal = start(disk.clone());
    let mut group = Group::new();
    while journal.appended() < RECORDS {
        fill(&mut group);
        while journal.append(&mut group).is_err() {
            std::thread::yield_now();
        }
    }
    journal.shutdown().expect("a clean end");
    let mut benches = c.benchmark_group("replay");
    benches.throughput(Throughput::Elements(RECORDS)).sample_size(10);
    benches.bench_function("1 M records", |bencher| {
        bencher.iter(|| {
            let mut bytes = 0;
            let mut replay = |record: stockade_storage::Record<'_>| {
                bytes += record.bytes.len();
                Ok(())
            };
            OpenJournal::open(disk.clone(), JournalOptions::default(), 0, &mut replay)
                .expect("a whole journal");
            black_box(bytes)
        });
    });
    let (journal, _) = OpenJournal::open(disk, JournalOptions::default(), RECORDS, &mut |_| Ok(()))
        .expect("a whole journal");
    let journal = journal.start(Box::new(Ignore), Arc::new(|| 0)).expect("a whole journal");
    benches.throughput(Throughput::Elements(1)).sample_size(100);
    let mut sequence = 0;
    benches.bench_function("one record", |bencher| {
        bencher.iter(|| {
            sequence = (sequence + 777_777) % RECORDS;
            black_box(journal.read(sequence + 1).expect("a whole journal"))
        });
    });
    benches.finish();
}

criterion_group! {
    name = benches;
    // Few resamples: a figure on a busy machine is not worth more.
    config = Criterion::default().sample_size(20).nresamples(10_000);
    targets = append, commit, replay
}
criterion_main!(benches);
