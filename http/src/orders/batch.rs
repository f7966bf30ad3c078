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
use crate::{
    answer,
    caller::Caller,
    extract::Input,
    problem::Problem,
    refusals::{Named, Request, explain, locating},
    state::Shared,
};

/// `POST /orders/batch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    orders: Vec<PlaceOrderBody>,
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Each,
    All,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
