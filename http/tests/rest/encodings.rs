//! Encodings: what a client takes, it gets.

use crate::server::Server;

#[test]
fn what_is_compressed_is_known_by_its_etag_again() {
    let server = Server::start();
    for _ in 0..20 {
        server.product("1.00", 1);
    }
    for encoding in ["gzip", "zstd"] {
        let ask = |path: &str, more: &str| {
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\n{more}connection: close\r\n\r\n"
            );
            server.raw(request.as_bytes()).to_lowercase()
        };
        let packed = ask("/errors/insufficient_stock", "");
        assert!(packed.contains(&format!("content-encoding: {encoding}")), "{packed}");
        assert!(packed.contains("vary: accept-encoding"), "{packed}");
        let tag = packed.split("etag: \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        for known in [format!("\"{tag}\""), format!("W/\"{tag}\""), format!("\"{tag}-{encoding}\"")]
        {
            let again = ask("/errors/insufficient_stock", &format!("if-none-match: {known}\r\n"));
            assert!(again.starts_with("http/1.1 304"), "{known} {again}");
            assert!(again.ends_with("\r\n\r\n") && !again.contains("content-encoding"), "{again}");
        }
    }
}

#[test]
fn what_can_be_served_is_served_and_only_nothing_is_not_acceptable() {
    let server = Server::start();
    for (accepted, encoding) in [
        ("", None),
        ("identity", None),
        ("*", None),
        ("br", None),
        ("br;q=1, gzip;q=0", None),
        ("nonsense;;q=x", None),
        ("gzip, identity;q=0", Some("gzip")),
        ("identity;q=0, gzip;q=0.1, zstd;q=0.2", Some("zstd")),
        ("identity;q=0, *", Some("zstd")),
        ("*;q=0.5, identity;q=0, br", Some("zstd")),
        ("identity;q=0, zstd;q=0, *", Some("gzip")),
        ("identity;q=0, zstd;q=0, gzip;q=0, *", Some("deflate")),
        ("*;q=0, gzip", Some("gzip")),
        ("*;q=0, identity", None),
    ] {
        let request = format!(
            "HEAD /errors/insufficient_stock HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {accepted}\r\nconnection: close\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes()).to_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{accepted}: {answer}");
        let mut lines = answer.lines();
        let found = lines.find_map(|line| line.strip_prefix("content-encoding: "));
        assert_eq!(found, encoding, "{accepted}");
    }
    for nothing in ["identity;q=0", "*;q=0", "br, *;q=0", "identity;q=0, br", "*;q=0, identity;q=0"]
    {
        let body = Some(r#"{"name": "a", "price": "1"}"#);
        let refused = server.send("POST", "/v1/products", &[("accept-encoding", nothing)], body);
        assert_eq!(refused.header("vary"), Some("Accept-Encoding"), "{nothing}");
        assert_eq!(refused.header("content-encoding"), None);
        let problem = refused.problem(406, "invalid");
        assert_eq!(problem["errors"][0]["header"], "Accept-Encoding", "{nothing}");
    }
    assert_eq!(server.get("/v1/products").is(200)["data"].as_array().unwrap().len(), 0);
}
