//! Transfers.

use serde_json::json;

use crate::server::Server;

fn two_warehouses() -> Server {
    let server = Server::start();
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    server.product("1.00", 10);
    server
}

fn on_hand(server: &Server, warehouse: u64) -> (u64, u64) {
    let row = server.get(&format!("/v1/warehouses/{warehouse}/stock/1")).is(200);
    (row["on_hand"].as_u64().unwrap(), row["incoming"].as_u64().unwrap())
}

fn body(quantity: u64, in_transit: bool) -> String {
    json!({
        "product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": quantity, "in_transit": in_transit,
    })
    .to_string()
}

#[test]
fn a_transfer_arrives_at_once_unless_it_is_in_transit() {
    let server = two_warehouses();
    let made = server.post("/v1/warehouses/transfer", body(3, false));
    let id = made.json["id"].clone();
    assert_eq!(made.header("location").unwrap(), format!("/v1/transfers/{id}"));
    let at = "2023-11-14T22:13:20.000Z";
    let wanted = json!({
        "id": id, "status": "completed", "product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2,
        "quantity": 3, "in_transit": 0, "received": 3, "missing": 0, "restocked": 0,
        "discrepancies": [], "cancel_reason": null,
        "created_at": at, "updated_at": at, "version": 1,
    });
    assert_eq!(made.is(201), wanted);
    assert_eq!(server.get(&format!("/v1/transfers/{id}")).is(200), wanted);
    assert_eq!((on_hand(&server, 1), on_hand(&server, 2)), ((7, 0), (3, 0)));
    server.post(&format!("/v1/transfers/{id}/cancel"), "{}").problem(409, "transfer_closed");
    let short =
        server.post("/v1/warehouses/transfer", body(8, false)).problem(409, "insufficient_stock");
    assert_eq!(short["errors"][0]["pointer"], "/product_id");
    for (field, value, pointer) in [
        ("product_id", 9, "/product_id"),
        ("from_warehouse_id", 9, "/from_warehouse_id"),
        ("to_warehouse_id", 9, "/to_warehouse_id"),
        ("to_warehouse_id", 1, "/to_warehouse_id"),
        ("quantity", 0, "/quantity"),
    ] {
        let mut body: serde_json::Value = serde_json::from_str(&body(1, false)).unwrap();
        body[field] = value.into();
        server.post("/v1/warehouses/transfer", body.to_string()).refuses("invalid", pointer);
    }
}

#[test]
fn what_is_on_the_road_is_received_in_parts_or_called_back() {
    let server = two_warehouses();
    let send =
        || server.post("/v1/warehouses/transfer", body(4, true)).is(201)["id"].as_u64().unwrap();
    let first = send();
    assert_eq!((on_hand(&server, 1), on_hand(&server, 2)), ((6, 0), (0, 4)));
    let receive = |id: u64, body: &str| server.post(&format!("/v1/transfers/{id}/receive"), body);
    let part = receive(first, r#"{"quantity": 1}"#).is(200);
    assert_eq!(
        (&part["status"], &part["in_transit"], &part["received"]),
        (&json!("in_transit"), &json!(3), &json!(1))
    );
    receive(first, r#"{"quantity": 4}"#).refuses("invalid", "/quantity");
    receive(first, r#"{"discrepancy": {"quantity": 1}}"#).refuses("invalid", "/discrepancy/reason");
    let rest = receive(first, r#"{"discrepancy": {"quantity": 1, "reason": "fell off"}}"#).is(200);
    assert_eq!(
        (&rest["status"], &rest["missing"], &rest["received"]),
        (&json!("completed"), &json!(1), &json!(3))
    );
    let found = &rest["discrepancies"][0];
    assert_eq!((&found["quantity"], &found["reason"]), (&json!(1), &json!("fell off")));
    assert_eq!((on_hand(&server, 1), on_hand(&server, 2)), ((6, 0), (3, 0)));
    receive(first, "{}").problem(409, "transfer_closed");
    let second = send();
    let back =
        server.post(&format!("/v1/transfers/{second}/cancel"), r#"{"reason": "wrong"}"#).is(200);
    assert_eq!((&back["status"], &back["restocked"]), (&json!("cancelled"), &json!(4)));
    assert_eq!((&back["cancel_reason"], &back["discrepancies"]), (&json!("wrong"), &json!([])));
    let third = send();
    let lost =
        server.post(&format!("/v1/transfers/{third}/cancel"), r#"{"restock": false}"#).is(200);
    assert_eq!((&lost["status"], &lost["missing"]), (&json!("cancelled"), &json!(4)));
    assert_eq!((on_hand(&server, 1), on_hand(&server, 2)), ((2, 0), (3, 0)));
    let ids = |query: &str| -> Vec<u64> {
        let list = server.get(&format!("/v1/transfers?{query}")).is(200);
        list["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("status=cancelled"), [second, third]);
    assert_eq!(ids("status=completed&product_id=1&warehouse_id=2"), [first]);
    assert!(ids("warehouse_id=9").is_empty());
}
