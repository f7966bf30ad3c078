//! `as_of`: a moment, or a place in the journal, of which a thing is asked for.

use actix_web::web;
use stockade_actors::Engine;
use stockade_domain::{Sequence, Timestamp};

use crate::{problem::Problem, query::Params, time};

/// What `as_of` names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AsOf {
    Time(Timestamp),
    Sequence(Sequence),
}

impl AsOf {
    /// Takes `as_of`; the future is not known.
    pub(crate) fn take(engine: &Engine, params: &mut Params) -> Option<Self> {
        let wanted = "a moment such as 2026-01-31T12:00:00Z, or a position, and not in the future";
        params.read("as_of", wanted, |text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits {
                let sequence = text.parse().ok().filter(|known| *known <= engine.position());
                return sequence.map(Self::Sequence);
            }
            time::parse(text).filter(|moment| *moment <= engine.now()).map(Self::Time)
        })
    }

    /// The last event that had happened.
    pub(crate) async fn position(self, engine: &Engine) -> Result<Sequence, Problem> {
        let moment = match self {
            Self::Sequence(sequence) => return Ok(sequence),
            Self::Time(moment) => moment,
        };
        let engine = engine.clone();
        // The journal is on a disk.
        let look = web::block(move || engine.sequence_at(moment));
        Ok(look.await.map_err(Problem::no_thread)??)
    }
}
