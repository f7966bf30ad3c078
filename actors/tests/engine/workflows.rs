//! Every workflow, from the caller's side.

use std::collections::BTreeMap;

use stockade_actors::{BatchMode, Error, NewTransfer};
use stockade_domain::{
    Refusal, StockKey, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::{NewWarehouse, ProductChange, ShopChange, StockDelta, StockTotal, WarehouseChange},
    holder::HoldStatus,
    order::{Details, OrderCommand, OrderEvent, PlaceOrder, Status},
    sourcing::Rule,
    stock::StockCommand,
    transfer::{TransferCommand, TransferStatus},
};

use crate::shop::{MAIN, SHOP, check, hold_of, is_short, order_of, product, still, stock_of, wait};

#[test]
fn an_order_lives_from_placing_to_return() {
    let engine = still();
    let ruler = product(&engine, 10);
    let order = wait(engine.place_order(order_of(&[(ruler, 2), (ruler, 1)]))).unwrap();
    assert_eq!((order.status, order.placed.lines[0].quantity), (Status::PendingPayment, 3));
    assert_eq!(stock_of(&engine, ruler), (10, 3));

    let id = order.id();
    let part = wait(engine.pay_order(id, Some(1_000))).unwrap();
    assert_eq!((part.status, part.due()), (Status::PendingPayment, 2_000));
    assert_eq!(wait(engine.pay_order(id, None)).unwrap().status, Status::Paid);

    let some = Some(crate::shop::lines(&[(ruler, 1)]));
    let ship = OrderCommand::Ship { lines: some, carrier: None, tracking: None };
    let shipped = wait(engine.change_order(id, ship)).unwrap();
    assert_eq!((shipped.status, stock_of(&engine, ruler)), (Status::PartiallyShipped, (9, 2)));
    let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
    wait(engine.change_order(id, ship)).unwrap();
    let delivered = wait(engine.change_order(id, OrderCommand::Deliver)).unwrap();
    assert_eq!((delivered.status, stock_of(&engine, ruler)), (Status::Delivered, (7, 0)));

    let back = OrderCommand::Return { lines: None, restock: true, reason: None };
    let returned = wait(engine.change_order(id, back)).unwrap();
    assert_eq!((returned.status, returned.refund_due()), (Status::Returned, 3_000));
    assert_eq!(stock_of(&engine, ruler), (10, 0));

    let history = engine.order_history(id).unwrap();
    assert!(matches!(history[0].event, OrderEvent::Placed(_)));
    assert!(matches!(history.last().unwrap().event, OrderEvent::Returned { .. }));
    assert_eq!(history.len(), 8);
    check(&engine);
}

#[test]
fn every_line_is_reserved_or_none_is() {
    let engine = still();
    let (many, few) = (product(&engine, 100), product(&engine, 1));
    let refused = wait(engine.place_order(order_of(&[(many, 5), (few, 2)])));
    let Err(Error::Refused(Refusal::InsufficientStock(shortages))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((shortages[0].product, shortages[0].wanted, shortages[0].available), (few, 2, 1));
    assert_eq!((stock_of(&engine, many).1, stock_of(&engine, few).1), (0, 0));
    check(&engine);
}

#[test]
fn a_batch_of_all_is_all_or_nothing() {
    let engine = still();
    let (a, b) = (product(&engine, 10), product(&engine, 10));
    let too_much = vec![order_of(&[(a, 6)]), order_of(&[(b, 1)]), order_of(&[(a, 5)])];
    let refused = wait(engine.place_orders(too_much.clone(), BatchMode::All));
    let Err(Error::InBatch { at: 2, error }) = refused else { panic!("{refused:?}") };
    assert!(is_short::<()>(&Err(*error)));
    assert_eq!((stock_of(&engine, a).1, stock_of(&engine, b).1), (0, 0));

    let each = wait(engine.place_orders(too_much, BatchMode::Each)).unwrap();
    assert_eq!(each.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    let fits = vec![order_of(&[(a, 2)]), order_of(&[(a, 2), (b, 9)])];
    assert_eq!(wait(engine.place_orders(fits, BatchMode::All)).unwrap().len(), 2);
    assert_eq!((stock_of(&engine, a).1, stock_of(&engine, b).1), (10, 10));
    check(&engine);
}

#[test]
fn a_batch_that_one_group_cannot_hold_is_refused_before_anything_is_taken() {
    let engine = still();
    let thing = product(&engine, 1_000);
    let metadata: BTreeMap<Box<str>, Box<str>> =
        (0..50).map(|n| (n.to_string().into(), "x".repeat(10_000).into())).collect();
    let details = Some(Box::new(Details { metadata, ..Details::default() }));
    let large = PlaceOrder { details, ..order_of(&[(thing, 1)]) };
    let refused = wait(engine.place_orders(vec![large.clone(); 40], BatchMode::All));
    let Err(Error::Refused(Refusal::Invalid { field, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(field, "orders");
    assert_eq!(stock_of(&engine, thing), (1_000, 0));
    assert!(wait(engine.place_orders(vec![large; 30], BatchMode::All)).is_ok());
    check(&engine);
}

#[test]
fn a_line_is_split_over_warehouses_and_an_inactive_one_gives_nothing() {
    let engine = still();
    let far =
        wait(engine.create_warehouse(NewWarehouse { name: "far".into(), ..Default::default() }));
    let far = far.unwrap().id;
    let thing = product(&engine, 3);
    let more = StockDelta { stock: StockKey::new(far, thing), delta: 4 };
    let received = Adjust { deltas: vec![more], reason: Reason::Received, reference: None };
    wait(engine.adjust(received)).unwrap();
    assert_eq!(engine.product_stock(thing, None), (7, 7));

    let order = wait(engine.place_order(order_of(&[(thing, 5)]))).unwrap();
    let from: Vec<_> = order.placed.allocations.iter().map(|a| (a.warehouse, a.quantity)).collect();
    assert_eq!(from, [(MAIN, 3), (far, 2)]);

    let close = WarehouseChange { active: Some(false), ..Default::default() };
    wait(engine.change_warehouse(far, None, close)).unwrap();
    assert!(is_short(&wait(engine.place_order(order_of(&[(thing, 1)])))));
    assert_eq!(engine.product_stock(thing, None), (7, 0));
    wait(engine.cancel_order(order.id(), None)).unwrap();
    check(&engine);
}

#[test]
fn one_warehouse_gives_everything_when_the_shop_says_so() {
    let engine = still();
    let far =
        wait(engine.create_warehouse(NewWarehouse { name: "far".into(), ..Default::default() }));
    let far = far.unwrap().id;
    let (a, b) = (product(&engine, 5), product(&engine, 1));
    let deltas =
        [(a, 5), (b, 5)].map(|(p, delta)| StockDelta { stock: StockKey::new(far, p), delta });
    let adjust = Adjust { deltas: deltas.into(), reason: Reason::Received, reference: None };
    wait(engine.adjust(adjust)).unwrap();
    let change = ShopChange { rule: Some(Rule::SingleWarehouse), ..Default::default() };
    wait(engine.change_shop(SHOP, None, change)).unwrap();
    let order = wait(engine.place_order(order_of(&[(a, 2), (b, 2)]))).unwrap();
    assert!(order.placed.allocations.iter().all(|allocation| allocation.warehouse == far));
    check(&engine);
}

#[test]
fn a_hold_is_replaced_extended_released_and_becomes_an_order() {
    let engine = still();
    let (a, b) = (product(&engine, 5), product(&engine, 5));
    let first = wait(engine.reserve(hold_of(Some("cart"), &[(a, 5)]))).unwrap();
    // The owner's own hold does not stand in its way.
    let second = wait(engine.reserve(hold_of(Some("cart"), &[(a, 4), (b, 2)]))).unwrap();
    assert_eq!(engine.reservation(first.id).unwrap().status, HoldStatus::Released);
    assert_eq!((stock_of(&engine, a), stock_of(&engine, b)), ((5, 4), (5, 2)));
    assert!(is_short(&wait(engine.reserve(hold_of(Some("other"), &[(a, 2)])))));
    let longer = wait(engine.extend_reservation(second.id, 120_000)).unwrap();
    assert_eq!(longer.expires_at, engine.now().plus_ms(120_000));

    let mut request = order_of(&[(a, 5), (b, 1)]);
    request.reservations = vec![second.id];
    let order = wait(engine.place_order(request)).unwrap();
    assert_eq!((stock_of(&engine, a), stock_of(&engine, b)), ((5, 5), (5, 1)));
    let status = engine.reservation(second.id).unwrap().status;
    assert_eq!(status, HoldStatus::Converted(order.id()));
    let converted = wait(engine.release_reservation(second.id));
    assert!(matches!(converted, Err(Error::Refused(Refusal::ReservationConverted { .. }))));
    wait(engine.cancel_order(order.id(), None)).unwrap();
    assert_eq!((stock_of(&engine, a), stock_of(&engine, b)), ((5, 0), (5, 0)));
    check(&engine);
}

#[test]
fn an_order_that_fails_leaves_its_hold_alive() {
    let engine = still();
    let (a, b) = (product(&engine, 5), product(&engine, 1));
    let hold = wait(engine.reserve(hold_of(None, &[(a, 5)]))).unwrap();
    let mut request = order_of(&[(a, 5), (b, 2)]);
    request.reservations = vec![hold.id];
    assert!(is_short(&wait(engine.place_order(request))));
    let hold = engine.reservation(hold.id).unwrap();
    assert!(hold.is_active() && hold.claimed_by.is_none());
    wait(engine.release_reservation(hold.id)).unwrap();
    assert_eq!(stock_of(&engine, a), (5, 0));
    check(&engine);
}

#[test]
fn a_partial_hold_takes_what_there_is() {
    let engine = still();
    let thing = product(&engine, 3);
    let request =
        stockade_domain::holder::PlaceHold { partial: true, ..hold_of(None, &[(thing, 5)]) };
    assert_eq!(wait(engine.reserve(request.clone())).unwrap().held_of(0), 3);
    assert!(is_short(&wait(engine.reserve(request))), "a hold of nothing is no hold");
    check(&engine);
}

#[test]
fn a_transfer_is_in_one_place_at_a_time() {
    let engine = still();
    let far =
        wait(engine.create_warehouse(NewWarehouse { name: "far".into(), ..Default::default() }));
    let far = far.unwrap().id;
    let thing = product(&engine, 10);
    let there = || engine.stock(StockKey::new(far, thing));
    let new = |quantity, in_transit| NewTransfer {
        product: thing,
        from: MAIN,
        to: far,
        quantity,
        in_transit,
    };
    wait(engine.transfer(new(2, false))).unwrap();
    assert_eq!((stock_of(&engine, thing).0, there().on_hand), (8, 2));

    let road = wait(engine.transfer(new(5, true))).unwrap();
    let id = road.dispatched.id;
    assert_eq!((stock_of(&engine, thing).0, there().on_hand, there().incoming), (3, 2, 5));
    let discrepancy = Some((1, "broken".into()));
    let receive = TransferCommand::Receive { quantity: Some(2), discrepancy };
    wait(engine.change_transfer(id, receive)).unwrap();
    assert_eq!((there().on_hand, there().incoming), (4, 2));
    let cancel = TransferCommand::Cancel { restock: true, reason: None };
    let cancelled = wait(engine.change_transfer(id, cancel.clone())).unwrap();
    assert_eq!(cancelled.status(), TransferStatus::Cancelled);
    assert_eq!((stock_of(&engine, thing).0, there().incoming), (5, 0));
    let again = wait(engine.change_transfer(id, cancel));
    assert_eq!(again, Err(Error::Refused(Refusal::TransferClosed(id))));
    assert!(is_short(&wait(engine.transfer(new(6, false)))));
    check(&engine);
}

#[test]
fn an_adjustment_of_many_is_all_or_nothing() {
    let engine = still();
    let (a, b) = (product(&engine, 5), product(&engine, 5));
    let delta = |product, delta| StockDelta { stock: StockKey::new(MAIN, product), delta };
    let adjust = |deltas: Vec<_>| Adjust { deltas, reason: Reason::Damaged, reference: None };
    assert!(is_short(&wait(engine.adjust(adjust(vec![delta(a, -5), delta(b, -6)])))));
    assert_eq!((stock_of(&engine, a).0, stock_of(&engine, b).0), (5, 5));
    wait(engine.adjust(adjust(vec![delta(a, -2), delta(b, 3), delta(a, -1)]))).unwrap();
    assert_eq!((stock_of(&engine, a).0, stock_of(&engine, b).0), (2, 8));
    check(&engine);
}

#[test]
fn recount_policy_and_backorder_keep_their_promises() {
    let engine = still();
    let thing = product(&engine, 5);
    let key = StockKey::new(MAIN, thing);
    let order = wait(engine.place_order(order_of(&[(thing, 4)]))).unwrap();
    let recount = |on_hand| StockCommand::Recount { on_hand, reason: "count".into() };
    assert!(is_short(&wait(engine.change_stock(key, recount(3)))));
    let policy = StockCommand::SetPolicy { safety_stock: Some(1), backorder_limit: Some(2) };
    assert_eq!(wait(engine.change_stock(key, policy)).unwrap().available, 2);
    assert_eq!(wait(engine.change_stock(key, recount(2))).unwrap().available, 0);
    wait(engine.pay_order(order.id(), None)).unwrap();
    let ship = OrderCommand::Ship { lines: None, carrier: None, tracking: None };
    assert!(is_short(&wait(engine.change_order(order.id(), ship))), "promised, but not there yet");
    check(&engine);
}

#[test]
fn a_product_is_counted_with_its_change_and_never_below_what_is_reserved() {
    let engine = still();
    let thing = product(&engine, 5);
    wait(engine.place_order(order_of(&[(thing, 4)]))).unwrap();
    let recount = |delta| ProductChange {
        recount: Some(StockDelta { stock: StockKey::new(MAIN, thing), delta }),
        ..Default::default()
    };
    assert!(is_short(&wait(engine.change_product(thing, Some(1), recount(-2)))));
    assert_eq!(engine.catalogue().product(thing).unwrap().version, 1);
    wait(engine.change_product(thing, Some(1), recount(-1))).unwrap();
    wait(engine.change_product(thing, Some(2), recount(6))).unwrap();
    assert_eq!(stock_of(&engine, thing), (10, 4));
    let stale = wait(engine.change_product(thing, Some(1), recount(1)));
    assert!(matches!(stale, Err(Error::Refused(Refusal::VersionConflict { .. }))));
    check(&engine);
}

#[test]
fn a_wanted_total_is_of_what_was_seen_and_leaves_nothing_open() {
    let engine = still();
    let thing = product(&engine, 5);
    let total = |wanted, seen| {
        let total = StockTotal { wanted, warehouse: MAIN, seen };
        let change = ProductChange { total: Some(total), ..Default::default() };
        wait(engine.change_product(thing, None, change))
    };
    assert_eq!(total(8, Some(5)).unwrap().version, 2);
    let stale = Refusal::StockChanged { product: thing, seen: 5, there: 8 };
    assert_eq!(total(9, Some(5)), Err(Error::Refused(stale)));
    assert_eq!(total(2, None).unwrap().version, 3);
    assert_eq!(total(2, Some(2)).unwrap().version, 3, "it is that already");
    wait(engine.place_order(order_of(&[(thing, 2)]))).unwrap();
    assert!(is_short(&total(1, None)));
    assert_eq!(stock_of(&engine, thing), (2, 2));
    check(&engine);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let engine = still();
    let thing = product(&engine, 1);
    let nowhere = StockKey::new(WarehouseId(9), thing);
    let policy = StockCommand::SetPolicy { safety_stock: None, backorder_limit: None };
    let missing = |kind, id| Error::Refused(Refusal::NotFound { kind, id });
    assert_eq!(wait(engine.change_stock(nowhere, policy)), Err(missing("warehouse", 9)));
    let order = stockade_domain::OrderId(77);
    assert_eq!(wait(engine.pay_order(order, None)), Err(missing("order", 77)));
    let hold = stockade_domain::ReservationId(7);
    assert_eq!(wait(engine.release_reservation(hold)), Err(missing("reservation", 7)));
    let ghost = stockade_domain::ProductId(99);
    let refused = wait(engine.place_order(order_of(&[(ghost, 1)])));
    assert_eq!(refused, Err(missing("product", 99)));
    check(&engine);
}
