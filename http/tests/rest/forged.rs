//! Tokens that are no good, whatever they say: at every route that looks at them.

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_executor::block_on;
use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header, encode};
use serde_json::{Value, json};
use stockade_actors::SignedIn;
use stockade_domain::account::Role;
use stockade_http::{Auth, AuthMode, Tokens};

use crate::{
    access::{May, Shop, TABLE},
    keys::{self, Keys, account, claims, made, token},
    people::{Person, guarded},
};

/// What a bearer token is called, and its text.
type Named = (&'static str, String);

/// An hour.
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_token_that_is_no_good_opens_no_route() {
    let shop = Shop::open();
    let bad = [of_others(&shop), of_no_key(&shop), with_headers(&shop), with_claims(&shop)];
    for (what, bearer) in bad.into_iter().chain([of_the_past(&shop), of_machines(&shop)]).flatten()
    {
        for &(method, path, may) in TABLE {
            let wanted = if may == May::Any { 422 } else { 401 };
            assert_eq!(shop.ask(Some(&bearer), method, path), wanted, "{what}: {method} {path}");
        }
    }
}

/// The key that the server signs with.
fn own(shop: &Shop) -> EncodingKey {
    EncodingKey::from_ed_pem(&fs::read(&shop.auth.keys[0]).unwrap()).unwrap()
}

/// The claims of an admin who is there.
fn admin() -> Value {
    claims("account:2", "admin")
}

/// A part of a token.
fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Signed by other keys than the server's.
fn of_others(shop: &Shop) -> Vec<Named> {
    let stranger = Keys::new();
    let pem = |path: &Path| fs::read(path).unwrap();
    let ed = EncodingKey::from_ed_pem(&pem(&stranger.ed25519("ed"))).unwrap();
    let rsa = EncodingKey::from_rsa_pem(&pem(&stranger.rsa("rsa"))).unwrap();
    let kid = shop.server.first_kid();
    let jwks = shop.server.get("/.well-known/jwks.json");
    let public = jwks.json["keys"][0]["x"].as_str().unwrap();
    let hmac =
        |secret: &[u8]| made(Alg::HS256, Some(&kid), &admin(), &EncodingKey::from_secret(secret));
    let brought = Header {
        kid: Some(kid.clone()),
        jwk: Some(jsonwebtoken::jwk::Jwk::from_encoding_key(&ed, Alg::EdDSA).unwrap()),
        jku: Some("https://evil.example/jwks.json".to_owned()),
        x5u: Some("https://evil.example/chain.pem".to_owned()),
        ..Header::new(Alg::EdDSA)
    };
    vec![
        ("another key under our kid", made(Alg::EdDSA, Some(&kid), &admin(), &ed)),
        ("another key and its own kid", made(Alg::EdDSA, Some("elsewhere"), &admin(), &ed)),
        ("another key that it brings along", encode(&brought, &admin(), &ed).unwrap()),
        ("another algorithm", made(Alg::RS256, Some(&kid), &admin(), &rsa)),
        ("the public key as a secret", hmac(&BASE64_URL_SAFE_NO_PAD.decode(public).unwrap())),
        ("the public key's text as a secret", hmac(public.as_bytes())),
        ("the published keys as a secret", hmac(jwks.text.as_bytes())),
        ("an empty secret", hmac(b"")),
    ]
}

/// Not signed, or not as they are now.
fn of_no_key(shop: &Shop) -> Vec<Named> {
    let kid = shop.server.first_kid();
    let header = |alg: &str| part(&json!({"alg": alg, "kid": kid, "typ": "JWT"}));
    let unsigned = |alg: &str| format!("{}.{}.", header(alg), part(&admin()));
    let parts: Vec<&str> = shop.owner.split('.').collect();
    let good: Vec<&str> = shop.admin.split('.').collect();
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no signature", unsigned("EdDSA")),
        ("a tampered payload", format!("{}.{}.{}", parts[0], part(&admin()), parts[2])),
        ("a tampered header", format!("{}.{}.{}", header("none"), good[1], good[2])),
        ("a cut signature", shop.admin[..shop.admin.len() - 2].to_owned()),
        ("one part too many", format!("{}.{}", shop.admin, good[2])),
        ("nonsense", "nonsense".to_owned()),
        ("dots", "..".to_owned()),
        ("much", "x".repeat(5_000)),
        ("good, and much behind it", format!("{}{}", shop.admin, "A".repeat(5_000))),
    ]
}

/// Signed by the server's own key, under headers that it does not take.
fn with_headers(shop: &Shop) -> Vec<Named> {
    let under = |kid: Option<&str>| made(Alg::EdDSA, kid, &admin(), &own(shop));
    let critical = Header {
        kid: Some(shop.server.first_kid()),
        crit: Some(vec!["b64".to_owned()]),
        ..Header::new(Alg::EdDSA)
    };
    vec![
        ("no kid", under(None)),
        ("an empty kid", under(Some(""))),
        ("a kid that is a path", under(Some("../../key.pem"))),
        ("a kid that is an empty file", under(Some("/dev/null"))),
        ("a kid that is SQL", under(Some("' UNION SELECT 'secret' --"))),
        ("a kid that is a command", under(Some("key.pem; cat /etc/passwd"))),
        ("what must be understood", encode(&critical, &admin(), &own(shop)).unwrap()),
    ]
}

/// Signed by the server's own key, and for somebody or something else.
fn with_claims(shop: &Shop) -> Vec<Named> {
    let sign = |claims| made(Alg::EdDSA, Some(&shop.server.first_kid()), &claims, &own(shop));
    let with = |name: &str, value: Value| {
        let mut claims = admin();
        claims[name] = value;
        sign(claims)
    };
    let without = |name: &str| {
        let mut claims = admin();
        claims.as_object_mut().unwrap().remove(name);
        sign(claims)
    };
    let now = admin()["iat"].as_u64().unwrap();
    vec![
        ("another issuer", with("iss", json!("evil"))),
        ("another audience", with("aud", json!("elsewhere"))),
        ("no issuer", without("iss")),
        ("no audience", without("aud")),
        ("no end", without("exp")),
        ("an end that is text", with("exp", json!((now + 3_600).to_string()))),
        ("an end before all time", with("exp", json!(-1))),
        ("not before a later time", with("nbf", json!(now + 3_600))),
        ("no subject", without("sub")),
        ("no role", without("role")),
        ("a role that is none", with("role", json!("root"))),
        ("several roles", with("role", json!(["admin"]))),
        ("a subject that is none", with("sub", json!("robot:1"))),
        ("an account that never was", with("sub", json!("account:99"))),
        ("a role that the account does not have", with("sub", json!("account:1"))),
        ("a session that never was", with("sid", json!(99))),
    ]
}

/// Given out by the server itself, and no longer good.
fn of_the_past(shop: &Shop) -> Vec<Named> {
    let Shop { server, auth, .. } = shop;
    let engine = &server.engine;
    let (demoted, promoted, erased, signed_out) = (
        account(server, Role::Admin),
        account(server, Role::Staff),
        account(server, Role::Admin),
        account(server, Role::Admin),
    );
    let [by_demoted, by_promoted, by_erased] =
        [&demoted, &promoted, &erased].map(|account| token(server, auth, account));
    block_on(engine.set_role(demoted.id, None, Role::Staff)).unwrap();
    block_on(engine.set_role(promoted.id, None, Role::Admin)).unwrap();
    block_on(engine.erase_account(erased.id, None)).unwrap();
    let tokens = Tokens::open(auth, engine).unwrap();
    let sign_in = |ttl| block_on(engine.open_session(signed_out.id, ttl)).unwrap();
    let of = |signed_in: &SignedIn| {
        let proof = signed_in.session.into();
        tokens.issue(signed_out.id, Role::Admin, proof, engine.now(), HOUR)
    };
    let revoked = sign_in(HOUR);
    block_on(engine.revoke_session(signed_out.id, revoked.session.id)).unwrap();
    let stolen = sign_in(HOUR);
    block_on(engine.rotate_session(&stolen.refresh_token, HOUR)).unwrap();
    block_on(engine.rotate_session(&stolen.refresh_token, HOUR)).unwrap_err();
    let over = sign_in(Duration::from_secs(1));
    server.advance(10);
    let running = sign_in(HOUR);
    assert_eq!(shop.ask(Some(&of(&running)), "GET", "/api-keys"), 422, "the session is good");
    let others = tokens.issue(demoted.id, Role::Staff, running.session.into(), engine.now(), HOUR);
    vec![
        ("expired", shop.expired.clone()),
        ("of somebody who was an admin", by_demoted),
        ("of somebody who is an admin since", by_promoted),
        ("of somebody who was erased", by_erased),
        ("of a session that was ended", of(&revoked)),
        ("of a session whose refresh token came twice", of(&stolen)),
        ("of a session that is over", of(&over)),
        ("of another's session", others),
        ("a refresh token", running.refresh_token),
    ]
}

/// API keys.
fn of_machines(shop: &Shop) -> Vec<Named> {
    let (id, good) = &shop.api_key;
    let secret = good.rsplit('_').next().unwrap();
    let other = if secret.starts_with('0') { "1" } else { "0" };
    vec![
        ("a revoked API key", shop.revoked_api_key.clone()),
        ("an API key that never was", format!("stk_99_{}", "0".repeat(32))),
        ("an API key of another number", format!("stk_{}_{secret}", id + 1)),
        ("an API key with another digit", format!("stk_{id}_{other}{}", &secret[1..])),
        ("an API key that is cut", good[..good.len() - 1].to_owned()),
        ("an API key with a digit more", format!("{good}0")),
        ("an API key without its number", format!("stk_{secret}")),
        ("the secret of an API key", secret.to_owned()),
        ("an API key in capitals", good.to_uppercase()),
        ("two API keys", format!("{good}, {good}")),
    ]
}

#[test]
fn made_by_hand_as_ours_are_it_is_good() {
    // So that the bad ones of this file are refused for what they are called.
    let shop = Shop::open();
    let sign =
        |claims: &Value| made(Alg::EdDSA, Some(&shop.server.first_kid()), claims, &own(&shop));
    let is_told = |claims: &Value| shop.ask(Some(&sign(claims)), "GET", "/api-keys");
    let mut claims = admin();
    assert_eq!(is_told(&claims), 422);
    claims["nbf"] = claims["iat"].clone();
    assert_eq!(is_told(&claims), 422, "not before a time that has come");
    let later = claims["iat"].as_u64().unwrap() + 60;
    claims["nbf"] = later.into();
    assert_eq!(is_told(&claims), 401);
    shop.server.advance(50);
    assert_eq!(is_told(&claims), 422, "it was not remembered as bad");
}

#[test]
fn a_shared_secret_is_confused_with_nothing() {
    let server = guarded();
    account(&server, Role::Admin);
    Person::registers(&server, "ann@example.com");
    let body = json!({"email": "ann@example.com", "password": crate::people::PASSWORD});
    let tokens = server.post("/v1/login", body.to_string()).is(200);
    let good = tokens["access_token"].as_str().unwrap();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let status = |token: &str| server.as_bearer(token, "GET", "/v1/stock", None).status;
    assert_eq!(status(good), 403, "a customer is known");
    let as_admin = claims("account:1", "admin");
    for (alg, kid) in [("none", None), ("HS256", Some("../../dev/null")), ("RS256", None)] {
        let mut forged = json!({"alg": alg, "typ": "JWT"});
        forged.as_object_mut().unwrap().extend(kid.map(|kid| ("kid".to_owned(), kid.into())));
        let forged = part(&forged);
        for signature in ["", signature] {
            assert_eq!(status(&format!("{forged}.{payload}.{signature}")), 401, "{alg}");
            assert_eq!(status(&format!("{forged}.{}.{signature}", part(&as_admin))), 401, "{alg}");
        }
    }
    assert_eq!(status(&format!("{header}.{}.{signature}", part(&as_admin))), 401);
    let empty = EncodingKey::from_secret(b"");
    for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
        for kid in [None, Some("/dev/null")] {
            assert_eq!(status(&made(alg, kid, &as_admin, &empty)), 401, "{alg:?}");
        }
    }
    // Another server has another secret.
    let other = keys::server(&Auth { mode: AuthMode::Jwt, ..Auth::default() });
    Person::registers(&other, "ann@example.com");
    let there = other.as_bearer(good, "GET", "/v1/orders", None);
    there.problem(401, "unauthenticated");
}
