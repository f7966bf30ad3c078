//! Answers wait for what they saw.
//!
//! Every answer, refusals and repeats too, carries the highest sequence it saw and leaves when that is committed and folded:
//! nobody is told what a crash can take back, and every later read sees every earlier answer.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use stockade_domain::Sequence;
use tokio::sync::Notify;

use crate::{Error, waits::Waits};

/// Lets an answer leave, or tells that it never can.
type Leave = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Answers of one lane, nearly in journal order: one that is behind a later one leaves with it, never too early.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<(Sequence, Leave)>>,
}

pub(crate) struct Answers {
    folded: AtomicU64,
    stopped: Mutex<Option<Arc<str>>>,
    queues: Vec<Queue>,
    /// Whoever follows the feed. Free while nobody does.
    progress: Notify,
    pub(crate) waits: Arc<Waits>,
}

impl Answers {
    pub(crate) fn new(lanes: usize, folded: Sequence) -> Self {
        Self {
            folded: AtomicU64::new(folded),
            stopped: Mutex::new(None),
            queues: (0..lanes).map(|_| Queue::default()).collect(),
            progress: Notify::new(),
            waits: Arc::default(),
        }
    }

    /// The last sequence that is committed and folded.
    pub(crate) fn folded(&self) -> Sequence {
        self.folded.load(Ordering::Acquire)
    }

    /// Lets the answer leave once `sequence` is folded.
    pub(crate) fn wait(&self, lane: usize, sequence: Sequence, leave: Leave) {
        let mut waiting = self.queues[lane].waiting.lock();
        // The fold moves `folded` before it takes this lock, so that either it finds the answer or we find the sequence.
        if sequence <= self.folded() && waiting.is_empty() {
            drop(waiting);
            return leave(Ok(()));
        }
        if let Some(reason) = &*self.stopped.lock() {
            return leave(Err(Error::Stopped(reason.clone())));
        }
        waiting.push_back((sequence, leave));
    }

    /// Everything up to `sequence` is committed and folded.
    pub(crate) fn release(&self, sequence: Sequence) {
        self.folded.store(sequence, Ordering::Release);
        for queue in &self.queues {
            self.release_queue(queue);
        }
        self.progress.notify_waiters();
        self.waits.release(sequence);
    }

    fn release_queue(&self, queue: &Queue) {
        // Answers leave outside the lock, in small lots, so that a lane never waits for a whole commit's worth of them.
        const LOT: usize = 64;
        let mut lot: Vec<Leave> = Vec::with_capacity(LOT);
        loop {
            let mut waiting = queue.waiting.lock();
            while lot.len() < LOT && waiting.front().is_some_and(|(seen, _)| *seen <= self.folded())
            {
                lot.extend(waiting.pop_front().map(|(_, leave)| leave));
            }
            drop(waiting);
            if lot.is_empty() {
                return;
            }
            lot.drain(..).for_each(|leave| leave(Ok(())));
        }
    }

    /// Nothing more will ever be committed: every answer, now and later, says so.
    pub(crate) fn stop(&self, reason: &Arc<str>) {
        self.stopped.lock().get_or_insert_with(|| reason.clone());
        self.waits.close();
        for queue in &self.queues {
            let waiting = std::mem::take(&mut *queue.waiting.lock());
            for (_, leave) in waiting {
                leave(Err(Error::Stopped(reason.clone())));
            }
        }
        self.progress.notify_waiters();
    }

    /// Waits until something after `sequence` is folded, or nothing ever will be.
    pub(crate) async fn folds_beyond(&self, sequence: Sequence) {
        loop {
            let mut moved = pin!(self.progress.notified());
            // From here on no progress is missed.
            moved.as_mut().enable();
            if self.folded() > sequence || self.stopped.lock().is_some() {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(answers: &Answers, sequence: Sequence) -> Arc<Mutex<Option<bool>>> {
        let left = Arc::new(Mutex::new(None));
        let mark = left.clone();
        answers.wait(0, sequence, Box::new(move |ok| *mark.lock() = Some(ok.is_ok())));
        left
    }

    #[test]
    fn an_answer_leaves_when_what_it_saw_is_folded_and_not_before() {
        let answers = Answers::new(1, 0);
        let second = answer(&answers, 2);
        answers.release(1);
        assert_eq!(*second.lock(), None);
        answers.release(2);
        assert_eq!(*second.lock(), Some(true));
        assert_eq!(*answer(&answers, 1).lock(), Some(true), "what is folded already does not wait");
    }

    #[test]
    fn after_a_stop_no_answer_claims_success() {
        let answers = Answers::new(1, 0);
        let before = answer(&answers, 5);
        answers.stop(&"disk".into());
        assert_eq!(*before.lock(), Some(false));
        assert_eq!(*answer(&answers, 6).lock(), Some(false));
    }
}
