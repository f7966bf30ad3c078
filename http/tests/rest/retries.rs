//! Idempotency keys: however often a command is sent, it has one effect and one answer.

use std::{
    collections::HashSet,
    sync::{Arc, Barrier},
    thread,
};

use serde_json::{Value, json};

use crate::server::{Answer, Server};

impl Server {
    /// A command under a key.
    pub(crate) fn keyed(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("idempotency-key", key)], Some(body))
    }
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// Sends it twice: the second answer is the first again, and nothing has happened between the two.
#[track_caller]
fn twice(server: &Server, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let (key, body) = (format!("key of {path}").replace(' ', "-"), body.to_string());
    let first = server.keyed(&key, method, path, &body);
    assert_eq!(first.status, status, "{path}: {}", first.text);
    assert!(!is_replayed(&first), "{path}");
    let events = server.engine.stats().folded;
    let again = server.keyed(&key, method, path, &body);
    assert!(is_replayed(&again), "{path}: {} {}", again.status, again.text);
    assert_eq!((again.status, &again.json), (first.status, &first.json), "{path}");
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{path}: {header}");
    }
    assert_eq!(server.engine.stats().folded, events, "{path} has one effect");
    // The mount is no part of a request, and everything else is.
    let elsewhere = server.keyed(&key, method, &path.replace("/v1", "/api"), &body);
    assert!(is_replayed(&elsewhere), "{path}");
    let reused = server.keyed(&key, method, path, &format!(" {body}"));
    let problem = reused.problem(422, "idempotency_key_reused");
    assert_eq!(problem["errors"][0]["header"], "Idempotency-Key", "{problem}");
    let query = server.keyed(&key, method, &format!("{path}?a=1"), &body);
    query.problem(422, "idempotency_key_reused");
    first.json
}

/// Every POST and PATCH that has an effect to remember.
#[test]
fn every_command_sent_twice_has_one_effect_and_the_same_answer() {
    let server = Server::start();
    let ruler = json!({"name": "ruler", "price": "3.50", "stock": 1_000});
    twice(&server, "POST", "/v1/products", &ruler, 201);
    twice(&server, "PATCH", "/v1/products/1", &json!({"name": "long ruler"}), 200);
    twice(&server, "POST", "/v1/shops", &json!({"name": "b"}), 201);
    twice(&server, "PATCH", "/v1/shops/2", &json!({"name": "c"}), 200);
    twice(&server, "POST", "/v1/warehouses", &json!({"name": "b"}), 201);
    twice(&server, "PATCH", "/v1/warehouses/2", &json!({"name": "c"}), 200);
    twice(&server, "PATCH", "/v1/warehouses/2/status", &json!({"status": "inactive"}), 200);
    let policy = json!({"safety_stock": 3});
    twice(&server, "PATCH", "/v1/warehouses/1/stock/1", &policy, 200);

    // Its token is shown again, and nothing of it is stored.
    let made = twice(&server, "POST", "/v1/api-keys", &json!({"name": "till"}), 201);
    assert!(server.engine.api_key(made["token"].as_str().unwrap()).is_some());

    let row = json!({"warehouse_id": 1, "product_id": 1, "delta": 5, "reason": "found"});
    twice(&server, "POST", "/v1/stock/adjustments", &row, 201);
    let moved = json!({"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 4, "in_transit": true});
    twice(&server, "POST", "/v1/warehouses/transfer", &moved, 201);
    twice(&server, "POST", "/v1/transfers/1/receive", &json!({"quantity": 1}), 200);
    twice(&server, "POST", "/v1/transfers/1/cancel", &json!({}), 200);

    let line = json!({"product_id": 1, "quantity": 2});
    twice(&server, "POST", "/v1/reservations", &line, 201);
    twice(&server, "POST", "/v1/reservations/1/extend", &json!({"ttl_seconds": 1_800}), 200);

    let zed = json!({"username": "zed", "role": "admin", "password": "correct horse"});
    twice(&server, "POST", "/v1/accounts", &zed, 201);
    twice(&server, "PATCH", "/v1/accounts/1", &json!({"name": "Zed"}), 200);

    let order = json!({"product_id": 1, "quantity": 4, "note": "ring twice"});
    twice(&server, "POST", "/v1/orders", &order, 201);
    twice(&server, "POST", "/v1/orders/1/payments", &json!({"amount": "1.00"}), 201);
    twice(&server, "PATCH", "/v1/orders/1/status", &json!({"status": "paid"}), 200);
    let one = json!({"lines": [{"product_id": 1, "quantity": 1}]});
    twice(&server, "POST", "/v1/orders/1/shipments", &one, 201);
    twice(&server, "POST", "/v1/orders/1/cancel", &json!({"lines": one["lines"]}), 200);
}

/// The rest of an order's life, and the batches.
#[test]
fn steps_and_batches_sent_twice_have_one_effect_and_the_same_answer() {
    let server = Server::start();
    server.product("2.00", 1_000);
    server.order(1, 3);
    server.post("/v1/orders/1/payments", "{}").is(201);
    server.post("/v1/orders/1/shipments", "{}").is(201);
    twice(&server, "POST", "/v1/orders/1/deliver", &json!({}), 200);
    let back = json!({"lines": [{"product_id": 1, "quantity": 1}]});
    twice(&server, "POST", "/v1/orders/1/returns", &back, 201);
    twice(&server, "POST", "/v1/orders/1/refunds", &json!({"amount": "0.50"}), 201);
    let line = json!({"product_id": 1, "quantity": 1});
    let several = json!({"mode": "all", "orders": [line, line, line]});
    twice(&server, "POST", "/v1/orders/batch", &several, 201);
    for (path, body) in [
        ("/v1/orders/batch", json!({"mode": "all", "orders": [line]})),
        ("/v1/orders/batch", json!({"orders": [line, line]})),
        ("/v1/products/batch", json!({"products": [{"sku": "A", "name": "a", "price": "1"}]})),
    ] {
        let key = format!("other-{}", body.to_string().len());
        let first = server.keyed(&key, "POST", path, &body.to_string());
        let events = server.engine.stats().folded;
        let again = server.keyed(&key, "POST", path, &body.to_string());
        assert!(is_replayed(&again) && !is_replayed(&first), "{body}: {}", again.text);
        assert_eq!((again.status, again.json), (first.status, first.json), "{body}");
        assert_eq!(server.engine.stats().folded, events, "{body}");
        server
            .keyed(&key, "POST", path, &format!(" {body}"))
            .problem(422, "idempotency_key_reused");
    }
    let rows = json!([
        {"warehouse_id": 1, "product_id": 1, "delta": 1},
        {"warehouse_id": 1, "product_id": 1, "delta": -1, "reason": "lost"},
    ]);
    for (mode, status) in [("all", 201), ("each", 200)] {
        let body = json!({"mode": mode, "reason": "found", "adjustments": rows}).to_string();
        let first = server.keyed(mode, "POST", "/v1/stock/adjustments", &body).is(status);
        let events = server.engine.stats().folded;
        let again = server.keyed(mode, "POST", "/v1/stock/adjustments", &body);
        assert!(is_replayed(&again));
        assert_eq!((again.is(status), server.engine.stats().folded), (first, events));
    }
}

#[test]
fn a_plan_a_login_and_a_read_have_no_key() {
    let server = Server::start();
    server.product("1.00", 5);
    let line = r#"{"product_id": 1, "quantity": 1}"#;
    for key in ["k", "not a key", ""] {
        let plan = server.keyed(key, "POST", "/v1/orders/plan", line);
        assert!(!is_replayed(&plan));
        plan.is(200);
    }
    let read = server.send("GET", "/v1/products/1", &[("idempotency-key", "not a key")], None);
    read.is(200);
}

#[test]
fn a_key_is_1_to_255_visible_ascii_characters() {
    let server = Server::start();
    server.product("1.00", 500);
    let line = r#"{"product_id": 1, "quantity": 1}"#;
    for wrong in [String::new(), "a b".into(), "ü".into(), "x".repeat(256)] {
        let answer = server.keyed(&wrong, "POST", "/v1/orders", line);
        assert_eq!(answer.problem(422, "invalid")["errors"][0]["header"], "Idempotency-Key");
    }
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    server.send("POST", "/v1/orders", &two, Some(line)).problem(422, "invalid");
    for right in ["x".to_owned(), "!~".into(), "x".repeat(255)] {
        server.keyed(&right, "POST", "/v1/orders", line).is(201);
    }
    // What is no JSON is told first, then that the thing is not there.
    server.keyed("a b", "POST", "/v1/orders", "{").problem(400, "malformed_json");
    server.keyed("a b", "POST", "/v1/orders/99/cancel", "{}").problem(404, "not_found");
    server.keyed("a b", "POST", "/v1/orders/1/cancel", "{}").problem(422, "invalid");
    assert_eq!(server.engine.orders(&Default::default(), 0, 10).len(), 3);
}

#[test]
fn a_stored_answer_comes_before_what_is_there_now() {
    let server = Server::start();
    server.product("1.00", 10);
    let first = server.keyed("k", "POST", "/v1/orders", r#"{"product_id": 1, "quantity": 2}"#);
    let paid = server.keyed("p", "POST", "/v1/orders/1/payments", "{}").is(201);
    assert_eq!(
        (&first.json["status"], &paid["status"]),
        (&"pending_payment".into(), &"paid".into())
    );
    server.post("/v1/orders/1/cancel", "{}").is(200);
    let again = server.keyed("k", "POST", "/v1/orders", r#"{"product_id": 1, "quantity": 2}"#);
    assert!(is_replayed(&again));
    assert_eq!(again.is(201), first.json, "as it was before it was paid");
    // Paying a cancelled order is a 409, and a stale version a 412: not for what was done before.
    let headers = [("idempotency-key", "p"), ("if-match", "\"1\"")];
    let again = server.send("POST", "/v1/orders/1/payments", &headers, Some("{}"));
    assert_eq!(again.is(201), paid);
    server.post("/v1/orders/1/payments", "{}").problem(409, "order_not_payable");
    // The key belongs to the route: of an order that never was, it says so before 404.
    server.keyed("p", "POST", "/v1/orders/9/payments", "{}").problem(422, "idempotency_key_reused");
}

#[test]
fn a_refusal_had_no_effect_and_is_decided_anew() {
    let server = Server::start();
    server.product("1.00", 1);
    let two = r#"{"product_id": 1, "quantity": 2}"#;
    server.keyed("k", "POST", "/v1/orders", two).problem(409, "insufficient_stock");
    server.keyed("k", "POST", "/v1/orders", two).problem(409, "insufficient_stock");
    let more = r#"{"warehouse_id": 1, "product_id": 1, "delta": 1, "reason": "found"}"#;
    server.post("/v1/stock/adjustments", more).is(201);
    let placed = server.keyed("k", "POST", "/v1/orders", two);
    assert!(!is_replayed(&placed));
    let id = placed.is(201)["id"].clone();
    assert!(is_replayed(&server.keyed("k", "POST", "/v1/orders", two)));
    // What changed nothing is not remembered either, and answers the same all the same.
    let cancel = format!("/v1/orders/{id}/cancel");
    server.post(&cancel, "{}").is(200);
    for _ in 0..2 {
        let again = server.keyed("c", "POST", &cancel, "{}");
        assert!(!is_replayed(&again));
        assert_eq!(again.is(200)["status"], "cancelled");
    }
}

#[test]
fn rows_of_a_batch_are_replayed_or_decided_anew() {
    let server = Server::start();
    server.product("1.00", 3);
    let order = |quantity: u64| json!({"product_id": 1, "quantity": quantity});
    let batch = json!({"orders": [order(2), order(2), {"quantity": 1}, order(1)]}).to_string();
    let results = |answer: Answer| answer.is(200)["results"].clone();
    let statuses = |results: &Value| -> Vec<u64> {
        results.as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect()
    };
    let first = results(server.keyed("k", "POST", "/v1/orders/batch", &batch));
    assert_eq!(statuses(&first), [201, 409, 422, 201]);
    let more = r#"{"warehouse_id": 1, "product_id": 1, "delta": 5, "reason": "found"}"#;
    server.post("/v1/stock/adjustments", more).is(201);
    let again = server.keyed("k", "POST", "/v1/orders/batch", &batch);
    assert!(is_replayed(&again));
    let again = results(again);
    assert_eq!(statuses(&again), [201, 201, 422, 201], "the second is decided anew");
    assert_eq!((&again[0], &again[3]), (&first[0], &first[3]));
    assert_eq!(server.engine.orders(&Default::default(), 0, 10).len(), 3);
}

#[test]
fn a_row_with_a_key_of_its_own_is_the_same_in_every_batch() {
    let server = Server::start();
    server.product("1.00", 100);
    let row = |key: &str, quantity: u64| json!({"product_id": 1, "quantity": quantity, "idempotency_key": key});
    let send = |mode: &str, rows: &[Value]| {
        server.post("/v1/orders/batch", json!({"mode": mode, "orders": rows}).to_string())
    };
    let first = send("each", &[row("a", 1), row("b", 2)]).is(200);
    let again = send("each", &[row("c", 3), row("b", 2), row("a", 7), row(" ", 1)]);
    assert!(is_replayed(&again));
    let again = again.is(200)["results"].clone();
    assert_eq!(again[0]["status"], 201);
    assert_eq!(again[1], first["results"][1]);
    assert_eq!(again[2]["error"]["code"], "idempotency_key_reused");
    assert_eq!(again[2]["error"]["errors"][0]["pointer"], "/orders/2/idempotency_key");
    assert_eq!(again[3]["error"]["errors"][0]["pointer"], "/orders/3/idempotency_key");
    // All or none: they are all there, or one of them is in the way.
    let all = send("all", &[row("a", 1), row("b", 2)]);
    assert!(is_replayed(&all));
    assert_eq!(all.is(201)["results"], first["results"]);
    send("all", &[row("d", 1), row("b", 2)])
        .refuses("idempotency_key_reused", "/orders/1/idempotency_key");
    assert_eq!(server.engine.orders(&Default::default(), 0, 10).len(), 3);
    // Elsewhere a key is a header.
    server.post("/v1/orders", row("e", 1).to_string()).refuses("unknown_field", "/idempotency_key");

    let product =
        |key: &str| json!({"sku": key, "name": "a", "price": "1.00", "idempotency_key": key});
    let body = |rows: &[Value]| json!({"products": rows}).to_string();
    let first = server.post("/v1/products/batch", body(&[product("a-1"), product("a-2")])).is(200);
    let again = server.post("/v1/products/batch", body(&[product("a-3"), product("a-2")])).is(200);
    assert_eq!(again["results"][1], first["results"][1], "201 again, and nothing was changed");
    assert_eq!(again["results"][0]["product"]["sku"], "a-3");

    let found =
        |key: &str| json!({"warehouse_id": 1, "product_id": 1, "delta": 1, "idempotency_key": key});
    let body = |rows: &[Value]| {
        json!({"mode": "each", "reason": "found", "adjustments": rows}).to_string()
    };
    let first = server.post("/v1/stock/adjustments", body(&[found("x"), found("y")])).is(200);
    let again = server.post("/v1/stock/adjustments", body(&[found("z"), found("y")])).is(200);
    assert_eq!(again["results"][1], first["results"][1]);
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 103);
}

#[test]
fn products_of_a_batch_keep_their_keys_when_rows_before_them_come_right() {
    let server = Server::start();
    let row = |sku: &str, shops: &[u64]| json!({"sku": sku, "name": sku, "price": "1.00", "shop_ids": shops});
    let body = json!({"products": [row("a", &[2]), row("b", &[]), row("c", &[])]}).to_string();
    let first = server.keyed("k", "POST", "/v1/products/batch", &body).is(200)["results"].clone();
    assert_eq!((&first[0]["status"], &first[2]["status"]), (&422.into(), &201.into()));
    server.post("/v1/shops", r#"{"name": "second"}"#).is(201);
    let again = server.keyed("k", "POST", "/v1/products/batch", &body).is(200)["results"].clone();
    assert_eq!(again[0]["product"]["sku"], "a");
    assert_eq!((&again[1], &again[2]), (&first[1], &first[2]));
    let next = server.keyed("k", "POST", "/v1/products/batch", &body);
    assert!(is_replayed(&next));
    assert_eq!(next.is(200)["results"], again);
}

#[test]
fn many_senders_of_one_key_have_one_effect() {
    let server = Arc::new(Server::start());
    server.product("1.00", 1_000);
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(16));
        let send = |_| {
            let (server, barrier) = (server.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                let body = r#"{"product_id": 1, "quantity": 1}"#;
                server.keyed(&format!("round-{round}"), "POST", "/v1/orders", body)
            })
        };
        let senders: Vec<_> = (0..16).map(send).collect();
        let answers = senders.into_iter().map(|sender| sender.join().unwrap());
        let (mut new, mut ids) = (0, HashSet::new());
        for answer in answers {
            new += usize::from(answer.status == 201 && !is_replayed(&answer));
            if answer.status == 201 {
                ids.insert(answer.json["id"].as_u64().unwrap());
            } else {
                assert_eq!(answer.header("retry-after"), Some("1"));
                answer.problem(409, "idempotency_in_progress");
            }
        }
        assert_eq!((new, ids.len()), (1, 1));
    }
    assert_eq!(server.engine.orders(&Default::default(), 0, 100).len(), 10);
}
