//! What every handler can reach.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::http::StatusCode;
use stockade_actors::Engine;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{
    Auth, HttpConfig, Network, Origin,
    limits::Limits,
    passwords::Passwords,
    problem::{Code, Problem},
    tokens::Tokens,
};

/// Shared by all workers.
pub(crate) struct State {
    /// The engine behind it all.
    pub(crate) engine: Engine,
    /// The largest JSON body, in bytes.
    pub(crate) json_bytes_max: usize,
    /// One permit for each byte of all bodies that may be under way at once.
    bodies: Arc<Semaphore>,
    /// How long a client may take to send the head of a request.
    pub(crate) head_timeout: Duration,
    /// How long a client may take to send a body.
    pub(crate) body_timeout: Duration,
    /// How long a connection is kept on which nothing happens.
    pub(crate) keep_alive: Duration,
    /// How long a read waits for the position that it asks for.
    pub(crate) position_wait: Duration,
    /// Pages of which other origins may read answers.
    pub(crate) cors_origins: Vec<Origin>,
    /// Proxies whose word counts about where a request comes from.
    pub(crate) trusted_proxies: Vec<Network>,
    /// How much callers may ask for; nothing where everybody is trusted.
    pub(crate) limits: Option<Limits>,
    /// How callers are known.
    pub(crate) auth: Auth,
    /// Makes and reads access tokens.
    pub(crate) tokens: Tokens,
    /// Hashes passwords and compares them.
    pub(crate) passwords: Passwords,
    draining: AtomicBool,
    /// Requests that wait for something to happen.
    followers: Arc<Semaphore>,
    drained: Notify,
}

/// The most requests that wait for something to happen: each is a connection that does nothing.
const FOLLOWERS_MAX: usize = 1_000;

/// When whoever found no room for a body may come again.
const RETRY_AFTER_SECONDS: u32 = 1;

impl State {
    pub(crate) fn new(engine: Engine, config: &HttpConfig, tokens: Tokens) -> Self {
        Self {
            engine,
            json_bytes_max: config.json_bytes_max,
            bodies: Arc::new(Semaphore::new(config.bodies_bytes_max)),
            head_timeout: config.head_timeout,
            body_timeout: config.body_timeout,
            keep_alive: config.keep_alive,
            position_wait: config.position_wait,
            cors_origins: config.cors_origins.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            limits: config.rate_limits.as_ref().map(Limits::new),
            auth: config.auth.clone(),
            tokens,
            passwords: Passwords::new(),
            draining: AtomicBool::new(false),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            drained: Notify::new(),
        }
    }

    /// From now on it says that it is not ready, so that a balancer sends nobody any more.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drained.notify_waiters();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits until it is draining: whoever waits for something else stops then.
    pub(crate) async fn drained(&self) {
        let mut drained = pin!(self.drained.notified());
        drained.as_mut().enable();
        if !self.is_draining() {
            drained.await;
        }
    }

    /// Room for more bytes of a body: what all clients send at once has a bound, too.
    pub(crate) fn room_for_body(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bodies.clone().try_acquire_many_owned(permits).map_err(|_| {
            let detail = "more bodies are under way than the server's bound; nothing was changed";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, detail)
                .with_retry_after(RETRY_AFTER_SECONDS)
                .closing()
        })
    }

    /// A place among those who wait for something to happen, if there is one.
    pub(crate) fn follow(&self) -> Option<OwnedSemaphorePermit> {
        self.followers.clone().try_acquire_owned().ok()
    }
}

/// The engine, as handlers take it.
pub(crate) type Shared = actix_web::web::Data<State>;
