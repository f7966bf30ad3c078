use std::{path::PathBuf, time::Duration};

pub use stockade_storage::Durability;

use crate::OpenError;

/// How an engine is set up. Every default works.
#[doc = include_str!("../docs/config.md")]
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data is; `None` keeps everything in memory, and it ends with the engine.
    pub data_dir: Option<PathBuf>,
    /// When a commit counts: synced (the default), or less, for data that can be lost.
    pub durability: Durability,
    /// How many arbiters run the actors. By default about one a core, less what HTTP and the journal need.
    pub lanes: usize,
    /// The most work under way at once, in units (an order is one, and one more for each of its lines). More is refused.
    pub work_max: usize,
    /// The most stocks that a lane keeps awake, with a mailbox and a state of their own; the others wake when they are asked.
    pub stocks_awake_max: usize,
    /// The least time between two checkpoints of the state on sled.
    pub checkpoint_every: Duration,
    /// The largest step of the wall clock that is followed at once; a larger one freezes expiry.
    pub clock_jump_max: Duration,
    /// How long a larger step must last before it is believed.
    pub clock_jump_lasts: Duration,
    /// The engine's clock stands still and moves only by [`crate::Engine::advance`], from this moment, in milliseconds.
    pub virtual_clock: Option<u64>,
    /// Size of a journal segment, in bytes: 8 MiB to 2 GiB. (A simulated disk may have smaller ones, and smaller orders then.)
    pub segment_bytes: u64,
    /// The most idempotency keys that are remembered, the newest. Each is for a day, and takes about 25 bytes of memory.
    pub idempotency_keys_max: usize,
}

/// The most lanes: ids are dealt out round robin among them, and no machine we know gains from more.
const LANES_MAX: usize = 256;

/// The least work under way that lets the largest single order in.
const WORK_MIN: usize = 4_096;

/// The fewest stocks awake: slow, and right.
const STOCKS_AWAKE_MIN: usize = 1;

/// The most stocks awake: their mailboxes alone would fill 16 GB.
const STOCKS_AWAKE_MAX: usize = 16_777_216;

/// The smallest segment: the largest single order, hold or product fits in with room to spare.
const SEGMENT_BYTES_MIN: u64 = 8 << 20;

/// The largest segment.
const SEGMENT_BYTES_MAX: u64 = 1 << 31;

/// The most work under way: more units than a semaphore counts would be needed for no gain but latency.
const WORK_MAX: usize = 16_777_216;

/// The most idempotency keys: 25 GB of them.
const IDEMPOTENCY_KEYS_MAX: usize = 1_000_000_000;

impl Config {
    /// An engine on a data directory.
    #[doc = include_str!("../docs/config_new.md")]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: Some(data_dir.into()), ..Self::in_memory() }
    }

    /// An engine without a data directory.
    #[doc = include_str!("../docs/config_in_memory.md")]
    #[must_use]
    pub fn in_memory() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            data_dir: None,
            durability: Durability::Sync,
            lanes: cores.saturating_sub(2).max(1),
            work_max: 262_144,
            // An idle mailbox costs about 1 KB: this many cost 32 MB.
            stocks_awake_max: 32_768,
            checkpoint_every: Duration::from_secs(2),
            clock_jump_max: Duration::from_secs(300),
            clock_jump_lasts: Duration::from_secs(60),
            virtual_clock: None,
            segment_bytes: 64 << 20,
            idempotency_keys_max: 10_000_000,
        }
    }

    /// The same, with a clock that only [`crate::Engine::advance`] moves.
    #[doc = include_str!("../docs/with_virtual_clock.md")]
    #[must_use]
    pub fn with_virtual_clock(mut self, now_ms: u64) -> Self {
        self.virtual_clock = Some(now_ms);
        self
    }

    /// The same, with a clock that begins now.
    #[doc = include_str!("../docs/with_test_clock.md")]
    #[must_use]
    pub fn with_test_clock(self) -> Self {
        self.with_virtual_clock(crate::clock::wall_ms())
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let wrong = |setting, detail: String| Err(OpenError::Setting { setting, detail });
        if !(1..=LANES_MAX).contains(&self.lanes) {
            return wrong("lanes", format!("must be from 1 to {LANES_MAX}"));
        }
        if !(WORK_MIN..=WORK_MAX).contains(&self.work_max) {
            return wrong("work_max", format!("must be from {WORK_MIN} to {WORK_MAX}"));
        }
        if !(STOCKS_AWAKE_MIN..=STOCKS_AWAKE_MAX).contains(&self.stocks_awake_max) {
            let detail = format!("must be from {STOCKS_AWAKE_MIN} to {STOCKS_AWAKE_MAX}");
            return wrong("stocks_awake_max", detail);
        }
        if self.data_dir.is_some()
            && !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes)
        {
            let detail = format!("must be from {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}");
            return wrong("segment_bytes", detail);
        }
        if !(1..=IDEMPOTENCY_KEYS_MAX).contains(&self.idempotency_keys_max) {
            let detail = format!("must be from 1 to {IDEMPOTENCY_KEYS_MAX}");
            return wrong("idempotency_keys_max", detail);
        }
        Ok(())
    }
}
