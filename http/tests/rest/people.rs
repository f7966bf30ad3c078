//! People who register, sign in, and look after themselves.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, Version};
use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_domain::account::{Account, Personal, Role};
use stockade_http::{Auth, AuthMode, HttpConfig, RateLimits, hash_password};

use crate::{
    keys,
    server::{Answer, Server},
};

pub(crate) const PASSWORD: &str = "correct horse";

/// A server that asks who is there.
pub(crate) fn guarded() -> Server {
    keys::server(&Auth { mode: AuthMode::Jwt, ..Auth::default() })
}

/// Somebody who has signed in.
pub(crate) struct Person<'a> {
    server: &'a Server,
    token: String,
    pub(crate) refresh_token: String,
}

impl<'a> Person<'a> {
    pub(crate) fn signs_in(server: &'a Server, login: &str) -> Self {
        let tokens = sign_in(server, login, PASSWORD).is(200);
        let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
        Self { server, token: text("access_token"), refresh_token: text("refresh_token") }
    }

    /// A new customer.
    pub(crate) fn registers(server: &'a Server, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        server.post("/v1/register", body.to_string()).is(201);
        Self::signs_in(server, email)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let body = (!body.is_null()).then(|| body.to_string());
        self.server.send(method, path, &[("authorization", &bearer)], body.as_deref())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null)
    }
}

/// An account of the other kind.
pub(crate) fn worker(server: &Server, username: &str, role: Role) -> std::sync::Arc<Account> {
    let password = Some(hash_password(PASSWORD).unwrap().into());
    let username = Some(username.into());
    let personal = Personal { username, password, ..Personal::default() };
    block_on(server.engine.register(role, personal)).unwrap()
}

fn sign_in(server: &Server, login: &str, password: &str) -> Answer {
    let body = json!({ "email": login, "password": password });
    server.post("/v1/login", body.to_string())
}

fn refresh(server: &Server, token: &str) -> Answer {
    server.post("/v1/token/refresh", json!({ "refresh_token": token }).to_string())
}

#[test]
fn whoever_registers_is_a_customer_and_signs_in_by_either_login() {
    let server = guarded();
    let at = "2023-11-14T22:13:20.000Z";
    for (n, mount) in ["/v1", "/api", ""].into_iter().enumerate() {
        let id = n + 1;
        let body = json!({
            "email": format!("Ann{id}@Example.com"), "username": format!("Ann.{id}"),
            "name": "Анна 安娜", "password": PASSWORD,
        });
        let made = server.post(&format!("{mount}/register"), body.to_string());
        assert_eq!(made.header("location").unwrap(), format!("{mount}/customers/{id}"));
        let wanted = json!({
            "id": id, "username": format!("ann.{id}"), "email": format!("Ann{id}@Example.com"),
            "name": "Анна 安娜", "role": "customer", "created_at": at, "updated_at": at, "version": 1,
        });
        assert_eq!(made.is(201), wanted);
        for (field, login) in [
            ("email", format!("ann{id}@example.COM")),
            ("username", format!("ANN.{id}")),
            ("email", format!("ann.{id}")),
            ("username", format!("ann{id}@example.com")),
        ] {
            let body = json!({ field: login, "password": PASSWORD }).to_string();
            let answer = server.post(&format!("{mount}/login"), body);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let tokens = answer.is(200);
            assert_eq!(
                (&tokens["token_type"], &tokens["expires_in"]),
                (&"Bearer".into(), &900.into())
            );
            let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
            let profile = server.send(
                "GET",
                &format!("{mount}/profile"),
                &[("authorization", &bearer)],
                None,
            );
            assert_eq!(profile.is(200), wanted);
        }
    }
}

#[test]
fn what_cannot_be_registered_is_named() {
    let server = Server::start();
    let register = |changes: Value| {
        let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => body.as_object_mut().unwrap().remove(name),
                value => body.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        server.post("/v1/register", body.to_string())
    };
    register(json!({ "role": "admin" })).refuses("unknown_field", "/role");
    register(json!({ "id": 7 })).refuses("unknown_field", "/id");
    for (changes, pointer) in [
        (json!({ "email": null }), "/email"),
        (json!({ "email": "ann" }), "/email"),
        (json!({ "email": "a@b@c" }), "/email"),
        (json!({ "email": format!("{}@example.com", "x".repeat(250)) }), "/email"),
        (json!({ "password": null }), "/password"),
        (json!({ "password": "7 signs" }), "/password"),
        (json!({ "password": "é".repeat(129) }), "/password"),
        (json!({ "password": 12345678 }), "/password"),
        (json!({ "username": "an" }), "/username"),
        (json!({ "username": "ann smith" }), "/username"),
        (json!({ "username": "x".repeat(65) }), "/username"),
        (json!({ "username": "änn" }), "/username"),
        (json!({ "name": " " }), "/name"),
        (json!({ "name": "x".repeat(256) }), "/name"),
    ] {
        register(changes).refuses("invalid", pointer);
    }
    assert!(server.engine.customers(0, 1, |_| true).is_empty());
    register(json!({ "username": "ann", "password": "é".repeat(128) })).is(201);
    let longest = "x".repeat(64);
    let made = register(json!({ "email": "long@example.com", "username": longest })).is(201);
    assert_eq!(made["username"], longest);
    register(json!({ "email": "ANN@example.com" })).problem(409, "email_taken");
    let taken = json!({ "email": "ann2@example.com", "username": "ANN" });
    register(taken).problem(409, "username_taken");
    sign_in(&server, "ann", &"é".repeat(128)).is(200);
    sign_in(&server, "ann", &"é".repeat(129)).problem(401, "invalid_credentials");
}

#[test]
fn a_wrong_password_and_nobody_read_the_same() {
    let server = Server::start();
    let ann = json!({ "email": "ann@example.com", "password": PASSWORD });
    server.post("/v1/register", ann.to_string()).is(201);
    server.post("/v1/customers", r#"{"email": "bob@example.com"}"#).is(201);
    let dan = json!({ "email": "dan@example.com", "password": PASSWORD });
    let dan = server.post("/v1/register", dan.to_string()).is(201)["id"].to_string();
    assert_eq!(server.delete(&format!("/v1/customers/{dan}")).status, 204);
    let words = |login: &str, password: &str| {
        let answer = sign_in(&server, login, password);
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        let mut said = answer.problem(401, "invalid_credentials").clone();
        said["request_id"] = Value::Null;
        (said, challenge)
    };
    let wrong = words("ann@example.com", "another one");
    let long = "x".repeat(1_000);
    for nobody in ["bob@example.com", "carol@example.com", "dan@example.com", "", &long] {
        assert_eq!(words(nobody, PASSWORD), wrong, "{nobody}");
    }
    assert_eq!(words("ann@example.com", ""), wrong);
    assert_eq!(words("ann@example.com", &long), wrong);
    let post = |body: Value| server.post("/v1/login", body.to_string());
    post(json!({ "password": PASSWORD })).refuses("invalid", "/email");
    post(json!({ "email": "a", "username": "a", "password": "p" })).refuses("invalid", "/username");
    post(json!({ "email": "ann@example.com" })).refuses("invalid", "/password");
}

#[test]
fn a_refresh_token_is_good_once_and_a_copy_of_it_ends_the_session() {
    let server = guarded();
    let first = Person::registers(&server, "ann@example.com");
    let other = Person::signs_in(&server, "ann@example.com");
    let tokens = refresh(&server, &first.refresh_token).is(200);
    assert_eq!(tokens["expires_in"], 900);
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    server.send("GET", "/v1/profile", &[("authorization", &bearer)], None).is(200);
    let reused = refresh(&server, &first.refresh_token);
    assert!(reused.header("www-authenticate").is_some());
    reused.problem(401, "refresh_token_reused");
    let next = tokens["refresh_token"].as_str().unwrap();
    refresh(&server, next).problem(401, "unauthenticated");
    for wrong in ["", "c1_1", "no token at all"] {
        refresh(&server, wrong).problem(401, "unauthenticated");
    }
    server.post("/v1/token/refresh", "{}").refuses("invalid", "/refresh_token");
    server.advance(30 * 24 * 3_600 - 1);
    let late = refresh(&server, &other.refresh_token).is(200);
    server.advance(30 * 24 * 3_600);
    let late = late["refresh_token"].as_str().unwrap();
    refresh(&server, late).problem(401, "unauthenticated");
}

#[test]
fn signing_out_ends_one_session() {
    let server = guarded();
    let here = Person::registers(&server, "ann@example.com");
    let there = Person::signs_in(&server, "ann@example.com");
    server.post("/v1/logout", "{}").problem(401, "unauthenticated");
    here.send("POST", "/v1/logout", &json!({ "all": true })).refuses("unknown_field", "/all");
    let gone = here.send("POST", "/v1/logout", &Value::Null);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    refresh(&server, &here.refresh_token).problem(401, "unauthenticated");
    refresh(&server, &there.refresh_token).is(200);
}

#[test]
fn everybody_changes_what_is_his() {
    let server = guarded();
    let ann = Person::registers(&server, "ann@example.com");
    Person::registers(&server, "bob@example.com");
    let seen = ann.get("/v1/profile");
    assert!(!seen.text.contains("argon2") && !seen.text.contains("password"), "{}", seen.text);
    let etag = seen.header("etag").unwrap().to_owned();
    let mut profile = seen.is(200);
    profile["name"] = "Ann".into();
    profile["role"] = "admin".into();
    let changed = ann.send("PATCH", "/v1/profile", &profile).is(200);
    assert_eq!((&changed["name"], &changed["role"]), (&"Ann".into(), &"customer".into()));
    assert_eq!((&changed["version"], &changed["email"]), (&2.into(), &"ann@example.com".into()));
    let patch = |change: Value| ann.send("PATCH", "/v1/profile", &change);
    patch(profile).problem(409, "version_conflict");
    let bearer = format!("Bearer {}", ann.token);
    let stale = [("authorization", bearer.as_str()), ("if-match", &etag)];
    let stale = server.send("PATCH", "/v1/profile", &stale, Some(r#"{"name": "A"}"#));
    stale.problem(412, "precondition_failed");
    assert_eq!(patch(json!({ "name": null })).is(200)["name"], Value::Null);
    patch(json!({ "email": "BOB@example.com" })).problem(409, "email_taken");
    patch(json!({ "email": null })).refuses("invalid", "/email");
    patch(json!({ "password": "x" })).refuses("unknown_field", "/password");
    assert_eq!(patch(json!({ "username": "Ann", "email": null })).is(200)["username"], "ann");
    Person::signs_in(&server, "ann");
    sign_in(&server, "ann@example.com", PASSWORD).problem(401, "invalid_credentials");
    // The token goes on until it expires, to a second.
    server.advance(899);
    ann.get("/v1/profile").is(200);
    server.advance(7);
    ann.get("/v1/profile").problem(401, "token_expired");
}

#[test]
fn another_password_ends_every_session() {
    let server = guarded();
    let ann = Person::registers(&server, "ann@example.com");
    let there = Person::signs_in(&server, "ann@example.com");
    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        ann.send("POST", "/v1/profile/password", &body)
    };
    change("not the one", "a new password").refuses("invalid_credentials", "/current_password");
    ann.get("/v1/profile").is(200);
    change(PASSWORD, "short").refuses("invalid", "/new_password");
    assert_eq!(change(PASSWORD, "a new password").is(200)["version"], 2);
    for person in [&ann, &there] {
        refresh(&server, &person.refresh_token).problem(401, "unauthenticated");
    }
    sign_in(&server, "ann@example.com", PASSWORD).problem(401, "invalid_credentials");
    sign_in(&server, "ann@example.com", "a new password").is(200);
}

#[test]
fn a_hash_of_an_older_cost_is_made_anew_at_the_next_login() {
    let server = Server::start();
    let params = Params::new(8, 1, 1, None).unwrap();
    let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let old: PasswordHash = old.hash_password(PASSWORD.as_bytes()).unwrap();
    let personal = Personal {
        email: Some("ann@example.com".into()),
        password: Some(old.to_string().into()),
        ..Personal::default()
    };
    let ann = block_on(server.engine.register(Role::Customer, personal)).unwrap();
    let hash = || {
        let account = server.engine.account(ann.id).unwrap();
        server.engine.personal(&account).unwrap().password.unwrap()
    };
    sign_in(&server, "ann@example.com", "another one").problem(401, "invalid_credentials");
    assert_eq!(*hash(), *old.to_string());
    let first = Person::signs_in(&server, "ann@example.com");
    let anew = hash();
    assert!(anew.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{anew}");
    Person::signs_in(&server, "ann@example.com");
    assert_eq!(hash(), anew, "once is enough");
    refresh(&server, &first.refresh_token).is(200);
}

#[test]
fn whoever_guesses_passwords_must_wait() {
    let limits = RateLimits { failed_logins_per_minute: 2, ..RateLimits::default() };
    let server = Server::with(HttpConfig {
        auth: Auth { mode: AuthMode::Jwt, ..Auth::default() },
        rate_limits: Some(limits),
        ..HttpConfig::default()
    });
    Person::registers(&server, "ann@example.com");
    for _ in 0..2 {
        sign_in(&server, "ann@example.com", "a guess").problem(401, "invalid_credentials");
    }
    let late = sign_in(&server, "ann@example.com", PASSWORD);
    assert!(late.header("retry-after").is_some_and(|seconds| seconds != "0"));
    late.problem(429, "rate_limited");
}

#[test]
fn whoever_guesses_many_passwords_at_once_must_wait_too() {
    let limits = RateLimits { failed_logins_per_minute: 2, ..RateLimits::default() };
    let server = Server::with(HttpConfig {
        auth: Auth { mode: AuthMode::Jwt, ..Auth::default() },
        rate_limits: Some(limits),
        ..HttpConfig::default()
    });
    Person::registers(&server, "ann@example.com");
    let guess = || sign_in(&server, "ann@example.com", "a guess").status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..12).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(looked_at, 2, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
}

#[test]
fn without_authentication_everybody_is_the_local_admin() {
    let server = Server::start();
    let local = json!({ "id": null, "username": "local", "role": "admin" });
    for mount in ["/v1", "/api", ""] {
        assert_eq!(server.get(&format!("{mount}/profile")).is(200), local);
    }
    server.patch("/v1/profile", r#"{"name": "x"}"#).problem(404, "not_found");
    let body = r#"{"current_password": "x", "new_password": "y"}"#;
    server.post("/v1/profile/password", body).problem(404, "not_found");
    assert_eq!(server.post("/v1/logout", "").status, 204);
    let ann = Person::registers(&server, "ann@example.com");
    assert_eq!(ann.get("/v1/profile").is(200), local, "tokens are ignored");
}
