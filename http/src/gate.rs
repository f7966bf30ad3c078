//! The gate before every handler: what is decided about a request once its route is known, and before its content is looked at.
//!
//! The order is the contract's: the route and its method were found (404, 405), the body is read within its bounds (413, 408), the
//! caller is admitted (401, 403, 429), and only then the handler's own arguments are made of it (415, 400).

use actix_web::{
    Error, FromRequest, Handler, HttpMessage, HttpRequest, dev::Payload, http::Method, web::Bytes,
};
use futures_util::future::LocalBoxFuture;

use crate::{client, extract, problem::Problem, state::Shared};

/// Who is let in. The one place for 401 and 403: it knows the route, the method and the headers, and nothing of the body.
fn admit(req: &HttpRequest) -> Result<(), Problem> {
    let state = req.app_data::<Shared>().expect("every route has the state");
    let Some(limits) = &state.limits else { return Ok(()) };
    match client::address(req, &state.trusted_proxies) {
        Some(address) => limits.check_address(address),
        None => Ok(()),
    }
}

/// A handler behind the gate.
#[derive(Clone)]
pub(crate) struct Gate<F>(pub(crate) F);

/// The arguments of a handler, made after the gate.
pub(crate) struct Gated<Args>(Args);

/// The body, read; [`extract::Input`] takes it.
pub(crate) struct Body(pub(crate) Bytes);

impl<F: Handler<Args>, Args> Handler<Gated<Args>> for Gate<F> {
    type Output = F::Output;
    type Future = F::Future;

    fn call(&self, Gated(args): Gated<Args>) -> Self::Future {
        self.0.call(args)
    }
}

impl<Args: FromRequest + 'static> FromRequest for Gated<Args> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            if !matches!(*req.method(), Method::GET | Method::HEAD) {
                let body = extract::read(&req, payload).await?;
                req.extensions_mut().insert(Body(body));
            }
            admit(&req)?;
            Args::from_request(&req, &mut Payload::None).await.map(Self).map_err(Into::into)
        })
    }
}
