//! Queues that are full: whoever finds one so is told at once, with when to come again, and nothing has happened.

use std::{
    io::{Read, Write},
    net::TcpStream,
    pin::Pin,
    task::{Context, Waker},
    thread,
    time::Duration,
};

use serde_json::json;
use stockade_actors::{BatchMode, Config, Engine};
use stockade_domain::{
    ProductId, ShopId,
    order::{LineQuantity, PlaceOrder},
};
use stockade_http::HttpConfig;

use crate::server::{Answer, NOW_MS, Server};

/// A refusal for want of room.
#[track_caller]
fn overloaded(answer: Answer) {
    let after = answer.header("retry-after").map(str::to_owned);
    answer.problem(503, "overloaded");
    assert!(after.is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|s| s > 0)));
}

/// Polls a call once, so that it is on its way.
fn begin<T>(call: impl Future<Output = T> + 'static) -> Pin<Box<dyn Future<Output = T>>> {
    let mut call = Box::pin(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    call
}

#[test]
fn work_that_finds_the_door_full_is_refused() {
    let config = Config { lanes: 1, work_max: 4_096, ..Config::in_memory() };
    let engine = Engine::open(config.with_virtual_clock(NOW_MS)).unwrap();
    let server = Server::over(HttpConfig::default(), engine.clone());
    server.product("1.00", 1_000_000);
    let line = LineQuantity { product: ProductId(1), quantity: 1 };
    let rows = vec![json!({"product_id": 1, "quantity": 1}); 1_000];
    let batch = json!({"mode": "all", "orders": rows}).to_string();
    // Two batches fill it while they are under way. Should they be through when the request is there, once more.
    let refused = (0..100).find_map(|_| {
        let crowd = [(); 2].map(|()| {
            let (engine, orders) =
                (engine.clone(), vec![PlaceOrder::new(ShopId(1), vec![line]); 1_000]);
            begin(async move { engine.place_orders(orders, BatchMode::All).await })
        });
        let answer = server.post("/v1/orders/batch", &batch);
        crowd.into_iter().for_each(|call| drop(futures_executor::block_on(call).unwrap()));
        (answer.status != 201).then_some(answer)
    });
    overloaded(refused.expect("the door was full"));
    server.post("/v1/orders/batch", &batch).is(201);
}

#[test]
fn a_read_that_finds_too_many_waiting_is_refused() {
    let server = Server::start();
    let made = server.post("/v1/shops", r#"{"name": "b"}"#);
    let position = made.header("stockade-position").unwrap().to_owned();
    let (journal, at) = position.rsplit_once('-').unwrap();
    let ahead = u64::from_str_radix(at, 16).unwrap() + 1_000;
    let later = format!("{journal}-{ahead:x}");
    let headers = [("stockade-min-position", later.as_str())];
    let mut waiting = Vec::new();
    loop {
        let engine = server.engine.clone();
        let mut wait =
            Box::pin(async move { engine.wait_for(ahead, Duration::from_secs(60)).await });
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            true => waiting.push(wait),
            false => break,
        }
        assert!(waiting.len() <= 1 << 20, "there is a bound");
    }
    overloaded(server.send("GET", "/v1/shops", &headers, None));
    // Who asks for what is there already does not wait.
    let headers = [("stockade-min-position", position.as_str())];
    assert_eq!(server.send("GET", "/v1/shops", &headers, None).status, 200);
}

/// A connection with a request under way.
fn ask(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn is_overloaded(mut stream: TcpStream) -> bool {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let refused = answer.starts_with("HTTP/1.1 503");
    let lower = answer.to_lowercase();
    assert!(!refused || lower.contains("retry-after: ") && lower.contains("\"overloaded\""));
    refused
}

#[test]
fn a_follower_beyond_the_bound_is_refused() {
    const FOLLOWERS_MAX: usize = 1_000;
    let server = Server::with(HttpConfig { connections_max: 4_000, ..HttpConfig::default() });
    let end =
        server.get("/v1/events?limit=500").is(200)["next_cursor"].as_str().unwrap().to_owned();
    let path = format!("/v1/events?after={end}&wait=30");
    let follow = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    // One more than there is room for. Which one it is depends on the order in which they are taken; it need not wait to be told.
    let mut waiting: Vec<TcpStream> = (0..=FOLLOWERS_MAX).map(|_| ask(&server, &follow)).collect();
    waiting.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    let told = loop {
        match waiting.iter().position(|stream| stream.peek(&mut [0]).is_ok()) {
            Some(told) => break waiting.swap_remove(told),
            None => thread::yield_now(),
        }
    };
    told.set_nonblocking(false).unwrap();
    assert!(is_overloaded(told));
    server.get(&format!("/v1/events?after={end}")).is(200);
}

#[test]
fn a_sign_in_that_finds_too_many_waiting_is_refused() {
    let server = Server::start();
    let body = r#"{"email": "ann@example.com", "password": "a guess"}"#;
    let request = format!(
        "POST /v1/login HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Hashing one takes as long as reading many: of so many at once some find every place taken.
    let streams: Vec<TcpStream> = (0..300).map(|_| ask(&server, &request)).collect();
    assert!(streams.into_iter().rev().any(is_overloaded));
}
