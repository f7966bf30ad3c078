//! A lane: one arbiter, and the state of every actor whose home it is.
//!
//! All stocks of a product live on one lane, and orders live where their first product does, so that a chain of messages
//! rarely crosses. Mailboxes come and go with use; state stays here until the read side has it.

mod ahead;
mod owner;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
};

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};
use rustc_hash::FxHashMap;
use stockade_domain::{
    Event, OrderId, OwnerKind, Sequence, StockKey, Timestamp, TransferId,
    account::Accounts,
    catalogue::Catalogue,
    holder::{Holder, HolderKey},
    order::Order,
    stock::StockCommand,
    transfer::Transfer,
};
use stockade_storage::Group;
use tokio::sync::oneshot;

use crate::{
    Error, StockRow,
    context::By,
    ids::{self, KINDS},
    job::{Job, MailboxKey, Reply, Work},
    shared::Shared,
    stock::{self, StockActor, Stocks},
};
pub(crate) use ahead::Ahead;
use owner::OwnerActor;

/// A mailbox's bound. The door bounds what is under way, so no mailbox can ever be full; an unused one costs nothing.
pub(crate) const MAILBOX: usize = 1 << 24;

/// What the actors of one lane share, on its thread.
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stocks: RefCell<Stocks>,
    pub(crate) orders: RefCell<Ahead<OrderId, Order>>,
    pub(crate) holders: RefCell<Ahead<HolderKey, Holder>>,
    pub(crate) transfers: RefCell<Ahead<TransferId, Transfer>>,
    /// The catalogue, on the lane that owns it.
    pub(crate) catalogue: RefCell<Catalogue>,
    /// The accounts, on the same lane.
    pub(crate) accounts: RefCell<Accounts>,
    mailboxes: RefCell<FxHashMap<MailboxKey, Mailbox>>,
    /// Work that was let in and has not begun.
    waiting: RefCell<VecDeque<Job>>,
    /// Workflows that have begun and not ended.
    running: Cell<usize>,
    next_ids: [Cell<u64>; KINDS.len()],
    buffers: RefCell<Buffers>,
}

/// Reused from append to append.
#[derive(Default)]
struct Buffers {
    group: Group<Event>,
    bytes: Vec<u8>,
}

/// The mailbox of an owner with work to do.
struct Mailbox {
    addr: Addr<OwnerActor>,
    /// Jobs in it; it goes with the last.
    jobs: usize,
}

/// Workflows that run at once on a lane. They wait for nothing but stocks, so a few keep a lane busy.
const RUNNING_MAX: usize = 64;

/// The lane whose catalogue and accounts decide.
pub(crate) const CATALOGUE_LANE: usize = 0;

impl Lane {
    fn new(index: usize, shared: Arc<Shared>) -> Self {
        let first = |kind| Cell::new(shared.leases.first(kind, index, shared.lane_count));
        let (catalogue, accounts) = match index {
            CATALOGUE_LANE => {
                (shared.read.catalogue.read().clone(), shared.read.accounts.read().clone())
            }
            _ => Default::default(),
        };
        Self {
            index,
            stocks: RefCell::default(),
            orders: RefCell::default(),
            holders: RefCell::default(),
            transfers: RefCell::default(),
            catalogue: RefCell::new(catalogue),
            accounts: RefCell::new(accounts),
            mailboxes: RefCell::default(),
            waiting: RefCell::default(),
            running: Cell::new(0),
            next_ids: KINDS.map(first),
            buffers: RefCell::default(),
            shared,
        }
    }

    /// Engine time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Appends one atomic group and returns its last sequence. If that fails nothing has happened, and the engine stops.
    pub(crate) fn append(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Sequence, Error> {
        let Buffers { group, bytes } = &mut *self.buffers.borrow_mut();
        // Nothing is in it, unless a panic came between: half a group must never go with the next one.
        group.clear();
        for event in events {
            bytes.clear();
            stockade_storage::encode(&event, bytes);
            group.push(event, |out| out.extend_from_slice(bytes));
        }
        self.shared.append(group)
    }

    /// Appends a decision as one atomic group, and in front of it who did it. Returns the last sequence.
    pub(crate) fn decide(
        &self,
        by: &By,
        events: impl IntoIterator<Item = Event, IntoIter: ExactSizeIterator>,
    ) -> Result<Sequence, Error> {
        let events = events.into_iter();
        let sequence = self.append(by.origins(events.len()).chain(events))?;
        by.is_written();
        Ok(sequence)
    }

    /// The next id of a kind, once its lease is durable.
    pub(crate) async fn next_id(&self, kind: OwnerKind) -> Result<u64, Error> {
        let next = &self.next_ids[ids::index(kind)];
        let id = next.get();
        next.set(id + self.shared.lane_count as u64);
        loop {
            if let Some(event) = self.shared.leases.more(kind, id) {
                self.append([event])?;
            }
            if self.shared.leases.covers(kind, id) {
                return Ok(id);
            }
            self.folded(self.shared.journal().appended()).await?;
        }
    }

    /// Waits until `sequence` is committed and folded.
    pub(crate) async fn folded(&self, sequence: Sequence) -> Result<(), Error> {
        let (sender, receiver) = oneshot::channel();
        let leave = move |ok| drop(sender.send(ok));
        self.shared.answers.wait(self.index, sequence, Box::new(leave));
        receiver.await.unwrap_or_else(|_| Err(self.shared.stopped_error()))
    }

    /// Answers a workflow: with the sequence of its own last event, or for a refusal or a repeat, of anything it may have seen.
    pub(crate) fn answer<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        outcome: Result<(T, Option<Sequence>), Error>,
    ) {
        let (result, seen) = match outcome {
            Ok((value, seen)) => (Ok(value), seen),
            Err(error) => (Err(error), None),
        };
        let seen = seen.unwrap_or_else(|| self.shared.journal().appended());
        reply.answer(&self.shared, self.index, seen, result);
    }

    /// Takes in a job. One that another workflow waits for begins at once; the others begin as earlier ones end, so that what a
    /// few workflows touch stays in the processor's cache however much was sent at once.
    fn take_in(self: &Rc<Self>, job: Job) {
        match job {
            Job::Stock { key, command, reply } => self.change_stock(key, command, reply),
            of_workflow if of_workflow.is_awaited() => self.begin(of_workflow),
            from_outside => self.waiting.borrow_mut().push_back(from_outside),
        }
    }

    /// Begins waiting work while there is room.
    fn begin_waiting(self: &Rc<Self>) {
        if self.shared.is_stopped() {
            // A job that is dropped tells its caller that the engine has stopped.
            return self.waiting.borrow_mut().clear();
        }
        while self.running.get() < RUNNING_MAX {
            let Some(job) = self.waiting.borrow_mut().pop_front() else { return };
            self.running.set(self.running.get() + 1);
            self.begin(job);
        }
    }

    /// A workflow that came from outside has ended.
    fn ended(self: &Rc<Self>) {
        self.running.set(self.running.get() - 1);
        self.begin_waiting();
    }

    /// Puts a job into its owner's mailbox, which is made if there is none.
    fn begin(self: &Rc<Self>, job: Job) {
        let sent = match job.mailbox(&self.shared) {
            Some(key) => {
                let mut mailboxes = self.mailboxes.borrow_mut();
                let mailbox = mailboxes.entry(key.clone()).or_insert_with(|| Mailbox {
                    addr: OwnerActor::start(self.clone(), Some(key)),
                    jobs: 0,
                });
                mailbox.jobs += 1;
                mailbox.addr.try_send(job)
            }
            // A new owner: nobody else knows it until it has answered.
            None => OwnerActor::start(self.clone(), None).try_send(job),
        };
        if sent.is_err() {
            self.shared.stop("an owner's mailbox takes no more");
        }
    }

    fn change_stock(self: &Rc<Self>, key: StockKey, command: StockCommand, reply: Reply<StockRow>) {
        let addr = StockActor::wake(self, key);
        if addr.try_send(stock::Change { command, reply }).is_err() {
            self.shared.stop("a stock's mailbox takes no more");
        }
    }

    /// A job of this mailbox is done. Says whether it was the last one in it.
    fn done(&self, key: &MailboxKey) -> bool {
        let mut mailboxes = self.mailboxes.borrow_mut();
        let Some(mailbox) = mailboxes.get_mut(key) else { return true };
        mailbox.jobs -= 1;
        if mailbox.jobs > 0 {
            return false;
        }
        mailboxes.remove(key);
        true
    }
}

/// Runs a decision. A panic in it is caught and becomes a refusal: nothing had changed.
pub(crate) fn guarded<T>(decide: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or(Err(Error::Panicked))
}

/// The actor at a lane's door: it takes in work from other threads, and wakes actors.
pub(crate) struct LaneActor {
    lane: Rc<Lane>,
    _alive: Alive,
}

impl Actor for LaneActor {
    type Context = Context<Self>;
}

impl Handler<Work> for LaneActor {
    type Result = ();

    fn handle(&mut self, Work(jobs): Work, _: &mut Context<Self>) {
        jobs.into_iter().for_each(|job| self.lane.take_in(job));
        self.lane.begin_waiting();
    }
}

/// Wakes a stock for another lane.
pub(crate) struct Wake(pub(crate) StockKey);

impl Message for Wake {
    type Result = Addr<StockActor>;
}

impl Handler<Wake> for LaneActor {
    type Result = MessageResult<Wake>;

    fn handle(&mut self, Wake(key): Wake, _: &mut Context<Self>) -> Self::Result {
        MessageResult(StockActor::wake(&self.lane, key))
    }
}

/// Asks for the first ids that were not given out.
pub(crate) struct NextIds;

impl Message for NextIds {
    type Result = [u64; KINDS.len()];
}

impl Handler<NextIds> for LaneActor {
    type Result = MessageResult<NextIds>;

    fn handle(&mut self, _: NextIds, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.lane.next_ids.each_ref().map(Cell::get))
    }
}

/// Stops the engine if its holder is dropped while the engine runs: an actor that panicked is dropped by its arbiter, and what
/// it was doing nobody can finish.
pub(crate) struct Alive {
    shared: Arc<Shared>,
    name: &'static str,
    ended: Cell<bool>,
}

impl Alive {
    pub(crate) fn new(shared: &Arc<Shared>, name: &'static str) -> Self {
        Self { shared: shared.clone(), name, ended: Cell::new(false) }
    }

    /// It ends as it should.
    pub(crate) fn end(&self) {
        self.ended.set(true);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if !self.ended.get() && !self.shared.is_closed() {
            self.shared.stop(&format!("a panic in {}", self.name));
        }
    }
}

/// A lane's thread.
pub(crate) struct LaneThread {
    thread: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl LaneThread {
    /// Starts a lane, and says where it takes work.
    pub(crate) fn start(
        index: usize,
        shared: Arc<Shared>,
    ) -> std::io::Result<(Self, Addr<LaneActor>)> {
        let (end, ended) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("stockade-lane-{index}"));
        let thread = thread.spawn(move || {
            // No IO driver: a lane never touches a socket or a disk, and waking it is cheaper without.
            let runtime =
                || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            actix::System::with_tokio_rt(runtime).block_on(async move {
                let addr = LaneActor::create(|context| {
                    context.set_mailbox_capacity(MAILBOX);
                    let alive = Alive::new(&shared, "a lane");
                    LaneActor { lane: Rc::new(Lane::new(index, shared)), _alive: alive }
                });
                let _ = ready.send(addr);
                let _ = ended.await;
            });
        })?;
        let address = address.recv().map_err(std::io::Error::other)?;
        Ok((Self { thread, end }, address))
    }

    /// Ends the thread. Everything it was asked to do is done by then.
    pub(crate) fn end(self) {
        let _ = self.end.send(());
        if self.thread.join().is_err() {
            tracing::error!("a lane's thread ended in a panic");
        }
    }
}
