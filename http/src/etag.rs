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
    match known(req, IF_NONE_MATCH) {
        None => false,
        Some(Known::Anything) => true,
        Some(Known::Tags(tags)) => tags.contains(&opaque(tag)),
    }
}

/// A version that nothing has: the owner refuses it in its turn, behind what is wrong with the command itself.
const NO_VERSION: u32 = 0;

/// What the caller says the thing is before it changes it.
///
/// A command's own faults (422) are told before what it expects (428, 412), and this before what its thing forbids (409). The owner
/// compares the versions between the two, so that it is asked also when it is known here already that they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// Nothing, where that is not enough.
    Missing,
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
        match (known(req, IF_MATCH), version) {
            (Some(Known::Anything), _) => Self::Anything,
            (Some(Known::Tags(tags)), _) => {
                Self::Tags(tags.into_iter().map(str::to_owned).collect())
            }
            (None, Some(version)) => Self::Version(version),
            (None, None) => Self::Nothing,
        }
    }

    /// The same, where saying nothing is not enough.
    pub(crate) fn required(self) -> Self {
        if self == Self::Nothing { Self::Missing } else { self }
    }

    /// The version that the engine must still find; one that nothing has if it is known that it will not.
    pub(crate) fn version(&self, current: u32) -> Option<u32> {
        match self {
            Self::Nothing | Self::Anything => None,
            said if said.fits(current) => Some(current),
            _ => Some(NO_VERSION),
        }
    }

    /// The same of all that the caller saw, not of the version alone.
    pub(crate) fn version_of_whole(&self, tag: &str, current: u32) -> Option<u32> {
        match self {
            Self::Tags(tags) if tags.iter().all(|known| known != opaque(tag)) => Some(NO_VERSION),
            _ => self.version(current),
        }
    }

    /// Checks it where the engine is not asked.
    pub(crate) fn check(&self, current: u32) -> Result<(), Problem> {
        if self.fits(current) { Ok(()) } else { Err(self.stale(current)) }
    }

    fn fits(&self, current: u32) -> bool {
        match self {
            Self::Nothing | Self::Anything => true,
            Self::Missing => false,
            Self::Tags(tags) => tags.iter().any(|tag| version(tag) == Some(current)),
            Self::Version(version) => *version == current,
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

    /// What a caller reads that saw another version, or does not say which.
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
            Self::Missing => Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                Code::PreconditionRequired,
                "send If-Match with the ETag of the thing, or * to change it whatever it is now",
            ),
            Self::Tags(_) => {
                Problem::new(StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed, detail)
            }
            _ => Problem::new(StatusCode::CONFLICT, Code::VersionConflict, detail),
        }
    }
}

/// The version in an ETag that is written as [`of`] writes them: anything else names none.
fn version(tag: &str) -> Option<u32> {
    let (digits, hash) = tag.split_once('-')?;
    let is_hash =
        hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let version: u32 = digits.parse().ok().filter(|_| is_hash)?;
    // There is one spelling of each.
    (version.to_string() == digits).then_some(version)
}

/// What a header says is known: ETags, or whatever there is.
#[derive(Debug, PartialEq, Eq)]
enum Known<'a> {
    /// `*`, and nothing beside it.
    Anything,
    /// ETags, as [`opaque`] has them. What is none is passed over.
    Tags(Vec<&'a str>),
}

fn known(req: &HttpRequest, name: HeaderName) -> Option<Known<'_>> {
    let mut values = req.headers().get_all(name).peekable();
    values.peek()?;
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    let texts: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    Some(match texts.as_slice() {
        ["*"] => Known::Anything,
        texts => Known::Tags(texts.iter().filter_map(|text| tag(text)).collect()),
    })
}

/// One ETag of a header, without its quotes and weakness, and what compression added to it.
fn tag(text: &str) -> Option<&str> {
    let text = text.strip_prefix("W/").unwrap_or(text);
    let tag = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(tag.strip_suffix("-gzip").or_else(|| tag.strip_suffix("-zstd")).unwrap_or(tag))
}

/// What is between the quotes of an ETag of ours.
fn opaque(tag: &str) -> &str {
    tag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const HASH: &str = "0123456789abcdef";

    fn expected(values: &[&str]) -> Expected {
        let request = values
            .iter()
            .fold(TestRequest::get(), |request, value| request.append_header((IF_MATCH, *value)));
        Expected::of(&request.to_http_request(), None)
    }

    #[test]
    fn an_etag_names_a_version_only_as_it_was_given_out() {
        let fits = |tag: String| expected(&[&tag]).fits(1);
        assert!(fits(of(1, b"body")));
        for written in ["\"1-HASH\"", "W/\"1-HASH\"", "\"1-HASH-gzip\"", "\"7-x\" , \"1-HASH\""] {
            assert!(fits(written.replace("HASH", HASH)), "{written}");
        }
        for wrong in [
            "\"+1-HASH\"",
            "\"01-HASH\"",
            "\" 1-HASH\"",
            "\"1\"",
            "\"1-zz\"",
            "\"1-HASH0\"",
            "\"1-0123456789ABCDEF\"",
            "1-HASH",
            "\"1-HASH",
            "w/\"1-HASH\"",
            "\"\"1-HASH\"\"",
            "\"1-HASH-br\"",
            "\"2-HASH\"",
            "",
        ] {
            assert!(!fits(wrong.replace("HASH", HASH)), "{wrong}");
        }
    }

    #[test]
    fn whatever_there_is_is_a_bare_star_alone() {
        assert_eq!(expected(&["*"]), Expected::Anything);
        assert_eq!(expected(&[" * "]), Expected::Anything);
        for wrong in [&["\"*\""][..], &["W/*"], &["*, *"], &["\"1-x\", *"], &["*", "*"]] {
            assert!(!expected(wrong).fits(1), "{wrong:?}");
        }
        assert_eq!(expected(&[]), Expected::Nothing);
    }
}
