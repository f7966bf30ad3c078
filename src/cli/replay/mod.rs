//! `stockade replay`: a real shop's year of invoices as orders, and the proof that nothing was oversold.
//!
//! In four steps: read the file into a [`book::Book`] of invoices sorted out on purpose; make a [`plan::Plan`] of what to ask and
//! what must be answered, pure and the same on every machine; run it against an engine or a server; read everything back and
//! [`check`] it against the file. The rules, and why, are in `docs/replay.md`.

mod book;
mod check;
pub(super) mod codes;
pub(super) mod embedded;
mod factor;
pub(super) mod orders;
pub(super) mod plan;
mod report;
mod rows;
pub(super) mod run;
mod server;
mod target;
mod window;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use stockade::Config;

use self::{
    book::Book, embedded::Embedded, factor::Factor, plan::Plan, server::Server, target::Target,
};
use super::{Failure, Output, print, print_json, rest::Token};

/// Flags of `stockade replay`.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The invoices, in the columns of UCI "Online Retail": CSV, plain or gzip; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Opening stock as a share of each code's demand, rounded up; below 1 some orders are refused
    #[arg(long, value_name = "DECIMAL", default_value = "0.9")]
    stock_factor: Factor,
    /// Only the first so many invoices
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keep the data here; the directory must be empty. Without it a temporary one is used and removed
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Replay into a running server through REST instead of an engine of its own
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
    /// How to print the figures
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Replay {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let name = self.file.display().to_string();
        let source =
            rows::open(&self.file).map_err(|error| Failure::work(format!("{name}: {error}")))?;
        let book = Book::read(&name, source, self.limit)?;
        let plan = Plan::new(&book, self.stock_factor);
        let read_seconds = started.elapsed().as_secs_f64();
        // It lives until the engine is closed.
        let mut temporary = None;
        let directory = match (&self.url, &self.data_dir) {
            (None, None) => Some(temporary.insert(temporary_directory()?).path()),
            (_, directory) => directory.as_deref(),
        };
        let mut target =
            target_at(self.url.as_deref(), &self.token, directory, Embedded::open_empty)?;
        let mut report = run::run(&book, &plan, &mut *target)?;
        target.close()?;
        report.read_seconds = read_seconds;
        match self.output {
            Output::Text => print(&report.text())?,
            Output::Json => print_json(&report)?,
        }
        report.verdict()
    }
}

fn temporary_directory() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir()
        .map_err(|error| Failure::work(format!("cannot make a temporary directory: {error}")))
}

/// A server if there is a URL, else an engine of its own on a directory.
pub(super) fn target_at(
    url: Option<&str>,
    token: &Token,
    directory: Option<&Path>,
    open: fn(Config) -> Result<Embedded, Failure>,
) -> Result<Box<dyn Target>, Failure> {
    match (url, directory) {
        (Some(url), _) => Ok(Box::new(Server::new(url, token)?)),
        (None, Some(directory)) => Ok(Box::new(open(Config::new(directory))?)),
        (None, None) => Ok(Box::new(open(Config::in_memory())?)),
    }
}
