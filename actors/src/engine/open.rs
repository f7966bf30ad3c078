use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, mpsc},
    time::Instant,
};

use parking_lot::Mutex;
use stockade_domain::{
    ClockEvent, Currency, Event, Origin, Owner, Sequence, Timestamp,
    catalogue::{CatalogueCommand, NewShop, NewWarehouse},
    order::Status,
};
use stockade_storage::{
    DataDirectory, Disk, Journal, JournalOptions, MemoryDisk, RealDisk, Recovered, StateOpened,
    StateStore,
};

use super::{Engine, Inner, Opened, Threads};
use crate::{
    Config, Context, Error, OpenError, checkpoint, checkpoint::Checkpointer, clock::Clock,
    deadlines, fold, ids::KINDS, keys::Keys, lane::LaneThread, read::ReadSide, shared::Shared,
    vault::Vault,
};

pub(super) fn open(config: &Config) -> Result<Engine, OpenError> {
    config.check()?;
    let directory = config.data_dir.clone().map(DataDirectory::open).transpose()?;
    let disk: Arc<dyn Disk> = match &directory {
        Some(directory) => Arc::new(RealDisk::new(directory.journal())),
        None => Arc::new(MemoryDisk::new()),
    };
    open_on(disk, directory, config)
}

/// Opens an engine whose journal is on `disk`; without a directory there are no checkpoints.
pub(super) fn open_on(
    disk: Arc<dyn Disk>,
    directory: Option<DataDirectory>,
    config: &Config,
) -> Result<Engine, OpenError> {
    let clock = |last_ms: u64| match config.virtual_clock {
        Some(now_ms) => Clock::moved_by_hand(now_ms.max(last_ms)),
        None => Clock::guarded(last_ms, config.clock_jump_max, config.clock_jump_lasts),
    };
    open_by(disk, directory, config, clock)
}

/// The same, by any clock; it goes on from the journal's last moment.
pub(super) fn open_by(
    disk: Arc<dyn Disk>,
    directory: Option<DataDirectory>,
    config: &Config,
    clock: impl FnOnce(u64) -> Clock,
) -> Result<Engine, OpenError> {
    let started = Instant::now();
    config.check()?;
    let options = JournalOptions {
        durability: config.durability,
        segment_bytes: config.segment_bytes,
        ..JournalOptions::default()
    };

    let mut opened = Opened::default();
    let mut state = State::open(directory.as_ref(), &disk, config)?;
    let mut replay = |record: stockade_storage::Record<'_>| {
        let event: Event =
            stockade_storage::decode(record.bytes).map_err(|error| error.to_string())?;
        state.read.apply(record.sequence, &event);
        if let Event::Origin(Origin { key: Some(key), .. }) = &event {
            let clock = state.read.clock.lock();
            state.keys.done(key, record.sequence, record.time_ms, &clock);
        }
        Ok(())
    };
    let keys: Arc<dyn Disk> = match &directory {
        Some(directory) => Arc::new(RealDisk::new(directory.secrets())),
        None => disk.clone(),
    };
    let (journal, recovered) = Journal::<Event>::open(disk, options, state.position, &mut replay)?;
    state.create_if_new(directory.as_ref(), &recovered)?;
    opened.note(&recovered, state.rebuilt.take());

    let clock = Arc::new(clock(recovered.last_time_ms));
    let State { read, keys: remembered, store, .. } = state;
    let vault = Vault::open(keys)?;
    vault.settle(&read.accounts.read())?;
    let shared =
        Shared::new(read, vault, remembered, clock.clone(), config, recovered.last_sequence);
    let shared = Arc::new(shared);
    let (sink, fold_end, inbox) = fold::channel();
    let journal = journal.start(Box::new(sink), Arc::new(move || clock.now().0))?;
    shared.journal.get_or_init(|| journal);
    let checkpointer = store.map(|store| Checkpointer::start(shared.clone(), store)).transpose()?;
    let fold = fold::start(shared.clone(), inbox, checkpointer, config.checkpoint_every)?;

    // From here on there is an engine: whatever fails below, dropping it ends its threads.
    let threads = Threads { lanes: Vec::new(), deadlines: None, fold, fold_end, directory };
    let threads = Mutex::new(Some(threads));
    let mut inner = Inner { shared, threads, opened, closed: OnceLock::new() };
    if let Err(error) = inner.begin(config.lanes, Timestamp(recovered.last_time_ms)) {
        inner.shared.stop("it could not be opened");
        return Err(error);
    }
    inner.opened.took = started.elapsed();
    Ok(Engine { inner: Arc::new(inner), context: Context::default() })
}

impl Inner {
    /// Settles what a crash had interrupted, and only then starts what lets clients and timers in.
    fn begin(&mut self, lane_count: usize, last: Timestamp) -> Result<(), OpenError> {
        let Self { shared, threads, opened, .. } = self;
        let threads = threads.get_mut().as_mut().expect("they have just been started");
        opened.settled = settle(shared, last).map_err(|error| stopped_early(shared, &error))?;
        feed_deadlines(shared);
        let mut addresses = Vec::with_capacity(lane_count);
        for index in 0..lane_count {
            let (lane, address) = LaneThread::start(index, shared.clone())?;
            threads.lanes.push(lane);
            addresses.push(address);
        }
        shared.lanes.get_or_init(|| addresses);
        if !shared.clock.is_virtual() {
            threads.deadlines = Some(deadlines::start(shared.clone())?);
        }
        Ok(())
    }
}

/// Why it could not be opened: what the journal says, if it failed.
fn stopped_early(shared: &Shared, error: &Error) -> OpenError {
    let other = || OpenError::Thread(std::io::Error::other(error.to_string()));
    shared.journal().poisoned().map_or_else(other, OpenError::Journal)
}

impl Opened {
    fn note(&mut self, recovered: &Recovered, state_rebuilt: Option<String>) {
        self.created = recovered.created;
        self.clean = recovered.clean;
        self.replayed = recovered.records;
        if let Some(trimmed) = &recovered.trimmed {
            tracing::warn!(
                file = trimmed.file,
                offset = trimmed.offset,
                bytes = trimmed.bytes,
                "a torn tail was cut off the journal"
            );
            self.trimmed = Some((trimmed.file.clone(), trimmed.bytes));
        }
        if let Some(reason) = state_rebuilt {
            tracing::warn!(reason, "the state on sled is rebuilt from the journal");
            self.state_rebuilt = Some(reason);
        }
    }
}

/// The read side as far as the state on sled knows it.
pub(crate) struct State {
    pub(crate) read: ReadSide,
    pub(crate) keys: Keys,
    pub(crate) store: Option<StateStore>,
    pub(crate) position: Sequence,
    pub(crate) rebuilt: Option<String>,
}

impl State {
    pub(crate) fn open(
        directory: Option<&DataDirectory>,
        disk: &Arc<dyn Disk>,
        config: &Config,
    ) -> Result<Self, OpenError> {
        let empty = Self::empty(config);
        let Some(directory) = directory else {
            return Ok(empty);
        };
        // A journal that is not there yet has no name: its state is made once it has one.
        match stockade_storage::journal_id(&**disk)? {
            Some(journal_id) => empty.load(&directory.state(), journal_id, config),
            None => Ok(empty),
        }
    }

    fn empty(config: &Config) -> Self {
        Self {
            read: ReadSide::default(),
            keys: Keys::new(config.idempotency_keys_max),
            store: None,
            position: 0,
            rebuilt: None,
        }
    }

    fn load(self, folder: &Path, journal_id: u128, config: &Config) -> Result<Self, OpenError> {
        let (store, rebuilt) = match open_store(folder, journal_id)? {
            StateOpened::Ready(store) => (store, None),
            StateOpened::Rebuild { store, reason } => (store, Some(reason)),
        };
        match checkpoint::load(&store, &self.read, &self.keys) {
            Ok(()) => {
                let position = store.position();
                Ok(Self { store: Some(store), position, rebuilt, ..self })
            }
            Err(reason) => {
                drop(store);
                remove(folder)?;
                let store = open_store(folder, journal_id)?.into_store();
                let rebuilt = Some(format!("its pages cannot be read: {reason}"));
                Ok(Self { store: Some(store), rebuilt, ..Self::empty(config) })
            }
        }
    }

    fn create_if_new(
        &mut self,
        directory: Option<&DataDirectory>,
        recovered: &Recovered,
    ) -> Result<(), OpenError> {
        if let (None, Some(directory)) = (&self.store, directory) {
            self.store = Some(open_store(&directory.state(), recovered.journal_id)?.into_store());
        }
        Ok(())
    }
}

fn open_store(folder: &Path, journal_id: u128) -> Result<StateOpened, OpenError> {
    Ok(StateStore::open(folder, journal_id)?)
}

fn remove(folder: &Path) -> Result<(), OpenError> {
    std::fs::remove_dir_all(folder)
        .map_err(|source| OpenError::State { path: PathBuf::from(folder), source })
}

/// Undoes what was taken and not decided, does what was decided and not given, leases ids, and makes the first shop and
/// warehouse of a new engine. Nobody is let in before all of it is folded.
fn settle(shared: &Shared, last: Timestamp) -> Result<usize, Error> {
    let open = shared.read.open.lock().clone();
    let settling = open.settle();
    let settled = settling.len();
    if settled > 0 {
        tracing::warn!(settled, "workflows that a crash had interrupted are settled");
    }
    for event in settling.into_iter().chain(first_things(shared)).chain(clock(shared, last)) {
        shared.append_all([event])?;
    }
    for kind in KINDS {
        if let Some(lease) = shared.leases.more(kind, shared.leases.start(kind)) {
            shared.append_all([lease])?;
        }
    }
    let (folded, done) = mpsc::channel();
    let last = shared.journal().appended();
    shared.answers.wait(0, last, Box::new(move |ok| drop(folded.send(ok))));
    done.recv().unwrap_or_else(|_| Err(shared.stopped_error()))?;
    if !shared.read.open.lock().is_empty() {
        shared.stop("the open table is not empty after settling");
        return Err(shared.stopped_error());
    }
    Ok(settled)
}

/// What this start means for what was set by the last run's clock. A long stop and a clock that was put right meanwhile look the
/// same, so that either is a step: nothing comes early by it.
fn clock(shared: &Shared, last: Timestamp) -> Vec<Event> {
    let now = shared.clock.now();
    let is_frozen = shared.clock.is_frozen();
    let before = shared.read.clock.lock().frozen_from().or(is_frozen.then_some(last));
    let believed = before.map(|from| ClockEvent::Believed { from, before: last, after: now });
    let frozen = is_frozen.then_some(ClockEvent::Frozen { from: now });
    believed.into_iter().chain(frozen).map(Event::from).collect()
}

/// The shop and the warehouse that a new engine has, for requests that name none.
fn first_things(shared: &Shared) -> Vec<Event> {
    let catalogue = shared.read.catalogue.read();
    let (shop, warehouse) = (catalogue.shops_after(0).next(), catalogue.warehouses_after(0).next());
    let mut commands = Vec::new();
    if shop.is_none() {
        commands.push(CatalogueCommand::CreateShop(NewShop::new("main", Currency::USD)));
    }
    if warehouse.is_none() {
        let name = "main".into();
        commands
            .push(CatalogueCommand::CreateWarehouse(NewWarehouse { name, ..Default::default() }));
    }
    let at = shared.clock.now();
    let decide = |command| catalogue.decide(&command, at).ok().flatten().map(Event::from);
    commands.into_iter().filter_map(decide).collect()
}

/// Deadlines are not kept anywhere but with their owners.
fn feed_deadlines(shared: &Shared) {
    let mut dues: Vec<(Timestamp, Owner)> = Vec::new();
    shared.read.orders.visit(0, |_, order| {
        if order.now.status == Status::PendingPayment {
            dues.push((order.now.placed.payment_deadline(), Owner::order(order.now.id())));
        }
        true
    });
    shared.read.holds.visit(0, |_, hold| {
        if hold.now.is_active() {
            dues.push((hold.now.expires_at, Owner::hold(hold.now.id)));
        }
        true
    });
    shared.deadlines.add(dues.into_iter());
}
