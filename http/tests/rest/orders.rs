//! Orders, from the first request to the last return.

use serde_json::{Value, json};

use crate::server::Server;

#[test]
fn an_order_has_exactly_these_fields() {
    let server = Server::start();
    server
        .post("/v1/products", r#"{"name": "ruler", "price": "3.50", "sku": "R", "stock": 10}"#)
        .is(201);
    assert_eq!(server.customer(), 1);
    let body = json!({
        "lines": [{"product_id": 1, "quantity": 2}, {"product_id": 1, "quantity": 1}], "shop_id": 1,
        "customer_id": 1, "note": "ring twice", "reference": "cart-1", "metadata": {"k": "v"},
        "payment_deadline_seconds": 60, "ship_to": {"latitude": 1, "longitude": 2.5},
    });
    let placed = server.post("/v1/orders", body.to_string());
    let id = placed.json["id"].clone();
    assert_eq!(placed.header("location").unwrap(), format!("/v1/orders/{id}"));
    let at = "2023-11-14T22:13:20.000Z";
    let wanted = json!({
        "id": id, "customer_id": 1, "shop_id": 1, "status": "pending_payment",
        "lines": [{
            "product_id": 1, "sku": "R", "name": "ruler", "quantity": 3, "unit_price": "3.50", "line_total": "10.50",
            "reserved": 3, "shipped": 0, "cancelled": 0, "returned": 0,
            "allocations": [{"warehouse_id": 1, "quantity": 3}],
        }],
        "total_price": "10.50", "paid_amount": "0.00", "refund_due": "0.00", "refunded_amount": "0.00",
        "currency": "USD", "payment_deadline": "2023-11-14T22:14:20.000Z", "placed_at": at, "paid_at": null,
        "closed_at": null, "payments": [], "shipments": [], "returns": [],
        "allowed_transitions": ["paid", "cancelled"], "cancel_reason": null, "note": "ring twice",
        "reference": "cart-1", "metadata": {"k": "v"}, "created_at": at, "updated_at": at, "version": 1,
    });
    assert_eq!(placed.is(201), wanted);
    assert_eq!(server.get(&format!("/v1/orders/{id}")).is(200), wanted);
    // Prices are copied, names are not.
    server.patch("/v1/products/1", r#"{"name": "scale", "price": 9}"#).is(200);
    let line = server.get(&format!("/v1/orders/{id}")).is(200)["lines"][0].clone();
    assert_eq!((&line["name"], &line["unit_price"]), (&json!("scale"), &json!("3.50")));
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 7);
}

#[test]
fn every_spelling_places_the_same_order() {
    let server = Server::start();
    server.product("1.00", 100);
    assert_eq!(server.customer(), 1);
    let lines = |body: &str| server.post("/orders", body).is(201)["lines"][0]["quantity"].clone();
    assert_eq!(lines(r#"{"lines": [{"product_id": 1, "quantity": 2}]}"#), 2);
    assert_eq!(lines(r#"{"products": [{"id": 1, "quantity": 2}, {"id": 1, "quantity": 1}]}"#), 3);
    assert_eq!(lines(r#"{"product_id": 1, "quantity": 4, "customer_id": 1}"#), 4);
    let refused =
        |body: &str, pointer: &str| server.post("/v1/orders", body).refuses("invalid", pointer);
    refused(r#"{"lines": [], "products": []}"#, "/products");
    refused(r#"{"lines": [], "product_id": 1}"#, "/product_id");
    refused(r#"{"products": [], "quantity": 1}"#, "/quantity");
    refused(r#"{"product_id": 1}"#, "/quantity");
    refused(r#"{"quantity": 1}"#, "/product_id");
    // What is wrong is named as it was spelled.
    refused(r#"{"products": [{"id": 1, "quantity": 0}]}"#, "/products/0/quantity");
    refused(r#"{"products": [{"id": 9, "quantity": 1}]}"#, "/products/0/id");
    refused(r#"{"product_id": 1, "quantity": 0}"#, "/quantity");
    let line = server.post("/v1/orders", r#"{"products": [{"product_id": 1, "quantity": 1}]}"#);
    line.refuses("unknown_field", "/products/0/product_id");
}

#[test]
fn too_little_says_for_each_line_what_there_is() {
    let server = Server::start();
    server.product("1.00", 2);
    server.product("1.00", 9);
    server.product("1.00", 0);
    let body = r#"{"lines": [{"product_id": 1, "quantity": 3}, {"product_id": 2, "quantity": 1}, {"product_id": 3, "quantity": 1}]}"#;
    let problem = server.post("/v1/orders", body).problem(409, "insufficient_stock");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    let first = &errors[0];
    assert_eq!(first["pointer"], "/lines/0/product_id");
    assert_eq!(
        (&first["product_id"], &first["wanted"], &first["available"]),
        (&json!(1), &json!(3), &json!(2))
    );
    assert_eq!(errors[1]["product_id"], 3);
    // Nothing is reserved.
    assert_eq!(server.get("/v1/products/2").is(200)["available"], 9);
}

#[test]
fn an_order_goes_all_the_way() {
    let server = Server::start();
    let product = server.product("2.00", 10);
    let order = server.order(product, 5);
    let at = |action: &str| format!("/v1/orders/{order}/{action}");
    server.post(&at("shipments"), "{}").problem(409, "illegal_transition");
    server.post(&at("payments"), r#"{"method": "cash"}"#).is(201);
    let body = format!(
        r#"{{"lines": [{{"product_id": {product}, "quantity": 2}}], "carrier": "DHL", "tracking": "T1"}}"#
    );
    let shipped = server.post(&at("shipments"), &body);
    assert_eq!(shipped.header("location").unwrap(), format!("/v1/orders/{order}"));
    let shipped = shipped.is(201);
    assert_eq!(shipped["status"], "partially_shipped");
    assert_eq!(
        shipped["shipments"][0],
        json!({
            "lines": [{"product_id": product, "warehouse_id": 1, "quantity": 2}],
            "carrier": "DHL", "tracking": "T1", "shipped_at": "2023-11-14T22:13:20.000Z",
        })
    );
    let line = &shipped["lines"][0];
    assert_eq!((&line["reserved"], &line["shipped"]), (&json!(3), &json!(2)));
    assert_eq!(shipped["allowed_transitions"], json!(["shipped", "cancelled"]));
    server.patch(&at("status"), r#"{"status": "returned"}"#).problem(409, "illegal_transition");
    server
        .post(&at("shipments"), r#"{"lines": [{"product_id": 9, "quantity": 1}]}"#)
        .refuses("invalid", "/lines/0/product_id");
    server
        .post(&at("shipments"), r#"{"lines": [{"product_id": 1, "quantity": 4}]}"#)
        .refuses("invalid", "/lines");
    assert_eq!(server.post(&at("shipments"), "{}").is(201)["status"], "shipped");
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 5);
    server.post(&at("cancel"), "{}").problem(409, "illegal_transition");
    let delivered = server.post(&at("deliver"), "{}").is(200);
    assert_eq!(delivered["status"], "delivered");
    assert_eq!(server.post(&at("deliver"), "{}").is(200), delivered);
    server.post(&at("deliver"), r#"{"when": 1}"#).refuses("unknown_field", "/when");
    server.post(&at("returns"), "{}").refuses("invalid", "/lines");
    let back = |quantity: u32, restock: bool| {
        let body = json!({"lines": [{"product_id": 1, "quantity": quantity}], "restock": restock, "reason": "bent"});
        server.post(&at("returns"), body.to_string())
    };
    back(6, true).refuses("invalid", "/lines");
    let one = back(1, false).is(201);
    assert_eq!(
        (&one["refund_due"], &one["returns"][0]["restocked"]),
        (&json!("2.00"), &json!(false))
    );
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 5);
    let all = back(4, true).is(201);
    assert_eq!((&all["status"], &all["refund_due"]), (&json!("returned"), &json!("10.00")));
    assert_eq!(server.get("/v1/warehouses/1/stock/1").is(200)["on_hand"], 9);
}

#[test]
fn a_cancelled_order_frees_its_stock_and_says_so_again() {
    let server = Server::start();
    let product = server.product("2.00", 5);
    let order = server.order(product, 5);
    let at = format!("/v1/orders/{order}/cancel");
    let part = server
        .post(&at, r#"{"lines": [{"product_id": 1, "quantity": 1}], "reason": "changed"}"#)
        .is(200);
    assert_eq!(
        (&part["status"], &part["lines"][0]["cancelled"]),
        (&json!("pending_payment"), &json!(1))
    );
    let whole = server.post(&at, r#"{"reason": "no"}"#).is(200);
    assert_eq!((&whole["status"], &whole["cancel_reason"]), (&json!("cancelled"), &json!("no")));
    assert_eq!(server.post(&at, "{}").is(200), whole);
    let again = |quantity: u32| {
        server.post(&at, json!({"lines": [{"product_id": 1, "quantity": quantity}]}).to_string())
    };
    assert_eq!(again(5).is(200), whole, "all of it means the same");
    again(1).problem(409, "illegal_transition");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 5);
    server.post(&format!("/v1/orders/{order}/payments"), "{}").problem(409, "order_not_payable");
}

#[test]
fn a_status_by_name_takes_the_next_step_or_names_the_legal_ones() {
    let server = Server::start();
    let product = server.product("2.00", 50);
    let set = |order: u64, status: &str| {
        server.patch(&format!("/v1/orders/{order}/status"), format!(r#"{{"status": "{status}"}}"#))
    };
    let order = server.order(product, 2);
    let illegal = |order: u64, status: &str, legal: &str| {
        let detail = set(order, status).problem(409, "illegal_transition")["detail"].clone();
        assert!(detail.as_str().unwrap().ends_with(legal), "{detail}");
    };
    for status in
        ["pending_payment", "partially_shipped", "expired", "shipped", "delivered", "returned"]
    {
        illegal(order, status, "legal now: paid, cancelled");
    }
    set(order, "lost").refuses("invalid", "/status");
    let paid = set(order, "paid").is(200);
    assert_eq!((&paid["status"], &paid["paid_amount"]), (&json!("paid"), &json!("4.00")));
    assert_eq!(set(order, "paid").is(200), paid);
    assert_eq!(set(order, "shipped").is(200)["lines"][0]["shipped"], 2);
    illegal(order, "paid", "legal now: delivered, returned");
    assert_eq!(set(order, "delivered").is(200)["status"], "delivered");
    let returned = set(order, "returned").is(200);
    assert_eq!(
        (&returned["status"], &returned["returns"][0]["restocked"]),
        (&json!("returned"), &json!(true))
    );
    assert_eq!(set(order, "returned").is(200), returned);
    illegal(order, "cancelled", "nothing is legal now");
    let other = server.order(product, 1);
    assert_eq!(set(other, "cancelled").is(200)["status"], "cancelled");
    illegal(other, "paid", "nothing is legal now");
    // What is stale is refused before anything is done.
    let third = server.order(product, 1);
    let stale = [("if-match", "\"9-x\"")];
    let path = format!("/v1/orders/{third}/status");
    server
        .send("PATCH", &path, &stale, Some(r#"{"status": "paid"}"#))
        .problem(412, "precondition_failed");
}

#[test]
fn an_unpaid_order_expires_and_a_paid_one_does_not() {
    let server = Server::start();
    let product = server.product("2.00", 5);
    let body =
        format!(r#"{{"product_id": {product}, "quantity": 2, "payment_deadline_seconds": 10}}"#);
    let [late, paid, part] = [(); 3].map(|()| match server.post("/v1/orders", &body) {
        placed if placed.status == 201 => placed.json["id"].as_u64(),
        short => {
            short.problem(409, "insufficient_stock");
            None
        }
    });
    let (late, paid) = (late.unwrap(), paid.unwrap());
    assert_eq!(part, None);
    server.advance(9);
    server.post(&format!("/v1/orders/{paid}/payments"), "{}").is(201);
    assert_eq!(server.get(&format!("/v1/orders/{late}")).is(200)["status"], "pending_payment");
    server.post(&format!("/v1/orders/{late}/payments"), r#"{"amount": "0.01"}"#).is(201);
    server.advance(1);
    let expired = server.get(&format!("/v1/orders/{late}")).is(200);
    assert_eq!((&expired["status"], &expired["refund_due"]), (&json!("expired"), &json!("0.01")));
    assert_eq!(expired["closed_at"], "2023-11-14T22:13:30.000Z");
    assert_eq!(server.get(&format!("/v1/orders/{paid}")).is(200)["status"], "paid");
    server.post(&format!("/v1/orders/{late}/payments"), "{}").problem(409, "order_not_payable");
    server.post(&format!("/v1/orders/{late}/cancel"), "{}").problem(409, "illegal_transition");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 3);
}

#[test]
fn an_order_of_nothing_to_pay_is_paid_at_once() {
    let server = Server::start();
    let product = server.product("0", 5);
    let order = server.order(product, 1);
    assert_eq!(server.get(&format!("/v1/orders/{order}")).is(200)["status"], "paid");
}

#[test]
fn a_batch_places_each_by_itself() {
    let server = Server::start();
    server.product("1.00", 3);
    let body = json!({"orders": [
        {"product_id": 1, "quantity": 2},
        {"product_id": 1, "quantity": 0},
        {"lines": [], "products": []},
        {"product_id": 9, "quantity": 1},
        {"product_id": 1, "quantity": 1},
        {"product_id": 1, "quantity": 1000},
    ]});
    let results = server.post("/v1/orders/batch", body.to_string()).is(200)["results"].clone();
    let status: Vec<_> =
        results.as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(status, [201, 422, 422, 422, 201, 409]);
    assert_eq!(results[0]["order"]["total_price"], "2.00");
    assert_eq!(results[0]["error"], Value::Null);
    assert_eq!(results[1]["error"]["errors"][0]["pointer"], "/orders/1/quantity");
    assert_eq!(results[2]["error"]["errors"][0]["pointer"], "/orders/2/products");
    assert_eq!(results[3]["error"]["errors"][0]["pointer"], "/orders/3/product_id");
    assert_eq!(results[5]["error"]["code"], "insufficient_stock");
    server.post("/v1/orders/batch", r#"{"orders": []}"#).refuses("invalid", "/orders");
    server
        .post("/v1/orders/batch", r#"{"orders": [{"x": 1}], "mode": "all"}"#)
        .refuses("unknown_field", "/orders/0/x");
    server
        .post(
            "/v1/orders/batch",
            r#"{"orders": [{"product_id": 1, "quantity": 1}], "mode": "some"}"#,
        )
        .refuses("invalid", "/mode");
    let many = format!(r#"{{"orders": [{}]}}"#, vec!["{}"; 1_001].join(","));
    server.post("/v1/orders/batch", many).refuses("invalid", "/orders");
}

#[test]
fn a_batch_of_all_places_all_or_none() {
    let server = Server::start();
    server.product("1.00", 3);
    server.product("1.00", 1);
    let batch = |orders: Value| {
        server.post("/v1/orders/batch", json!({"mode": "all", "orders": orders}).to_string())
    };
    let row = |product: u64, quantity: u64| json!({"product_id": product, "quantity": quantity});
    let problem = batch(json!([row(1, 2), row(2, 2)])).problem(409, "insufficient_stock");
    assert_eq!(problem["errors"][0]["pointer"], "/orders/1/product_id");
    batch(json!([row(1, 2), row(1, 0)])).refuses("invalid", "/orders/1/quantity");
    batch(json!([row(1, 2), row(9, 1)])).refuses("invalid", "/orders/1/product_id");
    batch(json!([row(1, 2), {"quantity": 1}])).refuses("invalid", "/orders/1/product_id");
    assert_eq!(server.get("/v1/orders").is(200)["data"], json!([]));
    let placed = batch(json!([row(1, 2), row(1, 1), row(2, 1)])).is(201)["results"].clone();
    assert_eq!(placed.as_array().unwrap().len(), 3);
    assert_eq!(
        (&placed[2]["status"], &placed[2]["order"]["lines"][0]["product_id"]),
        (&json!(201), &json!(2))
    );
}

#[test]
fn a_plan_reserves_nothing() {
    let server = Server::start();
    server.product("1.00", 3);
    server.product("1.00", 1);
    let plan = |body: &str| server.post("/v1/orders/plan", body);
    let whole =
        plan(r#"{"lines": [{"product_id": 2, "quantity": 1}, {"product_id": 1, "quantity": 3}]}"#)
            .is(200);
    assert_eq!(whole["complete"], true);
    assert_eq!(
        whole["allocations"],
        json!([
            {"product_id": 2, "warehouse_id": 1, "quantity": 1, "reservation_id": null},
            {"product_id": 1, "warehouse_id": 1, "quantity": 3, "reservation_id": null},
        ])
    );
    let short = plan(r#"{"product_id": 1, "quantity": 5}"#).is(200);
    assert_eq!(short["complete"], false);
    assert_eq!(
        short["shortages"],
        json!([{"product_id": 1, "wanted": 5, "available": 3, "frees_at": null}])
    );
    plan(r#"{"product_id": 9, "quantity": 5}"#).refuses("invalid", "/product_id");
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 3);
}

#[test]
fn the_history_of_an_order_is_all_that_happened() {
    let server = Server::start();
    let product = server.product("2.00", 5);
    let order = server.order(product, 2);
    let at = |action: &str| format!("/v1/orders/{order}/{action}");
    server.advance(5);
    server.post(&at("payments"), "{}").is(201);
    server.post(&at("shipments"), r#"{"lines": [{"product_id": 1, "quantity": 1}]}"#).is(201);
    server.post(&at("shipments"), "{}").is(201);
    server.post(&at("deliver"), "{}").is(200);
    let history = server.get(&at("events")).is(200);
    let rows = history["data"].as_array().unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "order.placed",
            "order.payment_recorded",
            "order.paid",
            "order.partially_shipped",
            "order.shipped",
            "order.delivered"
        ]
    );
    assert_eq!(rows[0]["time"], "2023-11-14T22:13:20.000Z");
    assert_eq!(rows[1]["time"], "2023-11-14T22:13:25.000Z");
    assert_eq!(
        (&rows[0]["data"]["status"], &rows[3]["data"]["lines"][0]["shipped"]),
        (&json!("pending_payment"), &json!(1))
    );
    assert_eq!(rows[5]["data"], server.get(&format!("/v1/orders/{order}")).is(200));
    // It is a list like any other.
    let first = server.get(&at("events?limit=4")).is(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = server.get(&at(&format!("events?limit=4&cursor={cursor}"))).is(200);
    assert_eq!(rest["data"].as_array().unwrap()[..], rows[4..]);
    assert_eq!(rest["next_cursor"], Value::Null);
}
