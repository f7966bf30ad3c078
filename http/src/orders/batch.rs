use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stockade_actors::{BatchMode, Engine, Error};
use stockade_domain::{IdempotencyKey, limits::BATCH_ORDERS_MAX, order::Order};

use super::{
    body::{Names, PlaceOrderBody},
    named::NamedOrder,
    view::OrderView,
};
use utoipa::ToSchema;

use crate::{
    answer,
    caller::Caller,
    command::Acting,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, Expired, Told},
        rows::NewOrderRow,
    },
    problem::Problem,
    refusals::{Named, Request, explain, locating},
    replay::{self, First, Rows, of_rows},
    rows::Sent,
};

/// `POST /orders/batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewOrders,
    examples(json!({"orders": [{"lines": [{"product_id": 1, "quantity": 2}]}], "mode": "each"}))
)]
pub(crate) struct BatchBody {
    #[schema(value_type = Vec<NewOrderRow>, min_items = 1, max_items = 1000)]
    orders: Vec<Box<RawValue>>,
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
    fn of(engine: &Engine, answer: Result<&'a NamedOrder, &'a Problem>) -> Self {
        Self {
            status: answer.map_or_else(|error| error.status().as_u16(), |_| 201),
            order: answer.ok().map(|order| OrderView::named(engine, order)),
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
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    body: Input<BatchBody>,
) -> Result<HttpResponse, Problem> {
    let BatchBody { orders, mode } = body.valid()?;
    if orders.is_empty() || orders.len() > BATCH_ORDERS_MAX {
        let detail = format!("must have 1 to {BATCH_ORDERS_MAX} entries");
        return Err(Problem::field("/orders", detail));
    }
    let orders = Sent::read("orders", orders);
    match mode {
        Some(Mode::All) => all(&req, &acting, caller, orders).await,
        None | Some(Mode::Each) => each(&acting, caller, orders).await,
    }
}

async fn each(
    acting: &Acting,
    caller: Caller,
    orders: Sent<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let draft = |_, order: PlaceOrderBody| order.into_request(acting, caller);
    let (requests, rows) = acting.each(orders, PlaceOrderBody::key, draft)?;
    let placed = acting.place_orders_keyed(requests, BatchMode::Each).await;
    let placed = named(acting, placed.map_err(locating(in_batch))?);
    let done = |key| acting.row_done_at_other_names(key);
    let (answers, replayed) = rows.answers(acting, placed, done, order, refused).await?;
    let results = answers.iter().map(|answer| Row::of(acting, answer.as_ref())).collect();
    Ok(of_rows(replayed, answer::ok(&Results { results })))
}

async fn all(
    req: &HttpRequest,
    acting: &Acting,
    caller: Caller,
    orders: Sent<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let keys = acting.row_keys(&orders, PlaceOrderBody::key);
    let orders = orders.all()?;
    let keys: Vec<_> = keys.into_iter().collect::<Result<_, _>>()?;
    let placed = match acting.all_done("orders", &keys)? {
        Some(done) => done.into_iter().map(|at| Err(Error::AlreadyDone { at })).collect(),
        None => place_all(acting, caller, orders, &keys).await?,
    };
    if let Some(at) = acting.done_at_other_names() {
        return replay::answer(req, at).await;
    }
    let done = |row: usize| acting.row_done_at_other_names(keys[row]);
    let placed = Rows::read(acting, placed, done, order).await?;
    let orders: Vec<NamedOrder> = placed.answers.into_iter().collect::<Result<_, _>>()?;
    Ok(of_rows(placed.replayed, all_placed(acting, &orders)))
}

/// Places all of these orders, or none, by the names of now.
async fn place_all(
    acting: &Acting,
    caller: Caller,
    orders: Vec<PlaceOrderBody>,
    keys: &[Option<IdempotencyKey>],
) -> Result<Vec<Result<NamedOrder, Error>>, Problem> {
    let (mut requests, mut names) = (Vec::new(), Vec::new());
    for (at, (order, key)) in orders.into_iter().zip(keys).enumerate() {
        let draft = order.into_request(acting, caller);
        let (request, named) = draft.map_err(|problem| problem.under(&format!("/orders/{at}")))?;
        requests.push((request, *key));
        names.push(named);
    }
    let placed = acting.place_orders_keyed(requests, BatchMode::All).await;
    let placed = placed.map_err(|error| match error {
        // What a part of them came to before is not the answer of all.
        Error::InBatch { at, error } => match *error {
            Error::AlreadyDone { .. } => refused(Error::KeyReused, at, &names[at]),
            error => refused(error, at, &names[at]),
        },
        of_all => locating(in_batch)(of_all),
    })?;
    Ok(named(acting, placed))
}

/// What was placed, by the names of now.
fn named(engine: &Engine, placed: Vec<Result<Order, Error>>) -> Vec<Result<NamedOrder, Error>> {
    let name = |order| NamedOrder::now(engine, order);
    placed.into_iter().map(|placed| placed.map(name)).collect()
}

/// The answer to a batch of which every order was placed.
pub(crate) fn all_placed(engine: &Engine, orders: &[NamedOrder]) -> HttpResponse {
    let results = orders.iter().map(|order| Row::of(engine, Ok(order))).collect();
    answer::json(StatusCode::CREATED, &Results { results })
}

fn order(first: First) -> Option<NamedOrder> {
    match first {
        First::Orders(mut orders) => orders.pop(),
        First::Other(_) => None,
    }
}

fn refused(error: Error, at: usize, names: &Names) -> Problem {
    let locate = |named: Named<'_>| Some(format!("/orders/{at}{}", names.locate(named)?));
    explain(error, &Request { locate: &locate, currency: None })
}

fn in_batch(named: Named<'_>) -> Option<String> {
    match named {
        Named::Field(field) => Some(format!("/{field}")),
        Named::Thing(..) => None,
    }
}
