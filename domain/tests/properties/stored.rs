//! Every event that can happen is read back as it was written.

use proptest::prelude::*;
use stockade_domain::{Currency, Event, OwnerKind};

use super::{
    engine::{config, ran},
    ops::ops,
};

/// As the journal keeps events.
fn stored_and_read(event: &Event) -> Event {
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(event, config).expect("an event can be written");
    let (read, used) = bincode::serde::decode_from_slice(&bytes, config).expect("and read");
    assert_eq!(used, bytes.len());
    read
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn every_event_is_read_back_as_it_was_written(ops in ops()) {
        for event in ran(&ops).log {
            prop_assert_eq!(&stored_and_read(&event), &event);
        }
    }
}

#[test]
fn leases_are_read_back_as_they_were_written() {
    for kind in [OwnerKind::Order, OwnerKind::Hold, OwnerKind::Product] {
        let event = Event::IdsLeased { kind, up_to: (1 << 53) - 1 };
        assert_eq!(stored_and_read(&event), event);
    }
}

#[test]
fn every_currency_is_read_back_as_it_was_written() {
    let letters = || b'A'..=b'Z';
    let mut found = 0;
    for code in
        letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])))
    {
        let code = str::from_utf8(&code).expect("letters");
        let Ok(currency) = code.parse::<Currency>() else { continue };
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(currency, config).expect("it can be written");
        let (read, _): (Currency, _) =
            bincode::serde::decode_from_slice(&bytes, config).expect("and read");
        assert_eq!(read, currency);
        found += 1;
    }
    assert!(found > 150, "{found} currencies");
}
