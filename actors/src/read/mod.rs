//! The read side: everything that is committed, as queries see it.
//!
//! Written by the fold alone, event by event in journal order, with the same `evolve` that the actors use. Actors that were
//! asleep wake from it.

mod apply;
mod before;
mod digest;
mod index;
mod live;
mod past;
mod query;
mod table;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use stockade_domain::{
    ClockSteps, Origin, Owner, OwnerKind, ReservationId, Sequence, StockKey,
    account::Accounts,
    adjustment::AdjustmentEvent,
    catalogue::Catalogue,
    holder::{Hold, HolderKey},
    open::OpenTable,
    order::Order,
    stock::Stock,
    transfer::Transfer,
};

pub(crate) use index::OrderIndex;
pub use live::{LiveReservation, Reserved};
pub(crate) use past::{PastSide, Pieces};
pub use query::{OrderFilter, OrderHistory, StockFilter, StockRow};
pub(crate) use table::{PAGE_IDS, Page, Table};

/// Everything that is committed.
#[derive(Default)]
pub(crate) struct ReadSide {
    pub(crate) catalogue: RwLock<Catalogue>,
    /// The sequence of the last catalogue event: what prices are as of.
    catalogue_at: AtomicU64,
    pub(crate) stocks: DashMap<StockKey, Stock, FxBuildHasher>,
    /// The keys of `stocks`, in order, for lists.
    pub(crate) stock_keys: RwLock<BTreeSet<StockKey>>,
    pub(crate) dirty_stocks: Mutex<FxHashSet<StockKey>>,
    pub(crate) past: PastSide,
    dirty_catalogue: Mutex<CatalogueDirt>,
    pub(crate) accounts: RwLock<Accounts>,
    dirty_accounts: Mutex<AccountsDirt>,
    pub(crate) orders: Table<Recorded<Order>>,
    /// Finds the orders of a customer, or with a reference, without looking at all of them.
    pub(crate) order_index: OrderIndex,
    pub(crate) holds: Table<Recorded<Hold>>,
    /// Live holds by who decides about them.
    pub(crate) holders: DashMap<HolderKey, BTreeSet<ReservationId>, FxBuildHasher>,
    /// Who has the units that a stock keeps under an earlier hold's entry.
    pub(crate) taken_over: DashMap<(Owner, StockKey), Owner, FxBuildHasher>,
    pub(crate) transfers: Table<Recorded<Transfer>>,
    pub(crate) adjustments: Table<AdjustmentEvent>,
    pub(crate) open: Mutex<OpenTable>,
    /// Ids of each kind below these may have been given out.
    pub(crate) leased: Mutex<FxHashMap<OwnerKind, u64>>,
    /// The steps that engine time made.
    pub(crate) clock: Mutex<ClockSteps>,
    covered: Covered,
    /// The last sequence that was applied. Only the fold's own; others wait for [`crate::answers::Answers`].
    pub(crate) applied: AtomicU64,
    /// The position of the last snapshot.
    pub(crate) snapshot_at: AtomicU64,
}

/// What changed in the catalogue since the last snapshot.
#[derive(Default)]
pub(crate) struct CatalogueDirt {
    pub(crate) product_pages: BTreeSet<u64>,
    pub(crate) shops: bool,
    pub(crate) warehouses: bool,
}

/// What changed among the accounts since the last snapshot.
#[derive(Default)]
pub(crate) struct AccountsDirt {
    pub(crate) customer_pages: BTreeSet<u64>,
    pub(crate) account_pages: BTreeSet<u64>,
    pub(crate) rest: bool,
}

/// A thing, and where its events are in the journal, with the origins of those that have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded<T> {
    pub(crate) now: T,
    pub(crate) events: Vec<Sequence>,
}

/// The last [`Origin`] and the events that it covers. Only the fold's own.
#[derive(Default)]
struct Covered {
    origin: AtomicU64,
    until: AtomicU64,
}

impl Covered {
    fn begin(&self, at: Sequence, origin: &Origin) {
        self.origin.store(at, Ordering::Relaxed);
        self.until.store(at + u64::from(origin.covers), Ordering::Relaxed);
    }

    /// The origin of the event at `sequence`, if it has one.
    fn origin_of(&self, sequence: Sequence) -> Option<Sequence> {
        (sequence <= self.until.load(Ordering::Relaxed))
            .then(|| self.origin.load(Ordering::Relaxed))
    }
}

impl<T> Recorded<T> {
    fn new(now: T, origin: Option<Sequence>, sequence: Sequence) -> Self {
        let events = origin.map_or_else(|| vec![sequence], |origin| vec![origin, sequence]);
        Self { now, events }
    }

    fn record(&mut self, origin: Option<Sequence>, sequence: Sequence) {
        let last = self.events.last().copied().unwrap_or(0);
        self.events.extend(origin.filter(|origin| *origin > last));
        self.events.push(sequence);
    }
}

impl ReadSide {
    /// The sequence of the last catalogue event.
    pub(crate) fn catalogue_at(&self) -> Sequence {
        self.catalogue_at.load(Ordering::Acquire)
    }

    pub(crate) fn set_catalogue_at(&self, sequence: Sequence) {
        self.catalogue_at.store(sequence, Ordering::Release);
    }

    pub(crate) fn take_dirty_catalogue(&self) -> CatalogueDirt {
        std::mem::take(&mut *self.dirty_catalogue.lock())
    }

    pub(crate) fn take_dirty_accounts(&self) -> AccountsDirt {
        std::mem::take(&mut *self.dirty_accounts.lock())
    }

    /// The state of a stock; one that nothing ever happened to is empty.
    pub(crate) fn stock(&self, key: StockKey) -> Stock {
        self.stocks.get(&key).map(|stock| stock.clone()).unwrap_or_default()
    }

    /// Units of a stock that can be promised, whatever its warehouse's status.
    pub(crate) fn available(&self, key: StockKey) -> u64 {
        self.stocks.get(&key).map_or(0, |stock| stock.available())
    }
}
