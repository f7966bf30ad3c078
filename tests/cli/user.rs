//! Accounts from the command line, in a data directory and in a running server.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Ran, Server, command, finish, run};

const PASSWORD: &str = "correct horse";

/// The command with a password in the environment.
fn user(folder: &Path, password: &str, args: &[&str]) -> Ran {
    finish(with_password(folder, password, args))
}

fn with_password(folder: &Path, password: &str, args: &[&str]) -> Command {
    let mut command = command(folder, &[&["user"], args].concat());
    command.env("STOCKADE_PASSWORD", password);
    command
}

fn login(server: &Server, login: &str, password: &str) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let body = json!({ "username": login, "password": password });
    agent.post(format!("{}/v1/login", server.url)).send_json(body).unwrap().status().as_u16()
}

#[test]
fn accounts_are_made_and_changed_in_a_directory_that_nobody_uses() {
    let folder = tempfile::tempdir().unwrap();
    let user = |args: &[&str]| user(folder.path(), PASSWORD, args);
    user(&["list", "--data-dir", "data"]).refused(1, &["data does not exist"]);
    let root = ["create", "--username", "Root", "--role", "admin", "--data-dir", "data"];
    assert_eq!(user(&root).succeeded().out, "account 1    admin     root\n");
    user(&root).refused(1, &["username is taken"]);
    let ann = ["create", "--email", "ann@example.com", "--name", "Ann", "--output", "json"];
    let ann = [&ann[..], &["--data-dir", "data"]].concat();
    let wanted = json!({
        "kind": "customer", "id": 1, "username": null, "email": "ann@example.com", "name": "Ann",
        "role": "customer",
    });
    assert_eq!(user(&ann).succeeded().json(), wanted);
    let at = ["--data-dir", "data"];
    let user = |args: &[&str]| user(&[args, &at].concat());
    user(&["set-role", "ANN@example.com", "staff"]).succeeded();
    user(&["set-role", "root", "staff"]).refused(1, &["last admin"]);
    user(&["set-role", "nobody", "staff"]).refused(1, &["nobody signs in as nobody"]);
    user(&["create"]).refused(2, &["--email"]);
    user(&["create", "--email", "nonsense"]).refused(1, &["e-mail address"]);
    let list = user(&["list", "--output", "json"]).succeeded().json();
    let roles: Vec<_> = list.as_array().unwrap().iter().map(|row| &row["role"]).collect();
    assert_eq!(roles, ["admin", "staff"]);

    let short = with_password(folder.path(), "short", &["set-password", "root", at[0], at[1]]);
    finish(short).refused(1, &["8 to 128 characters"]);
    let mut piped = command(folder.path(), &["user", "set-password", "root", at[0], at[1]]);
    std::fs::write(folder.path().join("password"), "another horse\n").unwrap();
    piped.stdin(std::fs::File::open(folder.path().join("password")).unwrap());
    finish(piped).succeeded();
    let nothing = ["user", "set-password", "root", at[0], at[1]];
    run(folder.path(), &nothing).refused(2, &["no password", "STOCKADE_PASSWORD"]);

    let server = Server::start(folder.path(), &at);
    assert_eq!(login(&server, "root", "another horse"), 200);
    assert_eq!(login(&server, "root", PASSWORD), 401);
    assert_eq!(login(&server, "ann@example.com", PASSWORD), 200);
    user(&["list"]).refused(1, &["data is in use by process"]);
    assert_eq!(server.terminate().0, Some(0));
    run(folder.path(), &["verify", "data"]).succeeded();
}

#[test]
fn a_token_is_made_offline_and_an_admin_works_online_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let user = |password: &str, args: &[&str]| user(folder.path(), password, args);
    let at = ["--data-dir", "data"];
    user(PASSWORD, &[&["create", "--username", "root", "--role", "admin"], &at[..]].concat())
        .succeeded();
    let token =
        user("", &[&["token", "root", "--expires", "1h"], &at[..]].concat()).succeeded().out;
    let token = token.trim();
    assert_eq!(token.split('.').count(), 3, "{token}");
    let claims = claims(token);
    assert_eq!((&claims["sub"], &claims["role"]), (&"account:1".into(), &"admin".into()));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
    let wrong = user("", &[&["token", "root", "--expires", "1w"], &at[..]].concat());
    wrong.refused(2, &["90s, 15m, 12h or 30d"]);

    let serve = [&["serve", "--listen", "127.0.0.1:0"], &at[..]].concat();
    let server = Server::start_as(command(folder.path(), &serve));
    let online = |password: &str, args: &[&str]| {
        user(password, &[args, &["--url", &server.url, "--token", token]].concat())
    };
    let made = online(PASSWORD, &["create", "--email", "Bob@example.com"]);
    assert_eq!(made.succeeded().out, "customer 1   customer  Bob@example.com\n");
    online("another horse", &["set-password", "bob@example.com"]).succeeded();
    online("", &["set-role", "bob@example.com", "staff"]).succeeded();
    // Online and offline are one tool: staff are of their own kind, and need no e-mail address.
    let made = online(PASSWORD, &["create", "--username", "zed", "--role", "admin"]);
    assert_eq!(made.succeeded().out, "account 2    admin     zed\n");
    online("another horse", &["set-password", "zed"]).succeeded();
    assert_eq!(login(&server, "zed", "another horse"), 200);
    online("", &["set-role", "zed", "staff"]).succeeded();
    online("", &["set-role", "root", "staff"]).refused(1, &["409", "last_admin"]);
    online("", &["set-role", "zed", "customer"]).refused(1, &["422", "/role"]);
    online(PASSWORD, &["create", "--username", "yan"]).refused(2, &["--email is missing"]);
    let listed = online("", &["list", "--output", "json"]).succeeded().json();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(listed, ["account", "account", "customer"]);
    online("", &["set-role", "nobody", "staff"]).refused(1, &["nobody signs in as nobody"]);
    online("", &["set-role", "bob@example.com", "customer"]).succeeded();
    let bobs = online("another horse", &["token", "bob@example.com"]).succeeded().out;
    let refused = user("", &["list", "--url", &server.url, "--token", bobs.trim()]);
    refused.refused(1, &["403", "forbidden"]);
    online(PASSWORD, &["token", "bob@example.com"]).refused(1, &["401", "invalid_credentials"]);
    user("", &["list", "--url", &server.url]).refused(1, &["401"]);
    let seed = ["seed", "--products", "3", "--url", &server.url];
    run(folder.path(), &seed).refused(1, &["401"]);
    let mut seed = command(folder.path(), &seed);
    seed.env("STOCKADE_TOKEN", token);
    finish(seed).succeeded();
    assert_eq!(server.terminate().0, Some(0));
}

/// What a token says.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    let bits = claims.bytes().fold(Vec::new(), |mut bits, letter| {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = letters.iter().position(|known| *known == letter).unwrap();
        bits.extend((0..6).rev().map(|at| value >> at & 1));
        bits
    });
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
    serde_json::from_slice(&bits.chunks_exact(8).map(byte).collect::<Vec<_>>()).unwrap()
}
