//! Nothing acknowledged is lost when power dies, at any operation of random histories.

use crate::harness::{Random, Records, Running, disk, open, small, start};
use std::time::Duration;
use stockade_storage::{Durability, JournalOptions, SimDisk, check};

const HISTORIES: u64 = 1_000;

struct History {
    sim: SimDisk,
    options: JournalOptions,
    /// Everything that was appended, in order.
    appended: Records,
    /// (operations of the disk by then, last sequence known synced)
    acks: Vec<(u64, u64)>,
    /// (epoch, the last sequence given in it)
    epochs: Vec<(u32, u64)>,
}

/// Groups, clean restarts and killed processes, on one disk whose power stays on.
fn live(seed: u64, lying: bool) -> History {
    let mut random = Random(seed);
    let durability = match random.below(6) {
        0 => Durability::None,
        1 => Durability::Interval(Duration::from_micros(random.below(300))),
        _ => Durability::Sync,
    };
    let options =
        JournalOptions { segment_bytes: 4096 + 512 * random.below(3), ..small(durability) };
    let sim = SimDisk::new(seed);
    sim.lying(lying);
    let mut history =
        History { sim, options, appended: Records::new(), acks: Vec::new(), epochs: Vec::new() };
    for _ in 0..=random.below(2) {
        let mut running = start(&history.sim, &history.options).unwrap();
        let groups = 1 + random.below(6);
        let bytes = if random.below(4) == 0 { 900 } else { 60 };
        for _ in 0..groups {
            let group = random.group(3, bytes);
            let records = running.append(&group).unwrap();
            let last = records[records.len() - 1].0;
            history.appended.extend(records);
            // Some groups share a commit.
            if random.below(3) > 0 {
                running.ledger.wait_committed(last);
            }
        }
        history.end(running, random.below(2) == 0);
    }
    history
}

impl History {
    /// Ends the process: cleanly, or by losing its memory after everything was written.
    fn end(&mut self, running: Running, clean: bool) {
        let Running { journal, ledger, .. } = running;
        let last = self.appended[self.appended.len() - 1].0;
        self.epochs.push((journal.epoch(), last));
        if clean {
            journal.shutdown().unwrap();
        } else {
            ledger.wait_committed(last);
            self.sim = self.sim.after_kill();
        }
        ledger.told(|told| self.acks.append(&mut told.acks));
    }

    /// What a power cut during this operation breaks, if anything.
    fn broken_by_cut_at(&self, operation: u64) -> Option<String> {
        let acked = self
            .acks
            .iter()
            .filter(|(operations, _)| *operations < operation)
            .map(|(_, last)| *last)
            .max();
        let acked = acked.unwrap_or(0);
        let sim = self.sim.after_power_cut_at(operation);
        let before = check(disk(&sim), &mut |_| Ok(())).map(|checked| checked.records);
        let (first, records) = match open(&sim, &self.options) {
            Ok((_, recovered, records)) => (recovered, records),
            Err(error) => return Some(format!("cannot open: {error}")),
        };
        if before.as_ref().ok() != Some(&first.records) {
            return Some(format!("a check says {before:?}, opening {}", first.records));
        }
        if first.last_sequence < acked {
            return Some(format!(
                "{acked} was acknowledged, the journal ends at {}",
                first.last_sequence
            ));
        }
        if records.len() > self.appended.len() || records != self.appended[..records.len()] {
            return Some("something was invented, or out of order".to_owned());
        }
        let before = self.epochs.iter().filter(|(epoch, _)| *epoch < first.epoch);
        if before.map(|(_, last)| *last).max() >= Some(first.next_sequence) {
            return Some(format!("{} is given twice", first.next_sequence));
        }
        // A cut while it recovers, and recovering again, change nothing.
        let cut = operation % (sim.operations() + 1) + 1;
        let again = sim.after_power_cut_at(cut);
        match open(&again, &self.options) {
            Ok((_, _, again)) if again == records => None,
            other => Some(format!("after a cut in recovery: {other:?}")),
        }
    }
}

#[test]
fn a_thousand_histories_cut_at_every_operation() {
    let mut cuts = 0;
    for seed in 0..HISTORIES {
        let history = live(seed, false);
        for operation in 1..=history.sim.operations() + 1 {
            if let Some(what) = history.broken_by_cut_at(operation) {
                panic!("history {seed}, power cut at operation {operation}: {what}");
            }
            cuts += 1;
        }
    }
    assert!(cuts > 20 * HISTORIES, "only {cuts} cuts");
}

/// The null control: on a disk that only says that it syncs, the same check has to find losses.
#[test]
fn a_lying_disk_is_found_out() {
    let histories = 50;
    let mut lossy = 0;
    for seed in 0..histories {
        let history = live(seed, true);
        let broken = (1..=history.sim.operations() + 1)
            .filter(|cut| history.broken_by_cut_at(*cut).is_some());
        lossy += u64::from(broken.count() > 0);
    }
    assert!(lossy > histories * 9 / 10, "only {lossy} of {histories} histories lost something");
}
