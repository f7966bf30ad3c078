use std::{rc::Rc, sync::Arc};

use stockade_domain::{
    Event, IdempotencyKey, OrderId, Owner, OwnerKind, Refusal, ReservationId, Sequence,
    account::{Account, AccountId},
    holder::{Hold, HoldEvent},
    open::{Part, part},
    order::{Order, OrderCommand, OrderEvent, PlaceOrder, Quote, SealedDetails},
    sourcing::{Allocation, Held, Plan, plan, use_held},
};
use tokio::sync::oneshot;

use super::{
    Outcome,
    holds::{committed_hold, lane_of_hold},
    reserve::{Short, Want, in_all, reserve},
    stocks::{give, take_all},
};
use crate::{
    Error,
    context::By,
    job::{Job, send},
    lane::{Lane, guarded},
    shared::Shared,
};

/// An order on its way to be placed.
struct Draft {
    id: OrderId,
    request: PlaceOrder,
    quote: Quote,
    /// Holds that were handed over to it.
    claimed: Vec<Hold>,
    allocations: Vec<Allocation>,
}

/// Places one order.
pub(super) async fn place(lane: &Rc<Lane>, by: &By, request: PlaceOrder) -> Outcome<Order> {
    let (mut orders, seen) = place_all(lane, by, vec![request], &[]).await.map_err(of_one)?;
    Ok((orders.pop().expect("one request is one order"), seen))
}

/// Places all of these orders or none of them: all takes, then one group of all decisions. An error that is about one of them
/// says which. `keys` are their own keys, or empty.
pub(super) async fn place_all(
    lane: &Rc<Lane>,
    by: &By,
    requests: Vec<PlaceOrder>,
    keys: &[Option<IdempotencyKey>],
) -> Outcome<Vec<Order>> {
    let mut drafts = draft(lane, requests).await?;
    let reserved = match claim_all(lane, &mut drafts).await {
        Ok(()) => reserve_all(lane, &mut drafts).await,
        Err(error) => Err(error),
    };
    match reserved {
        Ok(()) => decide(lane, by, drafts, keys).await,
        Err(error) => {
            for draft in drafts {
                unclaim(lane, draft.id, &draft.claimed).await;
            }
            Err(error)
        }
    }
}

/// Prices the requests and gives them ids. Nothing is taken yet.
async fn draft(lane: &Rc<Lane>, requests: Vec<PlaceOrder>) -> Result<Vec<Draft>, Error> {
    let quotes = quote_all(&lane.shared, requests)?;
    let mut drafts = Vec::with_capacity(quotes.len());
    for (request, quote) in quotes {
        let id = OrderId(lane.next_id(OwnerKind::Order).await?);
        drafts.push(Draft { id, request, quote, claimed: Vec::new(), allocations: Vec::new() });
    }
    Ok(drafts)
}

/// Prices the requests, and checks what can be checked before anything is taken.
fn quote_all(
    shared: &Shared,
    requests: Vec<PlaceOrder>,
) -> Result<Vec<(PlaceOrder, Quote)>, Error> {
    let quotes: Vec<(PlaceOrder, Quote)> = {
        let catalogue = shared.read.catalogue.read();
        let priced_at = shared.read.catalogue_at();
        let quote = |(at, request): (usize, PlaceOrder)| {
            let quote = guarded(|| Ok(request.quote(&catalogue, priced_at)?));
            let quote =
                quote.and_then(|quote| Ok(check_customer(shared, &request).map(|()| quote)?));
            Ok::<_, Error>((request, quote.map_err(in_batch(at))?))
        };
        requests.into_iter().enumerate().map(quote).collect::<Result<_, _>>()?
    };
    check_bytes(shared, &quotes)?;
    Ok(quotes)
}

/// What placing this order would come to, if nobody else came between: by the same checks, in the same order, with nothing taken.
pub(crate) fn dry_run(shared: &Shared, request: PlaceOrder) -> Result<Plan, Error> {
    let quotes = quote_all(shared, vec![request]).map_err(of_one)?;
    let mut planned = Plan::default();
    for (request, quote) in quotes {
        let mut held: Vec<Held> = Vec::new();
        for id in request.reservations {
            let hold = committed_hold(&shared.read, id)?;
            hold.check_free()?;
            held.extend(hold.held());
        }
        let wanted = quote.wanted();
        let (allocations, demands) = use_held(&wanted, &held);
        let mut available = |key| shared.read.available(key);
        planned = plan(quote.sourcing, &quote.candidates, &demands, &mut available);
        in_all(&wanted, &mut planned.shortages);
        planned.allocations.splice(0..0, allocations);
    }
    Ok(planned)
}

/// All decisions go into the journal as one group, and what one group may hold is bounded.
fn check_bytes(shared: &Shared, quotes: &[(PlaceOrder, Quote)]) -> Result<(), Refusal> {
    let held_by = |hold: &ReservationId| {
        shared.read.holds.with(hold.0, |hold| hold.now.allocations.len()).unwrap_or(0)
    };
    let bytes_of = |(request, quote): &(PlaceOrder, Quote)| {
        quote.bytes_max(request, request.reservations.iter().map(held_by).sum())
    };
    let bytes: usize = quotes.iter().map(bytes_of).sum();
    let max = shared.journal().group_bytes_max();
    if bytes <= max {
        return Ok(());
    }
    let (field, what) = match quotes {
        [_] => ("lines", "the order"),
        _ => ("orders", "all of them together"),
    };
    let detail = format!("{what} may take {bytes} bytes in the journal, the most is {max}");
    Err(Refusal::invalid(field, detail))
}

/// Of which order of the batch a refusal is.
fn in_batch(at: usize) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        error @ (Error::Refused(_) | Error::Panicked) => {
            Error::InBatch { at, error: Box::new(error) }
        }
        of_the_engine => of_the_engine,
    }
}

/// The refusal of a batch of one is that one's.
fn of_one(error: Error) -> Error {
    match error {
        Error::InBatch { error, .. } => *error,
        error => error,
    }
}

async fn claim_all(lane: &Rc<Lane>, drafts: &mut [Draft]) -> Result<(), Error> {
    for (at, draft) in drafts.iter_mut().enumerate() {
        for id in draft.request.reservations.clone() {
            let (reply, claimed) = oneshot::channel();
            let job = Job::Claim { id, order: draft.id, reply };
            send(&lane.shared, lane_of_hold(&lane.shared, id), vec![job]);
            let hold = claimed.await.map_err(|_| lane.shared.stopped_error())?;
            let hold = hold.map_err(in_batch(at))?;
            draft.claimed.push(hold);
        }
    }
    Ok(())
}

async fn unclaim(lane: &Rc<Lane>, order: OrderId, claimed: &[Hold]) {
    for hold in claimed {
        let (done, undone) = oneshot::channel();
        let job = Job::Unclaim { id: hold.id, order, done };
        send(&lane.shared, lane_of_hold(&lane.shared, hold.id), vec![job]);
        // It fails only when the engine stops; then the next start undoes the claim.
        let _ = undone.await;
    }
}

/// Finds units for every line of every draft: held ones first, then new ones.
async fn reserve_all(lane: &Rc<Lane>, drafts: &mut [Draft]) -> Result<(), Error> {
    let mut wants = Vec::with_capacity(drafts.len());
    for draft in &mut *drafts {
        let held: Vec<_> = draft.claimed.iter().flat_map(Hold::held).collect();
        let (allocations, demands) = use_held(&draft.quote.wanted(), &held);
        draft.allocations = allocations;
        wants.push(Want {
            owner: Owner::order(draft.id),
            sourcing: draft.quote.sourcing,
            candidates: std::mem::take(&mut draft.quote.candidates),
            demands,
            partial: false,
        });
    }
    let granted = reserve(lane, &wants).await.map_err(|short| match short {
        Short::Lines(at, mut shortages) => {
            in_all(&drafts[at].quote.wanted(), &mut shortages);
            in_batch(at)(Refusal::InsufficientStock(shortages).into())
        }
        Short::Failed(error) => error,
    })?;
    for (draft, granted) in drafts.iter_mut().zip(granted) {
        draft.allocations.extend(granted);
    }
    Ok(())
}

/// The decision: one group with every order, what it adopts of holds, and its payment where nothing is to pay.
async fn decide(
    lane: &Rc<Lane>,
    by: &By,
    drafts: Vec<Draft>,
    keys: &[Option<IdempotencyKey>],
) -> Outcome<Vec<Order>> {
    let at = lane.now();
    let mut orders = Vec::with_capacity(drafts.len());
    let mut events: Vec<Event> = Vec::with_capacity(drafts.len());
    let mut conversions = Vec::new();
    for (row, draft) in drafts.into_iter().enumerate() {
        let Draft { id, mut request, quote, claimed, allocations } = draft;
        let personal = seal_details(lane, id, &mut request);
        let placed = Arc::new(quote.place(request, id, allocations, at));
        let mut order = Order::new(placed.clone());
        for hold in &claimed {
            let product_of = |allocation: &Allocation| placed.stock(allocation).product;
            conversions.push(hold.convert(id, &placed.allocations, product_of, at));
        }
        let paid = order.paid_at_once();
        if let Some(key) = keys.get(row) {
            let covers = 1 + usize::from(personal.is_some()) + usize::from(paid.is_some());
            events.extend(by.origin_of_row(*key, covers));
        }
        events.push(OrderEvent::Placed(placed).into());
        if let Some(personal) = personal {
            let sealed = OrderEvent::Personal { order: id, personal: Box::new(personal) };
            order.evolve(&sealed);
            events.push(sealed.into());
        }
        if let Some(paid) = paid {
            order.evolve(&paid);
            events.push(paid.into());
        }
        orders.push(order);
    }
    events.extend(conversions.iter().cloned().map(Event::from));
    let mut seen = lane.decide(by, events)?;
    for event in conversions {
        seen = seen.max(convert(lane, event).await?.unwrap_or(seen));
    }
    Ok((orders, Some(seen)))
}

/// Takes what is personal out of a request, sealed under the key of its customer. Of a customer that the accounts do not know the
/// request stays as it is: an embedder has his own.
fn seal_details(lane: &Lane, id: OrderId, request: &mut PlaceOrder) -> Option<SealedDetails> {
    let account = customer(&lane.shared, request)?;
    let (public, personal) = request.details.take()?.split();
    request.details = public.map(Box::new);
    // Without the key he was erased just now, and what would be sealed could not be read either.
    lane.shared.vault.seal_details(account.key, id, &personal?)
}

/// The account of whoever buys, if there is one.
fn customer(shared: &Shared, request: &PlaceOrder) -> Option<Arc<Account>> {
    let id = AccountId::Customer(request.customer?);
    shared.read.accounts.read().get(id).cloned()
}

/// Nobody buys in the name of somebody who was erased.
fn check_customer(shared: &Shared, request: &PlaceOrder) -> Result<(), Refusal> {
    match customer(shared, request) {
        Some(account) if account.is_erased() => {
            let id = account.id.number();
            Err(Refusal::NotFound { kind: "customer", id })
        }
        _ => Ok(()),
    }
}

/// Tells a holder that its hold became an order's, and gives back what the order did not need.
async fn convert(lane: &Rc<Lane>, event: HoldEvent) -> Result<Option<Sequence>, Error> {
    let (done, told) = oneshot::channel();
    let home = lane_of_hold(&lane.shared, event.hold());
    let gives = part(&event.clone().into());
    send(&lane.shared, home, vec![Job::Converted { event, done }]);
    told.await.map_err(|_| lane.shared.stopped_error())?;
    match gives {
        Part::Decided(owner, step, gives) => give(lane, owner, step, gives).await,
        _ => Ok(None),
    }
}

/// The state of an order: ahead of the read side, or as committed.
fn load(lane: &Lane, id: OrderId) -> Result<Order, Error> {
    let ahead = lane.orders.borrow().get(&id);
    let order = ahead.or_else(|| lane.shared.read.orders.with(id.0, |order| order.now.clone()));
    Ok(order.ok_or(Refusal::NotFound { kind: "order", id: id.0 })?)
}

/// Runs a command on an order, to the end of its gives.
pub(super) async fn command(
    lane: &Rc<Lane>,
    by: &By,
    id: OrderId,
    command: &OrderCommand,
) -> Outcome<Order> {
    let mut order = load(lane, id)?;
    guarded(|| Ok(command.check()?))?;
    by.expects(order.version)?;
    let at = lane.now();
    let events = guarded(|| Ok(order.decide(command, at)?))?;
    if events.is_empty() {
        return Ok((order, None));
    }
    // A shipment is decided only once its stocks have granted what it takes.
    for event in &events {
        if let OrderEvent::Shipped { step, shipment, .. } = event {
            let takes = order.consumes(&shipment.parcels);
            take_all(lane, Owner::order(id), *step, &takes).await?;
        }
    }
    // The state moves first: an event that it cannot follow stops the engine before it is in the journal.
    events.iter().for_each(|event| order.evolve(event));
    let mut seen = lane.decide(by, events.iter().cloned().map(Event::from))?;
    let mut gives = Vec::new();
    for event in events {
        if let Part::Decided(owner, step, given) = part(&event.into())
            && !given.is_empty()
        {
            gives.push((owner, step, given));
        }
    }
    for (owner, step, given) in gives {
        seen = seen.max(give(lane, owner, step, given).await?.unwrap_or(seen));
    }
    let folded = lane.shared.answers.folded();
    lane.orders.borrow_mut().put(id, order.clone(), seen, folded);
    Ok((order, Some(seen)))
}

/// The payment deadline's timer message.
pub(super) async fn expire(lane: &Rc<Lane>, id: OrderId) -> Outcome<()> {
    let (_, seen) = command(lane, &By::default(), id, &OrderCommand::Expire).await?;
    Ok(((), seen))
}
