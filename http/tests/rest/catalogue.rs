//! Products, shops and warehouses.

use serde_json::{Value, json};

use crate::server::Server;

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_product_has_these_fields() {
    let server = Server::start();
    let body = json!({
        "name": "ruler", "price": "3.50", "currency": "USD", "sku": "R-1", "description": "long", "stock": 7,
        "shop_ids": [1], "attributes": {"colour": "red"}, "reference": "ext-1", "metadata": {"k": "v"},
    });
    let made = server.post("/v1/products", body.to_string());
    assert_eq!(made.header("location"), Some("/v1/products/1"));
    assert_eq!(made.header("etag"), server.get("/v1/products/1").header("etag"));
    let mut wanted = body;
    for (field, value) in json!({
        "id": 1, "status": "active", "available": 7, "version": 1,
        "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
    })
    .as_object()
    .unwrap()
    {
        wanted[field] = value.clone();
    }
    assert_eq!(made.is(201), wanted);
    assert_eq!(server.get("/v1/products/1").is(200), wanted);
    server
        .post("/v1/products", r#"{"name": "b", "price": 1, "sku": "R-1"}"#)
        .problem(409, "sku_taken");
    server
        .post("/v1/products", r#"{"name": "b", "price": 1, "shop_ids": [1, 9]}"#)
        .refuses("invalid", "/shop_ids/1");
    server.post("/v1/products", r#"{"name": " ", "price": 1}"#).refuses("invalid", "/name");
    server.post("/v1/products", r#"{"price": 1}"#).refuses("invalid", "/name");
    server
        .post("/v1/products", r#"{"name": "b", "price": 1, "id": 5}"#)
        .refuses("unknown_field", "/id");
    let plain = server.post("/v1/products", r#"{"name": "b", "price": 1}"#).is(201);
    assert_eq!(
        (&plain["sku"], &plain["stock"], &plain["shop_ids"]),
        (&json!("P2"), &json!(0), &json!([]))
    );
}

#[test]
fn replacing_a_product_needs_the_version_that_was_seen() {
    let server = Server::start();
    server.product("1.00", 5);
    let put = |headers: &[(&str, &str)], body: &str| {
        server.send("PUT", "/v1/products/1", headers, Some(body))
    };
    let body = r#"{"name": "new", "price": "2"}"#;
    put(&[], body).problem(428, "precondition_required");
    put(&[("if-match", "\"7-x\"")], body).problem(412, "precondition_failed");
    put(&[], r#"{"name": "new", "price": "2", "version": 7}"#).problem(409, "version_conflict");
    let done = put(&[], r#"{"name": "new", "price": "2", "version": 1}"#);
    let tag = done.header("etag").unwrap().to_owned();
    assert_eq!(done.is(200)["version"], 2);
    // With both the header decides.
    let both = put(&[("if-match", &tag)], r#"{"name": "newer", "price": "2", "version": 1}"#);
    assert_eq!(both.is(200)["version"], 3);
    // Stock may have moved meanwhile: only the version counts.
    let tag = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    server.order(1, 1);
    let weak = format!("W/{}", tag.replace("\"\"", "\""));
    assert_eq!(
        put(&[("if-match", &weak)], r#"{"name": "newest", "price": "2"}"#).is(200)["version"],
        4
    );
    assert_eq!(put(&[("if-match", "*")], body).is(200)["name"], "new");
    server.send("DELETE", "/v1/products/1", &[], None).problem(428, "precondition_required");
    let stale = [("if-match", "\"1-0\"")];
    server.send("DELETE", "/v1/products/1", &stale, None).problem(412, "precondition_failed");
}

#[test]
fn put_keeps_and_empties_what_the_contract_says() {
    let server = Server::start();
    let body = r#"{"name": "a", "price": "1", "sku": "S", "description": "d", "stock": 4, "shop_ids": [1], "attributes": {"x": "y"}}"#;
    let made = server.post("/v1/products", body).is(201);
    let now = server.put("/v1/products/1", r#"{"name": "b", "price": "1.10"}"#).is(200);
    assert_eq!(
        (&now["name"], &now["price"], &now["sku"]),
        (&json!("b"), &json!("1.10"), &json!("S"))
    );
    assert_eq!(
        (&now["stock"], &now["shop_ids"], &now["currency"]),
        (&json!(4), &json!([1]), &json!("USD"))
    );
    assert_eq!((&now["description"], &now["attributes"]), (&json!(""), &json!({})));
    // The answer itself can be sent back: what is read-only is ignored.
    let back = server.send("PUT", "/v1/products/1", &[], Some(&made.to_string()));
    back.problem(409, "version_conflict");
    let mut back = made.clone();
    back["version"] = 2.into();
    back["created_at"] = "whenever".into();
    back["available"] = 999.into();
    let back = server.send("PUT", "/v1/products/1", &[], Some(&back.to_string())).is(200);
    assert_eq!((&back["description"], &back["available"]), (&json!("d"), &json!(4)));
    server
        .put("/v1/products/1", r#"{"name": "b", "price": 1, "colour": "red"}"#)
        .refuses("unknown_field", "/colour");
    server.put("/v1/products/1", r#"{"name": "b"}"#).refuses("invalid", "/price");
}

#[test]
fn the_stock_of_a_product_is_a_wanted_total() {
    let server = Server::start();
    server.product("1.00", 10);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    let move_some =
        r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 4}"#;
    server.post("/v1/warehouses/transfer", move_some).is(201);
    let tag = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    let put = |tag: &str, stock: u64| {
        let body = format!(r#"{{"name": "a", "price": 1, "stock": {stock}}}"#);
        server.send("PUT", "/v1/products/1", &[("if-match", tag)], Some(&body))
    };
    // 12 in all: 2 more in the default warehouse.
    assert_eq!(put(&tag, 12).is(200)["stock"], 12);
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 8);
    assert_eq!(server.get("/v1/warehouses/2/stock/1").is(200)["on_hand"], 4);
    // The total that the ETag showed must still be there.
    let tag = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    server.order(1, 5);
    put(&tag, 20).problem(412, "precondition_failed");
    assert_eq!(server.get("/v1/products/1").is(200)["stock"], 12);
    // Below what is reserved there: nothing happened.
    let problem = put("*", 5).problem(409, "insufficient_stock");
    assert_eq!(problem["errors"][0]["pointer"], "/stock");
    assert_eq!(server.get("/v1/products/1").is(200)["stock"], 12);
    assert_eq!(server.patch("/v1/products/1", r#"{"stock": 11}"#).is(200)["stock"], 11);
    server
        .put("/v1/products/1", r#"{"name": "a", "price": 1, "stock": 9000000000000000}"#)
        .refuses("invalid", "/stock");
}

#[test]
fn a_version_does_not_put_back_on_sale_what_was_sold_since() {
    let server = Server::start();
    server.product("1.00", 10);
    let seen = server.get("/v1/products/1").is(200);
    let order = server.order(1, 4);
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    server.post(&format!("/v1/orders/{order}/shipments"), "{}").is(201);
    let send = |method: &str, headers: &[(&str, &str)], body: &Value| {
        server.send(method, "/v1/products/1", headers, Some(&body.to_string()))
    };
    for method in ["PUT", "PATCH"] {
        let problem = send(method, &[], &seen).problem(428, "precondition_required");
        assert_eq!(problem["errors"][0]["pointer"], "/stock");
        assert_eq!(server.get("/v1/products/1").is(200)["stock"], 6);
    }
    // What it is anyway, or nothing of it, needs no ETag.
    let mut same = seen.clone();
    same["stock"] = 6.into();
    assert_eq!(send("PUT", &[], &same).is(200)["stock"], 6);
    same.as_object_mut().unwrap().remove("stock");
    assert_eq!(send("PUT", &[], &same).is(200)["stock"], 6);
    // With the header it is the header that counts, and a patch that saw nothing says what there is to be.
    let tag = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    assert_eq!(send("PUT", &[("if-match", &tag)], &seen).is(200)["stock"], 10);
    assert_eq!(send("PATCH", &[], &json!({"stock": 7})).is(200)["stock"], 7);
}

#[test]
fn a_merge_patch_changes_only_what_it_names() {
    let server = Server::start();
    let body = r#"{"name": "a", "price": "1", "description": "d", "shop_ids": [1], "attributes": {"x": "1", "y": "2"}, "reference": "r"}"#;
    server.post("/v1/products", body).is(201);
    let patched = server
        .patch(
            "/v1/products/1",
            r#"{"attributes": {"x": null, "z": "3"}, "reference": null, "description": null}"#,
        )
        .is(200);
    assert_eq!(patched["attributes"], json!({"y": "2", "z": "3"}));
    assert_eq!((&patched["reference"], &patched["description"]), (&Value::Null, &json!("")));
    assert_eq!(
        (&patched["name"], &patched["shop_ids"], &patched["version"]),
        (&json!("a"), &json!([1]), &json!(2))
    );
    let emptied =
        server.patch("/v1/products/1", r#"{"shop_ids": null, "attributes": null}"#).is(200);
    assert_eq!((&emptied["shop_ids"], &emptied["attributes"]), (&json!([]), &json!({})));
    // Nothing changes: the same answer, the same version.
    assert_eq!(server.patch("/v1/products/1", r#"{"name": "a"}"#).is(200), emptied);
    assert_eq!(server.patch("/v1/products/1", "{}").is(200), emptied);
    server
        .patch("/v1/products/1", r#"{"version": 9, "name": "b"}"#)
        .problem(409, "version_conflict");
    let stale = [("if-match", "\"9-x\"")];
    server.send("PATCH", "/v1/products/1", &stale, Some("{}")).problem(412, "precondition_failed");
    server.patch("/v1/products/1", r#"{"currency": "JPY"}"#).refuses("invalid", "/price");
    server.patch("/v1/products/1", r#"{"colour": 1}"#).refuses("unknown_field", "/colour");
    server.patch("/v1/products/1", r#"{"status": "gone"}"#).refuses("invalid", "/status");
    for field in ["name", "price", "currency", "sku", "stock", "status"] {
        let nothing = format!(r#"{{"{field}": null}}"#);
        server.patch("/v1/products/1", nothing).refuses("invalid", &format!("/{field}"));
    }
    server.patch("/v1/shops/1", r#"{"name": null}"#).refuses("invalid", "/name");
    server.patch("/v1/warehouses/1", r#"{"status": null}"#).refuses("invalid", "/status");
    let ignored = r#"{"id": 9, "available": 9, "created_at": 1, "updated_at": {"deep": []}}"#;
    assert_eq!(server.patch("/v1/products/1", ignored).is(200), emptied);
}

#[test]
fn an_archived_product_stays_readable_and_comes_back() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    let any = [("if-match", "*")];
    let archived = server.send("DELETE", "/v1/products/1", &any, None).is(200);
    assert_eq!((&archived["status"], &archived["version"]), (&json!("archived"), &json!(2)));
    assert_eq!(server.send("DELETE", "/v1/products/1", &any, None).is(200), archived);
    assert_eq!(server.get("/v1/products/1").is(200), archived);
    server.put("/v1/products/1", r#"{"name": "b", "price": 1}"#).problem(409, "product_archived");
    server.patch("/v1/products/1", r#"{"name": "b"}"#).problem(409, "product_archived");
    let line = format!(r#"{{"product_id": {product}, "quantity": 1}}"#);
    server.post("/v1/orders", &line).refuses("product_archived", "/product_id");
    server.post("/v1/reservations", &line).refuses("product_archived", "/product_id");
    assert_eq!(server.get("/v1/products").is(200)["data"], json!([]));
    assert_eq!(server.get("/v1/products?status=archived").is(200)["data"][0]["id"], 1);
    assert_eq!(server.get("/v1/products?ids=1").is(200)["data"][0]["id"], 1);
    assert_eq!(
        server.patch("/v1/products/1", r#"{"status": "active"}"#).is(200)["status"],
        "active"
    );
    server.post("/v1/orders", &line).is(201);
}

#[test]
fn shops_are_made_changed_and_draw_from_their_warehouses() {
    let server = Server::start();
    let main = server.get("/v1/shops/1").is(200);
    assert_eq!((&main["name"], &main["currency"]), (&json!("main"), &json!("USD")));
    let body = r#"{"name": "b", "currency": "EUR", "payment_deadline_seconds": 60, "sourcing": {"rule": "most_stock", "split_lines": false}}"#;
    let made = server.post("/v1/shops", body);
    assert_eq!(made.header("location"), Some("/v1/shops/2"));
    let made = made.is(201);
    assert_eq!(
        keys(&made),
        [
            "created_at",
            "currency",
            "id",
            "name",
            "payment_deadline_seconds",
            "sourcing",
            "updated_at",
            "version"
        ]
    );
    assert_eq!(made["sourcing"], json!({"rule": "most_stock", "split_lines": false}));
    let patched =
        server.patch("/v1/shops/2", r#"{"sourcing": {"rule": "nearest"}, "version": 1}"#).is(200);
    assert_eq!(patched["sourcing"], json!({"rule": "nearest", "split_lines": false}));
    server.patch("/v1/shops/2", r#"{"version": 1, "name": "c"}"#).problem(409, "version_conflict");
    let stale = [("if-match", "\"1-x\"")];
    server.send("PATCH", "/v1/shops/2", &stale, Some("{}")).problem(412, "precondition_failed");
    server.patch("/v1/shops/2", r#"{"sourcing": {"rule": "random"}}"#).problem(422, "invalid");
    server.post("/v1/shops", r#"{"name": ""}"#).refuses("invalid", "/name");
    server
        .post("/v1/shops", r#"{"name": "x", "payment_deadline_seconds": 604801}"#)
        .refuses("invalid", "/payment_deadline_seconds");
    assert_eq!(server.get("/v1/shops").is(200)["data"].as_array().unwrap().len(), 2);

    server.post("/v1/warehouses", r#"{"name": "w2"}"#).is(201);
    assert_eq!(server.get("/v1/shops/1/warehouses").is(200), json!({"warehouse_ids": [1, 2]}));
    let set = |body: &str| server.send("PUT", "/v1/shops/1/warehouses", &[], Some(body));
    assert_eq!(set(r#"{"warehouse_ids": [2, 1]}"#).is(200), json!({"warehouse_ids": [2, 1]}));
    set(r#"{"warehouse_ids": [2, 9]}"#).refuses("invalid", "/warehouse_ids/1");
    set(r#"{"warehouse_ids": [2, 2]}"#).refuses("invalid", "/warehouse_ids/1");
    set(r#"{"warehouse_ids": [2]}"#).is(200);
    // What is in a warehouse that the shop does not draw from is not available in it.
    server.product("1.00", 5);
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 5);
    assert_eq!(server.get("/v1/products/1?shop_id=1").is(200)["available"], 0);
    assert_eq!(server.get("/v1/products?in_stock=true&shop_id=1").is(200)["data"], json!([]));
    server
        .post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#)
        .problem(409, "insufficient_stock");
    // Without a list it draws from every active one again, those that came since too.
    set(r#"{"warehouse_ids": []}"#).is(200);
    server.post("/v1/warehouses", r#"{"name": "w3"}"#).is(201);
    assert_eq!(server.get("/v1/shops/1/warehouses").is(200), json!({"warehouse_ids": [1, 2, 3]}));
    assert_eq!(server.get("/v1/products/1?shop_id=1").is(200)["available"], 5);
    set(r#"{"warehouse_ids": [2]}"#).is(200);
    let there = server.product("1.00", 5);
    let elsewhere = format!(r#"{{"product_id": {there}, "quantity": 1, "shop_id": 2}}"#);
    server.post("/v1/orders", elsewhere).refuses("currency_mismatch", "/product_id");
    server.patch("/v1/products/1", r#"{"shop_ids": [2]}"#).is(200);
    server
        .post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#)
        .refuses("product_not_sold_here", "/product_id");
}

#[test]
fn warehouses_are_made_moved_closed_and_opened() {
    let server = Server::start();
    let body = r#"{"name": "north", "country": "NO", "latitude": 59.913868, "longitude": -10.5}"#;
    let made = server.post("/v1/warehouses", body);
    assert_eq!(made.header("location"), Some("/v1/warehouses/2"));
    let made = made.is(201);
    assert_eq!((&made["latitude"], &made["longitude"]), (&json!(59.913868), &json!(-10.5)));
    assert_eq!((&made["country"], &made["status"]), (&json!("NO"), &json!("active")));
    server
        .post("/v1/warehouses", r#"{"name": "x", "latitude": 1}"#)
        .refuses("invalid", "/longitude");
    server
        .post("/v1/warehouses", r#"{"name": "x", "latitude": 91, "longitude": 0}"#)
        .refuses("invalid", "/latitude");
    server
        .post("/v1/warehouses", r#"{"name": "x", "country": "Norway"}"#)
        .refuses("invalid", "/country");
    let patched = server.patch("/v1/warehouses/2", r#"{"country": null, "latitude": 1.5}"#).is(200);
    assert_eq!(
        (&patched["country"], &patched["latitude"], &patched["longitude"]),
        (&Value::Null, &json!(1.5), &json!(-10.5))
    );
    let nowhere =
        server.patch("/v1/warehouses/2", r#"{"latitude": null, "longitude": null}"#).is(200);
    assert_eq!((&nowhere["latitude"], &nowhere["name"]), (&Value::Null, &json!("north")));
    server
        .patch("/v1/warehouses/2", r#"{"version": 1, "name": "c"}"#)
        .problem(409, "version_conflict");

    server.product("1.00", 5);
    let closed = server.patch("/v1/warehouses/1/status", r#"{"status": "inactive"}"#).is(200);
    assert_eq!(closed["status"], "inactive");
    assert_eq!(
        server.patch("/v1/warehouses/1/status", r#"{"status": "inactive"}"#).is(200),
        closed
    );
    let product = server.get("/v1/products/1").is(200);
    assert_eq!((&product["stock"], &product["available"]), (&json!(5), &json!(0)));
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["available"], 0);
    server
        .post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#)
        .problem(409, "insufficient_stock");
    let named = r#"{"product_id": 1, "quantity": 1, "warehouse_id": 1}"#;
    server.post("/v1/reservations", named).problem(409, "warehouse_inactive");
    server
        .patch("/v1/warehouses/1/status", r#"{"status": "closed"}"#)
        .refuses("invalid", "/status");
    server.patch("/v1/warehouses/1/status", r#"{"status": "active"}"#).is(200);
    server.post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#).is(201);
}

#[test]
fn a_refusal_of_stock_or_price_speaks_of_what_was_sent() {
    let server = Server::start();
    let much = r#"{"name": "a", "price": 1, "stock": 1000000001}"#;
    let problem = server.post("/v1/products", much).problem(422, "invalid");
    assert_eq!(problem["errors"][0]["detail"], "must be from 0 to 1000000000");
    server.product("1.00", 10);
    server.order(1, 4);
    let row = r#"{"products": [{"name": "a", "price": 1, "sku": "P1", "stock": 2}]}"#;
    let rows = server.post("/v1/products/batch", row).is(200);
    for problem in [
        server.put("/v1/products/1", r#"{"name": "a", "price": 1, "stock": 2}"#).json,
        server.patch("/v1/products/1", r#"{"stock": 2}"#).json,
        rows["results"][0]["error"].clone(),
    ] {
        assert_eq!(problem["code"], "insufficient_stock", "{problem}");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("must be at least 4: "), "{detail}");
        assert_eq!(problem["detail"], detail);
    }
    let dear = r#"{"name": "a", "price": "10000000000.01"}"#;
    for answer in [server.post("/v1/products", dear), server.put("/v1/products/1", dear)] {
        answer.refuses("amount_too_large", "/price");
    }
}
