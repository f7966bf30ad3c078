//! Reservations.

use serde_json::{Value, json};

use crate::server::Server;

#[test]
fn a_hold_lives_is_extended_and_expires() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    let body = json!({"lines": [{"product_id": product, "quantity": 3}], "ttl_seconds": 60, "owner": "cart-1"});
    let made = server.post("/v1/reservations", body.to_string());
    let id = made.json["id"].as_u64().unwrap();
    assert_eq!(made.header("location").unwrap(), format!("/v1/reservations/{id}"));
    let at = "2023-11-14T22:13:20.000Z";
    let wanted = json!({
        "id": id, "status": "active", "owner": "cart-1", "customer_id": null, "order_id": null,
        "lines": [{"product_id": product, "quantity": 3, "held": 3}],
        "allocations": [{"product_id": product, "warehouse_id": 1, "quantity": 3}], "shortfalls": [],
        "expires_at": "2023-11-14T22:14:20.000Z", "created_at": at, "updated_at": at, "version": 1,
    });
    assert_eq!(made.is(201), wanted);
    let path = format!("/v1/reservations/{id}");
    assert_eq!(server.get(&path).is(200), wanted);
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 2);
    server.advance(59);
    let extended = server.post(&format!("{path}/extend"), r#"{"ttl_seconds": 2}"#).is(200);
    assert_eq!(extended["expires_at"], "2023-11-14T22:14:21.000Z");
    server
        .post(&format!("{path}/extend"), r#"{"ttl_seconds": 0}"#)
        .refuses("invalid", "/ttl_seconds");
    server.post(&format!("{path}/extend"), "{}").refuses("invalid", "/ttl_seconds");
    server.advance(2);
    assert_eq!(server.get(&path).is(200)["status"], "expired");
    server
        .post(&format!("{path}/extend"), r#"{"ttl_seconds": 2}"#)
        .problem(410, "reservation_expired");
    server.delete(&path).problem(410, "reservation_expired");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 5);
}

#[test]
fn a_hold_is_given_back_once_and_again() {
    let server = Server::start();
    server.product("1.00", 5);
    let made = server
        .post("/v1/reservations", r#"{"product_id": 1, "quantity": 2, "warehouse_id": 1}"#)
        .is(201);
    let path = format!("/v1/reservations/{}", made["id"]);
    let stale = [("if-match", "\"9-x\"")];
    server.send("DELETE", &path, &stale, None).problem(412, "precondition_failed");
    for _ in 0..2 {
        let gone = server.delete(&path);
        assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    }
    assert_eq!(server.get(&path).is(200)["status"], "released");
    server
        .post(&format!("{path}/extend"), r#"{"ttl_seconds": 2}"#)
        .problem(409, "illegal_transition");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 5);
}

#[test]
fn a_hold_becomes_an_order() {
    let server = Server::start();
    server.product("1.00", 5);
    let hold = |quantity: u64| {
        let body = format!(r#"{{"product_id": 1, "quantity": {quantity}}}"#);
        server.post("/v1/reservations", body).is(201)["id"].as_u64().unwrap()
    };
    let (first, other) = (hold(3), hold(1));
    // One is free, four are wanted: the held ones count first.
    let body = format!(r#"{{"product_id": 1, "quantity": 4, "reservation_ids": [{first}]}}"#);
    let order = server.post("/v1/orders", &body).is(201);
    assert_eq!(order["lines"][0]["allocations"], json!([{"warehouse_id": 1, "quantity": 4}]));
    let converted = server.get(&format!("/v1/reservations/{first}")).is(200);
    assert_eq!((&converted["status"], &converted["order_id"]), (&json!("converted"), &order["id"]));
    assert_eq!(converted["shortfalls"], json!([]), "it never came short of anything");
    server.delete(&format!("/v1/reservations/{first}")).problem(409, "reservation_converted");
    let problem = server.post("/v1/orders", &body).problem(409, "reservation_converted");
    assert_eq!(problem["errors"][0]["pointer"], "/reservation_ids/0");
    let twice =
        format!(r#"{{"product_id": 1, "quantity": 1, "reservation_ids": [{other}, {other}]}}"#);
    server.post("/v1/orders", twice).refuses("invalid", "/reservation_ids/1");
    server.advance(7 * 24 * 3_600);
    let late = format!(r#"{{"product_id": 1, "quantity": 1, "reservation_ids": [{other}]}}"#);
    server.post("/v1/orders", late).problem(410, "reservation_expired");
}

#[test]
fn an_owner_who_holds_again_is_not_in_his_own_way() {
    let server = Server::start();
    server.product("1.00", 5);
    let hold = |quantity: u64, owner: &str| {
        let body = json!({"product_id": 1, "quantity": quantity, "owner": owner});
        server.post("/v1/reservations", body.to_string())
    };
    let first = hold(4, "a").is(201);
    let second = hold(5, "a").is(201);
    assert_eq!(
        server.get(&format!("/v1/reservations/{}", first["id"])).is(200)["status"],
        "released"
    );
    hold(1, "b").problem(409, "insufficient_stock");
    let live =
        server.get("/v1/reservations?status=active&owner=a&product_id=1&warehouse_id=1").is(200);
    assert_eq!(live["data"], json!([second]));
    assert_eq!(server.get("/v1/reservations?owner=b").is(200)["data"], json!([]));
}

#[test]
fn a_part_may_be_better_than_nothing() {
    let server = Server::start();
    server.product("1.00", 2);
    let body = r#"{"lines": [{"product_id": 1, "quantity": 5}], "mode": "partial"}"#;
    let held = server.post("/v1/reservations", body).is(201);
    assert_eq!(held["lines"][0]["held"], 2);
    assert_eq!(held["shortfalls"], json!([{"product_id": 1, "quantity": 3}]));
    server.post("/v1/reservations", body).problem(409, "insufficient_stock");
    let both = r#"{"product_id": 1, "quantity": 1, "shop_id": 1, "warehouse_id": 1}"#;
    server.post("/v1/reservations", both).refuses("invalid", "/warehouse_id");
    for (body, pointer) in [
        (r#"{"product_id": 1, "quantity": 1, "shop_id": 9}"#, "/shop_id"),
        (r#"{"product_id": 1, "quantity": 1, "warehouse_id": 9}"#, "/warehouse_id"),
        (r#"{"product_id": 1, "quantity": 1, "ttl_seconds": 604801}"#, "/ttl_seconds"),
        (
            r#"{"product_id": 1, "quantity": 1, "ttl_seconds": 18446744073709551615}"#,
            "/ttl_seconds",
        ),
        (r#"{"product_id": 1, "quantity": 1, "mode": "most"}"#, "/mode"),
        ("{}", "/lines"),
    ] {
        server.post("/v1/reservations", body).refuses("invalid", pointer);
    }
}

#[test]
fn what_is_short_is_told_in_all_with_what_is_held_already() {
    let server = Server::start();
    server.product("1.00", 10);
    let hold = |quantity: u64| {
        let body = json!({"product_id": 1, "quantity": quantity, "owner": "cart"});
        server.post("/v1/reservations", body.to_string())
    };
    let cart = hold(9).is(201)["id"].as_u64().unwrap();
    let is_short = |error: &Value, wanted: u64, available: u64| {
        assert_eq!((&error["wanted"], &error["available"]), (&json!(wanted), &json!(available)));
    };
    let problem = hold(11).problem(409, "insufficient_stock");
    is_short(&problem["errors"][0], 11, 10);
    let order = json!({"product_id": 1, "quantity": 12, "reservation_ids": [cart]}).to_string();
    let plan = server.post("/v1/orders/plan", &order).is(200);
    is_short(&plan["shortages"][0], 12, 10);
    let problem = server.post("/v1/orders", &order).problem(409, "insufficient_stock");
    is_short(&problem["errors"][0], 12, 10);
}
