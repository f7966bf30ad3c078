use std::time::Duration;

use serde_json::{Value, json};
use stockade::domain::account::Role;
use ureq::http::Method;

use super::{Accounts, Failure, NewUser, Shown, password};
use crate::cli::rest::Client;

/// The kinds of accounts, with where a server has them.
const KINDS: [(&str, &str); 2] = [("account", "/accounts"), ("customer", "/customers")];

/// A running server.
pub(super) struct Server {
    pub(super) client: Client,
}

impl Server {
    /// Changes the account that signs in so.
    fn change(&self, login: &str, change: &Value) -> Result<Shown, Failure> {
        let encoded: String = login.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for (kind, path) in KINDS {
            let found = self.client.list(&format!("{path}?email={encoded}"))?;
            if let Some(account) = found.first() {
                let path = format!("{path}/{}", account["id"]);
                return Ok(show(kind, &self.client.must(Method::PATCH, &path, Some(change))?));
            }
        }
        Err(Failure::work(format!("nobody signs in as {login}")))
    }
}

fn show(kind: &str, account: &Value) -> Shown {
    let text = |field: &str| account[field].as_str().map(str::to_owned);
    Shown {
        kind: kind.into(),
        id: account["id"].as_u64().unwrap_or_default(),
        username: text("username"),
        email: text("email"),
        name: text("name"),
        role: text("role").unwrap_or_default(),
    }
}

impl Accounts for Server {
    fn create(&self, new: NewUser) -> Result<Shown, Failure> {
        let NewUser { email, username, name, role, password } = new;
        let mut body = json!({
            "email": email, "username": username, "name": name, "password": password,
        });
        if role == Role::Customer {
            if email.is_none() {
                let what =
                    "--email is missing: a server registers customers by their e-mail address";
                return Err(Failure::usage(what));
            }
            return Ok(show("customer", &self.client.post("/register", &body)?));
        }
        body["role"] = role.name().into();
        Ok(show("account", &self.client.post("/accounts", &body)?))
    }

    fn set_password(&self, login: &str, password: String) -> Result<Shown, Failure> {
        self.change(login, &json!({ "password": password }))
    }

    fn set_role(&self, login: &str, role: Role) -> Result<Shown, Failure> {
        self.change(login, &json!({ "role": role.name() }))
    }

    fn token(&self, login: &str, _: Option<Duration>) -> Result<String, Failure> {
        let body = json!({ "username": login, "password": password::known()? });
        let tokens = self.client.post("/login", &body)?;
        Ok(tokens["access_token"].as_str().unwrap_or_default().to_owned())
    }

    fn list(&self) -> Result<Vec<Shown>, Failure> {
        let mut all = Vec::new();
        for (kind, path) in KINDS {
            let found = self.client.list(&format!("{path}?"))?;
            all.extend(found.iter().map(|account| show(kind, account)));
        }
        Ok(all)
    }

    fn close(&self) -> Result<(), Failure> {
        Ok(())
    }
}
