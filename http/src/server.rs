//! The server: sockets, workers, and an orderly end.

use std::{
    fmt,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, Protocol, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Server, ServiceFactory, fn_service},
    middleware::{Compress, from_fn},
    rt::net::TcpStream,
    web::Data,
};
use futures_util::future::{Either, join, ready, select};
use stockade_actors::Engine;
use thiserror::Error;

use crate::{
    AuthMode, HttpConfig, KeyError,
    connection::Connection,
    edge, problem, routes,
    state::{Shared, State},
    tokens::{Keys, Tokens},
};

/// How long what a client still sends is thrown away after it was refused, so that it reads the answer before it is cut off.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Sockets that are bound, and how they will be served. Clients can connect already; they are answered by [`run`].
///
/// ```
/// use stockade_http::{Bound, HttpConfig, bind};
///
/// let any_port = HttpConfig { listen: vec!["127.0.0.1:0".parse()?], ..HttpConfig::default() };
/// let bound: Bound = bind(&any_port)?;
/// assert_ne!(bound.addresses()[0].port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bound {
    config: HttpConfig,
    keys: Keys,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// Why there is nothing to serve on.
///
/// ```
/// use stockade_http::{BindError, HttpConfig, bind};
///
/// let everywhere = HttpConfig { listen: vec!["0.0.0.0:8080".parse()?], ..HttpConfig::default() };
/// assert!(matches!(bind(&everywhere), Err(BindError::NotLoopback(_))));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Error)]
pub enum BindError {
    /// No address is configured.
    #[error("there is no address to listen on")]
    NoAddress,
    /// The address can be reached from other machines, and nothing would ask who is calling.
    #[error(
        "{0} can be reached from other machines, but there is no authentication: listen on a loopback address such as \
         127.0.0.1:{port}",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// A key for tokens cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The operating system refuses the address; most often another process uses it.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// Which address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Bound {
    /// Where it listens; a port that was configured as 0 is a real one here.
    ///
    /// ```
    /// # use stockade_http::{HttpConfig, bind};
    /// # let bound = bind(&HttpConfig { listen: vec!["127.0.0.1:0".parse()?], ..HttpConfig::default() })?;
    /// for address in bound.addresses() {
    ///     println!("listening http://{address}");
    /// }
    /// # assert_eq!(bound.addresses().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Binds every configured address, or none.
///
/// # Errors
/// No address, one that is not loopback where nobody is asked who he is, one that cannot be bound, or a key file that cannot be
/// used: the error names it.
///
/// ```
/// use stockade_http::{BindError, HttpConfig, bind};
///
/// let nowhere = HttpConfig { listen: vec![], ..HttpConfig::default() };
/// assert!(matches!(bind(&nowhere), Err(BindError::NoAddress)));
/// ```
pub fn bind(config: &HttpConfig) -> Result<Bound, BindError> {
    if config.listen.is_empty() {
        return Err(BindError::NoAddress);
    }
    let mut far = config.listen.iter().filter(|address| !address.ip().is_loopback());
    if let (AuthMode::None, Some(address)) = (config.auth.mode, far.next()) {
        return Err(BindError::NotLoopback(*address));
    }
    let keys = Keys::read(&config.auth)?;
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for &address in &config.listen {
        let refused = |source| BindError::Refused { address, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        addresses.push(listener.local_addr().map_err(refused)?);
        listeners.push(listener);
    }
    Ok(Bound { config: config.clone(), keys, listeners, addresses })
}

/// Serves until `shutdown` is ready: then it accepts nothing new, finishes what is under way within the configured time, and
/// returns. The engine is left as it is.
///
/// # Errors
/// The operating system refuses a thread or a socket, or the key for tokens cannot be read or made.
///
/// ```
/// use stockade_actors::Engine;
/// use stockade_http::{HttpConfig, bind, run};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::in_memory()?;
/// let config = HttpConfig { listen: vec!["127.0.0.1:0".parse()?], workers: 1, ..HttpConfig::default() };
/// let bound = bind(&config)?;
/// // A server runs until it is told to stop; this one is told at once.
/// let shutdown = std::future::ready(());
/// actix_web::rt::System::new().block_on(run(bound, engine.clone(), shutdown))?;
/// engine.shutdown()?;
/// # Ok(())
/// # }
/// ```
pub async fn run(
    bound: Bound,
    engine: Engine,
    shutdown: impl Future<Output = ()> + 'static,
) -> io::Result<()> {
    let Bound { config, keys, listeners, .. } = bound;
    let tokens = Tokens::with(&config.auth, keys, &engine).map_err(io::Error::other)?;
    let state = Data::new(State::new(engine, &config, tokens));
    let mut server = Server::build()
        .workers(config.workers.max(1))
        .max_concurrent_connections(config.connections_max)
        .shutdown_timeout(config.shutdown_timeout.as_secs().max(1))
        .disable_signals();
    for listener in listeners {
        let (state, test_clock) = (state.clone(), config.test_clock);
        let served = move || connections(state.clone(), test_clock);
        server = server.listen("rest", listener, served)?;
    }
    let server = server.run();
    let handle = server.handle();
    match select(pin!(server), pin!(shutdown)).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), server)) => {
            state.drain();
            let (_, ended) = join(handle.stop(true), server).await;
            ended
        }
    }
}

/// What happens on every connection.
fn connections(
    state: Shared,
    test_clock: bool,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let app = App::new()
        .app_data(state.clone())
        .configure(|routes| routes::configure(routes, test_clock))
        .default_service(actix_web::web::to(problem::no_such_route))
        .wrap(Compress::default())
        .wrap(from_fn(edge::edge));
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    let draining = state.clone();
    let drained = move || {
        let state = draining.clone();
        async move { state.drained().await }
    };
    let http = HttpService::build()
        .graceful_shutdown_signal(drained)
        // The connection has a clock of its own, for every head and for every silence.
        .client_request_timeout(Duration::ZERO)
        .keep_alive(KeepAlive::Os)
        .client_disconnect_timeout(UNREAD_TIMEOUT)
        .on_connect_ext(|connection: &Connection<TcpStream>, known| {
            known.insert(connection.turn());
        })
        .finish(map_config(app, |()| AppConfig::default()));
    let accept = move |io: TcpStream| {
        let peer = io.peer_addr().ok();
        // Answers are small and whole: waiting for more to send would only add to their latency.
        let _ = io.set_nodelay(true);
        ready(Ok((Connection::new(io, state.clone()), Protocol::Http1, peer)))
    };
    fn_service(accept).and_then(http)
}
