//! A small REST client.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::Value;
use ureq::{Agent, http::Method};

use super::Failure;

/// How long one request may take: a batch of large orders on a slow disk is well below it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Requests that are under way at once: enough that one commit answers many, few enough for a small machine.
const CONNECTIONS_MAX: usize = 16;

/// The most of an answer that is read: 1,000 orders of 2,000 lines would be less.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A server that speaks Stockade's REST.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    /// What the server knows the caller by.
    token: Option<String>,
}

/// How a running server knows the caller.
#[derive(Args, Clone, Default)]
pub(crate) struct Token {
    /// An access token or an API key for the server
    #[arg(
        long,
        value_name = "TOKEN",
        env = "STOCKADE_TOKEN",
        hide_env_values = true,
        global = true
    )]
    token: Option<String>,
}

/// A request with a body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
}

// It lets in whoever reads it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Request {
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body }
    }
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Client {
    /// A client of the server at `url`, known to it by the token.
    pub(crate) fn new(url: &str, Token { token }: &Token) -> Result<Self, Failure> {
        if !url.starts_with("http://") {
            let what = format!("--url {url}: must begin with http:// (https is not supported yet)");
            return Err(Failure::usage(what));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections(CONNECTIONS_MAX)
            .max_idle_connections_per_host(CONNECTIONS_MAX)
            .build();
        let base = format!("{}/v1", url.trim_end_matches('/'));
        Ok(Self { agent: config.into(), base, token: token.clone() })
    }

    /// One request, whatever its status.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.base);
        let failed = |error: ureq::Error| Failure::work(format!("{method} {url}: {error}"));
        let mut request = ureq::http::Request::builder().method(method.clone()).uri(&url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                let request = request.body(body.to_string()).map_err(Failure::work)?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).map_err(Failure::work)?),
        };
        let mut answer = answer.map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(failed)?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status, body })
    }

    /// Many requests, several at once, in no order. The answers are in theirs.
    pub(crate) fn send_all(&self, requests: &[Request]) -> Vec<Result<Answer, Failure>> {
        let answers: Vec<OnceLock<_>> = requests.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((index, request)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                requests.get(index).map(|request| (index, request))
            } {
                let Request { method, path, body } = request;
                answers[index].get_or_init(|| self.send(method.clone(), path, Some(body)));
            }
        };
        thread::scope(|scope| {
            (1..CONNECTIONS_MAX.min(requests.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let answer = |answer: OnceLock<_>| answer.into_inner().expect("every request was sent");
        answers.into_iter().map(answer).collect()
    }

    /// A request that must succeed.
    pub(crate) fn must(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.send(method.clone(), path, body)?;
        answer.good().map_err(|what| Failure::work(format!("{method} {path}: {what}")))
    }

    /// A POST that must succeed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.must(Method::POST, path, Some(body))
    }

    /// Every entry of a list, page by page. `path` has a query already.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.must(Method::GET, &format!("{path}&limit=500{cursor}"), None)?;
            if let Some(Value::Array(data)) = page.get_mut("data").map(Value::take) {
                entries.extend(data);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(entries),
            }
        }
    }
}

impl Answer {
    /// The body of a success; else what the server says is wrong.
    pub(crate) fn good(self) -> Result<Value, String> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let said = |field: &str| self.body[field].as_str().unwrap_or_default().to_owned();
        Err(format!("{} {} {}", self.status, said("code"), said("detail")))
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}
