//! Keys: durable before they are used, and gone when they are dropped.

use std::{cell::Cell, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use stockade_storage::{
    DataDirectory, Disk, Fault, Keyring, RealDisk, SimDisk,
    keyring::{KEYRING_NAME, Key, LOT_SLOTS},
};

const SLOT: usize = 64;

/// Bytes that are never the same.
fn counting() -> impl Fn(&mut [u8]) -> io::Result<()> {
    let next = Cell::new(0_u64);
    move |bytes| {
        next.set(next.get() + 1);
        bytes.fill(0xa5);
        bytes[..8].copy_from_slice(&next.get().to_le_bytes());
        Ok(())
    }
}

fn on(folder: &Path) -> Keyring {
    Keyring::open(Arc::new(RealDisk::new(folder))).unwrap()
}

fn made(folder: &Path) -> Keyring {
    let ring = on(folder);
    ring.extend(counting()).unwrap();
    ring
}

fn has(folder: &Path, key: &Key) -> bool {
    let bytes = std::fs::read(folder.join(KEYRING_NAME)).unwrap();
    bytes.windows(key.len()).any(|window| window == key)
}

#[test]
fn keys_are_the_same_after_a_restart_and_more_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(folder.path().join("data")).unwrap();
    let secrets = directory.secrets();
    let ring = on(&secrets);
    assert!(!ring.is_there() && ring.is_empty() && ring.secret().is_none());
    assert_eq!((ring.next_after(0), ring.key(1)), (None, None));
    ring.extend(counting()).unwrap();
    let mode = std::fs::metadata(secrets.join(KEYRING_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (secret, last) = (ring.secret(), ring.key(LOT_SLOTS));
    assert!(secret.is_some() && last.is_some() && ring.key(LOT_SLOTS + 1).is_none());
    assert_eq!((ring.next_after(0), ring.next_after(LOT_SLOTS)), (Some(1), None));
    assert_eq!(ring.next_after(u64::MAX), None);
    drop(ring);
    let again = on(&secrets);
    assert_eq!((again.secret(), again.key(LOT_SLOTS)), (secret, last));
    again.extend(counting()).unwrap();
    assert_eq!((again.secret(), again.key(LOT_SLOTS)), (secret, last), "what is there stays");
    assert_eq!(again.next_after(LOT_SLOTS), Some(LOT_SLOTS + 1));
    assert!(on(&secrets).key(2 * LOT_SLOTS).is_some());
}

#[test]
fn a_dropped_key_is_nowhere_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let ring = made(folder.path());
    let key = ring.key(7).unwrap();
    assert!(has(folder.path(), &key));
    ring.drop_keys(&[7]).unwrap();
    assert!(!has(folder.path(), &key));
    assert_eq!((ring.key(7), ring.next_after(6)), (None, Some(8)));
    ring.drop_keys(&[]).unwrap();
    ring.drop_keys(&[0, 7, LOT_SLOTS * 9]).unwrap();
    assert!(ring.secret().is_some(), "the secret is nobody's key");
    drop(ring);
    let again = on(folder.path());
    assert_eq!((again.key(7), again.damaged()), (None, &[][..]));
    again.extend(counting()).unwrap();
    assert_eq!(again.key(7), None, "a slot is never filled again");
    assert!(again.key(6).is_some() && again.key(8).is_some());
}

#[test]
fn a_damaged_slot_is_named_and_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let key = made(folder.path()).key(5).unwrap();
    let path = folder.path().join(KEYRING_NAME);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..SLOT {
        let mut bytes = whole.clone();
        bytes[5 * SLOT + at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let ring = on(folder.path());
        assert_eq!((ring.key(5), ring.damaged()), (None, &[5][..]), "byte {at}");
        assert!(ring.key(4).is_some() && ring.key(6).is_some());
    }
    on(folder.path()).drop_keys(&[5]).unwrap();
    assert!(!has(folder.path(), &key), "what is left of a damaged key can be dropped too");
    // A slot in another's place is not believed.
    let mut swapped = whole.clone();
    swapped.copy_within(5 * SLOT..6 * SLOT, 6 * SLOT);
    std::fs::write(&path, &swapped).unwrap();
    assert_eq!(on(folder.path()).damaged(), [6]);
}

#[test]
fn a_lot_that_was_cut_off_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let secret = made(folder.path()).secret();
    let path = folder.path().join(KEYRING_NAME);
    let whole = std::fs::read(&path).unwrap();
    for kept in [3 * SLOT, 3 * SLOT + 20, SLOT] {
        std::fs::write(&path, &whole[..kept]).unwrap();
        let ring = on(folder.path());
        ring.extend(counting()).unwrap();
        let next = (kept / SLOT) as u64;
        assert_eq!((ring.secret(), ring.damaged()), (secret, &[][..]));
        assert!(ring.key(next).is_some() && on(folder.path()).key(next) == ring.key(next));
    }
    for kept in [0, 20] {
        std::fs::write(&path, &whole[..kept]).unwrap();
        let ring = on(folder.path());
        assert!(ring.is_there() && ring.is_empty() && ring.secret().is_none());
        ring.extend(counting()).unwrap();
        assert!(on(folder.path()).secret().is_some(), "a ring without a secret is begun anew");
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_no_key_in_use_and_brings_none_back() {
    let disk = SimDisk::new(7);
    let ring = Keyring::open(Arc::new(disk.clone())).unwrap();
    ring.extend(counting()).unwrap();
    let made = disk.operations();
    let keys = [ring.secret(), ring.key(1), ring.key(LOT_SLOTS)];
    ring.drop_keys(&[1]).unwrap();
    let dropped = disk.operations();
    ring.extend(counting()).unwrap();
    for cut in 1..=disk.operations() + 1 {
        let after = Keyring::open(Arc::new(disk.after_power_cut_at(cut))).unwrap();
        if cut > made {
            assert_eq!([after.secret(), after.key(LOT_SLOTS)], [keys[0], keys[2]], "cut at {cut}");
        }
        if cut > dropped {
            assert_eq!(after.key(1), None, "cut at {cut}");
        }
    }
}

#[test]
fn what_nobody_saw_synced_is_written_again() {
    let disk = SimDisk::new(3);
    let open = |disk: &SimDisk| Keyring::open(Arc::new(disk.clone())).unwrap();
    disk.fail_sync(1, Fault::Io);
    assert!(open(&disk).extend(counting()).is_err());
    let disk = disk.after_kill();
    let ring = open(&disk);
    assert!(ring.secret().is_some(), "the system still remembers what the drive has not seen");
    ring.forget_above(None);
    assert_eq!((ring.secret(), ring.next_after(0)), (None, None));
    ring.extend(counting()).unwrap();
    let (secret, used, unused) = (ring.secret(), ring.key(1), ring.key(2));
    let cut = open(&disk.after_power_cut());
    assert_eq!((cut.secret(), cut.key(1)), (secret, used));
    cut.forget_above(Some(1));
    assert_eq!((cut.secret(), cut.key(1), cut.next_after(1)), (secret, used, None));
    cut.extend(|bytes| {
        bytes.fill(1);
        Ok(())
    })
    .unwrap();
    assert!(cut.key(2) != unused && cut.key(1) == used);
    cut.forget_above(Some(u64::MAX));
    assert!(cut.key(2).is_some());
    // A key whose dropping failed is dropped again, although nothing of it is to be seen.
    disk.fail_sync(disk.syncs() + 1, Fault::Io);
    assert!(ring.drop_keys(&[1]).is_err());
    let disk = disk.after_kill();
    let again = open(&disk);
    assert_eq!(again.key(1), None);
    again.drop_keys(&[1]).unwrap();
    assert_eq!(open(&disk.after_power_cut()).key(1), None);
}

#[test]
fn a_disk_that_fails_gives_no_key() {
    let disk = SimDisk::new(7);
    let ring = Keyring::open(Arc::new(disk.clone())).unwrap();
    disk.fail_sync(1, Fault::Io);
    assert!(ring.extend(counting()).is_err());
    assert_eq!((ring.secret(), ring.next_after(0)), (None, None));
    assert!(disk.list().unwrap().contains(&KEYRING_NAME.to_owned()));
    ring.extend(counting()).unwrap();
    assert!(ring.key(1).is_some());
    let no_random = |_: &mut [u8]| Err(io::Error::other("none"));
    assert!(ring.extend(no_random).is_err());
}
