//! Money is exact, in and out.

use crate::server::Server;

#[test]
fn amounts_are_read_exactly_from_texts_and_numbers() {
    let server = Server::start();
    for (price, shown) in [
        (r#""3.50""#, "3.50"),
        ("3.5", "3.50"),
        ("3", "3.00"),
        ("0", "0.00"),
        // A float would make 0.10000000000000000555 and 1.00999999999999 of these.
        ("0.10", "0.10"),
        ("1.01", "1.01"),
        ("9999999999.99", "9999999999.99"),
    ] {
        let body = format!(r#"{{"name": "a", "price": {price}}}"#);
        let made = server.post("/v1/products", body);
        assert!(
            made.text.contains(&format!(r#""price":"{shown}","currency":"USD""#)),
            "{}",
            made.text
        );
        made.is(201);
    }
    for price in [
        r#""+1""#,
        r#""1e3""#,
        "1e3",
        r#"" 1""#,
        "0.001",
        r#""1.000""#,
        "-1",
        "null",
        "true",
        "{}",
        r#""""#,
    ] {
        let body = format!(r#"{{"name": "a", "price": {price}}}"#);
        server.post("/v1/products", body).refuses("invalid", "/price");
    }
}

#[test]
fn a_currency_decides_the_decimals() {
    let server = Server::start();
    let made = |price: &str, currency: &str| {
        server.post(
            "/v1/products",
            format!(r#"{{"name": "a", "price": "{price}", "currency": "{currency}"}}"#),
        )
    };
    assert_eq!(made("350", "JPY").is(201)["price"], "350");
    assert_eq!(made("1.5", "KWD").is(201)["price"], "1.500");
    made("350.0", "JPY").refuses("invalid", "/price");
    made("1", "XAU").refuses("invalid", "/currency");
    made("1", "usd").refuses("invalid", "/currency");
    // A sum that would not fit is refused, not wrapped.
    let dear = server.product("10000000000.00", 1_000_000_000);
    let body = format!(r#"{{"product_id": {dear}, "quantity": 1000000}}"#);
    server.post("/v1/orders", body).problem(422, "amount_too_large");
}

#[test]
fn prices_are_compared_in_one_currency() {
    let server = Server::start();
    for price in ["1.00", "2.00", "3.00"] {
        server.product(price, 1);
    }
    let ids = |path: &str| -> Vec<u64> {
        let page = server.get(path).is(200);
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("/v1/products?min_price=1.01&max_price=3"), [2, 3]);
    assert_eq!(ids("/v1/products?sort=-price"), [3, 2, 1]);
    server.post("/v1/products", r#"{"name": "y", "price": "2", "currency": "JPY"}"#).is(201);
    for path in ["/v1/products?min_price=1", "/v1/products?sort=price"] {
        let problem = server.get(path).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["parameter"], "currency");
    }
    assert_eq!(ids("/v1/products?max_price=2&currency=USD"), [1, 2]);
    assert_eq!(ids("/v1/products?currency=JPY"), [4]);
    server.get("/v1/products?min_price=1.5&currency=JPY").problem(422, "invalid");
}

#[test]
fn payments_add_up_and_never_exceed_what_is_due() {
    let server = Server::start();
    let product = server.product("3.50", 10);
    let order = server.order(product, 3);
    let pay = |body: &str| server.post(&format!("/v1/orders/{order}/payments"), body);
    for wrong in ["0", "-1", "10.51"] {
        let problem = pay(&format!(r#"{{"amount": {wrong}}}"#)).problem(422, "overpayment");
        assert_eq!(problem["errors"][0]["pointer"], "/amount");
        assert!(problem["detail"].as_str().unwrap().contains("10.50 USD"), "{problem}");
    }
    pay(r#"{"amount": "1.001"}"#).refuses("invalid", "/amount");
    let part = pay(r#"{"amount": 0.50, "method": "card", "reference": "p-1"}"#);
    assert_eq!(part.header("location").unwrap(), format!("/v1/orders/{order}"));
    let part = part.is(201);
    assert_eq!(
        (&part["status"], &part["paid_amount"]),
        (&"pending_payment".into(), &"0.50".into())
    );
    // The same reference is the same payment.
    assert_eq!(pay(r#"{"amount": 0.50, "reference": "p-1"}"#).is(201), part);
    pay(r#"{"amount": 0.51, "reference": "p-1"}"#).problem(409, "reference_taken");
    let paid = pay("{}").is(201);
    assert_eq!((&paid["status"], &paid["paid_amount"]), (&"paid".into(), &"10.50".into()));
    assert_eq!(paid["payments"][0]["method"], "card");
    assert_eq!(paid["payments"][1]["amount"], "10.00");
    pay("{}").problem(409, "order_already_paid");
}

#[test]
fn refunds_add_up_and_never_exceed_what_is_due_back() {
    let server = Server::start();
    let product = server.product("3.50", 10);
    let order = server.order(product, 3);
    let back = |body: &str| server.post(&format!("/v1/orders/{order}/refunds"), body);
    // Nothing was paid: nothing is due.
    assert_eq!(back("{}").problem(422, "overpayment")["errors"][0]["pointer"], "/amount");
    server.post(&format!("/v1/orders/{order}/payments"), "{}").is(201);
    back("{}").problem(422, "overpayment");
    let cancelled = server.post(&format!("/v1/orders/{order}/cancel"), "{}").is(200);
    assert_eq!(cancelled["refund_due"], "10.50");
    for wrong in ["0", "-1", "10.51"] {
        let problem = back(&format!(r#"{{"amount": {wrong}}}"#)).problem(422, "overpayment");
        assert_eq!(problem["errors"][0]["pointer"], "/amount");
        assert!(problem["detail"].as_str().unwrap().contains("10.50 USD"), "{problem}");
    }
    back(r#"{"amount": "1.001"}"#).refuses("invalid", "/amount");
    back(r#"{"reference": "re_1"}"#).refuses("unknown_field", "/reference");
    let part = back(r#"{"amount": 0.50}"#);
    assert_eq!(part.header("location").unwrap(), format!("/v1/orders/{order}"));
    let part = part.is(201);
    let figures = |order: &serde_json::Value| {
        ["status", "paid_amount", "refund_due", "refunded_amount"]
            .map(|field| order[field].as_str().unwrap().to_owned())
    };
    assert_eq!(figures(&part), ["cancelled", "10.50", "10.00", "0.50"]);
    let all = back("").is(201);
    assert_eq!(figures(&all), ["cancelled", "10.50", "0.00", "10.50"]);
    back("{}").problem(422, "overpayment");
    let told = server.get("/v1/events?type=order.refunded").is(200);
    let due: Vec<_> =
        told["data"].as_array().unwrap().iter().map(|row| &row["data"]["refund_due"]).collect();
    assert_eq!(due, ["10.00", "0.00"]);
}
