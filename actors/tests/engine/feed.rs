//! The feed and what is behind it: every event once, each with its thing as of then, after a restart too.

use std::{collections::HashMap, time::Duration};

use stockade_actors::{After, Engine, Error, Feed, OrderFilter};
use stockade_domain::{
    CustomerId, Event, OrderId, Owner, Refusal, StockKey,
    adjustment::{AdjustRow, Reason},
    holder::{Hold, HoldEvent},
    order::{Details, Order, OrderEvent, PlaceOrder, Status},
};

use crate::shop::{MAIN, check, durable, hold_of, order_of, product, still, wait};

/// The whole feed, `limit` at a time.
fn all(engine: &Engine, limit: usize, fits: impl Fn(&Event) -> bool + Copy) -> Vec<(u64, After)> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let Feed { happened, position } = engine.feed(after, limit, fits).unwrap();
        all.extend(happened.into_iter().map(|one| (one.sequence, one.after)));
        if position == after {
            assert_eq!(position, engine.position());
            return all;
        }
        after = position;
    }
}

fn statuses(engine: &Engine, limit: usize) -> Vec<(u64, Status, i64)> {
    let orders = all(engine, limit, |event| matches!(event, Event::Order(_)));
    let status = |(sequence, after)| match after {
        After::Order(order) => (sequence, order.status, order.paid_amount),
        _ => panic!("an order"),
    };
    orders.into_iter().map(status).collect()
}

#[test]
fn every_event_is_there_once_and_in_order_whatever_the_page() {
    let engine = still();
    let thing = product(&engine, 50);
    for _ in 0..20 {
        let order = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
        wait(engine.pay_order(order.id(), None)).unwrap();
    }
    let every = all(&engine, 1_000, |_| true);
    assert!(every.windows(2).all(|two| two[0].0 + 1 == two[1].0), "none is missing");
    assert_eq!(every.last().unwrap().0, engine.position());
    for limit in [1, 7] {
        assert_eq!(all(&engine, limit, |_| true), every);
    }
    let page = engine.feed(0, 10, |_| false).unwrap();
    assert_eq!((page.happened.len(), page.position), (0, engine.position()), "it went on");
}

#[test]
fn an_old_event_shows_its_order_as_it_was_then() {
    let directory = tempfile::tempdir().unwrap();
    let engine = durable(directory.path(), 2);
    let thing = product(&engine, 5);
    let order = wait(engine.place_order(order_of(&[(thing, 2)]))).unwrap();
    wait(engine.pay_order(order.id(), Some(1))).unwrap();
    wait(engine.pay_order(order.id(), None)).unwrap();
    let total = order.placed.total();
    let told: Vec<_> = statuses(&engine, 100).into_iter().map(|(_, s, paid)| (s, paid)).collect();
    let (pending, paid) = (Status::PendingPayment, Status::Paid);
    assert_eq!(told, [(pending, 0), (pending, 1), (pending, total), (paid, total)]);
    let before = statuses(&engine, 100);
    assert_eq!(statuses(&engine, 1), before, "folded anew for each page");
    let epoch = engine.feed(0, 1, |_| true).unwrap().happened[0].epoch;
    engine.shutdown().unwrap();
    let again = durable(directory.path(), 3);
    assert_eq!(statuses(&again, 2), before);
    assert_eq!(again.feed(0, 1, |_| true).unwrap().happened[0].epoch, epoch);
    check(&again);
}

#[test]
fn an_old_event_shows_its_hold_as_it_was_then() {
    let directory = tempfile::tempdir().unwrap();
    let engine = durable(directory.path(), 2);
    let (one, other) = (product(&engine, 5), product(&engine, 5));
    let cart = |lines: &[_]| wait(engine.reserve(hold_of(Some("cart"), lines))).unwrap();
    let mut wanted = Vec::new();
    let mut note = |id| wanted.push(engine.reservation(id).expect("it was placed"));
    let old = cart(&[(one, 2), (other, 1)]).id;
    note(old);
    wait(engine.extend_reservation(old, 120_000)).unwrap();
    note(old);
    // It takes over one line of the older hold, which has no event of its own for that.
    let new = cart(&[(one, 3)]).id;
    note(new);
    wait(engine.extend_reservation(old, 180_000)).unwrap();
    note(old);
    let request = PlaceOrder { reservations: vec![new], ..order_of(&[(one, 3)]) };
    wait(engine.place_order(request)).unwrap();
    note(new);
    wait(engine.release_reservation(old)).unwrap();
    note(old);
    let is_told = |event: &Event| match event {
        Event::Hold(event) => !matches!(event, HoldEvent::Claimed { .. }),
        _ => false,
    };
    let told = |engine: &Engine, limit| -> Vec<Hold> {
        let hold = |(_, after)| match after {
            After::Hold(hold) => *hold,
            _ => panic!("a hold"),
        };
        all(engine, limit, is_told).into_iter().map(hold).collect()
    };
    for limit in [100, 1, 2] {
        assert_eq!(told(&engine, limit), wanted);
    }
    engine.shutdown().unwrap();
    let again = durable(directory.path(), 3);
    assert_eq!(told(&again, 1), wanted);
    check(&again);
}

#[test]
fn who_follows_the_feed_is_woken_by_a_commit_and_by_the_end() {
    let engine = still();
    let thing = product(&engine, 5);
    let position = engine.position();
    wait(engine.happens_after(position - 1));
    let follower = engine.clone();
    let waiting = std::thread::spawn(move || wait(follower.happens_after(position)));
    wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    waiting.join().unwrap();
    assert!(engine.position() > position);
}

#[test]
fn orders_of_a_customer_and_with_a_reference_are_found_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let engine = durable(directory.path(), 2);
    let thing = product(&engine, 100);
    let place = |customer: u64, reference: Option<&str>| -> OrderId {
        let reference = reference.map(Into::into);
        let details = Some(Box::new(Details { reference, ..Details::default() }));
        let customer = Some(CustomerId(customer));
        let request = PlaceOrder { customer, details, ..order_of(&[(thing, 1)]) };
        wait(engine.place_order(request)).unwrap().id()
    };
    let mut of_seven = Vec::new();
    for n in 0..10 {
        of_seven.push(place(7, (n == 4).then_some("cart")));
        place(8, Some("other"));
    }
    of_seven.sort_unstable();
    let look = |engine: &Engine| {
        let ids = |filter: &OrderFilter, after: u64, limit: usize| -> Vec<OrderId> {
            engine.orders(filter, after, limit).iter().map(Order::id).collect()
        };
        let seven = OrderFilter { customer: Some(CustomerId(7)), ..OrderFilter::default() };
        assert_eq!(ids(&seven, 0, 100), of_seven);
        assert_eq!(ids(&seven, of_seven[3].0, 2), of_seven[4..6]);
        let cart = OrderFilter { reference: Some("cart".into()), ..seven.clone() };
        assert_eq!(ids(&cart, 0, 100).len(), 1);
        let nobody = OrderFilter { customer: Some(CustomerId(8)), ..cart };
        assert!(ids(&nobody, 0, 100).is_empty());
    };
    look(&engine);
    engine.shutdown().unwrap();
    let again = durable(directory.path(), 2);
    assert_eq!(again.opened().replayed, 0, "from the checkpoint");
    look(&again);
    check(&again);
}

#[test]
fn reserved_units_have_owners_and_moments() {
    let engine = still();
    let thing = product(&engine, 10);
    let paid = wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap();
    wait(engine.pay_order(paid.id(), None)).unwrap();
    wait(engine.advance(Duration::from_secs(1))).unwrap();
    let held = wait(engine.reserve(hold_of(Some("cart"), &[(thing, 2)]))).unwrap();
    wait(engine.advance(Duration::from_secs(1))).unwrap();
    // The same cart again: the units stay under the first hold's entry, and belong to the second.
    let again = wait(engine.reserve(hold_of(Some("cart"), &[(thing, 3)]))).unwrap();
    let key = StockKey::new(MAIN, thing);
    let live = engine.reserved(key, 10);
    let mut by_owner: HashMap<Owner, u64> = HashMap::new();
    for one in &live.newest {
        *by_owner.entry(one.owner).or_default() += one.quantity;
    }
    assert_eq!(by_owner, [(Owner::order(paid.id()), 1), (Owner::hold(again.id), 3)].into());
    assert_eq!(live.newest.last().unwrap().expires_at, None, "a paid order keeps its units");
    assert_eq!(live.frees_next, [(again.expires_at, 3)]);
    assert_ne!(held.expires_at, again.expires_at);
    // What is refused says when more is free.
    let Err(Error::Refused(Refusal::InsufficientStock(short))) =
        wait(engine.place_order(order_of(&[(thing, 9)])))
    else {
        panic!("short")
    };
    assert_eq!(short[0].frees_at, Some(again.expires_at));
    // Converted, they are the order's.
    let mut request = order_of(&[(thing, 3)]);
    request.reservations = vec![again.id];
    let order = wait(engine.place_order(request)).unwrap();
    let live = engine.reserved(key, 1);
    assert_eq!(
        (live.count, live.newest.len()),
        (3, 1),
        "two entries of one order, one of the other"
    );
    assert_eq!(live.newest[0].owner, Owner::order(order.id()));
    assert_eq!(live.frees_next, [(order.placed.payment_deadline(), 3)]);
}

#[test]
fn rows_with_reasons_of_their_own_are_one_adjustment() {
    let engine = still();
    let (a, b) = (product(&engine, 5), product(&engine, 5));
    let row = |product, delta, reason| AdjustRow {
        stock: StockKey::new(MAIN, product),
        delta,
        reason,
        reference: None,
    };
    let wrong = vec![row(a, 3, Reason::Received), row(b, -6, Reason::Lost)];
    assert!(wait(engine.adjust_rows(wrong)).is_err());
    assert_eq!(engine.stock(StockKey::new(MAIN, a)).on_hand, 5, "all or nothing");
    let rows =
        vec![row(a, 3, Reason::Received), row(b, -1, Reason::Lost), row(a, -1, Reason::Damaged)];
    let adjusted = wait(engine.adjust_rows(rows.clone())).unwrap();
    assert_eq!((&adjusted.rows, adjusted.deltas.len()), (&rows, 2));
    assert_eq!(engine.stock(StockKey::new(MAIN, a)).on_hand, 7);
    assert_eq!(engine.stock(StockKey::new(MAIN, b)).on_hand, 4);
    check(&engine);
}

#[test]
fn a_feed_of_many_orders_changes_keeps_each_apart() {
    let engine = still();
    let thing = product(&engine, 100);
    let orders: Vec<_> =
        (0..5).map(|_| wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap()).collect();
    for order in orders.iter().rev() {
        wait(engine.cancel_order(order.id(), None)).unwrap();
    }
    let cancelled = |event: &Event| matches!(event, Event::Order(OrderEvent::Cancelled(_)));
    let told: Vec<_> = all(&engine, 2, cancelled)
        .into_iter()
        .map(|(_, after)| match after {
            After::Order(order) => (order.id(), order.status),
            _ => panic!("an order"),
        })
        .collect();
    let wanted: Vec<_> = orders.iter().rev().map(|order| (order.id(), Status::Cancelled)).collect();
    assert_eq!(told, wanted);
}

#[test]
fn nothing_is_told_before_it_is_safe() {
    let directory = tempfile::tempdir().unwrap();
    let engine = durable(directory.path(), 2);
    let thing = product(&engine, 1_000);
    let follower = engine.clone();
    let following = std::thread::spawn(move || {
        let (mut after, mut placed) = (0, 0);
        while placed < 200 {
            wait(follower.happens_after(after));
            let feed = follower.feed(after, 10, |_| true).unwrap();
            assert!(feed.position <= follower.stats().synced, "told, and not synced");
            for one in &feed.happened {
                // Whoever hears of an order can read it.
                if let Event::Order(event) = &one.event {
                    assert!(follower.order(event.order()).is_some());
                    placed += 1;
                }
            }
            after = feed.position;
        }
    });
    for _ in 0..20 {
        let requests = (0..10).map(|_| order_of(&[(thing, 1)])).collect();
        wait(engine.place_orders(requests, stockade_actors::BatchMode::Each)).unwrap();
    }
    following.join().unwrap();
}
