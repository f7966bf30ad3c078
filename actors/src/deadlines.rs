//! Deadlines: when which unpaid order or hold is due.
//!
//! Buckets of 100 ms hold bare ids, fed by the fold. Nothing is cancelled one by one: whether an id is still due is looked up
//! when its bucket is, and once half of what is kept is no longer due, the buckets are compacted. What is due gets a message
//! into the same mailbox in which payments arrive, so exactly one of the two wins. A bucket is due when its last moment has
//! passed: late by up to 100 ms and a commit, early never.

use std::{collections::BTreeMap, sync::Arc, thread::JoinHandle, time::Duration};

use parking_lot::{Condvar, Mutex};
use stockade_domain::{OrderId, Owner, OwnerKind, ReservationId, Timestamp, order::Status};

use crate::{
    Error,
    job::{Batch, Job, send_all},
    read::ReadSide,
    shared::{Shared, StopOnPanic},
    workflow::lane_of_hold,
};

/// Milliseconds that share a bucket.
const BUCKET_MS: u64 = 100;

/// Deadlines below which compacting is not worth it.
const COMPACT_MIN: usize = 4_096;

/// Timer messages that are sent together, with one permit.
const FIRE_LOT: usize = 1_024;

/// The longest nap: the wall clock is looked at this often.
const NAP: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(crate) struct Deadlines {
    buckets: Mutex<Buckets>,
    changed: Condvar,
}

#[derive(Default)]
struct Buckets {
    by_time: BTreeMap<u64, Vec<Owner>>,
    /// Deadlines that were set while expiry was frozen, by a time that may be behind: nobody knows yet by how much.
    frozen: Vec<(Timestamp, Owner)>,
    len: usize,
    /// Deadlines that were looked at by the last compaction and are still kept.
    kept: usize,
}

impl Deadlines {
    /// Adds deadlines; while expiry is frozen they are kept apart.
    pub(crate) fn add(&self, dues: impl Iterator<Item = (Timestamp, Owner)>, frozen: bool) {
        let mut buckets = self.buckets.lock();
        if frozen {
            return buckets.frozen.extend(dues);
        }
        let first = buckets.first();
        for (at, owner) in dues {
            buckets.by_time.entry(at.0.div_ceil(BUCKET_MS)).or_default().push(owner);
            buckets.len += 1;
        }
        if first != buckets.first() {
            self.changed.notify_one();
        }
    }

    /// Expiry goes on, and time has moved by `stepped_ms` at once: what was set meanwhile is due that much later, so that it is not
    /// early.
    fn thaw(&self, stepped_ms: u64) {
        let frozen = std::mem::take(&mut self.buckets.lock().frozen);
        self.add(frozen.into_iter().map(|(at, owner)| (at.plus_ms(stepped_ms), owner)), false);
    }

    /// Takes out what is due at `now`.
    fn take_due(&self, now: Timestamp) -> Vec<Owner> {
        let mut buckets = self.buckets.lock();
        let later = buckets.by_time.split_off(&(now.0 / BUCKET_MS + 1));
        let due = std::mem::replace(&mut buckets.by_time, later);
        let due: Vec<Owner> = due.into_values().flatten().collect();
        buckets.len -= due.len();
        buckets.kept = buckets.kept.min(buckets.len);
        due
    }

    /// How many deadlines are kept, those no longer due among them.
    pub(crate) fn len(&self) -> usize {
        let buckets = self.buckets.lock();
        buckets.len + buckets.frozen.len()
    }

    /// Forgets what is no longer due, once what was added since the last time is as much as was kept then.
    fn compact(&self, read: &ReadSide) {
        let mut buckets = self.buckets.lock();
        if buckets.len < COMPACT_MIN || buckets.len < 2 * buckets.kept {
            return;
        }
        for owners in buckets.by_time.values_mut() {
            owners.retain(|owner| lines_due(read, *owner).is_some());
            owners.shrink_to_fit();
        }
        buckets.by_time.retain(|_, owners| !owners.is_empty());
        buckets.len = buckets.by_time.values().map(Vec::len).sum();
        buckets.kept = buckets.len;
    }

    /// Lets the thread look again.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Naps until the first bucket is due, something changes, or it is time to look at the clock.
    fn nap(&self, now: Timestamp) {
        let mut buckets = self.buckets.lock();
        let until = buckets.first().map(|first| (first * BUCKET_MS).saturating_sub(now.0));
        let nap = until.map_or(NAP, |ms| NAP.min(Duration::from_millis(ms.max(1))));
        self.changed.wait_for(&mut buckets, nap);
    }
}

impl Buckets {
    fn first(&self) -> Option<u64> {
        self.by_time.first_key_value().map(|(bucket, _)| *bucket)
    }
}

/// How many lines a deadline is about, if it still is about anything.
fn lines_due(read: &ReadSide, owner: Owner) -> Option<usize> {
    match owner.kind() {
        OwnerKind::Order => read.orders.with(owner.id(), |order| {
            (order.now.status == Status::PendingPayment)
                .then_some(order.now.placed.allocations.len())
        })?,
        OwnerKind::Hold => read
            .holds
            .with(owner.id(), |hold| hold.now.is_active().then_some(hold.now.allocations.len()))?,
        _ => None,
    }
}

/// Sends timer messages for everything that is due at `now`, and returns a batch for each lot of them. Waits for permits.
pub(crate) async fn fire(shared: &Arc<Shared>, now: Timestamp) -> Result<Vec<Batch<()>>, Error> {
    let due = shared.deadlines.take_due(now);
    let mut batches = Vec::new();
    for lot in due.chunks(FIRE_LOT) {
        let live: Vec<(Owner, usize)> = lot
            .iter()
            .filter_map(|owner| Some((*owner, lines_due(&shared.read, *owner)?)))
            .collect();
        if live.is_empty() {
            continue;
        }
        let lines = live.iter().map(|(_, lines)| lines + 1).sum();
        let permit = shared.door.wait(lines).await?;
        let (batch, replies) = Batch::new(live.len(), permit);
        let jobs = live.iter().zip(replies).map(|((owner, _), reply)| {
            let job = match owner.kind() {
                OwnerKind::Order => Job::ExpireOrder { id: OrderId(owner.id()), reply },
                _ => Job::ExpireHold { id: ReservationId(owner.id()), reply },
            };
            let lane = match owner.kind() {
                OwnerKind::Order => shared.lane_of_id(owner.id()),
                _ => lane_of_hold(shared, ReservationId(owner.id())),
            };
            (lane, job)
        });
        send_all(shared, jobs);
        batches.push(batch);
    }
    Ok(batches)
}

/// Starts the thread that fires. Under a virtual clock there is none: whoever moves the clock fires.
pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("stockade-deadlines".into()).spawn(move || {
        let _guard = StopOnPanic(shared.clone(), "the deadlines");
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return shared.stop("the deadlines have no runtime");
        };
        let (mut was_frozen, mut stepped_ms) =
            (shared.clock.is_frozen(), shared.clock.stepped_ms());
        let mut last_step_ms = 0;
        while !shared.is_stopped() && !shared.is_draining() {
            let frozen = shared.clock.follow();
            let now = shared.clock.now();
            if was_frozen && !frozen {
                let before = std::mem::replace(&mut stepped_ms, shared.clock.stepped_ms());
                last_step_ms = stepped_ms - before;
            }
            if !frozen {
                // In every turn: the fold may have seen the freeze a moment longer.
                shared.deadlines.thaw(last_step_ms);
            }
            was_frozen = frozen;
            if !frozen && runtime.block_on(fire(&shared, now)).is_err() {
                return;
            }
            shared.deadlines.compact(&shared.read);
            shared.deadlines.nap(now);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_early_and_everything_once() {
        let deadlines = Deadlines::default();
        let owner = |id| Owner::order(OrderId(id));
        deadlines
            .add([(Timestamp(1_000), owner(1)), (Timestamp(1_001), owner(2))].into_iter(), false);
        assert!(deadlines.take_due(Timestamp(999)).is_empty());
        assert_eq!(deadlines.take_due(Timestamp(1_099)), [owner(1)]);
        assert_eq!(deadlines.take_due(Timestamp(1_100)), [owner(2)]);
        assert!(deadlines.take_due(Timestamp(u64::MAX / 2)).is_empty());
        assert_eq!(deadlines.len(), 0);
    }

    #[test]
    fn what_was_set_while_frozen_is_due_later_by_the_step() {
        let deadlines = Deadlines::default();
        let owner = Owner::order(OrderId(1));
        deadlines.add([(Timestamp(1_000), owner)].into_iter(), true);
        assert!(deadlines.take_due(Timestamp(500_000)).is_empty());
        deadlines.thaw(3_600_000);
        assert!(deadlines.take_due(Timestamp(3_600_999)).is_empty());
        assert_eq!(deadlines.take_due(Timestamp(3_601_000)), [owner]);
    }

    #[test]
    fn what_is_no_longer_due_is_forgotten() {
        let deadlines = Deadlines::default();
        let gone = (0..COMPACT_MIN as u64).map(|id| (Timestamp(id), Owner::order(OrderId(id + 1))));
        deadlines.add(gone, false);
        deadlines.compact(&ReadSide::default());
        assert_eq!(deadlines.len(), 0);
    }
}
