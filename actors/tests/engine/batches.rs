//! Batches: keys of their rows, and which row was refused.

use stockade_actors::{BatchMode, Context, Error, FirstAnswer};
use stockade_domain::{
    ProductId, Refusal, StockKey,
    order::{Order, OrderCommand, PlaceOrder},
    stock::StockCommand,
};

use crate::{
    keys::{first, key, under},
    shop::{MAIN, check, is_short, order_of, product, still, stock_of, wait},
};

fn orders(answers: Vec<Result<Order, Error>>) -> Vec<Order> {
    answers.into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_batch_of_each_replays_what_happened_and_decides_the_rest_anew() {
    let engine = still();
    let (plenty, scarce) = (product(&engine, 100), product(&engine, 0));
    let rows: Vec<PlaceOrder> =
        (0..20).map(|row| order_of(&[(if row % 2 == 0 { plenty } else { scarce }, 1)])).collect();
    let keyed = under(&engine, 1);
    let place = || wait(keyed.place_orders(rows.clone(), BatchMode::Each)).unwrap();
    let mut before = place();
    let stock = StockKey::new(MAIN, scarce);
    let recount = StockCommand::Recount { on_hand: 5, reason: "found".into() };
    wait(engine.change_stock(stock, recount)).unwrap();
    // A crash in the middle leaves the same: some rows have their order, the others nothing.
    let after = place();
    for (row, (before, after)) in before.drain(..).zip(after).enumerate() {
        match before {
            Ok(order) => assert_eq!(first(&engine, after), FirstAnswer::Order(order)),
            Err(_) if row < 10 => drop(after.expect("there is stock now")),
            Err(_) => assert!(is_short(&after), "{after:?}"),
        }
    }
    assert_eq!((stock_of(&engine, plenty).1, stock_of(&engine, scarce).1), (10, 5));
    let changed = engine.by(Context { key: Some(key(1, 2)), ..Context::default() });
    let answer = wait(changed.place_orders(rows.clone(), BatchMode::Each));
    assert_eq!(answer, Err(Error::KeyReused), "all of it, though five rows were not placed");
    assert_eq!(stock_of(&engine, scarce).1, 5);
    check(&engine);
}

#[test]
fn rows_of_a_batch_have_keys_of_their_own() {
    let engine = still();
    let thing = product(&engine, 100);
    let row = |number: Option<u8>| (order_of(&[(thing, 1)]), number.map(|number| key(number, 1)));
    let place = |rows: &[Option<u8>], mode| {
        let rows = rows.iter().map(|number| row(*number)).collect();
        wait(engine.place_orders_keyed(rows, mode))
    };
    let placed = orders(place(&[Some(1), None], BatchMode::Each).unwrap());
    let again = place(&[Some(1), Some(2), Some(2)], BatchMode::Each).unwrap();
    let [one, two, twice] = again.try_into().unwrap();
    assert_eq!(first(&engine, one), FirstAnswer::Order(placed[0].clone()));
    assert!(two.is_ok());
    assert_eq!(twice, Err(Error::KeyReused), "the same key twice in one batch");
    let twice = Err(Error::InBatch { at: 1, error: Box::new(Error::KeyReused) });
    assert_eq!(place(&[Some(3), Some(3)], BatchMode::All), twice);
    assert_eq!(stock_of(&engine, thing).1, 3);

    // All or none: one that is there already is in the way of the others.
    let mixed = place(&[Some(3), Some(1)], BatchMode::All);
    let Err(Error::InBatch { at: 1, error }) = mixed else { panic!("{mixed:?}") };
    assert!(matches!(*error, Error::AlreadyDone { .. }));
    let placed = orders(place(&[Some(3), Some(4)], BatchMode::All).unwrap());
    let again = place(&[Some(3), Some(4)], BatchMode::All).unwrap();
    for (answer, order) in again.into_iter().zip(placed) {
        assert_eq!(first(&engine, answer), FirstAnswer::Order(order));
    }
    assert_eq!(stock_of(&engine, thing).1, 5);
    check(&engine);
}

#[test]
fn a_batch_of_all_has_one_key_beside_those_of_its_rows() {
    let engine = still();
    let thing = product(&engine, 10);
    let keyed = under(&engine, 1);
    let place = || {
        let rows =
            vec![(order_of(&[(thing, 1)]), Some(key(2, 1))), (order_of(&[(thing, 2)]), None)];
        wait(keyed.place_orders_keyed(rows, BatchMode::All))
    };
    let placed = orders(place().unwrap());
    assert_eq!(first(&engine, place()), FirstAnswer::Orders(placed.clone()));
    let alone = wait(under(&engine, 2).place_order(order_of(&[(thing, 1)])));
    assert_eq!(first(&engine, alone), FirstAnswer::Order(placed[0].clone()));
    assert_eq!(engine.stats().idempotency_keys, 2);
    check(&engine);
}

#[test]
fn every_command_of_a_batch_has_its_key() {
    let engine = still();
    let thing = product(&engine, 10);
    let ids: Vec<_> =
        (0..3).map(|_| wait(engine.place_order(order_of(&[(thing, 1)]))).unwrap().id()).collect();
    let pay = OrderCommand::Pay { amount: Some(1), method: None, reference: None };
    let commands: Vec<_> = ids.iter().map(|id| (*id, pay.clone())).collect();
    let paid = orders(wait(under(&engine, 1).change_orders(commands.clone())).unwrap());
    let again = wait(under(&engine, 1).change_orders(commands)).unwrap();
    for (answer, order) in again.into_iter().zip(paid) {
        assert_eq!(order.paid_amount, 1);
        assert_eq!(first(&engine, answer), FirstAnswer::Order(order));
    }
    check(&engine);
}

#[test]
fn a_refused_batch_of_all_says_which_order_it_was() {
    let engine = still();
    let thing = product(&engine, 5);
    let all = |wanted: &[(ProductId, u64)]| {
        let batch = wanted.iter().map(|one| order_of(&[*one])).collect();
        match wait(engine.place_orders(batch, BatchMode::All)) {
            Err(Error::InBatch { at, error }) => (at, *error),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        matches!(all(&[(thing, 3), (thing, 3)]), (1, error) if is_short::<()>(&Err(error.clone())))
    );
    let unknown = Refusal::NotFound { kind: "product", id: 99 };
    assert_eq!(all(&[(thing, 1), (thing, 1), (ProductId(99), 1)]), (2, unknown.clone().into()));
    let alone = wait(engine.place_order(order_of(&[(ProductId(99), 1)])));
    assert_eq!(alone, Err(unknown.into()), "one order is no batch");
    check(&engine);
}
