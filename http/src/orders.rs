//! `/orders`: what was bought, and how far it has come.

mod actions;
mod batch;
mod body;
mod details;
mod history;
mod list;
mod plan;
mod view;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use stockade_actors::Engine;
use stockade_domain::{OrderId, order::Order};

use crate::{
    answer::{self, Cached},
    command::Acting,
    extract::Input,
    problem::Problem,
    query::Params,
    refusals::locating,
    state::Shared,
};
pub(crate) use actions::{cancel, deliver, pay, return_goods, set_status, ship};
pub(crate) use batch::{all_placed, place_many};
use body::PlaceOrderBody;
pub(crate) use details::details;
pub(crate) use history::history;
pub(crate) use list::list;
pub(crate) use plan::plan;
pub(crate) use view::OrderView;

/// `POST /orders`: every line is reserved, or none is.
pub(crate) async fn place(
    req: HttpRequest,
    acting: Acting,
    body: Input<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let (request, names) = body.valid()?.alone()?.into_request()?;
    let order = acting.place_order(request).await;
    let order = order.map_err(locating(|named| names.locate(named)))?;
    Ok(done(&req, &acting, &order))
}

/// `GET /orders/{id}`: as it is, or as it was.
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let mut order = find(&state.engine, *id)?;
    let mut params = Params::of(&req);
    let as_of = history::AsOf::take(&state.engine, &mut params);
    params.finish()?;
    if let Some(as_of) = as_of {
        order = history::at(&state.engine, order.id(), as_of).await?;
    }
    let view = OrderView::of(&state.engine, &order);
    Ok(answer::seen(&req, order.version, Cached::Never, &view))
}

fn find(engine: &Engine, id: u64) -> Result<Order, Problem> {
    engine.order(OrderId(id)).ok_or_else(|| Problem::not_found("order", id))
}

/// The answer to a command about an order.
pub(crate) fn done(req: &HttpRequest, engine: &Engine, order: &Order) -> HttpResponse {
    let view = OrderView::of(engine, order);
    answer::done(req, format_args!("/orders/{}", order.id()), &view)
}
