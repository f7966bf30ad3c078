use std::sync::atomic::Ordering;

use stockade_domain::Sequence;
use stockade_storage::JournalStats;

use super::Engine;

/// What an engine says about itself.
#[doc = include_str!("../../docs/stats_type.md")]
#[derive(Clone, Debug)]
pub struct Stats {
    /// The last event that readers see.
    pub folded: Sequence,
    /// The last event that is synced.
    pub synced: Sequence,
    /// Work under way, in units.
    pub under_way: usize,
    /// Takes and gives in flight; 0 whenever the engine is idle.
    pub open_table: usize,
    /// Deadlines that are kept, some of them no longer due.
    pub deadlines: usize,
    /// Stocks that are awake.
    pub stocks_awake: usize,
    /// Idempotency keys that are remembered.
    pub idempotency_keys: usize,
    /// Idempotency keys that were forgotten before their day was over, since the start.
    pub idempotency_keys_dropped: u64,
    /// Orders that expired since the start.
    pub expired: u64,
    /// How late the latest of them was, in milliseconds.
    pub expiry_lag_ms_max: u64,
    /// How late they were on average, in milliseconds.
    pub expiry_lag_ms_mean: f64,
    /// Checkpoints written since the start.
    pub checkpoints: u64,
    /// The position of the last one.
    pub checkpoint_position: Sequence,
    /// Whether sled is broken, so that there are no more checkpoints until the next start.
    pub checkpoint_broken: bool,
    /// Whether a jump of the wall clock has frozen expiry.
    pub clock_frozen: bool,
    /// Whether what is due does not expire, because the disk is nearly full.
    pub expiry_paused: bool,
    /// The journal's own.
    pub journal: JournalStats,
}

impl Engine {
    /// What the engine says about itself.
    #[doc = include_str!("../../docs/stats.md")]
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let (counters, keys) = (&shared.counters, shared.keys.counts());
        let expired = counters.expired.load(Ordering::Relaxed);
        let lag_sum = counters.expiry_lag_ms_sum.load(Ordering::Relaxed);
        Stats {
            folded: shared.answers.folded(),
            synced: shared.journal().synced(),
            under_way: shared.door.under_way(),
            open_table: shared.read.open.lock().len(),
            deadlines: shared.deadlines.len(),
            stocks_awake: shared.stocks.len(),
            idempotency_keys: keys.kept,
            idempotency_keys_dropped: keys.dropped_early,
            expired,
            expiry_lag_ms_max: counters.expiry_lag_ms_max.load(Ordering::Relaxed),
            expiry_lag_ms_mean: lag_sum as f64 / expired.max(1) as f64,
            checkpoints: counters.checkpoints.load(Ordering::Relaxed),
            checkpoint_position: counters.checkpoint_position.load(Ordering::Acquire),
            checkpoint_broken: counters.checkpoint_broken.load(Ordering::Acquire),
            clock_frozen: shared.clock.is_frozen(),
            expiry_paused: shared.deadlines.is_paused(),
            journal: shared.journal().stats(),
        }
    }

    /// Whether the engine can take work: it is neither stopped nor shutting down.
    ///
    /// # Errors
    /// Why it cannot.
    #[doc = include_str!("../../docs/ready.md")]
    pub fn ready(&self) -> Result<(), crate::Error> {
        self.shared().check_open()
    }

    /// The journal's name, given when it was created.
    #[doc = include_str!("../../docs/journal_id.md")]
    #[must_use]
    pub fn journal_id(&self) -> u128 {
        self.shared().journal().journal_id()
    }

    /// A hash of everything that is committed: the same after a restart, with or without the state on sled.
    #[doc = include_str!("../../docs/digest.md")]
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.shared().read.digest()
    }
}
