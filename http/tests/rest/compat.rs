//! The requests of other systems, as they are printed there: without a token, on every mount.

use serde_json::{Value, json};

use crate::server::Server;

/// One request as printed, and the status it is answered with.
const PRINTED: &[(&str, &str, &str, u16)] = &[
    ("POST", "/products", r#"{"name":"ruler","price":"3.5","stock":35}"#, 201),
    ("GET", "/products", "", 200),
    ("GET", "/products/1", "", 200),
    ("POST", "/orders", r#"{"customer_id":1,"products":[{"id":1,"quantity":1}]}"#, 201),
    ("POST", "/orders", r#"{"product_id":1,"quantity":1}"#, 201),
    ("GET", "/orders", "", 200),
    ("GET", "/order-details", "", 200),
    ("GET", "/shops/1/warehouses", "", 200),
    ("POST", "/warehouses", r#"{"name":"second"}"#, 201),
    ("GET", "/warehouses", "", 200),
    (
        "POST",
        "/warehouses/transfer",
        r#"{"product_id":1,"from_warehouse_id":1,"to_warehouse_id":2,"quantity":3}"#,
        201,
    ),
    ("PATCH", "/warehouses/2/status", r#"{"status":"inactive"}"#, 200),
    ("PATCH", "/warehouses/2/status", r#"{"status":"active"}"#, 200),
];

#[test]
fn every_request_works_as_it_is_printed_on_every_mount() {
    for mount in ["/api", "/v1", ""] {
        let server = Server::start();
        for &(method, path, body, status) in PRINTED {
            let body = (!body.is_empty()).then_some(body);
            let answer = server.send(method, &format!("{mount}{path}"), &[], body);
            assert_eq!(answer.status, status, "{method} {mount}{path}: {}", answer.text);
        }
        let product = server.get(&format!("{mount}/products/1")).is(200);
        assert_eq!((&product["price"], &product["stock"]), (&json!("3.50"), &json!(35)));
        assert_eq!(product["available"], 33);
        let orders = server.get(&format!("{mount}/orders?customer_id=1")).is(200);
        let order = &orders["data"][0];
        assert_eq!(
            (&order["customer_id"], &order["lines"][0]["product_id"]),
            (&json!(1), &json!(1))
        );
        let status = |status: &str| -> Value {
            let path = format!("{mount}/orders/{}/status", order["id"]);
            server.patch(&path, format!(r#"{{"status":"{status}"}}"#)).is(200)["status"].clone()
        };
        for next in ["paid", "shipped", "delivered"] {
            assert_eq!(status(next), next);
        }
        let details = server.get(&format!("{mount}/order-details?customer_id=1")).is(200);
        assert_eq!(details["data"][0]["product"]["name"], "ruler");
        assert_eq!(details["data"][0]["status"], "delivered");
    }
}

#[test]
fn the_nearest_warehouse_gives_when_it_is_known_where_to() {
    let server = Server::start();
    for (name, east) in [("west", -100), ("east", 100)] {
        let body = json!({"name": name, "latitude": 10, "longitude": east});
        server.post("/v1/warehouses", body.to_string()).is(201);
    }
    server.product("1.00", 0);
    let stock: Vec<Value> = [1, 2, 3]
        .map(|place| json!({"warehouse_id": place, "product_id": 1, "delta": 5, "reason": "received"}))
        .into();
    server.post("/v1/stock/adjustments", json!({"adjustments": stock}).to_string()).is(201);
    server.patch("/v1/shops/1", r#"{"sourcing": {"rule": "nearest"}}"#).is(200);
    let from = |ship_to: Value| {
        let body = json!({"product_id": 1, "quantity": 1, "ship_to": ship_to});
        let order = server.post("/v1/orders", body.to_string()).is(201);
        order["lines"][0]["allocations"][0]["warehouse_id"].clone()
    };
    assert_eq!(from(json!({"latitude": 12, "longitude": -90})), 2);
    assert_eq!(from(json!({"latitude": 12, "longitude": 90})), 3);
    assert_eq!(from(Value::Null), 1, "in the shop's order, when it is not known where to");
}

#[test]
fn an_order_is_shown_as_it_was() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    server.advance(10);
    let order = server.order(product, 2);
    server.advance(10);
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    let at = |as_of: &str| server.get(&format!("/v1/orders/{order}?as_of={as_of}"));
    assert_eq!(at("2023-11-14T22:13:30Z").is(200)["status"], "pending_payment");
    assert_eq!(at("2023-11-14T22:13:40Z").is(200)["status"], "paid");
    at("2023-11-14T22:13:29.999Z").problem(404, "not_found");
    at("2023-11-14T22:13:40.001Z").problem(422, "invalid");
    let events = server.get(&format!("/v1/orders/{order}/events")).is(200)["data"].clone();
    let place = |n: usize| events[n]["position"].as_str().unwrap().to_owned();
    assert_eq!(at(&place(0)).is(200), events[0]["data"]);
    assert_eq!(at(&place(2)).is(200)["status"], "paid");
    at("1").problem(404, "not_found");
    at("99999999").problem(422, "invalid");
    at("yesterday").problem(422, "invalid");
}
