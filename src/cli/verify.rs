//! `stockade verify`: a data directory read whole, offline, and checked.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use stockade::{Verified, VerifyError};

use super::{Failure, Output, print, print_json};

/// Flags of `stockade verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A data directory that no process uses
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What was checked, and what was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    ok: bool,
    /// Records read from the journal, each with its checksum.
    events: u64,
    /// Workflows that the last run left open and the next start will settle: no fault.
    unsettled: usize,
    /// The torn end of a crash, that the next start will cut off: no fault.
    torn_tail: Option<Location>,
    /// The position of the state on sled.
    state_at: Option<u64>,
    /// Why the state on sled cannot be used; it is made anew at the next start.
    state_unusable: Option<String>,
    /// Whether sled comes to the same as the whole journal.
    state_agrees: Option<bool>,
    oversold: u64,
    violations: Vec<String>,
    /// What keeps the journal from being read.
    damage: Option<String>,
}

#[derive(Debug, Serialize)]
struct Location {
    file: String,
    offset: u64,
}

impl Verify {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let found = match stockade::verify(&self.directory) {
            Ok(verified) => Found::new(verified),
            Err(VerifyError::Journal(error)) => {
                Found { damage: Some(error.to_string()), ..Found::default() }
            }
            // Nothing was looked at: there is no result to print.
            Err(error) => return Err(Failure::work(error)),
        };
        match self.output {
            Output::Text => print(&found.text())?,
            Output::Json => print_json(&found)?,
        }
        if found.ok {
            return Ok(());
        }
        let directory = self.directory.display();
        let what = found.damage.as_deref().unwrap_or("it does not add up");
        Err(Failure::work(format!("{directory}: {what}")))
    }
}

impl Found {
    fn new(verified: Verified) -> Self {
        let Verified { audit, unsettled, torn, state, state_agrees } = verified;
        let ok = audit.violations.is_empty() && audit.oversold == 0 && state_agrees != Some(false);
        Self {
            ok,
            events: audit.events,
            unsettled,
            torn_tail: torn.map(|(file, offset)| Location { file, offset }),
            state_at: state.as_ref().ok().copied(),
            state_unusable: state.err(),
            state_agrees,
            oversold: audit.oversold,
            violations: audit.violations.iter().map(ToString::to_string).collect(),
            damage: None,
        }
    }

    fn text(&self) -> String {
        if let Some(damage) = &self.damage {
            return format!("journal     {damage}\n");
        }
        let mut text = format!("journal     {} events, every checksum right\n", self.events);
        if let Some(Location { file, offset }) = &self.torn_tail {
            text += &format!(
                "tail        torn in {file} at byte {offset}: the next start cuts it off\n"
            );
        }
        text += &match self.unsettled {
            0 => "workflows   none open\n".to_owned(),
            open => format!("workflows   {open} open: the next start settles them\n"),
        };
        text += &match (&self.state_unusable, self.state_at, self.state_agrees) {
            (Some(reason), ..) => format!("state       made anew at the next start: {reason}\n"),
            (None, at, Some(false)) => {
                format!("state       at {} it DIFFERS from the journal\n", at.unwrap_or(0))
            }
            (None, at, _) => {
                format!("state       at {}, the same as the journal\n", at.unwrap_or(0))
            }
        };
        text += &format!("oversold    {}\n", self.oversold);
        text += &format!("violations  {}\n", self.violations.len());
        for violation in &self.violations {
            text += &format!("  {violation}\n");
        }
        text
    }
}
