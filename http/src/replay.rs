//! First answers again: what a command under an idempotency key was answered, rebuilt from the journal.
//!
//! Orders, reservations, transfers and adjustments are as they were then, whatever happened since. What an answer shows around them
//! is as it is now: names and skus of an order's lines, `stock` and `available` of a product, and all of a stock's row.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web,
};
use stockade_actors::{CatalogueThing, Engine, Error, FirstAnswer};
use stockade_domain::Sequence;

use crate::{
    accounts, adjustments, api_keys, command::Acting, orders, problem::Problem, products,
    reservations, shops, state::Shared, stock, transfers, warehouses,
};

static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The answer to the command whose decision is there.
pub(crate) async fn first_answer(req: &HttpRequest, at: Sequence) -> Result<HttpResponse, Problem> {
    let engine = req.app_data::<Shared>().expect("every route has the state").engine.clone();
    let first = read(&engine, vec![at]).await?.pop();
    Ok(mark(show(req, &engine, first.ok_or(Error::Panicked)?)))
}

/// Says that the answer, or some of it, is not new.
fn mark(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    response
}

/// Reads first answers; the journal is on a disk.
async fn read(engine: &Engine, places: Vec<Sequence>) -> Result<Vec<FirstAnswer>, Problem> {
    let engine = engine.clone();
    let look = move || places.into_iter().map(|at| engine.first_answer(at)).collect();
    let read: Result<_, Error> = web::block(look).await.map_err(Problem::no_thread)?;
    Ok(read?)
}

fn show(req: &HttpRequest, engine: &Engine, first: FirstAnswer) -> HttpResponse {
    match first {
        // A batch of all or none is one command, also when it is a batch of one.
        FirstAnswer::Order(order) if req.path().ends_with("/batch") => {
            orders::all_placed(engine, &[order])
        }
        FirstAnswer::Order(order) => orders::done(req, engine, &order),
        FirstAnswer::Orders(orders) => orders::all_placed(engine, &orders),
        FirstAnswer::Hold(hold) => reservations::done(req, &hold),
        FirstAnswer::Transfer(transfer) => transfers::done(req, &transfer),
        FirstAnswer::Adjusted(adjusted) => adjustments::done(adjusted),
        FirstAnswer::Catalogue(CatalogueThing::Product(product)) => {
            products::done(req, engine, &product)
        }
        FirstAnswer::Catalogue(CatalogueThing::Shop(shop)) => shops::done(req, &shop),
        FirstAnswer::Catalogue(CatalogueThing::Warehouse(place)) => warehouses::done(req, &place),
        FirstAnswer::Stock(row) => stock::done(&row),
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
    /// The first answers in place of what the engine only says to be done. `pick` takes from one what this batch is about.
    pub(crate) async fn read(
        acting: &Acting,
        mut answers: Vec<Result<T, Error>>,
        pick: impl Fn(FirstAnswer) -> Option<T>,
    ) -> Result<Self, Problem> {
        let place = |answer: &Result<T, Error>| match answer {
            Err(Error::AlreadyDone { at }) => Some(*at),
            _ => None,
        };
        let places: Vec<_> = answers.iter().filter_map(place).collect();
        let replayed = !places.is_empty();
        if replayed {
            let mut first = read(acting, places).await?.into_iter();
            for answer in answers.iter_mut().filter(|answer| place(answer).is_some()) {
                // The key and the request are the same, so that this is of the same kind.
                *answer = first.next().and_then(&pick).ok_or(Error::Panicked);
            }
        }
        Ok(Self { answers, replayed })
    }
}

/// The answer of a batch: it says when a row of it is not new.
pub(crate) fn of_rows(replayed: bool, response: HttpResponse) -> HttpResponse {
    if replayed { mark(response) } else { response }
}
