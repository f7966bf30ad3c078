//! A journal on a simulated disk, and a sink that remembers what it was told.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};
use stockade_storage::{
    Committed, Disk, Durability, Group, Journal, JournalError, JournalOptions, OpenJournal,
    Recovered, Sequence, SimDisk, Sink,
};

pub(crate) type Payload = Vec<u8>;
pub(crate) type Records = Vec<(Sequence, Vec<u8>)>;

/// Long enough for any machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the sink was told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) committed: Records,
    pub(crate) synced: Sequence,
    /// (operations of the disk, what was synced then)
    pub(crate) acks: Vec<(u64, Sequence)>,
    pub(crate) times: Vec<u64>,
    pub(crate) failed: Option<JournalError>,
    pub(crate) told_after_failure: bool,
}

#[derive(Clone)]
pub(crate) struct Ledger {
    told: Arc<(Mutex<Told>, Condvar)>,
    disk: SimDisk,
}

impl Ledger {
    pub(crate) fn new(disk: &SimDisk) -> Self {
        Ledger { told: Arc::default(), disk: disk.clone() }
    }

    pub(crate) fn told<R>(&self, look: impl FnOnce(&mut Told) -> R) -> R {
        look(&mut self.told.0.lock().unwrap())
    }

    /// Waits until `done` or failure; returns whether it was `done`.
    fn wait(&self, mut done: impl FnMut(&Told) -> bool) -> bool {
        let told = self.told.0.lock().unwrap();
        let waits = |told: &mut Told| !done(told) && told.failed.is_none();
        let (told, timeout) = self.told.1.wait_timeout_while(told, PATIENCE, waits).unwrap();
        assert!(!timeout.timed_out(), "nothing happened for {PATIENCE:?}");
        told.failed.is_none()
    }

    pub(crate) fn wait_committed(&self, sequence: Sequence) -> bool {
        self.wait(|told| told.committed.last().is_some_and(|(last, _)| *last >= sequence))
    }

    pub(crate) fn wait_synced(&self, sequence: Sequence) -> bool {
        self.wait(|told| told.synced >= sequence)
    }
}

impl Sink<Payload> for Ledger {
    fn committed(&mut self, mut batch: Committed<Payload>) {
        self.told(|told| {
            told.told_after_failure |= told.failed.is_some();
            assert_eq!(batch.first, batch.payloads[0].0);
            assert_eq!(batch.last, batch.payloads[batch.payloads.len() - 1].0);
            told.times.push(batch.time_ms);
            told.committed.append(&mut batch.payloads);
        });
        self.told.1.notify_all();
        batch.recycle();
    }

    fn synced(&mut self, sequence: Sequence, _: u64) {
        let operations = self.disk.operations();
        self.told(|told| {
            told.told_after_failure |= told.failed.is_some();
            assert!(sequence > told.synced, "synced({sequence}) after synced({})", told.synced);
            told.synced = sequence;
            told.acks.push((operations, sequence));
        });
        self.told.1.notify_all();
    }

    fn failed(&mut self, error: &JournalError) {
        self.told(|told| told.failed = Some(error.clone()));
        self.told.1.notify_all();
    }
}

/// Small segments, and everything on one thread.
pub(crate) fn small(durability: Durability) -> JournalOptions {
    JournalOptions {
        durability,
        segment_bytes: 4096,
        linger_max: Duration::ZERO,
        queue_bytes_max: 64 * 1024,
        background: false,
        journal_id: Some(0x5eed),
        ..JournalOptions::default()
    }
}

pub(crate) fn disk(sim: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(sim.clone())
}

/// Opens and gives what was replayed.
pub(crate) fn open(
    sim: &SimDisk,
    options: &JournalOptions,
) -> Result<(OpenJournal, Recovered, Records), JournalError> {
    let mut records = Records::new();
    let (open, recovered) = OpenJournal::open(disk(sim), options.clone(), 0, &mut |record| {
        records.push((record.sequence, record.bytes.to_vec()));
        Ok(())
    })?;
    assert_eq!(recovered.records, records.len() as u64);
    assert_eq!(recovered.last_sequence, records.last().map_or(0, |(last, _)| *last));
    Ok((open, recovered, records))
}

pub(crate) struct Running {
    pub(crate) journal: Arc<Journal<Payload>>,
    pub(crate) ledger: Ledger,
    pub(crate) group: Group<Payload>,
}

pub(crate) fn start(sim: &SimDisk, options: &JournalOptions) -> Result<Running, JournalError> {
    let (open, ..) = open(sim, options)?;
    let ledger = Ledger::new(sim);
    let journal = open.start(Box::new(ledger.clone()), Arc::new(|| 1_000))?;
    Ok(Running { journal, ledger, group: Group::new() })
}

impl Running {
    /// Appends one group; `None` if the journal has stopped.
    pub(crate) fn append(&mut self, records: &[Vec<u8>]) -> Option<Records> {
        for record in records {
            self.group.push(record.clone(), |out| out.extend_from_slice(record));
        }
        let appended = self.journal.append(&mut self.group).ok()?;
        assert!(self.group.is_empty());
        assert_eq!(appended.last + 1 - appended.first, records.len() as u64);
        Some((appended.first..).zip(records.iter().cloned()).collect())
    }

    /// Appends one group and waits until it is committed.
    pub(crate) fn commit(&mut self, records: &[Vec<u8>]) -> Option<Records> {
        let appended = self.append(records)?;
        self.ledger.wait_committed(appended.last()?.0).then_some(appended)
    }
}

/// splitmix64, for reproducible tests.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    /// A group of 1 to `records` records of up to `bytes` bytes.
    pub(crate) fn group(&mut self, records: u64, bytes: u64) -> Vec<Vec<u8>> {
        (0..=self.below(records))
            .map(|_| {
                let len = self.below(bytes);
                self.bytes(len)
            })
            .collect()
    }
}
