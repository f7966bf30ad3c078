//! ETags: `"<version>-<hash of the body>"`.
//!
//! Much of what is shown changes without its version (stock moves under a product), so `If-None-Match` compares all of it, and
//! `If-Match`, which guards what a caller is about to change, the version.

use std::hash::Hasher;

use actix_web::{
    HttpRequest,
    http::{
        StatusCode,
        header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
    },
};
use rustc_hash::FxHasher;
use stockade_actors::Error;
use stockade_domain::Refusal;

use crate::problem::{Code, Problem};

/// The ETag of a body that shows this version.
pub(crate) fn of(version: u32, body: &[u8]) -> String {
    let mut hasher = FxHasher::default();
    hasher.write(body);
    format!("\"{version}-{:016x}\"", hasher.finish())
}

/// Whether the client has what this ETag names.
pub(crate) fn none_match(req: &HttpRequest, tag: &str) -> bool {
    let tag = tag.trim_matches('"');
    tags(req, IF_NONE_MATCH)
        .is_some_and(|tags| tags.iter().any(|known| *known == tag || *known == "*"))
}

/// What the caller says the thing is before it changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// That it exists (`*`).
    Anything,
    /// One of these ETags.
    Tags(Vec<String>),
    /// This version, said in the body.
    Version(u32),
}

impl Expected {
    /// From the header; the body's `version` counts where there is none.
    pub(crate) fn of(req: &HttpRequest, version: Option<u32>) -> Self {
        match (tags(req, IF_MATCH), version) {
            (Some(tags), _) if tags.contains(&"*") => Self::Anything,
            (Some(tags), _) => Self::Tags(tags.into_iter().map(str::to_owned).collect()),
            (None, Some(version)) => Self::Version(version),
            (None, None) => Self::Nothing,
        }
    }

    /// The same, where saying nothing is not enough.
    pub(crate) fn required(self) -> Result<Self, Problem> {
        match self {
            Self::Nothing => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                Code::PreconditionRequired,
                "send If-Match with the ETag of the thing, or * to change it whatever it is now",
            )),
            said => Ok(said),
        }
    }

    /// Checks it against the present version; says the version that the engine must still find.
    pub(crate) fn check(&self, current: u32) -> Result<Option<u32>, Problem> {
        let fits = match self {
            Self::Nothing | Self::Anything => return Ok(None),
            Self::Tags(tags) => tags.iter().any(|tag| version(tag) == Some(current)),
            Self::Version(version) => *version == current,
        };
        if fits { Ok(Some(current)) } else { Err(self.stale(current)) }
    }

    /// Checks it against all that the caller saw, not the version alone.
    pub(crate) fn check_whole(&self, tag: &str, current: u32) -> Result<Option<u32>, Problem> {
        match self {
            Self::Tags(tags) if tags.iter().all(|known| known != tag.trim_matches('"')) => {
                Err(self.moved(current))
            }
            _ => self.check(current),
        }
    }

    /// What a caller reads whose command failed: of another version as they said what they saw, of all else what `otherwise` says.
    pub(crate) fn explain(
        &self,
        error: Error,
        otherwise: impl FnOnce(Error) -> Problem,
    ) -> Problem {
        match error {
            Error::Refused(Refusal::VersionConflict { current, .. }) => self.stale(current),
            error => otherwise(error),
        }
    }

    /// What a caller reads that saw another version.
    pub(crate) fn stale(&self, current: u32) -> Problem {
        self.conflict(format!("the present version is {current}"))
    }

    /// What a caller reads that saw something else, perhaps of the same version.
    pub(crate) fn moved(&self, current: u32) -> Problem {
        self.conflict(format!(
            "it is not as it was seen any more, its stock perhaps; the present version is {current}"
        ))
    }

    fn conflict(&self, detail: String) -> Problem {
        match self {
            Self::Tags(_) => {
                Problem::new(StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed, detail)
            }
            _ => Problem::new(StatusCode::CONFLICT, Code::VersionConflict, detail),
        }
    }
}

fn version(tag: &str) -> Option<u32> {
    tag.split('-').next()?.parse().ok()
}

/// The ETags of a header, without quotes, weakness, and what compression added to them.
fn tags(req: &HttpRequest, name: HeaderName) -> Option<Vec<&str>> {
    let mut found = None;
    for value in req.headers().get_all(name) {
        let tags: &mut Vec<&str> = found.get_or_insert_default();
        tags.extend(value.to_str().unwrap_or_default().split(',').map(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            tag.strip_suffix("-gzip").or_else(|| tag.strip_suffix("-zstd")).unwrap_or(tag)
        }));
    }
    found
}
