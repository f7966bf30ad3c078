//! Lists: pages, cursors, filters, orders.

use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::server::Server;

fn ids(page: &Value) -> Vec<u64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

/// All ids of a list, read page by page; `between` runs after each page.
pub(crate) fn walk(server: &Server, path: &str, mut between: impl FnMut(usize)) -> Vec<u64> {
    let (mut all, mut pages) = (Vec::new(), 0);
    let mut next = path.to_owned();
    loop {
        let answer = server.get(&next);
        let link = answer.header("link").map(str::to_owned);
        let page = answer.is(200);
        all.extend(ids(&page));
        pages += 1;
        between(pages);
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(link, None);
            return all;
        };
        next = format!("{path}&cursor={cursor}");
        assert_eq!(link.unwrap(), format!("<{next}>; rel=\"next\""));
    }
}

#[test]
fn a_cursor_goes_on_while_rows_come_and_go() {
    let server = Server::start();
    for n in 0..10 {
        let body = format!(r#"{{"name": "p{}", "price": "{}.00"}}"#, n * 7 % 10, n * 3 % 10);
        server.post("/v1/products", body).is(201);
    }
    for (sort, first) in [
        ("id", 1),
        ("-id", 10),
        ("name", 1),
        ("-name", 8),
        ("price", 1),
        ("-price", 4),
        ("created_at", 1),
        ("-created_at", 10),
    ] {
        let all = walk(&server, &format!("/v1/products?limit=3&sort={sort}"), |_| ());
        assert_eq!((all.len(), all[0]), (10, first), "{sort}: {all:?}");
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 10, "{sort}: {all:?}");
    }
    // What is archived leaves, what is created joins behind, and nothing else is skipped or shown twice.
    let all = walk(&server, "/v1/products?limit=3", |pages| {
        if pages == 1 {
            server.send("DELETE", "/v1/products/3", &[("if-match", "*")], None).is(200);
            server.send("DELETE", "/v1/products/5", &[("if-match", "*")], None).is(200);
            server.product("1.00", 1);
        }
    });
    assert_eq!(all, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_cursor_belongs_to_its_filters_and_its_list() {
    let server = Server::start();
    for _ in 0..4 {
        server.product("1.00", 1);
    }
    let cursor =
        server.get("/v1/products?limit=1&q=ruler&in_stock=true").is(200)["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let with = |query: &str| server.get(&format!("/v1/{query}&cursor={cursor}"));
    assert_eq!(ids(&with("products?in_stock=true&q=ruler&limit=2").is(200)), [2, 3]);
    for query in [
        "products?q=ruler",
        "products?q=rulers&in_stock=true",
        "products?q=ruler&in_stock=true&sort=name",
        "orders?limit=1",
        "shops?limit=1",
    ] {
        with(query).problem(422, "cursor_invalid");
    }
    for cursor in ["", "0", "zz", &cursor[..16], &format!("{cursor}00"), &"ab".repeat(300)] {
        server
            .get(&format!("/v1/products?q=ruler&in_stock=true&cursor={cursor}"))
            .problem(422, "cursor_invalid");
    }
}

#[test]
fn products_are_found_by_words_skus_and_stock() {
    let server = Server::start();
    for body in [
        r#"{"name": "Red Ruler", "sku": "R-1", "price": "1.00", "stock": 1}"#,
        r#"{"name": "blue ruler", "sku": "B-1", "price": "2.00", "description": "A RED box"}"#,
        r#"{"name": "pencil", "sku": "P-1", "price": "3.00", "stock": 3, "shop_ids": [1]}"#,
    ] {
        server.post("/v1/products", body).is(201);
    }
    for (query, wanted) in [
        ("q=ruler", vec![1, 2]),
        ("q=RULER+red", vec![1, 2]),
        ("q=p-1", vec![3]),
        ("q=nothing", vec![]),
        ("sku=R-1&sku=P-1&sku=none", vec![1, 3]),
        ("in_stock=true", vec![1, 3]),
        ("in_stock=false", vec![2]),
        ("shop_id=1", vec![1, 2, 3]),
        ("status=active&limit=500", vec![1, 2, 3]),
        ("ids=3,1,99,1", vec![1, 3]),
    ] {
        assert_eq!(ids(&server.get(&format!("/v1/products?{query}")).is(200)), wanted, "{query}");
    }
    server.post("/v1/shops", r#"{"name": "b"}"#).is(201);
    assert_eq!(ids(&server.get("/v1/products?shop_id=2").is(200)), [1, 2]);
}

#[test]
fn orders_are_found_by_what_they_are() {
    let server = Server::start();
    server.product("1.00", 100);
    server.product("1.00", 100);
    let place =
        |body: Value| server.post("/v1/orders", body.to_string()).is(201)["id"].as_u64().unwrap();
    assert_eq!(server.customer(), 1);
    let a = place(json!({"product_id": 1, "quantity": 1, "customer_id": 1}));
    server.advance(10);
    let b = place(json!({"product_id": 2, "quantity": 1, "reference": "cart 1"}));
    server.advance(10);
    let c = place(
        json!({"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}], "customer_id": 1}),
    );
    server.post(&format!("/v1/orders/{a}/payments"), "{}").is(201);
    let found = |query: &str| ids(&server.get(&format!("/v1/orders?{query}")).is(200));
    let sorted = |mut ids: Vec<u64>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(found(""), sorted(vec![a, b, c]));
    assert_eq!(found("customer_id=1"), sorted(vec![a, c]));
    assert_eq!(found("product_id=2"), sorted(vec![b, c]));
    assert_eq!(found("status=paid"), [a]);
    assert_eq!(found("reference=cart%201"), [b]);
    assert_eq!(found("shop_id=2"), [0; 0]);
    assert_eq!(found("placed_after=2023-11-14T22:13:20Z&placed_before=2023-11-14T22:13:40Z"), [b]);
    assert_eq!(found("placed_before=2023-11-14T23:13:30.000%2B01:00"), [a]);
    assert_eq!(found("updated_after=2023-11-14T22:13:39.999Z&status=paid"), [a]);
    assert_eq!(found("sort=placed_at"), [a, b, c]);
    assert_eq!(found("sort=-placed_at"), [c, b, a]);
    assert_eq!(found("sort=-id").into_iter().rev().collect::<Vec<_>>(), sorted(vec![a, b, c]));
    assert_eq!(found(&format!("ids={c},{a},999999")), sorted(vec![a, c]));
    assert_eq!(walk(&server, "/v1/orders?limit=1&sort=-placed_at", |_| ()), [c, b, a]);
    assert_eq!(walk(&server, "/v1/orders?limit=2", |_| ()), sorted(vec![a, b, c]));
    assert_eq!(walk(&server, "/v1/orders?limit=1&customer_id=1", |_| ()), sorted(vec![a, c]));
}

#[test]
fn a_cursor_that_was_tampered_with_is_another_page_or_refused() {
    let server = Server::start();
    for _ in 0..3 {
        let product = server.product("1.00", 9);
        server.order(product, 1);
        server.post("/v1/shops", r#"{"name": "s"}"#).is(201);
        server.post("/v1/warehouses", r#"{"name": "w"}"#).is(201);
        let hold = format!(r#"{{"product_id": {product}, "quantity": 1}}"#);
        server.post("/v1/reservations", hold).is(201);
        let moved = format!(
            r#"{{"product_id": {product}, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1}}"#
        );
        server.post("/v1/warehouses/transfer", moved).is(201);
    }
    server.post("/v1/orders/1/payments", "{}").is(201);
    let lists = [
        "products?",
        "products?sort=name",
        "products?sort=-price",
        "products?sort=created_at",
        "products?q=ruler&in_stock=true",
        "orders?",
        "orders?sort=-placed_at",
        "orders?product_id=1&sort=-id",
        "orders?status=paid",
        "orders/1/events?",
        "stock?",
        "stock?below=100",
        "shops?",
        "warehouses?",
        "transfers?",
        "reservations?",
    ];
    let cursor = |list: &&str| {
        let page = server.get(&format!("/v1/{list}&limit=1")).is(200);
        page["next_cursor"]
            .as_str()
            .map(|cursor| (format!("/v1/{list}&cursor="), cursor.to_owned()))
    };
    let cursors: Vec<(String, String)> = lists.iter().filter_map(cursor).collect();
    assert!(cursors.len() >= lists.len() - 2, "most lists have a second page: {cursors:?}");
    // Behind the hash of the filters stands the position, which a client can write as it likes.
    let forged = vec(prop_oneof![any::<u8>(), Just(0), Just(0xff)], 0..40);
    let case = (select(cursors), 0..=16_usize, forged);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(400));
    let checked = runner.run(&case, |((list, cursor), kept, forged)| {
        let position: String = forged.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer = server.get(&format!("{list}{}{position}", &cursor[..kept]));
        match answer.status {
            200 => prop_assert!(answer.json["data"].is_array()),
            422 => prop_assert_eq!(&answer.json["code"], "cursor_invalid"),
            status => prop_assert!(false, "{status}: {}", answer.text),
        }
        Ok(())
    });
    checked.unwrap();
    for (list, cursor) in lists.iter().filter_map(cursor) {
        for position in ["ff".repeat(8), "ff".repeat(16), "00".repeat(8), "00".repeat(16)] {
            let status = server.get(&format!("{list}{}{position}", &cursor[..16])).status;
            assert!(matches!(status, 200 | 422), "{list} {position}: {status}");
        }
    }
}

#[test]
fn the_link_goes_on_with_the_same_request_in_whatever_letters() {
    let server = Server::start();
    for _ in 0..5 {
        server.product("1.00", 1);
    }
    for (first, next) in [
        ("/v1/products?limit=2&q=ruler", "/v1/products?limit=2&q=ruler&"),
        ("/api/products?limit=2&%63ursor=", "/api/products?limit=2&"),
        ("/products?%6cimit=2&&q=r%75ler&", "/products?%6cimit=2&q=r%75ler&"),
        ("/%761/products?limit=2", "/%761/products?limit=2&"),
    ] {
        // Page by page, each from the link of the one before; the cursor's name stays as odd as it was at first.
        let (mut all, mut here) = (Vec::new(), first.replace("&%63ursor=", ""));
        loop {
            let page = server.get(&here);
            let link = page.header("link").map(str::to_owned);
            let page = page.is(200);
            all.extend(ids(&page));
            let Some(link) = link else { break };
            let cursor = page["next_cursor"].as_str().unwrap();
            assert_eq!(link, format!("<{next}cursor={cursor}>; rel=\"next\""));
            let odd = link.replace("cursor=", if first == here { "cursor=" } else { "%63ursor=" });
            here = odd[1..odd.find('>').unwrap()].to_owned();
        }
        assert_eq!(all, [1, 2, 3, 4, 5], "{first}");
    }
    // The place of events has a second name.
    let page = server.get("/v1/events?%61fter=0&limit=1");
    let link = page.header("link").unwrap();
    assert!(link.starts_with("</v1/events?limit=1&cursor="), "{link}");
}

#[test]
fn a_path_in_other_letters_is_the_same_path() {
    let server = Server::start();
    let product = server.product("1.00", 9);
    let order = server.order(product, 1);
    let cancelled = server.post(&format!("/%761/orders/{order}/c%61ncel"), "{}");
    assert_eq!(cancelled.header("location"), None);
    cancelled.is(200);
    let line = format!(r#"{{"product_id": {product}, "quantity": 1}}"#);
    let placed = server.post("/%761/orders", &line);
    let location = placed.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/v1/orders/{}", placed.is(201)["id"]));
    assert_eq!(server.post("/v1/orders/pl%61n", &line).header("stockade-position"), None);
    // Under one key it is the same request.
    let send = |path| server.send("POST", path, &[("idempotency-key", "k")], Some(&line));
    let (first, again) = (send("/v1/orders").is(201), send("/%61pi/order%73"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.is(201)["id"], first["id"]);
}

#[test]
fn a_search_is_bounded_and_a_word_counts_once() {
    let server = Server::start();
    server.product("1.00", 1);
    let list = |query: String| server.get(&format!("/v1/products?{query}"));
    let words = |n: usize| (0..n).map(|n| format!("w{n}")).collect::<Vec<_>>().join("+");
    let skus = |n: usize| vec!["sku=P1"; n].join("&");
    for fits in [
        format!("q={}", words(16)),
        format!("q={}", ["ruler"; 42].join("+")),
        format!("q={}", "x".repeat(256)),
        skus(100),
    ] {
        list(fits).is(200);
    }
    for (query, name) in [
        (format!("q={}", words(17)), "q"),
        (format!("q={}", "x".repeat(257)), "q"),
        (skus(101), "sku"),
    ] {
        let problem = list(query).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["parameter"], name);
    }
}

/// What happens to the only product there is.
type Case = (&'static str, fn(&Server));

/// Whatever makes placing refuse shows as nothing available, and the other way round.
#[test]
fn what_a_shop_cannot_sell_it_does_not_offer() {
    let cases: [Case; 9] = [
        ("archived", |server| {
            server.patch("/v1/products/1", r#"{"status": "archived"}"#).is(200);
        }),
        ("sold elsewhere", |server| {
            server.patch("/v1/products/1", r#"{"shop_ids": [2]}"#).is(200);
        }),
        ("another currency", |server| {
            server.patch("/v1/products/1", r#"{"currency": "EUR", "price": 1}"#).is(200);
        }),
        ("the shop's currency", |server| {
            server.patch("/v1/shops/1", r#"{"currency": "EUR"}"#).is(200);
        }),
        ("closed", |server| {
            server.patch("/v1/warehouses/1/status", r#"{"status": "inactive"}"#).is(200);
        }),
        ("another warehouse", |server| {
            server.put("/v1/shops/1/warehouses", r#"{"warehouse_ids": [2]}"#).is(200);
        }),
        ("safe", |server| {
            server.patch("/v1/warehouses/1/stock/1", r#"{"safety_stock": 5}"#).is(200);
        }),
        ("ordered", |server| {
            server.order(1, 5);
        }),
        ("held", |server| {
            server.post("/v1/reservations", r#"{"product_id": 1, "quantity": 5}"#).is(201);
        }),
    ];
    for (case, happens) in cases {
        let server = Server::start();
        server.post("/v1/shops", r#"{"name": "b", "currency": "USD"}"#).is(201);
        server.post("/v1/warehouses", r#"{"name": "b"}"#).is(201);
        server.product("1.00", 5);
        let available = || server.get("/v1/products/1?shop_id=1").is(200)["available"].clone();
        let in_stock = || ids(&server.get("/v1/products?in_stock=true&shop_id=1").is(200));
        assert_eq!((available(), in_stock()), (5.into(), vec![1]), "{case}");
        happens(&server);
        assert_eq!((available(), in_stock()), (0.into(), vec![]), "{case}");
        let one = r#"{"product_id": 1, "quantity": 1, "shop_id": 1}"#;
        for path in ["/v1/orders", "/v1/reservations"] {
            let status = server.post(path, one).status;
            assert!(matches!(status, 409 | 422), "{case}: {status}");
        }
    }
    let server = Server::start();
    server.product("1.00", 5);
    server.patch("/v1/products/1", r#"{"status": "archived"}"#).is(200);
    assert_eq!(server.get("/v1/products/1").is(200)["available"], 0);
    // What has no price in the shop's currency is not in its list at all.
    let euro = r#"{"name": "a", "price": 1, "currency": "EUR", "stock": 5}"#;
    server.post("/v1/products", euro).is(201);
    assert_eq!(ids(&server.get("/v1/products?shop_id=1").is(200)), Vec::<u64>::new());
}
