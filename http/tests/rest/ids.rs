//! `?ids=`: one more filter of three lists.

use crate::{lists::walk, server::Server};

#[test]
fn ids_are_one_more_filter() {
    let server = Server::start();
    for price in ["3", "1", "2", "5", "4"] {
        server.product(price, 9);
    }
    server.send("DELETE", "/v1/products/5", &[("if-match", "*")], None).is(200);
    let orders: Vec<u64> = (1..=4).map(|product| server.order(product, 1)).collect();
    assert_eq!(orders, [1, 2, 3, 4]);
    server.post("/v1/orders/2/cancel", "{}").is(200);
    let customers: Vec<u64> = (1..=3).map(|_| server.customer()).collect();
    assert_eq!(customers, [1, 2, 3]);
    let ids = |path: &str| -> Vec<u64> {
        let rows = server.get(path).is(200);
        rows["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    for (query, wanted) in [
        ("products?ids=5,3,1,1,99", &[1, 3, 5][..]),
        ("products?ids=5,3,1&status=active", &[1, 3]),
        ("products?ids=5,3,1&status=archived", &[5]),
        ("products?ids=1,2,3&sort=-price", &[1, 3, 2]),
        ("products?ids=1,2,3&min_price=2", &[1, 3]),
        ("products?ids=1,2,3&sku=none", &[]),
        ("products?ids=2,3,4&limit=2", &[2, 3]),
        ("orders?ids=4,2,1,9", &[1, 2, 4]),
        ("orders?ids=4,2,1&status=cancelled", &[2]),
        ("orders?ids=4,2,1&sort=-id&limit=2", &[4, 2]),
        ("orders?ids=4,2,1&product_id=1", &[1]),
        ("orders?ids=4,2,1&reference=x", &[]),
        ("customers?ids=3,1,9", &[1, 3]),
        ("customers?ids=3,1,9&limit=1", &[1]),
        ("customers?ids=3,1&email=nobody@example.com", &[]),
    ] {
        assert_eq!(ids(&format!("/v1/{query}")), wanted, "{query}");
    }
    for path in ["/v1/products?ids=4,1,3&limit=1", "/v1/orders?ids=4,1,3&limit=2"] {
        assert_eq!(walk(&server, path, |_| ()), [1, 3, 4]);
    }
    assert_eq!(walk(&server, "/v1/products?ids=4,1,3&sort=price&limit=1", |_| ()), [3, 1, 4]);
    assert_eq!(walk(&server, "/v1/customers?ids=3,1&limit=1", |_| ()), [1, 3]);
    // All that are named are one page, however many.
    let many: Vec<String> = (1..=100).map(|id: u64| id.to_string()).collect();
    assert_eq!((6..=100).map(|_| server.product("1", 0)).max(), Some(100));
    assert_eq!(ids(&format!("/v1/products?ids={}", many.join(","))).len(), 100);
}
