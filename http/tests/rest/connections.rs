//! Connections: every turn of a client ends, there are only so many of them, and what is no request is told so.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;
use stockade_http::HttpConfig;

use crate::server::Server;

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(20);

/// A client that has one connection.
struct Client(TcpStream);

impl Client {
    fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(LATE)).unwrap();
        stream.set_write_timeout(Some(LATE)).unwrap();
        Self(stream)
    }

    /// Sends bytes; whether the server still takes them.
    fn say(&mut self, bytes: &str) -> bool {
        self.0.write_all(bytes.as_bytes()).is_ok()
    }

    /// Asks, and reads the answer as far as it says that it goes.
    fn ask(&mut self, path: &str) -> String {
        assert!(self.say(&request(path)));
        let mut answer = Vec::new();
        loop {
            let mut byte = [0];
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&answer));
            answer.push(byte[0]);
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.unwrap().parse::<usize>().unwrap() {
                    return text.into_owned();
                }
            }
        }
    }

    /// Everything that still comes, until the server closes.
    fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => (),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Whether nothing comes for a while, and the connection stays.
    fn hears_nothing_for(&mut self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let read = self.0.read(&mut [0]);
        self.0.set_read_timeout(Some(LATE)).unwrap();
        read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// A byte, then nothing for a moment, again and again, until the server answers or closes; what it says.
    fn trickle(&mut self) -> String {
        let begun = Instant::now();
        while self.hears_nothing_for_a_moment() {
            assert!(begun.elapsed() < LATE, "it may go on for ever");
            self.say("x");
        }
        self.rest()
    }

    fn hears_nothing_for_a_moment(&self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_read_timeout(Some(LATE)).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// A whole and last answer that is a problem.
fn problem(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(header("content-length"), Some(body.len().to_string()));
    assert_eq!(header("connection").as_deref(), Some("close"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert!(header("date").unwrap().ends_with(" GMT"));
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
    assert_eq!(problem["request_id"].as_str(), header("x-request-id").as_deref());
}

#[test]
fn a_head_that_trickles_is_cut_off_whichever_it_is() {
    let server = Server::with(HttpConfig { head_timeout: SOON, ..HttpConfig::default() });
    for before in 0..3 {
        let mut client = Client::of(&server);
        for _ in 0..before {
            assert!(client.ask("/livez").starts_with("HTTP/1.1 200"));
        }
        assert!(client.say("GET /livez HTTP/1.1\r\nx-slow: "));
        problem(&client.trickle(), 408, "request_timeout");
        // One that stops altogether, too.
        let mut client = Client::of(&server);
        for _ in 0..before {
            client.ask("/livez");
        }
        assert!(client.say("G"));
        problem(&client.rest(), 408, "request_timeout");
    }
}

#[test]
fn a_head_that_begins_before_the_answer_is_there_is_cut_off_too() {
    let server = Server::with(HttpConfig {
        head_timeout: SOON,
        keep_alive: SOON * 2,
        ..HttpConfig::default()
    });
    let mut client = Client::of(&server);
    assert!(client.say(&format!("{}GET /li", request("/livez"))));
    let answer = client.rest();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_body_that_nobody_reads_does_not_trickle_for_ever() {
    let server = Server::with(HttpConfig { head_timeout: SOON, ..HttpConfig::default() });
    let mut client = Client::of(&server);
    assert!(client.say(
        "GET /livez HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n"
    ));
    let begun = Instant::now();
    while client.say("x") {
        assert!(begun.elapsed() < LATE, "it may go on for ever");
        client.hears_nothing_for_a_moment();
    }
}

#[test]
fn silence_between_requests_has_its_own_time_and_ends_without_a_word() {
    let server = Server::with(HttpConfig { head_timeout: SOON, ..HttpConfig::default() });
    let mut client = Client::of(&server);
    for _ in 0..3 {
        assert!(client.ask("/livez").starts_with("HTTP/1.1 200"));
        assert!(client.hears_nothing_for(SOON * 2), "it was not asked to hurry");
    }
    let server = Server::with(HttpConfig { keep_alive: SOON, ..HttpConfig::default() });
    let mut client = Client::of(&server);
    client.ask("/livez");
    assert_eq!(client.rest(), "");
    // Nor is a word said to who never said one.
    let server = Server::with(HttpConfig { head_timeout: SOON, ..HttpConfig::default() });
    assert_eq!(Client::of(&server).rest(), "");
}

#[test]
fn the_time_that_an_answer_takes_is_not_the_clients() {
    let server = Server::with(HttpConfig {
        head_timeout: SOON / 4,
        keep_alive: SOON / 4,
        position_wait: SOON * 3,
        ..HttpConfig::default()
    });
    let made = server.post("/v1/products", r#"{"name": "a", "price": "1"}"#);
    let (journal, _) = made.header("stockade-position").unwrap().split_once('-').unwrap();
    let next = format!("{journal}-{:x}", server.engine.position() + 1);
    let late = server.send("GET", "/v1/orders", &[("stockade-min-position", &next)], None);
    late.problem(503, "position_not_reached");
}

#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let server = Server::with(HttpConfig { keep_alive: SOON, ..HttpConfig::default() });
    for encoding in ["identity", "gzip"] {
        let mut client = Client::of(&server);
        let request = format!(
            "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\n\r\n"
        );
        let begun = Instant::now();
        let error = loop {
            if let Err(error) = client.0.write_all(request.as_bytes()) {
                break error;
            }
            assert!(begun.elapsed() < LATE, "it takes requests without end");
        };
        let ended = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(ended, "{error}");
    }
}

#[test]
fn what_is_no_request_is_told_so_in_a_problem() {
    let server = Server::start();
    let many = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    for (wrong, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
    ] {
        for before in 0..2 {
            let mut client = Client::of(&server);
            for _ in 0..before {
                client.ask("/livez");
            }
            client.say(&wrong);
            problem(&client.rest(), status, "invalid");
        }
        // In one write with the answer to what came before, it stays a bare status.
        let mut client = Client::of(&server);
        client.say(&format!("{}{wrong}", request("/livez")));
        let answers = client.rest();
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        let (_, last) = answers.rsplit_once("HTTP/1.1 ").unwrap();
        assert!(last.starts_with(&status.to_string()), "{answers}");
    }
}

#[test]
fn one_connection_too_many_waits_until_another_ends() {
    let server = Server::with(HttpConfig { connections_max: 2, ..HttpConfig::default() });
    let mut clients = [(); 2].map(|()| Client::of(&server));
    for client in &mut clients {
        client.ask("/livez");
    }
    let mut late = Client::of(&server);
    assert!(late.say(&request("/livez")));
    assert!(late.hears_nothing_for(SOON * 2), "it waits");
    for client in &mut clients {
        assert!(client.ask("/livez").starts_with("HTTP/1.1 200"), "those who are in are served");
    }
    let [gone, mut stays] = clients;
    drop(gone);
    let mut first = [0; 12];
    late.0.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop(late);
    assert!(stays.ask("/livez").starts_with("HTTP/1.1 200"));
    assert!(Client::of(&server).ask("/livez").starts_with("HTTP/1.1 200"), "it lives on");
}
