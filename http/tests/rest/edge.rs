//! What surrounds every request: error pages, other origins, limits, odd requests, and the order in which wrong ones are told.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use stockade_http::{Auth, AuthMode, HttpConfig, RateLimits, routes};

use crate::{
    access::{May, TABLE},
    server::Server,
};

#[test]
fn the_type_of_a_problem_is_a_page() {
    let server = Server::start();
    let kind = server.get("/v1/products/9").problem(404, "not_found")["type"].clone();
    let page = server.get(kind.as_str().unwrap());
    assert_eq!(page.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert!(page.text.starts_with("# not_found\n"), "{}", page.text);
    let tag = page.header("etag").unwrap().to_owned();
    let again = server.send("GET", "/errors/not_found", &[("if-none-match", &tag)], None);
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    for path in ["/errors", "/errors/", "/errors/nonsense", "/v1/errors/not_found"] {
        server.get(path).problem(404, "not_found");
    }
}

#[test]
fn other_origins_see_answers_only_if_they_are_configured() {
    let shop = [("origin", "https://shop.example")];
    let closed = Server::start();
    let answer = closed.send("GET", "/v1/products", &shop, None);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), None);

    let cors_origins = vec!["https://shop.example".parse().unwrap()];
    let server = Server::with(HttpConfig { cors_origins, ..HttpConfig::default() });
    let answer = server.send("GET", "/v1/products", &shop, None);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let seen = answer.header("access-control-expose-headers").unwrap();
    for name in ["ETag", "Location", "Link", "Retry-After", "RateLimit", "Stockade-Position"] {
        assert!(seen.split(", ").any(|known| known == name), "{name} in {seen}");
    }
    // Problems are seen, too, and such a page may write.
    let refused = server.send("POST", "/v1/orders", &shop, Some("{}"));
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://shop.example"));
    refused.refuses("invalid", "/lines");
    for other in ["https://evil.example", "http://shop.example", "https://shop.example:444", "null"]
    {
        let answer = server.send("GET", "/v1/products", &[("origin", other)], None);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{other}");
        let answer = server.send("POST", "/v1/orders", &[("origin", other)], Some("{}"));
        answer.problem(403, "forbidden");
    }
}

#[test]
fn a_preflight_is_answered_from_the_route() {
    let cors_origins = vec!["https://shop.example".parse().unwrap()];
    let server = Server::with(HttpConfig { cors_origins, ..HttpConfig::default() });
    let ask = |path: &str, origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "PUT")];
        server.send("OPTIONS", path, &headers, None)
    };
    let answer = ask("/v1/products/1", "https://shop.example");
    assert_eq!(answer.status, 204);
    let methods = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
    assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("If-Match"));
    assert!(answer.header("access-control-max-age").is_some());
    assert_eq!(ask("/v1/products/1", "null").header("access-control-allow-methods"), None);
    ask("/v1/nonsense", "https://shop.example").problem(404, "not_found");
}

#[test]
fn an_address_over_its_limit_is_told_when_to_come_again() {
    let limits = RateLimits { address_per_second: 1, ..RateLimits::default() };
    let config = HttpConfig {
        auth: Auth { mode: AuthMode::Jwt, ..Auth::default() },
        rate_limits: Some(limits),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..HttpConfig::default()
    };
    let server = Server::with(config);
    let from =
        |client: &str| server.send("GET", "/v1/products", &[("x-forwarded-for", client)], None);
    // In so short a time at least one of a few is over it, whatever the machine is doing.
    let refused = (0..1_000).map(|_| from("1.1.1.1")).find(|answer| answer.status != 200).unwrap();
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit"), Some("\"address\";r=0;t=1"));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"address\";q=1;w=1"));
    refused.problem(429, "rate_limited");
    from("2.2.2.2").is(200);
    for _ in 0..5 {
        for probe in ["/livez", "/readyz"] {
            let answer = server.get(probe);
            assert_eq!(answer.header("ratelimit"), None, "nobody counts them");
            answer.is(200);
        }
    }
}

#[test]
fn whoever_is_counted_is_told_what_is_left() {
    let server = Server::with(HttpConfig {
        auth: Auth { mode: AuthMode::Jwt, ..Auth::default() },
        rate_limits: Some(RateLimits { failed_logins_per_minute: 2, ..RateLimits::default() }),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..HttpConfig::default()
    });
    let from = |client: &str, method: &str, path: &str, body: Option<&str>| {
        server.send(method, path, &[("x-forwarded-for", client)], body)
    };
    let policy = "\"address\";q=20;w=1";
    let seen = from("1.1.1.1", "GET", "/v1/products", None);
    assert_eq!(seen.header("ratelimit"), Some("\"address\";r=19;t=1"));
    assert_eq!(seen.header("ratelimit-policy"), Some(policy));
    let missing = from("1.1.1.2", "GET", "/v1/products/9", None);
    assert_eq!(missing.header("ratelimit"), Some("\"address\";r=19;t=1"), "problems, too");
    let login = r#"{"email": "ann@example.com", "password": "a guess"}"#;
    for left in ["1", "0"] {
        let wrong = from("1.1.1.3", "POST", "/v1/login", Some(login));
        let told = wrong.header("ratelimit").unwrap();
        assert!(told.starts_with("\"address\";r=") && told.contains(", \"login\";r=2"), "{told}");
        assert!(told.contains(&format!(", \"failed-login\";r={left};t=")), "{told}");
        let policies = format!("{policy}, \"failed-login\";q=2;w=60, \"login\";q=30;w=60");
        assert_eq!(wrong.header("ratelimit-policy"), Some(policies.as_str()));
        wrong.problem(401, "invalid_credentials");
    }
    let refused = from("1.1.1.3", "POST", "/v1/login", Some(login));
    let told = refused.header("ratelimit").unwrap();
    assert!(told.starts_with("\"failed-login\";r=0;t="), "{told}");
    refused.problem(429, "rate_limited");
}

#[test]
fn wrong_in_several_ways_the_first_of_the_order_is_told() {
    let limits = HttpConfig { json_bytes_max: 1_000, ..HttpConfig::default() };
    let server = Server::with(limits);
    let product = server.product("1.00", 5);
    let order = server.order(product, 1);
    server.post(&format!("/v1/orders/{order}/cancel"), "{}").is(200);
    let large = format!(r#"{{"nonsense": "{}""#, "x".repeat(2_000));
    let text = [("content-type", "text/plain")];
    let json: [(&str, &str); 0] = [];
    let stale = [("if-match", "\"9-0\"")];
    // Each line mends what the line before was told.
    server.send("PUT", "/v1/nonsense?x=1", &text, Some(&large)).problem(404, "not_found");
    let send = |method, path: &str, headers: &[(&str, &str)], body: &str, status, code| {
        server.send(method, path, headers, Some(body)).problem(status, code);
    };
    send("PUT", "/v1/orders/99/payments?x=1", &text, &large, 405, "method_not_allowed");
    send("POST", "/v1/orders/99/payments?x=1", &text, &large, 413, "body_too_large");
    send("POST", "/v1/orders/99/payments?x=1", &text, "{", 415, "unsupported_media_type");
    send("POST", "/v1/orders/99/payments?x=1", &json, "{", 400, "malformed_json");
    send("POST", "/v1/orders/99/payments?x=1", &json, r#"{"y": 1}"#, 404, "not_found");
    send("POST", "/v1/orders/1/payments?x=1", &json, r#"{"y": 1}"#, 422, "unknown_parameter");
    send("POST", "/v1/orders/1/payments", &json, r#"{"y": 1}"#, 422, "unknown_field");
    send("POST", "/v1/orders/1/payments", &json, "{}", 409, "order_not_payable");
    // The same with a precondition, which comes after the body and before the state.
    let patch = "/v1/products/1";
    send("PUT", patch, &stale, r#"{"name": 1}"#, 422, "invalid");
    send("PUT", patch, &json, r#"{"name": "a", "price": 1}"#, 428, "precondition_required");
    send("PUT", patch, &stale, r#"{"name": "a", "price": 1}"#, 412, "precondition_failed");
    server.send("DELETE", "/v1/products/99?x=1", &json, None).problem(404, "not_found");
    server.send("DELETE", "/v1/products/1?x=1", &json, None).problem(422, "unknown_parameter");
    server.send("DELETE", "/v1/products/1", &json, None).problem(428, "precondition_required");
}

/// A server that has one of everything, and every route of it, with ids of what is there.
fn one_of_everything() -> (Server, Vec<(&'static str, String)>) {
    let server = Server::with(HttpConfig { test_clock: true, ..HttpConfig::default() });
    let product = server.product("9.00", 50);
    assert_eq!(server.order(product, 1), 1);
    server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 1}"#).is(201);
    server.post("/v1/customers", r#"{"name": "Ann"}"#).is(201);
    server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
    let moved = r#"{"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1}"#;
    server.post("/v1/warehouses/transfer", moved).is(201);
    let found = r#"{"product_id": 1, "warehouse_id": 1, "delta": 1, "reason": "found"}"#;
    server.post("/v1/stock/adjustments", found).is(201);
    server.post("/v1/api-keys", r#"{"name": "shop"}"#).is(201);
    let clerk = r#"{"username": "clerk", "role": "staff", "password": "correct horse"}"#;
    let clerk = server.post("/v1/accounts", clerk).is(201)["id"].to_string();
    let paths =
        routes().into_iter().filter(|route| !route.path.starts_with("/docs")).map(|route| {
            let id = if route.path.starts_with("/accounts") { &clerk } else { "1" };
            let path = route.path.replace("{id}", id).replace("{product_id}", "1");
            let path = path.replace("{code}", "invalid");
            (route.method, if route.is_root_only { path } else { format!("/v1{path}") })
        });
    (server, paths.collect())
}

#[test]
fn unknown_and_broken_parameters_are_refused_on_every_route() {
    let (server, routes) = one_of_everything();
    // Nobody has an account here, and whose a thing would be is asked first; `access` asks these with one.
    let of_persons: Vec<_> = TABLE
        .iter()
        .filter(|(.., may)| *may == May::Person)
        .map(|(method, path, _)| (*method, format!("/v1{path}")))
        .collect();
    for (method, path) in routes.into_iter().filter(|route| !of_persons.contains(route)) {
        let body = (!matches!(method, "GET" | "DELETE")).then_some("{}");
        for (query, code, name) in [
            ("nonsense=1", "unknown_parameter", "nonsense"),
            ("nonsense", "unknown_parameter", "nonsense"),
            ("=1", "unknown_parameter", ""),
            ("%zz=1", "invalid", "%zz"),
            ("a%2=1", "invalid", "a%2"),
            ("a=%ff", "invalid", "a"),
        ] {
            let answer = server.send(method, &format!("{path}?{query}"), &[], body);
            let problem = answer.problem(422, code);
            assert_eq!(problem["errors"][0]["parameter"], name, "{method} {path} {problem}");
        }
    }
}

#[test]
fn odd_paths_are_404_and_odd_heads_are_cut_off() {
    let server = Server::start();
    server.product("1.00", 1);
    let head = |target: &str, more: &str| {
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{more}connection: close\r\n\r\n");
        server.raw(request.as_bytes())
    };
    for target in [
        "/v1/products/%zz",
        "/v1/products/%ff",
        "/v1/products/%",
        "/v1/products/1%2f",
        "/v1/products/%2e%2e/shops",
        "/v1//products",
        "//v1/products",
        "/v1/products;a=1",
        "/v1/products/1%00",
        "/V1/products",
        &format!("/v1/{}", "x".repeat(10_000)),
    ] {
        let answer = head(target, "");
        assert!(answer.starts_with("HTTP/1.1 404"), "{target:.40} {answer}");
        assert!(answer.contains("application/problem+json"), "{target:.40} {answer}");
    }
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or_default().to_owned();
    assert_eq!(status(&head("/v1/products/%31", "")), "200", "the same path in other letters");
    let many = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    assert_eq!(status(&head("/v1/products", &many)), "431");
    let large = format!("x-large: {}\r\n", "x".repeat(200_000));
    assert_eq!(status(&head("/v1/products", &large)), "431");
    for smuggled in [
        "content-length: 1\r\ncontent-length: 2\r\n",
        "content-length: +1\r\n",
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "host: other\r\n",
    ] {
        assert_eq!(status(&head("/v1/products", smuggled)), "400", "{smuggled}");
    }
    assert!(server.raw(b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
}

#[test]
fn head_says_what_get_would_say_on_every_route() {
    let (server, routes) = one_of_everything();
    let of_get = routes.into_iter().filter(|(method, _)| *method == "GET").map(|(_, path)| path);
    let missing = ["/v1/products/9", "/v1/orders?nonsense=1"].map(str::to_owned);
    for path in of_get.chain(missing) {
        let lines = |method: &str| {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-request-id: 1\r\nconnection: close\r\n\r\n"
            );
            let answer = server.raw(request.as_bytes());
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut lines: Vec<String> = head.lines().map(str::to_lowercase).collect();
            lines.retain(|line| !line.starts_with("date:"));
            lines.sort();
            (lines, body.len())
        };
        let ((get, length), (head, nothing)) = (lines("GET"), lines("HEAD"));
        assert_eq!(head, get, "{path}");
        assert_eq!(nothing, 0);
        assert!(length > 0 && get.contains(&format!("content-length: {length}")), "{path} {get:?}");
    }
}

#[test]
fn a_body_that_trickles_is_cut_off() {
    let config = HttpConfig { body_timeout: Duration::from_millis(200), ..HttpConfig::default() };
    let server = Server::with(config);
    for path in ["/v1/orders", "/v1/reservations/1"] {
        let method = if path == "/v1/orders" { "POST" } else { "DELETE" };
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let (begun, mut answer) = (Instant::now(), Vec::new());
        // A byte, then as long as reading waits, again and again: never silent, never done.
        while begun.elapsed() < Duration::from_secs(10) && answer.is_empty() {
            let _ = stream.write_all(b" ");
            let mut buffer = [0; 4_096];
            let read = stream.read(&mut buffer).unwrap_or(0);
            answer.extend_from_slice(&buffer[..read]);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408"), "{method} {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[test]
fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    server.product("1.00", 1);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let last = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let requests = format!("{}{}{last}", one("/v1/products/1"), one("/v1/products/9"));
    let answers = server.raw(requests.as_bytes());
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"], "{answers}");
}
