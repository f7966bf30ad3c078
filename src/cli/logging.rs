//! Log lines, to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::config::{LogFormat, Settings};

/// Tells of every request that is no HTTP, as an error: whoever can reach the server could fill its log. Only whoever names it hears
/// of them.
const WIRE: &str = "actix_http";

/// Starts logging as configured. Called once, by commands that run for long.
pub(super) fn start(settings: &Settings) {
    let terminal = io::stderr().is_terminal();
    let json = match settings.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // The level was checked when it was read.
    let mut filter =
        EnvFilter::try_new(&settings.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    if !settings.log_level.contains(WIRE)
        && let Ok(off) = format!("{WIRE}=off").parse()
    {
        filter = filter.add_directive(off);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(terminal).init();
    }
}
