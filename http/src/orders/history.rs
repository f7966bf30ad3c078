use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Path},
};
use serde::Serialize;
use stockade_actors::OrderHistory;
use stockade_domain::{
    Sequence,
    order::{Order, OrderEvent, Status},
};

use super::{find, view::OrderView};
use crate::{
    caller::Caller, page::Page, problem::Problem, query::Params, state::Shared, time::Time,
};

/// One event, with the order as it was after it.
#[derive(Serialize)]
struct EventView<'a> {
    sequence: Sequence,
    #[serde(rename = "type")]
    kind: &'static str,
    time: Time,
    data: OrderView<'a>,
}

struct Step {
    sequence: Sequence,
    kind: &'static str,
    time: Time,
    after: Order,
}

/// `GET /orders/{id}/events`: what happened to one order, oldest first.
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
    steps.retain(|step| step.sequence > after);
    let names = OrderView::of(&state.engine, &order);
    Ok(page.answer_by_id(
        &req,
        &steps,
        |step| step.sequence,
        |step| EventView {
            sequence: step.sequence,
            kind: step.kind,
            time: step.time,
            data: names.at(&step.after),
        },
    ))
}

/// The order after each of its events.
fn replay(events: Vec<OrderHistory>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(events.len());
    for OrderHistory { sequence, at, event } in events {
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
        steps.push(Step { sequence, kind: name(&event, after.status), time: Time(at), after });
    }
    steps
}

fn name(event: &OrderEvent, after: Status) -> &'static str {
    match event {
        OrderEvent::Placed(_) | OrderEvent::Personal { .. } => "order.placed",
        OrderEvent::PaymentRecorded { .. } => "order.payment_recorded",
        OrderEvent::Paid { .. } => "order.paid",
        OrderEvent::Expired(_) => "order.expired",
        OrderEvent::Cancelled(_) => "order.cancelled",
        OrderEvent::Shipped { .. } if after == Status::PartiallyShipped => {
            "order.partially_shipped"
        }
        OrderEvent::Shipped { .. } => "order.shipped",
        OrderEvent::Delivered { .. } => "order.delivered",
        OrderEvent::Returned { .. } => "order.returned",
        OrderEvent::Refunded { .. } => "order.refunded",
    }
}
