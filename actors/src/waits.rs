//! Waiting for a position, for a bounded time.
//!
//! The fold wakes whoever waits when the position is folded. A thread of its own wakes those whose time is up first, so that a
//! wait ends even when the fold does not go on; it is started by the first who has to wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use stockade_domain::Sequence;
use tokio::sync::oneshot;

use crate::Error;

/// The longest wait: a position that takes longer is not on its way.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The most waits at once.
const WAITS_MAX: usize = 65_536;

type Sender = oneshot::Sender<Result<(), Error>>;

/// Everybody who waits for a position.
#[derive(Default)]
pub(crate) struct Waits {
    state: Mutex<State>,
    /// An earlier end, or none any more.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    by_position: BTreeMap<(Sequence, u64), (Instant, Sender)>,
    by_end: BTreeSet<(Instant, u64, Sequence)>,
    next: u64,
    thread: Option<JoinHandle<()>>,
    closed: bool,
}

impl Waits {
    /// Waits for `position`, unless `folded` is there by now.
    ///
    /// # Errors
    /// Too many wait. When the engine ends nothing is sent.
    pub(crate) fn wait(
        self: &Arc<Self>,
        position: Sequence,
        timeout: Duration,
        folded: impl FnOnce() -> Sequence,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        // The fold moves its position before it takes this lock, so that either it finds the wait or we find the position.
        if position <= folded() {
            let _ = sender.send(Ok(()));
        } else if !state.closed {
            if state.by_position.len() >= WAITS_MAX || !self.start(&mut state) {
                return Err(Error::Overloaded);
            }
            let (end, id) = (Instant::now() + timeout.min(WAIT_MAX), state.next);
            state.next += 1;
            state.by_position.insert((position, id), (end, sender));
            state.by_end.insert((end, id, position));
            if state.by_end.first().is_some_and(|(_, first, _)| *first == id) {
                self.changed.notify_one();
            }
        }
        Ok(receiver)
    }

    /// Everything up to `folded` is committed and folded.
    pub(crate) fn release(&self, folded: Sequence) {
        let mut state = self.state.lock();
        while let Some(first) = state.by_position.first_entry()
            && first.key().0 <= folded
        {
            let ((position, id), (end, sender)) = first.remove_entry();
            state.by_end.remove(&(end, id, position));
            let _ = sender.send(Ok(()));
        }
    }

    /// Nothing more will be folded.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.by_position.clear();
        state.by_end.clear();
        self.changed.notify_one();
    }

    /// The same, and waits for the thread.
    pub(crate) fn end(&self) {
        self.close();
        let thread = self.state.lock().thread.take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of the waits ended in a panic");
        }
    }

    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        if state.thread.is_none() {
            let waits = self.clone();
            let thread = std::thread::Builder::new().name("stockade-waits".into());
            state.thread = thread.spawn(move || waits.run()).ok();
        }
        state.thread.is_some()
    }

    /// Ends waits whose time is up.
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            match state.by_end.first().copied() {
                None => self.changed.wait(&mut state),
                Some((end, id, position)) if end <= Instant::now() => {
                    state.by_end.remove(&(end, id, position));
                    if let Some((_, sender)) = state.by_position.remove(&(position, id)) {
                        let _ = sender.send(Err(Error::PositionNotReached));
                    }
                }
                Some((end, ..)) => drop(self.changed.wait_until(&mut state, end)),
            }
        }
    }
}
