use std::{collections::HashMap, sync::mpsc::Sender};

use serde_json::{Value, json};

/// What a client knows of its orders.
pub(crate) enum Acked {
    /// An order was placed.
    Placed { id: u64, reference: String },
    /// It was asked for, and no answer came: it may be there.
    Asked { reference: String },
    /// A payment or a cancellation was acknowledged.
    Became { id: u64, status: &'static str },
    /// One was asked for, and no answer came.
    MayBecome { id: u64, status: &'static str },
}

/// A client of the server under test.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    seed: u64,
}

impl Client {
    pub(crate) fn new(url: &str, seed: u64) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), url: url.to_owned(), seed }
    }

    /// The status and body of an answer; nothing when none came.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.url);
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(&url).call(),
            (_, Some(body)) => self.agent.post(&url).send_json(body),
            (_, None) => self.agent.post(&url).send_empty(),
        };
        let mut answer = answer.ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_json().ok()?))
    }

    #[track_caller]
    pub(crate) fn expect(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Value {
        let (found, answer) = self.ask(method, path, body).expect("an answer");
        assert_eq!(found, status, "{answer}");
        answer
    }

    /// All pages of a list.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.expect("GET", &format!("{path}?limit=500{cursor}"), None, 200);
            rows.extend(page["data"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }
}

/// Places, pays and cancels until the server is gone.
pub(crate) fn run(client: &Client, heard: &Sender<Acked>) {
    let mut random = client.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |bound: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    for number in 0_u64.. {
        let reference = format!("{}-{number}", client.seed);
        let line =
            |product: u64, quantity: u64| json!({"product_id": product, "quantity": quantity});
        let lines = [line(1, next(3) + 1), line(2 + next(2), next(5) + 1)];
        let lines = &lines[next(2) as usize..];
        let body = json!({"lines": lines, "reference": reference});
        let Some((status, order)) = client.ask("POST", "/v1/orders", Some(&body)) else {
            return drop(heard.send(Acked::Asked { reference }));
        };
        if status == 409 {
            continue;
        }
        assert_eq!(status, 201, "{order}");
        let id = order["id"].as_u64().unwrap();
        let _ = heard.send(Acked::Placed { id, reference });
        let (path, status) = match next(4) {
            0 => continue,
            1 => ("payments", "paid"),
            _ => ("cancel", "cancelled"),
        };
        match client.ask("POST", &format!("/v1/orders/{id}/{path}"), Some(&json!({}))) {
            Some((200 | 201, _)) => drop(heard.send(Acked::Became { id, status })),
            Some((_, answer)) => panic!("{answer}"),
            None => return drop(heard.send(Acked::MayBecome { id, status })),
        }
    }
}

/// Everything that was acknowledged or asked for, over all lives of the server.
#[derive(Default)]
pub(crate) struct Known {
    /// The states an order may be in.
    orders: HashMap<u64, Vec<&'static str>>,
    references: std::collections::HashSet<String>,
}

impl Known {
    pub(crate) fn add(&mut self, acked: Vec<Acked>) {
        for acked in acked {
            match acked {
                Acked::Placed { id, reference } => {
                    self.references.insert(reference);
                    self.orders.entry(id).or_insert_with(|| vec!["pending_payment"]);
                }
                Acked::Asked { reference } => drop(self.references.insert(reference)),
                Acked::Became { id, status } => drop(self.orders.insert(id, vec![status])),
                Acked::MayBecome { id, status } => {
                    self.orders.entry(id).or_insert_with(|| vec!["pending_payment"]).push(status);
                }
            }
        }
    }

    pub(crate) fn orders(&self) -> usize {
        self.orders.len()
    }

    /// What is missing, in another state than was acknowledged, or was never asked for.
    pub(crate) fn lost(&self, found: &HashMap<u64, Value>) -> Vec<String> {
        let missing = self.orders.iter().filter_map(|(id, states)| {
            let status = found.get(id).and_then(|order| order["status"].as_str());
            let fits = status.is_some_and(|status| states.contains(&status));
            (!fits).then(|| format!("order {id}: {states:?} was acknowledged, found {status:?}"))
        });
        let invented = found.values().filter_map(|order| {
            let reference = order["reference"].as_str().unwrap_or_default();
            (!self.references.contains(reference)).then(|| format!("invented: {order}"))
        });
        missing.chain(invented).collect()
    }
}
