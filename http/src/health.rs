//! Is it alive, is it ready, and how is it. At the root only.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::Serialize;
use stockade_actors::{Engine, Error};
use utoipa::ToSchema;

use crate::{
    answer,
    openapi::answers::{Done, Unavailable},
    problem::{Code, Problem},
    query::Params,
    refusals::RETRY_AFTER_SECONDS,
    state::{Shared, State},
};

#[derive(Serialize, ToSchema)]
#[schema(
    as = ServerStatus,
    examples(json!({"status": "alive"}))
)]
pub(crate) struct Word {
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = Health,
    examples(json!({"status": "ready", "version": "0.1.0", "clock_frozen": false, "events": 42, "work_under_way": 0, "open_workflows": 0, "deadlines": 1, "idempotency_keys": 12, "idempotency_keys_dropped": 0, "orders_expired": 0, "expiry_lag_ms_max": 0, "checkpoint_position": 40, "checkpoint_broken": false, "journal_room_bytes": 67100000, "journal_next_ready": true}))
)]
pub(crate) struct Health {
    status: &'static str,
    version: &'static str,
    clock_frozen: bool,
    events: u64,
    work_under_way: usize,
    open_workflows: usize,
    deadlines: usize,
    idempotency_keys: usize,
    idempotency_keys_dropped: u64,
    orders_expired: u64,
    expiry_lag_ms_max: u64,
    checkpoint_position: u64,
    checkpoint_broken: bool,
    /// What is left of the segment that is being written.
    journal_room_bytes: u64,
    /// Whether the segment after it is there: if not, and the disk is full, nothing else is.
    journal_next_ready: bool,
}

/// `GET /livez`: the process answers.
#[utoipa::path(
    get, path = "/livez", tag = "server",
    responses(Done<Word>),
)]
pub(crate) async fn live(req: HttpRequest) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    Ok(answer::ok(&Word { status: "alive" }))
}

/// `GET /readyz`: recovered, writable, not draining.
#[utoipa::path(
    get, path = "/readyz", tag = "server",
    responses(Done<Word>, Unavailable),
)]
pub(crate) async fn ready(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    check(&state)?;
    Ok(answer::ok(&Word { status: "ready" }))
}

/// `GET /healthz`: the same, with details.
#[utoipa::path(
    get, path = "/healthz", tag = "server",
    responses(Done<Health>, Unavailable),
)]
pub(crate) async fn health(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    check(&state)?;
    let stats = state.engine.stats();
    Ok(answer::ok(&Health {
        status: "ready",
        version: env!("CARGO_PKG_VERSION"),
        clock_frozen: stats.clock_frozen,
        events: stats.folded,
        work_under_way: stats.under_way,
        open_workflows: stats.open_table,
        deadlines: stats.deadlines,
        idempotency_keys: stats.idempotency_keys,
        idempotency_keys_dropped: stats.idempotency_keys_dropped,
        orders_expired: stats.expired,
        expiry_lag_ms_max: stats.expiry_lag_ms_max,
        checkpoint_position: stats.checkpoint_position,
        checkpoint_broken: stats.checkpoint_broken,
        journal_room_bytes: stats.journal.room_bytes,
        journal_next_ready: stats.journal.next_ready,
    }))
}

fn check(state: &State) -> Result<(), Problem> {
    state.engine.ready().map_err(|error| match error {
        Error::NearlyFull => nearly_full(&state.engine),
        other => other.into(),
    })?;
    if state.is_draining() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, Code::Draining, "the server is shutting down"));
    }
    Ok(())
}

/// What whoever makes room wants to know.
fn nearly_full(engine: &Engine) -> Problem {
    let stats = engine.stats();
    let detail = format!(
        "the disk is nearly full: no new work is taken, {}; {} bytes are left of the journal's last segment",
        if stats.expiry_paused {
            "and what is due waits for room"
        } else {
            "what is due still expires"
        },
        stats.journal.room_bytes,
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, detail)
        .with_retry_after(RETRY_AFTER_SECONDS)
}
