use super::*;

/// Changes of every size, far apart and close together.
fn changes() -> Vec<(Sequence, [u64; 6])> {
    let (mut at, mut counts) = (0, [0_u64; 6]);
    let change = |number: u64| {
        at += 1 + number % 7 * (number % 11) * 1_000;
        let place = (number % 6) as usize;
        counts[place] = match number % 5 {
            0 => counts[place].saturating_sub(number),
            1 => u64::MAX - number,
            _ => counts[place].wrapping_add(number * number),
        };
        (at, counts)
    };
    (1..2_000).map(change).collect()
}

fn past_of(changes: &[(Sequence, [u64; 6])]) -> Past<u8, 6> {
    let past = Past::default();
    changes.iter().for_each(|(at, counts)| past.note(1, *at, *counts));
    past
}

fn check(past: &Past<u8, 6>, changes: &[(Sequence, [u64; 6])]) {
    assert_eq!(past.at(1, 0), None, "there was nothing before its first change");
    for pair in changes.windows(2) {
        let (now, next) = (pair[0], pair[1]);
        assert_eq!(past.at(1, now.0), Some(now));
        assert_eq!(past.at(1, next.0 - 1), Some(now), "up to the next it stayed so");
    }
    assert_eq!(past.at(1, Sequence::MAX), changes.last().copied());
    assert_eq!(past.last(1), changes.last().map(|(at, _)| *at));
    assert_eq!(past.at(2, Sequence::MAX), None);
}

#[test]
fn changes_are_shown_with_what_was_before_them() {
    let changes = changes();
    let past = past_of(&changes);
    let whole: Vec<_> = std::iter::once((0, [0; 6])).chain(changes.iter().copied()).collect();
    for from in [0, 1, 2, 700, 701, changes.len() - 1, changes.len()] {
        let mut shown = Vec::new();
        let more = past.changes(1, whole[from].0, |at, before, now| {
            shown.push(((at, *now), *before));
            true
        });
        let wanted: Vec<_> = whole[from..].windows(2).map(|two| (two[1], two[0].1)).collect();
        assert_eq!((shown, more), (wanted, None), "behind the change {from}");
    }
    // Whoever has had enough goes on there, and so does a look that was too long.
    let mut seen = 0;
    let more = past.changes(1, 0, |_, _, _| {
        seen += 1;
        seen < 10
    });
    assert_eq!(more, Some(changes[9].0));
    let long = Past::<u8, 1>::default();
    (1..=LOOK_MAX as u64 + 5).for_each(|at| long.note(1, at * 2, [at]));
    let mut seen = 0;
    let mut after = Some(0);
    while let Some(from) = after {
        after = long.changes(1, from, |_, before, now| {
            seen += now[0] - before[0];
            true
        });
    }
    assert_eq!(seen, LOOK_MAX as u64 + 5, "each of them once");
    assert_eq!(past.changes(2, 0, |_, _, _| unreachable!()), None);
}

#[test]
fn what_was_at_a_position_is_what_was_noted_last_before_it() {
    let changes = changes();
    let past = past_of(&changes);
    check(&past, &changes);
    let longest = past.things.get(&1).unwrap().pieces.iter().map(|p| p.later.len()).max();
    assert!(longest <= Some(PIECE_BYTES), "{longest:?}");
}

#[test]
fn a_checkpoint_has_each_whole_piece_once_and_comes_back_as_it_was() {
    let changes = changes();
    let (past, back) = (Past::<u8, 6>::default(), Past::<u8, 6>::default());
    let mut pages = std::collections::BTreeMap::new();
    let mut written = 0;
    for lot in changes.chunks(100) {
        lot.iter().for_each(|(at, counts)| past.note(1, *at, *counts));
        let dirty = past.take_dirty();
        written += dirty.len();
        pages.extend(dirty);
        assert!(past.take_dirty().is_empty(), "nothing changed since");
    }
    assert!(written <= pages.len() + changes.len() / 100, "only the last one is written again");
    for (first, stored) in pages.into_iter().rev() {
        back.restore(first, stored).unwrap();
    }
    back.settle();
    check(&back, &changes);
    for past in [&past, &back] {
        past.note(1, u64::MAX - 1, [7; 6]);
        assert_eq!(past.take_dirty().len(), 1);
    }
    assert_eq!(*past.things.get(&1).unwrap(), *back.things.get(&1).unwrap());
}

#[test]
fn a_change_of_a_hot_stock_takes_few_bytes() {
    let past = Past::<u8, 6>::default();
    let mut counts = [1_000_000, 0, 5, 0, 0, 1];
    for number in 0..10_000 {
        // Reserved, then shipped.
        counts[1] += 2;
        past.note(1, number * 90, counts);
        (counts[0], counts[1], counts[5]) = (counts[0] - 2, counts[1] - 2, counts[5] + 1);
        past.note(1, number * 90 + 40, counts);
    }
    let history = past.things.get(&1).unwrap();
    let bytes: usize = history.pieces.iter().map(|p| size_of_val(p) + p.later.capacity()).sum();
    assert!(bytes <= 20_000 * 6, "{} bytes a change", bytes as f64 / 20_000.0);
}

#[test]
fn what_has_no_counts_knows_when_it_changed() {
    let past = Past::<u8, 0>::default();
    (1..=1_000).for_each(|number| past.note(1, number * 300, []));
    assert_eq!(past.at(1, 299), None);
    assert_eq!(past.at(1, 60_000), Some((60_000, [])));
    assert_eq!(past.at(1, 60_299), Some((60_000, [])));
}
