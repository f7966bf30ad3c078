use serde::{Deserialize, Serialize};

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
