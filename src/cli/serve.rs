//! `stockade serve`: the engine behind REST, from the first line it prints to an orderly end.

use std::path::PathBuf;

use actix_rt::{
    System,
    signal::unix::{Signal, SignalKind, signal},
};
use clap::Args;
use futures_util::future::{Either, select};
use stockade::{
    Engine, Opened,
    http::{AuthMode, BindError, Bound, HttpConfig, bind},
};
use tokio::sync::oneshot;

use super::{
    Failure,
    config::{Flag, Settings},
    demo, first_start, logging, print,
};

/// Where the server's own documentation is.
const DOCS: &str = if cfg!(feature = "docs-ui") { "/docs" } else { "/openapi.json" };

/// Flags of `stockade serve`. Each has a setting in the configuration file, too.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: super::ConfigFile,
    /// Address to listen on; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,
    /// Where the data is
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep no data: everything ends with the process
    #[arg(long, conflicts_with = "data_dir")]
    in_memory: bool,
    /// When a commit counts: sync, interval:MS or none
    #[arg(long, value_name = "WHEN")]
    durability: Option<String>,
    /// Who may call: jwt (who presents a token or an API key) or none (everybody on this machine)
    #[arg(long, value_name = "MODE")]
    auth: Option<String>,
    /// Let clients move the clock, which stands still else: POST /test/clock. For tests
    #[arg(long)]
    test_clock: bool,
    /// Fill an empty engine with a small shop
    #[arg(long)]
    demo: bool,
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let settings = Settings::load(self.file.config.as_deref(), &self.flags())?;
        if self.test_clock && !settings.in_memory {
            let what = "--test-clock: only with --in-memory, data that is kept has one clock";
            return Err(Failure::usage(what));
        }
        logging::start(&settings);
        System::new().block_on(serve(&settings, self.demo, self.test_clock))
    }

    fn flags(&self) -> Vec<Flag> {
        let mut flags: Vec<Flag> = Vec::new();
        let mut given = |flag, name, value: Option<String>| {
            flags.extend(value.map(|value| (flag, name, value)));
        };
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        given("--listen", "http.listen", listen);
        let data_dir = self.data_dir.as_ref().map(|path| path.display().to_string());
        // A directory that is asked for here means that data is to be kept, whatever the file says.
        given("--data-dir", "data.in_memory", data_dir.as_ref().map(|_| "false".into()));
        given("--data-dir", "data.dir", data_dir);
        given("--in-memory", "data.in_memory", self.in_memory.then(|| "true".into()));
        given("--durability", "data.durability", self.durability.clone());
        given("--auth", "auth.mode", self.auth.clone());
        flags
    }
}

async fn serve(settings: &Settings, with_demo: bool, test_clock: bool) -> Result<(), Failure> {
    // A signal during a long start must not be lost, and ends it as soon as it can.
    let signals = Signals::listen()?;
    // Whoever may reach a server without sign-in is trusted.
    let asks = settings.http.auth.mode == AuthMode::Jwt;
    let limits = settings.http.rate_limits.filter(|_| asks);
    let http = HttpConfig { rate_limits: limits, test_clock, ..settings.http.clone() };
    let bound = bind(&http).map_err(|error| match error {
        BindError::Key(_) | BindError::NoAddress => Failure::usage(error),
        BindError::NotLoopback(_) => Failure::usage(format!(
            "http.listen and auth.mode do not go together: {error}, or set auth.mode to \"jwt\""
        )),
        error => Failure::work(error),
    })?;
    let config = match test_clock {
        true => settings.engine().with_test_clock(),
        false => settings.engine(),
    };
    let engine = Engine::open(config)?;
    let (stopped, stop) = oneshot::channel::<String>();
    engine.on_stopped(move |reason| {
        let _ = stopped.send(reason.to_owned());
    });
    announce(settings, &engine, &bound, with_demo).await?;
    let (end, ending) = oneshot::channel();
    let served = stockade::http::run(bound, engine.clone(), async move {
        let end_of_engine = async {
            match stop.await {
                Ok(reason) => reason,
                // Nobody is left to tell: the engine was shut down in order.
                Err(_) => std::future::pending().await,
            }
        };
        let reason = match select(Box::pin(signals.any()), Box::pin(end_of_engine)).await {
            Either::Left(_) => None,
            Either::Right((reason, _)) => Some(reason),
        };
        let _ = end.send(reason);
    });
    served.await.map_err(|error| Failure::work(format!("the server: {error}")))?;
    if let Ok(Some(reason)) = ending.await {
        return Err(Failure::work(format!("the engine has stopped: {reason}")));
    }
    engine.shutdown()?;
    print("stopped\n")
}

/// One line for each thing a person needs.
async fn announce(
    settings: &Settings,
    engine: &Engine,
    bound: &Bound,
    with_demo: bool,
) -> Result<(), Failure> {
    let mut text = String::new();
    let mut line = |what: &str, value: String| text.push_str(&format!("{what:<10} {value}\n"));
    line("stockade", env!("CARGO_PKG_VERSION").into());
    match settings.in_memory {
        true => line("data", "in memory: it ends with this process".into()),
        false => line("data", settings.data_dir.display().to_string()),
    }
    line("started", started(engine.opened()));
    if with_demo {
        line("demo", demo::fill(engine).await?);
    }
    match settings.http.auth.mode {
        AuthMode::Jwt => {
            let said = first_start::make_admin(settings, engine).await?;
            said.into_iter().for_each(|said| line("admin", said));
        }
        AuthMode::None => {
            line("sign-in", "none: whoever is on this machine may do everything".into())
        }
    }
    if let Some(address) = bound.addresses().first() {
        line("docs", format!("http://{address}{DOCS}"));
    }
    for address in bound.addresses() {
        line("listening", format!("http://{address}"));
    }
    print(&text)
}

/// What the start found and did.
fn started(opened: &Opened) -> String {
    let mut text = match opened {
        Opened { created: true, .. } => "a new engine".to_owned(),
        Opened { clean: true, .. } => "after a clean stop".to_owned(),
        _ => "after a crash".to_owned(),
    };
    text.push_str(&format!(", in {:.3} s", opened.took.as_secs_f64()));
    if opened.replayed > 0 {
        text.push_str(&format!(", {} events replayed", opened.replayed));
    }
    if opened.settled > 0 {
        text.push_str(&format!(", {} interrupted workflows settled", opened.settled));
    }
    if let Some((file, bytes)) = &opened.trimmed {
        text.push_str(&format!(", a torn tail of {bytes} bytes cut off {file}"));
    }
    if let Some(reason) = &opened.state_rebuilt {
        text.push_str(&format!(", state rebuilt from the journal ({reason})"));
    }
    text
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::work(format!("cannot wait for signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn any(mut self) {
        let (terminate, interrupt) = (self.terminate.recv(), self.interrupt.recv());
        select(Box::pin(terminate), Box::pin(interrupt)).await;
    }
}
