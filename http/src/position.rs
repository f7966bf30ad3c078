//! Positions: reading what was written elsewhere before.
//!
//! Every write says how far the journal is that it is in, or, when it was refused, how far it was that it saw; a read that repeats it
//! waits until it sees that far. Clients take it as it
//! is: some of the journal's name, so that one of another journal is not waited for, and the sequence.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
};
use stockade_actors::Engine;
use stockade_domain::Sequence;

use crate::{answer, problem::Problem, query, state::Shared};

static POSITION: HeaderName = HeaderName::from_static("stockade-position");
static MIN_POSITION: HeaderName = HeaderName::from_static("stockade-min-position");

fn engine(req: &HttpRequest) -> &Engine {
    &req.app_data::<Shared>().expect("every route has the state").engine
}

fn text(engine: &Engine, sequence: Sequence) -> String {
    format!("{:08x}-{sequence:x}", engine.journal_id() as u32)
}

fn read(engine: &Engine, text: &str) -> Option<Sequence> {
    let (_, digits) = text.split_once('-')?;
    let sequence = Sequence::from_str_radix(digits, 16).ok()?;
    // There is one spelling of each, and it names this journal.
    (self::text(engine, sequence) == text).then_some(sequence)
}

/// Whether a request may change something. A plan is sent like one that does.
pub(crate) fn is_write(req: &HttpRequest) -> bool {
    !matches!(*req.method(), Method::GET | Method::HEAD)
        && !answer::path(req).ends_with("/orders/plan")
}

/// Says in the answer to a write where it can be read; where it was refused, what the refusal saw.
pub(crate) fn mark(
    req: &HttpRequest,
    answer: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let engine = engine(req);
    // What is answered is folded: this is at or after it.
    let position = text(engine, engine.position());
    let mut response =
        answer.map_err(|problem| problem.with_header(POSITION.clone(), &position))?;
    if let Ok(position) = HeaderValue::from_str(&position) {
        response.headers_mut().insert(POSITION.clone(), position);
    }
    Ok(response)
}

/// Waits for the position that a read asks for, and not for long. What is none is told with what is wrong with the query.
pub(crate) async fn wait(req: &HttpRequest) -> Result<(), Problem> {
    let mut given = req.headers().get_all(&MIN_POSITION);
    let (Some(wanted), more) = (given.next(), given.next()) else { return Ok(()) };
    let engine = engine(req);
    let sequence = wanted.to_str().ok().and_then(|text| read(engine, text));
    let Some(sequence) = sequence.filter(|_| more.is_none()) else {
        let detail = "must be one Stockade-Position of an answer of this server's journal";
        query::fault_of_header(req, "Stockade-Min-Position", detail);
        return Ok(());
    };
    if sequence <= engine.position() {
        return Ok(());
    }
    let state = req.app_data::<Shared>().expect("every route has the state");
    Ok(engine.wait_for(sequence, state.position_wait).await?)
}
