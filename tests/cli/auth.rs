//! The first start makes somebody who can sign in.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use serde_json::{Value, json};

use crate::support::{Server, command, finish, run, write};

/// `serve` as it is by default: it asks everybody who he is.
fn serve(folder: &Path, args: &[&str]) -> Command {
    let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
    all.extend(args);
    command(folder, &all)
}

/// Status and body of an answer.
fn ask(server: &Server, path: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let url = format!("{}{path}", server.url);
    let bearer = token.map(|token| format!("Bearer {token}"));
    let answer = match body {
        Some(body) => {
            let mut request = agent.post(&url);
            if let Some(bearer) = &bearer {
                request = request.header("authorization", bearer);
            }
            request.send_json(body)
        }
        None => {
            let mut request = agent.get(&url);
            if let Some(bearer) = &bearer {
                request = request.header("authorization", bearer);
            }
            request.call()
        }
    };
    let mut answer = answer.unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or(Value::Null))
}

/// A token of whoever signs in so.
fn sign_in(server: &Server, username: &str, password: &str) -> Option<String> {
    let body = json!({"username": username, "password": password});
    let (status, tokens) = ask(server, "/v1/login", None, Some(&body));
    (status == 200).then(|| tokens["access_token"].as_str().unwrap().to_owned())
}

#[test]
fn the_first_start_makes_an_admin_whose_password_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--data-dir", "data"];
    let server = Server::start_as(serve(folder.path(), &args));
    let file = folder.path().join("data/secrets/admin-password");
    assert!(
        server.said.contains("sign in as admin with the password in data/secrets/admin-password"),
        "{}",
        server.said
    );
    let password = fs::read_to_string(&file).unwrap();
    let password = password.trim_end();
    assert!(!server.said.contains(password), "what is printed may be a log");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = sign_in(&server, "admin", password).expect("it is the password");
    assert_eq!(ask(&server, "/v1/api-keys", Some(&token), None).0, 200);
    assert_eq!(ask(&server, "/v1/orders", None, None).0, 401);
    assert_eq!(server.terminate().0, Some(0));

    let server = Server::start_as(serve(folder.path(), &args));
    assert!(!server.said.contains("admin"), "{}", server.said);
    let (status, _) = ask(&server, "/v1/api-keys", Some(&token), None);
    assert_eq!(status, 200, "the key that tokens are signed with is kept");
    sign_in(&server, "admin", password).expect("nobody has changed it");
    assert_eq!(server.terminate().0, Some(0));
    run(folder.path(), &["verify", "data"]).succeeded();
}

#[test]
fn the_file_with_the_password_goes_with_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--data-dir", "data"];
    let file = folder.path().join("data/secrets/admin-password");
    let start = || Server::start_as(serve(folder.path(), &args));
    let server = start();
    let first = fs::read_to_string(&file).unwrap();
    let password = first.trim_end();
    let change = |old: &str, new: &str| {
        let token = sign_in(&server, "admin", old).unwrap();
        let body = json!({ "current_password": old, "new_password": new });
        ask(&server, "/v1/profile/password", Some(&token), Some(&body)).0
    };
    assert_eq!(change(password, password), 200);
    assert!(file.exists(), "it is the password still");
    assert_eq!(change(password, "another password"), 200);
    assert!(!file.exists());
    assert_eq!(server.terminate().0, Some(0));

    // A crash came before the file was removed: the next start sees that it is nobody's password.
    write(&file, &first);
    let server = start();
    assert!(!file.exists());
    sign_in(&server, "admin", "another password").expect("he has changed it");
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn the_file_with_the_password_goes_also_when_it_is_changed_offline() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--data-dir", "data"];
    let file = folder.path().join("data/secrets/admin-password");
    let server = Server::start_as(serve(folder.path(), &args));
    assert_eq!(server.terminate().0, Some(0));
    let user = |words: &[&str]| {
        let mut user = command(folder.path(), &[&["user"], words, &args].concat());
        user.env("STOCKADE_PASSWORD", "another password");
        finish(user).succeeded();
    };
    user(&["create", "--username", "clerk", "--role", "staff"]);
    user(&["set-password", "clerk"]);
    assert!(file.exists(), "the admin has it still");
    user(&["set-password", "admin"]);
    assert!(!file.exists());
    let server = Server::start_as(serve(folder.path(), &args));
    assert!(!file.exists(), "no other is made up");
    sign_in(&server, "admin", "another password").expect("it was set");
}

#[test]
fn the_file_with_the_password_goes_also_when_an_admin_sets_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/secrets/admin-password");
    let server = Server::start_as(serve(folder.path(), &["--data-dir", "data"]));
    let first = fs::read_to_string(&file).unwrap();
    let token = sign_in(&server, "admin", first.trim_end()).unwrap();
    let online = ["--url", &server.url, "--token", &token];
    let user = |words: &[&str]| {
        let mut user = command(folder.path(), &[&["user"], words, &online].concat());
        user.env("STOCKADE_PASSWORD", "another password");
        finish(user).succeeded();
    };
    user(&["create", "--username", "clerk", "--role", "staff"]);
    user(&["set-password", "clerk"]);
    assert!(file.exists(), "the admin has it still");
    user(&["set-password", "admin"]);
    assert!(!file.exists());
}

#[test]
fn keys_are_found_beside_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("etc")).unwrap();
    let key = folder.path().join("etc/key.pem");
    let settings = "[auth]\nalgorithm = \"EdDSA\"\nkeys = [\"key.pem\"]\n";
    write(&folder.path().join("etc/shop.toml"), settings);
    // What openssl genpkey -algorithm ed25519 writes; it signs nothing but this test's tokens.
    write(
        &key,
        "-----BEGIN PRIVATE KEY-----\n\
         MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
         -----END PRIVATE KEY-----\n",
    );
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let args = ["--in-memory", "--config", "etc/shop.toml"];
    let server = Server::start_as(serve(folder.path(), &args));
    let published = ask(&server, "/.well-known/jwks.json", None, None).1;
    assert_eq!(published["keys"][0]["alg"], "EdDSA");

    let mut from_here = serve(folder.path(), &args);
    from_here.env("STOCKADE_AUTH__KEYS", "key.pem");
    finish(from_here).refused(2, &["key.pem: No such file"]);
    let mut from_here = serve(folder.path(), &args);
    from_here.env("STOCKADE_AUTH__KEYS", "etc/key.pem");
    Server::start_as(from_here);
    let absolute = settings.replace("key.pem", key.to_str().unwrap());
    write(&folder.path().join("etc/shop.toml"), &absolute);
    Server::start_as(serve(folder.path(), &args));

    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    finish(serve(folder.path(), &args)).refused(2, &["etc/key.pem", "mode 644", "chmod 600"]);
}

#[test]
fn the_password_may_be_set_for_the_first_start_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = |password: &str| {
        let mut serve = serve(folder.path(), &["--data-dir", "data"]);
        serve.env("STOCKADE_AUTH__ADMIN_PASSWORD", password);
        serve
    };
    let short = finish(start("sh0rt"));
    let words = ["STOCKADE_AUTH__ADMIN_PASSWORD", "auth.admin_password is hidden, must be 8 to"];
    short.refused(2, &words);
    assert!(!short.err.contains("sh0rt"), "{short:?}");
    assert!(!folder.path().join("data").exists(), "nothing was opened");
    let server = Server::start_as(start("the first password"));
    assert!(
        server.said.contains("sign in as admin with the password that was set"),
        "{}",
        server.said
    );
    assert!(!folder.path().join("data/secrets/admin-password").exists());
    sign_in(&server, "admin", "the first password").expect("it was set");
    assert_eq!(server.terminate().0, Some(0));
    let server = Server::start_as(start("another password"));
    sign_in(&server, "admin", "the first password").expect("it is the same");
    assert_eq!(sign_in(&server, "admin", "another password"), None);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn in_memory_the_password_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as(serve(folder.path(), &["--in-memory", "--demo"]));
    let said = server.said.split("sign in as admin with the password ").nth(1).unwrap();
    let password = said.lines().next().unwrap();
    sign_in(&server, "admin", password).expect("it is the password");
    assert_eq!(ask(&server, "/v1/products/1", None, None).0, 200, "the catalogue is public");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn only_who_asks_his_callers_listens_to_other_machines() {
    let folder = tempfile::tempdir().unwrap();
    let everywhere = ["serve", "--in-memory", "--listen", "0.0.0.0:0"];
    let refused = finish(command(folder.path(), &[&everywhere[..], &["--auth", "none"]].concat()));
    let words = ["http.listen", "auth.mode", "0.0.0.0:0 can be reached from other machines"];
    refused.refused(2, &words);
    let server = Server::start_as(command(folder.path(), &everywhere));
    assert!(server.said.contains("listening  http://0.0.0.0:"), "{}", server.said);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn keys_that_cannot_be_used_are_refused_before_the_data_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    write(&key, "no key\n");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    for (settings, words) in [
        ("algorithm = \"RS256\"", "RS256 needs auth.keys"),
        ("keys = [\"key.pem\"]", "HS256 takes no auth.keys"),
        ("algorithm = \"EdDSA\"\nkeys = [\"key.pem\"]", "key.pem: must be a private key for EdDSA"),
        ("algorithm = \"EdDSA\"\nkeys = [\"none.pem\"]", "none.pem: No such file"),
    ] {
        write(&folder.path().join("stockade.toml"), &format!("[auth]\n{settings}\n"));
        finish(serve(folder.path(), &[])).refused(2, &[words]);
        assert!(!folder.path().join("stockade-data").exists(), "{settings}");
    }
}
