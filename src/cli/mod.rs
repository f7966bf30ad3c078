//! The command line.

mod config;
#[cfg(feature = "http")]
mod demo;
#[cfg(feature = "http")]
mod first_start;
#[cfg(feature = "http")]
mod logging;
mod replay;
mod rest;
mod seed;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod user;
mod verify;

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Stockade: a commerce engine that never sells what is not there.
#[derive(Debug, Parser)]
#[command(name = "stockade", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    #[cfg(feature = "http")]
    Serve(serve::Serve),
    /// Run real retail invoices through the engine as orders, and prove that nothing was oversold.
    Replay(replay::Replay),
    /// Fill an engine with made-up products and orders, the same for the same seed.
    Seed(seed::Seed),
    /// Check every record and every invariant of a data directory that nobody uses.
    Verify(verify::Verify),
    /// Make and change accounts, in a data directory that nobody uses or in a running server.
    #[cfg(feature = "http")]
    User(user::User),
    /// Print the effective configuration as TOML.
    Config(ConfigCommand),
    /// Print the OpenAPI document of the REST surface.
    #[cfg(feature = "http")]
    Openapi,
    /// Print the version.
    Version(OutputArgs),
    /// Print a completion script for a shell.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Where settings come from besides defaults and the environment.
#[derive(Debug, Args)]
struct ConfigFile {
    /// Read settings from this file instead of ./stockade.toml
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ConfigCommand {
    #[command(flatten)]
    file: ConfigFile,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object on standard output.
    Json,
}

#[derive(Debug, Args)]
struct OutputArgs {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Why a command did not do what it was asked. A check that came out badly is one, too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The work failed: exit code 1.
    Work(String),
    /// It was asked wrongly: exit code 2.
    Usage(String),
}

impl Failure {
    pub(crate) fn work(what: impl fmt::Display) -> Self {
        Self::Work(what.to_string())
    }

    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::Usage(what.to_string())
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Work(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(what) | Self::Usage(what) => f.write_str(what),
        }
    }
}

impl From<stockade::Error> for Failure {
    fn from(error: stockade::Error) -> Self {
        Self::work(error)
    }
}

impl From<stockade::OpenError> for Failure {
    fn from(error: stockade::OpenError) -> Self {
        Self::work(error)
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "stockade: {failure}");
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(feature = "http")]
        Command::Serve(serve) => serve.run(),
        Command::Replay(replay) => replay.run(),
        Command::Seed(seed) => seed.run(),
        Command::Verify(verify) => verify.run(),
        #[cfg(feature = "http")]
        Command::User(user) => user.run(),
        Command::Config(command) => {
            let settings = config::Settings::load(command.file.config.as_deref(), &[])?;
            print(&settings.to_toml())
        }
        #[cfg(feature = "http")]
        Command::Openapi => print(stockade::http::openapi()),
        Command::Version(args) => version(args.output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stockade", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

fn version(output: Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match output {
        Output::Text => print(&format!("stockade {version}\n")),
        Output::Json => print_json(&serde_json::json!({ "version": version })),
    }
}

/// Prints a result. A reader that went away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::work(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::work)?;
    print(&(text + "\n"))
}
