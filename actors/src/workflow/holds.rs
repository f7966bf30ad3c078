use std::{hash::BuildHasher, rc::Rc};

use rustc_hash::FxBuildHasher;
use stockade_domain::{
    OrderId, Owner, OwnerKind, Refusal, ReservationId, Sequence,
    holder::{Hold, HoldCommand, HoldEvent, Holder, HolderKey, PlaceHold},
    open::{Part, part},
    sourcing::use_held,
};

use super::{
    Outcome,
    reserve::{Short, Want, in_all, reserve},
    stocks::give,
};
use crate::{
    Error,
    context::By,
    job::MailboxKey,
    lane::{Lane, guarded},
    read::ReadSide,
    shared::Shared,
};

/// The lane on which a hold to be is decided: where its holder lives, or for a hold of nobody, where its first product does.
pub(crate) fn lane_of_new(shared: &Shared, request: &PlaceHold) -> usize {
    match mailbox_of_new(request) {
        Some(MailboxKey::Holder(key)) => lane_of_key(shared, &key),
        _ => request.lines.first().map_or(0, |line| shared.lane_of_product(line.product)),
    }
}

/// The lane on which a hold is decided: where its holder lives. A hold that was placed when there were more or fewer lanes
/// may have an id of another one.
pub(crate) fn lane_of_hold(shared: &Shared, id: ReservationId) -> usize {
    let key = shared.read.holds.with(id.0, |hold| hold.now.key.clone());
    key.map_or_else(|| shared.lane_of_id(id.0), |key| lane_of_key(shared, &key))
}

fn lane_of_key(shared: &Shared, key: &HolderKey) -> usize {
    match key {
        HolderKey::Single(id) => shared.lane_of_id(id.0),
        key => (FxBuildHasher.hash_one(key) % shared.lane_count as u64) as usize,
    }
}

/// The holder of a hold to be; a hold of nobody makes its own.
pub(super) fn mailbox_of_new(request: &PlaceHold) -> Option<MailboxKey> {
    match request.key(ReservationId(0)) {
        HolderKey::Single(_) => None,
        key => Some(MailboxKey::Holder(key)),
    }
}

/// The holder of a hold. One that nobody knows gets a mailbox in which it is refused.
pub(super) fn mailbox(shared: &Shared, id: ReservationId) -> Option<MailboxKey> {
    let key = shared.read.holds.with(id.0, |hold| hold.now.key.clone());
    Some(MailboxKey::Holder(key.unwrap_or(HolderKey::Single(id))))
}

/// A hold as committed.
fn hold_of(read: &ReadSide, id: ReservationId) -> Option<Hold> {
    read.holds.with(id.0, |hold| hold.now.clone())
}

/// The same, of a hold that should be there.
pub(super) fn committed_hold(read: &ReadSide, id: ReservationId) -> Result<Hold, Refusal> {
    hold_of(read, id).ok_or(Refusal::NotFound { kind: "reservation", id: id.0 })
}

/// The holds of a key: ahead of the read side, or as committed.
fn load(lane: &Lane, key: &HolderKey) -> Holder {
    let ahead = lane.holders.borrow().get(key);
    ahead.unwrap_or_else(|| {
        let read = &lane.shared.read;
        let live = read.holders.get(key).map(|live| live.clone()).unwrap_or_default();
        let holds = live.into_iter().filter_map(|id| Some((id, hold_of(read, id)?)));
        Holder { holds: holds.collect() }
    })
}

/// The holder of a hold that was placed before, with that hold in it even when it has ended.
fn load_with(lane: &Lane, id: ReservationId) -> Result<(HolderKey, Holder), Error> {
    let hold = committed_hold(&lane.shared.read, id)?;
    let key = hold.key.clone();
    let mut holder = load(lane, &key);
    holder.holds.entry(id).or_insert(hold);
    Ok((key, holder))
}

/// Keeps a holder's state until the read side has it. A hold that has ended is dropped once the read side knows that too.
fn keep(lane: &Lane, key: HolderKey, mut holder: Holder, last: Sequence) {
    let read = &lane.shared.read;
    let still_live =
        |id: ReservationId| read.holds.with(id.0, |hold| hold.now.is_active()) != Some(false);
    holder.holds.retain(|id, hold| hold.is_active() || still_live(*id));
    let folded = lane.shared.answers.folded();
    lane.holders.borrow_mut().put(key, holder, last, folded);
}

/// Holds what is asked for.
pub(super) async fn place(lane: &Rc<Lane>, by: &By, request: PlaceHold) -> Outcome<Hold> {
    let quote = {
        let catalogue = lane.shared.read.catalogue.read();
        guarded(|| Ok(request.quote(&catalogue)?))?
    };
    let id = ReservationId(lane.next_id(OwnerKind::Hold).await?);
    let key = request.key(id);
    let mut holder = load(lane, &key);
    let (held, replaces) = holder.replaced(&request, &quote.lines);
    holder.check_room(&request, &quote.lines, &replaces)?;
    let (mut allocations, demands) = use_held(&quote.lines, &held);
    let want = Want {
        owner: Owner::hold(id),
        sourcing: quote.sourcing,
        candidates: quote.candidates,
        demands,
        partial: request.partial,
    };
    let granted = reserve(lane, &[want]).await.map_err(|short| match short {
        Short::Lines(_, mut shortages) => {
            in_all(&quote.lines, &mut shortages);
            Error::Refused(Refusal::InsufficientStock(shortages))
        }
        Short::Failed(error) => error,
    })?;
    allocations.extend(granted.into_iter().flatten());
    if allocations.is_empty() {
        let none = |(product, wanted): &(_, u64)| stockade_domain::Shortage {
            product: *product,
            warehouse: None,
            wanted: *wanted,
            available: 0,
            frees_at: None,
        };
        return Err(Refusal::InsufficientStock(quote.lines.iter().map(none).collect()).into());
    }
    let event = holder.place(id, &request, quote.lines, allocations, lane.now());
    let seen = decided(lane, by, &mut holder, event).await?;
    let hold = holder.holds[&id].clone();
    keep(lane, key, holder, seen);
    Ok((hold, Some(seen)))
}

/// Appends a holder's decision, moves its state, and gives.
async fn decided(
    lane: &Rc<Lane>,
    by: &By,
    holder: &mut Holder,
    event: HoldEvent,
) -> Result<Sequence, Error> {
    holder.evolve(&event);
    let seen = lane.decide(by, [event.clone().into()])?;
    match part(&event.into()) {
        Part::Decided(owner, step, gives) => {
            Ok(seen.max(give(lane, owner, step, gives).await?.unwrap_or(seen)))
        }
        _ => Ok(seen),
    }
}

/// Runs a command on a hold, to the end of its gives.
pub(super) async fn command(
    lane: &Rc<Lane>,
    by: &By,
    id: ReservationId,
    command: HoldCommand,
) -> Outcome<Hold> {
    let (key, mut holder) = load_with(lane, id)?;
    guarded(|| Ok(command.check()?))?;
    by.expects(holder.holds[&id].version)?;
    let at = lane.now();
    let Some(event) = guarded(|| Ok(holder.decide(id, command, at)?))? else {
        return Ok((holder.holds[&id].clone(), None));
    };
    let seen = decided(lane, by, &mut holder, event).await?;
    let hold = holder.holds[&id].clone();
    keep(lane, key, holder, seen);
    Ok((hold, Some(seen)))
}

/// The hold's deadline's timer message.
pub(super) async fn expire(lane: &Rc<Lane>, id: ReservationId) -> Outcome<()> {
    let (_, seen) = command(lane, &By::default(), id, HoldCommand::Expire).await?;
    Ok(((), seen))
}

/// Hands a hold over to an order that is being placed: from now on nothing else may touch it.
pub(super) fn claim(lane: &Rc<Lane>, id: ReservationId, order: OrderId) -> Result<Hold, Error> {
    let (key, mut holder) = load_with(lane, id)?;
    let event = guarded(|| Ok(holder.claim(id, order)?))?;
    evolve(lane, key, &mut holder, &event)?;
    Ok(holder.holds[&id].clone())
}

/// The order came to nothing: the hold lives again, and so does its deadline.
pub(super) fn unclaim(lane: &Rc<Lane>, id: ReservationId, order: OrderId) {
    if let Ok((key, mut holder)) = load_with(lane, id) {
        // It fails only when the engine stops; then the next start undoes the claim.
        let _ = evolve(lane, key, &mut holder, &HoldEvent::Unclaimed { hold: id, order });
    }
}

fn evolve(
    lane: &Lane,
    key: HolderKey,
    holder: &mut Holder,
    event: &HoldEvent,
) -> Result<(), Error> {
    holder.evolve(event);
    let seen = lane.append([event.clone().into()])?;
    keep(lane, key, holder.clone(), seen);
    Ok(())
}

/// An order appended, in its own group, that a hold it had claimed is now its.
pub(super) fn converted(lane: &Rc<Lane>, event: &HoldEvent) {
    if let Ok((key, mut holder)) = load_with(lane, event.hold()) {
        holder.evolve(event);
        keep(lane, key, holder, lane.shared.journal().appended());
    }
}
