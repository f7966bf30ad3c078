//! A server for one test, and a client that blocks.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

use futures_executor::block_on;
use serde_json::Value;
use stockade_actors::{Config, Engine};
use stockade_http::{HttpConfig, bind, run};
use tokio::sync::oneshot;
use ureq::http::Request;

/// When the tests' time begins.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }

    /// A problem with this status and code, whole and well formed.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let problem = &self.json;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/errors/{code}"));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        if status == 422 {
            assert!(problem["errors"][0]["detail"].is_string(), "a 422 says where: {problem}");
        }
        self.json
    }

    /// A 422 that names this place of the body.
    #[track_caller]
    pub(crate) fn refuses(self, code: &str, pointer: &str) {
        let problem = self.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(HttpConfig::default())
    }

    pub(crate) fn with(config: HttpConfig) -> Self {
        let engine = Config { lanes: 2, ..Config::in_memory() }.with_virtual_clock(NOW_MS);
        Self::over(config, Engine::open(engine).unwrap())
    }

    /// A server over this engine.
    pub(crate) fn over(config: HttpConfig, engine: Engine) -> Self {
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let bound = bind(&HttpConfig { listen, workers: 1, ..config }).unwrap();
        let address = bound.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let served = engine.clone();
        let thread = std::thread::spawn(move || {
            let shutdown = async move { drop(stopped.await) };
            actix_web::rt::System::new().block_on(run(bound, served, shutdown)).unwrap();
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .max_redirects(0)
            .build()
            .new_agent();
        Self { address, engine, agent, stop: Some(stop), thread: Some(thread) }
    }

    /// A request, with headers and perhaps a JSON body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => {
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    request = request.header("content-type", "application/json");
                }
                self.agent.run(request.body(body.to_owned()).unwrap()).unwrap()
            }
            None => self.agent.run(request.body(()).unwrap()).unwrap(),
        };
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let text = response.body_mut().read_to_string().unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: response.status().as_u16(), headers, text, json }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.send("POST", path, &[], Some(body.as_ref()))
    }

    pub(crate) fn put(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.send("PUT", path, &[("if-match", "*")], Some(body.as_ref()))
    }

    pub(crate) fn patch(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.send("PATCH", path, &[], Some(body.as_ref()))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// Bytes as they are, and everything that comes back until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Moves the engine's clock, and waits for what fell due.
    pub(crate) fn advance(&self, seconds: u64) {
        assert!(block_on(self.engine.advance(Duration::from_secs(seconds))).unwrap());
    }

    /// A product with this price and stock; its id.
    pub(crate) fn product(&self, price: &str, stock: u64) -> u64 {
        let body = format!(r#"{{"name": "ruler", "price": "{price}", "stock": {stock}}}"#);
        self.post("/v1/products", body).is(201)["id"].as_u64().unwrap()
    }

    /// A customer without a login; his id.
    pub(crate) fn customer(&self) -> u64 {
        self.post("/v1/customers", r#"{"name": "Ann"}"#).is(201)["id"].as_u64().unwrap()
    }

    /// An order of one line; its id.
    pub(crate) fn order(&self, product: u64, quantity: u64) -> u64 {
        let body = format!(r#"{{"product_id": {product}, "quantity": {quantity}}}"#);
        self.post("/v1/orders", body).is(201)["id"].as_u64().unwrap()
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        self.engine.shutdown().unwrap();
    }
}
