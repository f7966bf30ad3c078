//! The crowd: workflows that hold some takes and ask for others, the only ones whose takes may yet be undone.

use std::{collections::BTreeSet, pin::pin};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Who is in it now.
#[derive(Default)]
pub(crate) struct Crowd {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    /// Those who are here, by the number they drew.
    here: BTreeSet<u64>,
    /// The last number drawn.
    last: u64,
}

/// One workflow's place in the crowd, until it is dropped.
pub(crate) struct Place<'a> {
    crowd: &'a Crowd,
    number: Option<u64>,
    /// Whether there were others when this one came, and the last number by then.
    others: bool,
    last: u64,
}

impl Crowd {
    /// Joins; whoever is not `counted` only looks on.
    pub(crate) fn enter(&self, counted: bool) -> Place<'_> {
        let mut state = self.state.lock();
        let others = !state.here.is_empty();
        state.last += u64::from(counted);
        let last = state.last;
        let number = counted.then_some(last);
        state.here.extend(number);
        Place { crowd: self, number, others, last }
    }
}

impl Place<'_> {
    /// Whether anybody else was here meanwhile.
    pub(crate) fn has_others(&self) -> bool {
        self.others || self.crowd.state.lock().last > self.last
    }

    /// Leaves, and waits until all others have left that are here now. Whoever waits is not here, and holds nothing.
    pub(crate) async fn others_leave(self) {
        let crowd = self.crowd;
        drop(self);
        let last = crowd.state.lock().last;
        loop {
            let mut left = pin!(crowd.left.notified());
            // From here on nobody leaves unnoticed.
            left.as_mut().enable();
            if crowd.state.lock().here.first().is_none_or(|oldest| *oldest > last) {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.crowd.state.lock().here.remove(&number);
            self.crowd.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn only_those_who_were_here_are_waited_for() {
        let crowd = Crowd::default();
        let first = crowd.enter(true);
        assert!(!first.has_others());
        let second = crowd.enter(true);
        assert!(first.has_others() && second.has_others());
        let mut waiting = Box::pin(second.others_leave());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        let later = crowd.enter(true);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(first);
        assert_eq!(waiting.now_or_never(), Some(()), "the later one is not waited for");
        drop(later);
        let alone = crowd.enter(false);
        assert!(!alone.has_others());
        assert_eq!(alone.others_leave().now_or_never(), Some(()));
    }
}
