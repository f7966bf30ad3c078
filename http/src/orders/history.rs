use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Path},
};
use stockade_actors::{Engine, OrderHistory};
use stockade_domain::{
    OrderId, Sequence, Timestamp, Who,
    order::{Order, OrderEvent},
};

use super::{find, view::OrderView};
use crate::{
    caller::Caller,
    events::{self, CloudEvent, Entity, Place, of_order},
    openapi::{
        answers::{Many, Paging},
        events as schemas,
    },
    page::Page,
    problem::Problem,
    query::Params,
    state::Shared,
    time,
};

/// One event, with the order as it was after it.
struct Step {
    place: Place,
    kind: &'static str,
    who: Option<Who>,
    after: Order,
}

/// `GET /orders/{id}/events`: what happened to one order, oldest first.
#[utoipa::path(
    get, path = "/orders/{id}/events", tag = "orders",
    params(Paging),
    responses(Many<schemas::OrderEvent>),
)]
pub(crate) async fn history(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let order = find(&state.engine, caller, *id)?;
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    params.finish()?;
    let (engine, id) = (state.engine.clone(), order.id());
    // The journal is on a disk.
    let events =
        web::block(move || engine.order_history(id)).await.map_err(Problem::no_thread)??;
    let mut steps = replay(events);
    steps.retain(|step| step.place.sequence > after);
    let source = events::source(&state.engine);
    let subject = Entity::of_order(order.id());
    let names = OrderView::of(&state.engine, &order);
    Ok(page.answer_by_id(
        &req,
        &steps,
        |step| step.place.sequence,
        |step| {
            let after = names.at(&step.after);
            CloudEvent::new(&source, step.place, step.kind, subject, after).by(step.who)
        },
    ))
}

/// What `as_of` names: a moment, or a place in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) enum AsOf {
    Time(Timestamp),
    Sequence(Sequence),
}

impl AsOf {
    /// Takes `as_of`; the future is not known.
    pub(super) fn take(engine: &Engine, params: &mut Params) -> Option<Self> {
        let wanted = "a moment such as 2026-01-31T12:00:00Z, or a position, and not in the future";
        params.read("as_of", wanted, |text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits {
                let sequence = text.parse().ok().filter(|known| *known <= engine.position());
                return sequence.map(Self::Sequence);
            }
            time::parse(text).filter(|moment| *moment <= engine.now()).map(Self::Time)
        })
    }
}

/// An order as it was then, if it was there.
pub(super) async fn at(engine: &Engine, id: OrderId, as_of: AsOf) -> Result<Order, Problem> {
    let engine = engine.clone();
    let events =
        web::block(move || engine.order_history(id)).await.map_err(Problem::no_thread)??;
    let known = |step: &Step| match as_of {
        AsOf::Time(moment) => step.place.at <= moment,
        AsOf::Sequence(sequence) => step.place.sequence <= sequence,
    };
    let last = replay(events).into_iter().take_while(known).last();
    last.map(|step| step.after).ok_or_else(|| Problem::not_found("order", id.0))
}

/// The order after each of its events.
fn replay(events: Vec<OrderHistory>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(events.len());
    for OrderHistory { sequence, epoch, at, who, event } in events {
        let after = match (&event, steps.last_mut()) {
            (OrderEvent::Placed(placed), _) => Order::new(placed.clone()),
            // A part of its placing, that only stands apart because it is sealed.
            (OrderEvent::Personal { .. }, Some(placing)) => {
                placing.after.evolve(&event);
                continue;
            }
            (event, Some(before)) => {
                let mut order = before.after.clone();
                order.evolve(event);
                order
            }
            // An order begins with its placing; a history that does not has been pruned.
            (_, None) => continue,
        };
        let place = Place { sequence, epoch, at };
        steps.push(Step { place, kind: of_order(&event, after.status), who, after });
    }
    steps
}
