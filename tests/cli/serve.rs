use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::support::{Server, command, run};

/// What a client sees of everything there is.
fn everything(server: &Server) -> Vec<String> {
    let get = |path: &str| {
        let answer = ureq::get(format!("{}/v1/{path}?limit=500", server.url)).call();
        answer.unwrap().body_mut().read_to_string().unwrap()
    };
    ["products", "orders", "stock", "warehouses", "shops"].map(get).to_vec()
}

#[test]
fn it_serves_stops_on_a_signal_and_starts_again_with_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--data-dir", "data", "--demo"];
    let server = Server::start(folder.path(), &args);
    assert!(server.said.contains("a new engine"), "{}", server.said);
    assert!(server.said.contains("8 products in 2 warehouses"), "{}", server.said);
    let before = everything(&server);
    assert!(before[0].contains("TEA-SENCHA") && before[1].contains("pending_payment"));
    assert_eq!(server.terminate(), (Some(0), "stopped\n".to_owned()));

    let server = Server::start(folder.path(), &args);
    assert!(server.said.contains("after a clean stop"), "{}", server.said);
    assert!(server.said.contains("nothing added"), "{}", server.said);
    assert_eq!(everything(&server), before);
    assert_eq!(server.terminate().0, Some(0));
    run(folder.path(), &["verify", "data"]).succeeded();
}

#[test]
fn after_a_kill_it_starts_again_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--data-dir", "data", "--demo"]);
    let before = everything(&server);
    drop(server);
    let server = Server::start(folder.path(), &["--data-dir", "data"]);
    assert!(server.said.contains("after a crash"), "{}", server.said);
    assert_eq!(everything(&server), before, "what was acknowledged is there");
    assert_eq!(server.terminate().0, Some(0));
    run(folder.path(), &["verify", "data"]).succeeded();
}

#[test]
fn a_directory_that_is_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--data-dir", "data"]);
    let second = run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    second.refused(1, &["data is in use by process"]);
    run(folder.path(), &["verify", "data"]).refused(1, &["data is in use by process"]);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn a_used_port_is_refused_before_the_data_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    run(folder.path(), &["serve", "--listen", &address]).refused(1, &[&address, "cannot listen"]);
    assert!(!folder.path().join("stockade-data").exists());
}

#[test]
fn in_memory_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--in-memory", "--demo"]);
    assert!(server.said.contains("in memory"), "{}", server.said);
    assert_eq!(server.terminate().0, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn it_listens_wherever_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(
        folder.path(),
        &["--in-memory", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"],
    );
    let docs = server.said.lines().find_map(|line| line.strip_prefix("docs       "));
    let docs = ureq::get(docs.expect("it says where they are")).call().unwrap();
    assert_eq!(docs.status(), 200);
    let urls = [server.line(), server.line()];
    for url in urls {
        let url = url.strip_prefix("listening ").unwrap().trim();
        assert_ne!(url, server.url);
        assert_eq!(ureq::get(format!("{url}/livez")).call().unwrap().status(), 200);
    }
    assert_eq!(server.terminate(), (Some(0), "stopped\n".to_owned()));
}

#[test]
fn settings_of_the_surface_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[http]\ncors_origins = [\"https://shop.example\"]\njson_bytes_max = 1024\n";
    std::fs::write(folder.path().join("stockade.toml"), text).unwrap();
    let server = Server::start(folder.path(), &["--in-memory"]);
    let url = format!("{}/v1/products", server.url);
    let answer = ureq::get(&url).header("origin", "https://shop.example").call().unwrap();
    let allowed = answer.headers().get("access-control-allow-origin");
    assert_eq!(allowed.unwrap(), "https://shop.example");
    let large = ureq::post(&url).send_json("x".repeat(2_000)).unwrap_err().to_string();
    assert!(large.contains("413"), "{large}");
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn every_request_leaves_a_line_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut with_log = command(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--in-memory"]);
    with_log.env("STOCKADE_LOG__LEVEL", "info,stockade_http::access=debug");
    with_log.env("STOCKADE_LOG__FORMAT", "json");
    with_log.stderr(std::fs::File::create(&log).unwrap());
    let server = Server::start_as(with_log);
    let request = ureq::get(format!("{}/v1/products/7", server.url));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = request.header("traceparent", parent).header("x-request-id", "mine").call();
    assert!(answer.unwrap_err().to_string().contains("404"));
    assert_eq!(server.terminate().0, Some(0));
    let lines = std::fs::read_to_string(log).unwrap();
    let line = lines.lines().find(|line| line.contains("answered")).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let (fields, span) = (&line["fields"], &line["span"]);
    assert_eq!(
        (&fields["method"], &fields["route"], &fields["status"]),
        (&"GET".into(), &"/v1/products/{id}".into(), &404.into())
    );
    assert!(fields["latency_us"].is_u64(), "{line}");
    assert_eq!(span["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
    assert_eq!(
        (&span["parent_id"], &span["request_id"]),
        (&"00f067aa0ba902b7".into(), &"mine".into())
    );
}

#[test]
fn the_clock_of_a_test_server_is_moved_by_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["serve", "--test-clock", "--data-dir", "data"]);
    refused.refused(2, &["--in-memory"]);
    let server = Server::start(folder.path(), &["--in-memory", "--test-clock"]);
    let post = |path: &str, body: &str| -> String {
        let request = ureq::post(format!("{}{path}", server.url));
        let answer = request.header("content-type", "application/json").send(body);
        answer.unwrap().body_mut().read_to_string().unwrap()
    };
    post("/v1/products", r#"{"name": "a", "price": 1, "stock": 1}"#);
    let order = r#"{"product_id": 1, "quantity": 1, "payment_deadline_seconds": 60}"#;
    assert!(post("/v1/orders", order).contains("pending_payment"));
    assert!(post("/test/clock", r#"{"advance_seconds": 60}"#).contains("now"));
    let orders = ureq::get(format!("{}/v1/orders", server.url)).call();
    assert!(orders.unwrap().body_mut().read_to_string().unwrap().contains("expired"));
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn what_is_no_request_is_answered_and_fills_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let errors = |level: Option<&str>| {
        let log = folder.path().join("log");
        let serve = ["serve", "--listen", "127.0.0.1:0", "--in-memory", "--auth", "none"];
        let mut serve = command(folder.path(), &serve);
        serve.envs(level.map(|level| ("STOCKADE_LOG__LEVEL", level)));
        serve.stderr(std::fs::File::create(&log).unwrap());
        let server = Server::start_as(serve);
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(b"nonsense\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert_eq!(server.terminate().0, Some(0));
        std::fs::read_to_string(log).unwrap()
    };
    for level in [None, Some("info"), Some("debug")] {
        let log = errors(level);
        assert!(!log.contains("ERROR"), "{level:?}: {log}");
    }
    let log = errors(Some("info,actix_http=error"));
    assert!(log.contains("ERROR"), "whoever asks for it is told: {log}");
}
