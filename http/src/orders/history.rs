use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Path},
};
use stockade_actors::OrderHistory;
use stockade_domain::order::{Order, OrderEvent};

use super::{find, view::OrderView};
use crate::{
    events::{self, CloudEvent, Entity, Place, of_order},
    page::Page,
    problem::Problem,
    query::Params,
    state::Shared,
};

/// One event, with the order as it was after it.
struct Step {
    place: Place,
    kind: &'static str,
    after: Order,
}

/// `GET /orders/{id}/events`: what happened to one order, oldest first.
pub(crate) async fn history(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let order = find(&state.engine, *id)?;
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
        |step| CloudEvent::new(&source, step.place, step.kind, subject, names.at(&step.after)),
    ))
}

/// The order after each of its events.
fn replay(events: Vec<OrderHistory>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(events.len());
    for OrderHistory { sequence, epoch, at, event } in events {
        let after = match (&event, steps.last()) {
            (OrderEvent::Placed(placed), _) => Order::new(placed.clone()),
            (event, Some(before)) => {
                let mut order = before.after.clone();
                order.evolve(event);
                order
            }
            // An order begins with its placing; a history that does not has been pruned.
            (_, None) => continue,
        };
        let place = Place { sequence, epoch, at };
        steps.push(Step { place, kind: of_order(&event, after.status), after });
    }
    steps
}
