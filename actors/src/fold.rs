//! The fold: the one consumer of what is committed.
//!
//! It applies every committed event, in order, to the read side and the open table, feeds the deadlines, lets answers leave,
//! and hands checkpoints over. It runs on its own thread, so that the journal can write the next commit meanwhile.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use stockade_domain::{
    Event, Origin, Owner, Sequence, Timestamp, holder::HoldEvent, order::OrderEvent,
};
use stockade_storage::{Committed, JournalError, Sink};

use crate::{
    checkpoint::{Checkpointer, Snapshot},
    shared::{Shared, StopOnPanic},
};

/// How many times as long as a checkpoint took passes before the next: one that is late costs a start some replay, and one
/// that is written costs everybody else time.
const CHECKPOINT_REST: u32 = 9;

/// Commits that may wait for the fold. More would only hide that it is behind.
const COMMITS_MAX: usize = 64;

enum Message {
    Committed(Committed<Event>),
    Synced(Sequence),
    Failed(String),
    /// The journal is closed: everything was sent.
    End,
}

/// The journal's end of the fold.
pub(crate) struct FoldSink(SyncSender<Message>);

impl FoldSink {
    fn send(&self, message: Message) {
        // The fold ends only after the journal, or by a panic that stops the engine.
        let _ = self.0.send(message);
    }
}

impl Sink<Event> for FoldSink {
    fn committed(&mut self, batch: Committed<Event>) {
        self.send(Message::Committed(batch));
    }

    fn synced(&mut self, sequence: Sequence, _time_ms: u64) {
        self.send(Message::Synced(sequence));
    }

    fn failed(&mut self, error: &JournalError) {
        self.send(Message::Failed(error.to_string()));
    }
}

/// Lets the fold's thread end, once the journal sends nothing more.
pub(crate) struct FoldEnd(SyncSender<Message>);

impl FoldEnd {
    pub(crate) fn end(&self) {
        let _ = self.0.send(Message::End);
    }
}

/// A channel to a fold that is not running yet.
pub(crate) fn channel() -> (FoldSink, FoldEnd, Inbox) {
    let (sender, receiver) = sync_channel(COMMITS_MAX);
    (FoldSink(sender.clone()), FoldEnd(sender), Inbox(receiver))
}

/// The fold's end of the channel.
pub(crate) struct Inbox(Receiver<Message>);

/// Starts the fold's thread.
pub(crate) fn start(
    shared: Arc<Shared>,
    inbox: Inbox,
    checkpointer: Option<Checkpointer>,
    checkpoint_every: Duration,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("stockade-fold".into()).spawn(move || {
        let _guard = StopOnPanic(shared.clone(), "the fold");
        let mut fold = Fold {
            shared,
            synced: 0,
            dues: Vec::new(),
            checkpointer,
            checkpoint_every,
            last_checkpoint: Instant::now(),
            waiting: None,
        };
        fold.run(&inbox);
    })
}

struct Fold {
    shared: Arc<Shared>,
    synced: Sequence,
    /// Deadlines of one commit, handed over together.
    dues: Vec<(Timestamp, Owner)>,
    checkpointer: Option<Checkpointer>,
    checkpoint_every: Duration,
    last_checkpoint: Instant,
    /// A checkpoint that waits until its position is synced.
    waiting: Option<Snapshot>,
}

impl Fold {
    fn run(&mut self, inbox: &Inbox) {
        while let Ok(message) = inbox.0.recv() {
            match message {
                Message::Committed(batch) => self.committed(batch),
                Message::Synced(sequence) => self.synced = sequence,
                Message::Failed(reason) => {
                    self.shared.stop(&format!("the journal failed: {reason}"))
                }
                Message::End => break,
            }
            self.checkpoint();
        }
        self.last_checkpoint();
    }

    fn committed(&mut self, mut batch: Committed<Event>) {
        for (sequence, event) in batch.payloads.drain(..) {
            self.shared.read.apply(sequence, &event);
            self.observe(sequence, batch.time_ms, &event);
        }
        if !self.dues.is_empty() {
            self.shared.deadlines.add(self.dues.drain(..));
        }
        let last = batch.last;
        batch.recycle();
        self.shared.answers.release(last);
    }

    /// What an event means for deadlines, leases and idempotency keys.
    fn observe(&mut self, sequence: Sequence, time_ms: u64, event: &Event) {
        match event {
            Event::Origin(Origin { key: Some(key), .. }) => {
                let clock = self.shared.read.clock.lock();
                self.shared.keys.done(key, sequence, time_ms, &clock);
            }
            Event::Order(OrderEvent::Placed(placed)) => {
                self.dues.push((placed.payment_deadline(), Owner::order(placed.id)));
            }
            Event::Order(OrderEvent::Expired(given)) => {
                let order =
                    self.shared.read.orders.with(given.order.0, |order| order.now.placed.clone());
                let deadline = order.map_or(given.at, |placed| placed.payment_deadline());
                let lag = given.at.ms_since(deadline);
                let counters = &self.shared.counters;
                counters.expired.fetch_add(1, Ordering::Relaxed);
                counters.expiry_lag_ms_sum.fetch_add(lag, Ordering::Relaxed);
                counters.expiry_lag_ms_max.fetch_max(lag, Ordering::Relaxed);
            }
            Event::Hold(HoldEvent::Placed(placed)) => {
                self.dues.push((placed.expires_at, Owner::hold(placed.id)));
            }
            Event::Hold(HoldEvent::Extended { hold, expires_at, .. }) => {
                self.dues.push((*expires_at, Owner::hold(*hold)));
            }
            // While it was claimed its timer may have come and gone.
            Event::Hold(HoldEvent::Unclaimed { hold, .. }) => {
                let expires_at = self.shared.read.holds.with(hold.0, |hold| hold.now.expires_at);
                self.dues.extend(expires_at.map(|at| (at, Owner::hold(*hold))));
            }
            Event::IdsLeased { kind, up_to } => self.shared.leases.durable(*kind, *up_to),
            Event::Clock(_) => self.shared.deadlines.wake(),
            _ => {}
        }
    }

    /// Takes a snapshot when one is due, and hands it over when all that is in it is synced.
    fn checkpoint(&mut self) {
        let Some(checkpointer) = &self.checkpointer else {
            return;
        };
        let pause = self.checkpoint_every.max(checkpointer.took() * CHECKPOINT_REST);
        let due = self.last_checkpoint.elapsed() >= pause;
        if due && self.waiting.is_none() && checkpointer.is_idle() {
            self.waiting = Snapshot::take(&self.shared.read, &self.shared.keys);
            self.last_checkpoint = Instant::now();
        }
        if let Some(snapshot) = self.waiting.take_if(|snapshot| snapshot.position() <= self.synced)
        {
            checkpointer.write(snapshot);
        }
    }

    /// A clean stop leaves a state that needs no replay.
    fn last_checkpoint(&mut self) {
        if self.shared.is_stopped() {
            return;
        }
        if let Some(checkpointer) = self.checkpointer.take() {
            let last = Snapshot::take(&self.shared.read, &self.shared.keys);
            for snapshot in self.waiting.take().into_iter().chain(last) {
                if snapshot.position() <= self.synced {
                    checkpointer.write_after_others(snapshot);
                }
            }
            checkpointer.finish();
        }
    }
}
