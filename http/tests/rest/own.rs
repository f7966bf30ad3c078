//! What is whose: customers see and touch their own things, and learn nothing of others'.

use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_domain::account::Role;
use stockade_http::{Algorithm, Auth};

use crate::{
    keys::{self, Keys, account, signed, token},
    server::{Answer, Server},
};

/// A shop with a product, two customers and somebody who works there.
struct Shop {
    server: Server,
    ann: String,
    bob: String,
    staff: String,
    _keys: Keys,
}

impl Shop {
    fn open() -> Self {
        let keys = Keys::new();
        let auth: Auth = signed(Algorithm::EdDsa, &[&keys.ed25519("key.pem")]);
        let server = keys::server(&auth);
        let new = |role| token(&server, &auth, &account(&server, role));
        let (ann, bob, staff) = (new(Role::Customer), new(Role::Customer), new(Role::Staff));
        let shop = Self { server, ann, bob, staff, _keys: keys };
        let product = r#"{"name": "ruler", "price": "1.00", "stock": 100}"#;
        shop.post(&shop.staff, "/v1/products", product).is(201);
        shop
    }

    fn post(&self, who: &str, path: &str, body: impl AsRef<str>) -> Answer {
        self.server.as_bearer(who, "POST", path, Some(body.as_ref()))
    }

    fn get(&self, who: &str, path: &str) -> Answer {
        self.server.as_bearer(who, "GET", path, None)
    }

    fn order(&self, who: &str, body: &Value) -> Value {
        let mut order = json!({"product_id": 1, "quantity": 1});
        order.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.post(who, "/v1/orders", order.to_string()).is(201)
    }

    fn hold(&self, who: &str, body: &Value) -> Answer {
        let mut hold = json!({"product_id": 1, "quantity": 1});
        hold.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.post(who, "/v1/reservations", hold.to_string())
    }
}

fn ids(list: &Value) -> Vec<u64> {
    list["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[test]
fn of_another_s_things_a_customer_learns_no_more_than_of_what_never_was() {
    let shop = Shop::open();
    let order = shop.order(&shop.ann, &json!({}))["id"].to_string();
    let hold = shop.hold(&shop.ann, &json!({})).is(201)["id"].to_string();
    // As many digits, so that the lengths are the same, too.
    let never = |id: &str| "9".repeat(id.len());
    for (method, path, id, body) in [
        ("GET", "/v1/orders/{}", &order, None),
        ("HEAD", "/v1/orders/{}", &order, None),
        ("GET", "/v1/orders/{}/events", &order, None),
        ("POST", "/v1/orders/{}/cancel", &order, Some("{}")),
        ("POST", "/v1/orders/{}/cancel", &order, Some(r#"{"nonsense": 1}"#)),
        ("GET", "/v1/reservations/{}", &hold, None),
        ("POST", "/v1/reservations/{}/extend", &hold, Some(r#"{"ttl_seconds": 9}"#)),
        ("POST", "/v1/reservations/{}/extend", &hold, Some(r#"{"ttl_seconds": 99999}"#)),
        ("DELETE", "/v1/reservations/{}", &hold, None),
        ("GET", "/v1/customers/{}", &"1".to_owned(), None),
    ] {
        let ask = |id: &str| {
            let place = path.replace("{}", id);
            let headers = [
                ("authorization", &*format!("Bearer {}", shop.bob)),
                ("x-request-id", "same"),
                ("if-match", "\"9-0\""),
                ("if-none-match", "*"),
            ];
            let mut answer = shop.server.send(method, &place, &headers, body);
            answer.headers.retain(|(name, _)| name != "date");
            answer.headers.sort();
            assert_eq!(answer.status, 404, "{method} {place}: {}", answer.text);
            (answer.text.replace(id, "{}"), answer.headers)
        };
        assert_eq!(ask(id), ask(&never(id)), "{method} {path}");
    }
    // Nothing has happened to them.
    let shown = shop.get(&shop.ann, &format!("/v1/orders/{order}")).is(200);
    assert_eq!((&shown["status"], &shown["version"]), (&json!("pending_payment"), &json!(1)));
    let shown = shop.get(&shop.ann, &format!("/v1/reservations/{hold}")).is(200);
    assert_eq!((&shown["status"], &shown["version"]), (&json!("active"), &json!(1)));
}

#[test]
fn lists_have_what_is_the_caller_s_own() {
    let shop = Shop::open();
    let id = |order: Value| order["id"].as_u64().unwrap();
    let of_ann = id(shop.order(&shop.ann, &json!({"reference": "cart"})));
    let of_bob = id(shop.order(&shop.bob, &json!({"reference": "cart"})));
    let of_nobody = id(shop.order(&shop.staff, &json!({})));
    let found =
        |who: &str, query: &str| ids(&shop.get(who, &format!("/v1/orders?{query}")).is(200));
    for query in ["", "reference=cart", "sort=-id", "product_id=1", "customer_id=1", "limit=1"] {
        assert_eq!(found(&shop.ann, query), [of_ann], "{query}");
    }
    let all = format!("ids={of_ann},{of_bob},{of_nobody},999999");
    assert_eq!(found(&shop.ann, &all), [of_ann]);
    assert_eq!(found(&shop.bob, "sort=placed_at"), [of_bob]);
    let mut every = vec![of_ann, of_bob, of_nobody];
    every.sort_unstable();
    assert_eq!(found(&shop.staff, ""), every);
    assert_eq!(found(&shop.staff, "customer_id=2"), [of_bob]);
    shop.get(&shop.ann, "/v1/orders?customer_id=2").problem(403, "forbidden");
    shop.get(&shop.ann, "/v1/orders?customer_id=99").problem(403, "forbidden");

    let held = |who: &str| id(shop.hold(who, &json!({"owner": "cart"})).is(201));
    let (by_ann, by_bob, by_staff) = (held(&shop.ann), held(&shop.bob), held(&shop.staff));
    let found = |who: &str| {
        let mut found = ids(&shop.get(who, "/v1/reservations?owner=cart&status=active").is(200));
        found.sort_unstable();
        found
    };
    assert_eq!(found(&shop.ann), [by_ann], "nobody has replaced it");
    assert_eq!(found(&shop.bob), [by_bob]);
    let mut every = vec![by_ann, by_bob, by_staff];
    every.sort_unstable();
    assert_eq!(found(&shop.staff), every);
    // Machines are callers, too.
    let key = |name: &str| block_on(shop.server.engine.create_api_key(name.to_owned())).unwrap().1;
    let (web, till) = (key("web"), key("till"));
    every.extend([held(&web), held(&till)]);
    every.sort_unstable();
    assert_eq!(found(&shop.staff), every, "nobody has replaced another's");
    let again = held(&web);
    let found = found(&web);
    assert!(found.len() == every.len() && found.contains(&again), "and who asks again, his own");
}

#[test]
fn order_details_are_the_caller_s_own_and_a_cursor_opens_no_other_s() {
    let shop = Shop::open();
    shop.post(&shop.staff, "/v1/products", r#"{"name": "pen", "price": 1, "stock": 9}"#).is(201);
    let two =
        json!({"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}]});
    let place = |who: &str| shop.post(who, "/v1/orders", two.to_string()).is(201)["id"].clone();
    let (of_ann, of_bob, _) = (place(&shop.ann), place(&shop.bob), place(&shop.staff));
    let page =
        |who: &str, query: &str| shop.get(who, &format!("/v1/order-details?{query}")).is(200);
    let orders = |page: &Value| -> Vec<Value> {
        page["data"].as_array().unwrap().iter().map(|row| row["order_id"].clone()).collect()
    };
    assert_eq!(orders(&page(&shop.ann, "")), [of_ann.clone(), of_ann.clone()]);
    assert_eq!(orders(&page(&shop.bob, "customer_id=2")), [of_bob.clone(), of_bob.clone()]);
    assert_eq!(orders(&page(&shop.staff, "")).len(), 6);
    let begun = page(&shop.ann, "limit=1");
    let cursor = format!("limit=1&cursor={}", begun["next_cursor"].as_str().unwrap());
    assert_eq!(orders(&page(&shop.ann, &cursor)), std::slice::from_ref(&of_ann));
    assert!(
        !orders(&page(&shop.bob, &cursor)).contains(&of_ann),
        "the cursor stands in Ann's order"
    );
    shop.get(&shop.ann, "/v1/order-details?customer_id=2").problem(403, "forbidden");
}

#[test]
fn an_order_is_for_whoever_places_it() {
    let shop = Shop::open();
    assert_eq!(shop.order(&shop.ann, &json!({}))["customer_id"], 1);
    assert_eq!(shop.order(&shop.ann, &json!({"customer_id": 1}))["customer_id"], 1);
    assert_eq!(shop.order(&shop.staff, &json!({}))["customer_id"], Value::Null);
    assert_eq!(shop.order(&shop.staff, &json!({"customer_id": 2}))["customer_id"], 2);
    let line = |customer: u64| json!({"product_id": 1, "quantity": 1, "customer_id": customer});
    for path in ["/v1/orders", "/v1/orders/plan"] {
        // Whether there is such a customer is not told.
        for other in [2, 99] {
            shop.post(&shop.ann, path, line(other).to_string()).problem(403, "forbidden");
        }
        let unknown = shop.post(&shop.staff, path, line(99).to_string());
        unknown.refuses("customer_not_found", "/customer_id");
    }
    let batch = json!({"orders": [line(1), line(2)]});
    let rows = shop.post(&shop.ann, "/v1/orders/batch", batch.to_string()).is(200);
    assert_eq!(
        (&rows["results"][0]["status"], &rows["results"][1]["status"]),
        (&json!(201), &json!(403))
    );
    assert_eq!(rows["results"][0]["order"]["customer_id"], 1);
    let all = json!({"orders": [line(1), line(2)], "mode": "all"});
    shop.post(&shop.ann, "/v1/orders/batch", all.to_string()).problem(403, "forbidden");
    let unknown = json!({"orders": [line(1), line(99)]});
    let rows = shop.post(&shop.staff, "/v1/orders/batch", unknown.to_string()).is(200);
    let error = &rows["results"][1]["error"];
    assert_eq!(
        (&error["code"], &error["errors"][0]["pointer"]),
        (&json!("customer_not_found"), &json!("/orders/1/customer_id"),)
    );
}

#[test]
fn without_sign_in_customers_may_be_those_of_another_system_until_some_are_here() {
    let server = Server::start();
    server.product("1.00", 9);
    let order =
        || server.post("/v1/orders", r#"{"product_id": 1, "quantity": 1, "customer_id": 7}"#);
    assert_eq!(order().is(201)["customer_id"], 7);
    server.customer();
    order().refuses("customer_not_found", "/customer_id");
}

#[test]
fn a_customer_orders_only_what_is_held_for_himself() {
    let shop = Shop::open();
    let hold = |who: &str| shop.hold(who, &json!({})).is(201)["id"].as_u64().unwrap();
    let (of_ann, of_bob, of_staff) = (hold(&shop.ann), hold(&shop.bob), hold(&shop.staff));
    let ask = |path: &str, ids: &[u64]| {
        let order = json!({"product_id": 1, "quantity": 1, "reservation_ids": ids});
        shop.post(&shop.ann, path, order.to_string())
    };
    for path in ["/v1/orders/plan", "/v1/orders"] {
        for foreign in [of_bob, of_staff, 999_999] {
            let problem = ask(path, &[of_ann, foreign]).problem(422, "invalid");
            let wanted = format!("/reservation_ids/1: reservation {foreign} does not exist");
            assert_eq!(problem["detail"], wanted);
        }
    }
    ask("/v1/orders/plan", &[of_ann]).is(200);
    ask("/v1/orders", &[of_ann]).is(201);
    // Staff place orders of what is held for anybody.
    let order =
        json!({"product_id": 1, "quantity": 1, "reservation_ids": [of_bob], "customer_id": 2});
    shop.post(&shop.staff, "/v1/orders", order.to_string()).is(201);
}

#[test]
fn a_customer_cancels_what_is_not_paid() {
    let shop = Shop::open();
    let place = || shop.order(&shop.ann, &json!({"quantity": 2}))["id"].as_u64().unwrap();
    let cancel =
        |who: &str, id: u64, body: &str| shop.post(who, &format!("/v1/orders/{id}/cancel"), body);
    let pay = |id: u64, body: &str| {
        shop.post(&shop.staff, &format!("/v1/orders/{id}/payments"), body).is(201)
    };

    let unpaid = place();
    for _ in 0..2 {
        assert_eq!(cancel(&shop.ann, unpaid, "{}").is(200)["status"], "cancelled");
    }
    let part_paid = place();
    pay(part_paid, r#"{"amount": "0.50"}"#);
    assert_eq!(cancel(&shop.ann, part_paid, "{}").is(200)["refund_due"], "0.50");
    let paid = place();
    pay(paid, "{}");
    cancel(&shop.ann, paid, "{}").problem(403, "forbidden");
    cancel(&shop.ann, paid, r#"{"lines": [{"product_id": 1, "quantity": 1}]}"#)
        .problem(403, "forbidden");
    assert_eq!(shop.get(&shop.ann, &format!("/v1/orders/{paid}")).is(200)["status"], "paid");
    assert_eq!(cancel(&shop.staff, paid, "{}").is(200)["status"], "cancelled");
    // Cancelled by the shop it is cancelled for the customer, too.
    assert_eq!(cancel(&shop.ann, paid, "{}").is(200)["status"], "cancelled");
    let expired = place();
    shop.server.advance(1_801);
    cancel(&shop.ann, expired, "{}").problem(409, "illegal_transition");
}

#[test]
fn a_customer_shortens_deadlines_and_holds_for_an_hour() {
    let shop = Shop::open();
    let order = |who: &str, seconds: u64| {
        let body = json!({"product_id": 1, "quantity": 1, "payment_deadline_seconds": seconds});
        shop.post(who, "/v1/orders", body.to_string())
    };
    order(&shop.ann, 60).is(201);
    order(&shop.ann, 1_800).is(201);
    order(&shop.ann, 1_801).refuses("invalid", "/payment_deadline_seconds");
    order(&shop.staff, 604_800).is(201);

    let hold = |who: &str, seconds: u64| shop.hold(who, &json!({"ttl_seconds": seconds}));
    for seconds in [0, 3_601, 604_800, u64::MAX] {
        hold(&shop.ann, seconds).refuses("invalid", "/ttl_seconds");
    }
    hold(&shop.ann, 1).is(201);
    let held = hold(&shop.ann, 3_600).is(201)["id"].as_u64().unwrap();
    hold(&shop.staff, 604_800).is(201);
    hold(&shop.staff, 604_801).refuses("invalid", "/ttl_seconds");
    let extend = |who: &str, seconds: u64| {
        let body = json!({"ttl_seconds": seconds}).to_string();
        shop.post(who, &format!("/v1/reservations/{held}/extend"), body)
    };
    extend(&shop.ann, 3_600).is(200);
    extend(&shop.ann, 3_601).refuses("invalid", "/ttl_seconds");
    extend(&shop.staff, 3_601).is(200);
    assert_eq!(shop.get(&shop.ann, &format!("/v1/reservations/{held}")).is(200)["customer_id"], 1);
}

#[test]
fn a_customer_holds_a_product_ten_times_and_no_more() {
    let shop = Shop::open();
    for n in 0..10 {
        shop.hold(&shop.ann, &json!({"owner": format!("cart-{n}")})).is(201);
    }
    let more = json!({"owner": "cart-10"});
    shop.hold(&shop.ann, &more).problem(429, "too_many_holds");
    shop.hold(&shop.ann, &json!({"owner": "cart-0"})).is(201);
    shop.hold(&shop.bob, &more).is(201);
}

#[test]
fn lists_show_what_is_for_sale_unless_staff_ask() {
    let shop = Shop::open();
    let archived = shop.post(&shop.staff, "/v1/products", r#"{"name": "old", "price": 1}"#).is(201);
    let path = format!("/v1/products/{}", archived["id"]);
    let headers = [("authorization", &*format!("Bearer {}", shop.staff)), ("if-match", "*")];
    shop.server.send("DELETE", &path, &headers, None).is(200);
    let archived = archived["id"].as_u64().unwrap();
    let list = "/v1/products?status=archived";
    assert_eq!(ids(&shop.get(&shop.staff, list).is(200)), [archived]);
    for list in [list, "/v1/products?status=archived&sort=-id&q=old"] {
        assert_eq!(ids(&shop.get(&shop.ann, list).is(200)), [0; 0]);
        assert_eq!(ids(&shop.server.get(list).is(200)), [0; 0]);
    }
    assert_eq!(ids(&shop.server.get("/v1/products").is(200)), [1]);
    // An order of long ago names it.
    assert_eq!(shop.server.get(&path).is(200)["status"], "archived");
}
