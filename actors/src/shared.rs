use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use dashmap::DashMap;
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;
use stockade_domain::{ClockEvent, Event, ProductId, Sequence, StockKey};
use stockade_storage::{AppendError, Group, Journal};

use crate::{
    Config, Error, answers::Answers, clock::Clock, crowd::Crowd, deadlines::Deadlines, door::Door,
    ids::Leases, keys::Keys, lane::LaneActor, read::ReadSide, stock::StockActor, vault::Vault,
};

/// Called once when the engine stops by itself, with the reason.
pub(crate) type OnStopped = Box<dyn FnOnce(&str) + Send>;

/// What all threads of an engine share.
pub(crate) struct Shared {
    pub(crate) read: ReadSide,
    pub(crate) keys: Arc<Keys>,
    pub(crate) answers: Answers,
    pub(crate) door: Door,
    pub(crate) clock: Arc<Clock>,
    clock_turn: Mutex<()>,
    pub(crate) deadlines: Deadlines,
    pub(crate) leases: Leases,
    pub(crate) vault: Vault,
    /// The mailboxes of stocks that are awake, whichever lane they live on.
    pub(crate) stocks: DashMap<StockKey, Addr<StockActor>, FxBuildHasher>,
    pub(crate) lanes: OnceLock<Vec<Addr<LaneActor>>>,
    pub(crate) lane_count: usize,
    pub(crate) stocks_awake_max: usize,
    /// What is left of a segment below this is not for deadlines.
    pub(crate) room_kept_bytes: u64,
    pub(crate) journal: OnceLock<Arc<Journal<Event>>>,
    pub(crate) crowd: Crowd,
    pub(crate) counters: Counters,
    stopped: OnceLock<Arc<str>>,
    draining: AtomicBool,
    /// Everything that was let in is done: actors may end.
    closed: AtomicBool,
    on_stopped: Mutex<Option<OnStopped>>,
}

/// What the engine counts about itself.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) expired: AtomicU64,
    /// The largest lateness of an expiry so far, in milliseconds.
    pub(crate) expiry_lag_ms_max: AtomicU64,
    pub(crate) expiry_lag_ms_sum: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) checkpoint_position: AtomicU64,
    pub(crate) checkpoint_broken: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        read: ReadSide,
        vault: Vault,
        keys: Keys,
        clock: Arc<Clock>,
        config: &Config,
        folded: Sequence,
    ) -> Self {
        let lane_count = config.lanes;
        let leases = Leases::new(&read.leased.lock());
        Self {
            read,
            keys: Arc::new(keys),
            answers: Answers::new(lane_count, folded),
            door: Door::new(config.work_max),
            clock,
            clock_turn: Mutex::new(()),
            deadlines: Deadlines::default(),
            leases,
            vault,
            stocks: DashMap::default(),
            lanes: OnceLock::new(),
            lane_count,
            stocks_awake_max: config.stocks_awake_max,
            room_kept_bytes: config.segment_bytes / 2,
            journal: OnceLock::new(),
            crowd: Crowd::default(),
            counters: Counters::default(),
            stopped: OnceLock::new(),
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            on_stopped: Mutex::new(None),
        }
    }

    pub(crate) fn journal(&self) -> &Arc<Journal<Event>> {
        self.journal.get().expect("the journal is started before any work is let in")
    }

    /// Appends one atomic group; `group` is empty afterwards. Never waits for the disk.
    ///
    /// The door bounds what can be in the queue, so that it is full only when the disk is far behind: then this thread waits
    /// for room instead of refusing what cannot be refused.
    pub(crate) fn append(&self, group: &mut Group<Event>) -> Result<Sequence, Error> {
        /// Between two looks at a full queue: a fraction of a commit.
        const FULL_PAUSE: Duration = Duration::from_micros(50);
        loop {
            if self.is_stopped() {
                return Err(self.stopped_error());
            }
            match self.journal().append(group) {
                Ok(appended) => return Ok(appended.last),
                Err(AppendError::Full) => std::thread::park_timeout(FULL_PAUSE),
                Err(error) => {
                    group.clear();
                    self.stop(&format!("the journal takes no more: {error}"));
                    return Err(self.stopped_error());
                }
            }
        }
    }

    /// Appends events as one atomic group, where no lane does it.
    pub(crate) fn append_all(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Sequence, Error> {
        let mut group = Group::new();
        let mut bytes = Vec::new();
        for event in events {
            bytes.clear();
            stockade_storage::encode(&event, &mut bytes);
            group.push(event, |out| out.extend_from_slice(&bytes));
        }
        self.append(&mut group)
    }

    /// Does something to the clock, and writes down what came of it. One at a time, so that the journal has it in the order in
    /// which it happened.
    pub(crate) fn turn_clock(
        &self,
        turn: impl FnOnce(&Clock) -> Option<ClockEvent>,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.clock_turn.lock();
        match turn(&self.clock) {
            Some(event) => self.append_all([event.into()]).map(drop),
            None => Ok(()),
        }
    }

    /// The lane on which all stocks of a product live, and with them the orders that begin with it.
    pub(crate) fn lane_of_product(&self, product: ProductId) -> usize {
        (product.0 % self.lane_count as u64) as usize
    }

    /// The lane on which an owner lives: ids are dealt out round robin.
    pub(crate) fn lane_of_id(&self, id: u64) -> usize {
        (id % self.lane_count as u64) as usize
    }

    pub(crate) fn lane(&self, lane: usize) -> &Addr<LaneActor> {
        &self.lanes.get().expect("lanes are started before any work is let in")[lane]
    }

    /// Whether new work may come in.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.stopped.get().is_some() {
            return Err(self.stopped_error());
        }
        if self.draining.load(Ordering::Acquire) {
            return Err(Error::Draining);
        }
        if self.journal().nearly_full() {
            return Err(Error::NearlyFull);
        }
        Ok(())
    }

    pub(crate) fn drain(&self) -> bool {
        !self.draining.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Stops for good: nothing is known any more about what was under way. The next start knows.
    pub(crate) fn stop(&self, reason: &str) {
        if self.stopped.set(reason.into()).is_err() {
            return;
        }
        tracing::error!(reason, "the engine stops");
        self.answers.stop(&self.stopped_reason());
        // Whoever waits for room, to work or to shut down, would wait for permits that nobody gives back.
        self.door.close();
        self.deadlines.wake();
        // Lanes look up and drop what has not begun. One whose mailbox takes nothing has ended.
        for lane in self.lanes.get().into_iter().flatten() {
            let _ = lane.try_send(crate::job::Work(Vec::new()));
        }
        if let Some(tell) = self.on_stopped.lock().take() {
            tell_apart(tell, reason);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    pub(crate) fn on_stopped(&self, tell: OnStopped) {
        let mut waiting = self.on_stopped.lock();
        match self.stopped.get() {
            Some(reason) => tell_apart(tell, reason),
            None => *waiting = Some(tell),
        }
    }

    fn stopped_reason(&self) -> Arc<str> {
        self.stopped.get().cloned().unwrap_or_else(|| "it was shut down".into())
    }

    pub(crate) fn stopped_error(&self) -> Error {
        Error::Stopped(self.stopped_reason())
    }
}

/// Tells on a thread of its own: whoever is told may shut the engine down, which waits for the thread that stopped it.
fn tell_apart(tell: OnStopped, reason: &str) {
    let reason = reason.to_owned();
    let thread = std::thread::Builder::new().name("stockade-stopped".into());
    if let Err(error) = thread.spawn(move || tell(&reason)) {
        tracing::error!(%error, "nobody can be told that the engine has stopped");
    }
}

/// Stops the engine when the thread or actor that holds it panics: whatever it was doing, nobody can finish it.
pub(crate) struct StopOnPanic(pub(crate) Arc<Shared>, pub(crate) &'static str);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(&format!("a panic in {}", self.1));
        }
    }
}
