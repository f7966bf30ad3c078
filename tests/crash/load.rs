use std::{collections::HashMap, sync::mpsc::Sender};

use serde_json::{Value, json};

/// A command under a key of its own.
#[derive(Debug)]
pub(crate) struct Command {
    key: String,
    path: String,
    body: Value,
}

/// What a client knows.
pub(crate) enum Heard {
    /// An order is asked for: from now on it may be there.
    Asked { reference: String },
    /// An order was placed.
    Placed { id: u64 },
    /// A change of an order is asked for: from now on this may be its state.
    MayBecome { id: u64, status: &'static str },
    /// It was acknowledged.
    Became { id: u64, status: &'static str },
    /// A command was carried out, and this is what it was answered.
    Answered(Command, Value),
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

    /// The status and body of a command's answer, and whether it was told before; nothing when none came.
    fn command(&self, command: &Command) -> Option<(u16, Value, bool)> {
        let sent = self.agent.post(format!("{}{}", self.url, command.path));
        let sent = sent.header("idempotency-key", &command.key).send_json(&command.body);
        let mut answer = sent.ok()?;
        let replayed = answer.headers().contains_key("idempotent-replayed");
        Some((answer.status().as_u16(), answer.body_mut().read_json().ok()?, replayed))
    }

    /// Sends a command that was answered once more: it is told the same, and nothing happens.
    pub(crate) fn replays(&self, command: &Command, first: &Value) {
        let (status, answer, replayed) = self.command(command).expect("an answer");
        assert!(replayed && status < 300, "{command:?}: {status} {answer}");
        assert_eq!(answer, *first, "{command:?}");
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

/// Does everything that a shop does until the server is gone.
pub(crate) fn run(client: &Client, heard: &Sender<Heard>) {
    let random = client.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut shop = Shop { client, heard, random, number: 0 };
    while shop.act().is_some() {}
}

/// One client's doings. Everything it does is nothing when no answer came.
struct Shop<'a> {
    client: &'a Client,
    heard: &'a Sender<Heard>,
    random: u64,
    /// Commands and orders so far.
    number: u64,
}

impl Shop<'_> {
    fn act(&mut self) -> Option<()> {
        match self.next(8) {
            0..=3 => self.order(),
            4 => self.hold(),
            5 => self.batch(),
            6 => self.transfer(),
            _ => self.adjust(),
        }
    }

    fn next(&mut self, bound: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    /// A name that nobody had before.
    fn name(&mut self) -> String {
        self.number += 1;
        format!("{}-{}", self.client.seed, self.number)
    }

    fn tell(&self, heard: Heard) {
        // Whoever listens is there until the client is done.
        self.heard.send(heard).expect("it is heard");
    }

    /// Sends a command under a new key; answers with nothing inside when there was too little stock.
    fn send(&mut self, path: &str, body: Value) -> Option<Option<Value>> {
        let command = Command { key: self.name(), path: path.to_owned(), body };
        let (status, answer, replayed) = self.client.command(&command)?;
        if status == 409 && answer["code"] == "insufficient_stock" {
            return Some(None);
        }
        assert!(status < 300 && !replayed, "{command:?}: {status} {answer}");
        self.tell(Heard::Answered(command, answer.clone()));
        Some(Some(answer))
    }

    /// The body of an order that nobody asked for before.
    fn new_order(&mut self, lines: &Value) -> Value {
        let reference = self.name();
        self.tell(Heard::Asked { reference: reference.clone() });
        json!({"lines": lines, "reference": reference})
    }

    fn placed(&self, order: &Value) -> u64 {
        let id = order["id"].as_u64().unwrap_or_else(|| panic!("an order: {order}"));
        self.tell(Heard::Placed { id });
        id
    }

    /// A product of which there is plenty.
    fn plenty(&mut self, quantity: u64) -> Value {
        let product = 2 + self.next(2);
        json!({"product_id": product, "quantity": self.next(quantity) + 1})
    }

    /// An order, perhaps of what runs out, and what becomes of it.
    fn order(&mut self) -> Option<()> {
        let hot = json!({"product_id": 1, "quantity": self.next(3) + 1});
        let lines = [hot, self.plenty(5)];
        let first = self.next(2) as usize;
        let body = self.new_order(&json!(lines[first..]));
        let Some(order) = self.send("/v1/orders", body)? else { return Some(()) };
        let id = self.placed(&order);
        let life: &[_] = match self.next(5) {
            0 => &[],
            1 => &[("cancel", "cancelled")],
            2 => &[("payments", "paid"), ("cancel", "cancelled")],
            3 => &[("payments", "paid"), ("shipments", "shipped")],
            _ => &[("payments", "paid"), ("shipments", "shipped"), ("returns", "returned")],
        };
        for &(action, status) in life {
            self.tell(Heard::MayBecome { id, status });
            let body = if action == "returns" { all_of(&order) } else { json!({}) };
            self.send(&format!("/v1/orders/{id}/{action}"), body)?;
            self.tell(Heard::Became { id, status });
        }
        Some(())
    }

    /// A hold that stays, or becomes an order of more or of less than was held.
    fn hold(&mut self) -> Option<()> {
        let line = self.plenty(5);
        let Some(hold) = self.send("/v1/reservations", line)? else { return Some(()) };
        if self.next(4) > 0 {
            let product = &hold["lines"][0]["product_id"];
            let lines = json!([{"product_id": product, "quantity": self.next(5) + 1}]);
            let mut body = self.new_order(&lines);
            body["reservation_ids"] = json!([hold["id"]]);
            let order = self.send("/v1/orders", body)?.expect("there is plenty");
            self.placed(&order);
        }
        Some(())
    }

    /// Orders that are all placed, together or each by itself.
    fn batch(&mut self) -> Option<()> {
        let mode = ["all", "each"][self.next(2) as usize];
        let orders: Vec<Value> = (0..3)
            .map(|_| {
                let line = self.plenty(3);
                self.new_order(&json!([line]))
            })
            .collect();
        let body = json!({"mode": mode, "orders": orders});
        let answer = self.send("/v1/orders/batch", body)?.expect("there is plenty");
        for row in answer["results"].as_array().unwrap() {
            self.placed(&row["order"]);
        }
        Some(())
    }

    /// Units on the road, most of which come in, go back, or do one after the other.
    fn transfer(&mut self) -> Option<()> {
        let mut body = self.plenty(4);
        body["from_warehouse_id"] = json!(1);
        body["to_warehouse_id"] = json!(2);
        body["in_transit"] = json!(self.next(4) > 0);
        let moved = self.send("/v1/warehouses/transfer", body)?.expect("there is plenty");
        if moved["status"] == "in_transit" {
            let id = moved["id"].as_u64().unwrap();
            let steps = [&["receive"][..], &["receive_one", "cancel"], &["cancel"], &[]];
            for step in steps[self.next(4) as usize] {
                let (action, body) = match *step {
                    "receive_one" if moved["quantity"] == 1 => continue,
                    "receive_one" => ("receive", json!({"quantity": 1})),
                    action => (action, json!({})),
                };
                self.send(&format!("/v1/transfers/{id}/{action}"), body)?;
            }
        }
        Some(())
    }

    /// Units that were written down in the wrong warehouse: as many in one as not in the other, together or not at all.
    fn adjust(&mut self) -> Option<()> {
        let product = 2 + self.next(2);
        let row = |warehouse: u64, delta: i64| json!({"warehouse_id": warehouse, "product_id": product, "delta": delta});
        let adjustments = [row(1, -2), row(2, 2)];
        let body = json!({"mode": "all", "reason": "correction", "adjustments": adjustments});
        self.send("/v1/stock/adjustments", body)?.expect("there is plenty");
        Some(())
    }
}

/// All lines of an order, to be sent back.
fn all_of(order: &Value) -> Value {
    let lines = order["lines"].as_array().unwrap().iter();
    let all =
        |line: &Value| json!({"product_id": line["product_id"], "quantity": line["quantity"]});
    json!({"lines": lines.map(all).collect::<Vec<_>>()})
}

/// Everything that was acknowledged or asked for, over all lives of the server.
#[derive(Default)]
pub(crate) struct Known {
    /// The states an order may be in.
    orders: HashMap<u64, Vec<&'static str>>,
    references: std::collections::HashSet<String>,
}

impl Known {
    /// Takes in what was heard, and answers with the commands that were carried out, each with its answer.
    pub(crate) fn add(&mut self, heard: Vec<Heard>) -> Vec<(Command, Value)> {
        let mut answered = Vec::new();
        for heard in heard {
            match heard {
                Heard::Asked { reference } => drop(self.references.insert(reference)),
                Heard::Placed { id } => drop(self.orders.insert(id, vec!["pending_payment"])),
                Heard::MayBecome { id, status } => {
                    self.orders.get_mut(&id).expect("it was placed").push(status);
                }
                Heard::Became { id, status } => drop(self.orders.insert(id, vec![status])),
                Heard::Answered(command, answer) => answered.push((command, answer)),
            }
        }
        answered
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
