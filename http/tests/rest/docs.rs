//! The document and its reader, as they are served.

use crate::server::Server;

#[test]
fn the_document_is_at_the_root_and_only_there() {
    let server = Server::start();
    let answer = server.get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text, stockade_http::openapi());
    let tag = answer.header("etag").unwrap();
    let same = server.send("GET", "/openapi.json", &[("If-None-Match", tag)], None);
    assert_eq!(same.status, 304);
    server.get("/openapi.json?x=1").problem(422, "unknown_parameter");
    let document = answer.is(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/orders/{id}/payments"]["post"].is_object());
    server.get("/v1/openapi.json").problem(404, "not_found");
}

/// Every body that the document shows as an example is one that the server takes.
#[test]
fn the_examples_are_accepted() {
    let server = Server::start();
    let schemas = server.get("/openapi.json").is(200)["components"]["schemas"].clone();
    let example = |name: &str| schemas[name]["examples"][0].to_string();
    let post = |path: &str, name: &str, status| server.post(path, example(name)).is(status);
    post("/v1/products", "NewProduct", 201);
    let batch = post("/v1/products/batch", "NewProducts", 200);
    assert_eq!(batch["results"][0]["status"], 201);
    server.put("/v1/products/1", example("ReplaceProduct")).is(200);
    server.patch("/v1/products/1", example("PatchProduct")).is(200);
    post("/v1/warehouses", "NewWarehouse", 201);
    server.patch("/v1/warehouses/2", example("PatchWarehouse")).is(200);
    post("/v1/shops", "NewShop", 201);
    server.patch("/v1/shops/2", example("PatchShop")).is(200);
    server.put("/v1/shops/2/warehouses", example("ShopWarehouses")).is(200);
    server.put("/v1/warehouses/1/stock/1", example("Recount")).is(200);
    server.patch("/v1/warehouses/1/stock/1", example("StockPolicy")).is(200);
    post("/v1/stock/adjustments", "NewAdjustment", 201);
    post("/v1/warehouses/transfer", "NewTransfer", 201);
    post("/v1/transfers/1/cancel", "CancelTransfer", 200);
    let ten = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 10, "in_transit": true}"#;
    let transfer = server.post("/v1/warehouses/transfer", ten).is(201)["id"].clone();
    post(&format!("/v1/transfers/{transfer}/receive"), "ReceiveTransfer", 200);
    let hold = post("/v1/reservations", "NewReservation", 201)["id"].clone();
    post(&format!("/v1/reservations/{hold}/extend"), "ExtendReservation", 200);
    post("/v1/orders/plan", "NewOrder", 200);
    let order = post("/v1/orders", "NewOrder", 201)["id"].clone();
    let placed = post("/v1/orders/batch", "NewOrders", 200)["results"][0]["order"]["id"].clone();
    post(&format!("/v1/orders/{placed}/cancel"), "CancelOrder", 200);
    server.patch(&format!("/v1/orders/{order}/status"), example("SetOrderStatus")).is(200);
    post(&format!("/v1/orders/{order}/shipments"), "NewShipment", 201);
    post(&format!("/v1/orders/{order}/deliver"), "DeliverOrder", 200);
    post(&format!("/v1/orders/{order}/returns"), "NewReturn", 201);
    server.patch("/v1/warehouses/2/status", example("SetWarehouseStatus")).is(200);
}

#[cfg(feature = "docs-ui")]
#[test]
fn the_reader_loads_nothing_from_elsewhere() {
    let server = Server::start();
    let page = server.get("/docs");
    assert_eq!((page.status, page.header("location")), (308, Some("/docs/index.html")));
    let page = server.get("/docs/index.html");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("://"), "{}", page.text);
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.text.split(attribute).skip(1) {
            let name = rest.split('"').next().unwrap().trim_start_matches("./");
            let file = server.send("HEAD", &format!("/docs/{name}"), &[], None);
            assert_eq!(file.status, 200, "{name}");
            loaded += 1;
        }
    }
    assert_eq!(loaded, 7);
    let start = server.get("/docs/swagger-initializer.js").text;
    assert!(start.contains("\"/openapi.json\"") && !start.contains("://"), "{start}");
    assert!(start.contains("\"validatorUrl\": \"none\""), "{start}");
    for path in ["/docs?x=1", "/docs/index.html?x=1"] {
        server.get(path).problem(422, "unknown_parameter");
    }
    for path in ["/docs/", "/docs/oauth2-redirect.html", "/docs/..%2fx", "/v1/docs"] {
        server.get(path).problem(404, "not_found");
    }
    let other = server.get("/v1/products");
    let policy = other.header("content-security-policy");
    assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"));
}

/// An array of its fields in their order would be a guess.
#[test]
fn a_thing_is_an_object_and_no_array() {
    let server = Server::start();
    server.product("1.00", 5);
    server.post("/v1/orders", r#"{"lines": [[1, 2]]}"#).refuses("invalid", "/lines/0");
    server
        .post(
            "/v1/orders/plan",
            r#"{"lines": [{"product_id": 1, "quantity": 1}], "ship_to": [1, 2]}"#,
        )
        .refuses("invalid", "/ship_to");
    server.post("/v1/warehouses", r#"["a", null, null, null]"#).refuses("invalid", "");
    let plan = r#"{"product_id": 1, "quantity": 1, "reservation_ids": [0]}"#;
    server.post("/v1/orders/plan", plan).refuses("invalid", "/reservation_ids/0");
    server.get("/v1/stock?below=9007199254740992").problem(422, "invalid");
}
