//! Everything that can happen, once: each type of event is told, and none tells who somebody is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server::Server;

/// What people wrote or are called. No event may have any of it, in any spelling.
const PERSONAL: [&str; 10] = [
    "ann@example.com",
    "bob@example.com",
    "ann.of.the.hills",
    "Anneliese",
    "Annabel",
    "ring twice",
    "gift for grandmother",
    "came back wet",
    "changed her mind",
    "cart of Ann",
];

/// The types of the contract's list that are not built yet: nobody can join a waiting list.
const NOT_YET: &str = "waitlist.";

#[test]
fn everything_that_can_happen_is_told_once_it_happens_and_never_who_somebody_is() {
    let server = Server::start();
    live(&server);
    let (mut told, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = server.get(&format!("/v1/events?limit=500&after={after}")).is(200);
        let rows = page["data"].as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        told.extend(rows.iter().cloned());
        page["next_cursor"].as_str().unwrap().clone_into(&mut after);
    }
    let types: BTreeSet<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let document = server.get("/openapi.json").is(200);
    let listed = document["components"]["schemas"]["EventType"]["enum"].as_array().unwrap();
    let listed = listed.iter().map(|kind| kind.as_str().unwrap());
    let wanted: BTreeSet<&str> = listed.filter(|kind| !kind.starts_with(NOT_YET)).collect();
    assert_eq!(types, wanted);
    for event in &told {
        let text = event.to_string();
        for secret in PERSONAL {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let data = event["data"].as_object().unwrap_or_else(|| panic!("{event} shows something"));
        for field in ["email", "username", "note", "metadata", "ship_to", "password"] {
            assert!(!data.contains_key(field), "{field} in {text}");
        }
        assert!(data.get("owner").is_none_or(Value::is_object), "an owner is a thing: {text}");
        let kind = event["type"].as_str().unwrap();
        assert!(!kind.starts_with("customer.") || !data.contains_key("name"), "{text}");
    }
}

/// A shop's life, in which everything happens.
fn live(server: &Server) {
    let send = |method: &str, path: &str, body: Value| {
        let headers: &[(&str, &str)] = match method {
            "PUT" | "DELETE" => &[("if-match", "*")],
            _ => &[],
        };
        let text = (!body.is_null()).then(|| body.to_string());
        let answer = server.send(method, &format!("/v1{path}"), headers, text.as_deref());
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
        answer.json
    };
    catalogue(&send);
    let ann = json!({
        "name": "Anneliese", "email": "ann@example.com", "username": "ann.of.the.hills", "password": "correct horse",
    });
    send("POST", "/register", ann);
    send("PATCH", "/customers/1", json!({"name": "Annabel", "email": "bob@example.com"}));
    orders(&send);
    holds(server, &send);
    transfers(&send);
    send("PATCH", "/customers/1", json!({"role": "staff"}));
    send("DELETE", "/customers/1", Value::Null);
    send("DELETE", "/products/2", Value::Null);
}

/// Sends a request that is carried out, and answers with its body.
type Send<'a> = dyn Fn(&str, &str, Value) -> Value + 'a;

fn catalogue(send: &Send<'_>) {
    send("POST", "/products", json!({"name": "mug", "price": "2.00", "stock": 100}));
    send("POST", "/products", json!({"name": "old mug", "price": "2.00"}));
    send("PATCH", "/products/1", json!({"price": "2.50"}));
    send("POST", "/shops", json!({"name": "second"}));
    send("PATCH", "/shops/2", json!({"name": "second shop"}));
    send("POST", "/warehouses", json!({"name": "far"}));
    send("PATCH", "/warehouses/2", json!({"name": "far away"}));
    send("PATCH", "/warehouses/2/status", json!({"status": "inactive"}));
    send("PATCH", "/warehouses/2/status", json!({"status": "active"}));
    let found = json!({"product_id": 1, "warehouse_id": 1, "delta": 5, "reason": "found"});
    send("POST", "/stock/adjustments", found);
    send("PUT", "/warehouses/1/stock/1", json!({"on_hand": 100, "reason": "counted"}));
    send("PATCH", "/warehouses/1/stock/1", json!({"safety_stock": 1}));
}

/// A new order of so many mugs for Ann; its path.
fn order(send: &Send<'_>, quantity: u64) -> String {
    let body = json!({
        "product_id": 1, "quantity": quantity, "customer_id": 1, "note": "ring twice",
        "metadata": {"why": "gift for grandmother"}, "ship_to": {"latitude": 1, "longitude": 2},
    });
    format!("/orders/{}", send("POST", "/orders", body)["id"])
}

fn orders(send: &Send<'_>) {
    let whole = order(send, 2);
    let one = json!({"lines": [{"product_id": 1, "quantity": 1}]});
    send("POST", &format!("{whole}/payments"), json!({}));
    send("POST", &format!("{whole}/shipments"), one);
    send("POST", &format!("{whole}/shipments"), json!({}));
    send("POST", &format!("{whole}/deliver"), json!({}));
    let lines = json!([{"product_id": 1, "quantity": 2}]);
    let back = json!({"lines": lines, "reason": "came back wet"});
    send("POST", &format!("{whole}/returns"), back);
    send("POST", &format!("{whole}/refunds"), json!({"amount": "5.00"}));
    let off = order(send, 1);
    send("POST", &format!("{off}/cancel"), json!({"reason": "changed her mind"}));
    // It is never paid.
    order(send, 1);
}

fn holds(server: &Server, send: &Send<'_>) {
    let hold = |ttl: u64| {
        let owner = format!("cart of Ann {ttl}");
        let body = json!({"product_id": 1, "quantity": 1, "ttl_seconds": ttl, "owner": owner});
        send("POST", "/reservations", body)["id"].as_u64().unwrap()
    };
    let (released, converted) = (hold(100), hold(200));
    send("POST", &format!("/reservations/{released}/extend"), json!({"ttl_seconds": 900}));
    send("DELETE", &format!("/reservations/{released}"), Value::Null);
    let body = json!({"product_id": 1, "quantity": 1, "reservation_ids": [converted]});
    send("POST", "/orders", body);
    // This one expires, and so do the orders that nobody pays.
    hold(300);
    server.advance(3_600);
}

fn transfers(send: &Send<'_>) {
    let body = json!({
        "product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 4, "in_transit": true,
    });
    let id = send("POST", "/warehouses/transfer", body)["id"].clone();
    send("POST", &format!("/transfers/{id}/receive"), json!({"quantity": 1}));
    send("POST", &format!("/transfers/{id}/cancel"), json!({}));
}
