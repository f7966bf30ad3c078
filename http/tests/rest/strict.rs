//! What is nearly right, and yet is not what was documented.

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
