use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;
use serde::Serialize;
use stockade_domain::{
    ClockSteps, OwnerKind, ProductId, Sequence, StockKey, WarehouseId,
    adjustment::AdjustmentEvent,
    catalogue::{Product, Shop, Warehouse},
    holder::Hold,
    open::OpenTable,
    order::Order,
    transfer::Transfer,
};
use stockade_storage::StateStore;

use super::{Counts, Kind, STOCK_PAGE_PRODUCTS, accounts::AccountPages};
use crate::{
    keys::{self, Keys},
    read::{CatalogueDirt, PAGE_IDS, Page, Pieces, ReadSide, Recorded},
    shared::Shared,
};

type Pages<T> = Vec<(u64, Page<T>)>;

/// Everything that changed since the last snapshot, as it is at one position.
pub(crate) struct Snapshot {
    position: Sequence,
    orders: Pages<Recorded<Order>>,
    holds: Pages<Recorded<Hold>>,
    transfers: Pages<Recorded<Transfer>>,
    adjustments: Pages<AdjustmentEvent>,
    stocks: Vec<(u64, Vec<Counts>)>,
    past_stocks: Pieces<StockKey>,
    past_warehouses: Pieces<WarehouseId>,
    past_products: Pieces<ProductId>,
    products: Vec<(u64, Vec<Arc<Product>>)>,
    shops: Option<Vec<Arc<Shop>>>,
    warehouses: Option<Vec<Arc<Warehouse>>>,
    accounts: AccountPages,
    keys: keys::Pages,
    open: OpenTable,
    leased: FxHashMap<OwnerKind, u64>,
    catalogue_at: Sequence,
    clock: ClockSteps,
}

impl Snapshot {
    /// A snapshot, if anything changed. Only the fold may take one, between two events.
    pub(crate) fn take(read: &ReadSide, keys: &Keys) -> Option<Self> {
        let position = read.applied.load(Ordering::Acquire);
        if position == read.snapshot_at.swap(position, Ordering::AcqRel) {
            return None;
        }
        let CatalogueDirt { product_pages, shops, warehouses } = read.take_dirty_catalogue();
        let catalogue = read.catalogue.read();
        let products_of = |page: u64| {
            let page_of = catalogue.products_after((page * PAGE_IDS).saturating_sub(1));
            page_of.take_while(|product| product.id.0 / PAGE_IDS == page).cloned().collect()
        };
        Some(Self {
            position,
            orders: read.orders.take_dirty(),
            holds: read.holds.take_dirty(),
            transfers: read.transfers.take_dirty(),
            adjustments: read.adjustments.take_dirty(),
            stocks: dirty_stocks(read),
            past_stocks: read.past.stocks.take_dirty(),
            past_warehouses: read.past.warehouses.take_dirty(),
            past_products: read.past.products.take_dirty(),
            products: product_pages.into_iter().map(|page| (page, products_of(page))).collect(),
            shops: shops.then(|| catalogue.shops_after(0).cloned().collect()),
            warehouses: warehouses.then(|| catalogue.warehouses_after(0).cloned().collect()),
            accounts: AccountPages::take(read),
            keys: keys.take_dirty(),
            open: read.open.lock().clone(),
            leased: read.leased.lock().clone(),
            catalogue_at: read.catalogue_at(),
            clock: read.clock.lock().clone(),
        })
    }

    /// The last event that is in it.
    pub(crate) fn position(&self) -> Sequence {
        self.position
    }

    fn encode(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut pages = Vec::new();
        encode_pages(&mut pages, Kind::Orders, &self.orders);
        encode_pages(&mut pages, Kind::Holds, &self.holds);
        encode_pages(&mut pages, Kind::Transfers, &self.transfers);
        encode_pages(&mut pages, Kind::Adjustments, &self.adjustments);
        encode_pages(&mut pages, Kind::Stocks, &self.stocks);
        encode_pages(&mut pages, Kind::PastStocks, &self.past_stocks);
        encode_pages(&mut pages, Kind::PastWarehouses, &self.past_warehouses);
        encode_pages(&mut pages, Kind::PastProducts, &self.past_products);
        encode_pages(&mut pages, Kind::Products, &self.products);
        encode_pages(&mut pages, Kind::Shops, &self.shops.map(|shops| (0, shops)));
        encode_pages(&mut pages, Kind::Warehouses, &self.warehouses.map(|places| (0, places)));
        self.accounts.encode(&mut pages);
        encode_pages(&mut pages, Kind::Clock, &[(0, self.clock)]);
        encode_pages(&mut pages, Kind::Keys, &self.keys.changed);
        pages.extend(self.keys.gone.iter().map(|page| (Kind::Keys.key(*page), None)));
        let rest = (self.open, self.leased, self.catalogue_at);
        encode_pages(&mut pages, Kind::Rest, &[(0, rest)]);
        pages
    }
}

fn dirty_stocks(read: &ReadSide) -> Vec<(u64, Vec<Counts>)> {
    let dirty = std::mem::take(&mut *read.dirty_stocks.lock());
    let pages: BTreeSet<u64> =
        dirty.iter().map(|key| key.product.0 / STOCK_PAGE_PRODUCTS).collect();
    let keys = read.stock_keys.read();
    let first = |page: u64| StockKey::new(WarehouseId(0), ProductId(page * STOCK_PAGE_PRODUCTS));
    let counts = |key: &StockKey| Some(Counts::new(*key, &*read.stocks.get(key)?));
    pages
        .into_iter()
        .map(|page| (page, keys.range(first(page)..first(page + 1)).filter_map(counts).collect()))
        .collect()
}

pub(super) fn encode_pages<'a, T: Serialize + 'a>(
    pages: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
    kind: Kind,
    from: impl IntoIterator<Item = &'a (u64, T)>,
) {
    for (number, page) in from {
        let mut bytes = Vec::new();
        stockade_storage::encode(page, &mut bytes);
        pages.push((kind.key(*number), Some(bytes)));
    }
}

/// Writes snapshots to sled, on a thread of its own.
pub(crate) struct Checkpointer {
    work: SyncSender<Snapshot>,
    busy: Arc<AtomicBool>,
    /// How long the last one took, in microseconds.
    took_us: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(crate) fn start(shared: Arc<Shared>, store: StateStore) -> std::io::Result<Self> {
        let (work, inbox) = sync_channel::<Snapshot>(1);
        let busy = Arc::new(AtomicBool::new(false));
        let took_us = Arc::new(AtomicU64::new(0));
        let (mark, took) = (busy.clone(), took_us.clone());
        let thread =
            std::thread::Builder::new().name("stockade-state".into()).spawn(move || {
                let _broken = BrokenOnPanic(shared.clone());
                while let Ok(snapshot) = inbox.recv() {
                    mark.store(true, Ordering::Release);
                    let started = Instant::now();
                    write(&shared, &store, snapshot);
                    took.store(started.elapsed().as_micros() as u64, Ordering::Release);
                    mark.store(false, Ordering::Release);
                }
            })?;
        Ok(Self { work, busy, took_us, thread })
    }

    /// Whether the last snapshot is written.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Acquire)
    }

    /// How long the last one took to encode and write.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_micros(self.took_us.load(Ordering::Acquire))
    }

    /// Hands a snapshot over. The fold asks first whether there is room, so that it never waits here.
    pub(crate) fn write(&self, snapshot: Snapshot) {
        self.busy.store(true, Ordering::Release);
        if let Err(TrySendError::Full(snapshot)) = self.work.try_send(snapshot) {
            self.write_after_others(snapshot);
        }
    }

    /// Hands a snapshot over, waiting for room.
    pub(crate) fn write_after_others(&self, snapshot: Snapshot) {
        let _ = self.work.send(snapshot);
    }

    /// Waits until everything is written.
    pub(crate) fn finish(self) {
        drop(self.work);
        if self.thread.join().is_err() {
            tracing::error!("the state's thread ended in a panic");
        }
    }
}

/// Says that there are no more checkpoints when their thread panics: the next start replays more of the journal.
struct BrokenOnPanic(Arc<Shared>);

impl Drop for BrokenOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.counters.checkpoint_broken.store(true, Ordering::Release);
            tracing::error!(
                "a panic in the state's thread: no more checkpoints until the next start"
            );
        }
    }
}

/// Writes one snapshot. A broken sled stops the checkpoints, not the engine: the next start replays more of the journal.
fn write(shared: &Shared, store: &StateStore, snapshot: Snapshot) {
    let counters = &shared.counters;
    if counters.checkpoint_broken.load(Ordering::Acquire) {
        return;
    }
    let position = snapshot.position;
    match store.write(position, &snapshot.encode()) {
        Ok(()) => {
            counters.checkpoints.fetch_add(1, Ordering::Relaxed);
            counters.checkpoint_position.store(position, Ordering::Release);
        }
        Err(error) => {
            counters.checkpoint_broken.store(true, Ordering::Release);
            tracing::error!(%error, "the state on sled is broken: no more checkpoints until the next start");
        }
    }
}
