use std::{collections::VecDeque, hash::Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use stockade_domain::{ClockSteps, Sequence, Timestamp};

use super::Name;

/// How long a key is remembered, in milliseconds of engine time without its steps: clients that retry do it within a day.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// Keys of one run: with this many its page suits sled best.
const RUN_KEYS: usize = 256;

/// Milliseconds of one run: that much longer than [`KEPT_MS`] a key may be remembered.
const RUN_MS: u64 = 60_000;

/// Tables of the index. One grows at a time, so that nobody waits for all of it.
const TABLES: usize = 64;

/// Runs are numbered modulo this, so that a position fits 32 bits.
const RUN_NUMBERS: u32 = 1 << 24;

/// A key that had an effect: a fingerprint, and where the key itself and its effect are in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    fingerprint: u64,
    at: Sequence,
}

/// Keys that were done one after the other: what is forgotten together, and a page of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    since_ms: u64,
    until_ms: u64,
    keys: Vec<Known>,
    /// Whether it is a page of a checkpoint by now, or about to be.
    #[serde(skip)]
    saved: bool,
}

impl Run {
    /// The number of its page.
    pub(crate) fn page(&self) -> u64 {
        self.keys.first().map_or(0, |first| first.at)
    }

    fn is_full(&self, now_ms: u64) -> bool {
        self.keys.len() == RUN_KEYS || now_ms.saturating_sub(self.since_ms) >= RUN_MS
    }
}

/// What a checkpoint is told of the keys.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Runs that are new or longer, by their page.
    pub(crate) changed: Vec<(u64, Run)>,
    /// Pages of runs that are forgotten.
    pub(crate) gone: Vec<u64>,
}

/// Keys that had an effect, in the order of their effects, and an index of them: 16 bytes a key, and 5 to 12 for the index.
pub(super) struct Done {
    max: usize,
    runs: VecDeque<Run>,
    /// The number of the first of them.
    first: u32,
    /// Keys of the first run that are forgotten.
    skipped: usize,
    /// Positions by fingerprint.
    index: Vec<HashTable<u32>>,
    len: usize,
    dropped_early: u64,
    /// How many of the last runs changed since the last checkpoint.
    dirty: usize,
    gone: Vec<u64>,
}

impl Done {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            runs: VecDeque::new(),
            first: 0,
            skipped: 0,
            index: (0..TABLES).map(|_| HashTable::new()).collect(),
            len: 0,
            dropped_early: 0,
            dirty: 0,
            gone: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn dropped_early(&self) -> u64 {
        self.dropped_early
    }

    /// Where a key with this name's fingerprint is, other than at `others`.
    pub(super) fn find(&self, name: &Name, others: &[Sequence]) -> Option<Sequence> {
        let fingerprint = fingerprint(name);
        let known = |position: &u32| known(&self.runs, self.first, *position);
        let found = self.index[table(fingerprint)].find(fingerprint, |position| {
            let known = known(position);
            known.fingerprint == fingerprint && !others.contains(&known.at)
        });
        found.map(|position| known(position).at)
    }

    /// Adds a key; they come in the order of their effects.
    pub(super) fn add(&mut self, name: &Name, at: Sequence, time_ms: u64) {
        if self.runs.back().is_none_or(|run| run.is_full(time_ms)) {
            if let Some(full) = self.runs.back_mut() {
                full.keys.shrink_to_fit();
            }
            let (since_ms, until_ms) = (time_ms, time_ms);
            self.runs.push_back(Run { since_ms, until_ms, keys: Vec::new(), saved: false });
            self.dirty += 1;
        }
        self.dirty = self.dirty.max(1);
        let run = self.runs.back_mut().expect("there is one now");
        run.until_ms = time_ms;
        run.keys.push(Known { fingerprint: fingerprint(name), at });
        let (run, key) = (self.runs.len() - 1, self.runs[self.runs.len() - 1].keys.len() - 1);
        self.insert(run, key);
        self.keep_newest();
    }

    /// Puts a key into the index.
    fn insert(&mut self, run: usize, key: usize) {
        let Self { runs, first, index, .. } = self;
        let fingerprint = runs[run].keys[key].fingerprint;
        let number = first.wrapping_add(run as u32) % RUN_NUMBERS;
        let position = number * RUN_KEYS as u32 + key as u32;
        let hash = |position: &u32| known(runs, *first, *position).fingerprint;
        index[table(fingerprint)].insert_unique(fingerprint, position, hash);
        self.len += 1;
    }

    /// Forgets the keys whose time is up. A step of the clock makes no key older, and while one is not believed yet nobody knows how
    /// old they are.
    pub(super) fn forget(&mut self, now_ms: u64, clock: &ClockSteps) {
        if clock.frozen_from().is_some() {
            return;
        }
        let kept_until = |run: &Run| {
            let done_at = Timestamp(run.until_ms);
            clock.due(done_at, done_at.plus_ms(KEPT_MS))
        };
        while self.runs.front().is_some_and(|run| kept_until(run).0 < now_ms) {
            self.drop_oldest();
        }
    }

    fn keep_newest(&mut self) {
        while self.len > self.max {
            self.drop_oldest();
            self.dropped_early += 1;
        }
    }

    fn drop_oldest(&mut self) {
        let Self { runs, first, index, skipped, .. } = self;
        let Some(run) = runs.front() else { return };
        let fingerprint = run.keys[*skipped].fingerprint;
        let position = *first * RUN_KEYS as u32 + *skipped as u32;
        let found = index[table(fingerprint)].find_entry(fingerprint, |known| *known == position);
        found.expect("every key is in the index").remove();
        self.len -= 1;
        self.skipped += 1;
        if self.skipped == self.runs[0].keys.len() {
            self.drop_first_run();
        }
    }

    fn drop_first_run(&mut self) {
        let run = self.runs.pop_front();
        self.gone.extend(run.filter(|run| run.saved).map(|run| run.page()));
        self.skipped = 0;
        self.first = (self.first + 1) % RUN_NUMBERS;
        self.dirty = self.dirty.min(self.runs.len());
    }

    pub(super) fn take_dirty(&mut self) -> Pages {
        let clean = self.runs.len() - std::mem::take(&mut self.dirty);
        let changed = self.runs.range_mut(clean..).map(|run| {
            run.saved = true;
            (run.page(), run.clone())
        });
        Pages { changed: changed.collect(), gone: std::mem::take(&mut self.gone) }
    }

    /// Puts back runs of a checkpoint, in any order.
    pub(super) fn restore(&mut self, mut runs: Vec<Run>) {
        runs.retain(|run| (1..=RUN_KEYS).contains(&run.keys.len()));
        runs.sort_unstable_by_key(Run::page);
        for run in runs {
            self.runs.push_back(Run { saved: true, ..run });
            let last = self.runs.len() - 1;
            (0..self.runs[last].keys.len()).for_each(|key| self.insert(last, key));
        }
        self.keep_newest();
        // Most of those were forgotten, and counted, before the stop.
        self.dropped_early = 0;
    }
}

fn known(runs: &VecDeque<Run>, first: u32, position: u32) -> &Known {
    let (number, key) = (position / RUN_KEYS as u32, position % RUN_KEYS as u32);
    let run = (number + RUN_NUMBERS - first) % RUN_NUMBERS;
    &runs[run as usize].keys[key as usize]
}

/// Names are hashes; this is for callers whose are not.
fn fingerprint(name: &Name) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u128(u128::from_le_bytes(*name));
    hasher.finish()
}

/// The table of a fingerprint, by bits that the table itself does not use.
fn table(fingerprint: u64) -> usize {
    (fingerprint >> 32) as usize % TABLES
}

#[cfg(test)]
mod tests {
    use stockade_domain::ClockEvent;

    use super::*;

    fn name(key: u64) -> Name {
        u128::from(key).to_le_bytes()
    }

    fn add(done: &mut Done, keys: std::ops::Range<u64>, time_ms: u64) {
        forget(done, time_ms);
        keys.for_each(|key| done.add(&name(key), key + 1, time_ms));
    }

    fn forget(done: &mut Done, now_ms: u64) {
        done.forget(now_ms, &ClockSteps::default());
    }

    fn known_of(done: &Done, keys: std::ops::Range<u64>) -> Vec<u64> {
        keys.filter(|key| done.find(&name(*key), &[]) == Some(key + 1)).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_others_counted() {
        let mut done = Done::new(1_000);
        add(&mut done, 0..1_700, 0);
        assert_eq!(known_of(&done, 0..2_000), (700..1_700).collect::<Vec<_>>());
        assert_eq!((done.len(), done.dropped_early()), (1_000, 700));
    }

    #[test]
    fn a_key_is_kept_for_a_day_and_not_much_longer() {
        let mut done = Done::new(1_000);
        add(&mut done, 0..1, 0);
        add(&mut done, 1..2, RUN_MS - 1);
        add(&mut done, 2..3, RUN_MS);
        forget(&mut done, KEPT_MS + RUN_MS - 1);
        assert_eq!(known_of(&done, 0..3), [0, 1, 2]);
        forget(&mut done, KEPT_MS + RUN_MS);
        assert_eq!(known_of(&done, 0..3), [2], "they share a run, and go when both are too old");
        forget(&mut done, KEPT_MS + RUN_MS + 1);
        assert_eq!((done.len(), done.dropped_early()), (0, 0));
    }

    #[test]
    fn a_step_of_the_clock_makes_no_key_older() {
        let (before, after) = (Timestamp(1_000), Timestamp(1_000 + 3 * KEPT_MS));
        let mut clock = ClockSteps::default();
        let mut done = Done::new(1_000);
        add(&mut done, 0..1, 500);
        clock.evolve(&ClockEvent::Frozen { from: before });
        done.forget(after.0, &clock);
        assert_eq!(done.len(), 1, "the step is not believed yet");
        clock.evolve(&ClockEvent::Believed { from: before, before, after });
        done.forget(after.0 + KEPT_MS - 500, &clock);
        assert_eq!(done.len(), 1);
        done.forget(after.0 + KEPT_MS - 499, &clock);
        assert_eq!(done.len(), 0, "a day later it is a day old");
    }

    #[test]
    fn two_keys_with_one_fingerprint_are_both_found() {
        let mut done = Done::new(10);
        done.add(&name(7), 1, 0);
        done.add(&name(7), 2, 0);
        let one = done.find(&name(7), &[]).unwrap();
        let other = done.find(&name(7), &[one]).unwrap();
        assert_eq!((one + other, done.find(&name(7), &[one, other])), (3, None));
    }

    #[test]
    fn checkpoints_hold_what_changed_and_come_back_as_it_was() {
        let mut done = Done::new(1_000);
        let mut stored = std::collections::BTreeMap::new();
        let mut save = |done: &mut Done| {
            let Pages { changed, gone } = done.take_dirty();
            let count = changed.len() + gone.len();
            stored.extend(changed);
            gone.iter().for_each(|page| assert!(stored.remove(page).is_some(), "page {page}"));
            let mut restored = Done::new(1_000);
            restored.restore(stored.values().rev().cloned().collect());
            assert_eq!(known_of(&restored, 0..9_999), known_of(done, 0..9_999));
            count
        };
        add(&mut done, 0..300, 0);
        assert_eq!(save(&mut done), 2);
        assert_eq!(save(&mut done), 0, "nothing changed");
        add(&mut done, 300..310, 5);
        assert_eq!(save(&mut done), 1, "the run that grew");
        add(&mut done, 310..2_000, 6);
        // Twice as many as are kept: what came and went between two checkpoints is no page.
        assert!(save(&mut done) <= 2 + 1_000 / RUN_KEYS + 2);
        add(&mut done, 2_000..2_001, KEPT_MS + RUN_MS);
        assert_eq!(known_of(&done, 0..9_999), [2_000]);
        save(&mut done);
        assert_eq!(stored.len(), 1);
    }

    #[test]
    fn positions_wrap_around() {
        let mut done = Done::new(600);
        done.first = RUN_NUMBERS - 2;
        add(&mut done, 0..3_000, 0);
        assert_eq!(known_of(&done, 0..3_000), (2_400..3_000).collect::<Vec<_>>());
        assert!(done.first < 100);
    }

    /// The figure that the configuration and the documents name.
    #[test]
    fn a_key_takes_less_than_thirty_bytes() {
        let mut done = Done::new(1 << 20);
        add(&mut done, 0..1 << 20, 0);
        let runs: usize =
            done.runs.iter().map(|run| run.keys.capacity() * size_of::<Known>()).sum();
        let runs = runs + done.runs.capacity() * size_of::<Run>();
        // A table is at most 7/8 full and has a byte for each place beside its value.
        let places = |table: &HashTable<u32>| (table.capacity() * 8 / 7).next_power_of_two();
        let index: usize = done.index.iter().map(|table| places(table) * 5).sum();
        let a_key = (runs + index) as f64 / f64::from(1 << 20);
        println!("{a_key:.1} bytes a key");
        assert!((21.0..30.0).contains(&a_key), "{a_key}");
    }
}
