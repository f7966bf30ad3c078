//! What is personal in an order is shown, until its customer is erased.

use futures_executor::block_on;
use serde_json::json;
use stockade_domain::account::{Personal, Role};

use crate::server::Server;

#[test]
fn an_order_shows_its_note_until_its_customer_is_erased() {
    let server = Server::start();
    server.product("1.00", 10);
    let ann = Personal { email: Some("ann@example.com".into()), ..Personal::default() };
    let ann = block_on(server.engine.register(Role::Customer, ann)).unwrap();
    let body = json!({
        "product_id": 1, "quantity": 1, "customer_id": 1, "note": "ring twice", "reference": "cart-1",
        "metadata": {"k": "v"}, "ship_to": {"latitude": 1, "longitude": 2.5},
    });
    let placed = server.post("/v1/orders", body.to_string()).is(201);
    let path = format!("/v1/orders/{}", placed["id"]);
    let shown = |note: serde_json::Value, metadata: serde_json::Value| {
        let order = server.get(&path).is(200);
        let wanted = (&note, &json!("cart-1"), &metadata, &json!(1));
        assert_eq!(
            (&order["note"], &order["reference"], &order["metadata"], &order["version"]),
            wanted
        );
        assert_eq!(server.get("/v1/orders?reference=cart-1").is(200)["data"], json!([order]));
        let history = server.get(&format!("{path}/events")).is(200)["data"].clone();
        assert_eq!(history.as_array().map(Vec::len), Some(1), "{history}");
        assert_eq!((&history[0]["type"], &history[0]["data"]), (&json!("order.placed"), &order));
        order
    };
    assert_eq!(shown(json!("ring twice"), json!({"k": "v"})), placed);
    block_on(server.engine.erase_account(ann.id, None)).unwrap();
    let after = shown(json!(null), json!({}));
    assert_eq!((&after["customer_id"], &after["lines"]), (&json!(1), &placed["lines"]));
    let late = server.post("/v1/orders", body.to_string());
    let late = late.problem(422, "customer_not_found");
    let error = &late["errors"][0];
    assert_eq!((&error["pointer"], &error["code"]), (&json!("/customer_id"), &late["code"]));
}

#[test]
fn the_joined_view_says_who_bought_until_he_is_erased() {
    let server = Server::start();
    server.product("1.00", 10);
    let grace = json!({"name": "Grace", "email": "Grace@example.com"});
    server.post("/v1/customers", grace.to_string()).is(201);
    for customer in [json!(1), json!(null)] {
        let body = json!({"product_id": 1, "quantity": 1, "customer_id": customer});
        server.post("/v1/orders", body.to_string()).is(201);
    }
    let customers = || {
        let rows = server.get("/v1/order-details").is(200)["data"].clone();
        [0, 1].map(|row| rows[row]["customer"].clone())
    };
    let shown = json!({"id": 1, "name": "Grace", "email": "Grace@example.com"});
    assert_eq!(customers(), [shown, json!(null)]);
    server.delete("/v1/customers/1").is(204);
    assert_eq!(customers(), [json!({"id": 1, "name": null, "email": null}), json!(null)]);
}
