//! `stockade user`: accounts, in a data directory that nobody uses or in a running server.
//!
//! A data directory belongs to whoever may read it, so that offline nothing is asked. A server asks for an admin's token, and
//! registers no customer without an e-mail address; else it is the same.

mod offline;
mod online;
mod password;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use stockade::domain::account;

use self::{offline::Directory, online::Server};
use super::{
    ConfigFile, Failure, Output, print, print_json,
    rest::{Client, Token},
};

/// The longest time a token from here is good: one that is lost cannot be called back.
const EXPIRES_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Flags of `stockade user`.
#[derive(Debug, Args)]
pub(super) struct User {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    at: At,
    /// How to print the result
    #[arg(long, value_enum, default_value_t, global = true)]
    output: Output,
}

/// Where the accounts are.
#[derive(Debug, Args)]
struct At {
    #[command(flatten)]
    file: ConfigFile,
    /// A data directory that no process uses; the configured one if neither this nor --url is given
    #[arg(long, value_name = "DIR", conflicts_with = "url", global = true)]
    data_dir: Option<PathBuf>,
    /// A running server
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an account. Its password is read from STOCKADE_PASSWORD, or asked for, or the first line of standard input
    Create {
        /// E-mail address
        #[arg(long, required_unless_present = "username")]
        email: Option<String>,
        /// Username: 3 to 64 of a-z 0-9 . _ -
        #[arg(long)]
        username: Option<String>,
        /// What the person is called
        #[arg(long)]
        name: Option<String>,
        /// What the account may do
        #[arg(long, value_enum, default_value_t)]
        role: Role,
    },
    /// Give an account another password, and end its sessions
    SetPassword {
        /// E-mail address or username
        login: String,
    },
    /// Say what an account may do, and end its sessions
    SetRole {
        /// E-mail address or username
        login: String,
        /// What it may do from now on
        #[arg(value_enum)]
        role: Role,
    },
    /// Print an access token. A server asks for the account's password first
    Token {
        /// E-mail address or username
        login: String,
        /// How long it is good: a number and s, m, h or d. A server says that itself
        #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "url")]
        expires: Option<Duration>,
    },
    /// List the accounts
    List,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Buys
    #[default]
    Customer,
    /// Works in the shops and warehouses
    Staff,
    /// May do everything
    Admin,
}

impl From<Role> for account::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Customer => Self::Customer,
            Role::Staff => Self::Staff,
            Role::Admin => Self::Admin,
        }
    }
}

/// An account that is to be made.
struct NewUser {
    email: Option<String>,
    username: Option<String>,
    name: Option<String>,
    role: account::Role,
    password: String,
}

/// An account, as it is printed.
#[derive(Debug, Serialize)]
struct Shown {
    /// `customer`, or `account` for one that never was a customer.
    kind: String,
    id: u64,
    username: Option<String>,
    email: Option<String>,
    name: Option<String>,
    role: String,
}

/// What can be done with accounts, wherever they are.
trait Accounts {
    fn create(&self, new: NewUser) -> Result<Shown, Failure>;
    fn set_password(&self, login: &str, password: String) -> Result<Shown, Failure>;
    fn set_role(&self, login: &str, role: account::Role) -> Result<Shown, Failure>;
    fn token(&self, login: &str, expires: Option<Duration>) -> Result<String, Failure>;
    fn list(&self) -> Result<Vec<Shown>, Failure>;
    /// Leaves everything in order.
    fn close(&self) -> Result<(), Failure>;
}

impl User {
    pub(super) fn run(self) -> Result<(), Failure> {
        let makes_data = matches!(self.action, Action::Create { .. });
        let accounts: Box<dyn Accounts> = match &self.at.url {
            Some(url) => Box::new(Server { client: Client::new(url, &self.at.token)? }),
            None => {
                let file = self.at.file.config.as_deref();
                Box::new(Directory::open(file, self.at.data_dir, makes_data)?)
            }
        };
        let printed = self.action.run(&*accounts, self.output);
        // What was done is done, and what was refused is said, whatever comes of the end.
        printed.and(accounts.close())
    }
}

impl Action {
    fn run(self, accounts: &dyn Accounts, output: Output) -> Result<(), Failure> {
        let shown = match self {
            Self::Create { email, username, name, role } => {
                let (role, password) = (role.into(), password::new()?);
                accounts.create(NewUser { email, username, name, role, password })
            }
            Self::SetPassword { login } => accounts.set_password(&login, password::new()?),
            Self::SetRole { login, role } => accounts.set_role(&login, role.into()),
            Self::Token { login, expires } => {
                let token = accounts.token(&login, expires)?;
                return match output {
                    Output::Text => print(&(token + "\n")),
                    Output::Json => print_json(&json!({ "token": token })),
                };
            }
            Self::List => {
                let all = accounts.list()?;
                return match output {
                    Output::Text => print(&all.iter().map(Shown::line).collect::<String>()),
                    Output::Json => print_json(&all),
                };
            }
        }?;
        match output {
            Output::Text => print(&shown.line()),
            Output::Json => print_json(&shown),
        }
    }
}

impl Shown {
    fn line(&self) -> String {
        let Self { kind, id, username, email, name, role } = self;
        let known = [username, email, name].into_iter().flatten();
        let known = known.map(|text| format!("  {text}")).collect::<String>();
        format!("{:<12} {role:<8}{known}\n", format!("{kind} {id}"))
    }
}

/// A number and its unit.
fn time(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 24 * 3_600)];
    let seconds = || {
        let (unit, seconds) = units.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds)
    };
    let time = seconds().map(Duration::from_secs);
    let range = Duration::from_secs(1)..=EXPIRES_MAX;
    time.filter(|time| range.contains(time))
        .ok_or_else(|| "must be a time such as 90s, 15m, 12h or 30d, of at most 366d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        let seconds = |text| time(text).map(|time| time.as_secs()).ok();
        assert_eq!((seconds("90s"), seconds("15m")), (Some(90), Some(900)));
        assert_eq!((seconds("12h"), seconds("366d")), (Some(43_200), Some(31_622_400)));
        for wrong in ["", "s", "15", "0s", "-1s", "1.5h", "367d", "99999999999999999999d", "1w"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
