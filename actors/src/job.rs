//! Jobs: what the outside sends in, and how its answer gets out.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use actix::Message;
use parking_lot::Mutex;
use stockade_domain::{
    IdempotencyKey, OrderId, ProductId, Quantity, ReservationId, Sequence, StockKey, TransferId,
    WarehouseId,
    adjustment::{Adjust, AdjustRow, AdjustmentEvent},
    catalogue::{CatalogueCommand, Product, Shop, Warehouse},
    holder::{Hold, HoldCommand, HoldEvent, HolderKey, PlaceHold},
    order::{Order, OrderCommand, PlaceOrder},
    stock::StockCommand,
    transfer::{Transfer, TransferCommand},
};
use tokio::sync::oneshot;

use crate::{
    Error, StockRow,
    context::By,
    door::Permit,
    shared::Shared,
    workflow::{AccountRequest, AccountThing},
};

/// A transfer to be.
#[doc = include_str!("../docs/new_transfer.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// What moves.
    pub product: ProductId,
    /// From where.
    pub from: WarehouseId,
    /// To where.
    pub to: WarehouseId,
    /// How many.
    pub quantity: Quantity,
    /// Whether it is on the road until received; else it arrives at once.
    pub in_transit: bool,
}

/// What a catalogue command made or changed, as it is now.
#[doc = include_str!("../docs/catalogue_thing.md")]
#[derive(Clone, Debug, PartialEq)]
pub enum CatalogueThing {
    /// A product.
    Product(Arc<Product>),
    /// A shop.
    Shop(Arc<Shop>),
    /// A warehouse.
    Warehouse(Arc<Warehouse>),
}

/// Corrections of stocks that are made together.
pub(crate) enum Corrections {
    /// For one reason.
    One(Adjust),
    /// Each for its own.
    Rows(Vec<AdjustRow>),
}

/// One piece of work for one owner or stock.
pub(crate) enum Job {
    Place {
        request: PlaceOrder,
        reply: Reply<Order>,
    },
    /// All of a batch or none of it.
    PlaceAll {
        requests: Vec<PlaceOrder>,
        /// Their own keys, in their order; none at all where no order has one.
        keys: Vec<Option<IdempotencyKey>>,
        reply: Reply<Vec<Order>>,
    },
    Order {
        id: OrderId,
        command: OrderCommand,
        reply: Reply<Order>,
    },
    ExpireOrder {
        id: OrderId,
        reply: Reply<()>,
    },
    Hold {
        request: PlaceHold,
        reply: Reply<Hold>,
    },
    ChangeHold {
        id: ReservationId,
        command: HoldCommand,
        reply: Reply<Hold>,
    },
    ExpireHold {
        id: ReservationId,
        reply: Reply<()>,
    },
    /// From an order: hand the hold over.
    Claim {
        id: ReservationId,
        order: OrderId,
        reply: oneshot::Sender<Result<Hold, Error>>,
    },
    /// From an order: it came to nothing.
    Unclaim {
        id: ReservationId,
        order: OrderId,
        done: oneshot::Sender<()>,
    },
    /// From an order: this was appended about a hold that it had claimed.
    Converted {
        event: HoldEvent,
        done: oneshot::Sender<()>,
    },
    Transfer {
        request: NewTransfer,
        reply: Reply<Transfer>,
    },
    ChangeTransfer {
        id: TransferId,
        command: TransferCommand,
        reply: Reply<Transfer>,
    },
    Adjust {
        request: Corrections,
        reply: Reply<AdjustmentEvent>,
    },
    Catalogue {
        command: CatalogueCommand,
        reply: Reply<CatalogueThing>,
    },
    Account {
        request: AccountRequest,
        reply: Reply<AccountThing>,
    },
    Stock {
        key: StockKey,
        command: StockCommand,
        reply: Reply<StockRow>,
    },
    /// A bug, for the test of what one does.
    #[cfg(test)]
    Bug {
        reply: Reply<()>,
    },
}

impl Job {
    /// Whether a workflow that is under way waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self, Self::Claim { .. } | Self::Unclaim { .. } | Self::Converted { .. })
    }
}

/// Whose mailbox a job goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MailboxKey {
    Order(OrderId),
    Holder(HolderKey),
    Transfer(TransferId),
    Catalogue,
    Accounts,
}

/// Jobs for one lane.
pub(crate) struct Work(pub(crate) Vec<Job>);

impl Message for Work {
    type Result = ();
}

impl Message for Job {
    type Result = ();
}

/// Whose the work is, and where its answer goes.
pub(crate) struct Reply<T: Send + 'static> {
    pub(crate) by: By,
    way: Way<T>,
}

/// The way of an answer. It holds the permit of its work, and gives it back when the answer has left.
enum Way<T: Send + 'static> {
    One(oneshot::Sender<Result<T, Error>>, Permit),
    Many(Arc<Shelf<T>>, usize),
}

impl<T: Send + 'static> Reply<T> {
    pub(crate) fn one(by: By, permit: Permit) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { by, way: Way::One(sender, permit) }, receiver)
    }

    /// The same, for this caller.
    pub(crate) fn by(self, by: By) -> Self {
        Self { by, ..self }
    }

    /// Answers, as soon as everything up to `seen` is committed and folded.
    pub(crate) fn answer(
        self,
        shared: &Shared,
        lane: usize,
        seen: Sequence,
        result: Result<T, Error>,
    ) {
        match self.way {
            Way::One(sender, permit) => {
                let leave = move |ok: Result<(), Error>| {
                    drop(permit);
                    // A caller that went away changes nothing.
                    let _ = sender.send(ok.and(result));
                };
                shared.answers.wait(lane, seen, Box::new(leave));
            }
            Way::Many(shelf, index) => shelf.put(shared, lane, index, seen, result),
        }
    }
}

/// What the jobs of a batch came to, in their order.
type Answers<T> = Vec<Result<T, Error>>;

/// The answers of a batch, until all are there.
pub(crate) struct Shelf<T: Send + 'static> {
    results: Mutex<Vec<Option<Result<T, Error>>>>,
    missing: AtomicUsize,
    seen: AtomicU64,
    whole: Mutex<Option<(oneshot::Sender<Answers<T>>, Permit)>>,
}

impl<T: Send + 'static> Shelf<T> {
    fn put(
        self: Arc<Self>,
        shared: &Shared,
        lane: usize,
        index: usize,
        seen: Sequence,
        result: Result<T, Error>,
    ) {
        self.results.lock()[index] = Some(result);
        self.seen.fetch_max(seen, Ordering::AcqRel);
        if self.missing.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let Some((sender, permit)) = self.whole.lock().take() else { return };
        let seen = self.seen.load(Ordering::Acquire);
        let leave = move |ok: Result<(), Error>| {
            drop(permit);
            let results = std::mem::take(&mut *self.results.lock()).into_iter().flatten();
            let _ = sender.send(results.map(|result| ok.clone().and(result)).collect());
        };
        shared.answers.wait(lane, seen, Box::new(leave));
    }
}

/// The other end of a batch: all answers, in the order of the jobs.
pub(crate) struct Batch<T>(oneshot::Receiver<Answers<T>>);

impl<T: Send + 'static> Batch<T> {
    /// A batch of `len` jobs under one permit, and their replies.
    pub(crate) fn new(len: usize, permit: Permit) -> (Self, impl Iterator<Item = Reply<T>>) {
        let (sender, receiver) = oneshot::channel();
        let shelf = Arc::new(Shelf {
            results: Mutex::new((0..len).map(|_| None).collect()),
            missing: AtomicUsize::new(len),
            seen: AtomicU64::new(0),
            whole: Mutex::new(Some((sender, permit))),
        });
        let reply = move |index| Reply { by: By::default(), way: Way::Many(shelf.clone(), index) };
        (Self(receiver), (0..len).map(reply))
    }

    pub(crate) async fn answers(self, shared: &Shared) -> Result<Answers<T>, Error> {
        self.0.await.map_err(|_| shared.stopped_error())
    }
}

/// Sends each job to its lane, one message a lane.
pub(crate) fn send_all(shared: &Shared, jobs: impl Iterator<Item = (usize, Job)>) {
    let mut by_lane: Vec<Vec<Job>> = (0..shared.lane_count).map(|_| Vec::new()).collect();
    for (lane, job) in jobs {
        by_lane[lane].push(job);
    }
    for (lane, jobs) in by_lane.into_iter().enumerate().filter(|(_, jobs)| !jobs.is_empty()) {
        send(shared, lane, jobs);
    }
}

/// Sends work to a lane. The door bounds what is under way, so a lane's mailbox is never full: if it is, something is wrong
/// with the engine itself.
pub(crate) fn send(shared: &Shared, lane: usize, jobs: Vec<Job>) {
    if shared.lane(lane).try_send(Work(jobs)).is_err() {
        shared.stop("a lane takes no more work");
    }
}
