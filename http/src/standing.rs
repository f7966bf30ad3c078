//! How a caller stands with a rate limit, as every answer to him says it (draft-ietf-httpapi-ratelimit-headers).

use std::time::Duration;

use actix_web::{
    HttpMessage, HttpRequest,
    dev::ServiceResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};

use crate::problem::{Code, Problem};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How a caller stands with a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Which limit it is.
    pub(crate) name: &'static str,
    /// How many are allowed in a window.
    pub(crate) most: u32,
    /// How long it is.
    pub(crate) window: Duration,
    /// How many of them are left.
    pub(crate) left: u128,
    /// When there is more: all of it, or, of a caller who is over the limit, one.
    pub(crate) more_in: Duration,
}

/// How the caller of a request stands with every limit that it was counted in.
struct Standings(Vec<Standing>);

impl Standing {
    /// What is left, as the header writes it.
    pub(crate) fn left(&self) -> String {
        format!("\"{}\";r={};t={}", self.name, self.left, seconds(self.more_in))
    }

    /// What is allowed, as the header writes it.
    pub(crate) fn policy(&self) -> String {
        format!("\"{}\";q={};w={}", self.name, self.most, self.window.as_secs_f64().round())
    }

    /// 429.
    #[cold]
    pub(crate) fn refusal(self) -> Problem {
        let (name, most, window) = (self.name, self.most, self.window.as_secs_f64().round());
        let detail = format!("over the limit of {most} in {window} s for one {name}");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, detail)
            .with_retry_after(seconds(self.more_in))
            .with_header(RATE_LIMIT.clone(), &self.left())
            .with_header(RATE_LIMIT_POLICY.clone(), &self.policy())
    }

    /// Notes it for the answer to the request; what was noted of the same limit before is old.
    pub(crate) fn note(&self, req: &HttpRequest) {
        let mut known = req.extensions_mut();
        match known.get_mut::<Standings>() {
            Some(Standings(all)) => {
                all.retain(|other| other.name != self.name);
                all.push(*self);
            }
            None => drop(known.insert(Standings(vec![*self]))),
        }
    }
}

/// Says in an answer how its caller stands; a refusal has said it of the limit that it is about.
pub(crate) fn mark<B>(response: &mut ServiceResponse<B>) {
    let Some(Standings(all)) = response.request().extensions_mut().remove() else { return };
    let list = |show: fn(&Standing) -> String| {
        HeaderValue::from_str(&all.iter().map(show).collect::<Vec<_>>().join(", ")).ok()
    };
    let headers = response.headers_mut();
    for (name, show) in [
        (&RATE_LIMIT, Standing::left as fn(&Standing) -> String),
        (&RATE_LIMIT_POLICY, Standing::policy),
    ] {
        if let (false, Some(value)) = (headers.contains_key(name), list(show)) {
            headers.insert(name.clone(), value);
        }
    }
}

/// Whole seconds, none too few.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}
