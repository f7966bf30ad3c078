//! First answers again: what a command under an idempotency key was answered, rebuilt from the journal.
//!
//! All of it is as it was at the decision: the thing itself, and what is shown around it, such as the names of an order's products and
//! what there was of a product. What may have changed between a decision and its first answer is shown by the same rule the first time.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web,
};
use stockade_actors::{Engine, Error, FirstAnswer};
use stockade_domain::Sequence;

use crate::{
    accounts, adjustments, answer, api_keys,
    command::Acting,
    orders::{self, NamedOrder},
    problem::Problem,
    products, reservations, shops,
    state::Shared,
    stock, transfers, warehouses,
};

static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A first answer, with all that it shows.
pub(crate) enum First {
    /// One order, or those of a batch, with their products as they were called.
    Orders(Vec<NamedOrder>),
    /// What has nothing else around it.
    Other(FirstAnswer),
}

impl First {
    fn of(engine: &Engine, at: Sequence) -> Result<Self, Error> {
        let orders = match engine.first_answer(at)? {
            FirstAnswer::Order(order) => vec![order],
            FirstAnswer::Orders(orders) => orders,
            other => return Ok(Self::Other(other)),
        };
        let named = orders.into_iter().map(|order| NamedOrder::as_of(engine, order, at));
        Ok(Self::Orders(named.collect::<Result<_, _>>()?))
    }
}

/// The answer to the command whose decision is there, again.
pub(crate) async fn first_answer(req: &HttpRequest, at: Sequence) -> Result<HttpResponse, Problem> {
    Ok(mark(answer(req, at).await?))
}

/// The answer to the command whose decision is there.
pub(crate) async fn answer(req: &HttpRequest, at: Sequence) -> Result<HttpResponse, Problem> {
    let engine = req.app_data::<Shared>().expect("every route has the state").engine.clone();
    let first = read(&engine, vec![at]).await?.pop();
    Ok(show(req, &engine, first.ok_or(Error::Panicked)?))
}

/// Says that the answer, or some of it, is not new.
fn mark(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}

/// Reads first answers; the journal is on a disk.
async fn read(engine: &Engine, places: Vec<Sequence>) -> Result<Vec<First>, Problem> {
    let engine = engine.clone();
    let look = move || places.into_iter().map(|at| First::of(&engine, at)).collect();
    let read: Result<_, Error> = web::block(look).await.map_err(Problem::no_thread)?;
    Ok(read?)
}

fn show(req: &HttpRequest, engine: &Engine, first: First) -> HttpResponse {
    let other = match first {
        First::Other(other) => other,
        // A batch of all or none is one command, also when it is a batch of one.
        First::Orders(orders) => match orders.as_slice() {
            [order] if !answer::path(req).ends_with("/batch") => {
                return orders::show(req, engine, order);
            }
            orders => return orders::all_placed(engine, orders),
        },
    };
    match other {
        FirstAnswer::Order(_) | FirstAnswer::Orders(_) => unreachable!("they have names"),
        FirstAnswer::Hold(hold) => reservations::done(req, &hold),
        FirstAnswer::Transfer(transfer) => transfers::done(req, &transfer),
        FirstAnswer::Adjusted(adjusted) => adjustments::done(req, adjusted),
        FirstAnswer::Product { product, on_hand, available } => {
            products::show(req, &product, (on_hand, available))
        }
        FirstAnswer::Shop(shop) => shops::done(req, &shop),
        FirstAnswer::Warehouse(place) => warehouses::done(req, &place),
        FirstAnswer::Stock(row) => stock::show(&row),
        FirstAnswer::ApiKey(made) => api_keys::done(req, &made),
        FirstAnswer::Account(account) => accounts::done(req, engine, &account),
    }
}

/// The rows of a batch, whether they were answered now or before.
pub(crate) struct Rows<T> {
    /// What each came to, in their order.
    pub(crate) answers: Vec<Result<T, Error>>,
    /// Whether one of them was answered before.
    pub(crate) replayed: bool,
}

impl<T> Rows<T> {
    /// The first answers in place of what the engine only says to be done, and in place of what is done now and shows more than its
    /// thing: `done` says where a row was decided. `pick` takes from one what this batch is about.
    pub(crate) async fn read(
        acting: &Acting,
        mut answers: Vec<Result<T, Error>>,
        done: impl Fn(usize) -> Option<Sequence>,
        pick: impl Fn(First) -> Option<T>,
    ) -> Result<Self, Problem> {
        let mut replayed = false;
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for (row, answer) in answers.iter().enumerate() {
            let place = match answer {
                Err(Error::AlreadyDone { at }) => {
                    replayed = true;
                    Some(*at)
                }
                Err(_) => None,
                Ok(_) => done(row),
            };
            rows.extend(place.map(|_| row));
            places.extend(place);
        }
        if !places.is_empty() {
            for (row, first) in rows.into_iter().zip(read(acting, places).await?) {
                // The key and the request are the same, so that this is of the same kind.
                answers[row] = pick(first).ok_or(Error::Panicked);
            }
        }
        Ok(Self { answers, replayed })
    }
}

/// The answer of a batch: it says when a row of it is not new.
pub(crate) fn of_rows(replayed: bool, response: HttpResponse) -> HttpResponse {
    if replayed { mark(response) } else { response }
}
