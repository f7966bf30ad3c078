//! People through kills, where everybody is asked who he is.
//!
//! Who was told that he is registered can sign in; a session that goes on goes on, one that ended and a person who was erased stay
//! so; a refresh token is good once, and its copy ends the session; an API key is good until it is revoked.

use std::{
    path::Path,
    sync::mpsc::{self, Sender},
    thread,
};

use serde_json::{Value, json};

use crate::support::{self, Server};

mod book;

use book::Book;

/// How often the server is killed.
const KILLS: usize = 15;
/// Clients, each with people of its own.
const CLIENTS: usize = 3;
const ADMIN_PASSWORD: &str = "the admin's password";
/// Of everybody else.
const PASSWORD: &str = "correct horse";

/// Nobody is told to come less often, and tokens outlast the test.
const SETTINGS: &str = "[auth]
access_ttl_seconds = 86400
[http]
user_requests_per_second_max = 1000000
address_requests_per_second_max = 1000000
logins_per_minute_max = 1000000
failed_logins_per_minute_max = 1000000
";

fn start(folder: &Path, life: usize) -> Server {
    let lanes = crate::LANES[life % crate::LANES.len()];
    support::write(
        &folder.join("stockade.toml"),
        &format!("{SETTINGS}[engine]\nlanes = {lanes}\n"),
    );
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    let mut serve = support::command(folder, &args);
    serve.env("STOCKADE_AUTH__ADMIN_PASSWORD", ADMIN_PASSWORD);
    Server::start_as(serve)
}

/// A server as its callers see it, and the token of its admin, which every life takes.
#[derive(Clone)]
struct Api {
    agent: ureq::Agent,
    url: String,
    admin: String,
    staff: String,
}

impl Api {
    fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let (admin, staff) = (String::new(), String::new());
        Self { agent: config.into(), url: url.to_owned(), admin, staff }
    }

    /// The status and body of a whole answer; nothing when none came.
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
        let request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = match token {
            "" => request,
            token => request.header("authorization", format!("Bearer {token}")),
        };
        let json = request.header("content-type", "application/json");
        let mut answer = match method {
            "POST" | "PATCH" => self.agent.run(json.body(body.to_string()).unwrap()).ok()?,
            _ => self.agent.run(json.body(()).unwrap()).ok()?,
        };
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }

    fn get(&self, path: &str, token: &str) -> Option<(u16, Value)> {
        self.ask("GET", path, token, &Value::Null)
    }

    /// Tokens for a password.
    fn sign_in(&self, login: &str, password: &str) -> Option<(u16, Value)> {
        self.ask("POST", "/v1/login", "", &json!({ "email": login, "password": password }))
    }

    fn refresh(&self, token: &str) -> Option<(u16, Value)> {
        self.ask("POST", "/v1/token/refresh", "", &json!({ "refresh_token": token }))
    }
}

/// An admin, somebody of the staff, and something to order.
fn set_up(server: &Server) -> Api {
    let mut api = Api::new(&server.url);
    let token = |answer: Option<(u16, Value)>| {
        let (status, tokens) = answer.unwrap();
        assert_eq!(status, 200, "{tokens}");
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    api.admin = token(api.sign_in("admin", ADMIN_PASSWORD));
    let made = |method: &str, path: &str, body: Value| {
        let (status, answer) = api.ask(method, path, &api.admin, &body).unwrap();
        assert!(status < 300, "{answer}");
    };
    made("POST", "/v1/products", json!({ "name": "thing", "price": "1.00", "stock": 1_000_000 }));
    made("POST", "/v1/register", json!({ "email": "clerk@example.com", "password": PASSWORD }));
    made("PATCH", "/v1/customers/1", json!({ "role": "staff" }));
    api.staff = token(api.sign_in("clerk@example.com", PASSWORD));
    api
}

#[test]
fn who_signed_in_or_out_or_was_erased_before_a_kill_is_so_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), 0);
    let mut api = set_up(&server);
    let mut books: Vec<Book> = (0..CLIENTS).map(|client| Book::new(client as u64)).collect();
    let mut sums = [0; 6];
    for kill in 0..KILLS {
        books = live_until_killed(server, &api, books, kill);
        server = start(folder.path(), kill + 1);
        api.url.clone_from(&server.url);
        // The last check spends all sessions that go on.
        sums = std::array::from_fn(|n| books.iter().map(|book| book.counts()[n]).sum());
        for book in &mut books {
            book.check(&api, kill + 1 == KILLS);
        }
    }
    println!("people, sessions that go on and ended, erased, orders, keys: {sums:?}");
    assert!(sums.iter().all(|count| *count > 0), "everything was tried: {sums:?}");
    assert_eq!(server.terminate().0, Some(0));
    support::run(folder.path(), &["verify", "data"]).succeeded();
}

/// Lets clients go on until so many answers have come that it is time, then kills the server under them.
fn live_until_killed(server: Server, api: &Api, books: Vec<Book>, kill: usize) -> Vec<Book> {
    let (heard, answers) = mpsc::channel();
    let client = |mut book: Book| {
        let (api, heard): (Api, Sender<()>) = (api.clone(), heard.clone());
        thread::spawn(move || {
            while book.go_on(&api).is_some() {
                let _ = heard.send(());
            }
            book
        })
    };
    let clients: Vec<_> = books.into_iter().map(client).collect();
    drop(heard);
    answers.iter().take(3 + (kill * 17) % 60).for_each(drop);
    drop(server);
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}
