//! The same journal on files.

use crate::harness::Ledger;
use std::sync::Arc;
use stockade_storage::{
    DataDirectory, Disk, DiskFile, Group, Journal, JournalError, JournalOptions, MemoryDisk,
    OpenJournal, RealDisk, SimDisk, check, journal_id,
};

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 256 * 1024, ..JournalOptions::default() }
}

type Started = (Arc<Journal<Vec<u8>>>, Ledger, u64);

fn start(directory: &DataDirectory) -> Result<Started, JournalError> {
    let mut records = 0;
    let disk = Arc::new(RealDisk::new(directory.journal()));
    let (open, _) = OpenJournal::open(disk, options(), 0, &mut |record| {
        assert_eq!(record.bytes, format!("record {records}").as_bytes());
        records += 1;
        Ok(())
    })?;
    let ledger = Ledger::new(&SimDisk::new(0));
    let journal = open.start(Box::new(ledger.clone()), Arc::new(|| 5))?;
    Ok((journal, ledger, records))
}

#[test]
fn it_comes_back_from_files_and_acknowledges_nothing_unsynced() {
    const GROUPS: u64 = 6_000;
    let folder = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(folder.path().join("data")).unwrap();
    let mut written = 0;
    assert_eq!(journal_id(&RealDisk::new(directory.journal())).unwrap(), None);
    for process in 0..3 {
        let (journal, ledger, replayed) = start(&directory).unwrap();
        assert_eq!(replayed, written);
        let id = journal_id(&RealDisk::new(directory.journal())).unwrap();
        assert_eq!(id, Some(journal.journal_id()));
        let mut group = Group::new();
        for _ in 0..GROUPS {
            for _ in 0..3 {
                let bytes = format!("record {written}").into_bytes();
                group.push(bytes.clone(), |out| out.extend_from_slice(&bytes));
                written += 1;
            }
            journal.append(&mut group).unwrap();
        }
        assert!(ledger.wait_synced(journal.appended()));
        let stats = journal.stats();
        assert!(stats.syncs >= stats.commits && stats.commits > 0, "{stats:?}");
        assert!(stats.bytes_written < 20 * 3 * GROUPS, "{stats:?}");
        let middle = journal.read(journal.committed() - GROUPS).unwrap().unwrap();
        assert_eq!(middle.bytes, format!("record {}", written - 1 - GROUPS).as_bytes());
        // The last one is not ended cleanly, as far as the journal can: drop does it.
        if process < 2 {
            journal.shutdown().unwrap();
        }
    }
    let disk = Arc::new(RealDisk::new(directory.journal()));
    let checked = check(disk.clone(), &mut |_| Ok(())).unwrap();
    assert_eq!((checked.records, checked.epoch, checked.clean), (3 * 3 * GROUPS, 3, true));
    // Every segment has had its full length since before it was used.
    for name in disk.list().unwrap() {
        assert_eq!(disk.open(&name).unwrap().len().unwrap(), 256 * 1024, "{name}");
    }
}

/// All three disks, one behaviour.
#[test]
fn disks_agree() {
    let folder = tempfile::tempdir().unwrap();
    let disks: [Arc<dyn Disk>; 3] = [
        Arc::new(RealDisk::new(folder.path().join("new"))),
        Arc::new(MemoryDisk::new()),
        Arc::new(SimDisk::new(1)),
    ];
    for disk in disks {
        assert!(disk.list().unwrap().is_empty());
        assert!(disk.open("a").is_err() && disk.remove("a").is_err());
        let file: Arc<dyn DiskFile> = disk.create("a").unwrap();
        assert!(disk.create("a").is_err() && file.is_empty().unwrap());
        file.write_at(b"far", 200_000).unwrap();
        file.write_at(b"near", 3).unwrap();
        assert_eq!(file.len().unwrap(), 200_003);
        let mut bytes = [9; 10];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 10);
        assert_eq!(&bytes, b"\0\0\0near\0\0\0");
        assert_eq!(file.read_at(&mut bytes, 199_999).unwrap(), 4);
        assert_eq!(&bytes[..4], b"\0far");
        assert_eq!(file.read_at(&mut bytes, 200_003).unwrap(), 0);
        file.write_zeros(4, 200_001).unwrap();
        file.write_zeros(300_000, 300_010).unwrap();
        assert_eq!(file.read_at(&mut bytes, 2).unwrap(), 10);
        assert_eq!(&bytes, b"\0n\0\0\0\0\0\0\0\0");
        assert_eq!(file.read_at(&mut bytes, 199_999).unwrap(), 10);
        assert_eq!(&bytes, b"\0\0ar\0\0\0\0\0\0");
        assert_eq!(file.len().unwrap(), 300_010);
        file.sync().unwrap();
        disk.rename("a", "b").unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert_eq!(disk.open_read_only("b").unwrap().len().unwrap(), 300_010);
        disk.remove("b").unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}
