//! A stock row and an order as they were.

use serde_json::{Value, json};

use crate::server::Server;

const ROW: &str = "/v1/warehouses/1/stock/1";

#[test]
fn a_stock_row_is_shown_as_it_was() {
    let server = Server::start();
    let before = server.engine.position();
    server.product("2.00", 10);
    let mut then = Vec::new();
    let mut note = || {
        let row = server.get(ROW);
        then.push((
            server.engine.position(),
            row.text.clone(),
            row.header("etag").map(str::to_owned),
        ));
        row.is(200)
    };
    assert_eq!(note()["available"], 10);
    server.order(1, 3);
    assert_eq!(note()["reserved"], 3);
    server.patch(ROW, r#"{"safety_stock": 1, "backorder_limit": 4}"#).is(200);
    assert_eq!(note()["available"], 10);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    let moved = r#"{"product_id": 1, "from_warehouse_id": 2, "to_warehouse_id": 1, "quantity": 2, "in_transit": true}"#;
    let found = r#"{"product_id": 1, "warehouse_id": 2, "delta": 2, "reason": "found"}"#;
    server.post("/v1/stock/adjustments", found).is(201);
    server.post("/v1/warehouses/transfer", moved).is(201);
    assert_eq!(note()["incoming"], 2);
    server.patch("/v1/warehouses/1/status", r#"{"status": "inactive"}"#).is(200);
    assert_eq!(note()["available"], 0);
    server.put(ROW, r#"{"on_hand": 8, "reason": "counted"}"#).is(200);
    server.patch("/v1/warehouses/1/status", r#"{"status": "active"}"#).is(200);
    assert_eq!(note()["on_hand"], 8);
    for (position, text, etag) in &then {
        let row = server.get(&format!("{ROW}?as_of={position}"));
        assert_eq!((row.status, &row.text), (200, text), "as of {position}");
        assert_eq!(row.header("etag"), etag.as_deref(), "as of {position}");
    }
    // Nothing is as of before the product, and the second warehouse is younger than it.
    server.get(&format!("{ROW}?as_of={before}")).problem(404, "not_found");
    server.get(&format!("{ROW}?as_of=0")).problem(404, "not_found");
    let second = format!("/v1/warehouses/2/stock/1?as_of={}", then[0].0);
    server.get(&second).problem(404, "not_found");
}

#[test]
fn a_moment_is_everything_that_was_committed_by_then() {
    let server = Server::start();
    server.product("2.00", 10);
    server.advance(60);
    server.order(1, 3);
    server.advance(60);
    server.order(1, 1);
    let at = |moment: &str| server.get(&format!("{ROW}?as_of={moment}"));
    // The tests' time begins at 22:13:20.
    let moment = |seconds: u64| {
        let seconds = 20 + seconds;
        format!("2023-11-14T22:{:02}:{:02}Z", 13 + seconds / 60, seconds % 60)
    };
    assert_eq!(at(&moment(0)).is(200)["reserved"], 0);
    assert_eq!(at(&moment(59)).is(200)["reserved"], 0);
    assert_eq!(at(&moment(60)).is(200)["reserved"], 3);
    assert_eq!(at(&moment(119)).is(200)["reserved"], 3);
    assert_eq!(at(&moment(120)).is(200)["reserved"], 4);
    at("2001-01-01T00:00:00Z").problem(404, "not_found");
}

#[test]
fn the_future_and_what_is_no_moment_are_refused_and_a_thing_that_never_was_comes_first() {
    let server = Server::start();
    server.product("2.00", 10);
    let future = server.engine.position() + 1;
    for wrong in [
        future.to_string(),
        "2999-01-01T00:00:00Z".into(),
        "now".into(),
        "-1".into(),
        String::new(),
    ] {
        let problem = server.get(&format!("{ROW}?as_of={wrong}")).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["parameter"], "as_of", "{problem}");
        server.get(&format!("/v1/warehouses/9/stock/1?as_of={wrong}")).problem(404, "not_found");
        server.get(&format!("/v1/warehouses/1/stock/9?as_of={wrong}")).problem(404, "not_found");
    }
    server.get(&format!("{ROW}?as_of=1&as_of=2")).problem(422, "invalid");
}

#[test]
fn an_order_as_of_then_names_its_products_as_they_were_called() {
    let server = Server::start();
    server.product("2.00", 10);
    let order = server.order(1, 1);
    let path = format!("/v1/orders/{order}");
    let (position, first) = (server.engine.position(), server.get(&path).is(200));
    server.patch("/v1/products/1", json!({"name": "renamed", "sku": "NEW"}).to_string()).is(200);
    let now: Value = server.get(&path).is(200);
    assert_eq!(now["lines"][0]["name"], "renamed");
    assert_eq!(server.get(&format!("{path}?as_of={position}")).is(200), first);
}
