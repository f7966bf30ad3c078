//! Format v1, as checked-in bytes: it can be read for ever, and what is written today is the same.
//!
//! `STOCKADE_GOLDEN=write` writes them anew; do that only with a new format version.

use crate::harness::{disk, open, small, start};
use std::path::PathBuf;
use stockade_storage::{Durability, SimDisk, check, journal::EPOCH_GAP};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join("golden").join(name)
}

/// Two epochs, a clean shutdown, groups of several records, a long record, a second segment.
fn write() -> SimDisk {
    let options = small(Durability::Sync);
    let sim = SimDisk::new(1);
    let mut running = start(&sim, &options).unwrap();
    running.commit(&[b"first".to_vec()]).unwrap();
    running.commit(&[b"second".to_vec(), Vec::new(), vec![3; 200]]).unwrap();
    let sim = sim.after_kill();
    let mut running = start(&sim, &options).unwrap();
    running.commit(&[vec![5; 2_000]]).unwrap();
    running.commit(&[vec![6; 2_000]]).unwrap();
    running.journal.shutdown().unwrap();
    sim
}

#[test]
fn format_v1_is_read_and_written_as_ever() {
    let names = ["0000000001.segment", "0000000002.segment"];
    let written = write();
    if std::env::var_os("STOCKADE_GOLDEN").is_some() {
        for name in names {
            std::fs::write(path(&format!("v1-{name}")), written.content(name).unwrap()).unwrap();
        }
    }
    let sim = SimDisk::new(0);
    for name in names {
        let golden = std::fs::read(path(&format!("v1-{name}"))).unwrap();
        assert!(written.content(name).unwrap() == golden, "{name} is written differently now");
        sim.put(name, &golden);
    }
    let checked = check(disk(&sim), &mut |_| Ok(())).unwrap();
    assert_eq!((checked.segments, checked.epoch, checked.clean), (2, 2, true));
    let (_, recovered, records) = open(&sim, &small(Durability::Sync)).unwrap();
    assert_eq!((recovered.journal_id, recovered.last_time_ms, recovered.epoch), (0x5eed, 1_000, 3));
    let second = 5 + EPOCH_GAP;
    let expected = [
        (1, b"first".to_vec()),
        (2, b"second".to_vec()),
        (3, Vec::new()),
        (4, vec![3; 200]),
        (second, vec![5; 2_000]),
        (second + 1, vec![6; 2_000]),
    ];
    assert_eq!(records, expected);
}
