//! Erasing a person: afterwards nobody can read who he was, and his orders are still there.

use std::{fs, path::Path, sync::Arc};

use stockade_actors::{Config, Engine, Error};
use stockade_domain::{
    CustomerId, OrderId, Refusal,
    account::{Account, AccountId, Role},
    order::{Details, PlaceOrder, ShipTo},
};
use stockade_storage::{Disk, Fault, SimDisk};

use crate::{
    accounts::{person, register},
    shop::copy_tree,
    shop::{START_MS, check, order_of, product, still, wait},
};

const ANN: CustomerId = CustomerId(1);
const ID: AccountId = AccountId::Customer(ANN);

/// An engine on a data directory of few bytes, since all of them are searched.
fn durable(path: &Path) -> Engine {
    let config = Config { lanes: 1, segment_bytes: 8 << 20, ..Config::new(path) };
    Engine::open(config.with_virtual_clock(START_MS)).expect("the data directory opens")
}

/// Whatever of these stands in a file is in plain.
const PERSONAL: [&str; 7] = [
    "zebrafinch@example.com",
    "zebrafinch.1",
    "Zora Finch",
    "c2FsdA$aGFzaA",
    "leave it with the blue door",
    "12 Kingfisher Lane",
    "delivery_street",
];

fn details() -> Details {
    Details {
        ship_to: Some(ShipTo { latitude_e6: 51_500_000, longitude_e6: -120_000 }),
        note: Some("leave it with the blue door".into()),
        reference: Some("invoice-77".into()),
        metadata: [("delivery_street".into(), "12 Kingfisher Lane".into())].into(),
    }
}

fn order_for(engine: &Engine, customer: CustomerId) -> PlaceOrder {
    let thing = product(engine, 10);
    let details = Some(Box::new(details()));
    PlaceOrder { customer: Some(customer), details, ..order_of(&[(thing, 1)]) }
}

/// A person, and an order of his.
fn somebody(engine: &Engine) -> (Arc<Account>, OrderId) {
    let zora = person("zebrafinch@example.com", "zebrafinch.1", "Zora Finch");
    let zora = wait(engine.register(Role::Customer, zora)).unwrap();
    (zora, wait(engine.place_order(order_for(engine, ANN))).unwrap().id())
}

fn shown(engine: &Engine, order: OrderId) -> Details {
    let order = engine.order(order).expect("the order is there");
    engine.order_details(&order).map(|details| details.into_owned()).unwrap_or_default()
}

/// All that is left of an order's details.
fn public() -> Details {
    Details { reference: Some("invoice-77".into()), ..Details::default() }
}

/// What of `PERSONAL` stands in any file below `path`.
fn found_in(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(found_in(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for text in PERSONAL {
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(format!("{text}: {}", path.display()));
            }
        }
    }
    found
}

#[test]
fn an_erased_customer_is_in_no_file_and_his_orders_stay() {
    let dir = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let engine = durable(dir.path());
    let (zora, order) = somebody(&engine);
    assert_eq!(shown(&engine, order), details());
    engine.shutdown().unwrap();
    drop(engine);
    copy_tree(dir.path(), old.path());

    let engine = durable(dir.path());
    assert!(engine.personal(&zora).is_some());
    assert_eq!(shown(&engine, order), details(), "a restart opens it again");
    wait(engine.open_session(ID, std::time::Duration::from_secs(60))).unwrap();
    let erased = wait(engine.erase_account(ID, Some(1))).unwrap();
    let gone = |engine: &Engine| {
        let account = engine.account(ID).unwrap();
        assert!(account.is_erased() && engine.personal(&account).is_none());
        assert!(engine.account_by_login("zebrafinch@example.com").is_none());
        assert!(engine.personal(&zora).is_none(), "not even from what was known before");
        assert_eq!(shown(engine, order), public());
        check(engine);
    };
    gone(&engine);
    assert_eq!(wait(engine.erase_account(ID, None)).unwrap(), erased, "again it says the same");
    let request = order_for(&engine, ANN);
    let refused = Refusal::NotFound { kind: "customer", id: 1 };
    assert_eq!(wait(engine.place_order(request)), Err(Error::Refused(refused)));
    engine.shutdown().unwrap();
    drop(engine);
    assert_eq!(found_in(dir.path()), Vec::<String>::new());
    gone(&durable(dir.path()));
    fs::remove_dir_all(dir.path().join("state")).unwrap();
    gone(&durable(dir.path()));

    let plain = tempfile::tempdir().unwrap();
    let control = durable(plain.path());
    wait(control.place_order(order_for(&control, CustomerId(77)))).unwrap();
    drop(control);
    assert!(!found_in(plain.path()).is_empty(), "what is not sealed would be found");

    // An old copy of the journal tells nothing without its key; with it, it would.
    let control = durable(old.path());
    assert_eq!(shown(&control, order), details());
    drop(control);
    let ring = Path::new("secrets").join("keyring");
    fs::copy(dir.path().join(&ring), old.path().join(&ring)).unwrap();
    let opened = durable(old.path());
    assert!(!opened.account(ID).unwrap().is_erased() && opened.personal(&zora).is_none());
    assert_eq!(shown(&opened, order), public());
}

#[test]
fn a_crash_between_the_event_and_the_key_is_healed_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("secrets").join("keyring");
    let engine = durable(dir.path());
    let (_, order) = somebody(&engine);
    let before = fs::read(&ring).unwrap();
    wait(engine.erase_account(ID, None)).unwrap();
    drop(engine);
    let after = fs::read(&ring).unwrap();
    assert_ne!(before, after);
    // The key is there again, as if the crash had come before it was dropped.
    fs::write(&ring, &before).unwrap();
    let engine = durable(dir.path());
    assert_eq!(fs::read(&ring).unwrap(), after);
    assert_eq!(shown(&engine, order), public());
    check(&engine);
}

#[test]
fn an_order_of_somebody_whom_the_accounts_do_not_know_stays_as_it_is() {
    let engine = still();
    let request = order_for(&engine, CustomerId(77));
    let placed = wait(engine.place_order(request)).unwrap();
    assert_eq!(placed.placed.details.as_deref(), Some(&details()));
    assert_eq!((placed.personal.clone(), shown(&engine, placed.id())), (None, details()));
    register(&engine, "ann@example.com");
    let plain = PlaceOrder { details: None, ..order_for(&engine, ANN) };
    let plain = wait(engine.place_order(plain)).unwrap();
    assert_eq!((plain.personal.clone(), engine.order_details(&plain)), (None, None));
    let reference = PlaceOrder { details: Some(Box::new(public())), ..order_for(&engine, ANN) };
    let reference = wait(engine.place_order(reference)).unwrap();
    assert_eq!((reference.personal.clone(), reference.version), (None, 1));
    let sealed = wait(engine.place_order(order_for(&engine, ANN))).unwrap();
    assert_eq!((sealed.personal.is_some(), sealed.version), (true, 1));
    assert_eq!(engine.order_history(sealed.id()).unwrap().len(), 2);
    check(&engine);
}

#[test]
fn a_power_cut_at_any_operation_neither_loses_nor_brings_back_anybody() {
    let on = |disk: &SimDisk| {
        let config = Config {
            lanes: 1,
            segment_bytes: 8 << 20,
            ..Config::in_memory().with_virtual_clock(START_MS)
        };
        Engine::open_on(Arc::new(disk.clone()), &config).expect("a simulated disk opens")
    };
    let mut cuts = 0;
    for seed in 0..3 {
        let disk = SimDisk::new(seed);
        let engine = on(&disk);
        let first = register(&engine, "first@example.com");
        let registered = disk.operations();
        let order = wait(engine.place_order(order_for(&engine, ANN))).unwrap().id();
        let placed = disk.operations();
        wait(engine.erase_account(ID, None)).unwrap();
        let erased = disk.operations();
        register(&engine, "second@example.com");
        for cut in 1..=disk.operations() + 1 {
            let after = on(&disk.after_power_cut_at(cut));
            let account = after.account(ID);
            if cut > registered {
                let account = account.clone().expect("who was registered is there");
                assert_eq!(after.personal(&account).is_none(), account.is_erased(), "cut at {cut}");
            }
            if cut > placed {
                let erased = account.is_some_and(|account| account.is_erased());
                let left = if erased { public() } else { details() };
                assert_eq!(shown(&after, order), left, "seed {seed}, cut at {cut}");
            }
            if cut > erased {
                assert!(after.account(ID).unwrap().is_erased());
                assert!(after.personal(&first).is_none(), "seed {seed}, cut at {cut}");
            }
            check(&after);
            cuts += 1;
        }
    }
    assert!(cuts > 30, "{cuts} cuts");
}

#[test]
fn a_keyring_that_cannot_be_written_stops_the_engine_and_the_next_start_drops_the_key() {
    let on = |disk: &SimDisk| {
        let config = Config {
            lanes: 1,
            segment_bytes: 8 << 20,
            ..Config::in_memory().with_virtual_clock(START_MS)
        };
        Engine::open_on(Arc::new(disk.clone()), &config).expect("a simulated disk opens")
    };
    // The next segment is prepared beside the work: its syncs are not to be counted.
    let prepared = |disk: &SimDisk| {
        while !disk.list().unwrap().contains(&"0000000002.segment".to_owned()) {
            std::thread::yield_now();
        }
    };
    let disk = SimDisk::new(1);
    let engine = on(&disk);
    let (zora, order) = somebody(&engine);
    prepared(&disk);
    // The commit of the event syncs first, then the key.
    disk.fail_sync(disk.syncs() + 2, Fault::Io);
    let erased = wait(engine.erase_account(ID, None));
    assert!(matches!(erased, Err(Error::Stopped(_))), "{erased:?}");
    assert!(engine.shutdown().is_err());
    let disk = disk.after_kill();
    let restarted = on(&disk);
    for after in [&restarted, &on(&disk.after_power_cut())] {
        assert!(after.account(ID).unwrap().is_erased() && after.personal(&zora).is_none());
        assert_eq!(shown(after, order), public());
        check(after);
    }
    // A lot of keys that cannot be written gives nobody a key either.
    let disk = SimDisk::new(2);
    let engine = on(&disk);
    prepared(&disk);
    disk.fail_sync(disk.syncs() + 1, Fault::Io);
    let refused = wait(engine.register(Role::Customer, person("ann@example.com", "", "")));
    assert!(matches!(refused, Err(Error::Stopped(_))), "{refused:?}");
    let disk = disk.after_kill();
    let after = on(&disk);
    assert!(after.account(ID).is_none());
    let ann = register(&after, "ann@example.com");
    let after = on(&disk.after_power_cut());
    assert!(after.personal(&ann).is_some() && after.account_by_login("ANN@example.com").is_some());
}
