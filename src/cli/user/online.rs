use std::time::Duration;

use serde_json::{Value, json};
use stockade::domain::account::Role;
use ureq::http::Method;

use super::{Accounts, Failure, NewUser, Shown, password};
use crate::cli::rest::Client;

/// A running server, which changes customers only.
pub(super) struct Server {
    pub(super) client: Client,
}

impl Server {
    /// The path of the customer who signs in so.
    fn find(&self, login: &str) -> Result<String, Failure> {
        let encoded: String = login.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = self.client.list(&format!("/customers?email={encoded}"))?;
        match found.first() {
            Some(customer) => Ok(format!("/customers/{}", customer["id"])),
            None => Err(Failure::work(format!("no customer signs in as {login}"))),
        }
    }

    fn patch(&self, path: &str, change: &Value) -> Result<Shown, Failure> {
        Ok(show(&self.client.must(Method::PATCH, path, Some(change))?))
    }
}

fn show(customer: &Value) -> Shown {
    let text = |field: &str| customer[field].as_str().map(str::to_owned);
    Shown {
        kind: "customer".into(),
        id: customer["id"].as_u64().unwrap_or_default(),
        username: text("username"),
        email: text("email"),
        name: text("name"),
        role: text("role").unwrap_or_default(),
    }
}

impl Accounts for Server {
    fn create(&self, new: NewUser) -> Result<Shown, Failure> {
        let NewUser { email, username, name, role, password } = new;
        let body = json!({
            "email": email, "username": username, "name": name, "password": password,
        });
        let made = show(&self.client.post("/register", &body)?);
        if role == Role::Customer {
            return Ok(made);
        }
        let path = format!("/customers/{}", made.id);
        self.patch(&path, &json!({ "role": role.name() })).map_err(|failure| {
            let Shown { id, .. } = made;
            Failure::work(format!("customer {id} was made, and stays a customer: {failure}"))
        })
    }

    fn set_password(&self, login: &str, password: String) -> Result<Shown, Failure> {
        self.patch(&self.find(login)?, &json!({ "password": password }))
    }

    fn set_role(&self, login: &str, role: Role) -> Result<Shown, Failure> {
        self.patch(&self.find(login)?, &json!({ "role": role.name() }))
    }

    fn token(&self, login: &str, _: Option<Duration>) -> Result<String, Failure> {
        let body = json!({ "username": login, "password": password::known()? });
        let tokens = self.client.post("/login", &body)?;
        Ok(tokens["access_token"].as_str().unwrap_or_default().to_owned())
    }

    fn list(&self) -> Result<Vec<Shown>, Failure> {
        Ok(self.client.list("/customers?")?.iter().map(show).collect())
    }

    fn close(&self) -> Result<(), Failure> {
        Ok(())
    }
}
