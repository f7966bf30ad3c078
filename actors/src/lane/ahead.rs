use std::{collections::VecDeque, hash::Hash};

use rustc_hash::FxHashMap;
use stockade_domain::Sequence;

/// States that are ahead of the read side: decided and appended, not yet folded.
///
/// A state may be forgotten only when the fold has passed its last sequence; woken earlier, its owner would decide on the past.
pub(crate) struct Ahead<K, S> {
    states: FxHashMap<K, (S, Sequence)>,
    /// Keys by the sequence they were put with, oldest first.
    put: VecDeque<(Sequence, K)>,
}

impl<K, S> Default for Ahead<K, S> {
    fn default() -> Self {
        Self { states: FxHashMap::default(), put: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, S: Clone> Ahead<K, S> {
    pub(crate) fn get(&self, key: &K) -> Option<S> {
        self.states.get(key).map(|(state, _)| state.clone())
    }

    pub(crate) fn put(&mut self, key: K, state: S, last: Sequence, folded: Sequence) {
        self.forget(folded);
        self.put.push_back((last, key.clone()));
        self.states.insert(key, (state, last));
    }

    fn forget(&mut self, folded: Sequence) {
        while self.put.front().is_some_and(|(last, _)| *last <= folded) {
            let Some((_, key)) = self.put.pop_front() else { return };
            if self.states.get(&key).is_some_and(|(_, last)| *last <= folded) {
                self.states.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_kept_until_its_last_event_is_folded() {
        let mut ahead = Ahead::default();
        ahead.put("a", "placed", 1, 0);
        ahead.put("a", "paid", 3, 0);
        ahead.put("b", "placed", 4, 2);
        assert_eq!(ahead.get(&"a"), Some("paid"), "its first event is folded, its last is not");
        ahead.put("c", "placed", 5, 3);
        assert_eq!(ahead.get(&"a"), None);
        assert_eq!(ahead.get(&"b"), Some("placed"));
    }
}
