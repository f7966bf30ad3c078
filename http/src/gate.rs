//! The gate before every handler: what is decided about a request once its route is known, and before its content is looked at.
//!
//! The order is the contract's: the route and its method were found (404, 405), the body is read within its bounds (413, 408), the
//! caller is admitted (401, 403, 429), the handler's own arguments are made of it (415, 400), and what was answered before is
//! answered again. Only then the handler runs. What every answer to a write says is added behind it.

use actix_web::{
    Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, dev::Payload,
    http::Method, web::Bytes,
};
use futures_util::future::{LocalBoxFuture, Ready, ready};

use crate::{client, command, extract, position, problem::Problem, replay, state::Shared};

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

/// A request that came through the gate: with the arguments of its handler, or with what it is told instead of running it.
pub(crate) struct Gated<Args> {
    req: HttpRequest,
    args: Result<Args, Problem>,
}

/// The body as it came, while the arguments are made of it.
#[derive(Clone)]
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = req.extensions().get::<Self>().cloned();
        ready(Ok(read.unwrap_or_else(|| Self(Bytes::new()))))
    }
}

fn is_read(req: &HttpRequest) -> bool {
    matches!(*req.method(), Method::GET | Method::HEAD)
}

impl<F, Args> Handler<Gated<Args>> for Gate<F>
where
    F: Handler<Args, Output = Result<HttpResponse, Problem>>,
    Args: 'static,
{
    type Output = Result<HttpResponse, Problem>;
    type Future = LocalBoxFuture<'static, Self::Output>;

    fn call(&self, Gated { req, args }: Gated<Args>) -> Self::Future {
        let handled = args.map(|args| self.0.call(args));
        Box::pin(async move {
            let answer = match handled {
                Ok(handled) => handled.await,
                Err(problem) => Err(problem),
            };
            let mut answer = match answer.as_ref().map_err(Problem::was_done) {
                Err(Some(at)) => replay::first_answer(&req, at).await?,
                _ => answer?,
            };
            if !is_read(&req) {
                position::mark(&req, &mut answer);
            }
            Ok(answer)
        })
    }
}

impl<Args: FromRequest + 'static> FromRequest for Gated<Args> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            if !is_read(&req) {
                let body = extract::read(&req, payload).await?;
                req.extensions_mut().insert(Body(body));
            }
            admit(&req)?;
            if is_read(&req) {
                position::wait(&req).await?;
            }
            let args = Args::from_request(&req, &mut Payload::None).await.map_err(Into::into)?;
            req.extensions_mut().remove::<Body>();
            let args = command::check_key(&req).map(|()| args);
            Ok(Self { req, args })
        })
    }
}
