//! sled may vanish, lie or break: the state is whole or it is rebuilt, never wrong.

use crate::harness::Random;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use stockade_storage::{StateOpened, StateStore};

const ID: u128 = 42;

type Pages = BTreeMap<Vec<u8>, Vec<u8>>;

fn pages_of(store: &StateStore) -> Pages {
    let mut pages = Pages::new();
    store
        .for_each(&mut |key, value| assert!(pages.insert(key.to_vec(), value.to_vec()).is_none()))
        .unwrap();
    pages
}

/// A store with small, large, changed and removed pages at position 30.
fn filled(folder: &Path) -> Pages {
    let StateOpened::Ready(store) = StateStore::open(folder, ID).unwrap() else {
        panic!("a new state is ready")
    };
    assert_eq!(store.position(), 0);
    let mut random = Random(1);
    let mut pages = Pages::new();
    for position in [10, 20, 30] {
        let mut batch = Vec::new();
        for _ in 0..40 {
            let len = [0, 10, 300, 3_999, 4_000, 4_001, 20_000][random.below(7) as usize];
            let key = random.below(60).to_be_bytes()[8 - 1 - random.below(3) as usize..].to_vec();
            let value = (random.below(5) > 0).then(|| random.bytes(len));
            match &value {
                Some(value) => pages.insert(key.clone(), value.clone()),
                None => pages.remove(&key),
            };
            batch.push((key, value));
        }
        store.write(position, &batch).unwrap();
        assert_eq!(store.position(), position);
    }
    assert!(pages_of(&store) == pages);
    for (key, value) in &pages {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
    assert_eq!(store.get(b"absent").unwrap(), None);
    assert!(pages.values().any(|value| value.len() > 4_000));
    pages
}

/// Opens and says whether it was ready; whatever it is, it must be right.
fn open_checked(folder: &Path, pages: &Pages, what: &str) -> bool {
    match StateStore::open(folder, ID).unwrap_or_else(|error| panic!("{what}: {error}")) {
        StateOpened::Ready(store) => {
            assert_eq!(store.position(), 30, "{what}");
            assert!(pages_of(&store) == *pages, "{what}: wrong data");
            true
        }
        StateOpened::Rebuild { store, reason } => {
            assert!(!reason.is_empty(), "{what}");
            assert_eq!(store.position(), 0, "{what}");
            assert!(pages_of(&store).is_empty(), "{what}");
            // And it works.
            store.write(7, &[(b"k".to_vec(), Some(b"v".to_vec()))]).unwrap();
            drop(store);
            let StateOpened::Ready(store) = StateStore::open(folder, ID).unwrap() else {
                panic!("{what}: not usable")
            };
            assert_eq!(
                (store.position(), store.get(b"k").unwrap()),
                (7, Some(b"v".to_vec())),
                "{what}"
            );
            false
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn aside(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".damaged-")).collect()
}

#[test]
fn it_comes_back_whole() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let pages = filled(&folder);
    assert!(open_checked(&folder, &pages, "untouched"));
    assert!(aside(root.path()).is_empty());
}

#[test]
fn gone_older_or_foreign_is_rebuilt() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let pages = filled(&folder);
    let old = root.path().join("old");
    copy(&folder, &old);
    let StateOpened::Ready(store) = StateStore::open(&folder, ID).unwrap() else { panic!() };
    store.write(40, &[(b"new".to_vec(), Some(b"page".to_vec()))]).unwrap();
    drop(store);
    // The copy of before comes back.
    fs::remove_dir_all(&folder).unwrap();
    copy(&old, &folder);
    assert!(!open_checked(&folder, &pages, "older than its mark"));
    assert_eq!(aside(root.path()).len(), 1);
    // Deleted.
    fs::remove_dir_all(&folder).unwrap();
    assert!(!open_checked(&folder, &pages, "deleted"));
    // Another journal's.
    let opened = StateStore::open(&folder, ID + 1).unwrap();
    assert!(
        matches!(&opened, StateOpened::Rebuild { reason, .. } if reason.contains("another journal")),
        "{opened:?}"
    );
    drop(opened);
    assert_eq!(aside(root.path()).len(), 1, "at most one is kept");
    // Without the mark a whole state is still whole.
    fs::remove_dir_all(&folder).unwrap();
    copy(&old, &folder);
    fs::remove_file(root.path().join("state.mark")).unwrap();
    assert!(open_checked(&folder, &pages, "without a mark"));
}

#[test]
fn damage_is_rebuilt_and_never_wrong() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let pages = filled(&folder);
    let pristine = root.path().join("pristine");
    fs::create_dir(&pristine).unwrap();
    copy(&folder, &pristine.join("state"));
    fs::copy(root.path().join("state.mark"), pristine.join("state.mark")).unwrap();
    let db = fs::read(folder.join("db")).unwrap();
    let used = db.iter().rposition(|byte| *byte != 0).unwrap();
    let mut random = Random(4);
    let mut rebuilt = 0;
    type Damage = Box<dyn Fn(&Path)>;
    let mut damages: Vec<(String, Damage)> = Vec::new();
    for number in 0..30u64 {
        let at = random.below(used as u64) as usize;
        let mut bytes = db.clone();
        let what = match number % 3 {
            0 => {
                bytes[at] ^= 1 << random.below(8);
                format!("bit flipped at {at}")
            }
            1 => {
                bytes[at / 4096 * 4096..].iter_mut().take(4096).for_each(|byte| *byte = 0);
                format!("page at {at} zeroed")
            }
            _ => {
                bytes.truncate(at);
                format!("cut at {at}")
            }
        };
        damages.push((what, Box::new(move |folder| fs::write(folder.join("db"), &bytes).unwrap())));
    }
    damages.push((
        "empty db".to_owned(),
        Box::new(|folder| fs::write(folder.join("db"), b"").unwrap()),
    ));
    damages.push((
        "no conf".to_owned(),
        Box::new(|folder| fs::remove_file(folder.join("conf")).unwrap()),
    ));
    damages.push((
        "conf of nonsense".to_owned(),
        Box::new(|folder| fs::write(folder.join("conf"), b"?!").unwrap()),
    ));
    for (number, (what, damage)) in damages.iter().enumerate() {
        let place = root.path().join(format!("damaged{number}"));
        copy(&pristine, &place);
        damage(&place.join("state"));
        rebuilt += usize::from(!open_checked(&place.join("state"), &pages, what));
        fs::remove_dir_all(&place).unwrap();
    }
    assert!(rebuilt > damages.len() / 3, "only {rebuilt} of {} were noticed", damages.len());
}

/// Rows whose checksums are right, and that are still not what was written: lost, left over, or old.
#[test]
fn rows_that_vanish_stay_or_come_back_are_noticed() {
    type Tamper = fn(&sled::Db, &sled::IVec, &sled::IVec);
    let tampers: [(&str, Tamper); 3] = [
        ("a row vanished", |db, key, _| drop(db.remove(key).unwrap())),
        ("a row of the past is there again", |db, key, old| drop(db.insert(key, old).unwrap())),
        ("a removed row is still there", |db, key, old| {
            assert!(db.remove(key).unwrap().is_some());
            // Under the name of its second part, as if the page had been longer once.
            let mut second = key.to_vec();
            *second.last_mut().unwrap() += 1;
            db.insert(second, old).unwrap();
        }),
    ];
    for (what, tamper) in tampers {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state");
        let pages = filled(&folder);
        let key = b"\0\x03row\0\0";
        let write = |position, value: &[u8]| {
            let store = StateStore::open(&folder, ID).unwrap().into_store();
            store.write(position, &[(b"row".to_vec(), Some(value.to_vec()))]).unwrap();
        };
        write(40, b"the past");
        let read = || open_sled(&folder).get(key).unwrap().unwrap();
        let old = read();
        write(50, b"the present");
        assert_ne!(old, read());
        tamper(&open_sled(&folder), &key.into(), &old);
        assert!(!open_checked(&folder, &pages, what), "{what}: unnoticed");
    }
}

/// sled itself; it may still be letting go of its lock.
fn open_sled(folder: &Path) -> sled::Db {
    loop {
        match sled::open(folder) {
            Ok(db) => return db,
            Err(sled::Error::Io(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_half_snapshot_does_no_harm() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let pages = filled(&folder);
    fs::write(folder.join("snap.0000000000000042.generating"), b"half").unwrap();
    assert!(open_checked(&folder, &pages, "half a snapshot"));
}

#[test]
fn pages_that_cannot_be_stored_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = StateStore::open(&root.path().join("state"), ID).unwrap().into_store();
    for key in [Vec::new(), vec![1; 65]] {
        assert!(store.write(1, &[(key, Some(Vec::new()))]).is_err());
    }
    // Nothing was broken by asking, and of a page that comes twice the last counts.
    let twice = [(b"k".to_vec(), Some(vec![1; 9_000])), (b"k".to_vec(), Some(vec![2; 5]))];
    store.write(1, &twice).unwrap();
    assert_eq!(store.get(b"k").unwrap(), Some(vec![2; 5]));
    drop(store);
    assert!(matches!(
        StateStore::open(&root.path().join("state"), ID).unwrap(),
        StateOpened::Ready(_)
    ));
}
