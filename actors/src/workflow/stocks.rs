//! Talking to stocks, wherever they live.

use std::rc::Rc;

use actix::{Addr, Handler, Message, dev::ToEnvelope};
use futures_util::future::join_all;
use stockade_domain::{
    Owner, Refusal, Sequence, Shortage, Step, StockKey,
    catalogue::{CatalogueEvent, Counting},
    stock::{Give, Take},
};

use crate::{
    Error,
    context::By,
    lane::{Lane, Wake},
    stock::{Count, GiveFor, StockActor, TakeFor, Taken, Undo},
};

/// Sends a message to a stock and waits for its answer. A stock that fell asleep meanwhile has not read it, and is woken.
async fn ask<M, R>(lane: &Rc<Lane>, key: StockKey, message: impl Fn() -> M) -> Result<R, Error>
where
    M: Message<Result = Result<R, Error>> + Send + 'static,
    R: Send + 'static,
    StockActor: Handler<M>,
    <StockActor as actix::Actor>::Context: ToEnvelope<StockActor, M>,
{
    loop {
        let addr = address(lane, key).await?;
        match addr.send(message()).await {
            Ok(answer) => return answer,
            Err(_) if lane.shared.is_stopped() => return Err(lane.shared.stopped_error()),
            Err(_) => {}
        }
    }
}

async fn address(lane: &Rc<Lane>, key: StockKey) -> Result<Addr<StockActor>, Error> {
    let home = lane.shared.lane_of_product(key.product);
    if home == lane.index {
        return Ok(StockActor::wake(lane, key));
    }
    let awake = lane.shared.stocks.get(&key).map(|addr| addr.clone());
    match awake {
        Some(addr) => Ok(addr),
        None => {
            let woken = lane.shared.lane(home).send(Wake(key)).await;
            woken.map_err(|_| lane.shared.stopped_error())
        }
    }
}

/// One take.
pub(super) async fn take(lane: &Rc<Lane>, key: StockKey, take: TakeFor) -> Result<Taken, Error> {
    ask(lane, key, || take).await
}

/// Has a product's total decided, and its change appended, in the turn of the stock that it corrects.
pub(super) async fn count(
    lane: &Rc<Lane>,
    by: &By,
    counting: &Counting,
) -> Result<Option<(CatalogueEvent, Sequence)>, Error> {
    let message = || Count { counting: counting.clone(), by: by.clone() };
    ask(lane, counting.stock(), message).await
}

/// Many takes of one workflow: all of them or none. Nothing is undone before everything was answered.
///
/// # Errors
/// The refusals of all stocks that refused, as shortages.
pub(super) async fn take_all(
    lane: &Rc<Lane>,
    owner: Owner,
    step: Step,
    takes: &[(StockKey, Take)],
) -> Result<(), Error> {
    let ask =
        |(key, what): &(StockKey, Take)| take(lane, *key, TakeFor { owner, step, take: *what });
    let answers = join_all(takes.iter().map(ask)).await;
    let mut granted = Vec::with_capacity(takes.len());
    let mut shortages = Vec::new();
    let mut failed = None;
    for ((key, what), answer) in takes.iter().zip(answers) {
        match answer {
            Ok(Ok(())) => granted.push((*key, TakeFor { owner, step, take: *what })),
            Ok(Err(available)) => shortages.push(Shortage {
                product: key.product,
                warehouse: Some(key.warehouse),
                wanted: quantity(*what),
                available,
                frees_at: None,
            }),
            Err(error) => failed = Some(error),
        }
    }
    if failed.is_none() && shortages.is_empty() {
        return Ok(());
    }
    undo(lane, granted).await?;
    Err(failed.unwrap_or(Error::Refused(Refusal::InsufficientStock(shortages))))
}

fn quantity(take: Take) -> u64 {
    match take {
        Take::Reserve { quantity }
        | Take::Consume { quantity, .. }
        | Take::TransferOut { quantity }
        | Take::Minus { quantity } => quantity,
    }
}

/// Undoes takes, newest first.
pub(super) async fn undo(lane: &Rc<Lane>, takes: Vec<(StockKey, TakeFor)>) -> Result<(), Error> {
    let undone = takes.into_iter().rev().map(|(key, take)| ask(lane, key, move || Undo(take)));
    join_all(undone).await.into_iter().try_for_each(|undone| undone.map(drop))
}

/// Gives what (owner, step) decided, and says the last sequence.
pub(super) async fn give(
    lane: &Rc<Lane>,
    owner: Owner,
    step: Step,
    gives: Vec<(StockKey, Give)>,
) -> Result<Option<Sequence>, Error> {
    let given =
        gives.into_iter().map(|(key, give)| ask(lane, key, move || GiveFor { owner, step, give }));
    let mut last = None;
    for sequence in join_all(given).await {
        last = last.max(Some(sequence?));
    }
    Ok(last)
}
