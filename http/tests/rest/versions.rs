//! Versions and positions: writing only what was seen, and reading what was written.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use futures_executor::block_on;
use stockade_actors::Context;
use stockade_domain::{CustomerId, OrderId, Who, order::OrderCommand};
use stockade_http::HttpConfig;

use crate::server::{Answer, Server};

/// Two callers with one ETag at one moment: exactly one wins, and the other reads 412.
fn race(server: &Arc<Server>, method: &'static str, path: &str, bodies: [&'static str; 2]) {
    let get = path.strip_suffix("/payments").or_else(|| path.strip_suffix("/extend"));
    let get = get.or_else(|| path.strip_suffix("/receive")).unwrap_or(path);
    let tag = server.get(get).header("etag").unwrap().to_owned();
    let barrier = Arc::new(Barrier::new(2));
    let callers = bodies.map(|body| {
        let (server, barrier) = (server.clone(), barrier.clone());
        let (tag, path) = (tag.clone(), path.to_owned());
        thread::spawn(move || {
            barrier.wait();
            server.send(method, &path, &[("if-match", &tag)], Some(body))
        })
    });
    let answers = callers.map(|caller| caller.join().unwrap());
    let won = answers.iter().filter(|answer| answer.status < 300).count();
    assert_eq!(won, 1, "{path}: {answers:?}");
    let [one, other] = answers;
    let lost = if one.status < 300 { other } else { one };
    lost.problem(412, "precondition_failed");
}

#[test]
fn of_two_with_one_etag_exactly_one_wins() {
    let server = Arc::new(Server::start());
    server.product("1.00", 1_000);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    for round in 1..=15 {
        let order = server.order(1, 5);
        let payments = format!("/v1/orders/{order}/payments");
        race(&server, "POST", &payments, [r#"{"amount": "1"}"#, r#"{"amount": "2"}"#]);
        let hold = server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 1}"#).is(201);
        let extend = format!("/v1/reservations/{}/extend", hold["id"]);
        race(&server, "POST", &extend, [r#"{"ttl_seconds": 1000}"#, r#"{"ttl_seconds": 2000}"#]);
        let moved = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 5, "in_transit": true}"#;
        let transfer = server.post("/v1/warehouses/transfer", moved).is(201);
        let receive = format!("/v1/transfers/{}/receive", transfer["id"]);
        race(&server, "POST", &receive, [r#"{"quantity": 1}"#, r#"{"quantity": 2}"#]);
        let policies = match round % 2 {
            0 => [r#"{"safety_stock": 1}"#, r#"{"safety_stock": 2}"#],
            _ => [r#"{"safety_stock": 3}"#, r#"{"safety_stock": 4}"#],
        };
        race(&server, "PATCH", "/v1/warehouses/1/stock/1", policies);
    }
}

#[test]
fn a_stale_version_is_412_for_the_header_and_409_for_the_body() {
    let server = Server::start();
    server.product("1.00", 100);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    server.order(1, 5);
    server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 1}"#).is(201);
    let moved = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 5, "in_transit": true}"#;
    server.post("/v1/warehouses/transfer", moved).is(201);
    for (method, path, rest) in [
        ("POST", "/v1/orders/1/payments", ""),
        ("POST", "/v1/orders/1/cancel", ""),
        ("POST", "/v1/orders/1/shipments", ""),
        ("POST", "/v1/orders/1/deliver", ""),
        ("POST", "/v1/orders/1/returns", r#""lines": [], "#),
        ("PATCH", "/v1/orders/1/status", r#""status": "paid", "#),
        ("POST", "/v1/reservations/1/extend", r#""ttl_seconds": 60, "#),
        ("POST", "/v1/transfers/1/receive", ""),
        ("POST", "/v1/transfers/1/cancel", ""),
        ("PATCH", "/v1/warehouses/1/stock/1", ""),
        ("PUT", "/v1/warehouses/1/stock/1", r#""on_hand": 90, "reason": "counted", "#),
        ("PATCH", "/v1/warehouses/1/status", r#""status": "active", "#),
        ("PUT", "/v1/shops/1/warehouses", r#""warehouse_ids": [1], "#),
    ] {
        let body = format!(r#"{{{rest}"version": 77}}"#);
        server.send(method, path, &[], Some(&body)).problem(409, "version_conflict");
        let stale = [("if-match", "\"77\"")];
        server.send(method, path, &stale, Some(&body)).problem(412, "precondition_failed");
        // What is wrong with the body comes before that it is stale.
        let wrong = format!(r#"{{{rest}"nonsense": 1}}"#);
        server.send(method, path, &stale, Some(&wrong)).problem(422, "unknown_field");
    }
    server
        .send("DELETE", "/v1/reservations/1", &[("if-match", "\"77\"")], None)
        .problem(412, "precondition_failed");
    let version = server.get("/v1/orders/1").is(200)["version"].clone();
    server.post("/v1/orders/1/payments", format!(r#"{{"version": {version}}}"#)).is(201);
    // With both, the header decides.
    let newest = server.get("/v1/orders/1").header("etag").unwrap().to_owned();
    let body = r#"{"version": 77}"#;
    server.send("POST", "/v1/orders/1/shipments", &[("if-match", &newest)], Some(body)).is(201);
}

fn at_least(server: &Server, path: &str, position: &str) -> Answer {
    server.send("GET", path, &[("stockade-min-position", position)], None)
}

#[test]
fn a_read_waits_for_the_position_that_it_asks_for() {
    let position_wait = std::time::Duration::from_millis(20);
    let server = Server::with(HttpConfig { position_wait, ..HttpConfig::default() });
    let made = server.post("/v1/products", r#"{"name": "a", "price": "1", "stock": 9}"#);
    let position = made.header("stockade-position").unwrap().to_owned();
    at_least(&server, "/v1/products/1", &position).is(200);
    let (journal, digits) = position.split_once('-').unwrap();
    let folded = u64::from_str_radix(digits, 16).unwrap();
    assert_eq!(folded, server.engine.position());
    let next = format!("{journal}-{:x}", folded + 1);
    let late = at_least(&server, "/v1/products/1", &next);
    assert_eq!(late.header("retry-after"), Some("1"));
    late.problem(503, "position_not_reached");
    server.order(1, 1);
    at_least(&server, "/v1/orders/1", &next).is(200);
    for wrong in ["", "7", "x-7", "-1", "00000000-1", &format!("{journal}-0{digits}"), "ü"] {
        let answer = at_least(&server, "/v1/products/1", wrong);
        let problem = answer.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["header"], "Stockade-Min-Position");
    }
    // Every write says where it is; reads do not.
    assert!(server.get("/v1/products/1").header("stockade-position").is_none());
    for answer in [
        server.patch("/v1/products/1", r#"{"name": "b"}"#),
        server.post("/v1/orders/1/payments", "{}"),
        server.put("/v1/warehouses/1/stock/1", r#"{"on_hand": 9, "reason": "counted"}"#),
        server.send("DELETE", "/v1/products/1", &[("if-match", "*")], None),
    ] {
        assert!(answer.header("stockade-position").is_some(), "{}", answer.text);
    }
}

#[test]
fn a_refused_write_says_what_it_saw_and_a_plan_is_no_write() {
    let server = Server::start();
    server.product("1.00", 5);
    server.order(1, 5);
    let here = server.get("/v1/products").header("stockade-position").map(str::to_owned);
    assert_eq!(here, None);
    let position = |answer: &Answer| {
        let (_, digits) = answer.header("stockade-position")?.split_once('-')?;
        u64::from_str_radix(digits, 16).ok()
    };
    for (path, body, status) in [
        ("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#, 409),
        ("/v1/orders", r#"{"product_id": 9, "quantity": 1}"#, 422),
        ("/v1/orders/9/cancel", "{}", 404),
    ] {
        let refused = server.post(path, body);
        assert_eq!(refused.status, status, "{}", refused.text);
        let seen = position(&refused).unwrap();
        assert!(seen > 0 && seen <= server.engine.position(), "{path}");
    }
    // What was told "too little" can be read as it was told it.
    let short = server.post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#);
    let shown = at_least(&server, "/v1/products/1", short.header("stockade-position").unwrap());
    assert_eq!(shown.is(200)["available"], 0);
    // Whoever is not let in, or says nothing that can be read, has seen nothing.
    assert_eq!(position(&server.post("/v1/orders", "{")), None);
    for mount in ["/v1", "/api", ""] {
        let plan = |headers: &[(&str, &str)]| {
            let line = r#"{"product_id": 1, "quantity": 1}"#;
            server.send("POST", &format!("{mount}/orders/plan"), headers, Some(line))
        };
        assert_eq!(position(&plan(&[])), None);
        plan(&[]).is(200);
        // It waits like a read.
        plan(&[("stockade-min-position", "nonsense")]).problem(422, "invalid");
    }
}

#[test]
fn a_read_is_let_go_as_soon_as_the_position_is_there() {
    let position_wait = std::time::Duration::from_secs(30);
    let server = Arc::new(Server::with(HttpConfig { position_wait, ..HttpConfig::default() }));
    let made = server.post("/v1/products", r#"{"name": "a", "price": "1", "stock": 9}"#);
    let (journal, _) = made.header("stockade-position").unwrap().split_once('-').unwrap();
    let next = format!("{journal}-{:x}", server.engine.position() + 1);
    let reader = {
        let server = server.clone();
        thread::spawn(move || at_least(&server, "/v1/products/1", &next).is(200))
    };
    // One event: what is seen when it is there is all of it.
    server.patch("/v1/products/1", r#"{"name": "b"}"#).is(200);
    assert_eq!(reader.join().unwrap()["name"], "b");
}

#[test]
fn the_history_of_an_order_says_who() {
    let server = Server::start();
    server.product("1.00", 9);
    server.order(1, 1);
    let who = Some(Who::Customer(CustomerId(7)));
    let by = server.engine.by(Context { who, ..Context::default() });
    let cancel = OrderCommand::Cancel { lines: None, reason: None };
    block_on(by.change_order(OrderId(1), cancel)).unwrap();
    let history = server.get("/v1/orders/1/events").is(200);
    let who = |at: usize| history["data"][at]["who"].clone();
    assert!(who(0).is_null());
    assert_eq!(who(1), "customer/7");
}

#[test]
fn what_is_wrong_with_a_command_comes_before_that_it_is_stale_and_both_before_the_state() {
    let server = Server::start();
    server.product("1.00", 100);
    server.product("1.00", 1);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    server.order(1, 5);
    server.post("/v1/orders/1/cancel", "{}").is(200);
    server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 1}"#).is(201);
    server.delete("/v1/reservations/1");
    server.post("/v1/customers", r#"{"name": "Ann"}"#).is(201);
    let moved = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 5, "in_transit": true}"#;
    server.post("/v1/warehouses/transfer", moved).is(201);
    server.post("/v1/transfers/1/receive", "{}").is(200);
    server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 50}"#).is(201);
    let long = "x".repeat(300);
    let sku = server.get("/v1/products/2").is(200)["sku"].clone();
    // What is wrong by itself, what the thing does not allow now, and the code of that.
    for (method, path, wrong, refused, code) in [
        ("POST", "/v1/orders/1/payments", r#"{"method": "LONG"}"#, "{}", "order_not_payable"),
        ("POST", "/v1/orders/1/shipments", r#"{"carrier": "LONG"}"#, "{}", "illegal_transition"),
        (
            "POST",
            "/v1/reservations/1/extend",
            r#"{"ttl_seconds": 999999999}"#,
            r#"{"ttl_seconds": 60}"#,
            "illegal_transition",
        ),
        (
            "POST",
            "/v1/transfers/1/receive",
            r#"{"discrepancy": {"quantity": 1, "reason": "LONG"}}"#,
            "{}",
            "transfer_closed",
        ),
        ("POST", "/v1/transfers/1/cancel", r#"{"reason": "LONG"}"#, "{}", "transfer_closed"),
        (
            "PUT",
            "/v1/warehouses/1/stock/1",
            r#"{"on_hand": 90, "reason": "LONG"}"#,
            r#"{"on_hand": 1, "reason": "counted"}"#,
            "insufficient_stock",
        ),
        ("PATCH", "/v1/products/1", r#"{"name": "LONG"}"#, r#"{"sku": "SKU"}"#, "sku_taken"),
        (
            "PUT",
            "/v1/products/1",
            r#"{"name": "LONG", "price": "1", "stock": 90}"#,
            r#"{"name": "a", "price": "1", "sku": "SKU"}"#,
            "sku_taken",
        ),
    ] {
        let sku = sku.as_str().unwrap();
        let (wrong, refused) = (wrong.replace("LONG", &long), refused.replace("SKU", sku));
        let send = |tag, body: &str| server.send(method, path, &[("if-match", tag)], Some(body));
        send("\"99\"", &wrong).problem(422, "invalid");
        send("\"99\"", &refused).problem(412, "precondition_failed");
        send("*", &refused).problem(409, code);
    }
    // Where the thing allows everything, there is only one before the other.
    for (method, path, wrong, right) in [
        ("PATCH", "/v1/shops/1", r#"{"name": "LONG"}"#, r#"{"name": "b"}"#),
        ("PATCH", "/v1/warehouses/1", r#"{"name": "LONG"}"#, r#"{"name": "b"}"#),
        ("PUT", "/v1/shops/1/warehouses", r#"{"warehouse_ids": [9]}"#, r#"{"warehouse_ids": [1]}"#),
        ("PATCH", "/v1/customers/1", r#"{"name": "LONG"}"#, r#"{"name": "b"}"#),
    ] {
        let wrong = wrong.replace("LONG", &long);
        let send = |body: &str| server.send(method, path, &[("if-match", "\"99\"")], Some(body));
        assert_eq!(send(&wrong).status, 422, "{method} {path}");
        send(right).problem(412, "precondition_failed");
    }
    // What must be conditional is told so behind what is wrong with it, too.
    let body = format!(r#"{{"name": "{long}", "price": "1"}}"#);
    server.send("PUT", "/v1/products/1", &[], Some(&body)).problem(422, "invalid");
    let body = r#"{"name": "a", "price": "1"}"#;
    server.send("PUT", "/v1/products/1", &[], Some(body)).problem(428, "precondition_required");
    server.delete("/v1/products/1").problem(428, "precondition_required");
}
