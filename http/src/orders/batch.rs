use actix_web::{HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};
use stockade_actors::{BatchMode, Engine, Error};
use stockade_domain::{
    limits::BATCH_ORDERS_MAX,
    order::{Order, PlaceOrder},
};

use super::{
    body::{Names, PlaceOrderBody},
    view::OrderView,
};
use utoipa::ToSchema;

use crate::{
    answer,
    caller::Caller,
    extract::Input,
    openapi::answers::{Conflict, Done, Expired, Told},
    problem::Problem,
    refusals::{Named, Request, explain, locating},
    state::Shared,
};

/// `POST /orders/batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewOrders,
    examples(json!({"orders": [{"lines": [{"product_id": 1, "quantity": 2}]}], "mode": "each"}))
)]
pub(crate) struct BatchBody {
    #[schema(value_type = Vec<PlaceOrderBody>, min_items = 1, max_items = 1000)]
    orders: Vec<PlaceOrderBody>,
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = BatchMode,
    examples(json!("each"))
)]
enum Mode {
    Each,
    All,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderResults,
    examples(json!({"results": [{"status": 201, "order": {"id": 1, "customer_id": null, "shop_id": 1, "status": "paid", "lines": [{"product_id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "reserved": 2, "shipped": 0, "cancelled": 0, "returned": 0, "allocations": [{"warehouse_id": 1, "quantity": 2}]}], "total_price": "25.00", "paid_amount": "25.00", "refund_due": "0.00", "refunded_amount": "0.00", "currency": "USD", "payment_deadline": "2026-01-31T12:00:00.000Z", "placed_at": "2026-01-31T12:00:00.000Z", "paid_at": "2026-01-31T12:00:00.000Z", "closed_at": null, "payments": [{"amount": "25.00", "method": "card", "reference": "ch_7731", "recorded_at": "2026-01-31T12:00:00.000Z"}], "shipments": [], "returns": [], "allowed_transitions": ["shipped", "cancelled"], "cancel_reason": null, "note": null, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 3}}]}))
)]
pub(crate) struct Results<'a> {
    results: Vec<Row<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderResult,
    examples(json!({"status": 201, "order": {"id": 1, "customer_id": null, "shop_id": 1, "status": "paid", "lines": [{"product_id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "reserved": 2, "shipped": 0, "cancelled": 0, "returned": 0, "allocations": [{"warehouse_id": 1, "quantity": 2}]}], "total_price": "25.00", "paid_amount": "25.00", "refund_due": "0.00", "refunded_amount": "0.00", "currency": "USD", "payment_deadline": "2026-01-31T12:00:00.000Z", "placed_at": "2026-01-31T12:00:00.000Z", "paid_at": "2026-01-31T12:00:00.000Z", "closed_at": null, "payments": [{"amount": "25.00", "method": "card", "reference": "ch_7731", "recorded_at": "2026-01-31T12:00:00.000Z"}], "shipments": [], "returns": [], "allowed_transitions": ["shipped", "cancelled"], "cancel_reason": null, "note": null, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 3}}))
)]
struct Row<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = OrderView<'a>, required = false)]
    order: Option<OrderView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Problem, required = false)]
    error: Option<&'a Problem>,
}

impl<'a> Row<'a> {
    fn of(engine: &Engine, answer: Result<&'a Order, &'a Problem>) -> Self {
        Self {
            status: answer.map_or_else(|error| error.status().as_u16(), |_| 201),
            order: answer.ok().map(|order| OrderView::of(engine, order)),
            error: answer.err(),
        }
    }
}

/// `POST /orders/batch`: many orders with one wait for the disk; each by itself, or all or none.
#[utoipa::path(
    post, path = "/orders/batch", tag = "orders",
    request_body = BatchBody,
    responses(Told<Results<'static>>, Done<Results<'static>>, Conflict, Expired),
)]
pub(crate) async fn place_many(
    state: Shared,
    caller: Caller,
    body: Input<BatchBody>,
) -> Result<HttpResponse, Problem> {
    let BatchBody { orders, mode } = body.valid()?;
    if orders.is_empty() || orders.len() > BATCH_ORDERS_MAX {
        let detail = format!("must have 1 to {BATCH_ORDERS_MAX} entries");
        return Err(Problem::field("/orders", detail));
    }
    let draft = |order: PlaceOrderBody| order.into_request(&state.engine, caller);
    let drafts = orders.into_iter().map(draft);
    match mode {
        Some(Mode::All) => all(&state.engine, drafts.enumerate()).await,
        None | Some(Mode::Each) => each(&state.engine, drafts.collect()).await,
    }
}

type Draft = Result<(PlaceOrder, Names), Problem>;

async fn each(engine: &Engine, drafts: Vec<Draft>) -> Result<HttpResponse, Problem> {
    let mut requests = Vec::with_capacity(drafts.len());
    let mut names = Vec::with_capacity(drafts.len());
    for draft in drafts {
        names.push(draft.map(|(request, names)| {
            requests.push(request);
            names
        }));
    }
    let placed = engine.place_orders(requests, BatchMode::Each).await;
    let mut placed = placed.map_err(locating(in_batch))?.into_iter();
    // An order that was not even asked for has its problem already; the others have the engine's answer, in order.
    let answers: Vec<Result<Order, Problem>> = names
        .into_iter()
        .enumerate()
        .map(|(at, names)| {
            let names = names.map_err(|problem| problem.under(&format!("/orders/{at}")))?;
            let answer = placed.next().unwrap_or(Err(Error::Panicked));
            let locate = |named: Named<'_>| Some(format!("/orders/{at}{}", names.locate(named)?));
            answer.map_err(|error| explain(error, &Request { locate: &locate, currency: None }))
        })
        .collect();
    let results = answers.iter().map(|answer| Row::of(engine, answer.as_ref())).collect();
    Ok(answer::ok(&Results { results }))
}

async fn all(
    engine: &Engine,
    drafts: impl Iterator<Item = (usize, Draft)>,
) -> Result<HttpResponse, Problem> {
    let (mut requests, mut names) = (Vec::new(), Vec::new());
    for (at, draft) in drafts {
        let (request, of_order) =
            draft.map_err(|problem| problem.under(&format!("/orders/{at}")))?;
        requests.push(request);
        names.push(of_order);
    }
    let placed =
        engine.place_orders(requests, BatchMode::All).await.map_err(|error| match error {
            Error::InBatch { at, error } => {
                let locate =
                    |named: Named<'_>| Some(format!("/orders/{at}{}", names[at].locate(named)?));
                explain(*error, &Request { locate: &locate, currency: None })
            }
            of_all => locating(in_batch)(of_all),
        })?;
    let orders: Vec<Order> = placed.into_iter().collect::<Result<_, _>>()?;
    let results = orders.iter().map(|order| Row::of(engine, Ok(order))).collect();
    Ok(answer::json(StatusCode::CREATED, &Results { results }))
}

fn in_batch(named: Named<'_>) -> Option<String> {
    match named {
        Named::Field(field) => Some(format!("/{field}")),
        Named::Thing(..) => None,
    }
}
