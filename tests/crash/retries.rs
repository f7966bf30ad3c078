//! Idempotency keys through kills: a client that sends every command until it is answered has one effect of each.

use std::{collections::HashMap, path::Path, sync::mpsc, thread};

use serde_json::{Value, json};

use crate::{load::Client, start, support::Server};

/// How often the server is killed.
const KILLS: usize = 50;

/// Who sends a command under a key: its order, and whether it was told before; nothing when no answer came.
fn place(agent: &ureq::Agent, url: &str, key: &str) -> Option<(Value, bool)> {
    let order = json!({"product_id": 1, "quantity": 1, "reference": key});
    let sent = agent.post(format!("{url}/v1/orders")).header("idempotency-key", key);
    let mut answer = sent.send_json(&order).ok()?;
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let body: Value = answer.body_mut().read_json().ok()?;
    assert_eq!(answer.status().as_u16(), 201, "{body}");
    Some((body, replayed))
}

fn begin(folder: &Path) -> Server {
    let server = start(folder, 0);
    let product = json!({"name": "thing", "price": "2.50", "stock": 1_000_000});
    Client::new(&server.url, 0).expect("POST", "/v1/products", Some(&product), 201);
    server
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

#[test]
fn a_command_that_was_answered_before_the_kill_is_replayed_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = begin(folder.path());
    let (first, replayed) = place(&agent(), &server.url, "k").unwrap();
    assert!(!replayed);
    drop(server);
    let server = start(folder.path(), 1);
    let (again, replayed) = place(&agent(), &server.url, "k").unwrap();
    assert!(replayed);
    assert_eq!(again, first);
    assert_eq!(Client::new(&server.url, 0).list("/v1/orders").len(), 1);
}

#[test]
fn commands_that_are_sent_until_they_are_answered_have_one_effect_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = begin(folder.path());
    let mut answered: HashMap<String, Value> = HashMap::new();
    for kill in 0..KILLS {
        // The last of the life before comes first: its answer may be what the kill cut off.
        let keys: Vec<String> = (0..4).map(|n| format!("{}", kill * 2 + n)).collect();
        let (heard, answers) = mpsc::channel();
        let url = server.url.clone();
        let client = thread::spawn(move || {
            for key in keys.iter().cycle() {
                let Some(answer) = place(&agent(), &url, key) else { return };
                if heard.send((key.clone(), answer)).is_err() {
                    return;
                }
            }
        });
        let mut hear = |(key, (order, replayed)): (String, (Value, bool))| {
            // What was never answered may be there all the same.
            assert!(replayed || !answered.contains_key(&key), "kill {kill}");
            let first = answered.entry(key).or_insert_with(|| order.clone());
            assert_eq!(*first, order, "kill {kill}");
        };
        answers.iter().take(kill % 6).for_each(&mut hear);
        drop(server);
        answers.iter().for_each(&mut hear);
        client.join().unwrap();
        server = start(folder.path(), kill + 1);
    }
    for key in 0..KILLS * 2 + 2 {
        let (order, replayed) = place(&agent(), &server.url, &key.to_string()).unwrap();
        let known = answered.get(&key.to_string());
        assert!(known.is_none_or(|first| replayed && *first == order), "{key}");
    }
    assert!(answered.len() > KILLS, "{} commands were answered in time", answered.len());
    let orders = Client::new(&server.url, 0).list("/v1/orders");
    let references = orders.iter().map(|order| order["reference"].as_str().unwrap());
    let mut references: Vec<_> = references.collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!((orders.len(), references.len()), (KILLS * 2 + 2, KILLS * 2 + 2));
}
