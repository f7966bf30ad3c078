//! Requests that are wrong.

use std::{io::Write, net::TcpStream, time::Duration};

use stockade_http::{Auth, AuthMode, HttpConfig};

use crate::server::Server;

#[test]
fn a_body_must_say_that_it_is_json() {
    let server = Server::start();
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""]
    {
        let headers = [("content-type", content_type)];
        let answer = server.send("POST", "/v1/orders", &headers, Some("{}"));
        answer.problem(415, "unsupported_media_type");
    }
    let packed = [("content-encoding", "gzip")];
    server.send("POST", "/v1/orders", &packed, Some("{}")).problem(415, "unsupported_media_type");
    for content_type in
        ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"]
    {
        let headers = [("content-type", content_type)];
        server.send("POST", "/v1/orders", &headers, Some("{}")).refuses("invalid", "/lines");
    }
}

#[test]
fn what_is_no_json_is_400_whatever_else_is_wrong() {
    let server = Server::start();
    let deep = "[".repeat(200_000);
    let deep_unknown = format!(r#"{{"x": {}}}"#, "[".repeat(100_000));
    for body in [
        "{",
        "nonsense",
        "{}{}",
        r#"{"lines": [}"#,
        r#"{"nonsense": 1, }"#,
        &deep,
        &deep_unknown,
        " ",
    ] {
        server.post("/v1/orders", body).problem(400, "malformed_json");
    }
    server.patch("/v1/shops/1", "").problem(400, "malformed_json");
    let bytes = b"POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"note\":\"\xff\"}";
    let answer = server.raw(bytes);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("malformed_json"), "{answer}");
    // Deep, but whole: it is JSON, and its shape is wrong.
    let whole = format!(r#"{{"x": {}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    server.post("/v1/orders", whole).refuses("unknown_field", "/x");
}

#[test]
fn a_body_of_the_wrong_shape_is_422_and_says_where() {
    let server = Server::start();
    for (body, code, pointer) in [
        ("{}", "invalid", "/lines"),
        ("[]", "invalid", ""),
        (r#"{"lines": {}}"#, "invalid", "/lines"),
        (r#"{"lines": []}"#, "invalid", "/lines"),
        (r#"{"lines": [{"product_id": 1}]}"#, "invalid", "/lines/0/quantity"),
        (r#"{"lines": [{"product_id": "1", "quantity": 1}]}"#, "invalid", "/lines/0/product_id"),
        (r#"{"lines": [{"product_id": 1, "quantity": 1.5}]}"#, "invalid", "/lines/0/quantity"),
        (r#"{"lines": [{"product_id": 1, "quantity": -1}]}"#, "invalid", "/lines/0/quantity"),
        (r#"{"lines": [{"product_id": 1, "quantity": 0}]}"#, "invalid", "/lines/0/quantity"),
        (
            r#"{"lines": [{"product_id": 1, "quantity": 1, "price": 1}]}"#,
            "unknown_field",
            "/lines/0/price",
        ),
        (r#"{"a/b~c": 1}"#, "unknown_field", "/a~1b~0c"),
        (r#"{"note": "a", "note": "b"}"#, "invalid", "/note"),
        (r#"{"metadata": {"k": "1", "k": "2"}}"#, "invalid", "/metadata/k"),
        (r#"{"metadata": {"k": 1}}"#, "invalid", "/metadata/k"),
        (r#"{"product_id": 9, "quantity": 1}"#, "invalid", "/product_id"),
        (r#"{"lines": [{"product_id": 9, "quantity": 1}]}"#, "invalid", "/lines/0/product_id"),
        (r#"{"product_id": 1, "quantity": 1, "shop_id": 9}"#, "invalid", "/shop_id"),
        (r#"{"product_id": 1, "quantity": 1, "customer_id": 0}"#, "invalid", "/customer_id"),
        (
            r#"{"product_id": 1, "quantity": 1, "reservation_ids": [7]}"#,
            "invalid",
            "/reservation_ids/0",
        ),
        (
            r#"{"product_id": 1, "quantity": 1, "payment_deadline_seconds": 0}"#,
            "invalid",
            "/payment_deadline_seconds",
        ),
        (
            r#"{"product_id": 1, "quantity": 1, "ship_to": {"latitude": 91, "longitude": 0}}"#,
            "invalid",
            "/ship_to/latitude",
        ),
    ] {
        let server = &server;
        if server.get("/v1/products/1").status == 404 {
            server.product("1.00", 5);
        }
        server.post("/v1/orders", body).refuses(code, pointer);
    }
}

#[test]
fn what_a_body_should_be_is_said_in_the_words_of_json() {
    let server = Server::start();
    for (body, detail) in [
        ("[]", "must be an object, not a list"),
        (r#"{"lines": {}}"#, "/lines: must be a list, not an object"),
        (
            r#"{"lines": [{"product_id": 1, "quantity": "secret"}]}"#,
            "/lines/0/quantity: must be a whole number from 0, not text",
        ),
        (r#"{"note": 7}"#, "/note: must be text, not 7"),
    ] {
        let problem = server.post("/v1/orders", body).problem(422, "invalid");
        assert_eq!(problem["detail"], detail);
    }
}

#[test]
fn the_query_is_checked_like_the_body() {
    let server = Server::start();
    for (path, code, parameter) in [
        ("/v1/products?nonsense=1", "unknown_parameter", "nonsense"),
        ("/v1/products?limit=0", "invalid", "limit"),
        ("/v1/products?limit=%2B2", "invalid", "limit"),
        ("/v1/products?limit=", "invalid", "limit"),
        ("/v1/products?limit=501", "invalid", "limit"),
        ("/v1/products?limit=x", "invalid", "limit"),
        ("/v1/products?limit=1&limit=2", "invalid", "limit"),
        ("/v1/products?cursor=zz", "cursor_invalid", "cursor"),
        ("/v1/products?sort=colour", "invalid", "sort"),
        ("/v1/products?in_stock=perhaps", "invalid", "in_stock"),
        ("/v1/products?min_price=1e3", "invalid", "min_price"),
        ("/v1/products?shop_id=9", "invalid", "shop_id"),
        ("/v1/products?ids=1,x", "invalid", "ids"),
        ("/v1/products?ids=1&x=1", "unknown_parameter", "x"),
        ("/v1/orders?status=lost", "invalid", "status"),
        ("/v1/orders?placed_after=yesterday", "invalid", "placed_after"),
        ("/v1/orders?customer_id=-1", "invalid", "customer_id"),
        ("/v1/stock?below=few", "invalid", "below"),
        ("/v1/transfers?status=lost", "invalid", "status"),
        ("/v1/reservations?status=lost", "invalid", "status"),
        ("/v1/shops/1?expand=all", "unknown_parameter", "expand"),
    ] {
        let problem = server.get(path).problem(422, code);
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{problem}");
    }
    let problem = server.post("/v1/products?dry=1", r#"{"name": "a", "price": 1}"#);
    assert_eq!(problem.problem(422, "unknown_parameter")["errors"][0]["parameter"], "dry");
    let problem = server.get("/v1/products?a=1&b=2").problem(422, "unknown_parameter");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
}

#[test]
fn a_large_or_slow_body_is_cut_off() {
    let limits = HttpConfig {
        json_bytes_max: 1_000,
        body_timeout: Duration::from_millis(50),
        ..HttpConfig::default()
    };
    let server = Server::with(limits);
    let large = format!(r#"{{"note": "{}"}}"#, "x".repeat(2_000));
    server.post("/v1/orders", &large).problem(413, "body_too_large");
    // It comes before the type of the body, and does not depend on the announced length.
    let headers = [("content-type", "text/plain")];
    server.send("POST", "/v1/orders", &headers, Some(&large)).problem(413, "body_too_large");
    let chunked = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2_000)
    );
    assert!(server.raw(chunked.as_bytes()).starts_with("HTTP/1.1 413"));
    let slow = "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    let answer = server.raw(slow.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
}

#[test]
fn a_post_without_a_body_counts_as_an_empty_object() {
    let server = Server::start();
    let product = server.product("2.00", 1);
    let order = server.order(product, 1);
    let bare = format!(
        "POST /v1/orders/{order}/payments HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    );
    let answer = server.raw(bare.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 201") && answer.contains(r#""status":"paid""#),
        "{answer}"
    );
}

#[test]
fn whoever_is_refused_is_so_whatever_comes_of_his_body() {
    let server = Server::with(HttpConfig {
        auth: Auth { mode: AuthMode::Jwt, ..Auth::default() },
        json_bytes_max: 1_000,
        body_timeout: Duration::from_millis(50),
        ..HttpConfig::default()
    });
    let post = |more: &str| {
        format!(
            "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}"
        )
    };
    let answer = |request: String| server.raw(request.as_bytes());
    // What it says of its length comes first.
    assert!(answer(post("content-length: 2000\r\n\r\n{")).starts_with("HTTP/1.1 413"));
    let slow = answer(post("content-length: 10\r\n\r\n{"));
    assert!(slow.starts_with("HTTP/1.1 401"), "{slow}");
    let large =
        format!("transfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2_000));
    let large = answer(post(&large));
    assert!(large.starts_with("HTTP/1.1 401"), "{large}");
    for refused in [slow, large] {
        assert!(refused.to_lowercase().contains("connection: close"), "{refused}");
    }
    // One that is whole is passed over, and its connection goes on.
    let next = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let both = answer(post("content-length: 2\r\n\r\n{}") + next);
    let statuses: Vec<&str> = both.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["401", "200"], "{both}");
}

#[test]
fn all_bodies_together_have_a_bound() {
    let config =
        HttpConfig { json_bytes_max: 1_000, bodies_bytes_max: 1_000, ..HttpConfig::default() };
    let server = Server::with(config);
    let product = format!(r#"{{"name": "{}", "price": "1.00"}}"#, "x".repeat(150));
    let mut slow = TcpStream::connect(server.address).unwrap();
    let head = "POST /v1/products HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&[b' '; 900]).unwrap();
    let post = || server.post("/v1/products", &product);
    // It is read at some time, and from then on there is no room for another.
    let refused = (0..10_000).map(|_| post()).find(|answer| answer.status != 201).unwrap();
    assert!(refused.header("retry-after").is_some());
    refused.problem(503, "overloaded");
    server.get("/v1/products?limit=1").is(200);
    drop(slow);
    let again = (0..10_000).map(|_| post()).find(|answer| answer.status != 503).unwrap();
    again.is(201);
}
