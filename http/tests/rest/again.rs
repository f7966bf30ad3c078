//! The first answer again, byte for byte: to every command that takes a key, whatever happened since, and after a restart.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_actors::{Config, Engine};
use stockade_domain::account::{AccountId, Personal, Role};
use stockade_http::{Auth, AuthMode, HttpConfig, Tokens, hash_password};

use crate::server::{Answer, NOW_MS, Server};

/// Headers that are part of an answer's content.
const HEADERS: [&str; 4] = ["location", "etag", "content-type", "cache-control"];

/// A server on a directory, and who asks it.
struct Shop {
    server: Server,
    auth: Auth,
    admin: AccountId,
    ann: AccountId,
}

/// A command, and what it was answered at first.
struct Sent {
    by_ann: bool,
    method: &'static str,
    path: String,
    body: String,
    key: String,
    first: Answer,
}

impl Shop {
    fn open(path: &Path) -> Self {
        let auth = Auth { mode: AuthMode::Jwt, ..Auth::default() };
        let engine = Config { lanes: 1, ..Config::new(path) }.with_virtual_clock(NOW_MS);
        let engine = Engine::open(engine).unwrap();
        let find = |admin| match admin {
            true => engine.accounts().first().map(|account| account.id),
            false => engine.customers(0, 1, |_| true).first().map(|account| account.id),
        };
        let account = |role| {
            let known = find(role == Role::Admin);
            known.unwrap_or_else(|| block_on(engine.register(role, who(role))).unwrap().id)
        };
        let (admin, ann) = (account(Role::Admin), account(Role::Customer));
        let config = HttpConfig { auth: auth.clone(), ..HttpConfig::default() };
        Self { server: Server::over(config, engine.clone()), auth, admin, ann }
    }

    fn send(
        &self,
        by_ann: bool,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> Answer {
        // A new one each time: a changed password ends those before.
        let (id, role) =
            if by_ann { (self.ann, Role::Customer) } else { (self.admin, Role::Admin) };
        let engine = &self.server.engine;
        let login = engine.login_version(id).unwrap().into();
        let tokens = Tokens::open(&self.auth, engine).unwrap();
        let token = tokens.issue(id, role, login, engine.now(), Duration::from_secs(3_600));
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        if key.is_none() && method != "POST" {
            headers.push(("if-match", "*"));
        }
        self.server.send(method, path, &headers, Some(body))
    }

    /// Without a key, and it succeeds.
    fn change(&self, method: &str, path: &str, body: &Value) {
        let answer = self.send(false, method, path, None, &body.to_string());
        assert!(answer.status < 300, "{method} {path} {body}: {}", answer.text);
    }

    /// Every one of them again.
    fn replays(&self, all: &[Sent]) {
        for sent in all {
            let Sent { by_ann, method, path, body, key, first } = sent;
            let again = self.send(*by_ann, method, path, Some(key), body);
            let what = format!("{method} {path} {body}");
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{what}: {}", again.text);
            assert_eq!((again.status, &again.text), (first.status, &first.text), "{what}");
            for header in HEADERS {
                assert_eq!(again.header(header), first.header(header), "{what}: {header}");
            }
        }
    }
}

fn who(role: Role) -> Personal {
    let email = Some(format!("{}@example.com", role.name()).into());
    let name = Some("Ann".into());
    let password = Some(hash_password("correct horse").unwrap().into());
    Personal { email, name, password, ..Personal::default() }
}

/// Every command that takes a key, most of them in several forms: later ones change what earlier ones answered.
fn commands() -> Vec<(bool, &'static str, &'static str, Value)> {
    let line = json!({"product_id": 1, "quantity": 2});
    let one = json!({"lines": [{"product_id": 1, "quantity": 1}]});
    let keyed = json!({"product_id": 4, "quantity": 1, "idempotency_key": "row"});
    let adjust = |product: u64, place: u64, delta: i64| json!({"product_id": product, "warehouse_id": place, "delta": delta});
    let rows = json!([adjust(1, 2, 4), adjust(2, 2, 3)]);
    let admin = [
        ("POST", "/v1/products", json!({"name": "ruler", "price": "3.50", "stock": 1_000})),
        ("POST", "/v1/products", json!({"name": "pen", "price": "1.00", "metadata": {"a": "b"}})),
        (
            "POST",
            "/v1/products/batch",
            json!({"products": [{"sku": "A", "name": "a", "price": "1", "stock": 7}, {"sku": "B", "name": "b", "price": "2", "stock": 70}]}),
        ),
        (
            "POST",
            "/v1/products/batch",
            json!({"products": [{"sku": "A", "name": "a, changed", "price": "1", "stock": 9}, {"sku": "B", "name": "b", "price": "2", "stock": 60}]}),
        ),
        ("POST", "/v1/shops", json!({"name": "b"})),
        ("PATCH", "/v1/shops/2", json!({"name": "c"})),
        ("POST", "/v1/warehouses", json!({"name": "b"})),
        ("PATCH", "/v1/warehouses/2", json!({"name": "c"})),
        (
            "POST",
            "/v1/stock/adjustments",
            json!({"product_id": 1, "warehouse_id": 2, "delta": 40, "reason": "found"}),
        ),
        ("POST", "/v1/stock/adjustments", json!({"reason": "found", "adjustments": rows})),
        (
            "POST",
            "/v1/stock/adjustments",
            json!({"reason": "found", "mode": "each", "adjustments": rows}),
        ),
        ("PATCH", "/v1/products/1", json!({"name": "long ruler"})),
        ("PATCH", "/v1/products/1", json!({"stock": 1_100})),
        ("PATCH", "/v1/products/1", json!({"stock": 1_090, "price": "3.60"})),
        ("PATCH", "/v1/warehouses/2/stock/1", json!({"safety_stock": 3})),
        ("PATCH", "/v1/warehouses/2/status", json!({"status": "inactive"})),
        ("PATCH", "/v1/warehouses/2/stock/1", json!({"safety_stock": 4, "backorder_limit": 9})),
        ("PATCH", "/v1/products/1", json!({"price": "3.70"})),
        (
            "POST",
            "/v1/warehouses/transfer",
            json!({"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 9, "in_transit": true}),
        ),
        ("POST", "/v1/transfers/1/receive", json!({"quantity": 2})),
        ("POST", "/v1/transfers/1/cancel", json!({})),
        ("POST", "/v1/reservations", line.clone()),
        ("POST", "/v1/reservations/1/extend", json!({"ttl_seconds": 1_800})),
        (
            "POST",
            "/v1/orders",
            json!({"product_id": 1, "quantity": 5, "note": "ring twice", "customer_id": 1}),
        ),
        ("POST", "/v1/orders/1/payments", json!({"amount": "1.00"})),
        ("PATCH", "/v1/orders/1/status", json!({"status": "paid"})),
        ("POST", "/v1/orders/1/shipments", one.clone()),
        ("POST", "/v1/orders/1/cancel", json!({"lines": one["lines"], "reason": "too many"})),
        ("POST", "/v1/orders/1/refunds", json!({"amount": "0.50"})),
        ("PATCH", "/v1/orders/1/status", json!({"status": "shipped"})),
        ("POST", "/v1/orders/1/deliver", json!({})),
        ("POST", "/v1/orders/1/returns", one.clone()),
        ("POST", "/v1/orders/batch", json!({"mode": "all", "orders": [line, line]})),
        ("POST", "/v1/orders/batch", json!({"mode": "all", "orders": [line]})),
        ("POST", "/v1/orders/batch", json!({"orders": [line, keyed]})),
        ("POST", "/v1/customers", json!({"name": "Bea"})),
        ("PATCH", "/v1/customers/1", json!({"name": "Anna"})),
        (
            "POST",
            "/v1/accounts",
            json!({"username": "cleo", "role": "staff", "password": "correct horse"}),
        ),
        ("PATCH", "/v1/accounts/2", json!({"name": "Cleo"})),
        ("POST", "/v1/api-keys", json!({"name": "gateway"})),
    ];
    let ann = [
        ("POST", "/v1/orders", json!({"product_id": 3, "quantity": 1})),
        ("PATCH", "/v1/profile", json!({"name": "Anne"})),
        (
            "POST",
            "/v1/profile/password",
            json!({"current_password": "correct horse", "new_password": "incorrect horse"}),
        ),
    ];
    let by = |by_ann| move |(method, path, body)| (by_ann, method, path, body);
    admin.into_iter().map(by(false)).chain(ann.into_iter().map(by(true))).collect()
}

/// The path as the contract has it.
fn route(path: &str) -> String {
    let names = |(at, part): (usize, &str)| match part.parse::<u64>() {
        Ok(_) if at == 5 => "{product_id}".to_owned(),
        Ok(_) => "{id}".to_owned(),
        Err(_) => part.to_owned(),
    };
    path.split('/').enumerate().map(names).collect::<Vec<_>>().join("/")
}

/// The commands of the contract that take a key.
fn contract(server: &Server) -> BTreeSet<(String, String)> {
    let document = server.get("/openapi.json").is(200);
    let is_keyed = |operation: &Value| {
        let mut takes = operation["parameters"].as_array().into_iter().flatten();
        takes.any(|parameter| parameter["name"] == "Idempotency-Key")
    };
    let of_path = |(path, methods): (&String, &Value)| {
        let keyed =
            methods.as_object().unwrap().iter().filter(|(_, operation)| is_keyed(operation));
        keyed.map(|(method, _)| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    document["paths"].as_object().unwrap().iter().flat_map(of_path).collect()
}

/// Everything moves on: names, prices, what is where, and every thing that a command made.
fn go_on(shop: &Shop, round: u64) {
    for product in 1..=4 {
        let renamed =
            json!({"name": format!("{product} {round}"), "sku": format!("{product}-{round}")});
        shop.change("PATCH", &format!("/v1/products/{product}"), &renamed);
        for place in [1, 2] {
            let found = json!({"product_id": product, "warehouse_id": place, "delta": 11, "reason": "found"});
            shop.change("POST", "/v1/stock/adjustments", &found);
        }
        let order = json!({"product_id": product, "quantity": 1, "customer_id": 1});
        shop.change("POST", "/v1/orders", &order);
    }
    let status = if round == 1 { "active" } else { "inactive" };
    shop.change("PATCH", "/v1/warehouses/2/status", &json!({"status": status}));
    shop.change("PATCH", "/v1/warehouses/2", &json!({"name": format!("place {round}")}));
    shop.change("PATCH", "/v1/shops/2", &json!({"name": format!("shop {round}")}));
    shop.change("PATCH", "/v1/customers/1", &json!({"name": format!("Ann {round}")}));
    shop.change("PATCH", "/v1/accounts/2", &json!({"name": format!("Cleo {round}")}));
    shop.change(
        "PUT",
        "/v1/warehouses/1/stock/1",
        &json!({"on_hand": 500 + round, "reason": "counted"}),
    );
    shop.change("PATCH", "/v1/warehouses/2/stock/1", &json!({"safety_stock": round}));
    shop.change("POST", "/v1/reservations/1/extend", &json!({"ttl_seconds": 3_000 + round}));
    if round == 1 {
        shop.change("POST", "/v1/orders/2/payments", &json!({}));
        shop.change("POST", "/v1/orders/3/cancel", &json!({}));
        shop.change("PATCH", "/v1/orders/1/status", &json!({"status": "returned"}));
    } else {
        shop.change("DELETE", "/v1/products/2", &Value::Null);
    }
}

#[test]
fn every_keyed_command_has_its_first_answer_again_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut all: Vec<Sent> = Vec::new();
    {
        let shop = Shop::open(dir.path());
        for (number, (by_ann, method, path, body)) in commands().into_iter().enumerate() {
            let (key, body) = (format!("key-{number}"), body.to_string());
            let first = shop.send(by_ann, method, path, Some(&key), &body);
            assert!(first.status < 300, "{method} {path} {body}: {}", first.text);
            assert_eq!(first.header("idempotent-replayed"), None);
            all.push(Sent { by_ann, method, path: path.to_owned(), body, key, first });
        }
        let keyed = all.iter().map(|sent| (sent.method.to_owned(), route(&sent.path))).collect();
        assert_eq!(contract(&shop.server), keyed, "every one of the contract is here");
        shop.replays(&all);
        go_on(&shop, 1);
        shop.replays(&all);
    }
    let shop = Shop::open(dir.path());
    shop.replays(&all);
    go_on(&shop, 2);
    shop.replays(&all);
}

/// What others do between a decision and its answer is not in the answer, so that it need not be in the next one.
#[test]
fn a_first_answer_in_a_crowd_is_the_one_that_comes_again() {
    let server = Server::start();
    server.product("2.00", 1_000_000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Acquire) {
                        break;
                    }
                    server.order(1, 1);
                    let renamed = json!({"name": format!("{name} {number}")}).to_string();
                    server.patch("/v1/products/1", renamed).is(200);
                }
            });
        }
        let line = json!({"product_id": 1, "quantity": 1});
        for number in 0..60 {
            let new = json!({"sku": format!("s{number}"), "name": "new", "price": "1", "stock": 3});
            for (method, path, body) in [
                ("PATCH", "/v1/products/1", json!({"price": format!("2.{:02}", number + 1)})),
                ("POST", "/v1/orders", line.clone()),
                ("POST", "/v1/orders/batch", json!({"orders": [line, line]})),
                ("POST", "/v1/orders/batch", json!({"mode": "all", "orders": [line, line]})),
                ("POST", "/v1/products/batch", json!({"products": [new]})),
                ("PATCH", "/v1/warehouses/1/stock/1", json!({"safety_stock": number + 1})),
            ] {
                let key = format!("{number}-{}", body.to_string().len() + path.len());
                let send = || {
                    let headers = [("idempotency-key", key.as_str())];
                    server.send(method, path, &headers, Some(&body.to_string()))
                };
                let (first, again) = (send(), send());
                assert_eq!(again.header("idempotent-replayed"), Some("true"), "{path}");
                assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
                assert_eq!(again.header("etag"), first.header("etag"), "{path}");
            }
        }
        done.store(true, Ordering::Release);
    });
}
