use std::rc::Rc;

use stockade_domain::{
    Owner, OwnerKind, Refusal, Sequence, TransferId,
    transfer::{self, Dispatched, Transfer, TransferCommand, TransferEvent},
};

use super::{
    Outcome,
    stocks::{give, take_all},
};
use crate::{
    Error,
    context::By,
    job::NewTransfer,
    lane::{Lane, guarded},
};

/// Sends units from one warehouse to another.
pub(super) async fn dispatch(lane: &Rc<Lane>, by: &By, request: NewTransfer) -> Outcome<Transfer> {
    let NewTransfer { product, from, to, quantity, in_transit } = request;
    check_exists(lane, &request)?;
    let id = TransferId(lane.next_id(OwnerKind::Transfer).await?);
    let at = lane.now();
    let dispatched = Dispatched { id, product, from, to, quantity, in_transit, at };
    let take = guarded(|| Ok(transfer::dispatch(&dispatched)?))?;
    take_all(lane, Owner::transfer(id), 0, &[take]).await?;
    let transfer = Transfer::new(dispatched.clone());
    let seen = decided(lane, by, TransferEvent::Dispatched(Box::new(dispatched))).await?;
    Ok((transfer, Some(seen)))
}

fn check_exists(lane: &Lane, request: &NewTransfer) -> Result<(), Refusal> {
    let catalogue = lane.shared.read.catalogue.read();
    catalogue.warehouse(request.from)?;
    catalogue.warehouse(request.to)?;
    let product = catalogue.product(request.product);
    product.map(drop).ok_or(Refusal::NotFound { kind: "product", id: request.product.0 })
}

/// Appends a transfer's decision and gives.
async fn decided(lane: &Rc<Lane>, by: &By, event: TransferEvent) -> Result<Sequence, Error> {
    let (owner, step, gives) = event.gives();
    let seen = lane.decide(by, [event.into()])?;
    Ok(seen.max(give(lane, owner, step, gives).await?.unwrap_or(seen)))
}

/// Runs a command on a transfer, to the end of its gives.
pub(super) async fn command(
    lane: &Rc<Lane>,
    by: &By,
    id: TransferId,
    command: &TransferCommand,
) -> Outcome<Transfer> {
    let ahead = lane.transfers.borrow().get(&id);
    let folded = || lane.shared.read.transfers.with(id.0, |transfer| transfer.now.clone());
    let transfer = ahead.or_else(folded);
    let mut transfer = transfer.ok_or(Refusal::NotFound { kind: "transfer", id: id.0 })?;
    guarded(|| Ok::<_, Error>(command.check()?))?;
    by.expects(transfer.version)?;
    let at = lane.now();
    let event = guarded(|| Ok::<_, Error>(transfer.decide(command, at)?))?;
    transfer.evolve(&event);
    let seen = decided(lane, by, event).await?;
    let folded = lane.shared.answers.folded();
    lane.transfers.borrow_mut().put(id, transfer.clone(), seen, folded);
    Ok((transfer, Some(seen)))
}
