//! The feed.

use std::{thread, time::Instant};

use serde_json::{Value, json};
use stockade_domain::account::Role;

use crate::{
    people::{Person, guarded, worker},
    server::Server,
};

fn rows(page: &Value) -> &Vec<Value> {
    page["data"].as_array().unwrap()
}

fn types(page: &Value) -> Vec<&str> {
    rows(page).iter().map(|row| row["type"].as_str().unwrap()).collect()
}

/// Every event after `after`, page by page.
fn walk(server: &Server, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let answer = server.get(&format!("/v1/events?{query}&after={cursor}"));
        assert!(answer.header("link").is_some_and(|link| link.ends_with(">; rel=\"next\"")));
        let page = answer.is(200);
        let next = page["next_cursor"].as_str().expect("never null").to_owned();
        all.extend(rows(&page).iter().cloned());
        if next == cursor {
            return all;
        }
        cursor = next;
    }
}

fn busy() -> Server {
    let server = Server::start();
    let product = server.product("2.00", 5);
    let body = json!({
        "product_id": product, "quantity": 2, "customer_id": 9, "note": "ring twice", "reference": "cart",
        "metadata": {"phone": "1"}, "ship_to": {"latitude": 1, "longitude": 2},
    });
    let order = server.post("/v1/orders", body.to_string()).is(201)["id"].clone();
    let act = |action: &str, body: &str| server.post(&format!("/v1/orders/{order}/{action}"), body);
    act("payments", "{}").is(201);
    act("shipments", r#"{"lines": [{"product_id": 1, "quantity": 1}]}"#).is(201);
    act("shipments", "{}").is(201);
    act("returns", r#"{"lines": [{"product_id": 1, "quantity": 1}], "reason": "broken"}"#).is(201);
    server
}

#[test]
fn an_event_says_who_decided_it() {
    let server = guarded();
    worker(&server, "root", Role::Admin);
    let root = Person::signs_in(&server, "root");
    let ann = Person::registers(&server, "ann@example.com");
    let mug = json!({"name": "mug", "price": "1.00", "stock": 5});
    root.send("POST", "/v1/products", &mug).is(201);
    ann.send("POST", "/v1/orders", &json!({"product_id": 1, "quantity": 1})).is(201);
    root.send("POST", "/v1/orders/1/payments", &json!({})).is(201);
    for (query, wanted) in [
        ("type=product.created", vec![json!("account/1")]),
        ("type=order.placed", vec![json!("customer/1")]),
        ("type=order.payment_recorded&type=order.paid", vec![json!("account/1"); 2]),
        // Who comes to register is nobody yet; and stock is taken before it is decided.
        ("type=customer.registered&type=stock.reserved", vec![Value::Null; 2]),
    ] {
        let page = root.get(&format!("/v1/events?{query}")).is(200);
        let who: Vec<_> = rows(&page).iter().map(|row| row["who"].clone()).collect();
        assert_eq!(who, wanted, "{query}: {page}");
    }
    let history = root.get("/v1/orders/1/events").is(200);
    assert_eq!(rows(&history)[0]["who"], "customer/1");
}

#[test]
fn what_happened_is_told_in_order_as_cloud_events() {
    let server = busy();
    let all = walk(&server, "limit=500");
    let kinds: Vec<_> = all.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "shop.created",
            "warehouse.created",
            "product.created",
            "stock.adjusted",
            "stock.reserved",
            "order.placed",
            "order.payment_recorded",
            "order.paid",
            "stock.shipped",
            "order.partially_shipped",
            "stock.shipped",
            "order.shipped",
            "order.returned",
            "stock.returned",
        ]
    );
    let paid = &all[7];
    let (id, position) = (paid["id"].as_str().unwrap(), paid["position"].as_str().unwrap());
    assert!(id.ends_with(&format!("-{position}")), "{id}");
    assert_eq!(paid["specversion"], "1.0");
    assert!(paid["source"].as_str().unwrap().starts_with("urn:stockade:"));
    assert_eq!(paid["subject"], format!("order/{}", paid["data"]["id"]));
    assert_eq!(paid["datacontenttype"], "application/json");
    assert_eq!(paid["time"], "2023-11-14T22:13:20.000Z");
    // The order is as it was then, not as it is now.
    assert_eq!(
        (&all[5]["data"]["status"], &paid["data"]["status"]),
        (&json!("pending_payment"), &json!("paid"))
    );
    assert_eq!(all[9]["data"]["lines"][0]["shipped"], 1);
    assert_eq!(
        (&all[4]["data"]["reserved_change"], &all[8]["data"]["on_hand_change"]),
        (&json!(2), &json!(-1))
    );
    // Pages of any size tell the same.
    assert_eq!(walk(&server, "limit=1"), all);
    assert_eq!(walk(&server, "limit=5"), all);
    let ids: std::collections::HashSet<_> = all.iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn a_reservation_is_told_whole_but_for_its_owners_name() {
    let server = busy();
    let hold = |quantity: u64| {
        let body = json!({"product_id": 1, "quantity": quantity, "owner": "Ada's cart"});
        server.post("/v1/reservations", body.to_string()).is(201)["id"].clone()
    };
    let seen = |id: &Value| {
        let mut seen = server.get(&format!("/v1/reservations/{id}")).is(200);
        assert_eq!(seen.as_object_mut().unwrap().remove("owner"), Some(json!("Ada's cart")));
        seen
    };
    let made = |id: &Value, replaces: Value| {
        let mut hold = seen(id);
        hold["replaces"] = replaces;
        hold
    };
    let old = hold(1);
    let mut wanted = vec![made(&old, json!([]))];
    server.post(&format!("/v1/reservations/{old}/extend"), r#"{"ttl_seconds": 60}"#).is(200);
    wanted.push(seen(&old));
    let new = hold(2);
    wanted.push(made(&new, json!([old])));
    server.delete(&format!("/v1/reservations/{new}")).is(204);
    wanted.push(seen(&new));
    let told = walk(&server, "type=reservation.*&limit=1");
    let data: Vec<_> = told.iter().map(|event| event["data"].clone()).collect();
    assert_eq!(data, wanted);
}

/// Nothing happens to it after its dispatch.
#[test]
fn a_transfer_that_is_not_in_transit_is_told_once() {
    let server = busy();
    server.post("/v1/warehouses", r#"{"name": "depot"}"#).is(201);
    let body = json!({
        "product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1,
    });
    server.post("/v1/warehouses/transfer", body.to_string()).is(201);
    let told = walk(&server, "type=transfer.*");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["type"], &told[0]["data"]["status"]),
        (&json!("transfer.dispatched"), &json!("completed"))
    );
}

#[test]
fn events_tell_no_personal_data_but_ids() {
    let server = busy();
    let all = Value::Array(walk(&server, "limit=500")).to_string();
    for secret in ["ring twice", "phone", "broken", "latitude\":1", "ship_to", "metadata", "note"] {
        assert!(!all.contains(secret), "{secret}");
    }
    assert!(all.contains("\"customer_id\":9"));
}

#[test]
fn events_are_filtered_by_type_and_by_thing() {
    let server = busy();
    let count = |query: &str| walk(&server, query).len();
    assert_eq!(count("type=order.*"), 6);
    assert_eq!(count("type=order.shipped"), 1);
    assert_eq!(count("type=order.partially_shipped&type=shop.created"), 2);
    assert_eq!(count("entity=product/1"), 6, "itself and what happened at its stocks");
    assert_eq!(count("entity=stock/1/1"), 5);
    assert_eq!(count("entity=stock/1/1&type=stock.shipped"), 2);
    assert_eq!(count("entity=stock/1/2&limit=1"), 0);
    let order = walk(&server, "type=order.placed")[0]["subject"].as_str().unwrap().to_owned();
    assert_eq!(count(&format!("entity={order}&limit=2")), 6);
    for (query, parameter) in [
        ("type=order", "type"),
        ("type=*", "type"),
        ("type=order.lost", "type"),
        ("entity=order", "entity"),
        ("entity=orders/1", "entity"),
        ("entity=stock/1", "entity"),
        ("wait=31", "wait"),
        ("limit=501", "limit"),
        ("after=x", "after"),
        ("after=99999999", "after"),
        ("cursor=", "cursor"),
        ("after=1&cursor=1", "cursor"),
        ("sort=id", "sort"),
    ] {
        let refused = server.get(&format!("/v1/events?{query}"));
        assert_eq!(refused.status, 422, "{query}");
        assert_eq!(refused.json["errors"][0]["parameter"], parameter);
    }
}

#[test]
fn who_waits_is_told_when_it_happens() {
    let server = busy();
    let end =
        server.get("/v1/events?limit=500").is(200)["next_cursor"].as_str().unwrap().to_owned();
    let at_once = server.get(&format!("/v1/events?after={end}")).is(200);
    assert_eq!((rows(&at_once).len(), at_once["next_cursor"].as_str()), (0, Some(end.as_str())));
    let wanted = format!("/v1/events?after={end}&wait=20&type=shop.*");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get(&wanted).is(200));
        // Something else first: it is looked at, and passed over.
        server.product("1.00", 1);
        server.post("/v1/shops", r#"{"name": "b"}"#).is(201);
        assert_eq!(types(&waiting.join().unwrap()), ["shop.created"]);
    });
}

#[test]
fn a_shutdown_does_not_wait_for_those_who_wait() {
    let mut server = busy();
    let end =
        server.get("/v1/events?limit=500").is(200)["next_cursor"].as_str().unwrap().to_owned();
    let address = server.address;
    let begun = Instant::now();
    let waiting = thread::spawn(move || {
        ureq::get(format!("http://{address}/v1/events?after={end}&wait=30"))
            .call()
            .unwrap()
            .status()
    });
    // The server has taken the connection once it answers another.
    server.get("/livez").is(200);
    server.stop();
    // It was answered, or came too late to be heard; either way nobody sat out the thirty seconds.
    let _ = waiting.join();
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn a_stock_explains_itself() {
    let server = Server::start();
    let product = server.product("1.00", 10);
    let adjusted = json!({"warehouse_id": 1, "product_id": 1, "delta": -1, "reason": "damaged"});
    server.post("/v1/stock/adjustments", adjusted.to_string()).is(201);
    let path = "/v1/warehouses/1/stock/1";
    server.put(path, r#"{"on_hand": 8, "reason": "counted"}"#).is(200);
    let first = server.order(product, 2);
    server.advance(10);
    server
        .post("/v1/reservations", r#"{"product_id": 1, "quantity": 3, "ttl_seconds": 60}"#)
        .is(201);
    server.advance(10);
    let paid = server.order(product, 1);
    server.post(&format!("/v1/orders/{paid}/payments"), "{}").is(201);
    let told = server.get(&format!("{path}/explain")).is(200);
    assert_eq!((&told["stock"]["on_hand"], &told["stock"]["reserved"]), (&json!(8), &json!(6)));
    let changes: Vec<_> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["change"].clone(), e["reason"].clone()))
        .collect();
    assert_eq!(
        changes,
        [(json!(10), Value::Null), (json!(-1), json!("damaged")), (json!(-1), json!("counted"))]
    );
    assert_eq!(told["next_cursor"], Value::Null);
    let live = told["reservations"].as_array().unwrap();
    assert_eq!(
        live[0],
        json!({
            "owner": {"kind": "order", "id": paid}, "quantity": 1, "since": "2023-11-14T22:13:40.000Z", "expires_at": null,
        })
    );
    assert_eq!(
        (&live[1]["owner"]["kind"], &live[1]["quantity"]),
        (&json!("reservation"), &json!(3))
    );
    assert_eq!(live[2]["owner"], json!({"kind": "order", "id": first}));
    assert_eq!(told["reservation_count"], 3);
    assert_eq!(
        told["frees_next"],
        json!([
            {"at": "2023-11-14T22:14:30.000Z", "quantity": 3}, {"at": "2023-11-14T22:43:20.000Z", "quantity": 2},
        ])
    );
    let page = server.get(&format!("{path}/explain?limit=2")).is(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("{path}/explain?limit=2&cursor={cursor}")).is(200);
    assert_eq!(rest["events"][0], told["events"][2]);
    server.get("/v1/warehouses/1/stock/9/explain").problem(404, "not_found");
    // A count below what is reserved lists what stands in the way, the newest first.
    let refused = server.put(path, r#"{"on_hand": 5, "reason": "counted"}"#);
    let refused = refused.problem(409, "insufficient_stock");
    assert_eq!(refused["reservations"], told["reservations"]);
    // What is short says when more may be free.
    let short = server.post("/v1/orders", r#"{"product_id": 1, "quantity": 9}"#);
    let short = short.problem(409, "insufficient_stock");
    assert_eq!(short["errors"][0]["frees_at"], "2023-11-14T22:14:30.000Z");
}

#[test]
fn a_stock_explains_itself_however_much_happened_elsewhere() {
    let server = Server::start();
    server.product("1.00", 10);
    server.product("1.00", 10);
    let row = r#"{"product_id": 2, "warehouse_id": 1, "delta": 1}"#;
    let rows = format!(
        r#"{{"mode": "each", "reason": "found", "adjustments": [{}]}}"#,
        vec![row; 1_000].join(", ")
    );
    let before = server.engine.position();
    while server.engine.position() < before + 11_000 {
        server.post("/v1/stock/adjustments", &rows).is(200);
        server.order(1, 1);
    }
    let path = "/v1/warehouses/1/stock/1";
    server.put(path, r#"{"on_hand": 9, "reason": "counted"}"#).is(200);
    let counted = |page: &Value| -> Vec<Value> {
        page["events"].as_array().unwrap().iter().map(|event| event["change"].clone()).collect()
    };
    let whole = server.get(&format!("{path}/explain")).is(200);
    assert_eq!(
        (counted(&whole), &whole["next_cursor"]),
        (vec![json!(10), json!(-1)], &Value::Null)
    );
    let first = server.get(&format!("{path}/explain?limit=1")).is(200);
    assert_eq!(counted(&first), [10]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = server.get(&format!("{path}/explain?limit=1&cursor={cursor}")).is(200);
    assert_eq!((counted(&second), &second["next_cursor"]), (vec![json!(-1)], &Value::Null));
    assert_eq!(second["events"][0], whole["events"][1]);
}
