//! The engine: what embedders hold.

mod accounts;
mod as_of;
mod commands;
mod corrections;
mod frees;
mod history;
mod open;
mod queries;
mod run;
mod secrets;
mod stats;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock},
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::Mutex;
use stockade_domain::{Event, Timestamp};
use stockade_storage::{DataDirectory, Disk};

use crate::{
    Config, Context, Error, OpenError,
    clock::Clock,
    deadlines,
    fold::FoldEnd,
    ids::KINDS,
    lane::{LaneThread, NextIds},
    shared::Shared,
};
pub use accounts::{MadeApiKey, SignedIn};
pub use history::{FirstAnswer, StockChange};
pub use queries::CatalogueView;
pub use run::BatchMode;
pub use stats::Stats;

/// A running engine. Clones are handles of the same one; it is shut down with the last of them, or by
/// [`Engine::shutdown`].
///
/// It owns its threads: its async methods may be called from any runtime, or from none (with a `block_on` of any kind). A call
/// whose future is dropped is carried out all the same.
///
/// ```
/// use stockade_actors::{Engine, Error};
/// use stockade_domain::{
///     Currency, ShopId, WarehouseId,
///     catalogue::NewProduct,
///     order::{LineQuantity, PlaceOrder},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # futures_executor::block_on(async {
/// let engine = Engine::in_memory()?;
/// let ruler = engine
///     .create_product(NewProduct {
///         opening: Some((WarehouseId(1), 10)),
///         ..NewProduct::new("ruler", 350, Currency::USD)
///     })
///     .await?;
/// let lines = vec![LineQuantity { product: ruler.id, quantity: 3 }];
/// let order = engine.place_order(PlaceOrder::new(ShopId(1), lines)).await?;
/// assert_eq!(engine.product_stock(ruler.id, None), (10, 7));
/// let paid = engine.pay_order(order.id(), None).await?;
/// assert_eq!(paid.paid_amount, 1_050);
/// engine.shutdown()?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    /// Of the commands that are sent through this handle.
    context: Context,
}

struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
    opened: Opened,
    closed: OnceLock<Result<(), Error>>,
}

struct Threads {
    lanes: Vec<LaneThread>,
    deadlines: Option<JoinHandle<()>>,
    fold: JoinHandle<()>,
    fold_end: FoldEnd,
    /// Keeps the lock on the data directory.
    directory: Option<DataDirectory>,
}

/// What opening found and did.
#[doc = include_str!("../../docs/opened_type.md")]
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Whether there was nothing yet.
    pub created: bool,
    /// Whether the last run was shut down.
    pub clean: bool,
    /// Events that were read from the journal.
    pub replayed: u64,
    /// Things that a crash had interrupted, and that were undone or done.
    pub settled: usize,
    /// A torn tail that was cut off: where, and how many bytes.
    pub trimmed: Option<(String, u64)>,
    /// Why the state on sled was not used, if it was not.
    pub state_rebuilt: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Engine {
    /// Opens the engine on a data directory, which is created if it is not there.
    ///
    /// Reads the state, replays the journal from there, settles what a crash had interrupted, and only then lets anybody in.
    ///
    /// # Errors
    /// A directory that another process uses, a damaged journal (with file and offset), or a setting out of range. Nothing is
    /// changed then.
    #[doc = include_str!("../../docs/open.md")]
    pub fn open(config: Config) -> Result<Self, OpenError> {
        open::open(&config)
    }

    /// Opens the engine on a journal that is on any [`Disk`], such as a simulated one whose power can be cut. There is no
    /// state on sled then: every start replays the whole journal. The keyring is on the same disk. The configuration's data
    /// directory is not used.
    ///
    /// # Errors
    /// As [`Engine::open`].
    #[doc = include_str!("../../docs/open_on.md")]
    pub fn open_on(disk: Arc<dyn Disk>, config: &Config) -> Result<Self, OpenError> {
        open::open_on(disk, None, config)
    }

    /// An engine that keeps everything in memory; it ends with the process.
    ///
    /// # Errors
    /// Only when the operating system refuses a thread.
    #[doc = include_str!("../../docs/in_memory.md")]
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::open(Config::in_memory())
    }

    /// What opening found and did.
    #[doc = include_str!("../../docs/opened.md")]
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// Engine time now.
    #[doc = include_str!("../../docs/now.md")]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared().clock.now()
    }

    /// Moves a virtual clock, and returns when everything that fell due is done. `false` if the clock is not virtual. If the future
    /// is dropped, the clock has moved all the same, and what was not sent yet falls due at the next call.
    ///
    /// # Errors
    /// The engine has stopped.
    #[doc = include_str!("../../docs/advance.md")]
    pub async fn advance(&self, by: Duration) -> Result<bool, Error> {
        if self.shared().is_stopped() {
            return Err(self.shared().stopped_error());
        }
        if !self.shared().clock.advance(by) {
            return Ok(false);
        }
        for batch in deadlines::fire(self.shared(), self.now()).await? {
            batch.answers(self.shared()).await?.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        Ok(true)
    }

    /// Whether a jump of the wall clock has frozen expiry.
    #[doc = include_str!("../../docs/is_clock_frozen.md")]
    #[must_use]
    pub fn is_clock_frozen(&self) -> bool {
        self.shared().clock.is_frozen()
    }

    /// Believes a wall clock that has jumped, so that expiry goes on.
    ///
    /// # Errors
    /// The engine has stopped.
    #[doc = include_str!("../../docs/confirm_clock.md")]
    pub fn confirm_clock(&self) -> Result<(), Error> {
        self.shared().turn_clock(Clock::confirm)
    }

    /// Calls `tell` once, with the reason, when the engine stops by itself: a disk that failed, or a bug. It has stopped
    /// then: every call answers [`Error::Stopped`], and only the next start knows what became of the work under way.
    ///
    /// The engine keeps `tell` until then: an [`Engine`] inside it keeps the engine alive, so that only [`Engine::shutdown`]
    /// ends it.
    #[doc = include_str!("../../docs/on_stopped.md")]
    pub fn on_stopped(&self, tell: impl FnOnce(&str) + Send + 'static) {
        self.shared().on_stopped(Box::new(tell));
    }

    /// Takes no new work, finishes what is under way, writes a last checkpoint, and ends. Blocks meanwhile. Called again it says
    /// the same again.
    ///
    /// # Errors
    /// The engine had stopped, or the journal failed at the last moment.
    #[doc = include_str!("../../docs/shutdown.md")]
    pub fn shutdown(&self) -> Result<(), Error> {
        self.inner.shutdown()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }
}

impl Inner {
    fn shutdown(&self) -> Result<(), Error> {
        self.shared.drain();
        let mut threads = self.threads.lock();
        let Some(threads) = threads.take() else {
            let stopped = || match self.shared.is_stopped() {
                true => Err(self.shared.stopped_error()),
                false => Ok(()),
            };
            return self.closed.get().cloned().unwrap_or_else(stopped);
        };
        let closed = self.end(threads);
        self.closed.get_or_init(|| closed.clone());
        closed
    }

    fn end(&self, threads: Threads) -> Result<(), Error> {
        let shared = &self.shared;
        shared.deadlines.wake();
        if let Some(deadlines) = threads.deadlines {
            join(deadlines);
        }
        let mut drained = Ok(());
        if !shared.is_stopped() {
            drained = block_apart(drain(shared));
        }
        shared.door.close();
        shared.close();
        shared.answers.waits.end();
        threads.lanes.into_iter().for_each(LaneThread::end);
        let closed = shared.journal().shutdown();
        threads.fold_end.end();
        join(threads.fold);
        drop(threads.directory);
        if shared.is_stopped() {
            return Err(shared.stopped_error());
        }
        drained?;
        closed.map_err(|error| Error::Stopped(error.to_string().into()))
    }
}

/// Waits for a future on a thread of its own: whoever shuts down may be inside a runtime that would not allow it.
fn block_apart(future: impl Future<Output = Result<(), Error>> + Send) -> Result<(), Error> {
    let wait = || futures_executor::block_on(future);
    let waited = std::thread::scope(|scope| scope.spawn(wait).join());
    waited.unwrap_or(Err(Error::Panicked))
}

async fn drain(shared: &Shared) -> Result<(), Error> {
    // The whole door: everybody who was let in has left.
    let _everybody = shared.door.wait(usize::MAX - 1).await?;
    // Whoever had asked before the drain and comes now must not use an id that is given back here.
    shared.door.close();
    return_ids(shared).await
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the engine ended in a panic");
    }
}

/// Gives back what is left of the leases, so that ids go on without a gap after a clean stop.
async fn return_ids(shared: &Shared) -> Result<(), Error> {
    let mut next = [1; KINDS.len()];
    for lane in 0..shared.lane_count {
        let ids = shared.lane(lane).send(NextIds).await.map_err(|_| shared.stopped_error())?;
        for (next, id) in next.iter_mut().zip(ids) {
            // A lane that gave out none is still at the first id of the lease.
            let used = id.saturating_sub(shared.lane_count as u64) + 1;
            *next = used.max(*next);
        }
    }
    let leased = KINDS.into_iter().zip(next).map(|(kind, up_to)| {
        let up_to = up_to.max(shared.leases.start(kind));
        Event::IdsLeased { kind, up_to }
    });
    shared.append_all(leased).map(drop)
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.shutdown() {
            tracing::error!(%error, "the engine did not shut down cleanly");
        }
    }
}
