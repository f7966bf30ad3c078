//! Engine time.
//!
//! Expiry cannot be undone, so a wall clock that jumps must not expire a shop's orders. Engine time runs by the monotonic
//! clock and follows the wall clock within a limit; it never goes back. A larger step freezes expiry: engine time keeps running
//! as it was until the step has lasted, or somebody confirms it. At a start the wall clock is ahead by as long as the engine was
//! down; time is right from the first moment then, but a long way ahead freezes expiry just the same, and counts as a step: a
//! clock that was put right meanwhile looks no other.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stockade_domain::{ClockEvent, Timestamp};

/// Where engine time comes from.
pub(crate) enum Clock {
    /// The wall clock, guarded.
    Wall(Guard),
    /// Moved by hand.
    Virtual(AtomicU64),
}

/// Reads a wall clock.
pub(crate) type WallMs = Box<dyn Fn() -> u64 + Send + Sync>;

/// Reads the wall clock, in milliseconds since 1970. The only place that does.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The wall clock behind a guard.
pub(crate) struct Guard {
    /// Reads it, in milliseconds since 1970.
    wall_ms: WallMs,
    started: Instant,
    /// Engine time, less the monotonic time since `started`.
    offset_ms: AtomicU64,
    /// Since when expiry is frozen.
    frozen: Mutex<Option<Instant>>,
    is_frozen: AtomicBool,
    /// Engine time when the clocks were last seen to agree.
    agreed_ms: AtomicU64,
    jump_max: Duration,
    jump_lasts: Duration,
}

impl Clock {
    pub(crate) fn moved_by_hand(now_ms: u64) -> Self {
        Self::Virtual(AtomicU64::new(now_ms))
    }

    /// A guarded clock that continues from the journal's last moment; 0 when there is none.
    pub(crate) fn guarded(last_ms: u64, jump_max: Duration, jump_lasts: Duration) -> Self {
        Self::Wall(Guard::new(Box::new(wall_ms), last_ms, jump_max, jump_lasts))
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

    /// Looks at the wall clock; called every now and then by the deadlines. Says what the journal must know of it.
    pub(crate) fn follow(&self) -> Option<ClockEvent> {
        match self {
            Self::Virtual(_) => None,
            Self::Wall(guard) => guard.follow(),
        }
    }

    /// Believes the wall clock now, however far it is.
    pub(crate) fn confirm(&self) -> Option<ClockEvent> {
        match self {
            Self::Virtual(_) => None,
            Self::Wall(guard) => guard.accept(),
        }
    }

    /// Whether a jump has frozen expiry.
    pub(crate) fn is_frozen(&self) -> bool {
        match self {
            Self::Virtual(_) => false,
            Self::Wall(guard) => guard.is_frozen.load(Ordering::Acquire),
        }
    }
}

impl Guard {
    pub(crate) fn new(
        wall: WallMs,
        last_ms: u64,
        jump_max: Duration,
        jump_lasts: Duration,
    ) -> Self {
        let wall_ms = wall();
        let now_ms = wall_ms.max(last_ms);
        let guard = Self {
            wall_ms: wall,
            started: Instant::now(),
            offset_ms: AtomicU64::new(now_ms),
            frozen: Mutex::new(None),
            is_frozen: AtomicBool::new(false),
            agreed_ms: AtomicU64::new(now_ms),
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

    /// Follows the wall clock.
    fn follow(&self) -> Option<ClockEvent> {
        let wall_ms = (self.wall_ms)();
        let now = self.now(self.started.elapsed()).0;
        let near = Duration::from_millis(wall_ms.abs_diff(now)) <= self.jump_max;
        let frozen = *self.frozen.lock();
        match frozen {
            None if near => {
                let by = self.pull(wall_ms, now);
                self.agreed_ms.store(now + by, Ordering::Release);
                None
            }
            None => {
                tracing::error!(
                    engine_ms = now,
                    wall_ms,
                    "the wall clock jumped: expiry is frozen until that lasts or is confirmed"
                );
                self.freeze();
                Some(ClockEvent::Frozen { from: self.agreed() })
            }
            Some(since) if since.elapsed() >= self.jump_lasts => self.accept(),
            Some(_) => None,
        }
    }

    fn freeze(&self) {
        *self.frozen.lock() = Some(Instant::now());
        self.is_frozen.store(true, Ordering::Release);
    }

    fn agreed(&self) -> Timestamp {
        Timestamp(self.agreed_ms.load(Ordering::Acquire))
    }

    /// Forward at once; back not at all: engine time runs on until the wall clock has caught up. Says by how much it moved.
    fn pull(&self, wall_ms: u64, now: u64) -> u64 {
        let by = wall_ms.saturating_sub(now);
        self.offset_ms.fetch_add(by, Ordering::AcqRel);
        by
    }

    fn accept(&self) -> Option<ClockEvent> {
        // Under the lock, so that two who believe it at once do not both move time.
        let mut frozen = self.frozen.lock();
        frozen.take()?;
        let wall_ms = (self.wall_ms)();
        let by = self.pull(wall_ms, self.now(self.started.elapsed()).0);
        // Looked at after the step: nobody read a later moment of the time before it.
        let after = self.now(self.started.elapsed());
        let before = Timestamp(after.0 - by);
        let from = self.agreed();
        self.agreed_ms.store(after.0, Ordering::Release);
        self.is_frozen.store(false, Ordering::Release);
        tracing::warn!(wall_ms, "the wall clock is believed again, expiry goes on");
        Some(ClockEvent::Believed { from, before, after })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const YEAR_MS: u64 = 365 * 24 * 3_600_000;

    /// A guard over a wall clock that stands where the test puts it.
    fn guard(wall_ms: u64, last_ms: u64, lasts: Duration) -> (Guard, Arc<AtomicU64>) {
        let wall = Arc::new(AtomicU64::new(wall_ms));
        let read = wall.clone();
        let read = Box::new(move || read.load(Ordering::Acquire));
        (Guard::new(read, last_ms, Duration::from_secs(300), lasts), wall)
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    fn now(guard: &Guard) -> u64 {
        guard.now(Duration::ZERO).0
    }

    fn frozen(guard: &Guard) -> bool {
        guard.is_frozen.load(Ordering::Acquire)
    }

    #[test]
    fn small_steps_forward_are_followed_and_back_never() {
        let (guard, wall) = guard(1_000_000, 0, HOUR);
        wall.store(1_200_000, Ordering::Release);
        assert_eq!(guard.follow(), None);
        let at = now(&guard);
        assert!((1_199_000..=1_200_000).contains(&at), "{at}");
        wall.store(1_000_000, Ordering::Release);
        assert_eq!(guard.follow(), None);
        assert!(now(&guard) >= at && !frozen(&guard));
    }

    #[test]
    fn a_jump_freezes_expiry_until_it_is_confirmed() {
        for jump in [YEAR_MS, 301_000] {
            let (guard, wall) = guard(1_000_000, 1_000_000, HOUR);
            wall.store(1_000_000 + jump, Ordering::Release);
            let froze = guard.follow();
            assert!(matches!(froze, Some(ClockEvent::Frozen { from: Timestamp(1_000_000) })));
            assert_eq!(guard.follow(), None, "it is said once");
            assert!(now(&guard) < 1_100_000 && frozen(&guard), "engine time did not jump");
            let Some(ClockEvent::Believed { from, before, after }) = guard.accept() else {
                panic!("it is believed");
            };
            assert_eq!(from, Timestamp(1_000_000));
            assert!(after.ms_since(before).abs_diff(jump) < 1_000);
            assert_eq!((guard.accept(), guard.follow()), (None, None));
            assert!(now(&guard) >= 1_000_000 + jump - 1_000 && !frozen(&guard));
        }
    }

    #[test]
    fn a_jump_that_lasts_is_believed() {
        let (guard, wall) = guard(1_000_000, 0, Duration::ZERO);
        wall.store(1_000_000 + YEAR_MS, Ordering::Release);
        assert!(matches!(guard.follow(), Some(ClockEvent::Frozen { .. })));
        assert!(matches!(guard.follow(), Some(ClockEvent::Believed { .. })));
        assert!(now(&guard) >= YEAR_MS);
    }

    #[test]
    fn a_jump_back_never_turns_engine_time_back() {
        let (guard, wall) = guard(10_000_000_000, 0, HOUR);
        wall.store(1_000, Ordering::Release);
        assert!(guard.follow().is_some());
        let Some(ClockEvent::Believed { before, after, .. }) = guard.accept() else {
            panic!("it is believed");
        };
        assert_eq!(
            before, after,
            "nothing that was set meanwhile was set by a time that is behind"
        );
        assert!(now(&guard) >= 10_000_000_000);
    }

    #[test]
    fn after_a_long_stop_time_is_right_and_expiry_waits() {
        let (guard, _) = guard(YEAR_MS, 1_000_000, HOUR);
        assert!(now(&guard) >= YEAR_MS);
        assert_eq!(guard.follow(), None);
        assert!(frozen(&guard), "a year's worth of deadlines is not let go at once");
        guard.accept();
        assert!(!frozen(&guard));
    }

    #[test]
    fn a_wall_clock_before_the_journals_last_moment_is_not_followed() {
        let (guard, _) = guard(1_000, YEAR_MS, HOUR);
        assert!(now(&guard) >= YEAR_MS && guard.follow().is_none() && frozen(&guard));
    }
}
