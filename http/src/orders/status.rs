use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Deserialize;
use stockade_actors::Error;
use stockade_domain::{
    Refusal,
    order::{Order, OrderCommand, Status},
};
use utoipa::ToSchema;

use super::{actions::refused, done, find, list, view::OrderView};
use crate::{
    caller::Caller,
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::ReadOnly,
    openapi::{
        answers::{Conflict, Done, IfMatch},
        kinds,
    },
    problem::Problem,
};

/// The next status; what else the answer has may be repeated, and changes nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = SetOrderStatus,
    examples(json!({"status": "paid"}))
)]
pub(crate) struct StatusBody {
    #[schema(value_type = kinds::OrderStatus)]
    status: String,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "customer_id", default)]
    _customer_id: ReadOnly,
    #[serde(rename = "shop_id", default)]
    _shop_id: ReadOnly,
    #[serde(rename = "lines", default)]
    _lines: ReadOnly,
    #[serde(rename = "total_price", default)]
    _total_price: ReadOnly,
    #[serde(rename = "paid_amount", default)]
    _paid_amount: ReadOnly,
    #[serde(rename = "refund_due", default)]
    _refund_due: ReadOnly,
    #[serde(rename = "refunded_amount", default)]
    _refunded_amount: ReadOnly,
    #[serde(rename = "currency", default)]
    _currency: ReadOnly,
    #[serde(rename = "payment_deadline", default)]
    _payment_deadline: ReadOnly,
    #[serde(rename = "placed_at", default)]
    _placed_at: ReadOnly,
    #[serde(rename = "paid_at", default)]
    _paid_at: ReadOnly,
    #[serde(rename = "closed_at", default)]
    _closed_at: ReadOnly,
    #[serde(rename = "payments", default)]
    _payments: ReadOnly,
    #[serde(rename = "shipments", default)]
    _shipments: ReadOnly,
    #[serde(rename = "returns", default)]
    _returns: ReadOnly,
    #[serde(rename = "allowed_transitions", default)]
    _allowed_transitions: ReadOnly,
    #[serde(rename = "cancel_reason", default)]
    _cancel_reason: ReadOnly,
    #[serde(rename = "note", default)]
    _note: ReadOnly,
    #[serde(rename = "reference", default)]
    _reference: ReadOnly,
    #[serde(rename = "metadata", default)]
    _metadata: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

/// `PATCH /orders/{id}/status`: the next step by its name.
#[utoipa::path(
    patch, path = "/orders/{id}/status", tag = "orders",
    params(IfMatch), request_body = StatusBody,
    responses(Done<OrderView<'static>>, Conflict),
)]
pub(crate) async fn set_status(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<StatusBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let StatusBody { status: word, version, .. } = body.valid()?;
    let Some(wanted) = list::status(&word) else {
        return Err(Problem::field("/status", "must be the name of a status"));
    };
    let expected = Expected::of(&req, version);
    expected.check(now.version)?;
    let engine = acting.expecting(expected.version(now.version));
    let Some(step) = step_to(wanted) else {
        return Err(refused(illegal(&now, wanted), &now));
    };
    if now.status == wanted {
        return done(&req, &acting, now).await;
    }
    match engine.change_order(now.id(), step).await {
        Ok(order) => done(&req, &acting, order).await,
        Err(error) => {
            // Somebody else may have come first: then what is asked for is done, or illegal from where the order is now.
            let now = find(&acting, caller, *id)?;
            match error {
                stale @ Error::Refused(Refusal::VersionConflict { .. }) => {
                    Err(expected.explain(stale, |error| refused(error, &now)))
                }
                Error::Refused(_) if now.status == wanted => done(&req, &acting, now).await,
                Error::Refused(Refusal::OrderAlreadyPaid | Refusal::OrderNotPayable(_)) => {
                    Err(refused(illegal(&now, wanted), &now))
                }
                error => Err(refused(error, &now)),
            }
        }
    }
}

/// What a status by name asks for; nothing for those that only follow from other things.
fn step_to(wanted: Status) -> Option<OrderCommand> {
    Some(match wanted {
        Status::Paid => OrderCommand::Pay { amount: None, method: None, reference: None },
        Status::Shipped => OrderCommand::Ship { lines: None, carrier: None, tracking: None },
        Status::Delivered => OrderCommand::Deliver,
        Status::Cancelled => OrderCommand::Cancel { lines: None, reason: None },
        Status::Returned => OrderCommand::Return { lines: None, restock: true, reason: None },
        Status::PendingPayment | Status::PartiallyShipped | Status::Expired => return None,
    })
}

fn illegal(now: &Order, wanted: Status) -> Error {
    let allowed = now.allowed_transitions().to_vec();
    Refusal::IllegalTransition { from: now.status, action: wanted.name(), allowed }.into()
}
