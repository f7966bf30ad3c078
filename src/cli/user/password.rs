//! Passwords come in where nobody looks on: never as an argument, which every process on the machine can read.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Failure;

/// Set by programs.
const VARIABLE: &str = "STOCKADE_PASSWORD";

/// The most that is read of a line: a few times the longest password.
const LINE_BYTES_MAX: u64 = 4_096;

/// A password that is to be; a person types it twice.
pub(super) fn new() -> Result<String, Failure> {
    let password = known()?;
    if is_typed() && ask("Once more: ")? != password {
        return Err(Failure::usage("the passwords differ"));
    }
    Ok(password)
}

/// A password that is.
pub(super) fn known() -> Result<String, Failure> {
    match std::env::var(VARIABLE) {
        Ok(password) => Ok(password),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{VARIABLE} is not UTF-8")))
        }
        Err(std::env::VarError::NotPresent) if io::stdin().is_terminal() => ask("Password: "),
        Err(std::env::VarError::NotPresent) => line(),
    }
}

fn is_typed() -> bool {
    std::env::var_os(VARIABLE).is_none() && io::stdin().is_terminal()
}

fn ask(prompt: &str) -> Result<String, Failure> {
    let mut err = io::stderr();
    let _ = write!(err, "{prompt}").and_then(|()| err.flush());
    let quiet = Quiet::begin()?;
    let line = line();
    drop(quiet);
    let _ = writeln!(err);
    line
}

/// The next line of standard input, without its end.
fn line() -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::work(format!("standard input: {error}"));
    let mut line = String::new();
    let mut input = io::Read::take(io::stdin().lock(), LINE_BYTES_MAX);
    input.read_line(&mut line).map_err(failed)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        let what = format!("no password: type one, pipe one in, or set {VARIABLE}");
        return Err(Failure::usage(what));
    }
    Ok(line.to_owned())
}

/// While it lives the terminal shows nothing of what is typed.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Result<Self, Failure> {
        let failed = |error| Failure::work(format!("the terminal: {error}"));
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
