//! The access log: a span around every request and a line when it is answered, both at `debug`, so that a server that does not
//! write them pays one comparison. Their target is [`ACCESS`]: `log.level = "info,stockade_http::access=debug"`.
//!
//! The trace a request belongs to comes in `traceparent` (W3C Trace Context). It is not sent back: `X-Request-Id`, in the same span,
//! is what a client can ask about.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::{
    Error,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use tracing::{Level, Span};

/// The target of the span and the line.
const ACCESS: &str = "stockade_http::access";

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that is being answered, if anybody wants to know.
pub(crate) struct Access(Option<Begun>);

struct Begun {
    span: Span,
    method: Method,
    at: Instant,
}

impl Access {
    pub(crate) fn begin(req: &ServiceRequest, request_id: &HeaderValue) -> Self {
        if !tracing::enabled!(target: ACCESS, Level::DEBUG) {
            return Self(None);
        }
        let Trace { id, parent } = Trace::of(req.headers());
        let request_id = request_id.to_str().unwrap_or_default();
        let span = tracing::debug_span!(
            target: ACCESS,
            "request",
            trace_id = %format_args!("{id:032x}"),
            parent_id = parent.map(|parent| tracing::field::display(format!("{parent:016x}"))),
            request_id,
        );
        Self(Some(Begun { span, method: req.method().clone(), at: Instant::now() }))
    }

    /// What the handlers' own lines are written in.
    pub(crate) fn span(&self) -> Span {
        self.0.as_ref().map_or_else(Span::none, |begun| begun.span.clone())
    }

    pub(crate) fn end<B>(self, answer: &Result<ServiceResponse<B>, Error>) {
        let Some(Begun { span, method, at }) = self.0 else { return };
        let (status, pattern) = match answer {
            Ok(response) => (response.status(), response.request().match_pattern()),
            Err(error) => (error.as_response_error().status_code(), None),
        };
        let latency_us = u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX);
        span.in_scope(|| log(&method, pattern.as_deref(), status, latency_us));
    }
}

fn log(method: &Method, pattern: Option<&str>, status: StatusCode, latency_us: u64) {
    let (status, route) = (status.as_u16(), pattern.map_or("-".into(), route));
    tracing::debug!(target: ACCESS, %method, route, status, latency_us, "answered");
}

/// A pattern of the router without what its ids may look like: `/v1/orders/{id}`.
pub(crate) fn route(pattern: &str) -> String {
    let (mut route, mut depth, mut in_rule) = (String::with_capacity(pattern.len()), 0, false);
    for letter in pattern.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => (),
        }
        in_rule = depth > 0 && (in_rule || letter == ':');
        if !in_rule {
            route.push(letter);
        }
    }
    route
}

/// The trace that a request belongs to, and which span of it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trace {
    id: u128,
    parent: Option<u64>,
}

impl Trace {
    /// The caller's, or a new one.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(&TRACEPARENT).and_then(|value| Self::parse(value.to_str().ok()?));
        given.unwrap_or_else(Self::new)
    }

    /// `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`; a later version may go on behind a `-`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let (id, parent) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        hex(parts.next()?, 2)?;
        let goes_on = parts.next().is_some();
        let known = version != 0xff && !(version == 0 && goes_on);
        (known && id != 0 && parent != 0)
            .then_some(Self { id, parent: Some(u64::try_from(parent).ok()?) })
    }

    /// As random as the keys that the process draws for its hash maps.
    fn new() -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let [high, low] = KEYS.each_ref().map(|key| u128::from(key.hash_one(count)));
        Self { id: (high << 64 | low).max(1), parent: None }
    }
}

/// Exactly so many lower-case hex digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == digits && text.bytes().all(plain))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_taken_over_if_it_is_well_formed() {
        let trace = Trace::parse(GIVEN).unwrap();
        assert_eq!(trace.id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(trace.parent, Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(Trace::parse(&GIVEN.replacen("00", "cc", 1)), Some(trace), "a later version");
        assert_eq!(Trace::parse(&format!("{}-more", GIVEN.replacen("00", "cc", 1))), Some(trace));
        for wrong in [
            "",
            "00",
            &GIVEN[1..],
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00", "ff", 1),
            &GIVEN.replace('-', "_"),
            &format!("{GIVEN}-more"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        assert_ne!(Trace::of(&headers), Trace::of(&headers), "a new one each");
        headers.insert(TRACEPARENT.clone(), HeaderValue::from_static(GIVEN));
        assert_eq!(Trace::of(&headers), trace);
    }

    #[test]
    fn a_route_is_named_without_its_rules() {
        assert_eq!(route("/v1/orders/{id:[1-9][0-9]{0,15}}/events"), "/v1/orders/{id}/events");
        assert_eq!(route("/errors/{code}"), "/errors/{code}");
        assert_eq!(route("/livez"), "/livez");
    }
}
