//! The audit finds what no engine would write.

use std::sync::Arc;

use stockade_domain::{Event, invariants::Invariant, order::OrderEvent};
use stockade_storage::{
    AppendError, Committed, Group, Journal, JournalError, JournalOptions, SimDisk, Sink, encode,
};

use crate::{
    power::on,
    shop::{check, order_of, product, wait},
};

#[test]
fn an_event_that_could_not_be_is_found_by_the_audit() {
    let disk = SimDisk::new(1);
    let engine = on(&disk);
    let thing = product(&engine, 5);
    let id = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id();
    wait(engine.cancel_order(id, None)).unwrap();
    check(&engine);
    let at = engine.now();
    engine.shutdown().unwrap();
    drop(engine);
    // Folded, it leaves an order that may have been paid before it was cancelled.
    append(&disk, [OrderEvent::Paid { order: id, at }.into()]);
    let audit = on(&disk).audit().unwrap();
    let found: Vec<_> = audit.violations.iter().map(|found| found.invariant).collect();
    assert_eq!(found.first(), Some(&Invariant::HistoryIsPossible), "{:?}", audit.violations);
}

/// Writes events into a journal behind its engine's back, as long as there is room.
pub(crate) fn append(disk: &SimDisk, events: impl IntoIterator<Item = Event>) {
    struct Ignore;
    impl Sink<()> for Ignore {
        fn committed(&mut self, _: Committed<()>) {}
        fn synced(&mut self, _: u64, _: u64) {}
        fn failed(&mut self, _: &JournalError) {}
    }
    let options = JournalOptions { segment_bytes: 256 << 10, ..JournalOptions::default() };
    let disk = Arc::new(disk.clone());
    let (open, _) = Journal::<()>::open(disk, options, 0, &mut |_| Ok(())).unwrap();
    let journal = open.start(Box::new(Ignore), Arc::new(|| 0)).unwrap();
    let mut group = Group::new();
    for event in events {
        let mut bytes = Vec::new();
        encode(&event, &mut bytes);
        group.push((), |out| out.extend_from_slice(&bytes));
        while journal.append(&mut group) == Err(AppendError::Full) {
            std::thread::yield_now();
        }
    }
    // One that was poisoned for want of room says so, and has written what there was room for.
    let _ = journal.shutdown();
}
