//! Cross-origin requests: which pages of other origins may read answers (the CORS protocol of the Fetch standard).
//!
//! Closed unless origins are configured, each exactly; there is no wildcard, and cookies are never allowed because none are used.
//! A preflight goes to the OPTIONS route that every path has: its `Allow` is the answer, so that there is no second table of
//! methods, and a path that does not exist stays a 404.

use std::{fmt, str::FromStr};

use actix_web::{
    dev::ServiceRequest,
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderMap, HeaderValue, ORIGIN, VARY,
        },
    },
};
use thiserror::Error;

/// What a page may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, \
     Stockade-Min-Position, traceparent, tracestate, X-Request-Id";

/// What a page may read, besides what every page may.
const ANSWER_HEADERS: &str = "ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
     Stockade-Position, X-Request-Id";

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: &str = "600";

/// Scheme, host and perhaps a port, as browsers write it: `https://shop.example`, `http://localhost:3000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// The text is not what a browser would send.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("must be an origin as browsers send it, such as https://shop.example, without a path")]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.ok_or(NotAnOrigin)?;
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._[:]".contains(&byte)
        };
        let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if name.is_empty() || !name.bytes().all(plain) || !port_fits {
            return Err(NotAnOrigin);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| NotAnOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// What a request's origin may see of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// No origins are configured.
    Closed,
    /// It is not a page's request, or that of a page that may not see it.
    Stranger,
    /// A page that may.
    Allowed { origin: HeaderValue, is_preflight: bool },
}

impl Cors {
    pub(crate) fn of(req: &ServiceRequest, origins: &[Origin]) -> Self {
        if origins.is_empty() {
            return Self::Closed;
        }
        let Some(origin) = req.headers().get(ORIGIN) else { return Self::Stranger };
        if !origins.iter().any(|known| known.0 == *origin) {
            return Self::Stranger;
        }
        let is_preflight = req.method() == Method::OPTIONS
            && req.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Self::Allowed { origin: origin.clone(), is_preflight }
    }

    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Tells the browser.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if *self != Self::Closed {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Self::Allowed { origin, is_preflight } = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if !is_preflight {
            let seen = HeaderValue::from_static(ANSWER_HEADERS);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, seen);
        } else if let Some(allow) = headers.get(ALLOW).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow);
            let sent = HeaderValue::from_static(REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, sent);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in [
            "https://shop.example",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "http://[::1]",
        ] {
            assert_eq!(origin.parse::<Origin>().unwrap().to_string(), origin);
        }
        for wrong in [
            "*",
            "null",
            "",
            "https://",
            "shop.example",
            "https://shop.example/",
            "https://Shop.example",
            "https://*.example",
            "https://shop.example:0",
            "https://shop.example:x",
            "https://a@shop.example",
            "ftp://shop.example",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(NotAnOrigin), "{wrong}");
        }
    }
}
