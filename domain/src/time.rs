use serde::{Deserialize, Serialize};

use crate::limits::{CLOCK_STEPS_MAX, HOLD_TTL_MS_MAX, PAYMENT_DEADLINE_MS_MAX};

/// A moment of engine time: milliseconds since 1970-01-01T00:00:00Z.
///
/// The domain never reads a clock; every moment here came in with a command.
#[doc = include_str!("../docs/timestamp.md")]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment and `ms` milliseconds more; it stops at the end of time instead of wrapping.
    #[doc = include_str!("../docs/plus_ms.md")]
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 when `earlier` is the later one.
    #[doc = include_str!("../docs/ms_since.md")]
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What engine time did that cannot be seen in any single moment.
///
/// A clock that jumps a long way freezes expiry, until the step is believed. Nobody can say since when the clock had been wrong, if
/// it was: nothing may come early by the step, whenever it was set.
#[doc = include_str!("../docs/clock_event.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockEvent {
    /// The wall clock was seen a long way off.
    Frozen {
        /// The last moment at which the clocks agreed.
        from: Timestamp,
    },
    /// The wall clock is believed: engine time went from `before` to `after` at once.
    Believed {
        /// The last moment at which the clocks agreed.
        from: Timestamp,
        /// The last moment of the time that was behind.
        before: Timestamp,
        /// The first moment of the time that is right.
        after: Timestamp,
    },
}

/// The steps that engine time made, as far as a deadline that is still to come may depend on them. A stop that was longer than
/// the clock may jump is one too: a clock that was put right meanwhile looks the same.
#[doc = include_str!("../docs/clock_steps.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSteps {
    frozen_from: Option<Timestamp>,
    steps: Vec<Step>,
}

/// When the clocks last agreed, and the moments before and after time moved.
type Step = (Timestamp, Timestamp, Timestamp);

impl ClockSteps {
    /// Follows one event.
    #[doc = include_str!("../docs/clock_steps_evolve.md")]
    pub fn evolve(&mut self, event: &ClockEvent) {
        match *event {
            ClockEvent::Frozen { from } => self.frozen_from = Some(from),
            ClockEvent::Believed { from, before, after } => {
                self.frozen_from = None;
                // A deadline that depends on one step may have been put off by all of them.
                let steps_ms: u64 = self.steps.iter().map(missing).sum();
                let longest = PAYMENT_DEADLINE_MS_MAX.max(HOLD_TTL_MS_MAX) + steps_ms;
                self.steps.retain(|(.., after)| after.plus_ms(longest) > before);
                if self.steps.len() == CLOCK_STEPS_MAX {
                    self.steps.remove(0);
                }
                self.steps.push((from, before, after));
            }
        }
    }

    /// Since when expiry is frozen.
    #[doc = include_str!("../docs/frozen_from.md")]
    #[must_use]
    pub fn frozen_from(&self) -> Option<Timestamp> {
        self.frozen_from
    }

    /// When something is due that was set at `set_at` to be due at `due`: later by every step that time made in between, so that it
    /// has all of its time by a clock that runs. Never earlier than `due`.
    #[doc = include_str!("../docs/clock_due.md")]
    #[must_use]
    pub fn due(&self, set_at: Timestamp, due: Timestamp) -> Timestamp {
        self.steps.iter().fold(due, |due, step| {
            let (_, before, _) = *step;
            let is_between = set_at <= before && before < due;
            if is_between { due.plus_ms(missing(step)) } else { due }
        })
    }
}

/// By how much time went on at once.
fn missing((_, before, after): &Step) -> u64 {
    after.ms_since(*before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(from: u64, before: u64, after: u64) -> ClockEvent {
        ClockEvent::Believed {
            from: Timestamp(from),
            before: Timestamp(before),
            after: Timestamp(after),
        }
    }

    fn due(steps: &ClockSteps, set_at: u64, due: u64) -> u64 {
        steps.due(Timestamp(set_at), Timestamp(due)).0
    }

    #[test]
    fn what_was_set_before_a_step_is_due_later_by_it() {
        let mut steps = ClockSteps::default();
        steps.evolve(&ClockEvent::Frozen { from: Timestamp(1_000) });
        assert_eq!(steps.frozen_from(), Some(Timestamp(1_000)));
        steps.evolve(&believed(1_000, 1_500, 9_000));
        assert_eq!(steps.frozen_from(), None);
        assert_eq!(due(&steps, 1_000, 2_000), 9_500, "set while it was behind");
        assert_eq!(due(&steps, 1_500, 2_000), 9_500, "in its last moment");
        assert_eq!(due(&steps, 999, 2_000), 9_500, "set before it was seen to be behind");
        assert_eq!(due(&steps, 9_000, 9_100), 9_100, "set when it was right again");
        assert_eq!(due(&steps, 1_100, 1_400), 1_400, "its time had passed before the step");
    }

    #[test]
    fn what_one_step_put_off_may_be_put_off_by_the_next() {
        let mut steps = ClockSteps::default();
        steps.evolve(&believed(1_000, 1_000, 5_000));
        steps.evolve(&believed(6_000, 6_000, 7_000));
        assert_eq!(due(&steps, 900, 2_500), 2_500 + 4_000 + 1_000);
        assert_eq!(due(&steps, 900, 1_500), 1_500 + 4_000, "it was due before the second");
        assert_eq!(due(&steps, 5_500, 6_500), 7_500);
    }

    #[test]
    fn steps_are_forgotten_when_no_deadline_can_depend_on_them() {
        let mut steps = ClockSteps::default();
        for step in 0..10 * CLOCK_STEPS_MAX as u64 {
            steps.evolve(&believed(step, step, step + 1));
        }
        assert_eq!(steps.steps.len(), CLOCK_STEPS_MAX);
        let much_later = 2 * HOLD_TTL_MS_MAX;
        steps.evolve(&believed(much_later, much_later, much_later + 1));
        assert_eq!(steps.steps.len(), 1);
    }
}
