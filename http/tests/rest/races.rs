//! Things at one moment, through HTTP: exactly one wins, or all come to what each said, and every answer says which.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::server::{Answer, Server};

const ROUNDS: u64 = 25;

/// Rounds after which one side that always wins is no chance any more.
const ROUNDS_MAX: u64 = 2_000;

/// How often each side must have won.
const WINS: u64 = 5;

/// Plays rounds until both sides have won, and answers with how often the first did. `play` says whether it won.
fn until_both_win(play: impl Fn(u64) -> bool) -> u64 {
    let (mut first, mut second) = (0, 0);
    for round in 0..ROUNDS_MAX {
        if play(round) {
            first += 1
        } else {
            second += 1
        }
        if first.min(second) >= WINS {
            return first;
        }
    }
    panic!("one side always wins: {first} to {second}");
}

/// Lets the other side go first, in every second round, by more each time: however fast one is, both win some.
fn lag(round: u64, side: u64) {
    let begun = Instant::now();
    while round % 2 == side && begun.elapsed() < Duration::from_micros(round * 20) {
        thread::yield_now();
    }
}

/// Does both at one moment.
fn both<A: Send + 'static, B: Send + 'static>(
    server: &Arc<Server>,
    one: impl FnOnce(&Server) -> A + Send + 'static,
    other: impl FnOnce(&Server) -> B + Send + 'static,
) -> (A, B) {
    let barrier = Arc::new(Barrier::new(2));
    let (its, server_of_one) = (barrier.clone(), server.clone());
    let one = thread::spawn(move || {
        its.wait();
        one(&server_of_one)
    });
    barrier.wait();
    let other = other(server);
    (one.join().unwrap(), other)
}

fn order(server: &Server, id: u64) -> Value {
    server.get(&format!("/v1/orders/{id}")).is(200)
}

fn stock(server: &Server) -> (u64, u64) {
    let row = server.get("/v1/warehouses/1/stock/1").is(200);
    (row["on_hand"].as_u64().unwrap(), row["reserved"].as_u64().unwrap())
}

#[test]
fn of_payment_and_expiry_one_wins_and_the_answer_says_which() {
    let server = Arc::new(Server::start());
    server.product("2.00", ROUNDS_MAX);
    let paid = until_both_win(|round| {
        let id = server.order(1, 1);
        let pay = move |server: &Server| {
            lag(round, 0);
            server.post(&format!("/v1/orders/{id}/payments"), "{}")
        };
        let expire = move |server: &Server| {
            lag(round, 1);
            server.advance(1_801);
        };
        let (answer, ()): (Answer, ()) = both(&server, pay, expire);
        let status = order(&server, id)["status"].clone();
        match status.as_str().unwrap() {
            "paid" => assert_eq!(answer.is(201)["status"], "paid"),
            "expired" => drop(answer.problem(409, "order_not_payable")),
            other => panic!("{other}"),
        }
        status == "paid"
    });
    assert_eq!(stock(&server), (ROUNDS_MAX, paid), "what was paid is reserved, the rest is free");
}

#[test]
fn of_cancelling_and_shipping_one_wins_and_no_unit_is_lost() {
    let server = Arc::new(Server::start());
    server.product("2.00", ROUNDS_MAX);
    let shipped = until_both_win(|round| {
        let id = server.order(1, 1);
        server.post(&format!("/v1/orders/{id}/payments"), "{}").is(201);
        let cancel = move |server: &Server| {
            lag(round, 0);
            server.post(&format!("/v1/orders/{id}/cancel"), "{}")
        };
        let ship = move |server: &Server| {
            lag(round, 1);
            server.post(&format!("/v1/orders/{id}/shipments"), "{}")
        };
        let (cancelled, sent) = both(&server, cancel, ship);
        let status = order(&server, id)["status"].clone();
        match status.as_str().unwrap() {
            "shipped" => {
                sent.is(201);
                cancelled.problem(409, "illegal_transition");
            }
            "cancelled" => {
                assert_eq!(cancelled.is(200)["refund_due"], "2.00");
                sent.problem(409, "illegal_transition");
            }
            other => panic!("{other}"),
        }
        status == "shipped"
    });
    assert_eq!(stock(&server), (ROUNDS_MAX - shipped, 0));
}

#[test]
fn two_browsers_that_pay_one_order_pay_it_once() {
    let server = Arc::new(Server::start());
    server.product("2.00", ROUNDS);
    for _ in 0..ROUNDS {
        let id = server.order(1, 1);
        let pay = move |server: &Server| server.post(&format!("/v1/orders/{id}/payments"), "{}");
        let (one, other) = both(&server, pay, pay);
        let (won, lost) = if one.status == 201 { (one, other) } else { (other, one) };
        won.is(201);
        lost.problem(409, "order_already_paid");
        let order = order(&server, id);
        assert_eq!((&order["paid_amount"], &order["refund_due"]), (&"2.00".into(), &"0.00".into()));
        assert_eq!(order["payments"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn the_same_reference_from_two_gateways_is_one_payment() {
    let server = Arc::new(Server::start());
    server.product("2.00", ROUNDS);
    for _ in 0..ROUNDS {
        let id = server.order(1, 1);
        let pay = move |server: &Server| {
            server.post(&format!("/v1/orders/{id}/payments"), r#"{"reference": "ch_1"}"#)
        };
        let (one, other) = both(&server, pay, pay);
        assert_eq!((one.status, other.status), (201, 201), "{} {}", one.text, other.text);
        assert_eq!(order(&server, id)["payments"].as_array().unwrap().len(), 1);
    }
}

/// Does the same so many times at one moment.
fn at_once(
    server: &Arc<Server>,
    times: usize,
    what: impl Fn(&Server) -> Answer + Clone + Send + 'static,
) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(times));
    let start = |_| {
        let (barrier, server, what) = (barrier.clone(), server.clone(), what.clone());
        thread::spawn(move || {
            barrier.wait();
            what(&server)
        })
    };
    let threads: Vec<_> = (0..times).map(start).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn a_wanted_total_is_that_total_however_many_ask_for_it_at_once() {
    let server = Arc::new(Server::start());
    server.post("/v1/products", r#"{"name": "a", "price": "1", "sku": "A", "stock": 50}"#).is(201);
    for round in 0..ROUNDS {
        let total = if round % 2 == 0 { 500 } else { 10 };
        let ask = move |server: &Server| {
            let row = format!(r#"{{"name": "a", "price": "1", "sku": "A", "stock": {total}}}"#);
            server.post("/v1/products/batch", format!(r#"{{"products": [{row}]}}"#))
        };
        for answer in at_once(&server, 8, ask) {
            assert_eq!(answer.is(200)["results"][0]["status"], 200);
        }
        assert_eq!(stock(&server).0, total);
    }
}

#[test]
fn of_a_wanted_total_and_a_recount_the_later_knows_of_the_earlier() {
    let server = Arc::new(Server::start());
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    for round in 0..ROUNDS * 4 {
        let product = server.product("1.00", 0);
        let path = format!("/v1/products/{product}");
        let tag = server.get(&path).header("etag").unwrap().to_owned();
        let seen = path.clone();
        let put = move |server: &Server| {
            let body = r#"{"name": "a", "price": 1, "stock": 10}"#;
            server.send("PUT", &seen, &[("if-match", &tag)], Some(body))
        };
        let warehouse = 1 + round % 2;
        let counted = move |server: &Server| {
            let path = format!("/v1/warehouses/{warehouse}/stock/{product}");
            server.put(&path, r#"{"on_hand": 10, "reason": "count"}"#)
        };
        let (wanted, counted) = both(&server, put, counted);
        counted.is(200);
        let elsewhere = if warehouse == 2 && wanted.status == 200 { 10 } else { 0 };
        if wanted.status != 200 {
            wanted.problem(412, "precondition_failed");
        }
        assert_eq!(server.get(&path).is(200)["stock"], 10 + elsewhere);
    }
}

#[test]
fn of_batches_that_make_one_sku_one_makes_it_and_the_others_change_it() {
    let server = Arc::new(Server::start());
    for round in 0..ROUNDS {
        let make = move |server: &Server| {
            let row = format!(r#"{{"name": "a", "price": "1", "sku": "S{round}", "stock": 10}}"#);
            server.post("/v1/products/batch", format!(r#"{{"products": [{row}]}}"#))
        };
        let status = |answer: Answer| answer.is(200)["results"][0]["status"].as_u64().unwrap();
        let mut found: Vec<_> = at_once(&server, 4, make).into_iter().map(status).collect();
        found.sort_unstable();
        assert_eq!(found, [200, 200, 200, 201]);
        assert_eq!(server.get(&format!("/v1/products/{}", round + 1)).is(200)["stock"], 10);
    }
}

/// A row merges with what is there when its turn comes, not with what was there when it was read.
#[test]
fn of_batches_that_merge_into_one_product_none_is_lost() {
    let server = Arc::new(Server::start());
    for round in 0..ROUNDS {
        let sku = format!("S{round}");
        let whole = json!({"name": "a", "price": "1", "sku": sku});
        let id = server.post("/v1/products", whole.to_string()).is(201)["id"].clone();
        let next = Arc::new(AtomicUsize::new(0));
        let merge = {
            let (sku, next) = (sku.clone(), next.clone());
            move |server: &Server| {
                let name = format!("k{}", next.fetch_add(1, Ordering::Relaxed));
                let row = json!({"sku": sku, "attributes": {(name): "1"}});
                server.post("/v1/products/batch", json!({"products": [row]}).to_string())
            }
        };
        for answer in at_once(&server, 4, merge) {
            assert_eq!(answer.is(200)["results"][0]["status"], 200);
        }
        let merged = server.get(&format!("/v1/products/{id}")).is(200)["attributes"].clone();
        assert_eq!(merged, json!({"k0": "1", "k1": "1", "k2": "1", "k3": "1"}));
    }
}
