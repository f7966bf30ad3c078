use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
};

use crate::support::run;

fn seeded(folder: &Path) {
    let args = ["seed", "--products", "20", "--orders", "50", "--data-dir", "data"];
    run(folder, &args).succeeded();
}

#[test]
fn a_good_directory_passes_and_says_what_was_checked() {
    let folder = tempfile::tempdir().unwrap();
    seeded(folder.path());
    let found = run(folder.path(), &["verify", "data", "--output", "json"]).succeeded().json();
    assert_eq!(found["ok"], true, "{found}");
    assert!(found["events"].as_u64().unwrap() > 100, "{found}");
    assert_eq!(found["state_agrees"], true, "{found}");
    assert_eq!(found["unsettled"], 0, "{found}");
    let text = run(folder.path(), &["verify", "data"]).succeeded().out;
    assert!(text.contains("every checksum right") && text.contains("violations  0"), "{text}");
}

#[test]
fn one_flipped_byte_is_found_with_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    seeded(folder.path());
    let segment = folder.path().join("data/journal/0000000001.segment");
    let file = OpenOptions::new().read(true).write(true).open(&segment).unwrap();
    flip(&file, 600);
    let verify = run(folder.path(), &["verify", "data"]);
    assert_eq!(verify.code, 1, "{verify:?}");
    assert!(verify.err.contains("0000000001.segment is damaged at byte"), "{verify:?}");
    let verify = run(folder.path(), &["verify", "data", "--output", "json"]);
    assert_eq!((verify.code, &verify.json()["ok"]), (1, &false.into()));
    let serve = run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    serve.refused(1, &["0000000001.segment is damaged at byte"]);
    flip(&file, 600);
    run(folder.path(), &["verify", "data"]).succeeded();
}

fn flip(file: &File, offset: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["verify", "."]).refused(1, &["FORMAT", "data directory?"]);
}
