//! A disk whose power can be cut.
//!
//! The problem: killing a process shows nothing, because the page cache survives it. What a power
//! cut leaves of what was not synced is up to the drive: all of it, none, any sector of it, in any
//! order. This disk keeps a log of every operation since it was made, and from that log builds the
//! image that a cut at any operation leaves behind.
//!
//! The rules of an image: what was synced before the cut is there; every sector written since holds
//! any of the contents it has had since its last sync; names made, removed or changed since the
//! last sync of the folder are a prefix of those changes; a sync that failed may have lost what it
//! was to write, for good.

use super::{
    Disk, DiskFile,
    gate::{Gate, HeldSyncs},
    image::{Image, Names, Operation, Random, overwrite},
    memory::missing,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error (EIO).
    Io,
    /// No space left (ENOSPC).
    NoSpace,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("input/output error (simulated)"),
            Fault::NoSpace => {
                io::Error::new(io::ErrorKind::StorageFull, "no space left on device (simulated)")
            }
        }
    }
}

/// A simulated disk. Handles are cheap to clone and share one disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// The process that uses this handle was killed.
    killed: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

struct State {
    seed: u64,
    lying: bool,
    cut_at: Option<u64>,
    capacity: Option<u64>,
    writes: u64,
    syncs: u64,
    write_faults: Vec<(u64, Fault)>,
    sync_faults: Vec<(u64, Fault)>,
    names: Names,
    live: Vec<Vec<u8>>,
    /// What the disk held, durably, when it was made; the log starts from there.
    first_names: Names,
    first_files: Vec<Vec<u8>>,
    log: Vec<Operation>,
}

impl SimDisk {
    /// An empty disk. The seed decides what a power cut leaves.
    pub fn new(seed: u64) -> Self {
        SimDisk::with_files(seed, Names::new(), Vec::new())
    }

    fn with_files(seed: u64, names: Names, files: Vec<Vec<u8>>) -> Self {
        let state = State {
            seed,
            lying: false,
            cut_at: None,
            capacity: None,
            writes: 0,
            syncs: 0,
            write_faults: Vec::new(),
            sync_faults: Vec::new(),
            names: names.clone(),
            live: files.clone(),
            first_names: names,
            first_files: files,
            log: Vec::new(),
        };
        SimDisk { state: Arc::new(Mutex::new(state)), killed: Arc::default(), gate: Arc::default() }
    }

    /// From now on a sync of a file does not return, and makes nothing durable, while the answer lives.
    pub fn hold_syncs(&self) -> HeldSyncs {
        HeldSyncs::new(&self.gate)
    }

    /// The power goes at the `operation`-th operation (from 1): it may be done in part, and every
    /// later one fails.
    pub fn cut_at(&self, operation: u64) -> &Self {
        self.state.lock().cut_at = Some(operation);
        self
    }

    /// Operations so far: create, remove, rename, write, sync, sync of the folder. Reads do not
    /// count.
    pub fn operations(&self) -> u64 {
        self.state.lock().log.len() as u64
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// The `n`-th write (from 1) fails, after a part of it was done.
    pub fn fail_write(&self, n: u64, fault: Fault) -> &Self {
        self.state.lock().write_faults.push((n, fault));
        self
    }

    /// The `n`-th sync of a file (from 1) fails; what it was to make durable may be lost for good.
    pub fn fail_sync(&self, n: u64, fault: Fault) -> &Self {
        self.state.lock().sync_faults.push((n, fault));
        self
    }

    /// Writes that would grow all files together beyond `bytes` fail for want of space. `None`
    /// lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) -> &Self {
        self.state.lock().capacity = bytes;
        self
    }

    /// A lying disk's syncs do nothing and say that they did. For the test of a test: it must then
    /// fail.
    pub fn lying(&self, lying: bool) -> &Self {
        self.state.lock().lying = lying;
        self
    }

    /// A new, honest disk that holds what a power cut now (or at [`SimDisk::cut_at`]) leaves.
    pub fn after_power_cut(&self) -> SimDisk {
        let operations = match self.state.lock() {
            state if state.check_power().is_err() => state.log.len() as u64,
            state => state.log.len() as u64 + 1,
        };
        self.after_power_cut_at(operations)
    }

    /// A new disk that holds what a power cut during the `operation`-th operation (from 1) leaves
    /// of a run that went on: one run serves for all its cuts. Above the number of operations:
    /// after all of them.
    pub fn after_power_cut_at(&self, operation: u64) -> SimDisk {
        let state = self.state.lock();
        let mut random = Random(state.seed ^ operation.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut image = Image::new(&state.first_names, &state.first_files);
        for step in state.log.iter().take(operation as usize) {
            image.apply(step, &mut random);
        }
        // The operation the cut falls into was begun, not finished: a sync in there proves nothing.
        if operation > state.log.len() as u64 {
            image.apply(&Operation::Nothing, &mut random);
        }
        let (names, files) = image.cut(&mut random);
        SimDisk::with_files(random.next(), names, files)
    }

    /// The same disk for the successor of a process that is killed now: all that was written is to
    /// be seen, synced or not. This handle, its clones and its files do nothing any more.
    pub fn after_kill(&self) -> SimDisk {
        let _state = self.state.lock();
        self.killed.store(true, Ordering::SeqCst);
        SimDisk { state: self.state.clone(), killed: Arc::default(), gate: self.gate.clone() }
    }

    /// The disk, for an operation of a process that lives.
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock();
        if self.killed.load(Ordering::SeqCst) {
            return Err(io::Error::other("the process was killed (simulated)"));
        }
        state.check_power()?;
        Ok(state)
    }

    /// The whole content of a file, as reads see it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        state.names.get(name).map(|file| state.live[*file].clone())
    }

    /// Puts a file there, durably: to damage one by hand.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state.lock();
        let known = state.names.get(name).copied();
        let file = known.unwrap_or_else(|| {
            let file = state.add_file();
            state.names.insert(name.to_owned(), file);
            file
        });
        state.live[file] = bytes.to_vec();
        state.first_names = state.names.clone();
        state.first_files = state.live.clone();
        state.log.clear();
    }
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SimDisk")
            .field("seed", &state.seed)
            .field("operations", &state.log.len())
            .finish()
    }
}

impl State {
    fn add_file(&mut self) -> usize {
        self.live.push(Vec::new());
        self.live.len() - 1
    }

    fn check_power(&self) -> io::Result<()> {
        match self.cut_at {
            Some(cut) if self.log.len() as u64 >= cut => {
                Err(io::Error::other("the power is off (simulated)"))
            }
            _ => Ok(()),
        }
    }

    /// Logs the operation; fails if the power went during it.
    fn log(&mut self, operation: Operation) -> io::Result<()> {
        self.check_power()?;
        self.log.push(operation);
        self.check_power()
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check_power()?;
        self.writes += 1;
        let writes = self.writes;
        let mut fault =
            self.write_faults.iter().find(|(n, _)| *n == writes).map(|(_, fault)| *fault);
        let end = offset + bytes.len() as u64;
        let growth = end.saturating_sub(self.live[file].len() as u64);
        let used: u64 = self.names.values().map(|file| self.live[*file].len() as u64).sum();
        if growth > 0 && self.capacity.is_some_and(|capacity| used + growth > capacity) {
            fault = Some(Fault::NoSpace);
        }
        let done = match fault {
            None => bytes.len(),
            Some(_) => Random(self.seed ^ writes).below(bytes.len() as u64 + 1) as usize,
        };
        overwrite(&mut self.live[file], offset as usize, &bytes[..done]);
        self.log(Operation::Write { file, offset, bytes: bytes[..done].to_vec() })?;
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.check_power()?;
        self.syncs += 1;
        let syncs = self.syncs;
        if let Some((_, fault)) = self.sync_faults.iter().find(|(n, _)| *n == syncs).copied() {
            self.log(Operation::SyncFailed { file })?;
            return Err(fault.error());
        }
        let operation = if self.lying { Operation::Nothing } else { Operation::Sync { file } };
        self.log(operation)
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.alive()?;
        if state.names.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} exists")));
        }
        let file = state.live.len();
        state.log(Operation::Create { name: name.to_owned(), file })?;
        state.add_file();
        state.names.insert(name.to_owned(), file);
        Ok(Arc::new(SimFile { disk: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.alive()?;
        let file = *state.names.get(name).ok_or_else(|| missing(name))?;
        Ok(Arc::new(SimFile { disk: self.clone(), file }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.alive()?.names.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.alive()?;
        if !state.names.contains_key(name) {
            return Err(missing(name));
        }
        state.log(Operation::Remove { name: name.to_owned() })?;
        state.names.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.alive()?;
        let file = *state.names.get(from).ok_or_else(|| missing(from))?;
        state.log(Operation::Rename { from: from.to_owned(), to: to.to_owned() })?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.alive()?;
        let operation = if state.lying { Operation::Nothing } else { Operation::SyncDir };
        state.log(operation)
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.alive()?.live[self.file].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.alive()?;
        let bytes = &state.live[self.file];
        let from = (offset as usize).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.alive()?.write(self.file, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.gate.pass();
        self.disk.alive()?.sync(self.file)
    }
}
