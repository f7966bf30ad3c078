//! What is nearly right, and yet is not what was documented.

use serde_json::{Value, json};

use crate::server::Server;

#[test]
fn if_match_takes_an_etag_as_it_was_given_out_or_a_bare_star() {
    let server = Server::start();
    server.product("1.00", 9);
    let tag = server.get("/v1/products/1").header("etag").unwrap().to_owned();
    let hash = tag.trim_matches('"').strip_prefix("1-").unwrap().to_owned();
    let patch = |tag: &str| {
        server.send("PATCH", "/v1/products/1", &[("if-match", tag)], Some(r#"{"name": "ruler"}"#))
    };
    for wrong in
        ["\"*\"", "\"1-zz\"", "\"1\"", &format!("\"+1-{hash}\""), &format!("\"01-{hash}\"")]
    {
        patch(wrong).problem(412, "precondition_failed");
    }
    patch(&format!("\"1-{}\"", "0".repeat(16))).is(200);
    patch("*").is(200);
}

#[test]
fn a_moment_is_rfc_3339_all_of_it_and_nothing_else() {
    let server = Server::start();
    server.product("1.00", 9);
    server.order(1, 1);
    let placed = |moment: &str| server.get(&format!("/v1/orders?{moment}"));
    let count = |moment: &str| placed(moment).is(200)["data"].as_array().unwrap().len();
    assert_eq!(count("placed_after=9999-12-31T23:59:59Z"), 0);
    assert_eq!(count("placed_before=9999-12-31T23:59:59.999-23:59"), 1);
    for wrong in ["20261121T130000Z", "2026-11-21T13Z", "2026-11-21T13:00:00Z[Europe/Berlin]"] {
        let problem = placed(&format!("placed_after={wrong}")).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["parameter"], "placed_after");
    }
}

/// What a GET shows, with some of it changed and the rest as it was read.
fn repeated(server: &Server, path: &str, changes: Value) -> String {
    let mut body = server.get(path).is(200);
    let fields = body.as_object_mut().unwrap();
    fields.remove("version");
    fields.extend(changes.as_object().unwrap().clone());
    body.to_string()
}

#[test]
fn what_an_answer_has_may_be_sent_back() {
    let server = Server::start();
    server.product("1.00", 9);
    server.order(1, 1);
    server.customer();
    let place = r#"{"name": "b", "country": "GB", "latitude": 51.5074, "longitude": -0.1278}"#;
    server.post("/v1/warehouses", place).is(201);
    let row = "/v1/warehouses/1/stock/1";
    for (method, path, to, changes) in [
        ("PUT", "/v1/products/1", "", json!({"name": "b"})),
        ("PATCH", "/v1/products/1", "", json!({"name": "c"})),
        ("PATCH", "/v1/shops/1", "", json!({"name": "b"})),
        ("PUT", "/v1/shops/1/warehouses", "", json!({"warehouse_ids": [1]})),
        ("PATCH", "/v1/warehouses/1", "", json!({"name": "b"})),
        ("PATCH", "/v1/warehouses/1", "/status", json!({"status": "inactive"})),
        ("PATCH", "/v1/warehouses/2", "/status", json!({"status": "inactive"})),
        ("PUT", row, "", json!({"on_hand": 8, "reason": "counted"})),
        ("PATCH", row, "", json!({"safety_stock": 1})),
        ("PATCH", "/v1/orders/1", "/status", json!({"status": "paid"})),
        ("PATCH", "/v1/customers/1", "", json!({"name": "Bea"})),
    ] {
        let body = repeated(&server, path, changes.clone());
        let done = server.send(method, &format!("{path}{to}"), &[("if-match", "*")], Some(&body));
        let now = done.is(200);
        for (field, value) in changes.as_object().unwrap().iter().filter(|(f, _)| *f != "reason") {
            assert_eq!(&now[field], value, "{method} {path}{to}");
        }
    }
}

#[test]
fn what_another_method_changes_is_not_silently_ignored() {
    let server = Server::start();
    server.product("1.00", 9);
    let row = "/v1/warehouses/1/stock/1";
    let counted = |more: &str| format!(r#"{{"on_hand": 9, "reason": "counted", {more}}}"#);
    for (answer, pointer, method) in [
        (server.put(row, counted(r#""safety_stock": 1"#)), "/safety_stock", "PATCH"),
        (server.put(row, counted(r#""backorder_limit": 1"#)), "/backorder_limit", "PATCH"),
        (server.patch(row, r#"{"on_hand": 8, "safety_stock": 1}"#), "/on_hand", "PUT"),
    ] {
        let problem = answer.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
        assert!(problem["detail"].as_str().unwrap().contains(method), "{problem}");
    }
    assert_eq!(server.get(row).is(200)["safety_stock"], 0);
    for field in [r#""name": "c""#, r#""country": "DE""#, r#""latitude": 1"#, r#""longitude": 1"#] {
        let body = format!(r#"{{"status": "inactive", {field}}}"#);
        let problem = server.patch("/v1/warehouses/1/status", body).problem(422, "invalid");
        assert!(problem["detail"].as_str().unwrap().contains("PATCH /warehouses/{id}"));
    }
}

#[test]
fn what_is_ignored_is_read_as_strictly_as_all_else() {
    let server = Server::start();
    let patch = |id: &str| server.patch("/v1/shops/1", format!(r#"{{"name": "b", "id": {id}}}"#));
    patch(r#"{"a": 1, "a": 2}"#).refuses("invalid", "/id/a");
    patch(r#"[0, {"a": {"b": null, "b": null}}]"#).refuses("invalid", "/id/1/a/b");
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let problem = patch(&deep(100_000)).problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("nested too deeply"), "{problem}");
    patch(&deep(100)).is(200);
    patch(r#"{"a": [1, -1, 1.5, 1e3, true, null, "x", {"a": {}}]}"#).is(200);
}

#[test]
fn a_thing_that_is_not_there_comes_before_what_is_wrong_with_headers() {
    let server = Server::start();
    server.product("1.00", 9);
    server.order(1, 1);
    let get = |path: &str, positions: &[&str]| {
        let headers: Vec<_> = positions.iter().map(|at| ("stockade-min-position", *at)).collect();
        server.send("GET", path, &headers, None)
    };
    let made = server.post("/v1/products", r#"{"name": "b", "price": "1"}"#);
    let position = made.header("stockade-position").unwrap();
    for wrong in [&["nonsense"][..], &[position, position], &[position, "nonsense"]] {
        get("/v1/products/999", wrong).problem(404, "not_found");
        for path in ["/v1/products/1", "/v1/products", "/v1/events"] {
            let problem = get(path, wrong).problem(422, "invalid");
            assert_eq!(problem["errors"][0]["header"], "Stockade-Min-Position");
        }
    }
    get("/v1/products/1", &[position]).is(200);
    get("/v1/products/999", &[position]).problem(404, "not_found");
    server.keyed("a b", "POST", "/v1/orders/999/payments", "{}").problem(404, "not_found");
    let problem =
        server.keyed("a b", "POST", "/v1/orders/1/payments", "{}").problem(422, "invalid");
    assert_eq!(problem["errors"][0]["header"], "Idempotency-Key");
    assert_eq!(server.get("/v1/orders/1").is(200)["status"], "pending_payment");
}

#[test]
fn a_reference_is_one_payment() {
    let server = Server::start();
    server.product("1.00", 9);
    server.order(1, 3);
    let pay = |body: &str| server.post("/v1/orders/1/payments", body);
    let first = r#"{"amount": "1.00", "method": "card", "reference": "ch_1"}"#;
    assert_eq!(pay(first).is(201)["paid_amount"], "1.00");
    for (body, differs) in [
        (r#"{"amount": "2.00", "method": "card", "reference": "ch_1"}"#, "amount"),
        (r#"{"amount": "1.00", "method": "cash", "reference": "ch_1"}"#, "method"),
        (r#"{"method": "cash", "reference": "ch_1"}"#, "method"),
    ] {
        let problem = pay(body).problem(409, "reference_taken");
        assert_eq!(problem["errors"][0]["pointer"], "/reference");
        assert!(problem["detail"].as_str().unwrap().ends_with(differs), "{problem}");
    }
    for same in [first, r#"{"reference": "ch_1"}"#, r#"{"amount": "1", "reference": "ch_1"}"#] {
        assert_eq!(pay(same).is(201)["paid_amount"], "1.00");
    }
}

#[test]
fn what_was_made_is_where_its_location_says() {
    let server = Server::start();
    server.product("1.00", 9);
    let at = |path: &str, body: &str| {
        let made = server.post(path, body);
        (made.header("location").unwrap().to_owned(), made.is(201))
    };
    let found = r#"{"product_id": 1, "warehouse_id": 1, "delta": 2, "reason": "found"}"#;
    let (place, made) = at("/v1/stock/adjustments", found);
    assert_eq!(place, format!("/v1/stock/adjustments/{}", made["id"]));
    assert_eq!(server.get(&place).is(200), made);
    let rows = r#"{"adjustments": [{"product_id": 1, "warehouse_id": 1, "delta": 1, "reason": "found", "reference": "x"}]}"#;
    let (place, made) = at("/api/stock/adjustments", rows);
    assert_eq!(place, format!("/api/stock/adjustments/{}", made["id"]));
    assert_eq!(server.get(&place).is(200), made);
    let first = server.keyed("k", "POST", "/v1/stock/adjustments", found);
    let again = server.keyed("k", "POST", "/v1/stock/adjustments", found);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.is(201), first.is(201));
    server.get("/v1/stock/adjustments/9").problem(404, "not_found");

    let (place, mut made) = at("/v1/api-keys", r#"{"name": "scanner"}"#);
    made.as_object_mut().unwrap().remove("token").unwrap();
    assert_eq!(server.get(&place).is(200), made);
    server.delete(&place).is(204);
    server.get(&place).problem(404, "not_found");
}
