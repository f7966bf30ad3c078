//! Deadlines: when which unpaid order or hold is due.
//!
//! Buckets of 100 ms hold bare ids, fed by the fold. Nothing is cancelled one by one: whether an id is still due is looked up
//! when its bucket is, and once half of what is kept is no longer due, the buckets are compacted. What is due gets a message
//! into the same mailbox in which payments arrive, so exactly one of the two wins. A bucket is due when its last moment has
//! passed: late by up to 100 ms and a commit, early never. A virtual clock stands still in the middle of a bucket: then what is due
//! by then is sent, and the rest of the bucket goes back.
//!
//! Nothing here may stop the engine for want of room on the disk. While the journal's next segment is not there, deadlines leave
//! half of the present one alone: it is for what was let in before, for the shutdown, and for the next start. When the rest is
//! used up they wait, and go on when there is room again. Nothing is sold twice meanwhile: what is due stays reserved, and what
//! was not paid in time can still be paid until it expires.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use stockade_domain::{OrderId, Owner, OwnerKind, ReservationId, Timestamp, order::Status};
use stockade_storage::Room;

use crate::{
    Error,
    clock::Clock,
    door::Permit,
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

/// The same while there may be no next segment: each lot is written before the next is sent, so that the room that is left is known.
const SCARCE_LOT: usize = 128;

/// The most that an expiry writes for each of its units (itself and its lines): 50 bytes of a decision, 60 of a give, and a frame
/// around each in the worst case.
const EXPIRY_UNIT_BYTES: u64 = 256;

/// The longest nap: the wall clock, and whether there is room again, is looked at this often.
const NAP: Duration = Duration::from_millis(250);

/// Between two looks at a segment that is being prepared.
const PREPARING_PAUSE: Duration = Duration::from_millis(1);

/// The bucket of a deadline: it is due when the bucket's last moment has passed.
fn bucket_of(at: Timestamp) -> u64 {
    at.0.div_ceil(BUCKET_MS)
}

#[derive(Default)]
pub(crate) struct Deadlines {
    buckets: Mutex<Buckets>,
    changed: Condvar,
    /// What is due waits for room on the disk.
    paused: AtomicBool,
}

#[derive(Default)]
struct Buckets {
    by_time: BTreeMap<u64, Vec<Owner>>,
    len: usize,
    /// Deadlines that were looked at by the last compaction and are still kept.
    kept: usize,
}

impl Deadlines {
    /// Adds deadlines.
    pub(crate) fn add(&self, dues: impl Iterator<Item = (Timestamp, Owner)>) {
        let mut buckets = self.buckets.lock();
        let first = buckets.first();
        for (at, owner) in dues {
            buckets.by_time.entry(bucket_of(at)).or_default().push(owner);
            buckets.len += 1;
        }
        if first != buckets.first() {
            self.changed.notify_one();
        }
    }

    /// Takes out the buckets up to this one.
    fn take_through(&self, last: u64) -> Vec<Owner> {
        let mut buckets = self.buckets.lock();
        let later = buckets.by_time.split_off(&(last + 1));
        let due = std::mem::replace(&mut buckets.by_time, later);
        let due: Vec<Owner> = due.into_values().flatten().collect();
        buckets.len -= due.len();
        buckets.kept = buckets.kept.min(buckets.len);
        due
    }

    /// How many deadlines are kept, those no longer due among them.
    pub(crate) fn len(&self) -> usize {
        self.buckets.lock().len
    }

    /// Forgets what is no longer due, once what was added since the last time is as much as was kept then.
    fn compact(&self, read: &ReadSide) {
        let mut buckets = self.buckets.lock();
        if buckets.len < COMPACT_MIN || buckets.len < 2 * buckets.kept {
            return;
        }
        for owners in buckets.by_time.values_mut() {
            owners.retain(|owner| Due::of(read, *owner).is_some());
            owners.shrink_to_fit();
        }
        buckets.by_time.retain(|_, owners| !owners.is_empty());
        buckets.len = buckets.by_time.values().map(Vec::len).sum();
        buckets.kept = buckets.len;
    }

    /// Whether what is due waits for room on the disk.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    fn pause(&self, paused: bool) {
        if self.paused.swap(paused, Ordering::AcqRel) != paused {
            match paused {
                true => tracing::warn!(
                    "the disk is nearly full: what is due does not expire until there is room"
                ),
                false => tracing::info!("there is room again: what is due expires"),
            }
        }
    }

    /// Lets the thread look again.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Naps until the first bucket is due, something changes, or it is time to look at the clock.
    fn nap(&self, now: Timestamp) {
        let mut buckets = self.buckets.lock();
        let first = buckets.first().filter(|_| !self.is_paused());
        let until = first.map(|first| (first * BUCKET_MS).saturating_sub(now.0));
        let nap = until.map_or(NAP, |ms| NAP.min(Duration::from_millis(ms.max(1))));
        self.changed.wait_for(&mut buckets, nap);
    }
}

impl Buckets {
    fn first(&self) -> Option<u64> {
        self.by_time.first_key_value().map(|(bucket, _)| *bucket)
    }
}

/// A deadline that is still about something.
struct Due {
    owner: Owner,
    /// When: later than it was set for, if it was set by a clock that was behind.
    at: Timestamp,
    /// How many lines it is about.
    lines: usize,
}

impl Due {
    fn of(read: &ReadSide, owner: Owner) -> Option<Self> {
        let (set_at, due, lines) = match owner.kind() {
            OwnerKind::Order => read.orders.with(owner.id(), |order| {
                let placed = &order.now.placed;
                let waits = order.now.status == Status::PendingPayment;
                waits.then(|| (placed.at, placed.payment_deadline(), placed.allocations.len()))
            })?,
            OwnerKind::Hold => read.holds.with(owner.id(), |hold| {
                let hold = &hold.now;
                let set = (hold.set_at, hold.expires_at, hold.allocations.len());
                hold.is_active().then_some(set)
            })?,
            _ => None,
        }?;
        Some(Self { owner, at: read.clock.lock().due(set_at, due), lines })
    }
}

/// What was taken out of the buckets and not sent yet. It goes back if its sender goes away.
struct Unsent<'a> {
    deadlines: &'a Deadlines,
    owners: std::vec::IntoIter<Owner>,
    now: Timestamp,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        let left = self.owners.as_slice().iter();
        self.deadlines.add(left.map(|owner| (self.now, *owner)));
    }
}

/// Whether deadlines of so many units in all may fall due. While it is not known whether there will be a next segment, and it
/// matters, this thread waits until it is.
fn has_room(shared: &Shared, units: usize) -> Result<bool, Error> {
    let needed = shared.room_kept_bytes + units as u64 * EXPIRY_UNIT_BYTES;
    loop {
        match shared.journal().room() {
            Room::Next => return Ok(true),
            Room::Last(left) | Room::Unknown(left) if left >= needed => return Ok(true),
            Room::Last(_) => return Ok(false),
            Room::Unknown(_) if shared.is_stopped() => return Err(shared.stopped_error()),
            Room::Unknown(_) if shared.is_draining() => return Err(Error::Draining),
            Room::Unknown(_) => std::thread::park_timeout(PREPARING_PAUSE),
        }
    }
}

/// Sends timer messages for everything that is due at `now`, and returns a batch for each lot of them that may not be done yet.
/// Waits for permits, and for nothing when there is no room: then what is left stays due.
pub(crate) async fn fire(shared: &Arc<Shared>, now: Timestamp) -> Result<Vec<Batch<()>>, Error> {
    let deadlines = &shared.deadlines;
    // All that is due is not taken out and put back again each time.
    if deadlines.is_paused() && !has_room(shared, 1)? {
        return Ok(Vec::new());
    }
    let last = match shared.clock.is_virtual() {
        true => bucket_of(now),
        false => now.0 / BUCKET_MS,
    };
    let owners = deadlines.take_through(last).into_iter();
    let mut unsent = Unsent { deadlines, owners, now };
    let mut batches = Vec::new();
    while !unsent.owners.as_slice().is_empty() {
        if shared.is_draining() {
            return Err(Error::Draining);
        }
        let is_scarce = shared.journal().room() != Room::Next;
        let lot = unsent.owners.len().min(if is_scarce { SCARCE_LOT } else { FIRE_LOT });
        let (due, later): (Vec<Due>, Vec<Due>) = unsent.owners.as_slice()[..lot]
            .iter()
            .filter_map(|owner| Due::of(&shared.read, *owner))
            .partition(|due| due.at <= now);
        let units = due.iter().map(|due| due.lines + 1).sum();
        if units > 0 && !has_room(shared, units)? {
            deadlines.pause(true);
            return Ok(batches);
        }
        let permit = match units {
            0 => None,
            units => Some(shared.door.wait(units).await?),
        };
        // From here on nothing waits: what is sent is no longer unsent.
        deadlines.add(later.iter().map(|due| (due.at, due.owner)));
        unsent.owners.by_ref().take(lot).for_each(drop);
        let sent = permit.map(|permit| send_timers(shared, &due, permit));
        match sent {
            Some(batch) if is_scarce => drop(batch.answers(shared).await?),
            sent => batches.extend(sent),
        }
    }
    deadlines.pause(false);
    Ok(batches)
}

fn send_timers(shared: &Shared, due: &[Due], permit: Permit) -> Batch<()> {
    let (batch, replies) = Batch::new(due.len(), permit);
    let jobs = due.iter().zip(replies).map(|(Due { owner, .. }, reply)| match owner.kind() {
        OwnerKind::Order => {
            let id = OrderId(owner.id());
            (shared.lane_of_id(id.0), Job::ExpireOrder { id, reply })
        }
        _ => {
            let id = ReservationId(owner.id());
            (lane_of_hold(shared, id), Job::ExpireHold { id, reply })
        }
    });
    send_all(shared, jobs);
    batch
}

/// Starts the thread that fires. Under a virtual clock there is none: whoever moves the clock fires.
pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("stockade-deadlines".into()).spawn(move || {
        let _guard = StopOnPanic(shared.clone(), "the deadlines");
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return shared.stop("the deadlines have no runtime");
        };
        while !shared.is_stopped() && !shared.is_draining() {
            if shared.turn_clock(Clock::follow).is_err() {
                return;
            }
            let now = shared.clock.now();
            // What the clock did must be folded: it says what is due later than it was set for.
            let frozen =
                shared.clock.is_frozen() || shared.read.clock.lock().frozen_from().is_some();
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
        deadlines.add([(Timestamp(1_000), owner(1)), (Timestamp(1_001), owner(2))].into_iter());
        assert!(deadlines.take_through(9).is_empty());
        assert_eq!(deadlines.take_through(10), [owner(1)]);
        assert_eq!(deadlines.take_through(11), [owner(2)]);
        assert!(deadlines.take_through(u64::MAX / 2).is_empty());
        assert_eq!(deadlines.len(), 0);
    }

    #[test]
    fn what_is_not_sent_goes_back() {
        let deadlines = Deadlines::default();
        let owners: Vec<_> = (1..=3).map(|id| Owner::order(OrderId(id))).collect();
        let now = Timestamp(1_000);
        let mut unsent = Unsent { deadlines: &deadlines, owners: owners.into_iter(), now };
        let sent = unsent.owners.next();
        drop(unsent);
        assert_eq!(sent, Some(Owner::order(OrderId(1))));
        let left = [2, 3].map(|id| Owner::order(OrderId(id)));
        assert_eq!(deadlines.take_through(bucket_of(now)), left);
    }

    #[test]
    fn what_is_no_longer_due_is_forgotten() {
        let deadlines = Deadlines::default();
        let gone = (0..COMPACT_MIN as u64).map(|id| (Timestamp(id), Owner::order(OrderId(id + 1))));
        deadlines.add(gone);
        deadlines.compact(&ReadSide::default());
        assert_eq!(deadlines.len(), 0);
    }
}
