use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Path},
};
use stockade_actors::{Engine, OrderHistory};
use stockade_domain::{
    OrderId, Who,
    order::{Order, OrderEvent},
};

use super::{find, named::NamedOrder, view::OrderView};
use crate::{
    as_of::AsOf,
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

/// An order as it was then, with its products as they were called, if it was there.
pub(super) async fn at(engine: &Engine, id: OrderId, as_of: AsOf) -> Result<NamedOrder, Problem> {
    let at = as_of.position(engine).await?;
    let engine = engine.clone();
    let look = move || {
        let steps = replay(engine.order_history(id)?).into_iter();
        let last = steps.take_while(|step| step.place.sequence <= at).last();
        last.map(|step| NamedOrder::as_of(&engine, step.after, at)).transpose()
    };
    let order = web::block(look).await.map_err(Problem::no_thread)??;
    order.ok_or_else(|| Problem::not_found("order", id.0))
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
