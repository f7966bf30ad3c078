//! The edge: what happens to every request and every answer, whatever the route.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    rc::Rc,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, UNIX_EPOCH},
};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue,
            HttpDate, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    web::Bytes,
};
use futures_util::FutureExt;
use stockade_domain::Timestamp;
use tracing::Instrument;

use crate::{
    AuthMode,
    connection::{Answering, Turn},
    cors::Cors,
    encoding,
    problem::{Code, Problem},
    standing,
    state::Shared,
    trace::Access,
};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The longest request id that is taken from a client.
const REQUEST_ID_MAX: usize = 128;

/// What every answer says, known before the request is gone.
struct Marks {
    id: HeaderValue,
    cors: Cors,
}

/// Around everything: checks who was meant, names the request, writes problems, and adds the headers of every answer.
pub(crate) async fn edge(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    encoding::spell_out(&mut req);
    let state = req.app_data::<Shared>().expect("every route has the state");
    let cors = Cors::of(&req, &state.cors_origins);
    let marks = Marks { id: request_id(req.headers()), cors };
    let access = Access::begin(&req, &marks.id);
    let turn = req.conn_data::<Rc<Turn>>().map(Turn::answer);
    let answer = inside(req, next, marks).instrument(access.span()).await;
    access.end(&answer);
    answer.map(|response| response.map_body(|_, body| until_sent(body, turn)))
}

/// An answer that is not there as a whole is the application's turn until it is.
fn until_sent(body: BoxBody, turn: Option<Answering>) -> BoxBody {
    match turn {
        Some(turn) if body.size() == BodySize::Stream => BoxBody::new(Sending { body, turn }),
        _ => body,
    }
}

/// A body that comes in pieces.
struct Sending {
    body: BoxBody,
    #[expect(dead_code, reason = "it is there to be dropped")]
    turn: Answering,
}

impl MessageBody for Sending {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// The whole answer to what is no request: too slow, too large, or not HTTP.
pub(crate) fn refusal(status: StatusCode, now: Timestamp) -> Vec<u8> {
    let marks = Marks { id: new_request_id(), cors: Cors::Closed };
    let response = marks.problem(&Problem::of_status(status));
    let reason = status.canonical_reason().unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_millis(now.0)).to_string();
    let mut line = |name: &str, value: &[u8]| {
        answer.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    line("date", date.as_bytes());
    line("connection", b"close");
    for (name, value) in response.headers() {
        line(name.as_str(), value.as_bytes());
    }
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    line("content-length", body.len().to_string().as_bytes());
    answer.extend(b"\r\n");
    answer.extend(body);
    answer
}

async fn inside(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    marks: Marks,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = req.app_data::<Shared>().expect("every route has the state");
    if state.auth.mode == AuthMode::None
        && let Err(problem) = check_host(&req).and_then(|()| check_origin(&req, &marks.cors))
    {
        return Ok(req.into_response(marks.problem(&problem)));
    }
    match AssertUnwindSafe(next.call(req)).catch_unwind().await {
        Ok(Ok(response)) => Ok(marks.answer(response.map_into_boxed_body())),
        Ok(Err(error)) => Err(marks.failure(&Problem::of_status(error.error_response().status()))),
        Err(_panic) => {
            tracing::error!(request_id = ?marks.id, "a handler panicked");
            Err(marks.failure(&Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)))
        }
    }
}

impl Marks {
    fn answer(&self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        if response.status().is_client_error() || response.status().is_server_error() {
            let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
            let answer = match problem {
                Some(problem) => self.problem(problem),
                None => self.problem(&Problem::of_status(response.status())),
            };
            response = response.into_response(answer);
        } else {
            self.mark(response.headers_mut());
        }
        standing::mark(&mut response);
        response
    }

    fn problem(&self, problem: &Problem) -> HttpResponse<BoxBody> {
        let mut response = problem.render(self.id.to_str().ok());
        self.mark(response.headers_mut());
        response
    }

    /// An answer for when the request is gone.
    fn failure(&self, problem: &Problem) -> Error {
        InternalError::from_response("failed inside", self.problem(problem)).into()
    }

    fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(X_REQUEST_ID.clone(), self.id.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(RESOURCE_POLICY.clone(), HeaderValue::from_static("same-origin"));
        // A page that a person reads in a browser has said what it needs itself.
        if !headers.contains_key(CONTENT_SECURITY_POLICY) {
            let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
            headers.insert(CONTENT_SECURITY_POLICY, nothing);
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        self.cors.mark(headers);
    }
}

/// The client's own name for the request, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let fits = |id: &&HeaderValue| {
        (1..=REQUEST_ID_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(&X_REQUEST_ID).filter(fits).cloned().unwrap_or_else(new_request_id)
}

/// Unique in this process, and between processes as far as 64 random bits go.
fn new_request_id() -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let text = format!("{:016x}-{count:x}", *PROCESS);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// Without authentication whoever reaches the socket may do everything. A web page can make a browser reach it under a name of
/// the page's own choice (DNS rebinding), so that only loopback names are answered.
fn check_host(req: &ServiceRequest) -> Result<(), Problem> {
    let header = req.headers().get_all(HOST).map(|host| host.to_str().unwrap_or("?"));
    let target = req.uri().authority().map(|authority| authority.as_str());
    match header.chain(target).find(|host| !is_loopback(host)) {
        None => Ok(()),
        Some(host) => {
            let host: String = host.chars().take(100).collect();
            let detail =
                format!("without authentication only loopback hosts are answered, not {host:?}");
            let status = StatusCode::MISDIRECTED_REQUEST;
            Err(Problem::new(status, Code::MisdirectedRequest, detail))
        }
    }
}

/// The other way in for a web page is a request that browsers send without asking first; they say whose page it was.
fn check_origin(req: &ServiceRequest, cors: &Cors) -> Result<(), Problem> {
    let is_harmless = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_harmless || cors.is_allowed() {
        return Ok(());
    }
    let Some(origin) = req.headers().get(ORIGIN) else {
        return Ok(());
    };
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    if host.is_some_and(|(_, host)| is_loopback(host)) {
        return Ok(());
    }
    let detail = "without authentication, pages of other origins may not change anything";
    Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, detail))
}

/// Whether a `Host` (with or without a port) is this machine's own.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name: Cow<'_, str> = name.strip_suffix('.').unwrap_or(name).into();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "10.0.0.1:80",
            "[::2]",
            "?",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_request_id_is_taken_only_if_it_is_harmless() {
        let given = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID.clone(), HeaderValue::from_bytes(text.as_bytes()).unwrap());
            request_id(&headers) == text
        };
        assert!(given("abc-123"));
        assert!(!given(""));
        assert!(!given("a b"));
        assert!(!given(&"x".repeat(129)));
        assert_ne!(new_request_id(), new_request_id());
    }

    #[actix_web::test]
    async fn a_panic_is_a_problem_like_any_other() {
        use actix_web::{App, body::to_bytes, middleware::from_fn, test, web};
        async fn fail() -> HttpResponse {
            panic!("on purpose")
        }
        let engine = stockade_actors::Engine::in_memory().unwrap();
        let config = crate::HttpConfig::default();
        let tokens = crate::tokens::Tokens::open(&config.auth, &engine).unwrap();
        let state = web::Data::new(crate::state::State::new(engine, &config, tokens));
        let app = App::new().app_data(state).route("/", web::get().to(fail)).wrap(from_fn(edge));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().insert_header((HOST, "localhost")).to_request();
        let error = test::try_call_service(&app, request).await.unwrap_err();
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(&X_REQUEST_ID));
        let body = to_bytes(response.into_body()).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "internal");
        assert!(!problem.to_string().contains("on purpose"));
    }
}
