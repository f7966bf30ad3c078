//! `/test/clock`: moves the clock of a server that was started for tests, and only there.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};

use crate::{answer, extract::Input, problem::Problem, state::Shared, time::Time};

/// The furthest that one request moves the clock: ten years.
const ADVANCE_SECONDS_MAX: u64 = 10 * 366 * 24 * 3_600;

/// `POST /test/clock`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockBody {
    advance_seconds: u64,
}

#[derive(Serialize)]
struct ClockView {
    now: Time,
}

/// `POST /test/clock`: answers when all that fell due is done.
pub(crate) async fn advance(
    state: Shared,
    body: Input<ClockBody>,
) -> Result<HttpResponse, Problem> {
    let seconds = body.valid()?.advance_seconds;
    if seconds > ADVANCE_SECONDS_MAX {
        let detail = format!("must be at most {ADVANCE_SECONDS_MAX}");
        return Err(Problem::field("/advance_seconds", detail));
    }
    if !state.engine.advance(Duration::from_secs(seconds)).await? {
        return Err(Problem::of_status(actix_web::http::StatusCode::NOT_FOUND));
    }
    Ok(answer::ok(&ClockView { now: Time(state.engine.now()) }))
}
