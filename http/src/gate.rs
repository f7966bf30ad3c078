//! The gate before every handler: what is decided about a request once its route is known, and before its content is looked at.
//!
//! The order is the contract's: the route and its method were found (404, 405), the announced length is within the bound (413), the
//! caller is admitted (401, 403, 429), the body is read within its bounds (413, 408, 503), the handler's own arguments are made of
//! it (415, 400), and what was answered before is answered again. Only then the handler runs. What every answer to a write says is
//! added behind it. Of whoever is refused nothing is kept: his body is passed over.

use std::marker::PhantomData;

use actix_web::{
    Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        Method, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    web::{self, Bytes},
};
use futures_util::future::LocalBoxFuture;

use crate::{
    auth::AuthMode,
    caller::{Access, Caller},
    client, command, extract, position,
    problem::{Code, Problem},
    replay,
    state::{Shared, State},
    tokens::Proof,
};

/// What an answer says to whom it refuses (RFC 6750).
pub(crate) const CHALLENGE: &str = "Bearer realm=\"stockade\"";

/// A handler behind the gate, and who may come to it.
pub(crate) struct Gate<F, Args> {
    handler: F,
    who: Access,
    args: PhantomData<fn() -> Args>,
}

/// The body as it came, while the arguments are made of it.
pub(crate) struct Body(pub(crate) Bytes);

impl<F, Args> Gate<F, Args> {
    pub(crate) fn new(who: Access, handler: F) -> Self {
        Self { handler, who, args: PhantomData }
    }
}

impl<F: Clone, Args> Clone for Gate<F, Args> {
    fn clone(&self) -> Self {
        Self::new(self.who, self.handler.clone())
    }
}

impl<F, Args> Handler<(HttpRequest, web::Payload)> for Gate<F, Args>
where
    F: Handler<Args, Output = Result<HttpResponse, Problem>>,
    Args: FromRequest + 'static,
{
    type Output = Result<HttpResponse, Error>;
    type Future = LocalBoxFuture<'static, Self::Output>;

    fn call(&self, (req, payload): (HttpRequest, web::Payload)) -> Self::Future {
        let (handler, who) = (self.handler.clone(), self.who);
        Box::pin(async move {
            let is_write = position::is_write(&req);
            let has_body = !matches!(*req.method(), Method::GET | Method::HEAD);
            let mut payload = payload.into_inner();
            if has_body {
                extract::check_length(&req)?;
            }
            let caller = match admit(&req, who) {
                Ok(caller) => caller,
                Err(refused) => return Err(extract::skip(&req, payload, refused).await.into()),
            };
            req.extensions_mut().insert(caller);
            if !is_write {
                position::wait(&req).await?;
            }
            let _room = if has_body {
                let (body, room) = extract::read(&req, &mut payload).await?;
                req.extensions_mut().insert(Body(body));
                room
            } else {
                None
            };
            let args = Args::from_request(&req, &mut Payload::None).await.map_err(Into::into)?;
            req.extensions_mut().remove::<Body>();
            let answer = match command::check_key(&req) {
                Ok(()) => handler.call(args).await,
                Err(problem) => Err(problem),
            };
            let answer = match answer.as_ref().map_err(Problem::was_done) {
                Err(Some(at)) => replay::first_answer(&req, at).await,
                _ => answer,
            };
            Ok(if is_write { position::mark(&req, answer) } else { answer }?)
        })
    }
}

/// Who is let in. The one place for 401, 403 and 429: it knows the route, the method and the headers, and nothing of the body.
fn admit(req: &HttpRequest, who: Access) -> Result<Caller, Problem> {
    let state = req.app_data::<Shared>().expect("every route has the state");
    let caller = match who {
        Access::Anybody => Ok(Caller::Anonymous),
        _ => caller(req, state),
    };
    // Who is refused has asked, too; whoever shows a token that is no good is somebody at his address.
    check_rate(req, state, *caller.as_ref().unwrap_or(&Caller::Anonymous))?;
    let caller = caller?;
    if !caller.may(who) {
        return Err(match caller {
            Caller::Anonymous => nobody(),
            _ => forbidden(who),
        });
    }
    Ok(caller)
}

/// Whose request it is.
fn caller(req: &HttpRequest, state: &State) -> Result<Caller, Problem> {
    if state.auth.mode == AuthMode::None {
        return Ok(Caller::Local);
    }
    let mut headers = req.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Ok(Caller::Anonymous) };
    let bearer = header.to_str().ok().filter(|_| headers.next().is_none()).and_then(bearer);
    let bearer = bearer.ok_or_else(|| bad(Code::Unauthenticated, "send one bearer token"))?;
    if let Some(key) = state.engine.api_key(bearer) {
        return Ok(Caller::ApiKey(key.id));
    }
    let caller = state.tokens.verify(bearer, state.engine.now())?;
    match is_still(state, caller) {
        true => Ok(caller),
        false => {
            Err(bad(Code::Unauthenticated, "the session has ended or the account has changed"))
        }
    }
}

/// Whether an account is what its token says, and what let it in still does. A token is good no longer than that.
fn is_still(state: &State, caller: Caller) -> bool {
    let Caller::Account { id, role, proof } = caller else { return true };
    let account = state.engine.account(id);
    let now = match proof {
        Proof::Session(session, _) => state.engine.session(id, session).map(Proof::from),
        Proof::Login(_) => state.engine.login_version(id).map(Proof::from),
    };
    account.is_some_and(|account| account.role == role && !account.is_erased())
        && now == Some(proof)
}

/// The token of a header.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Staff and admins may ask as often as they want.
fn check_rate(req: &HttpRequest, state: &State, caller: Caller) -> Result<(), Problem> {
    let Some(limits) = &state.limits else { return Ok(()) };
    match (caller.customer(), caller) {
        (Some(customer), _) => limits.check_user(customer.0)?.note(req),
        (None, Caller::Anonymous) => {
            if let Some(address) = client::address(req, &state.trusted_proxies) {
                limits.check_address(address)?.note(req);
            }
        }
        _ => (),
    }
    Ok(())
}

/// 401: nobody said who he is.
fn nobody() -> Problem {
    let detail = "sign in first: send Authorization: Bearer and a token";
    Problem::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, detail)
        .with_header(WWW_AUTHENTICATE, CHALLENGE)
}

/// 401: the token that was presented is no good.
pub(crate) fn bad(code: Code, detail: &'static str) -> Problem {
    let challenge = format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"{detail}\"");
    Problem::new(StatusCode::UNAUTHORIZED, code, detail).with_header(WWW_AUTHENTICATE, &challenge)
}

/// 403: whoever it is may not use this route, whatever it names.
pub(crate) fn forbidden(who: Access) -> Problem {
    let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{}\"", who.name());
    let detail =
        format!("this is for {} only", if who == Access::Admin { "admins" } else { "staff" });
    Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, detail)
        .with_header(WWW_AUTHENTICATE, &challenge)
}
