use serde::{Deserialize, Serialize};

use crate::Who;

/// Says of the events after it, in the same atomic group, who did them and under which idempotency key.
///
/// It is written in front of a decision, and only when there is something to say. That it is in the decision's group makes a
/// key as durable as its effect: neither is ever there without the other.
#[doc = include_str!("../docs/origin_type.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who.
    pub who: Option<Who>,
    /// Under which key.
    pub key: Option<IdempotencyKey>,
    /// How many events after this one it is about.
    pub covers: u32,
}

/// What makes a repeated request the same request. Whoever calls the engine makes both hashes.
#[doc = include_str!("../docs/idempotency_key.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// A hash of the caller and the caller's key: one that cannot be made to collide.
    pub key: [u8; 16],
    /// A hash of all that was asked. The same key with another one is a mistake of the caller's.
    pub request: u64,
}

impl IdempotencyKey {
    /// The key of one row of a batch that has this key: each row has its effect by itself.
    #[doc = include_str!("../docs/of_row.md")]
    #[must_use]
    pub fn of_row(self, row: usize) -> Self {
        /// Odd, so that no two rows of a batch meet.
        const STRIDE: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
        let key = u128::from_le_bytes(self.key);
        let key = key.wrapping_add(STRIDE.wrapping_mul(row as u128 + 1));
        Self { key: key.to_le_bytes(), ..self }
    }

    /// What stands for this key of a batch whose rows have effects by themselves: the same key, taken, but by no request.
    #[doc = include_str!("../docs/of_batch.md")]
    #[must_use]
    pub fn of_batch(self) -> Self {
        Self { request: !self.request, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_batch_has_a_key_of_its_own() {
        let batch = IdempotencyKey { key: [7; 16], request: 3 };
        let mut keys: Vec<_> = (0..1_000).map(|row| batch.of_row(row).key).collect();
        keys.push(batch.key);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1_001);
        assert_eq!(batch.of_row(5), batch.of_row(5), "a retry finds it again");
        assert_eq!(batch.of_row(5).request, 3);
    }
}
