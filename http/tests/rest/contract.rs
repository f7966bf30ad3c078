//! What holds for every route.

use serde_json::Value;
use stockade_http::{BindError, HttpConfig, bind};

use crate::server::Server;

#[test]
fn the_three_mounts_answer_alike_and_point_into_themselves() {
    let server = Server::start();
    for (n, mount) in ["/v1", "/api", ""].into_iter().enumerate() {
        let made = server.post(&format!("{mount}/products"), r#"{"name": "a", "price": "1"}"#);
        assert_eq!(made.header("location").unwrap(), format!("{mount}/products/{}", n + 1));
        made.is(201);
        let list = server.get(&format!("{mount}/products?limit=1&q=a"));
        let link = list.header("link");
        if n > 0 {
            let start = format!("<{mount}/products?limit=1&q=a&cursor=");
            let link = link.unwrap();
            assert!(link.starts_with(&start) && link.ends_with(">; rel=\"next\""), "{link}");
        }
        list.is(200);
    }
    let one = server.get("/v1/products/1").text;
    assert_eq!(one, server.get("/api/products/1").text);
    assert_eq!(one, server.get("/products/1").text);
    // A cursor belongs to the list, not to the mount.
    let cursor = server.get("/v1/products?limit=1").is(200)["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    assert_eq!(
        server.get(&format!("/products?limit=1&cursor={cursor}")).is(200)["data"][0]["id"],
        2
    );
}

#[test]
fn unknown_paths_trailing_slashes_and_odd_ids_are_404() {
    let server = Server::start();
    server.product("1.00", 1);
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/products",
        "/v1/products/",
        "/v1/products/1/",
        "/v1/products/0",
        "/v1/products/01",
        "/v1/products/-1",
        "/v1/products/1.0",
        "/v1/products/x",
        "/v1/products/2",
        "/v1/products/9999999999999999",
        "/v1/products/10000000000000000",
        "/v1/orders/1",
        "/v1/orders/1/events",
        "/v1/shops/9",
        "/v1/shops/9/warehouses",
        "/v1/warehouses/9",
        "/v1/warehouses/9/stock/1",
        "/v1/warehouses/1/stock/9",
        "/v1/transfers/1",
        "/v1/reservations/1",
        "/v1/livez",
        "/api/readyz",
        "/v1/v1/products",
    ] {
        server.get(path).problem(404, "not_found");
    }
    server.delete("/v1/reservations/1").problem(404, "not_found");
    server.post("/v1/orders/1/payments", "{}").problem(404, "not_found");
    // That the thing is not there comes before what is wrong with the body.
    server.post("/v1/orders/1/payments", r#"{"nonsense": 1}"#).problem(404, "not_found");
    server.patch("/v1/products/77", r#"{"nonsense": 1}"#).problem(404, "not_found");
}

#[test]
fn other_methods_are_405_and_say_which_there_are() {
    let server = Server::start();
    for (path, method, allow) in [
        ("/v1/products", "DELETE", "GET, HEAD, POST, OPTIONS"),
        ("/v1/products/1", "POST", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/api/orders", "PUT", "GET, HEAD, POST, OPTIONS"),
        ("/orders/batch", "GET", "POST, OPTIONS"),
        ("/orders/plan", "GET", "POST, OPTIONS"),
        ("/v1/orders/1/status", "POST", "PATCH, OPTIONS"),
        ("/v1/stock/adjustments", "GET", "POST, OPTIONS"),
        ("/v1/warehouses/transfer", "GET", "POST, OPTIONS"),
        ("/v1/warehouses/1/stock/1", "DELETE", "GET, HEAD, PUT, PATCH, OPTIONS"),
        ("/v1/products/batch", "GET", "POST, OPTIONS"),
        ("/v1/events", "POST", "GET, HEAD, OPTIONS"),
        ("/v1/order-details", "POST", "GET, HEAD, OPTIONS"),
        ("/v1/warehouses/1/stock/1/explain", "PUT", "GET, HEAD, OPTIONS"),
        ("/livez", "POST", "GET, HEAD, OPTIONS"),
    ] {
        let body = (method == "POST" || method == "PUT").then_some("{}");
        let answer = server.send(method, path, &[], body);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        answer.problem(405, "method_not_allowed");
        let options = server.send("OPTIONS", path, &[], None);
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)));
    }
    // 405 comes before what is wrong with a body.
    let answer = server.send("PUT", "/v1/orders", &[("content-type", "text/plain")], Some("x"));
    answer.problem(405, "method_not_allowed");
}

#[test]
fn head_is_get_without_a_body() {
    let server = Server::start();
    server.product("1.00", 1);
    let (get, head) =
        (server.get("/v1/products/1"), server.send("HEAD", "/v1/products/1", &[], None));
    assert_eq!(head.status, 200);
    assert!(head.text.is_empty());
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(server.send("HEAD", "/v1/products/9", &[], None).status, 404);
}

#[test]
fn a_host_or_a_page_from_elsewhere_is_turned_away() {
    let server = Server::start();
    for host in ["localhost", "localhost:1", "127.0.0.1:8080", "[::1]:8080"] {
        assert_eq!(
            server.send("GET", "/v1/products", &[("host", host)], None).status,
            200,
            "{host}"
        );
    }
    for host in ["shop.example", "127.0.0.1.example.com", "192.168.0.1:80"] {
        let answer = server.send("GET", "/v1/products", &[("host", host)], None);
        answer.problem(421, "misdirected_request");
    }
    let absolute = "GET http://shop.example/v1/products HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(server.raw(absolute.as_bytes()).starts_with("HTTP/1.1 421"));
    let foreign = [("origin", "https://shop.example")];
    server.send("POST", "/v1/orders", &foreign, Some("{}")).problem(403, "forbidden");
    assert_eq!(server.send("GET", "/v1/products", &foreign, None).status, 200);
    let own = [("origin", "http://localhost:3000")];
    server.send("POST", "/v1/orders", &own, Some("{}")).refuses("invalid", "/lines");
}

#[test]
fn every_answer_has_an_id_and_the_security_headers() {
    let server = Server::start();
    let given = server.send("GET", "/v1/products/9", &[("x-request-id", "mine-1")], None);
    assert_eq!(given.header("x-request-id"), Some("mine-1"));
    assert_eq!(given.problem(404, "not_found")["request_id"], "mine-1");
    let long = "x".repeat(129);
    let replaced = server.send("GET", "/v1/products", &[("x-request-id", &long)], None);
    assert!(replaced.header("x-request-id").is_some_and(|id| id.len() < 64));
    for answer in [replaced, server.get("/v1/orders/9"), server.get("/livez")] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").is_some());
    }
    server.product("1.00", 1);
    assert_eq!(server.get("/v1/products/1").header("cache-control"), Some("no-cache"));
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let server = Server::start();
    for _ in 0..30 {
        server.product("1.00", 1);
    }
    for encoding in ["gzip", "zstd"] {
        let request = format!(
            "GET /v1/products HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes()).to_lowercase();
        assert!(answer.contains(&format!("content-encoding: {encoding}")), "{answer}");
        assert!(answer.len() < server.get("/v1/products").text.len());
    }
}

#[test]
fn health_is_told_at_the_root() {
    let mut server = Server::start();
    assert_eq!(server.get("/livez").is(200)["status"], "alive");
    assert_eq!(server.get("/readyz").is(200)["status"], "ready");
    let health = server.get("/healthz").is(200);
    assert_eq!(health["open_workflows"], 0);
    assert!(health["version"].is_string());
    server.engine.shutdown().unwrap();
    server.get("/livez").is(200);
    server.get("/readyz").problem(503, "draining");
    server.get("/healthz").problem(503, "draining");
    server.post("/v1/products", r#"{"name": "a", "price": 1}"#).problem(503, "draining");
    server.stop();
}

#[test]
fn a_port_in_use_and_an_open_address_are_named() {
    let server = Server::start();
    let taken = HttpConfig { listen: vec![server.address], ..HttpConfig::default() };
    let error = bind(&taken).unwrap_err();
    assert!(matches!(&error, BindError::Refused { address, .. } if *address == server.address));
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
    let open = HttpConfig { listen: vec!["0.0.0.0:0".parse().unwrap()], ..HttpConfig::default() };
    assert!(bind(&open).unwrap_err().to_string().contains("loopback"));
    let none = HttpConfig { listen: Vec::new(), ..HttpConfig::default() };
    assert!(matches!(bind(&none), Err(BindError::NoAddress)));
    assert!(HttpConfig::default().workers >= 1);
}

#[test]
fn shutdown_finishes_what_is_under_way_and_leaves_the_engine_alone() {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };
    let mut server = Server::start();
    server.product("1.00", 5);
    // A request of which half has arrived when the shutdown begins.
    let mut stream = TcpStream::connect(server.address).unwrap();
    let body = r#"{"product_id": 1, "quantity": 2}"#;
    let head = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server has taken the request once it asks for the body.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.stop());
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        stopping.join().unwrap();
    });
    assert_eq!(server.engine.orders(&Default::default(), 0, 10).len(), 1);
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn what_a_get_shows_can_be_asked_for_again_by_its_etag() {
    let server = Server::start();
    let product = server.product("1.00", 9);
    server.order(product, 1);
    server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 1}"#).is(201);
    let moved = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1}"#;
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    server.post("/v1/warehouses/transfer", moved).is(201);
    for path in [
        "/v1/products/1",
        "/v1/shops/1",
        "/v1/warehouses/1",
        "/v1/orders/1",
        "/v1/reservations/1",
        "/v1/transfers/1",
        "/v1/warehouses/1/stock/1",
    ] {
        let answer = server.get(path);
        let tag = answer.header("etag").unwrap().to_owned();
        assert_ne!(answer.is(200), Value::Null);
        let weak = format!("\"other\", W/{}-gzip\"", tag.trim_end_matches('"'));
        for given in [tag.as_str(), "*", &weak] {
            let again = server.send("GET", path, &[("if-none-match", given)], None);
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path} {given}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let other = server.send("GET", path, &[("if-none-match", "\"1-0\"")], None);
        assert_eq!(other.status, 200);
    }
    // Stock moves under a product without its version: the ETag tells.
    let before = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    server.order(product, 1);
    let after = server.send("GET", "/v1/products/1", &[("if-none-match", &before)], None);
    assert_eq!(after.is(200)["version"], 1);
}
