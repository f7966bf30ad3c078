//! `/orders`: what was bought, and how far it has come.

mod actions;
mod batch;
mod body;
mod details;
mod history;
mod list;
mod named;
mod plan;
mod status;
mod view;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use stockade_actors::Engine;
use stockade_domain::{OrderId, order::Order};

use crate::{
    answer::{self, Cached},
    as_of::AsOf,
    caller::{Access, Caller},
    command::Acting,
    extract::Input,
    gate,
    openapi::{
        answers::{Conflict, Expired, Made, One},
        kinds,
    },
    problem::Problem,
    query::Params,
    refusals::locating,
    replay,
    state::Shared,
};
pub(crate) use actions::{
    __path_cancel, __path_deliver, __path_pay, __path_refund, __path_return_goods, __path_ship,
    cancel, deliver, pay, refund, return_goods, ship,
};
pub(crate) use batch::{__path_place_many, Results, all_placed, place_many};
pub(crate) use body::PlaceOrderBody;
pub(crate) use details::{__path_details, Detail, details};
pub(crate) use history::{__path_history, history};
pub(crate) use list::{__path_list, list};
pub(crate) use named::NamedOrder;
pub(crate) use plan::{__path_plan, PlanView, plan};
pub(crate) use status::{__path_set_status, set_status};
pub(crate) use view::OrderView;

/// `POST /orders`: every line is reserved, or none is.
#[utoipa::path(
    post, path = "/orders", tag = "orders",
    request_body = PlaceOrderBody,
    responses(Made<OrderView<'static>>, Conflict, Expired),
)]
pub(crate) async fn place(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    body: Input<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let (request, names) = body.valid()?.alone()?.into_request(&acting, caller)?;
    let order = acting.place_order(request).await;
    let order = order.map_err(locating(|named| names.locate(named)))?;
    done(&req, &acting, order).await
}

/// `GET /orders/{id}`: as it is, or as it was.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", summary = "One order, as it is or as it was",
    params(("as_of" = kinds::AsOf, Query, description = "As it was then, at this moment or after this event; for staff only.")),
    responses(One<OrderView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let engine = &state.engine;
    let mut params = Params::of(&req);
    // Refused like a route is: whatever the id.
    if params.has("as_of") && !caller.is_staff() {
        return Err(gate::forbidden(Access::Staff));
    }
    let order = find(engine, caller, *id)?;
    let as_of = AsOf::take(engine, &mut params);
    params.finish()?;
    let order = match as_of {
        Some(as_of) => history::at(engine, order.id(), as_of).await?,
        None => NamedOrder::now(engine, order),
    };
    let view = OrderView::named(engine, &order);
    Ok(answer::seen(&req, order.order.version, Cached::Never, &view))
}

/// An order that the caller may see. Of another's he learns no more than of one that never was.
fn find(engine: &Engine, caller: Caller, id: u64) -> Result<Order, Problem> {
    let order = engine.order(OrderId(id)).filter(|order| caller.sees(order.placed.customer));
    order.ok_or_else(|| Problem::not_found("order", id))
}

/// The answer to a command about an order. Under a key it names products as a retry will: as they were called at the decision.
async fn done(req: &HttpRequest, acting: &Acting, order: Order) -> Result<HttpResponse, Problem> {
    let order = NamedOrder::now(acting, order);
    match acting.done_at_other_names() {
        Some(at) => replay::answer(req, at).await,
        None => Ok(show(req, acting, &order)),
    }
}

/// The answer to a command about an order that came to this.
pub(crate) fn show(req: &HttpRequest, engine: &Engine, order: &NamedOrder) -> HttpResponse {
    let view = OrderView::named(engine, order);
    answer::done(req, format_args!("/orders/{}", order.order.id()), &view)
}
