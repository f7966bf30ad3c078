//! Many at once, the joined view, and the clock of tests.

use serde_json::{Value, json};
use stockade_http::HttpConfig;

use crate::server::Server;

#[test]
fn a_batch_of_products_creates_and_changes_by_sku() {
    let server = Server::start();
    let old =
        json!({"name": "old", "price": "1.00", "sku": "A", "stock": 5, "description": "kept"});
    server.post("/v1/products", old.to_string()).is(201);
    let rows = json!({"products": [
        {"sku": "A", "name": "new", "price": "2.50", "stock": 9},
        {"sku": "B", "name": "b", "price": 3, "stock": 2},
        {"name": "no sku", "price": "1"},
        {"sku": "B", "name": "again", "price": "1"},
        {"sku": "C", "name": "c", "price": "1.001"},
        {"sku": "D", "name": "", "price": "1"},
        {"sku": "E", "name": "e", "price": "1", "shop_ids": [9]},
    ]});
    let answer = server.post("/v1/products/batch", rows.to_string()).is(200);
    let results = answer["results"].as_array().unwrap();
    let status: Vec<_> = results.iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(status, [200, 201, 201, 422, 422, 422, 422]);
    let first = &results[0]["product"];
    assert_eq!(
        (&first["id"], &first["name"], &first["price"]),
        (&json!(1), &json!("new"), &json!("2.50"))
    );
    assert_eq!((&first["stock"], &first["description"]), (&json!(9), &json!("kept")));
    assert_eq!(results[1]["product"], server.get("/v1/products/2").is(200));
    for (row, pointer) in [
        (3, "/products/3/sku"),
        (4, "/products/4/price"),
        (5, "/products/5/name"),
        (6, "/products/6/shop_ids/0"),
    ] {
        assert_eq!(results[row]["error"]["errors"][0]["pointer"], pointer);
    }
    server.post("/v1/products/batch", r#"{"products": []}"#).refuses("invalid", "/products");
    let many = |n: usize| {
        let rows: Vec<Value> = (0..n)
            .map(|n| json!({"sku": format!("M{n}"), "name": "m", "price": "1", "stock": 1}))
            .collect();
        server.post("/v1/products/batch", json!({"products": rows}).to_string())
    };
    many(1_001).refuses("invalid", "/products");
    let made = many(1_000).is(200);
    assert!(made["results"].as_array().unwrap().iter().all(|row| row["status"] == 201));
    // What is reserved stays: a total below it is refused, for its row alone.
    server.order(1, 8);
    let low = json!({"products": [{"sku": "A", "name": "n", "price": 1, "stock": 7}, {"sku": "B", "name": "b2", "price": 1}]});
    let answer = server.post("/v1/products/batch", low.to_string()).is(200);
    assert_eq!(answer["results"][0]["error"]["code"], "insufficient_stock");
    assert_eq!(answer["results"][1]["product"]["name"], "b2");
}

/// Of a product that is there a row says what changes, as PATCH does; a new one needs what POST needs.
#[test]
fn a_row_with_a_known_sku_is_a_merge_patch() {
    let server = Server::start();
    let whole = json!({
        "sku": "A", "name": "a", "price": "1.50", "stock": 5, "description": "d", "reference": "r",
        "attributes": {"x": "1", "y": "2"}, "metadata": {"m": "1"},
    });
    let batch = |rows: Value| {
        let answer = server.post("/v1/products/batch", json!({"products": rows}).to_string());
        answer.is(200)["results"].clone()
    };
    let mut known = batch(json!([whole]))[0]["product"].clone();
    let changed = batch(json!([
        {"sku": "A", "attributes": {"x": null, "z": "3"}, "reference": null, "metadata": null},
        {"sku": "B", "price": 1},
        {"sku": "C", "name": "c"},
        {"sku": "D", "name": "d", "price": 1, "currency": "XXL"},
        {"sku": "E", "name": "e", "price": 1, "colour": "red"},
        {"sku": "F", "name": "f", "price": 1, "attributes": {"x": null, "y": "2"}},
        {"name": "a", "sku": "G", "price": null},
    ]));
    let product = &changed[0]["product"];
    for (field, value) in [
        ("attributes", json!({"y": "2", "z": "3"})),
        ("reference", json!(null)),
        ("metadata", json!({})),
        ("version", json!(2)),
        ("updated_at", product["updated_at"].clone()),
    ] {
        known[field] = value;
    }
    assert_eq!((&changed[0]["status"], product), (&json!(200), &known));
    for (row, field) in [(1, "name"), (2, "price"), (3, "currency"), (4, "colour"), (6, "price")] {
        assert_eq!(changed[row]["status"], 422);
        let pointer = format!("/products/{row}/{field}");
        assert_eq!(changed[row]["error"]["errors"][0]["pointer"], pointer);
    }
    assert_eq!(changed[5]["product"]["attributes"], json!({"y": "2"}));
    let alone = batch(json!([{"sku": "A", "stock": 9}, {"sku": "A", "name": "again"}]));
    assert_eq!(alone[0]["product"]["stock"], 9);
    assert_eq!(alone[1]["error"]["errors"][0]["pointer"], "/products/1/sku");
    // A price is in a currency.
    let other = batch(json!([{"sku": "A", "currency": "EUR"}]));
    assert_eq!(other[0]["error"]["errors"][0]["pointer"], "/products/0/price");
}

#[test]
fn order_details_have_a_row_for_each_line() {
    let server = Server::start();
    for name in ["a", "b", "c"] {
        let body = json!({"name": name, "price": "1.50", "sku": name.to_uppercase(), "stock": 50});
        server.post("/v1/products", body.to_string()).is(201);
    }
    let place = |products: &[u64], customer: Option<u64>| {
        let lines: Vec<_> =
            products.iter().map(|id| json!({"product_id": id, "quantity": 2})).collect();
        let body = json!({"lines": lines, "customer_id": customer});
        server.post("/v1/orders", body.to_string()).is(201)["id"].as_u64().unwrap()
    };
    let first = place(&[1, 2, 3], Some(7));
    server.advance(1);
    let second = place(&[2], None);
    server.advance(1);
    let third = place(&[3, 1], Some(7));
    let row = server.get("/v1/order-details?sort=placed_at&limit=1").is(200)["data"][0].clone();
    assert_eq!(
        row,
        json!({
            "order_id": first, "line": 1, "placed_at": "2023-11-14T22:13:20.000Z", "status": "pending_payment",
            "customer": {"id": 7, "name": null, "email": null}, "shop": {"id": 1, "name": "main"},
            "product": {"id": 1, "sku": "A", "name": "a"}, "quantity": 2, "unit_price": "1.50", "line_total": "3.00",
            "total_price": "9.00", "currency": "USD",
            "allocations": [{"warehouse_id": 1, "warehouse": "main", "quantity": 2}],
        })
    );
    let walk = |query: &str| {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/v1/order-details?{query}{cursor}")).is(200);
            for row in page["data"].as_array().unwrap() {
                all.push((row["order_id"].as_u64().unwrap(), row["line"].as_u64().unwrap()));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    let rows = [(first, 1), (first, 2), (first, 3), (second, 1), (third, 1), (third, 2)];
    for limit in [1, 2, 4, 50] {
        assert_eq!(walk(&format!("sort=placed_at&limit={limit}")), rows, "{limit}");
    }
    assert_eq!(walk("sort=placed_at&customer_id=7&limit=2").len(), 5);
    assert_eq!(walk("sort=-placed_at&limit=2")[..2], [(third, 1), (third, 2)]);
    assert!(walk("status=paid").is_empty());
    let nobody = server.get("/v1/order-details?product_id=2&sort=-placed_at&limit=1").is(200);
    assert_eq!(nobody["data"][0]["customer"], Value::Null);
    server.get("/v1/order-details?nonsense=1").problem(422, "unknown_parameter");
}

#[test]
fn the_clock_moves_only_where_it_was_asked_for() {
    let server = Server::start();
    server.post("/test/clock", r#"{"advance_seconds": 1}"#).problem(404, "not_found");
    let server = Server::with(HttpConfig { test_clock: true, ..HttpConfig::default() });
    let product = server.product("1.00", 5);
    let order = server.order(product, 5);
    let status = || server.get(&format!("/v1/orders/{order}")).is(200)["status"].clone();
    let moved = server.post("/test/clock", r#"{"advance_seconds": 1799}"#).is(200);
    assert_eq!(moved["now"], "2023-11-14T22:43:19.000Z");
    assert_eq!(status(), "pending_payment");
    server.post("/test/clock", r#"{"advance_seconds": 2}"#).is(200);
    // All that fell due is done when it answers.
    assert_eq!(status(), "expired");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 5);
    server.post("/test/clock", r#"{"advance_seconds": -1}"#).refuses("invalid", "/advance_seconds");
    server
        .post("/test/clock", r#"{"advance_seconds": 999999999999}"#)
        .refuses("invalid", "/advance_seconds");
    server.post("/v1/test/clock", "{}").problem(404, "not_found");
}
