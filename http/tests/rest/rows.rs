//! Rows of batches: whose key is whose, and what each row comes to.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use serde_json::{Value, json};

use crate::server::{Answer, Server};

const ORDERS: &str = "/v1/orders/batch";
const PRODUCTS: &str = "/v1/products/batch";
const ADJUSTMENTS: &str = "/v1/stock/adjustments";

/// A server with a thousand rulers.
fn server() -> Server {
    let server = Server::start();
    server.product("1.00", 1_000);
    server
}

fn keyed(server: &Server, key: &str, path: &str, body: &Value) -> Answer {
    server.send("POST", path, &[("idempotency-key", key)], Some(&body.to_string()))
}

/// An order of one ruler under a key of its own.
fn order(key: &str) -> Value {
    json!({"product_id": 1, "quantity": 1, "idempotency_key": key})
}

fn statuses(results: &Value) -> Vec<u64> {
    let rows = results.as_array().unwrap();
    rows.iter().map(|row| row["status"].as_u64().unwrap()).collect()
}

fn orders(server: &Server) -> usize {
    server.engine.orders(&Default::default(), 0, 1_000).len()
}

/// One key is one command: the second row is refused, whether or not the first was carried out before.
#[test]
fn two_rows_with_one_key_are_one_effect_and_a_refusal() {
    let server = server();
    let product = |sku: &str, key: &str| json!({"sku": sku, "name": sku, "price": "1.00", "idempotency_key": key});
    let found =
        |key: &str| json!({"warehouse_id": 1, "product_id": 1, "delta": 1, "idempotency_key": key});
    for (path, kind, rows) in [
        (ORDERS, "orders", [order("a"), order("b"), order("a")]),
        (PRODUCTS, "products", [product("A", "c"), product("B", "d"), product("C", "c")]),
        (ADJUSTMENTS, "adjustments", [found("e"), found("f"), found("e")]),
    ] {
        let body = json!({"mode": "each", "reason": "found", (kind): rows});
        let body = match kind {
            "adjustments" => body,
            "orders" => json!({"mode": "each", (kind): body[kind]}),
            _ => json!({(kind): body[kind]}),
        };
        let first = server.post(path, body.to_string()).is(200)["results"].clone();
        assert_eq!(statuses(&first), [201, 201, 422], "{path}");
        let fault = &first[2]["error"]["errors"][0];
        assert_eq!(fault["code"], "idempotency_key_reused", "{path}");
        assert_eq!(fault["pointer"], format!("/{kind}/2/idempotency_key"));
        assert_eq!(fault["detail"], format!("is the key of /{kind}/0, too"));
        let events = server.engine.stats().folded;
        let again = server.post(path, body.to_string()).is(200)["results"].clone();
        assert_eq!((again, server.engine.stats().folded), (first, events), "{path}");
    }
    let all = json!({"mode": "all", "orders": [order("x"), order("y"), order("y")]});
    server
        .post(ORDERS, all.to_string())
        .refuses("idempotency_key_reused", "/orders/2/idempotency_key");
    assert_eq!(orders(&server), 2);
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 1_002);
}

/// The key of the batch stands for the rows that have none.
#[test]
fn a_row_with_a_key_does_not_follow_the_batchs() {
    let server = server();
    let plain = json!({"product_id": 1, "quantity": 2});
    let batch = json!({"orders": [order("a"), plain]});
    let first = keyed(&server, "k", ORDERS, &batch).is(200);
    let again = keyed(&server, "k", ORDERS, &batch);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.is(200), first);
    // Under another key of the batch, only the row without one of its own is another command.
    let other = keyed(&server, "l", ORDERS, &batch).is(200);
    assert_eq!(other["results"][0], first["results"][0]);
    assert_ne!(other["results"][1], first["results"][1]);
    assert_eq!(orders(&server), 3);
}

/// The key of a batch is taken by the first effect of a row, wherever that stands: it is good for this batch alone.
#[test]
fn a_batchs_key_is_good_for_no_other_request() {
    let server = server();
    let none = server.product("1.00", 0);
    let of = |product: u64, quantity: u64| json!({"product_id": product, "quantity": quantity});
    let product = |sku: &str, price: &str| json!({"sku": sku, "name": sku, "price": price});
    let found = |product: u64, delta: i64| json!({"warehouse_id": 1, "product_id": product, "delta": delta, "reason": "found"});
    let each = |rows: Value| json!({"mode": "each", "adjustments": rows});
    for (key, path, batch, other, status) in [
        (
            "a",
            ORDERS,
            json!({"orders": [of(none, 1), of(1, 1)]}),
            json!({"orders": [of(1, 2)]}),
            409,
        ),
        (
            "b",
            PRODUCTS,
            json!({"products": [product("A", "1.001"), product("B", "1.00")]}),
            json!({"products": [product("C", "1.00")]}),
            422,
        ),
        (
            "c",
            ADJUSTMENTS,
            each(json!([found(77, 1), found(1, 1)])),
            each(json!([found(1, 2)])),
            422,
        ),
    ] {
        let first = keyed(&server, key, path, &batch).is(200);
        assert_eq!(statuses(&first["results"]), [status, 201], "{path}");
        let events = server.engine.position();
        keyed(&server, key, path, &other).problem(422, "idempotency_key_reused");
        keyed(&server, key, "/v1/orders", &of(1, 1)).problem(422, "idempotency_key_reused");
        let again = keyed(&server, key, path, &batch);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{path}");
        assert_eq!(statuses(&again.is(200)["results"]), [status, 201], "{path}");
        assert_eq!(server.engine.position(), events, "{path}");
    }
    // A key that had no effect is free.
    let refused = keyed(&server, "d", ORDERS, &json!({"orders": [of(none, 1)]})).is(200);
    assert_eq!(statuses(&refused["results"]), [409]);
    keyed(&server, "d", "/v1/orders", &of(1, 1)).is(201);
}

#[test]
fn a_row_cannot_have_the_key_of_its_batch() {
    let server = server();
    let batch = json!({"orders": [order("k"), {"product_id": 1, "quantity": 2}]});
    for _ in 0..2 {
        let results = keyed(&server, "k", ORDERS, &batch).is(200)["results"].clone();
        assert_eq!(statuses(&results), [422, 201]);
        let fault = &results[0]["error"]["errors"][0];
        assert_eq!(fault["code"], "idempotency_key_reused");
        assert_eq!(fault["detail"], "is the key of the batch, too");
    }
    let all = json!({"mode": "all", "orders": [order("l")]});
    let refused = keyed(&server, "l", ORDERS, &all);
    refused.refuses("idempotency_key_reused", "/orders/0/idempotency_key");
    assert_eq!(orders(&server), 1);
}

/// A batch of all or none is one command under its key, and each of its rows is one under its own.
#[test]
fn a_batch_of_all_is_replayed_by_its_key_and_by_those_of_its_rows() {
    let server = server();
    let batch = json!({"mode": "all", "orders": [order("a"), order("b")]});
    let first = keyed(&server, "k", ORDERS, &batch).is(201);
    for key in ["k", "l"] {
        let again = keyed(&server, key, ORDERS, &batch);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.is(201), first);
    }
    // Put together anew, by themselves.
    let each = json!({"orders": [order("b"), order("c")]});
    let each = server.post(ORDERS, each.to_string()).is(200)["results"].clone();
    assert_eq!(each[0], first["results"][1]);
    assert_eq!(orders(&server), 3);
    // Adjustments of all or none are one event: they have one key.
    let found = json!({"warehouse_id": 1, "product_id": 1, "delta": 1, "idempotency_key": "z"});
    let body = json!({"reason": "found", "adjustments": [found]}).to_string();
    server.post(ADJUSTMENTS, body).refuses("invalid", "/adjustments/0/idempotency_key");
}

/// What a row asks for may be right only later, or be right no more: its key follows from its place among all rows.
#[test]
fn rows_keep_the_keys_of_their_places_when_others_come_right() {
    let server = server();
    let person = |name: &str| json!({"name": name}).to_string();
    server.post("/v1/customers", person("Ada")).is(201);
    let for_customer = |id: u64| json!({"product_id": 1, "quantity": id, "customer_id": id});
    let batch = json!({"orders": [for_customer(2), for_customer(1), for_customer(1)]});
    let first = keyed(&server, "k", ORDERS, &batch).is(200)["results"].clone();
    assert_eq!(statuses(&first), [422, 201, 201]);
    server.post("/v1/customers", person("Bob")).is(201);
    let again = keyed(&server, "k", ORDERS, &batch).is(200)["results"].clone();
    assert_eq!(again[0]["order"]["customer_id"], 2);
    assert_eq!((&again[1], &again[2]), (&first[1], &first[2]));
    assert_eq!(orders(&server), 3);
    // What was carried out before is answered before anything is asked about it now.
    server.delete("/v1/customers/2").is(204);
    let results = keyed(&server, "k", ORDERS, &batch).is(200)["results"].clone();
    assert_eq!(statuses(&results), [201, 201, 201]);
    assert_eq!(orders(&server), 3);
}

/// The same of a batch of all or none that is known by the keys of its rows alone, also when a part of it is there.
#[test]
fn a_batch_of_all_is_looked_up_before_it_is_drafted() {
    let server = server();
    server.post("/v1/customers", json!({"name": "Ada"}).to_string()).is(201);
    let row = |key: &str| json!({"product_id": 1, "quantity": 1, "customer_id": 1, "idempotency_key": key});
    let all = |keys: &[&str]| {
        let rows: Vec<_> = keys.iter().map(|key| row(key)).collect();
        server.post(ORDERS, json!({"mode": "all", "orders": rows}).to_string())
    };
    let first = all(&["a", "b"]).is(201);
    server.delete("/v1/customers/1").is(204);
    let again = all(&["a", "b"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.is(201), first);
    all(&["c", "b"]).refuses("idempotency_key_reused", "/orders/1/idempotency_key");
    all(&["c", "d"]).refuses("customer_not_found", "/orders/0/customer_id");
    assert_eq!(orders(&server), 2);
}

/// A row that is wrong is refused by itself, also for its reason and its key.
#[test]
fn rows_of_adjustments_are_refused_by_themselves() {
    let server = server();
    let found = |reason: Option<&str>, key: &str| json!({"warehouse_id": 1, "product_id": 1, "delta": 1, "reason": reason, "idempotency_key": key});
    let rows = [found(None, "a"), found(Some("found"), "b c"), found(Some("found"), "d")];
    let body = json!({"mode": "each", "adjustments": rows}).to_string();
    let results = server.post(ADJUSTMENTS, body).is(200)["results"].clone();
    assert_eq!(statuses(&results), [422, 422, 201]);
    for (at, field) in [(0, "reason"), (1, "idempotency_key")] {
        let pointer = format!("/adjustments/{at}/{field}");
        assert_eq!(results[at]["error"]["errors"][0]["pointer"], pointer);
    }
}

/// However many batches carry a row, it has one effect; a batch that comes while it is under way is told which row that is.
#[test]
fn a_row_key_in_many_batches_at_once_has_one_effect() {
    let server = Arc::new(server());
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(8));
        let send = |n: usize| {
            let (server, barrier) = (server.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                let rows = [order(&format!("{round}-{n}")), order(&format!("{round}"))];
                let mode = if n.is_multiple_of(2) { "each" } else { "all" };
                server.post(ORDERS, json!({"mode": mode, "orders": rows}).to_string())
            })
        };
        let senders: Vec<_> = (0..8).map(send).collect();
        let mut ids = Vec::new();
        for answer in senders.into_iter().map(|sender| sender.join().unwrap()) {
            let (status, code, fault) = match answer.status {
                200 | 201 => {
                    let row = &answer.json["results"][1];
                    ids.extend(row["order"]["id"].as_u64());
                    (&row["status"], &row["error"]["code"], &row["error"]["errors"][0])
                }
                _ => (&answer.json["status"], &answer.json["code"], &answer.json["errors"][0]),
            };
            match status.as_u64() {
                Some(201) => continue,
                Some(409) => assert_eq!(code, "idempotency_in_progress"),
                // A batch of all or none, of which one row is there already.
                Some(422) => assert_eq!(code, "idempotency_key_reused"),
                _ => panic!("{}", answer.text),
            }
            assert_eq!(fault["pointer"], "/orders/1/idempotency_key", "{}", answer.text);
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}

/// What is wrong with one row is wrong with no other, whatever it is, unless they stand together.
#[test]
fn a_row_that_cannot_be_read_is_refused_by_itself() {
    let server = server();
    let deep = format!(r#"{{"zz": {}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let wrong = |good: &str, field: &str, number: &str| {
        let twice = good.replacen('{', &format!("{{{number}, "), 1);
        [
            (r#"{"zz": 1}"#.to_owned(), "/zz", "unknown_field"),
            (deep.clone(), "/zz", "unknown_field"),
            (r#""x""#.to_owned(), "", "invalid"),
            ("null".to_owned(), "", "invalid"),
            ("[1, 1]".to_owned(), "", "invalid"),
            (good.replace(number, &format!(r#""{field}": true"#)), "*", "invalid"),
            (twice, "*", "invalid"),
        ]
        .map(|(row, place, code)| {
            (row, if place == "*" { format!("/{field}") } else { place.to_owned() }, code)
        })
    };
    let order = r#"{"product_id": 1, "quantity": 1}"#;
    let product = r#"{"sku": "A", "name": "a", "price": 1, "stock": 1}"#;
    let found = r#"{"warehouse_id": 1, "product_id": 1, "delta": 1, "reason": "found"}"#;
    for (path, kind, good, field, number) in [
        (ORDERS, "orders", order, "quantity", r#""quantity": 1"#),
        (PRODUCTS, "products", product, "stock", r#""stock": 1"#),
        (ADJUSTMENTS, "adjustments", found, "delta", r#""delta": 1"#),
    ] {
        let wrong = wrong(good, field, number);
        let rows: Vec<_> = wrong.iter().map(|(row, _, _)| row.as_str()).chain([good]).collect();
        let batch = |mode: &str| {
            let mode =
                if kind == "products" { String::new() } else { format!(r#", "mode": "{mode}""#) };
            server.post(path, format!(r#"{{"{kind}": [{}]{mode}}}"#, rows.join(", ")))
        };
        let results = batch("each").is(200)["results"].clone();
        for (at, (row, place, code)) in wrong.iter().enumerate() {
            let error = &results[at]["error"];
            assert_eq!(
                (&results[at]["status"], &error["code"]),
                (&json!(422), &json!(code)),
                "{row:.80}"
            );
            assert_eq!(error["errors"][0]["pointer"], format!("/{kind}/{at}{place}"), "{row:.80}");
        }
        assert_eq!(results[wrong.len()]["status"], 201, "{path}");
        if kind != "products" {
            batch("all").refuses("unknown_field", &format!("/{kind}/0/zz"));
        }
    }
    let stolen = found.replace(r#""found""#, r#""stolen""#);
    let results = server
        .post(ADJUSTMENTS, format!(r#"{{"adjustments": [{stolen}, {found}], "mode": "each"}}"#));
    let results = results.is(200)["results"].clone();
    assert_eq!(statuses(&results), [422, 201]);
    assert_eq!(results[0]["error"]["errors"][0]["pointer"], "/adjustments/0/reason");
    // What is no JSON is no batch.
    server.post(ORDERS, format!(r#"{{"orders": [{order}, {{]]}}"#)).problem(400, "malformed_json");
    assert_eq!(orders(&server), 1);
}
