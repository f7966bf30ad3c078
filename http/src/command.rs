//! What every command runs under: who asks, under which idempotency key, and at which version.

use std::ops::Deref;

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{Method, header::HeaderName},
};
use aws_lc_rs::digest::{self, SHA256};
use futures_util::future::{Ready, ready};
use stockade_actors::{Context, Engine, Error};
use stockade_domain::{IdempotencyKey, Sequence, Who};

use crate::{answer, caller::Caller, gate::Body, problem::Problem, query, state::Shared};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key of a client's own.
pub(crate) const KEY_MAX: usize = 255;

/// Who asks. Without authentication everybody is the one local caller, whom nothing has to name.
fn caller(req: &HttpRequest) -> Option<Who> {
    let caller = req.extensions().get::<Caller>().copied();
    caller.and_then(Caller::who)
}

/// The engine as a handler of commands takes it: for this caller, and under this request's key.
///
/// A handler that takes it knows idempotency keys; one that does not, such as that of a plan, ignores them. The gate answers before
/// the handler runs when the key is known already.
#[derive(Clone)]
pub(crate) struct Acting {
    engine: Engine,
    context: Context,
    /// Where the catalogue was when the request came.
    catalogue: Sequence,
}

/// What the gate must look at before a handler of commands runs.
struct Begun(Engine);

impl Deref for Acting {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl FromRequest for Acting {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// What is wrong with the key is told with what is wrong with the query and the body, behind that there is no such thing.
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = req.app_data::<Shared>().expect("every route has the state");
        let who = caller(req);
        let key = key_of(req, who).unwrap_or_else(|NoKey| {
            query::fault_of_header(req, "Idempotency-Key", KEY_WANTED);
            None
        });
        let context = Context { who, key, expected: None };
        let engine = state.engine.by(context);
        req.extensions_mut().insert(Begun(engine.clone()));
        let catalogue = engine.catalogue_position();
        ready(Ok(Self { engine, context, catalogue }))
    }
}

/// Says of a request whose handler runs commands what its key is told before anything else is looked at.
pub(crate) fn check_key(req: &HttpRequest) -> Result<(), Problem> {
    let begun = req.extensions_mut().remove::<Begun>();
    match begun {
        Some(Begun(engine)) => engine.check_key().map_err(Problem::from),
        None => Ok(()),
    }
}

impl Acting {
    /// The same, for a thing that must still have this version.
    pub(crate) fn expecting(&self, expected: Option<u32>) -> Engine {
        self.engine.by(Context { expected, ..self.context })
    }

    /// The key of this request.
    pub(crate) fn key(&self) -> Option<IdempotencyKey> {
        self.context.key
    }

    /// Where this request's command was decided, which has just been answered; nothing without a key or an effect. What is shown
    /// around its thing is shown as of there, so that a retry is told the same.
    pub(crate) fn done_at(&self) -> Option<Sequence> {
        self.row_done_at(self.context.key)
    }

    /// The same of one row of a batch, under its key.
    pub(crate) fn row_done_at(&self, key: Option<IdempotencyKey>) -> Option<Sequence> {
        match self.under(key).check_key() {
            Err(Error::AlreadyDone { at }) => Some(at),
            _ => None,
        }
    }

    /// The same for what shows only names around its thing, and took them before it asks: as long as nothing in the catalogue has
    /// changed since the request came, they are those of the decision.
    pub(crate) fn done_at_other_names(&self) -> Option<Sequence> {
        self.row_done_at_other_names(self.context.key)
    }

    /// The same of one row of a batch, under its key.
    pub(crate) fn row_done_at_other_names(&self, key: Option<IdempotencyKey>) -> Option<Sequence> {
        let others = self.engine.catalogue_position() != self.catalogue;
        if others { self.row_done_at(key) } else { None }
    }

    /// The same, under another key.
    pub(crate) fn under(&self, key: Option<IdempotencyKey>) -> Engine {
        self.engine.by(Context { key, ..self.context })
    }

    /// The own key of a row of a batch, by the row as it is written.
    pub(crate) fn key_of_row(&self, own: &str, kind: &str, row: &str) -> Option<IdempotencyKey> {
        let request = request_hash(own.as_bytes(), "row", kind, "", row.as_bytes());
        scoped(self.context.who, own.as_bytes()).map(|key| IdempotencyKey { key, request })
    }
}

/// What a key that is none is told.
pub(crate) const KEY_WANTED: &str = "must be 1 to 255 visible ASCII characters";

/// What is written where a key should be is none.
struct NoKey;

/// The key of a request that may have one.
fn key_of(req: &HttpRequest, who: Option<Who>) -> Result<Option<IdempotencyKey>, NoKey> {
    if !matches!(*req.method(), Method::POST | Method::PATCH) {
        return Ok(None);
    }
    let mut given = req.headers().get_all(&IDEMPOTENCY_KEY);
    let (Some(own), more) = (given.next(), given.next()) else { return Ok(None) };
    let key = scoped(who, own.as_bytes()).filter(|_| more.is_none()).ok_or(NoKey)?;
    let path = answer::path(req);
    let route = path.strip_prefix(answer::mount(req)).unwrap_or(path);
    let body = req.extensions();
    let body = body.get::<Body>().map_or(&[][..], |Body(body)| body);
    let request =
        request_hash(own.as_bytes(), req.method().as_str(), route, req.query_string(), body);
    Ok(Some(IdempotencyKey { key, request }))
}

/// A hash of the caller and the caller's key. It is stored: how it is made never changes.
fn scoped(who: Option<Who>, own: &[u8]) -> Option<[u8; 16]> {
    if !(1..=KEY_MAX).contains(&own.len()) || !own.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let (kind, id) = match who {
        None => (0, 0),
        Some(Who::Customer(customer)) => (1, customer.0),
        Some(Who::Account(account)) => (2, account),
        Some(Who::ApiKey(key)) => (3, key),
    };
    Some(hash(&[&[kind], &id.to_le_bytes(), own]))
}

/// A hash of all that a request asks for: what it is, where, with which query, and its body. It is stored, like the key; with
/// the caller's own key in it, so that nobody who reads the journal can try what a body may have been.
fn request_hash(own: &[u8], method: &str, route: &str, query: &str, body: &[u8]) -> u64 {
    // None of them but the last can have a zero in it.
    let named = [own, method.as_bytes(), route.as_bytes(), query.as_bytes()];
    let parts: Vec<&[u8]> = named.into_iter().flat_map(|part| [part, &[0]]).chain([body]).collect();
    u64::from_le_bytes(*hash(&parts).first_chunk().expect("it has 16 bytes"))
}

fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut context = digest::Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let digest = context.finish();
    *digest.as_ref().first_chunk().expect("it has 32 bytes")
}

#[cfg(test)]
mod tests {
    use stockade_domain::CustomerId;

    use super::*;

    /// They are in journals: the same text must give the same key for ever.
    #[test]
    fn keys_and_requests_are_hashed_as_they_always_were() {
        let hex = |key: [u8; 16]| format!("{:032x}", u128::from_be_bytes(key));
        assert_eq!(hex(scoped(None, b"k").unwrap()), "8c779e2d65291e6fb739e735b4a2210d");
        let request = request_hash(b"k", "POST", "/orders", "", b"{}");
        assert_eq!(format!("{request:016x}"), "a471c920377ebac3");
    }

    #[test]
    fn a_key_belongs_to_its_caller() {
        let callers = [
            None,
            Some(Who::Customer(CustomerId(1))),
            Some(Who::Customer(CustomerId(2))),
            Some(Who::Account(1)),
            Some(Who::ApiKey(1)),
        ];
        let mut keys: Vec<_> = callers.iter().map(|who| scoped(*who, b"k").unwrap()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), callers.len());
        assert_eq!(scoped(None, b""), None);
    }
}
