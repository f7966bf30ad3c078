//! Access tokens: by which keys, for how long, and how often.

use std::fs;

use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_domain::account::{Personal, PersonalChange, Role};
use stockade_http::{
    Algorithm, Auth, AuthMode, BindError, HttpConfig, RateLimits, bind, hash_password,
};

use crate::{
    keys::{self, Keys, account, claims, made, signed, token, token_for},
    server::Server,
};

#[test]
fn a_token_ends_and_says_so() {
    let keys = Keys::new();
    let auth = signed(Algorithm::EdDsa, &[&keys.ed25519("key")]);
    let server = keys::server(&auth);
    let ann = account(&server, Role::Customer);
    let token = token_for(&server, &auth, &ann, auth.access_ttl);
    let ask = || server.as_bearer(&token, "GET", "/v1/orders", None);
    server.advance(899);
    ask().is(200);
    // A second server's clock may be a little behind.
    server.advance(5);
    ask().is(200);
    server.advance(1);
    let refused = ask();
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    refused.problem(401, "token_expired");
}

#[test]
fn keys_are_changed_without_signing_anybody_out() {
    let files = Keys::new();
    for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
        let make = |name: &str| match algorithm {
            Algorithm::Rs256 => files.rsa(name),
            _ => files.ed25519(name),
        };
        let (old, new) = (make("old"), make("new"));
        let before = signed(algorithm, &[&old]);
        let between = signed(algorithm, &[&new, &old]);
        let after = signed(algorithm, &[&new]);
        let status = |server: &Server, token: &str| {
            server.as_bearer(token, "GET", "/v1/orders", None).status
        };
        let server = keys::server(&between);
        let ann = account(&server, Role::Customer);
        let [by_old, by_new] = [&before, &between].map(|auth| token(&server, auth, &ann));
        assert_eq!((status(&server, &by_old), status(&server, &by_new)), (200, 200));
        let server = keys::server(&after);
        account(&server, Role::Customer);
        assert_eq!((status(&server, &by_old), status(&server, &by_new)), (401, 200));
        let server = keys::server(&before);
        account(&server, Role::Customer);
        assert_eq!((status(&server, &by_old), status(&server, &by_new)), (200, 401));
    }
}

#[test]
fn public_keys_are_published_and_nothing_else_of_them() {
    let files = Keys::new();
    let published = |auth: &Auth| keys::server(auth).get("/.well-known/jwks.json").is(200);
    let fields =
        |key: &Value| -> Vec<String> { key.as_object().unwrap().keys().cloned().collect() };
    let ed = published(&signed(Algorithm::EdDsa, &[&files.ed25519("a"), &files.ed25519("b")]));
    let list = ed["keys"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_ne!(list[0]["kid"], list[1]["kid"]);
    assert_eq!(fields(&list[0]), ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!((&list[0]["alg"], &list[0]["use"]), (&json!("EdDSA"), &json!("sig")));
    let rsa = published(&signed(Algorithm::Rs256, &[&files.rsa("c")]));
    assert_eq!(fields(&rsa["keys"][0]), ["alg", "e", "kid", "kty", "n", "use"]);
    let secret = Auth { mode: AuthMode::Jwt, ..Auth::default() };
    assert_eq!(published(&secret), json!({"keys": []}), "a shared secret is nobody's business");
    let server = Server::start();
    server.get("/.well-known/jwks.json?x=1").problem(422, "unknown_parameter");
    server.get("/v1/.well-known/jwks.json").problem(404, "not_found");
}

#[test]
fn a_public_rsa_key_is_no_secret_to_sign_with() {
    let files = Keys::new();
    let auth = signed(Algorithm::Rs256, &[&files.rsa("key")]);
    let server = keys::server(&auth);
    account(&server, Role::Admin);
    let kid = server.first_kid();
    let jwks = server.get("/.well-known/jwks.json");
    let n = jwks.json["keys"][0]["n"].as_str().unwrap().to_owned();
    let admin = claims("account:1", "admin");
    let algorithm = jsonwebtoken::Algorithm::HS256;
    for secret in [n.as_bytes(), jwks.text.as_bytes(), &fs::read(&auth.keys[0]).unwrap()] {
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        let forged = made(algorithm, Some(&kid), &admin, &key);
        server.as_bearer(&forged, "GET", "/v1/stock", None).problem(401, "unauthenticated");
    }
    let rsa = jsonwebtoken::EncodingKey::from_rsa_pem(&fs::read(&auth.keys[0]).unwrap()).unwrap();
    let good = made(jsonwebtoken::Algorithm::RS256, Some(&kid), &admin, &rsa);
    server.as_bearer(&good, "GET", "/v1/stock", None).is(200);
}

#[test]
fn a_key_that_cannot_be_used_is_refused_before_anything_is_served() {
    let files = Keys::new();
    let (ed, rsa, junk) = (files.ed25519("ed"), files.rsa("rsa"), files.write("junk", b"nothing"));
    let missing = junk.with_file_name("missing");
    let with_keys = |auth: Auth| {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        HttpConfig { auth, listen, ..HttpConfig::default() }
    };
    let refused = |auth: Auth, words: &str| {
        let error = bind(&with_keys(auth)).unwrap_err();
        assert!(matches!(error, BindError::Key(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(signed(Algorithm::EdDsa, &[&missing]), "missing");
    refused(signed(Algorithm::EdDsa, &[&ed, &junk]), "must be a private key for EdDSA");
    refused(signed(Algorithm::EdDsa, &[&rsa]), "must be a private key for EdDSA");
    refused(signed(Algorithm::Rs256, &[&ed]), "must be a private key for RS256");
    refused(signed(Algorithm::Rs256, &[]), "RS256 needs auth.keys");
    refused(signed(Algorithm::Hs256, &[&ed]), "HS256 takes no auth.keys");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o777] {
        files.share(&ed, mode);
        let words = format!("ed: others may use this private key (mode {mode:03o})");
        refused(signed(Algorithm::EdDsa, &[&ed]), &words);
    }
    for mode in [0o600, 0o400] {
        files.share(&ed, mode);
        bind(&with_keys(signed(Algorithm::EdDsa, &[&ed]))).unwrap();
    }
}

#[test]
fn a_token_is_good_no_longer_than_its_session_and_its_role() {
    let server = keys::server(&Auth { mode: AuthMode::Jwt, ..Auth::default() });
    let password = hash_password("a long password").unwrap();
    let ann = Personal {
        email: Some("ann@example.com".into()),
        password: Some(password.into()),
        ..Personal::default()
    };
    let ann = block_on(server.engine.register(Role::Customer, ann)).unwrap().id;
    let sign_in = || {
        let body = r#"{"email": "ann@example.com", "password": "a long password"}"#;
        let tokens = server.post("/v1/login", body).is(200);
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let status = |token: &str, path: &str| server.as_bearer(token, "GET", path, None).status;
    let (first, second) = (sign_in(), sign_in());
    assert_eq!((status(&first, "/v1/orders"), status(&second, "/v1/orders")), (200, 200));
    server.as_bearer(&first, "POST", "/v1/logout", None);
    assert_eq!((status(&first, "/v1/orders"), status(&second, "/v1/orders")), (401, 200));
    block_on(server.engine.set_role(ann, None, Role::Staff)).unwrap();
    assert_eq!(status(&second, "/v1/orders"), 401);
    let third = sign_in();
    assert_eq!(status(&third, "/v1/stock"), 200);
    block_on(server.engine.set_role(ann, None, Role::Customer)).unwrap();
    assert_eq!(status(&third, "/v1/stock"), 401, "and not 403: nobody knows who he is now");
    let fourth = sign_in();
    let rename = PersonalChange { name: Some(Some("Ann".into())), ..PersonalChange::default() };
    block_on(server.engine.change_account(ann, None, rename)).unwrap();
    assert_eq!(status(&fourth, "/v1/orders"), 200, "a new name signs nobody out");
    block_on(server.engine.erase_account(ann, None)).unwrap();
    assert_eq!(status(&fourth, "/v1/orders"), 401);
}

#[test]
fn a_token_without_a_session_ends_with_its_password_and_its_role() {
    let files = Keys::new();
    let auth = signed(Algorithm::EdDsa, &[&files.ed25519("key")]);
    let server = keys::server(&auth);
    // Somebody stays admin.
    account(&server, Role::Admin);
    let kim = account(&server, Role::Staff);
    let made = || token(&server, &auth, &server.engine.account(kim.id).unwrap());
    let status = |token: &str| server.as_bearer(token, "GET", "/v1/stock", None).status;
    let first = made();
    let rename =
        PersonalChange { email: Some(Some("kim@example.com".into())), ..Default::default() };
    block_on(server.engine.change_account(kim.id, None, rename)).unwrap();
    assert_eq!(status(&first), 200, "another address ends nothing");
    let password = Some(hash_password("a long password").unwrap());
    let change = PersonalChange { password, ..PersonalChange::default() };
    block_on(server.engine.change_account(kim.id, None, change)).unwrap();
    assert_eq!(status(&first), 401, "another password does");
    let second = made();
    assert_eq!(status(&second), 200);
    for role in [Role::Admin, Role::Staff] {
        block_on(server.engine.set_role(kim.id, None, role)).unwrap();
        assert_eq!(status(&second), 401, "what has ended stays so");
    }
    assert_eq!(status(&made()), 200);
}

#[test]
fn a_token_is_nobodys_where_its_ids_are_given_out_again() {
    let files = Keys::new();
    let auth = signed(Algorithm::EdDsa, &[&files.ed25519("key")]);
    // What a crash without syncs forgot, and what was done after a backup that was put back, is done anew by somebody else.
    let (before, after) = (keys::server(&auth), keys::server(&auth));
    after.advance(1);
    let tokens =
        [("ann@example.com", &before), ("bob@example.com", &after)].map(|(email, server)| {
            let password = Some(hash_password("a long password").unwrap().into());
            let person = Personal { email: Some(email.into()), password, ..Personal::default() };
            let person = block_on(server.engine.register(Role::Customer, person)).unwrap();
            let body = json!({ "email": email, "password": "a long password" });
            let signed_in = server.post("/v1/login", body.to_string()).is(200);
            let of_session = signed_in["access_token"].as_str().unwrap().to_owned();
            (person.id, [of_session, token(server, &auth, &person)])
        });
    let [(ann, anns), (bob, bobs)] = tokens;
    assert_eq!(ann, bob, "they have the same id");
    let status = |token: &String| after.as_bearer(token, "GET", "/v1/profile", None).status;
    assert_eq!(bobs.each_ref().map(status), [200, 200]);
    assert_eq!(anns.each_ref().map(status), [401, 401]);
}

#[test]
fn customers_are_limited_each_for_himself_and_staff_are_not() {
    let files = Keys::new();
    let auth = signed(Algorithm::EdDsa, &[&files.ed25519("key")]);
    // So long an interval that nothing comes free while this runs.
    let limits = RateLimits { user_per_second: 1, address_per_second: 1, ..RateLimits::default() };
    let config =
        HttpConfig { auth: auth.clone(), rate_limits: Some(limits), ..HttpConfig::default() };
    let server = Server::with(config);
    let new = |role| token(&server, &auth, &account(&server, role));
    let (ann, bob) = (new(Role::Customer), new(Role::Customer));
    let (staff, admin) = (new(Role::Staff), new(Role::Admin));
    let (_, key) = block_on(server.engine.create_api_key("shop".to_owned())).unwrap();
    let ask = |token: &str| server.as_bearer(token, "GET", "/v1/shops", None);
    // In so short a time at least one of a few is over it, whatever the machine is doing.
    let refused = (0..1_000).map(|_| ask(&ann)).find(|answer| answer.status != 200).unwrap();
    assert_eq!(refused.header("ratelimit-policy"), Some("\"user\";q=1;w=1"));
    refused.problem(429, "rate_limited");
    ask(&bob).is(200);
    for _ in 0..20 {
        for token in [&staff, &admin, &key] {
            let answer = ask(token);
            assert_eq!(answer.header("ratelimit"), None);
            answer.is(200);
        }
    }
}

#[test]
fn whoever_is_refused_is_counted_too() {
    let files = Keys::new();
    let auth = signed(Algorithm::EdDsa, &[&files.ed25519("key")]);
    let limits = RateLimits { user_per_second: 1, address_per_second: 1, ..RateLimits::default() };
    let config =
        HttpConfig { auth: auth.clone(), rate_limits: Some(limits), ..HttpConfig::default() };
    let server = Server::with(config);
    let [ann, staff] =
        [Role::Customer, Role::Staff].map(|role| token(&server, &auth, &account(&server, role)));
    let limited = |first: u16, policy: &str, ask: &dyn Fn() -> crate::server::Answer| {
        let answers = (0..1_000).map(|_| ask()).find(|answer| answer.status != first);
        let refused = answers.expect("it is over the limit at some time");
        assert_eq!(refused.header("ratelimit-policy"), Some(policy));
        refused.problem(429, "rate_limited");
    };
    let (user, address) = ("\"user\";q=1;w=1", "\"address\";q=1;w=1");
    limited(403, user, &|| server.as_bearer(&ann, "GET", "/v1/stock", None));
    limited(401, address, &|| server.get("/v1/stock"));
    limited(401, address, &|| server.as_bearer("nonsense", "GET", "/v1/shops", None));
    for _ in 0..20 {
        server.as_bearer(&staff, "GET", "/v1/stock", None).is(200);
    }
}

#[test]
fn without_sign_in_tokens_are_not_looked_at_and_strangers_are_refused() {
    let server = Server::start();
    server.as_bearer("nonsense", "GET", "/v1/stock", None).is(200);
    let elsewhere = [("host", "shop.example")];
    server.send("GET", "/v1/stock", &elsewhere, None).problem(421, "misdirected_request");
    let everywhere =
        HttpConfig { listen: vec!["0.0.0.0:0".parse().unwrap()], ..HttpConfig::default() };
    assert!(matches!(bind(&everywhere), Err(BindError::NotLoopback(_))));
    let auth = Auth { mode: AuthMode::Jwt, ..Auth::default() };
    bind(&HttpConfig { auth, ..everywhere }).unwrap();
}
