//! Who may use which route: the contract's table, against every kind of caller.

use std::{collections::BTreeSet, time::Duration};

use futures_executor::block_on;
use stockade_domain::account::Role;
use stockade_http::{Algorithm, Auth, routes};

use crate::{
    keys::{self, Keys, account, signed, token, token_for},
    server::Server,
};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// Everybody, and no token is looked at.
    Any,
    /// P: everybody, but not with a bad token.
    P,
    /// C: whoever has signed in.
    C,
    /// C, own things only: to another customer there is no such thing.
    Own,
    /// C, of an account: a machine has none.
    Person,
    /// S: staff and admins.
    S,
    /// A: admins.
    A,
}
use May::{A, Any, C, Own, P, Person, S};

/// The contract's table. Ids in paths are those of things of the first customer.
pub(crate) const TABLE: &[(&str, &str, May)] = &[
    ("GET", "/livez", Any),
    ("GET", "/openapi.json", Any),
    ("GET", "/readyz", Any),
    ("GET", "/healthz", Any),
    ("GET", "/errors/{code}", Any),
    ("GET", "/.well-known/jwks.json", Any),
    ("POST", "/test/clock", A),
    ("POST", "/register", Any),
    ("POST", "/login", Any),
    ("POST", "/token/refresh", Any),
    ("POST", "/logout", C),
    ("GET", "/profile", C),
    ("PATCH", "/profile", Person),
    ("POST", "/profile/password", Person),
    ("POST", "/customers", S),
    ("GET", "/customers", S),
    ("GET", "/customers/{id}", Own),
    ("PATCH", "/customers/{id}", S),
    ("DELETE", "/customers/{id}", A),
    ("GET", "/products", P),
    ("GET", "/products/{id}", P),
    ("POST", "/products", S),
    ("POST", "/products/batch", S),
    ("PUT", "/products/{id}", S),
    ("PATCH", "/products/{id}", S),
    ("DELETE", "/products/{id}", S),
    ("POST", "/shops", S),
    ("GET", "/shops", P),
    ("GET", "/shops/{id}", P),
    ("PATCH", "/shops/{id}", S),
    ("GET", "/shops/{id}/warehouses", P),
    ("PUT", "/shops/{id}/warehouses", S),
    ("POST", "/warehouses", S),
    ("GET", "/warehouses", P),
    ("GET", "/warehouses/{id}", P),
    ("PATCH", "/warehouses/{id}", S),
    ("PATCH", "/warehouses/{id}/status", S),
    ("GET", "/stock", S),
    ("GET", "/warehouses/{id}/stock/{product_id}", S),
    ("PUT", "/warehouses/{id}/stock/{product_id}", S),
    ("PATCH", "/warehouses/{id}/stock/{product_id}", S),
    ("GET", "/warehouses/{id}/stock/{product_id}/explain", S),
    ("GET", "/events", S),
    ("POST", "/stock/adjustments", S),
    ("GET", "/stock/adjustments/{id}", S),
    ("POST", "/warehouses/transfer", S),
    ("GET", "/transfers", S),
    ("GET", "/transfers/{id}", S),
    ("POST", "/transfers/{id}/receive", S),
    ("POST", "/transfers/{id}/cancel", S),
    ("POST", "/reservations", C),
    ("GET", "/reservations", C),
    ("GET", "/reservations/{id}", Own),
    ("POST", "/reservations/{id}/extend", Own),
    ("DELETE", "/reservations/{id}", Own),
    ("POST", "/orders", C),
    ("POST", "/orders/batch", C),
    ("POST", "/orders/plan", C),
    ("GET", "/orders", C),
    ("GET", "/orders/{id}", Own),
    ("GET", "/orders/{id}/events", Own),
    ("GET", "/order-details", C),
    ("POST", "/orders/{id}/cancel", Own),
    ("POST", "/orders/{id}/payments", S),
    ("POST", "/orders/{id}/refunds", S),
    ("POST", "/orders/{id}/shipments", S),
    ("POST", "/orders/{id}/deliver", S),
    ("POST", "/orders/{id}/returns", S),
    ("PATCH", "/orders/{id}/status", S),
    ("GET", "/accounts", A),
    ("POST", "/accounts", A),
    ("GET", "/accounts/{id}", A),
    ("PATCH", "/accounts/{id}", A),
    ("POST", "/api-keys", A),
    ("GET", "/api-keys", A),
    ("GET", "/api-keys/{id}", A),
    ("DELETE", "/api-keys/{id}", A),
];

#[test]
fn every_route_is_in_the_table_and_the_table_has_nothing_else() {
    // The reader of the document is there with its cargo feature only; it is public like the document.
    let pages = |path: &str| path.starts_with("/docs");
    let routes: BTreeSet<(String, String)> = routes()
        .into_iter()
        .filter(|route| !pages(&route.path))
        .map(|route| (route.method.to_owned(), route.path))
        .collect();
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(routes, table);
    assert_eq!(TABLE.len(), table.len(), "each route once");
}

/// Things of the first customer, and the ids of all that the table's paths name.
pub(crate) struct Shop {
    pub(crate) server: Server,
    pub(crate) auth: Auth,
    pub(crate) owner: String,
    other: String,
    staff: String,
    pub(crate) admin: String,
    order: u64,
    reservation: u64,
    pub(crate) api_key: (u64, String),
    pub(crate) revoked_api_key: String,
    pub(crate) expired: String,
    _keys: Keys,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let keys = Keys::new();
        let auth = signed(Algorithm::EdDsa, &[&keys.ed25519("key.pem")]);
        let server = keys::server(&auth);
        let engine = &server.engine;
        let (owner, other) = (account(&server, Role::Customer), account(&server, Role::Customer));
        let (staff, admin) = (account(&server, Role::Staff), account(&server, Role::Admin));
        let brief = Duration::from_secs(1);
        let expired = token_for(&server, &auth, &admin, brief);
        server.advance(10);
        let [owner, other, staff, admin] =
            [owner, other, staff, admin].map(|account| token(&server, &auth, &account));
        let make = |bearer: &str, path: &str, body: &str| {
            server.as_bearer(bearer, "POST", path, Some(body)).is(201)["id"].as_u64().unwrap()
        };
        make(&staff, "/v1/products", r#"{"name": "ruler", "price": "1.00", "stock": 9}"#);
        make(&staff, "/v1/warehouses", r#"{"name": "second"}"#);
        let transfer =
            r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1}"#;
        make(&staff, "/v1/warehouses/transfer", transfer);
        let found = r#"{"product_id": 1, "warehouse_id": 1, "delta": 1, "reason": "found"}"#;
        make(&staff, "/v1/stock/adjustments", found);
        let line = r#"{"product_id": 1, "quantity": 1}"#;
        let order = make(&owner, "/v1/orders", line);
        let reservation = make(&owner, "/v1/reservations", line);
        let new_key = |name: &str| block_on(engine.create_api_key(name.to_owned())).unwrap();
        let (key, text) = new_key("shop");
        let (revoked, revoked_api_key) = new_key("old");
        block_on(engine.revoke_api_key(revoked.id)).unwrap();
        let api_key = (key.id.0, text);
        Self {
            server,
            auth,
            owner,
            other,
            staff,
            admin,
            order,
            reservation,
            api_key,
            revoked_api_key,
            expired,
            _keys: keys,
        }
    }

    /// A path of the table with its ids, where it is mounted.
    fn path(&self, path: &str) -> String {
        let is_root_only = routes().iter().any(|route| route.path == path && route.is_root_only);
        let id = match path.split('/').nth(1).unwrap() {
            "orders" => self.order,
            "reservations" => self.reservation,
            "api-keys" => self.api_key.0,
            "transfers" => 1,
            _ => 1,
        };
        let path = path.replace("{id}", &id.to_string()).replace("{product_id}", "1");
        let path = path.replace("{code}", "not_found");
        if is_root_only { path } else { format!("/v1{path}") }
    }

    /// What a caller is told who asks with a parameter that no route knows: whoever is let in, and sees the thing, is told that.
    pub(crate) fn ask(&self, bearer: Option<&str>, method: &str, path: &str) -> u16 {
        self.is_told(bearer, method, &self.path(path))
    }

    /// The same of a path as it is sent.
    fn is_told(&self, bearer: Option<&str>, method: &str, path: &str) -> u16 {
        let path = format!("{path}?nonsense=1");
        let body = (method != "GET").then_some("{}");
        let answer = match bearer {
            Some(bearer) => self.server.as_bearer(bearer, method, &path, body),
            None => self.server.send(method, &path, &[], body),
        };
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        let status = answer.status;
        match status {
            401 => {
                let challenge = challenge.expect("a 401 says how to sign in");
                assert!(challenge.starts_with("Bearer realm=\"stockade\""), "{challenge}");
                assert_eq!(challenge.contains("error=\"invalid_token\""), bearer.is_some());
                let expired = bearer == Some(&self.expired);
                answer.problem(401, if expired { "token_expired" } else { "unauthenticated" });
            }
            403 => drop(answer.problem(403, "forbidden")),
            404 => drop(answer.problem(404, "not_found")),
            _ => drop(answer.problem(422, "unknown_parameter")),
        }
        status
    }
}

#[test]
fn every_caller_is_told_what_the_table_says() {
    let shop = Shop::open();
    let api_key = shop.api_key.1.as_str();
    for &(method, path, may) in TABLE {
        let told = [
            None,
            Some(shop.owner.as_str()),
            Some(shop.other.as_str()),
            Some(shop.staff.as_str()),
            Some(shop.admin.as_str()),
            Some(api_key),
        ]
        .map(|bearer| shop.ask(bearer, method, path));
        let wanted = match may {
            Any | P => [422, 422, 422, 422, 422, 422],
            C => [401, 422, 422, 422, 422, 422],
            Own => [401, 422, 404, 422, 422, 422],
            Person => [401, 422, 422, 422, 422, 404],
            S => [401, 403, 403, 422, 422, 422],
            A => [401, 403, 403, 403, 422, 403],
        };
        assert_eq!(told, wanted, "{method} {path}: anonymous, owner, other, staff, admin, API key");
    }
}

#[test]
fn the_table_holds_at_every_mount_and_for_head() {
    let shop = Shop::open();
    let callers = [None, Some(shop.owner.as_str()), Some(&shop.other), Some(&shop.staff)];
    for &(method, path, _) in TABLE {
        let canonical = shop.path(path);
        let mounts = match canonical.strip_prefix("/v1/") {
            Some(bare) => vec![format!("/api/{bare}"), format!("/{bare}")],
            None => vec![],
        };
        for bearer in callers {
            let told = shop.ask(bearer, method, path);
            for mount in &mounts {
                let wanted = (told, shop.is_told(bearer, method, mount));
                assert_eq!(wanted.0, wanted.1, "{method} {mount}");
            }
            if method == "GET" {
                let header = bearer.map(|bearer| format!("Bearer {bearer}"));
                let headers: Vec<_> =
                    header.iter().map(|text| ("authorization", &**text)).collect();
                let path = format!("{canonical}?nonsense=1");
                let head = shop.server.send("HEAD", &path, &headers, None);
                assert_eq!((head.status, head.text.as_str()), (told, ""), "HEAD {canonical}");
            }
        }
    }
}

#[test]
fn an_order_as_it_was_is_for_staff_whatever_its_id() {
    let shop = Shop::open();
    let ask = |bearer: &str, id: u64, as_of: &str| {
        let path = format!("/v1/orders/{id}?as_of={as_of}");
        shop.server.as_bearer(bearer, "GET", &path, None)
    };
    for as_of in ["2023-11-14T22:14:00Z", "1", "nonsense"] {
        for id in [shop.order, 999_999] {
            ask(&shop.owner, id, as_of).problem(403, "forbidden");
            ask(&shop.other, id, as_of).problem(403, "forbidden");
        }
        ask(&shop.staff, 999_999, as_of).problem(404, "not_found");
    }
    let now = shop.server.engine.position().to_string();
    let shown = ask(&shop.staff, shop.order, &now).is(200);
    assert_eq!(shown["id"], shop.order);
    let path = format!("/v1/orders/{}", shop.order);
    assert_eq!(shop.server.as_bearer(&shop.owner, "GET", &path, None).is(200), shown);
}

#[test]
fn wrong_in_several_ways_a_caller_is_first_told_who_he_is_not() {
    let shop = Shop::open();
    let large = format!(r#"{{"a": "{}"}}"#, "x".repeat(5 << 20));
    let text = ("content-type", "text/plain");
    let owner = format!("Bearer {}", shop.owner);
    let owner = ("authorization", owner.as_str());
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str, status, code| {
        shop.server.send(method, path, headers, Some(body)).problem(status, code);
    };
    let pay = "/v1/orders/999999/payments?x=1";
    send("POST", "/v1/nonsense", &[text], &large, 404, "not_found");
    send("PUT", pay, &[text], &large, 405, "method_not_allowed");
    send("POST", pay, &[text], &large, 413, "body_too_large");
    send("POST", pay, &[text], "{", 401, "unauthenticated");
    send("POST", pay, &[text, owner], "{", 403, "forbidden");
    let cancel = "/v1/orders/999999/cancel?x=1";
    send("POST", cancel, &[text, owner], "{", 415, "unsupported_media_type");
    send("POST", cancel, &[owner], "{", 400, "malformed_json");
    send("POST", cancel, &[owner], r#"{"y": 1}"#, 404, "not_found");
    let cancel = format!("/v1/orders/{}/cancel", shop.order);
    send("POST", &cancel, &[owner], r#"{"y": 1}"#, 422, "unknown_field");
}

#[test]
fn a_token_comes_one_at_a_time_and_as_a_bearer() {
    let shop = Shop::open();
    let get = |headers: &[(&str, &str)]| shop.server.send("GET", "/v1/orders", headers, None);
    let good = format!("Bearer {}", shop.owner);
    for written in [good.clone(), good.replacen("Bearer ", "bearer  ", 1)] {
        get(&[("authorization", &written)]).is(200);
    }
    for wrong in ["Basic YTpi", "Bearer", "Bearer ", &shop.owner, ""] {
        get(&[("authorization", wrong)]).problem(401, "unauthenticated");
    }
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    get(&twice).problem(401, "unauthenticated");
    // Hosts and origins matter only where nobody signs in.
    let elsewhere = [
        ("authorization", good.as_str()),
        ("host", "shop.example"),
        ("origin", "https://a.example"),
    ];
    shop.server.send("POST", "/v1/orders/plan", &elsewhere, Some("{}")).problem(422, "invalid");
}
