//! What a request brings: a JSON body, read with bounds and refused with the place of what is wrong.

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{
        Method, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue},
    },
    rt::time::timeout,
    web::{Bytes, BytesMut},
};
use futures_util::{
    StreamExt,
    future::{Ready, ready},
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    gate::Body,
    problem::{Code, Fault, Problem},
    query::Params,
    state::{Shared, State},
    strict::Strict,
    words,
};

/// A JSON body. What is wrong with its fields is told by [`Input::valid`], so that a handler can first say that the thing the path
/// names does not exist.
#[derive(Debug)]
pub(crate) struct Input<T>(Result<T, Problem>);

impl<T> Input<T> {
    /// The body, if it and the query are as they should be.
    pub(crate) fn valid(self) -> Result<T, Problem> {
        self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Input<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// The gate has read the body already.
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let body =
            req.extensions().get::<Body>().map_or_else(Bytes::new, |Body(body)| body.clone());
        let input = check_type(req, &body)
            .and_then(|()| parse(&body, *req.method() == Method::POST))
            .map(|parsed| Self(Params::of(req).finish().and(parsed)));
        ready(input)
    }
}

/// A part of a body that was not looked at yet: by the same rules, and told as if it stood alone.
pub(crate) fn part<T: DeserializeOwned>(part: &RawValue) -> Result<T, Problem> {
    parse(part.get().as_bytes(), false)?
}

/// Refuses a body that says itself that it is too large.
pub(crate) fn check_length(req: &HttpRequest) -> Result<(), Problem> {
    let max = state(req).json_bytes_max;
    let length = req.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > max as u64)
    {
        return Err(too_large(max));
    }
    Ok(())
}

/// A body, and the room that it takes for as long as its request is under way; one that is empty takes none.
type Read = (Bytes, Option<OwnedSemaphorePermit>);

/// Reads the body, up to the bounds and within the time.
pub(crate) async fn read(req: &HttpRequest, payload: &mut Payload) -> Result<Read, Problem> {
    let state = state(req);
    let all = timeout(state.body_timeout, collect(payload, state)).await;
    all.unwrap_or_else(|_| {
        let status = StatusCode::REQUEST_TIMEOUT;
        let detail = format!("the body was not there within {:?}", state.body_timeout);
        Err(Problem::new(status, Code::RequestTimeout, detail).closing())
    })
}

/// Passes over the body of a request that is refused, so that its connection can go on. One that is too large or too slow is not
/// waited for.
pub(crate) async fn skip(req: &HttpRequest, mut payload: Payload, refused: Problem) -> Problem {
    let state = state(req);
    let pass = async {
        let mut left = state.json_bytes_max;
        while let Some(chunk) = payload.next().await {
            left = left.checked_sub(chunk.ok()?.len())?;
        }
        Some(())
    };
    match timeout(state.body_timeout, pass).await {
        Ok(Some(())) => refused,
        _ => refused.closing(),
    }
}

fn state(req: &HttpRequest) -> &State {
    req.app_data::<Shared>().expect("every route has the state")
}

async fn collect(payload: &mut Payload, state: &State) -> Result<Read, Problem> {
    let max = state.json_bytes_max;
    let torn = |_| {
        let detail = "the body ended before it was whole";
        Problem::new(StatusCode::BAD_REQUEST, Code::MalformedJson, detail).closing()
    };
    let Some(first) = payload.next().await.transpose().map_err(torn)? else {
        return Ok((Bytes::new(), None));
    };
    let mut room = state.room_for_body(first.len())?;
    // Most bodies come in one piece: no copy then.
    let mut more = match payload.next().await.transpose().map_err(torn)? {
        None if first.len() <= max => return Ok((first, Some(room))),
        more => more,
    };
    let mut all = BytesMut::from(first);
    loop {
        if all.len() > max {
            return Err(too_large(max));
        }
        let Some(chunk) = more else { return Ok((all.freeze(), Some(room))) };
        room.merge(state.room_for_body(chunk.len())?);
        all.extend_from_slice(&chunk);
        more = payload.next().await.transpose().map_err(torn)?;
    }
}

fn too_large(max: usize) -> Problem {
    let detail = format!("a body may have at most {max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge, detail).closing()
}

/// A body says that it is JSON: a page in a browser can send anything else to anybody without asking first.
fn check_type(req: &HttpRequest, body: &Bytes) -> Result<(), Problem> {
    let headers = req.headers();
    if body.is_empty() || (is_plain(headers) && headers.get(CONTENT_TYPE).is_some_and(is_json)) {
        return Ok(());
    }
    let detail = "send JSON, with Content-Type: application/json and no Content-Encoding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType, detail))
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}

fn is_json(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let utf8 = parameters.split(';').all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    utf8 && (essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json")))
}

/// Parses: outside, what is no JSON; inside, what is JSON but not what was asked for.
fn parse<T: DeserializeOwned>(
    body: &[u8],
    may_be_empty: bool,
) -> Result<Result<T, Problem>, Problem> {
    let body = if body.is_empty() && may_be_empty { b"{}" } else { body };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = T::deserialize(Strict(&mut deserializer));
    match parsed.and_then(|parsed| deserializer.end().map(|()| parsed)) {
        Ok(parsed) => Ok(Ok(parsed)),
        // Only a body that is refused is read again, to say where it is wrong.
        Err(_) => explain::<T>(body).map(Err),
    }
}

#[cold]
fn explain<T: DeserializeOwned>(body: &[u8]) -> Result<Problem, Problem> {
    let malformed =
        |detail: String| Problem::new(StatusCode::BAD_REQUEST, Code::MalformedJson, detail);
    let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(error.to_string()))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(Strict(&mut deserializer)) else {
        return Err(malformed("it cannot be read".to_owned()));
    };
    let mut place = pointer(error.path());
    let message = error.inner().to_string();
    let detail = message.rsplit_once(" at line ").map_or(message.as_str(), |(detail, _)| detail);
    let named = |prefix| detail.strip_prefix(prefix)?.split('`').next();
    let (code, detail) = if named("unknown field `").is_some() {
        (Code::UnknownField, "is not known here".to_owned())
    } else if let Some(name) = named("duplicate field `") {
        place = format!("{place}/{}", escape(name));
        (Code::Invalid, "is written twice, perhaps in two spellings".to_owned())
    } else if let Some(name) = named("missing field `") {
        place = format!("{place}/{}", escape(name));
        (Code::Invalid, "is missing".to_owned())
    } else {
        (Code::Invalid, words::of_clients(detail))
    };
    Ok(Problem::unprocessable(code, vec![Fault::body(place, code, detail)]))
}

/// A path as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&escape(key)),
            Segment::Enum { variant } => pointer.push_str(&escape(variant)),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// A name as one step of a JSON pointer, and of bounded length.
fn escape(name: &str) -> String {
    let name: String = name.chars().take(100).collect();
    name.replace('~', "~0").replace('/', "~1")
}
