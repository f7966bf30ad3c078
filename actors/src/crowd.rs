//! The crowd: workflows that hold some takes and ask for others, the only ones whose takes may yet be undone.

use std::{
    collections::{BTreeSet, hash_map::Entry},
    pin::pin,
};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use stockade_domain::{ProductId, Quantity};
use tokio::sync::Notify;

/// Who is in it now, and what they may yet give back.
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
    /// Units of each product that those who are here asked for.
    asked: FxHashMap<ProductId, Quantity>,
    /// The last number that was drawn when somebody last left who had given units of a product back. Empty when nobody is here.
    given_back: FxHashMap<ProductId, u64>,
}

/// One workflow's place in the crowd, until it is dropped.
pub(crate) struct Place<'a> {
    crowd: &'a Crowd,
    /// Nothing, for one that only looks on.
    number: Option<u64>,
    /// The last number drawn when it came, its own included.
    came: u64,
    asked: Vec<(ProductId, Quantity)>,
    gave_back: bool,
}

impl Crowd {
    /// Joins; whoever is not `counted` only looks on.
    pub(crate) fn enter(&self, counted: bool) -> Place<'_> {
        let mut state = self.state.lock();
        state.last += u64::from(counted);
        let came = state.last;
        let number = counted.then_some(came);
        state.here.extend(number);
        Place { crowd: self, number, came, asked: Vec::new(), gave_back: false }
    }
}

impl Place<'_> {
    /// Notes what is asked for, before it is.
    pub(crate) fn ask(&mut self, units: impl Iterator<Item = (ProductId, Quantity)>) {
        if self.number.is_none() {
            return;
        }
        let from = self.asked.len();
        self.asked.extend(units);
        let mut state = self.crowd.state.lock();
        for (product, units) in &self.asked[from..] {
            *state.asked.entry(*product).or_insert(0) += units;
        }
    }

    /// Notes that some of what it got is given back.
    pub(crate) fn give_back(&mut self) {
        self.gave_back = true;
    }

    /// The most units of a product that others may give back, or may have given back since this one came: whoever asked for some may
    /// yet fail.
    pub(crate) fn may_be_freed(&self, product: ProductId) -> Quantity {
        let state = self.crowd.state.lock();
        if state.given_back.get(&product).is_some_and(|then| *then >= self.came) {
            return Quantity::MAX;
        }
        let own = self.asked.iter().filter(|(asked, _)| *asked == product);
        let own: Quantity = own.map(|(_, units)| units).sum();
        state.asked.get(&product).copied().unwrap_or(0) - own
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
        let Some(number) = self.number else { return };
        let mut state = self.crowd.state.lock();
        let state = &mut *state;
        state.here.remove(&number);
        for (product, units) in &self.asked {
            if let Entry::Occupied(mut asked) = state.asked.entry(*product) {
                *asked.get_mut() -= units;
                if *asked.get() == 0 {
                    asked.remove();
                }
            }
            if self.gave_back {
                state.given_back.insert(*product, state.last);
            }
        }
        if state.here.is_empty() {
            state.given_back.clear();
        }
        self.crowd.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const RULER: ProductId = ProductId(1);
    const PEN: ProductId = ProductId(2);

    #[test]
    fn only_those_who_were_here_are_waited_for() {
        let crowd = Crowd::default();
        let first = crowd.enter(true);
        let second = crowd.enter(true);
        let mut waiting = Box::pin(second.others_leave());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        let later = crowd.enter(true);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(first);
        assert_eq!(waiting.now_or_never(), Some(()), "the later one is not waited for");
        drop(later);
        let alone = crowd.enter(false);
        assert_eq!(alone.others_leave().now_or_never(), Some(()));
    }

    #[test]
    fn what_others_asked_for_may_be_freed_and_what_one_asked_for_himself_may_not() {
        let crowd = Crowd::default();
        let mut first = crowd.enter(true);
        let mut second = crowd.enter(true);
        first.ask([(RULER, 3), (PEN, 1)].into_iter());
        first.ask([(RULER, 2)].into_iter());
        second.ask([(RULER, 7)].into_iter());
        let on_looker = crowd.enter(false);
        assert_eq!((first.may_be_freed(RULER), first.may_be_freed(PEN)), (7, 0));
        assert_eq!((second.may_be_freed(RULER), second.may_be_freed(PEN)), (5, 1));
        assert_eq!(on_looker.may_be_freed(RULER), 12);
    }

    #[test]
    fn what_was_given_back_since_one_came_may_be_free() {
        let crowd = Crowd::default();
        let mut first = crowd.enter(true);
        let mut keeps = crowd.enter(true);
        let second = crowd.enter(true);
        first.ask([(RULER, 3)].into_iter());
        keeps.ask([(PEN, 3)].into_iter());
        first.give_back();
        drop((first, keeps));
        assert_eq!(second.may_be_freed(RULER), Quantity::MAX);
        assert_eq!(second.may_be_freed(PEN), 0);
        let later = crowd.enter(true);
        assert_eq!(later.may_be_freed(RULER), 0, "it saw the stock without them");
        drop((second, later));
        let state = crowd.state.lock();
        assert!(
            state.given_back.is_empty() && state.asked.is_empty(),
            "nothing is kept for nobody"
        );
    }
}
