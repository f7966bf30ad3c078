//! Answers: JSON, with where the thing is and which version of it was seen.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, LOCATION},
    },
};
use serde::Serialize;

use crate::etag;

/// JSON with a status.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    write(status, to_bytes(body))
}

/// 200 with JSON.
pub(crate) fn ok(body: &impl Serialize) -> HttpResponse {
    json(StatusCode::OK, body)
}

/// 201 with JSON, and where the new thing is.
pub(crate) fn created(
    req: &HttpRequest,
    place: fmt::Arguments<'_>,
    body: &impl Serialize,
) -> HttpResponse {
    let mut response = ok(body);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&format!("{}{place}", mount(req))) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// What a POST does that makes nothing: the last word of its path.
const ACTS: [&str; 5] = ["cancel", "deliver", "extend", "receive", "password"];

/// The answer to a command about a thing: 201 and where it is when the request makes something, else 200.
pub(crate) fn done(
    req: &HttpRequest,
    place: fmt::Arguments<'_>,
    body: &impl Serialize,
) -> HttpResponse {
    let acts = ACTS.iter().any(|act| path(req).ends_with(&format!("/{act}")));
    if *req.method() == Method::POST && !acts { created(req, place, body) } else { ok(body) }
}

/// The same, with the ETag of the thing, for a client that wants to go on with it.
pub(crate) fn done_tagged(
    req: &HttpRequest,
    place: fmt::Arguments<'_>,
    version: u32,
    body: &impl Serialize,
) -> HttpResponse {
    let mut response = done(req, place, body);
    mark(&mut response, &etag::of(version, &to_bytes(body)), Cached::Never);
    response
}

/// Who may keep a copy of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    /// Anybody, as long as they ask whether it is still true.
    Checked,
    /// Nobody.
    Never,
}

/// One thing with its ETag; 304 if the client has it already.
pub(crate) fn seen(
    req: &HttpRequest,
    version: u32,
    cached: Cached,
    body: &impl Serialize,
) -> HttpResponse {
    seen_bytes(req, version, cached, to_bytes(body))
}

/// The same, of what is written already.
pub(crate) fn seen_bytes(
    req: &HttpRequest,
    version: u32,
    cached: Cached,
    body: Vec<u8>,
) -> HttpResponse {
    let tag = etag::of(version, &body);
    let mut response = if etag::none_match(req, &tag) {
        HttpResponse::new(StatusCode::NOT_MODIFIED)
    } else {
        write(StatusCode::OK, body)
    };
    mark(&mut response, &tag, cached);
    response
}

/// Adds the ETag of the thing that this answer shows, for a client that wants to go on with it.
pub(crate) fn tagged(status: StatusCode, version: u32, body: &impl Serialize) -> HttpResponse {
    let body = to_bytes(body);
    let tag = etag::of(version, &body);
    let mut response = write(status, body);
    mark(&mut response, &tag, Cached::Never);
    response
}

fn mark(response: &mut HttpResponse, tag: &str, cached: Cached) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    if cached == Cached::Checked {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
}

/// 204.
pub(crate) fn nothing() -> HttpResponse {
    HttpResponse::new(StatusCode::NO_CONTENT)
}

/// The path that the request asked for, in the letters in which the router knows it: `%31` is a `1`.
pub(crate) fn path(req: &HttpRequest) -> &str {
    req.match_info().as_str()
}

/// The mount that the request used: what it is told about other places begins with it.
pub(crate) fn mount(req: &HttpRequest) -> &'static str {
    let path = path(req);
    ["/v1", "/api"]
        .into_iter()
        .find(|mount| path.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/')))
        .unwrap_or_default()
}

pub(crate) fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    // Writing to memory cannot fail, and every key is text.
    let _ = serde_json::to_writer(&mut bytes, body);
    bytes
}

fn write(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.body(body)
}
