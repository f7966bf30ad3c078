//! The real binary under HTTP load, killed with SIGKILL again and again.
//!
//! What was acknowledged is written down outside of it. After every restart each acknowledged order is there and at least as far
//! as was said, no order is there that nobody asked for, nothing is oversold, and every reserved unit belongs to a live order.
//!
//! It does not show what a power cut does: the page cache survives a killed process. That is shown on the simulated disk.

#[path = "../cli/support.rs"]
// Shared with the tests of the commands, which use all of it.
#[allow(dead_code)]
mod support;

mod load;
mod people;
mod retries;

use std::{collections::HashMap, sync::mpsc, thread};

use load::{Client, Command, Heard, Known};
use serde_json::{Value, json};
use support::Server;

/// `STOCKADE_KILL_CYCLES` makes a long run of it.
const CYCLES: usize = 50;
const CLIENTS: usize = 4;
/// How many lanes the server has in each of its lives, in turn.
const LANES: [usize; 5] = [1, 3, 2, 1, 2];
/// Units of each product: the first is hot and runs out, the others do not.
const UNITS: [u64; 3] = [60, 100_000, 100_000];

#[test]
fn a_killed_server_loses_nothing_that_it_acknowledged() {
    let cycles = std::env::var("STOCKADE_KILL_CYCLES").ok().and_then(|n| n.parse().ok());
    let cycles = cycles.unwrap_or(CYCLES);
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), 0);
    for units in UNITS {
        let product = json!({"name": "thing", "price": "2.50", "stock": units});
        Client::new(&server.url, 0).expect("POST", "/v1/products", Some(&product), 201);
    }
    Client::new(&server.url, 0).expect("POST", "/v1/warehouses", Some(&json!({"name": "b"})), 201);
    let mut known = Known::default();
    let mut answered: Vec<(Command, Value)> = Vec::new();
    for cycle in 0..cycles {
        let last = answered.len();
        answered.extend(known.add(load_until_killed(server, cycle)));
        server = start(folder.path(), cycle + 1);
        check(&server, &known, cycle);
        replay(&server, &answered[last..]);
    }
    replay(&server, &answered);
    check(&server, &known, cycles);
    println!(
        "{cycles} kills, {} acknowledgements, {} orders, 0 lost, 0 invented",
        answered.len(),
        known.orders()
    );
    assert_eq!(server.terminate().0, Some(0));
    let verified = support::run(folder.path(), &["verify", "data"]).succeeded();
    assert!(!verified.out.is_empty());
}

/// Starts the server with another number of lanes than before: what a kill interrupted is settled on other lanes than it began on.
fn start(folder: &std::path::Path, life: usize) -> Server {
    let lanes = LANES[life % LANES.len()];
    support::write(&folder.join("stockade.toml"), &format!("[engine]\nlanes = {lanes}\n"));
    Server::start(folder, &["--data-dir", "data"])
}

/// Runs clients until so many answers have come that it is time, then kills the server under them.
fn load_until_killed(server: Server, cycle: usize) -> Vec<Heard> {
    let (tell, hear) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (url, tell) = (server.url.clone(), tell.clone());
            let seed = (cycle * CLIENTS + client) as u64;
            thread::spawn(move || load::run(&Client::new(&url, seed), &tell))
        })
        .collect();
    drop(tell);
    // Between a few and some hundred, by the cycle: kills fall into every phase of a start, too.
    let mut missing = 5 + (cycle * 37) % 200;
    let mut heard = Vec::new();
    while missing > 0 {
        let Ok(one) = hear.recv() else { break };
        missing -= usize::from(matches!(one, Heard::Answered(..)));
        heard.push(one);
    }
    drop(server);
    heard.extend(hear.iter());
    clients.into_iter().for_each(|client| client.join().unwrap());
    heard
}

/// Sends everything that was answered once more: it is answered the same, and changes nothing.
fn replay(server: &Server, answered: &[(Command, Value)]) {
    let client = Client::new(&server.url, 0);
    answered.iter().for_each(|(command, first)| client.replays(command, first));
}

fn check(server: &Server, known: &Known, cycle: usize) {
    let client = Client::new(&server.url, 0);
    let orders: HashMap<u64, Value> = client
        .list("/v1/orders")
        .into_iter()
        .map(|order| (order["id"].as_u64().unwrap(), order))
        .collect();
    let lost = known.lost(&orders);
    assert_eq!(lost, Vec::<String>::new(), "cycle {cycle}");
    let (stock, holds) = (client.list("/v1/stock"), client.list("/v1/reservations"));
    for (product, units) in (1..).zip(UNITS) {
        let of = |row: &&Value| row["product_id"].as_u64() == Some(product);
        let sum = |rows: &mut dyn Iterator<Item = &Value>, field: &str| -> u64 {
            rows.map(|row| row[field].as_u64().unwrap()).sum()
        };
        let there = |field: &str| sum(&mut stock.iter().filter(of), field);
        let lines = || orders.values().flat_map(|order| order["lines"].as_array().unwrap());
        let ordered = |field: &str| sum(&mut lines().filter(of), field);
        let active = holds.iter().filter(|hold| hold["status"] == "active");
        let mut held = active.flat_map(|hold| hold["lines"].as_array().unwrap()).filter(of);
        let reserved = ordered("reserved") + sum(&mut held, "held");
        assert_eq!(there("reserved"), reserved, "cycle {cycle}: nothing leaked at {product}");
        // In a warehouse, on the road, or with a customer: each unit in one of them.
        let elsewhere = there("incoming") + ordered("shipped") - ordered("returned");
        assert_eq!(there("on_hand") + elsewhere, units, "cycle {cycle}: units of {product}");
    }
    for row in &stock {
        assert!(row["reserved"].as_u64() <= row["on_hand"].as_u64(), "oversold: {row}");
    }
}
