//! Stock: rows, adjustments, recounts, policies.

use serde_json::{Value, json};

use crate::server::Server;

#[test]
fn a_row_says_what_is_there_and_what_can_be_promised() {
    let server = Server::start();
    let product = server.product("1.00", 10);
    server.order(product, 4);
    let row = |on_hand: u64, safety: u64, backorder: u64, available: u64, version: u64| {
        json!({
            "product_id": 1, "warehouse_id": 1, "on_hand": on_hand, "reserved": 4, "safety_stock": safety,
            "incoming": 0, "backorder_limit": backorder, "available": available, "version": version,
        })
    };
    let path = "/v1/warehouses/1/stock/1";
    assert_eq!(server.get(path).is(200), row(10, 0, 0, 6, 1));
    let policy = server.patch(path, r#"{"safety_stock": 5, "backorder_limit": 2}"#);
    assert!(policy.header("etag").is_some());
    assert_eq!(policy.is(200), row(10, 5, 2, 3, 2));
    assert_eq!(server.patch(path, r#"{"safety_stock": 0}"#).is(200), row(10, 0, 2, 8, 3));
    let put = |body: &str| server.send("PUT", path, &[], Some(body));
    assert_eq!(put(r#"{"on_hand": 6, "reason": "counted"}"#).is(200), row(6, 0, 2, 4, 4));
    let problem = put(r#"{"on_hand": 1, "reason": "counted"}"#).problem(409, "insufficient_stock");
    assert_eq!(problem["errors"][0]["pointer"], "/on_hand");
    put(r#"{"on_hand": 6}"#).refuses("invalid", "/reason");
    put(r#"{"on_hand": 6, "reason": "x", "version": 1}"#).problem(409, "version_conflict");
    let stale = [("if-match", "\"1-x\"")];
    server
        .send("PUT", path, &stale, Some(r#"{"on_hand": 6, "reason": "x"}"#))
        .problem(412, "precondition_failed");
    let read_only = r#"{"on_hand": 7, "reason": "x", "reserved": 0, "available": 0, "incoming": 9, "product_id": 5, "warehouse_id": 6}"#;
    assert_eq!(put(read_only).is(200)["reserved"], 4);
    server.patch(path, r#"{"on_hand": 8}"#).refuses("invalid", "/on_hand");
    // A stock that nothing ever happened to is empty, not missing.
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    assert_eq!(server.get("/v1/warehouses/2/stock/1").is(200)["on_hand"], 0);
}

#[test]
fn one_adjustment_corrects_one_stock() {
    let server = Server::start();
    let product = server.product("1.00", 10);
    server.order(product, 4);
    let body = |delta: i64, reason: &str| {
        json!({"warehouse_id": 1, "product_id": 1, "delta": delta, "reason": reason, "reference": "r"}).to_string()
    };
    let made = server.post("/v1/stock/adjustments", body(-2, "damaged")).is(201);
    assert_eq!(
        made,
        json!({
            "id": made["id"], "reason": "damaged", "reference": "r", "created_at": "2023-11-14T22:13:20.000Z",
            "adjustments": [{"warehouse_id": 1, "product_id": 1, "delta": -2, "reason": "damaged"}],
        })
    );
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 8);
    let problem =
        server.post("/v1/stock/adjustments", body(-5, "lost")).problem(409, "insufficient_stock");
    assert_eq!(problem["errors"][0]["available"], 4);
    server.post("/v1/stock/adjustments", body(5, "gift")).refuses("invalid", "/reason");
    server.post("/v1/stock/adjustments", body(0, "found")).refuses("invalid", "/delta");
    for (body, pointer) in [
        (r#"{"warehouse_id": 1, "product_id": 1, "delta": 1}"#, "/reason"),
        (r#"{"warehouse_id": 1, "delta": 1, "reason": "found"}"#, "/product_id"),
        (r#"{"warehouse_id": 9, "product_id": 1, "delta": 1, "reason": "found"}"#, "/warehouse_id"),
        (r#"{"warehouse_id": 1, "product_id": 9, "delta": 1, "reason": "found"}"#, "/product_id"),
        (
            r#"{"warehouse_id": 1, "product_id": 1, "delta": 1, "reason": "found", "mode": "all"}"#,
            "/mode",
        ),
        (r#"{"adjustments": [], "reason": "found"}"#, "/adjustments"),
        (r#"{"adjustments": [], "product_id": 1}"#, "/product_id"),
    ] {
        server.post("/v1/stock/adjustments", body).refuses("invalid", pointer);
    }
}

#[test]
fn many_adjustments_are_all_or_none_or_each() {
    let server = Server::start();
    server.product("1.00", 10);
    server.product("1.00", 1);
    let row = |product: u64, delta: i64| json!({"warehouse_id": 1, "product_id": product, "delta": delta});
    let send = |mode: &str, rows: Value| {
        server.post(
            "/v1/stock/adjustments",
            json!({"mode": mode, "reason": "lost", "adjustments": rows}).to_string(),
        )
    };
    let problem = send("all", json!([row(1, -1), row(2, -2)])).problem(409, "insufficient_stock");
    assert_eq!(problem["errors"][0]["pointer"], "/adjustments/1/product_id");
    send("all", json!([row(1, -1), row(2, 0)])).refuses("invalid", "/adjustments/1/delta");
    assert_eq!(server.get("/v1/products/1").is(200)["stock"], 10);
    assert_eq!(send("all", json!([row(1, -1), row(2, 3)])).is(201)["adjustments"][1]["delta"], 3);
    let own = |reason: &str| {
        let mut own = row(2, -1);
        own["reason"] = reason.into();
        own
    };
    // Rows may have reasons of their own: one adjustment, all or nothing.
    let mixed = send("all", json!([own("damaged"), row(2, 1)])).is(201);
    assert_eq!(
        (&mixed["adjustments"][0]["reason"], &mixed["reason"]),
        (&json!("damaged"), &Value::Null)
    );
    assert_eq!(
        mixed["adjustments"][1],
        json!({"warehouse_id": 1, "product_id": 2, "delta": 1, "reason": "lost"})
    );
    send("all", json!([own("damaged"), row(2, -9)])).problem(409, "insufficient_stock");
    let results = send("each", json!([own("damaged"), row(1, -99), row(9, 1), row(1, 1)])).is(200)
        ["results"]
        .clone();
    let status: Vec<_> =
        results.as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(status, [201, 409, 422, 201]);
    assert_eq!(results[0]["adjustment"]["reason"], "damaged");
    assert_eq!(results[1]["error"]["errors"][0]["pointer"], "/adjustments/1/product_id");
    assert_eq!(results[2]["error"]["errors"][0]["pointer"], "/adjustments/2/product_id");
    let stock =
        |product: u64| server.get(&format!("/v1/products/{product}")).is(200)["stock"].clone();
    assert_eq!((stock(1), stock(2)), (json!(10), json!(3)));
}

#[test]
fn stock_is_listed_by_product_and_warehouse() {
    let server = Server::start();
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    for stock in [5, 6, 7] {
        server.product("1.00", stock);
    }
    let more = json!({"reason": "received", "adjustments": [
        {"warehouse_id": 2, "product_id": 1, "delta": 1}, {"warehouse_id": 2, "product_id": 3, "delta": 9},
    ]});
    server.post("/v1/stock/adjustments", more.to_string()).is(201);
    let rows = |query: &str| -> Vec<(u64, u64)> {
        let rows = server.get(&format!("/v1/stock?{query}")).is(200)["data"].clone();
        let id = |row: &Value, name: &str| row[name].as_u64().unwrap();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| (id(row, "product_id"), id(row, "warehouse_id")))
            .collect()
    };
    assert_eq!(rows(""), [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]);
    assert_eq!(rows("product_id=3"), [(3, 1), (3, 2)]);
    assert_eq!(rows("warehouse_id=2"), [(1, 2), (3, 2)]);
    assert_eq!(rows("below=6"), [(1, 1), (1, 2)]);
    let page = server.get("/v1/stock?limit=2").is(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(rows(&format!("limit=2&cursor={cursor}")), [(2, 1), (3, 1)]);
    let other = server.get(&format!("/v1/stock?limit=2&cursor={cursor}&below=9"));
    other.problem(422, "cursor_invalid");
}

#[test]
fn a_policy_that_changes_nothing_leaves_no_trace() {
    let server = Server::start();
    server.product("1.00", 5);
    let path = "/v1/warehouses/1/stock/1";
    let set = server.patch(path, r#"{"safety_stock": 2, "backorder_limit": 4}"#).is(200);
    for same in ["{}", r#"{"safety_stock": 2}"#, r#"{"safety_stock": 2, "backorder_limit": 4}"#] {
        assert_eq!(server.patch(path, same).is(200), set);
    }
    let told = server.get("/v1/events?type=stock.policy_changed").is(200);
    assert_eq!(told["data"].as_array().unwrap().len(), 1);
    for field in ["safety_stock", "backorder_limit"] {
        let nothing = format!(r#"{{"{field}": null}}"#);
        server.patch(path, nothing).refuses("invalid", &format!("/{field}"));
    }
    // A recount says that somebody counted, also when the number is right.
    let counted = server.put(path, r#"{"on_hand": 5, "reason": "yearly"}"#).is(200);
    assert_eq!(counted["version"].as_u64(), set["version"].as_u64().map(|version| version + 1));
}

#[test]
fn a_limit_below_what_it_promised_points_to_the_limit() {
    let server = Server::start();
    server.product("1.00", 5);
    let path = "/v1/warehouses/1/stock/1";
    server.patch(path, r#"{"backorder_limit": 4}"#).is(200);
    server.order(1, 8);
    for (answer, pointer) in [
        (server.patch(path, r#"{"backorder_limit": 0}"#), "/backorder_limit"),
        (server.put(path, r#"{"on_hand": 3, "reason": "count"}"#), "/on_hand"),
    ] {
        let problem = answer.problem(409, "insufficient_stock");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
        assert!(problem["reservations"].is_array());
    }
}
