//! Customers, their roles, and the keys of machines.

use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_actors::Happened;
use stockade_domain::{
    CustomerId, Event, Who,
    account::{AccountEvent, AccountId, Role},
};

use crate::{
    people::{PASSWORD, Person, guarded, worker},
    server::Server,
};

#[test]
fn a_customer_without_a_login_is_made_and_read_as_printed() {
    let server = Server::start();
    let body = json!({ "name": "Ann Smith", "email": "ann@example.com" });
    let made = server.post("/api/customers", body.to_string());
    assert_eq!(made.header("location"), Some("/api/customers/1"));
    let etag = made.header("etag").unwrap().to_owned();
    let ann = made.is(201);
    let at = "2023-11-14T22:13:20.000Z";
    let wanted = json!({
        "id": 1, "username": null, "email": "ann@example.com", "name": "Ann Smith",
        "role": "customer", "created_at": at, "updated_at": at, "version": 1,
    });
    assert_eq!(ann, wanted);
    let seen = server.get("/api/customers/1");
    assert_eq!(seen.header("etag"), Some(etag.as_str()));
    assert_eq!(seen.header("cache-control"), Some("no-store"));
    assert_eq!(seen.is(200), wanted);
    let again = server.send("GET", "/v1/customers/1", &[("if-none-match", &etag)], None);
    assert_eq!(again.status, 304);
    let login = json!({ "email": "ann@example.com", "password": PASSWORD });
    server.post("/v1/login", login.to_string()).problem(401, "invalid_credentials");
    server.post("/v1/customers", body.to_string()).problem(409, "email_taken");
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "email": "nonsense" }), "/email"),
        (json!({ "name": "" }), "/name"),
    ] {
        server.post("/v1/customers", body.to_string()).refuses("invalid", pointer);
    }
    let with_role = json!({ "name": "Eve", "role": "admin" });
    server.post("/v1/customers", with_role.to_string()).refuses("unknown_field", "/role");
    server.get("/v1/customers/2").problem(404, "not_found");
}

#[test]
fn customers_are_listed_by_page_by_id_and_by_login() {
    let server = Server::start();
    for n in 1..=5 {
        let body = json!({ "email": format!("{n}@example.com") });
        server.post("/v1/customers", body.to_string()).is(201);
    }
    worker(&server, "root", Role::Admin);
    assert_eq!(server.delete("/v1/customers/2").status, 204);
    let ids = |path: &str| {
        let list = server.get(path).is(200);
        let rows = list["data"].as_array().unwrap().clone();
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
        (ids, list["next_cursor"].as_str().map(str::to_owned))
    };
    let (first, cursor) = ids("/v1/customers?limit=2");
    assert_eq!(first, [1, 3], "who is erased is not listed");
    let next = format!("/customers?limit=2&cursor={}", cursor.unwrap());
    assert_eq!(ids(&next), (vec![4, 5], None));
    assert_eq!(ids("/v1/customers?ids=5,2,9").0, [2, 5], "who is asked for is shown");
    assert_eq!(ids("/v1/customers?email=4@EXAMPLE.com").0, [4]);
    assert_eq!(ids("/v1/customers?email=2@example.com").0, [0; 0]);
    assert_eq!(ids("/v1/customers?username=root").0, [0; 0], "that is no customer");
    assert_eq!(ids("/v1/customers?email=4@example.com&username=5@example.com").0, [0; 0]);
    server.get("/v1/customers?name=x").problem(422, "unknown_parameter");
    server.get("/v1/customers?ids=0").problem(422, "invalid");
}

#[test]
fn a_customer_is_patched_if_he_is_as_he_was_seen() {
    let server = Server::start();
    server.post("/v1/customers", r#"{"name": "Ann", "email": "ann@example.com"}"#).is(201);
    let patch = |body: Value| server.patch("/v1/customers/1", body.to_string());
    let named = patch(json!({ "name": "Anna", "version": 1 })).is(200);
    assert_eq!((&named["name"], &named["version"]), (&"Anna".into(), &2.into()));
    patch(json!({ "name": "A", "version": 1 })).problem(409, "version_conflict");
    assert_eq!(patch(named.clone()).is(200), named, "the same changes nothing");
    let stale = [("if-match", "\"1-x\"")];
    server.send("PATCH", "/v1/customers/1", &stale, Some("{}")).problem(412, "precondition_failed");
    server.send("DELETE", "/v1/customers/1", &stale, None).problem(412, "precondition_failed");
    assert_eq!(patch(json!({ "email": null })).is(200)["email"], Value::Null);
    patch(json!({ "name": null })).refuses("invalid", "/name");
    patch(json!({ "role": null })).refuses("invalid", "/role");
    patch(json!({ "role": "king" })).refuses("invalid", "/role");
    patch(json!({ "role": "staff", "name": "B" })).refuses("invalid", "/role");
    patch(json!({ "password": PASSWORD })).refuses("invalid", "/email");
    patch(json!({ "nonsense": 1 })).refuses("unknown_field", "/nonsense");
    // An admin lets him sign in.
    patch(json!({ "username": "anna", "password": PASSWORD })).is(200);
    Person::signs_in(&server, "anna");
    server.patch("/v1/customers/2", r#"{"nonsense": 1}"#).problem(404, "not_found");
}

#[test]
fn who_is_erased_is_gone_and_his_orders_stay() {
    let server = Server::start();
    server.product("1.00", 10);
    let ann = Person::registers(&server, "ann@example.com");
    let body = json!({ "product_id": 1, "quantity": 2, "customer_id": 1, "note": "ring twice" });
    let order = server.post("/v1/orders", body.to_string()).is(201);
    for _ in 0..2 {
        let gone = server.delete("/v1/customers/1");
        assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    }
    let stale = [("if-match", "\"1\"")];
    server.send("DELETE", "/v1/customers/1", &stale, None).problem(412, "precondition_failed");
    let erased = server.get("/v1/customers/1");
    for personal in ["ann", "argon2"] {
        assert!(!erased.text.contains(personal), "{}", erased.text);
    }
    let erased = erased.is(200);
    for field in ["username", "email", "name"] {
        assert_eq!(erased[field], Value::Null);
    }
    assert_eq!((&erased["id"], &erased["role"]), (&1.into(), &"customer".into()));
    let after = server.get(&format!("/v1/orders/{}", order["id"])).is(200);
    assert_eq!((&after["customer_id"], &after["note"]), (&1.into(), &Value::Null));
    assert_eq!(after["lines"], order["lines"]);
    server.patch("/v1/customers/1", r#"{"name": "A"}"#).problem(404, "not_found");
    let login = json!({ "email": "ann@example.com", "password": PASSWORD });
    server.post("/v1/login", login.to_string()).problem(401, "invalid_credentials");
    let refresh = json!({ "refresh_token": ann.refresh_token });
    server.post("/v1/token/refresh", refresh.to_string()).problem(401, "unauthenticated");
    let again = server.post("/v1/register", login.to_string()).is(201);
    assert_eq!(again["id"], 2, "the address is free again, and he is somebody else");
}

#[test]
fn each_role_has_its_own() {
    let server = guarded();
    let ann = Person::registers(&server, "ann@example.com");
    Person::registers(&server, "bob@example.com");
    worker(&server, "clerk", Role::Staff);
    worker(&server, "root", Role::Admin);
    let (clerk, root) = (Person::signs_in(&server, "clerk"), Person::signs_in(&server, "root"));
    ann.get("/v1/customers/1").is(200);
    let (other, never) = (ann.get("/v1/customers/2"), ann.get("/v1/customers/9"));
    assert_eq!(other.problem(404, "not_found")["title"], never.problem(404, "not_found")["title"]);
    let (name, role) = (json!({ "name": "Ann" }), json!({ "role": "staff" }));
    for (method, path, body) in [
        ("GET", "/v1/customers", &Value::Null),
        ("POST", "/v1/customers", &name),
        ("PATCH", "/v1/customers/1", &name),
        ("DELETE", "/v1/customers/1", &Value::Null),
        ("GET", "/v1/api-keys", &Value::Null),
    ] {
        ann.send(method, path, body).problem(403, "forbidden");
    }
    clerk.get("/v1/customers").is(200);
    let named = clerk.send("PATCH", "/v1/customers/1", &name).is(200);
    clerk.send("PATCH", "/v1/customers/1", &named).is(200);
    clerk.send("PATCH", "/v1/customers/1", &role).problem(403, "forbidden");
    let password = json!({ "password": PASSWORD });
    clerk.send("PATCH", "/v1/customers/1", &password).problem(403, "forbidden");
    // Whatever else is wrong, and whether there is such a customer or not.
    for body in [
        role.clone(),
        password.clone(),
        json!({ "role": "boss" }),
        json!({ "role": 1, "nonsense": 1 }),
        json!({ "password": "short", "version": 9 }),
    ] {
        for path in ["/v1/customers/1", "/v1/customers/9", "/v1/customers/1?x=1"] {
            clerk.send("PATCH", path, &body).problem(403, "forbidden");
        }
    }
    clerk.send("PATCH", "/v1/customers/9", &name).problem(404, "not_found");
    root.send("PATCH", "/v1/customers/9", &role).problem(404, "not_found");
    clerk.send("DELETE", "/v1/customers/1", &Value::Null).problem(403, "forbidden");
    clerk.send("POST", "/v1/api-keys", &name).problem(403, "forbidden");
    assert_eq!(root.send("PATCH", "/v1/customers/1", &role).is(200)["role"], "staff");
    let refresh = json!({ "refresh_token": ann.refresh_token });
    server.post("/v1/token/refresh", refresh.to_string()).problem(401, "unauthenticated");
    Person::signs_in(&server, "ann@example.com").get("/v1/customers/2").is(200);
    assert_eq!(root.send("DELETE", "/v1/customers/2", &Value::Null).status, 204);
    let profile = root.get("/v1/profile").is(200);
    assert_eq!((&profile["id"], &profile["role"]), (&2.into(), &"admin".into()));
}

#[test]
fn somebody_stays_admin() {
    let server = guarded();
    Person::registers(&server, "ann@example.com");
    let ann = AccountId::Customer(CustomerId(1));
    block_on(server.engine.set_role(ann, None, Role::Admin)).unwrap();
    let ann = Person::signs_in(&server, "ann@example.com");
    let step_down = json!({ "role": "staff" });
    ann.send("PATCH", "/v1/customers/1", &step_down).problem(409, "last_admin");
    ann.send("DELETE", "/v1/customers/1", &Value::Null).problem(409, "last_admin");
    worker(&server, "root", Role::Admin);
    ann.send("PATCH", "/v1/customers/1", &step_down).is(200);
}

/// `/accounts`: those who work here without ever having been customers.
#[test]
fn admins_look_after_the_accounts_that_are_no_customers() {
    let server = guarded();
    worker(&server, "root", Role::Admin);
    Person::registers(&server, "ann@example.com");
    let root = Person::signs_in(&server, "root");
    let zed = json!({ "username": "Zed", "role": "staff", "password": PASSWORD });
    let made = root.send("POST", "/v1/accounts", &zed);
    assert_eq!(made.header("location"), Some("/v1/accounts/2"));
    let made = made.is(201);
    assert_eq!(
        (&made["id"], &made["role"], &made["username"]),
        (&2.into(), &"staff".into(), &"zed".into())
    );
    assert!(made.get("password").is_none());
    root.send("POST", "/v1/accounts", &zed).problem(409, "username_taken");
    for (change, code, pointer) in [
        (json!({ "role": "customer" }), "invalid", "/role"),
        (json!({ "role": null }), "invalid", "/role"),
        (json!({ "password": "short" }), "invalid", "/password"),
        (json!({ "username": null }), "invalid", "/email"),
        (json!({ "id": 7 }), "unknown_field", "/id"),
    ] {
        let mut body = json!({ "username": "yan", "role": "admin", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        root.send("POST", "/v1/accounts", &body).refuses(code, pointer);
    }

    let ids = |path: &str| -> Vec<u64> {
        let page = root.get(path).is(200);
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("/v1/accounts"), [1, 2]);
    assert_eq!(ids("/v1/accounts?username=ZED"), [2]);
    assert_eq!(ids("/v1/accounts?email=ann%40example.com"), [0; 0], "a customer is no account");
    assert_eq!(ids("/v1/accounts?username=zed&email=root"), [0; 0]);
    let next = root.get("/v1/accounts?limit=1").is(200)["next_cursor"].clone();
    assert_eq!(ids(&format!("/v1/accounts?limit=1&cursor={}", next.as_str().unwrap())), [2]);
    root.get("/v1/accounts?ids=1").problem(422, "unknown_parameter");

    let zed = Person::signs_in(&server, "zed");
    zed.get("/v1/accounts").problem(403, "forbidden");
    let path = "/v1/accounts/2";
    assert_eq!(root.get(path).is(200), made);
    let promoted = root.send("PATCH", path, &json!({ "role": "admin", "version": 1 })).is(200);
    assert_eq!((&promoted["role"], &promoted["version"]), (&"admin".into(), &2.into()));
    root.send("PATCH", path, &json!({ "role": "staff", "version": 1 }))
        .problem(409, "version_conflict");
    root.send("PATCH", path, &json!({ "role": "customer" })).refuses("invalid", "/role");
    root.send("PATCH", path, &json!({ "password": "another horse" })).is(200);
    let login = json!({ "email": "zed", "password": "another horse" });
    server.post("/v1/login", login.to_string()).is(200);
    root.send("PATCH", "/v1/accounts/1", &json!({ "role": "staff" })).is(200);
    let token = server.post("/v1/login", login.to_string()).is(200)["access_token"].clone();
    let bearer = token.as_str().unwrap();
    let alone = server.as_bearer(bearer, "PATCH", path, Some(r#"{"role": "staff"}"#));
    alone.problem(409, "last_admin");
    server.as_bearer(bearer, "GET", "/v1/accounts/3", None).problem(404, "not_found");
}

#[test]
fn a_machine_has_a_key_that_is_shown_once() {
    let server = guarded();
    worker(&server, "root", Role::Admin);
    let root = Person::signs_in(&server, "root");
    let made = root.send("POST", "/v1/api-keys", &json!({ "name": "gateway" }));
    assert_eq!(made.header("location"), Some("/v1/api-keys/1"));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let mut key = made.is(201);
    let token = key["token"].as_str().unwrap().to_owned();
    let profile = || {
        let bearer = format!("Bearer {token}");
        server.send("GET", "/v1/profile", &[("authorization", &bearer)], None)
    };
    let wanted = json!({ "id": null, "username": "gateway", "role": "staff" });
    assert_eq!(profile().is(200), wanted);
    root.send("POST", "/v1/api-keys", &json!({})).refuses("invalid", "/name");
    root.send("POST", "/v1/api-keys", &json!({ "name": "" })).refuses("invalid", "/name");
    root.send("POST", "/v1/api-keys", &json!({ "name": "other" })).is(201);
    key.as_object_mut().unwrap().remove("token");
    let page = root.get("/v1/api-keys?limit=1").is(200);
    assert_eq!(page["data"], json!([key]));
    let next = page["next_cursor"].as_str().unwrap();
    let next = root.get(&format!("/v1/api-keys?limit=1&cursor={next}")).is(200);
    assert_eq!((&next["data"][0]["id"], &next["next_cursor"]), (&2.into(), &Value::Null));
    let made = |happened: &&Happened| {
        matches!(happened.event, Event::Account(AccountEvent::ApiKeyCreated(_)))
    };
    let feed = server.engine.feed(0, 1_000, |_| true).unwrap();
    let who: Vec<_> = feed.happened.iter().filter(made).map(|happened| happened.who).collect();
    assert_eq!(who, [Some(Who::Account(1)); 2], "its event says who made it");
    for _ in 0..2 {
        assert_eq!(root.send("DELETE", "/v1/api-keys/1", &Value::Null).status, 204);
    }
    profile().problem(401, "unauthenticated");
    root.send("DELETE", "/v1/api-keys/3", &Value::Null).problem(404, "not_found");
}

#[test]
fn there_are_so_many_api_keys_and_no_more() {
    let server = Server::start();
    let make = || server.post("/v1/api-keys", r#"{"name": "till"}"#);
    for _ in 0..100 {
        make().is(201);
    }
    let problem = make().problem(409, "too_many_api_keys");
    assert!(problem["detail"].as_str().unwrap().contains("100"), "{problem}");
    assert_eq!(server.delete("/v1/api-keys/50").status, 204);
    make().is(201);
}
