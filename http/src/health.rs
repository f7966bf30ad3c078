//! Is it alive, is it ready, and how is it. At the root only.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::Serialize;

use crate::{
    answer,
    problem::{Code, Problem},
    query::Params,
    state::{Shared, State},
};

#[derive(Serialize)]
struct Word {
    status: &'static str,
}

#[derive(Serialize)]
struct Health {
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
}

/// `GET /livez`: the process answers.
pub(crate) async fn live(req: HttpRequest) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    Ok(answer::ok(&Word { status: "alive" }))
}

/// `GET /readyz`: recovered, writable, not draining.
pub(crate) async fn ready(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    check(&state)?;
    Ok(answer::ok(&Word { status: "ready" }))
}

/// `GET /healthz`: the same, with details.
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
    }))
}

fn check(state: &State) -> Result<(), Problem> {
    state.engine.ready()?;
    if state.is_draining() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, Code::Draining, "the server is shutting down"));
    }
    Ok(())
}
