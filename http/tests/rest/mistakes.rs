//! Mistakes of others that must not be ours. Each entry of the contract's list, and the test that would find it:
//!
//! | mistake | test |
//! | --- | --- |
//! | the last unit sold twice at concurrent checkouts | `actors` `concurrency::a_hot_sku_sells_exactly_its_stock` |
//! | charged, then the stock gone | here: `what_is_paid_for_stays_there` |
//! | holds leaked when a payment fails or a process dies | `actors` `durability::a_kill_loses_nothing_that_was_answered`, `deadlines::deadlines_survive_a_restart`; here: `a_payment_that_is_refused_leaves_the_hold_as_it_was` |
//! | blocked by his own hold on retry | `holds::an_owner_who_holds_again_is_not_in_his_own_way` |
//! | counters that drift from their rows | here: `what_is_reserved_is_what_its_owners_have`; `domain` invariants after every workflow |
//! | cancel or return releasing the wrong quantity, twice, or not at all | `orders::a_cancelled_order_frees_its_stock_and_says_so_again`; `domain` `order::tests::cancel`, `fulfil` |
//! | two lines of one product checked separately | here: `two_lines_of_one_product_are_one_demand` |
//! | available says yes, allocation says no | `domain` `the_planner_that_answers_available_is_the_one_that_allocates` |
//! | deadlocks under load | `actors` `concurrency::orders_that_want_each_others_products_neither_deadlock_nor_both_fail` |
//! | webhook and browser completing one order twice | here: `a_payment_told_twice_at_once_is_one` |
//! | events sent before what they announce is safe | `actors` `feed::nothing_is_told_before_it_is_safe` |
//! | bulk writes at 2 rows a second | here: `thousands_of_rows_take_seconds_not_minutes` |
//! | an order readable by whoever guesses its number | `access::every_caller_is_told_what_the_table_says`; `own::of_another_s_things_a_customer_learns_no_more_than_of_what_never_was` |
//! | a customer marking his own order paid | `access::every_caller_is_told_what_the_table_says` |
//! | a request id remembered before its work was done | `retries::a_refusal_had_no_effect_and_is_decided_anew`; `tests/crash` `retries` |
//! | stock taken, then lost when the next write fails | `domain` `a_crash_before_the_decision_undoes_the_takes_newest_first`; `actors` `power` |
//! | a confirmed hold that still expires, and is sold again | here: `a_hold_that_became_an_order_does_not_expire` |
//! | a hot product that slows down as its holds grow | here: `a_hot_product_does_not_slow_down_as_its_holds_grow`, `a_refusal_stays_bounded_however_many_hold_the_product` |
//! | quantities silently clamped | here: `no_quantity_is_clamped` |

use std::{
    thread,
    time::{Duration, Instant},
};

use futures_executor::block_on;
use serde_json::{Value, json};
use stockade_domain::{
    ProductId, ShopId,
    holder::{PlaceHold, Source},
    order::{LineQuantity, PlaceOrder},
};

use crate::server::Server;

fn stock(server: &Server) -> (u64, u64) {
    let row = server.get("/v1/warehouses/1/stock/1").is(200);
    (row["on_hand"].as_u64().unwrap(), row["reserved"].as_u64().unwrap())
}

#[test]
fn what_is_paid_for_stays_there() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    let order = server.order(product, 5);
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    let code = "insufficient_stock";
    let minus = json!({"warehouse_id": 1, "product_id": 1, "delta": -1, "reason": "lost"});
    server.post("/v1/stock/adjustments", minus.to_string()).problem(409, code);
    let away =
        json!({"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1});
    server.post("/v1/warehouses/transfer", away.to_string()).problem(409, code);
    server.put("/v1/warehouses/1/stock/1", r#"{"on_hand": 4, "reason": "c"}"#).problem(409, code);
    server.patch("/v1/products/1", r#"{"stock": 4}"#).problem(409, code);
    server.post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#).problem(409, code);
    server.advance(365 * 24 * 3_600);
    server.patch("/v1/warehouses/1/status", r#"{"status": "inactive"}"#).is(200);
    server.send("DELETE", "/v1/products/1", &[("if-match", "*")], None).is(200);
    server.post(&format!("/v1/orders/{order}/shipments"), "{}").is(201);
    assert_eq!(stock(&server), (0, 0));
}

#[test]
fn a_payment_that_is_refused_leaves_the_hold_as_it_was() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    let order = server.order(product, 2);
    let pay = |amount: &str| {
        server.post(&format!("/v1/orders/{order}/payments"), json!({"amount": amount}).to_string())
    };
    pay("2.01").problem(422, "overpayment");
    pay("0").problem(422, "overpayment");
    assert_eq!(stock(&server), (5, 2));
    server.advance(1_801);
    assert_eq!(stock(&server), (5, 0));
    pay("2.00").problem(409, "order_not_payable");
}

#[test]
fn what_is_reserved_is_what_its_owners_have() {
    let server = Server::start();
    let product = server.product("1.00", 100);
    let mut last = 0;
    for n in 1..=6 {
        last = server.order(product, n);
        let hold = json!({"product_id": 1, "quantity": n, "owner": format!("cart {}", n % 2)});
        server.post("/v1/reservations", hold.to_string()).is(201);
    }
    server.post(&format!("/v1/orders/{last}/cancel"), "{}").is(200);
    let told = server.get("/v1/warehouses/1/stock/1/explain").is(200);
    let sum: u64 = told["reservations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|live| live["quantity"].as_u64().unwrap())
        .sum();
    // Orders of 1 to 5; of each cart the latest hold alone.
    assert_eq!((sum, told["stock"]["reserved"].as_u64().unwrap()), (15 + 5 + 6, 26));
    let on_hand: i64 = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["change"].as_i64().unwrap())
        .sum();
    assert_eq!(on_hand, 100);
}

#[test]
fn two_lines_of_one_product_are_one_demand() {
    let server = Server::start();
    server.product("1.00", 5);
    let body = r#"{"lines": [{"product_id": 1, "quantity": 3}, {"product_id": 1, "quantity": 3}]}"#;
    let short = server.post("/v1/orders", body).problem(409, "insufficient_stock");
    assert_eq!(
        (&short["errors"][0]["wanted"], &short["errors"][0]["available"]),
        (&json!(6), &json!(5))
    );
    server.post("/v1/reservations", body).problem(409, "insufficient_stock");
    assert_eq!(stock(&server), (5, 0));
}

#[test]
fn a_payment_told_twice_at_once_is_one() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    let order = server.order(product, 2);
    let pay = || {
        let body = json!({"amount": "2.00", "reference": "tx-1"});
        server.post(&format!("/v1/orders/{order}/payments"), body.to_string()).is(201)
    };
    let answers: Vec<Value> = thread::scope(|scope| {
        let told: Vec<_> = (0..4).map(|_| scope.spawn(pay)).collect();
        told.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer == &answers[0]), "every one reads the same");
    assert_eq!(answers[0]["payments"].as_array().unwrap().len(), 1);
    assert_eq!(answers[0]["paid_amount"], "2.00");
}

#[test]
fn thousands_of_rows_take_seconds_not_minutes() {
    let server = Server::start();
    let rows = |row: fn(usize) -> Value| (0..1_000).map(row).collect::<Vec<_>>();
    let products = rows(|n| json!({"sku": format!("S{n}"), "name": "n", "price": "1", "stock": 9}));
    let orders = rows(|n| json!({"product_id": n + 1, "quantity": 1}));
    let stock =
        rows(|n| json!({"warehouse_id": 1, "product_id": n + 1, "delta": 1, "reason": "found"}));
    let begun = Instant::now();
    for (path, body, status) in [
        ("/v1/products/batch", json!({"products": products}), 200),
        ("/v1/orders/batch", json!({"orders": orders}), 200),
        ("/v1/stock/adjustments", json!({"adjustments": stock}), 201),
    ] {
        server.post(path, body.to_string()).is(status);
    }
    // Two rows a second would be 25 minutes; even a slow machine under load needs a hundredth of it.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(server.get("/v1/products/1000").is(200)["stock"], 10);
}

#[test]
fn a_hold_that_became_an_order_does_not_expire() {
    let server = Server::start();
    server.product("1.00", 3);
    let hold = r#"{"product_id": 1, "quantity": 3, "ttl_seconds": 10}"#;
    let hold = server.post("/v1/reservations", hold).is(201)["id"].clone();
    let body = json!({"product_id": 1, "quantity": 3, "reservation_ids": [hold]});
    let order = server.post("/v1/orders", body.to_string()).is(201)["id"].clone();
    server.advance(60);
    assert_eq!(stock(&server), (3, 3));
    server
        .post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#)
        .problem(409, "insufficient_stock");
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    server.advance(3_600);
    assert_eq!(stock(&server), (3, 3));
    assert_eq!(server.get(&format!("/v1/reservations/{hold}")).is(200)["status"], "converted");
}

#[test]
fn a_refusal_stays_bounded_however_many_hold_the_product() {
    let server = Server::start();
    server.product("1.00", 1_500);
    let orders: Vec<_> = (0..750).map(|_| json!({"product_id": 1, "quantity": 1})).collect();
    for _ in 0..2 {
        server.post("/v1/orders/batch", json!({"orders": orders}).to_string()).is(200);
    }
    let short = server.post("/v1/orders", r#"{"product_id": 1, "quantity": 1}"#);
    let short = short.problem(409, "insufficient_stock");
    assert_eq!(short["errors"][0]["frees_at"], "2023-11-14T22:43:20.000Z");
    // Lists of what is in the way end; their sum is told.
    let told = server.get("/v1/warehouses/1/stock/1/explain").is(200);
    assert_eq!(told["reservations"].as_array().unwrap().len(), 1_000);
    assert_eq!(told["reservation_count"], 1_500);
    assert_eq!(told["frees_next"], json!([{"at": "2023-11-14T22:43:20.000Z", "quantity": 1_500}]));
    let low = server.put("/v1/warehouses/1/stock/1", r#"{"on_hand": 0, "reason": "c"}"#);
    let low = low.problem(409, "insufficient_stock");
    assert_eq!(low["reservations"].as_array().unwrap().len(), 100);
}

/// What a hold, its release and an order that comes up short cost: the events written, the bytes answered, and the engine's best
/// time of many, since the machine has other things to do.
fn cost(server: &Server) -> (u64, usize, Duration) {
    let line = r#"{"product_id": 1, "quantity": 1}"#;
    let too_much = json!({"product_id": 1, "quantity": 1_000_000}).to_string();
    let records = server.engine.stats().journal.records;
    let hold = server.post("/v1/reservations", line);
    let released = server.delete(&format!("/v1/reservations/{}", hold.json["id"]));
    let short = server.post("/v1/orders", too_much);
    let answers = [&hold, &released, &short];
    assert_eq!(answers.map(|answer| answer.status), [201, 204, 409]);
    let written = server.engine.stats().journal.records - records;
    let length = answers.map(|answer| answer.text.len()).iter().sum();

    let lines = |quantity| vec![LineQuantity { product: ProductId(1), quantity }];
    let request = PlaceHold {
        source: Source::Shop(ShopId(1)),
        owner: None,
        scope: None,
        customer: None,
        lines: lines(1),
        ttl_ms: 60_000,
        partial: false,
    };
    let once = || {
        let begun = Instant::now();
        let hold = block_on(server.engine.reserve(request.clone())).unwrap();
        block_on(server.engine.release_reservation(hold.id)).unwrap();
        let short = PlaceOrder::new(ShopId(1), lines(1_000_000));
        assert!(block_on(server.engine.place_order(short)).is_err());
        begun.elapsed()
    };
    (written, length, (0..200).map(|_| once()).min().unwrap())
}

#[test]
fn a_hot_product_does_not_slow_down_as_its_holds_grow() {
    let server = Server::start();
    server.product("1.00", 1_000_000);
    let hold = |count: usize| {
        let orders = vec![json!({"product_id": 1, "quantity": 1}); count];
        server.post("/v1/orders/batch", json!({"orders": orders}).to_string()).is(200);
    };
    hold(10);
    let (written, length, time) = cost(&server);
    (0..10).for_each(|_| hold(1_000));
    let (written_then, length_then, time_then) = cost(&server);
    assert_eq!(written_then, written, "as much is written");
    assert!(length_then < length + 64, "{length} bytes became {length_then}: ids have more digits");
    assert!(time_then < time * 2, "{time:?} became {time_then:?} with a thousand times the holds");
}

#[test]
fn no_quantity_is_clamped() {
    let server = Server::start();
    let product = server.product("1.00", 5);
    let order = server.order(product, 3);
    server
        .post("/v1/orders", r#"{"product_id": 1, "quantity": 3}"#)
        .problem(409, "insufficient_stock");
    for quantity in ["0", "1000000001", "18446744073709551616", "1.5", "-1", "\"1\""] {
        for path in ["/v1/orders", "/v1/reservations"] {
            let body = format!(r#"{{"product_id": 1, "quantity": {quantity}}}"#);
            server.post(path, body).refuses("invalid", "/quantity");
        }
    }
    let act = |action: &str, quantity: u64| {
        let body = json!({"lines": [{"product_id": 1, "quantity": quantity}]});
        server.post(&format!("/v1/orders/{order}/{action}"), body.to_string())
    };
    act("cancel", 4).refuses("invalid", "/lines");
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    act("shipments", 4).refuses("invalid", "/lines");
    act("shipments", 2).is(201);
    act("returns", 3).refuses("invalid", "/lines");
    server.get("/v1/orders?limit=501").problem(422, "invalid");
    server
        .post("/v1/reservations", r#"{"product_id": 1, "quantity": 1, "ttl_seconds": 999999999}"#)
        .refuses("invalid", "/ttl_seconds");
    assert_eq!(stock(&server), (3, 1));
}
