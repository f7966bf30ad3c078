use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use serde::Deserialize;
use stockade_actors::Error;
use stockade_domain::{
    Refusal,
    order::{LineQuantity, Order, OrderCommand},
};

use utoipa::ToSchema;

use super::{done, find, view::OrderView};
use crate::{
    caller::Caller,
    command::Acting,
    etag::Expected,
    extract::Input,
    lines::LineBody,
    money::Decimal,
    openapi::{
        answers::{Conflict, Done, IfMatch, Made},
        kinds,
    },
    problem::{Code, Problem},
    refusals::{Request, explain, plain},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewPayment,
    examples(json!({"amount": "25.00", "method": "card", "reference": "ch_7731"}))
)]
pub(crate) struct PaymentBody {
    #[schema(value_type = Option<kinds::Payment>)]
    amount: Option<Decimal>,
    #[schema(value_type = Option<kinds::Text>)]
    method: Option<String>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewRefund,
    examples(json!({"amount": "25.00"}))
)]
pub(crate) struct RefundBody {
    #[schema(value_type = Option<kinds::Payment>)]
    amount: Option<Decimal>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = CancelOrder,
    examples(json!({"reason": "changed my mind"}))
)]
pub(crate) struct CancelBody {
    #[schema(value_type = Option<kinds::Text>)]
    reason: Option<String>,
    #[schema(value_type = Option<Vec<LineBody>>, min_items = 1, max_items = 2000)]
    lines: Option<Vec<LineBody>>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewShipment,
    examples(json!({"carrier": "DHL", "tracking": "JD0146"}))
)]
pub(crate) struct ShipmentBody {
    #[schema(value_type = Option<Vec<LineBody>>, min_items = 1, max_items = 2000)]
    lines: Option<Vec<LineBody>>,
    #[schema(value_type = Option<kinds::Text>)]
    carrier: Option<String>,
    #[schema(value_type = Option<kinds::Text>)]
    tracking: Option<String>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = DeliverOrder,
    examples(json!({}))
)]
pub(crate) struct DeliverBody {
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewReturn,
    examples(json!({"lines": [{"product_id": 1, "quantity": 1}], "restock": true, "reason": "too small"}))
)]
pub(crate) struct ReturnBody {
    #[schema(value_type = Vec<LineBody>, min_items = 1, max_items = 2000)]
    lines: Vec<LineBody>,
    restock: Option<bool>,
    #[schema(value_type = Option<kinds::Text>)]
    reason: Option<String>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

fn quantities(lines: Vec<LineBody>) -> Vec<LineQuantity> {
    lines.into_iter().map(Into::into).collect()
}

/// Runs a command on an order that the caller saw as `now`.
async fn command(
    acting: &Acting,
    req: &HttpRequest,
    now: &Order,
    version: Option<u32>,
    command: OrderCommand,
) -> Result<HttpResponse, Problem> {
    let expected = Expected::of(req, version);
    let engine = acting.expecting(expected.version(now.version));
    let changed = engine.change_order(now.id(), command).await;
    let order = changed.map_err(|error| expected.explain(error, |error| refused(error, now)))?;
    done(req, acting, order).await
}

pub(super) fn refused(error: Error, order: &Order) -> Problem {
    explain(error, &Request { locate: &plain, currency: Some(order.placed.currency) })
}

/// `POST /orders/{id}/payments`: records a payment, or all that is due.
#[utoipa::path(
    post, path = "/orders/{id}/payments", tag = "orders",
    params(IfMatch), request_body = PaymentBody,
    responses(Made<OrderView<'static>>, Conflict),
)]
pub(crate) async fn pay(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<PaymentBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let PaymentBody { amount, method, reference, version } = body.valid()?;
    let currency = now.placed.currency;
    let amount = amount.map(|amount| amount.amount(currency, "/amount")).transpose()?;
    let pay = OrderCommand::Pay { amount, method, reference };
    command(&acting, &req, &now, version, pay).await
}

/// `POST /orders/{id}/refunds`: records that money due was paid back, or all of it.
#[utoipa::path(
    post, path = "/orders/{id}/refunds", tag = "orders",
    params(IfMatch), request_body = RefundBody,
    responses(Made<OrderView<'static>>, Conflict),
)]
pub(crate) async fn refund(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<RefundBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let RefundBody { amount, version } = body.valid()?;
    let currency = now.placed.currency;
    let amount = amount.map(|amount| amount.amount(currency, "/amount")).transpose()?;
    command(&acting, &req, &now, version, OrderCommand::Refund { amount }).await
}

/// `POST /orders/{id}/cancel`: gives up what is not shipped; a customer, only while it is not paid.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", tag = "orders",
    params(IfMatch), request_body = CancelBody,
    responses(Done<OrderView<'static>>, Conflict),
)]
pub(crate) async fn cancel(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<CancelBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let CancelBody { reason, lines, version } = body.valid()?;
    let lines = lines.map(quantities);
    let cancel = match caller.customer() {
        Some(_) => OrderCommand::CancelUnpaid { lines, reason },
        None => OrderCommand::Cancel { lines, reason },
    };
    let expected = Expected::of(&req, version);
    let engine = acting.expecting(expected.version(now.version));
    let cancelled = engine.change_order(now.id(), cancel).await;
    let explained = |error| match error {
        Error::Refused(Refusal::OrderAlreadyPaid) => paid_already(),
        error => refused(error, &now),
    };
    let order = cancelled.map_err(|error| expected.explain(error, explained))?;
    done(&req, &acting, order).await
}

/// 403: the goods may be on their way, and the money is here.
fn paid_already() -> Problem {
    let detail = "a customer cannot cancel a paid order: ask the shop";
    Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, detail)
}

/// `POST /orders/{id}/shipments`: ships what is left, or some of it.
#[utoipa::path(
    post, path = "/orders/{id}/shipments", tag = "orders",
    params(IfMatch), request_body = ShipmentBody,
    responses(Made<OrderView<'static>>, Conflict),
)]
pub(crate) async fn ship(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<ShipmentBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let ShipmentBody { lines, carrier, tracking, version } = body.valid()?;
    let ship = OrderCommand::Ship { lines: lines.map(quantities), carrier, tracking };
    command(&acting, &req, &now, version, ship).await
}

/// `POST /orders/{id}/deliver`.
#[utoipa::path(
    post, path = "/orders/{id}/deliver", tag = "orders", summary = "What was shipped has arrived",
    params(IfMatch), request_body = DeliverBody,
    responses(Done<OrderView<'static>>, Conflict),
)]
pub(crate) async fn deliver(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<DeliverBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let DeliverBody { version } = body.valid()?;
    command(&acting, &req, &now, version, OrderCommand::Deliver).await
}

/// `POST /orders/{id}/returns`: shipped units came back.
#[utoipa::path(
    post, path = "/orders/{id}/returns", tag = "orders",
    params(IfMatch), request_body = ReturnBody,
    responses(Made<OrderView<'static>>, Conflict),
)]
pub(crate) async fn return_goods(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<ReturnBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let ReturnBody { lines, restock, reason, version } = body.valid()?;
    let lines = Some(quantities(lines));
    let back = OrderCommand::Return { lines, restock: restock.unwrap_or(true), reason };
    command(&acting, &req, &now, version, back).await
}
