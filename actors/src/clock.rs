//! Engine time.
//!
//! Expiry cannot be undone, so a wall clock that jumps must not expire a shop's orders. Engine time runs by the monotonic
//! clock and follows the wall clock within a limit; it never goes back. A larger step freezes expiry: engine time keeps running
//! as it was until the step has lasted, or somebody confirms it. At a start the wall clock is ahead by as long as the engine was
//! down; time is right from the first moment then, but a long way ahead freezes expiry just the same.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stockade_domain::Timestamp;

/// Where engine time comes from.
pub(crate) enum Clock {
    /// The wall clock, guarded.
    Wall(Guard),
    /// Moved by hand.
    Virtual(AtomicU64),
}

/// Reads the wall clock, in milliseconds since 1970. The only place that does.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The wall clock behind a guard.
pub(crate) struct Guard {
    started: Instant,
    /// Engine time, less the monotonic time since `started`.
    offset_ms: AtomicU64,
    /// Since when expiry is frozen.
    frozen: Mutex<Option<Instant>>,
    is_frozen: AtomicBool,
    /// By how much engine time was moved at once when steps were believed, in all.
    stepped_ms: AtomicU64,
    jump_max: Duration,
    jump_lasts: Duration,
}

impl Clock {
    pub(crate) fn moved_by_hand(now_ms: u64) -> Self {
        Self::Virtual(AtomicU64::new(now_ms))
    }

    /// A guarded clock that continues from the journal's last moment; 0 when there is none.
    pub(crate) fn guarded(last_ms: u64, jump_max: Duration, jump_lasts: Duration) -> Self {
        Self::Wall(Guard::new(wall_ms(), last_ms, jump_max, jump_lasts))
    }

    /// Engine time now.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Virtual(now) => Timestamp(now.load(Ordering::Acquire)),
            Self::Wall(guard) => guard.now(guard.started.elapsed()),
        }
    }

    /// Moves a virtual clock. The wall clock is not moved by anybody.
    pub(crate) fn advance(&self, by: Duration) -> bool {
        match self {
            Self::Virtual(now) => {
                now.fetch_add(by.as_millis() as u64, Ordering::AcqRel);
                true
            }
            Self::Wall(_) => false,
        }
    }

    /// Whether it is moved by hand.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Looks at the wall clock; called every now and then by the deadlines. Says whether expiry is frozen.
    pub(crate) fn follow(&self) -> bool {
        match self {
            Self::Virtual(_) => false,
            Self::Wall(guard) => guard.follow(wall_ms()),
        }
    }

    /// Believes the wall clock now, however far it is.
    pub(crate) fn confirm(&self) {
        if let Self::Wall(guard) = self {
            guard.accept(wall_ms());
        }
    }

    /// Whether a jump has frozen expiry.
    pub(crate) fn is_frozen(&self) -> bool {
        match self {
            Self::Virtual(_) => false,
            Self::Wall(guard) => guard.is_frozen.load(Ordering::Acquire),
        }
    }

    /// By how much engine time was moved at once so far, in milliseconds. A deadline that was set while expiry was frozen was set
    /// by a time that was behind by what this grows when it thaws.
    pub(crate) fn stepped_ms(&self) -> u64 {
        match self {
            Self::Virtual(_) => 0,
            Self::Wall(guard) => guard.stepped_ms.load(Ordering::Acquire),
        }
    }
}

impl Guard {
    fn new(wall_ms: u64, last_ms: u64, jump_max: Duration, jump_lasts: Duration) -> Self {
        let guard = Self {
            started: Instant::now(),
            offset_ms: AtomicU64::new(wall_ms.max(last_ms)),
            frozen: Mutex::new(None),
            is_frozen: AtomicBool::new(false),
            stepped_ms: AtomicU64::new(0),
            jump_max,
            jump_lasts,
        };
        let away = Duration::from_millis(wall_ms.abs_diff(last_ms));
        if last_ms > 0 && away > jump_max {
            guard.freeze();
            let waits_s = jump_lasts.as_secs();
            match wall_ms > last_ms {
                true => tracing::warn!(
                    down_s = away.as_secs(),
                    waits_s,
                    "the engine was down for long: expiry waits a while, or until the clock is confirmed"
                ),
                false => tracing::error!(
                    ahead_s = away.as_secs(),
                    waits_s,
                    "the wall clock is before the journal's last moment: expiry waits a while, or until the clock is confirmed"
                ),
            }
        }
        guard
    }

    fn now(&self, elapsed: Duration) -> Timestamp {
        Timestamp(self.offset_ms.load(Ordering::Acquire) + elapsed.as_millis() as u64)
    }

    /// Follows the wall clock, and says whether expiry is frozen.
    fn follow(&self, wall_ms: u64) -> bool {
        let now = self.now(self.started.elapsed()).0;
        let near = Duration::from_millis(wall_ms.abs_diff(now)) <= self.jump_max;
        let frozen = *self.frozen.lock();
        let since = match (frozen, near) {
            (None, true) => {
                self.pull(wall_ms, now);
                return false;
            }
            (None, false) => {
                tracing::error!(
                    engine_ms = now,
                    wall_ms,
                    "the wall clock jumped: expiry is frozen until that lasts or is confirmed"
                );
                self.freeze()
            }
            (Some(since), _) => since,
        };
        if since.elapsed() >= self.jump_lasts {
            self.accept(wall_ms);
            return false;
        }
        true
    }

    fn freeze(&self) -> Instant {
        let now = Instant::now();
        *self.frozen.lock() = Some(now);
        self.is_frozen.store(true, Ordering::Release);
        now
    }

    /// Forward at once; back not at all: engine time runs on until the wall clock has caught up. Says by how much it moved.
    fn pull(&self, wall_ms: u64, now: u64) -> u64 {
        let by = wall_ms.saturating_sub(now);
        self.offset_ms.fetch_add(by, Ordering::AcqRel);
        by
    }

    fn accept(&self, wall_ms: u64) {
        // Under the lock, so that two who believe it at once do not both move time.
        let mut frozen = self.frozen.lock();
        let by = self.pull(wall_ms, self.now(self.started.elapsed()).0);
        self.stepped_ms.fetch_add(by, Ordering::AcqRel);
        *frozen = None;
        self.is_frozen.store(false, Ordering::Release);
        tracing::warn!(wall_ms, "the wall clock is believed again, expiry goes on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: u64 = 365 * 24 * 3_600_000;

    fn guard(wall_ms: u64, last_ms: u64) -> Guard {
        Guard::new(wall_ms, last_ms, Duration::from_secs(300), Duration::from_secs(3_600))
    }

    fn now(guard: &Guard) -> u64 {
        guard.now(Duration::ZERO).0
    }

    #[test]
    fn small_steps_forward_are_followed_and_back_never() {
        let guard = guard(1_000_000, 0);
        assert!(!guard.follow(1_200_000));
        let at = now(&guard);
        assert!((1_199_000..=1_200_000).contains(&at), "{at}");
        assert!(!guard.follow(1_000_000));
        assert!(now(&guard) >= at);
    }

    #[test]
    fn a_jump_freezes_expiry_until_it_is_confirmed() {
        for wall in [1_000_000 + YEAR_MS, 1_000_000 + 301_000] {
            let guard = guard(1_000_000, 1_000_000);
            assert!(guard.follow(wall) && guard.follow(wall));
            assert!(now(&guard) < 1_100_000, "engine time did not jump");
            guard.accept(wall);
            assert!(!guard.follow(wall));
            assert!(now(&guard) >= wall - 1_000);
            let stepped = guard.stepped_ms.load(Ordering::Acquire);
            assert!(stepped.abs_diff(wall - 1_000_000) < 1_000);
        }
    }

    #[test]
    fn a_jump_that_lasts_is_believed() {
        let guard = Guard::new(1_000_000, 0, Duration::from_secs(300), Duration::ZERO);
        assert!(!guard.follow(1_000_000 + YEAR_MS));
        assert!(now(&guard) >= YEAR_MS);
    }

    #[test]
    fn a_jump_back_never_turns_engine_time_back() {
        let guard = guard(10_000_000_000, 0);
        assert!(guard.follow(1_000));
        guard.accept(1_000);
        assert!(now(&guard) >= 10_000_000_000);
    }

    #[test]
    fn after_a_long_stop_time_is_right_and_expiry_waits() {
        let guard = guard(YEAR_MS, 1_000_000);
        assert!(now(&guard) >= YEAR_MS);
        assert!(guard.follow(YEAR_MS), "a year's worth of deadlines is not let go at once");
        guard.accept(YEAR_MS);
        assert!(!guard.follow(YEAR_MS));
    }

    #[test]
    fn a_wall_clock_before_the_journals_last_moment_is_not_followed() {
        let guard = guard(1_000, YEAR_MS);
        assert!(now(&guard) >= YEAR_MS && guard.follow(1_000));
    }
}
