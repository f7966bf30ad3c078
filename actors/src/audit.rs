//! The audit: reads the whole journal again and checks everything it can.
//!
//! It folds every event into an empty read side, adds up the ledger, checks every named invariant, and compares with what is
//! live (or on sled). `replay` ends with it; `verify` is it, offline.

use std::{path::Path, sync::Arc};

use stockade_domain::{
    Event, OrderId, Sequence, StockKey,
    invariants::{self, Reasons, Road, Violation},
    ledger::Ledger,
    stock::Stock,
    succession::check_event,
};
use stockade_storage::{DataDirectory, Disk, JournalError, RealDisk, StateStore};
use thiserror::Error;

use crate::{Engine, Error as EngineError, checkpoint, keys::Keys, read::ReadSide};

/// Events read from the journal at a time.
const PAGE: usize = 4_096;

/// The most violations that are listed: the first few say what is wrong, millions of them say no more.
const VIOLATIONS_MAX: usize = 1_000;

/// What an audit found.
#[doc = include_str!("../docs/audit_type.md")]
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Events that were read.
    pub events: u64,
    /// Everything that is wrong, up to a bound.
    pub violations: Vec<Violation>,
    /// Stocks whose promises exceed what they have.
    pub oversold: u64,
    /// The hash of the state that the journal comes to.
    pub digest: u64,
}

/// What `verify` found in a data directory.
#[doc = include_str!("../docs/verified.md")]
#[derive(Clone, Debug)]
pub struct Verified {
    /// The journal and the invariants.
    pub audit: Audit,
    /// Workflows that the last run left open and the next start will settle.
    pub unsettled: usize,
    /// A torn tail that the next start will cut off: the file and the offset.
    pub torn: Option<(String, u64)>,
    /// The position of the state on sled, or why it cannot be used.
    pub state: Result<Sequence, String>,
    /// Whether the state on sled and the journal's tail come to the same as the whole journal; nothing if it cannot be used.
    pub state_agrees: Option<bool>,
}

/// Why a data directory cannot be verified.
#[doc = include_str!("../docs/verify_error.md")]
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error(transparent)]
    Directory(#[from] stockade_storage::DirectoryError),
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A second engine's worth of state, built from events alone.
#[derive(Default)]
struct Auditor {
    read: ReadSide,
    ledger: Ledger,
    events: u64,
    /// The first event that could not be.
    impossible: Option<Violation>,
}

impl Auditor {
    fn apply(&mut self, sequence: Sequence, event: &Event) {
        self.events += 1;
        if self.impossible.is_none() {
            check_event(&self.read, event, &mut |violation| self.impossible = Some(violation));
        }
        // What comes after an event that could not be is not judged: folding it may not even be possible.
        if self.impossible.is_none() {
            self.read.apply(sequence, event);
            self.ledger.apply(event);
        }
    }

    fn finish(self) -> (Audit, ReadSide) {
        let mut audit =
            Audit { events: self.events, digest: self.read.digest(), ..Audit::default() };
        if let Some(impossible) = self.impossible {
            audit.violations.push(impossible);
            return (audit, self.read);
        }
        let mut found = |violation: Violation| {
            if violation.invariant == invariants::Invariant::NothingOversold {
                audit.oversold += 1;
            }
            if audit.violations.len() < VIOLATIONS_MAX {
                audit.violations.push(violation);
            }
        };
        let stocks: Vec<(StockKey, Stock)> =
            self.read.stocks.iter().map(|stock| (*stock.key(), stock.clone())).collect();
        let all = || stocks.iter().map(|(key, stock)| (*key, stock));
        let open = self.read.open.lock();
        let mut reasons = Reasons::default();
        all().for_each(|(key, stock)| invariants::check_stock(key, stock, &mut found));
        self.read.orders.visit(0, |_, order| {
            invariants::check_order(&order.now, &mut found);
            reasons.order(&order.now);
            true
        });
        self.read.holds.visit(0, |_, hold| {
            let exists = |order: OrderId| self.read.orders.with(order.0, |_| ()).is_some();
            invariants::check_hold(&hold.now, &open, exists, &mut found);
            reasons.hold(&hold.now);
            true
        });
        invariants::check_accounts(&self.read.accounts.read(), &mut found);
        let mut road = Road::default();
        self.read.transfers.visit(0, |_, transfer| {
            road.transfer(&transfer.now);
            true
        });
        road.open(&open);
        road.check(all(), &mut found);
        reasons.open(&open);
        reasons.check(all(), &mut found);
        invariants::check_conservation(self.ledger.expected(&open), all(), &mut found);
        invariants::check_open(&open, &mut found);
        drop(open);
        (audit, self.read)
    }
}

impl Engine {
    /// Reads the whole journal again, checks every invariant, and compares with the live state. The engine must be idle: work
    /// under way would show as a difference.
    ///
    /// # Errors
    /// The journal cannot be read.
    #[doc = include_str!("../docs/audit.md")]
    pub fn audit(&self) -> Result<Audit, EngineError> {
        let shared = self.shared();
        let unreadable =
            |reason: String| EngineError::Stopped(format!("the journal: {reason}").into());
        let mut auditor = Auditor::default();
        let mut after = 0;
        loop {
            let page = shared.journal().read_from(after, PAGE);
            let page = page.map_err(|error| unreadable(error.to_string()))?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for record in &page {
                let event = stockade_storage::decode(&record.bytes);
                auditor
                    .apply(record.sequence, &event.map_err(|error| unreadable(error.to_string()))?);
            }
        }
        let (mut audit, _) = auditor.finish();
        if audit.digest != self.digest() {
            audit.violations.push(Violation {
                invariant: invariants::Invariant::ReplayEqualsLive,
                subject: "engine".into(),
                detail: "the journal comes to another state than the live one".into(),
            });
        }
        Ok(audit)
    }
}

/// Reads a data directory whole, offline, and checks everything.
///
/// # Errors
/// The directory is in use or cannot be read, or the journal is damaged: with file and offset.
#[doc = include_str!("../docs/verify.md")]
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    let directory = DataDirectory::open_read_only(path)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(directory.journal()));
    let mut auditor = Auditor::default();
    let mut tail = Vec::new();
    let journal_id = stockade_storage::journal_id(&*disk)?.unwrap_or(0);
    let state = StateStore::inspect(&directory.state(), journal_id).and_then(|store| {
        let read = ReadSide::default();
        checkpoint::load(&store, &read, &Keys::new(0)).map(|()| (store.position(), read))
    });
    let position = state.as_ref().map_or(Sequence::MAX, |(position, _)| *position);
    let checked = stockade_storage::check(disk, &mut |record| {
        let event: Event =
            stockade_storage::decode(record.bytes).map_err(|error| error.to_string())?;
        auditor.apply(record.sequence, &event);
        if record.sequence > position {
            tail.push((record.sequence, event));
        }
        Ok(())
    })?;
    let replayed = auditor.read.digest();
    let state_agrees = state.as_ref().ok().map(|(_, read)| {
        tail.iter().for_each(|(sequence, event)| read.apply(*sequence, event));
        read.digest() == replayed
    });
    // What the next start will settle is settled here too, on the copy in memory.
    let settling = auditor.read.open.lock().settle();
    let unsettled = settling.len();
    for (sequence, event) in (checked.last_sequence + 1..).zip(settling) {
        auditor.apply(sequence, &event);
    }
    Ok(Verified {
        audit: auditor.finish().0,
        unsettled,
        torn: checked.torn.map(|torn| (torn.file, torn.offset)),
        state: state.map(|(position, _)| position),
        state_agrees,
    })
}
