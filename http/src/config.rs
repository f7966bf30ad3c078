use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{Auth, Network, Origin, RateLimits};

/// How the REST surface is set up. Every default works.
///
/// ```
/// use stockade_http::HttpConfig;
///
/// let config = HttpConfig { listen: vec!["127.0.0.1:9000".parse()?], workers: 1, ..HttpConfig::default() };
/// assert_eq!(config.listen[0].port(), 9000);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen. Without authentication only loopback addresses are accepted.
    pub listen: Vec<SocketAddr>,
    /// Threads that parse and answer; by default about half of the cores, since the engine needs the rest.
    pub workers: usize,
    /// The largest JSON body, in bytes. A batch of 1,000 orders of 100 lines fits the default.
    pub json_bytes_max: usize,
    /// The most bytes of bodies that are under way at once, of all clients together: at least one of the largest.
    pub bodies_bytes_max: usize,
    /// How long a client may take to send the head of a request, from its first byte; and until a new connection says something.
    pub head_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a read waits for the position that it asks for (`Stockade-Min-Position`); the engine waits a minute at most.
    pub position_wait: Duration,
    /// How long a connection is kept on which nothing happens: no request comes, or nothing of an answer is read.
    pub keep_alive: Duration,
    /// The most connections of one worker; more wait in the listener's backlog.
    pub connections_max: usize,
    /// How long requests under way may take after the shutdown was asked for.
    pub shutdown_timeout: Duration,
    /// Pages of which other origins may read answers; none by default.
    pub cors_origins: Vec<Origin>,
    /// Proxies whose word counts about where a request comes from; none by default.
    pub trusted_proxies: Vec<Network>,
    /// How much callers may ask for. Without it, as by default, there is no limit: whoever may reach the socket is trusted.
    pub rate_limits: Option<RateLimits>,
    /// How callers are known; by default not at all.
    pub auth: Auth,
    /// Whether clients may move the clock (`POST /test/clock`). The engine's clock must be one that is moved by hand.
    pub test_clock: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            workers: (cores / 2).max(1),
            json_bytes_max: 4 << 20,
            bodies_bytes_max: 256 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            position_wait: Duration::from_secs(2),
            keep_alive: Duration::from_secs(75),
            connections_max: 25_000,
            shutdown_timeout: Duration::from_secs(30),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            rate_limits: None,
            auth: Auth::default(),
            test_clock: false,
        }
    }
}
