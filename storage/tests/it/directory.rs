//! One process at a time, and never a format from the future.

use std::os::unix::fs::PermissionsExt;
use stockade_storage::{DataDirectory, DirectoryError};

#[test]
fn a_second_opening_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let first = DataDirectory::open(&path).unwrap();
    for second in [DataDirectory::open(&path), DataDirectory::open_read_only(&path)] {
        let error = second.unwrap_err();
        assert!(matches!(&error, DirectoryError::InUse { path: named, .. } if *named == path));
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains(&std::process::id().to_string()), "{text}");
    }
    drop(first);
    drop(DataDirectory::open_read_only(&path).unwrap());
    DataDirectory::open(&path).unwrap();
}

#[test]
fn a_newer_or_unknown_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    assert!(matches!(DataDirectory::open_read_only(&path), Err(DirectoryError::Unknown { .. })));
    assert!(!path.exists(), "looking makes nothing");
    drop(DataDirectory::open(&path).unwrap());
    let format = path.join("FORMAT");
    assert_eq!(std::fs::read_to_string(&format).unwrap(), "stockade 1\n");
    std::fs::write(&format, "stockade 2\n").unwrap();
    assert!(matches!(DataDirectory::open(&path), Err(DirectoryError::Newer { found: 2, .. })));
    for text in ["", "stockade", "stockade 0", "something else 1", "stockade -1"] {
        std::fs::write(&format, text).unwrap();
        assert!(
            matches!(DataDirectory::open(&path), Err(DirectoryError::Unknown { .. })),
            "{text:?}"
        );
    }
    // Without FORMAT, a folder with a journal in it is not taken for a new one.
    std::fs::remove_file(&format).unwrap();
    std::fs::write(path.join("journal").join("0000000001.segment"), "x").unwrap();
    assert!(matches!(DataDirectory::open(&path), Err(DirectoryError::Unknown { .. })));
}

#[test]
fn secrets_are_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(folder.path().join("data")).unwrap();
    assert_eq!(directory.read_secret("key").unwrap(), None);
    directory.write_secret("key", b"one").unwrap();
    directory.write_secret("key", b"two").unwrap();
    assert_eq!(directory.read_secret("key").unwrap().as_deref(), Some(&b"two"[..]));
    let made = || b"made".to_vec();
    assert_eq!(directory.secret("key", made).unwrap(), b"two", "what is there is not made again");
    assert_eq!(directory.secret("other", made).unwrap(), b"made");
    assert_eq!(directory.read_secret("other").unwrap().as_deref(), Some(&b"made"[..]));
    let mode =
        |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.secrets()), 0o700);
    assert_eq!(mode(directory.secrets().join("key")), 0o600);
    for _ in 0..2 {
        directory.remove_secret("key").unwrap();
        assert_eq!(directory.read_secret("key").unwrap(), None);
    }
    assert!(directory.read_secret("other").unwrap().is_some());
}
