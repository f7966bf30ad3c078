//! What the probes say when the disk is full. The disk is a simulated one, so the server runs in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_executor::block_on;
use futures_util::future::pending;
use serde_json::Value;
use stockade::{
    Config, Engine,
    domain::{Currency, catalogue::NewProduct},
    http::{HttpConfig, bind, run},
};
use stockade_storage::SimDisk;

const SEGMENT: u64 = 256 << 10;

#[test]
fn the_probes_say_that_the_disk_is_nearly_full() {
    let disk = SimDisk::new(1);
    let config = Config { lanes: 1, segment_bytes: SEGMENT, ..Config::in_memory() };
    let config = config.with_virtual_clock(1_700_000_000_000);
    let engine = Engine::open_on(Arc::new(disk.clone()), &config).unwrap();
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let bound = bind(&HttpConfig { listen, workers: 1, ..HttpConfig::default() }).unwrap();
    let address = bound.addresses()[0];
    let served = engine.clone();
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(run(bound, served, pending())).unwrap()
    });
    let get = |path: &str| {
        let request = ureq::get(format!("http://{address}{path}"));
        let mut answer = request.config().http_status_as_error(false).build().call().unwrap();
        let body: Value = answer.body_mut().read_json().unwrap();
        (answer.status().as_u16(), body)
    };
    let (status, health) = get("/healthz");
    assert_eq!(status, 200);
    assert!(health["journal_room_bytes"].as_u64().is_some_and(|room| room > 0), "{health}");

    // The segment that is written, the one that is prepared, and no more.
    disk.set_capacity(Some(2 * SEGMENT));
    let long = NewProduct {
        description: "a".repeat(1_000),
        ..NewProduct::new("thing", 100, Currency::USD)
    };
    while block_on(engine.create_product(long.clone())).is_ok() {}
    for probe in ["/readyz", "/healthz"] {
        let (status, problem) = get(probe);
        assert_eq!((status, &problem["code"]), (503, &"overloaded".into()));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("nearly full") && detail.contains("bytes are left"), "{detail}");
    }
    assert_eq!(get("/livez").0, 200);
    assert_eq!(get("/v1/products?limit=1").0, 200, "reading goes on");
    disk.set_capacity(None);
    while engine.ready().is_err() {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert_eq!(get("/readyz").0, 200);
}
