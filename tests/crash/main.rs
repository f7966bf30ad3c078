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

use load::{Acked, Client, Known};
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
    let mut known = Known::default();
    let mut acks = 0;
    for cycle in 0..cycles {
        let acked = load_until_killed(server, cycle);
        acks += acked.len();
        known.add(acked);
        server = start(folder.path(), cycle + 1);
        check(&server, &known, cycle);
    }
    println!(
        "{cycles} kills, {acks} acknowledgements, {} orders, 0 lost, 0 invented",
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
fn load_until_killed(server: Server, cycle: usize) -> Vec<Acked> {
    let (heard, acks) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (url, heard) = (server.url.clone(), heard.clone());
            let seed = (cycle * CLIENTS + client) as u64;
            thread::spawn(move || load::run(&Client::new(&url, seed), &heard))
        })
        .collect();
    drop(heard);
    // Between a few and some hundred, by the cycle: kills fall into every phase of a start, too.
    let enough = 5 + (cycle * 37) % 200;
    let mut acked: Vec<Acked> = acks.iter().take(enough).collect();
    drop(server);
    acked.extend(acks.iter());
    clients.into_iter().for_each(|client| client.join().unwrap());
    acked
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
    for row in client.list("/v1/stock") {
        let units = |field: &str| row[field].as_u64().unwrap();
        let product = units("product_id");
        let lines = orders.values().flat_map(|order| order["lines"].as_array().unwrap());
        let mine = lines.filter(|line| line["product_id"].as_u64() == Some(product));
        let reserved: u64 = mine.map(|line| line["reserved"].as_u64().unwrap()).sum();
        assert_eq!(units("reserved"), reserved, "cycle {cycle}: nothing leaked at {product}");
        assert_eq!(units("on_hand"), UNITS[product as usize - 1], "cycle {cycle}");
        assert!(units("reserved") <= units("on_hand"), "cycle {cycle}: oversold {product}");
    }
}
