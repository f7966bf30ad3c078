use super::{Adjust, AdjustRow, AdjustmentEvent, Reason, check_rows, gives, takes};
use crate::{
    AdjustmentId, Owner, ProductId, Refusal, StockKey, Timestamp, WarehouseId,
    catalogue::StockDelta,
    limits::{ADJUSTMENT_LINES_MAX, QUANTITY_MAX, TEXT_MAX},
    stock::{Give, Take},
    testing::invalid,
};

fn stock(product: u64) -> StockKey {
    StockKey::new(WarehouseId(1), ProductId(product))
}

fn deltas(of: &[(u64, i64)]) -> Vec<StockDelta> {
    of.iter().map(|&(product, delta)| StockDelta { stock: stock(product), delta }).collect()
}

fn adjust(of: &[(u64, i64)]) -> Adjust {
    Adjust { deltas: deltas(of), reason: Reason::Correction, reference: None }
}

fn check(of: &[(u64, i64)]) -> Result<Vec<StockDelta>, Refusal> {
    adjust(of).check()
}

#[test]
fn the_same_stock_twice_is_one_delta() {
    assert_eq!(check(&[(1, 5), (2, -1), (1, -2)]), Ok(deltas(&[(1, 3), (2, -1)])));
}

#[test]
fn deltas_that_cancel_out_move_nothing() {
    assert_eq!(check(&[(1, 5), (2, 1), (1, -5)]), Ok(deltas(&[(2, 1)])));
    invalid(check(&[(1, 5), (1, -5)]), "adjustments");
}

#[test]
fn deltas_are_bounded_and_never_overflow() {
    let max = QUANTITY_MAX as i64;
    for delta in [0, max + 1, -max - 1, i64::MAX, i64::MIN] {
        invalid(check(&[(1, 1), (2, delta)]), "adjustments/1/delta");
    }
    assert_eq!(check(&[(1, max), (2, -max)]), Ok(deltas(&[(1, max), (2, -max)])));
    let all = check(&[(1, max); ADJUSTMENT_LINES_MAX]);
    assert_eq!(all, Ok(deltas(&[(1, max * ADJUSTMENT_LINES_MAX as i64)])));
}

#[test]
fn an_adjustment_has_one_to_the_maximum_of_stocks() {
    invalid(check(&[]), "adjustments");
    invalid(check(&[(1, 1); ADJUSTMENT_LINES_MAX + 1]), "adjustments");
}

#[test]
fn a_reference_is_checked() {
    for reference in [String::new(), "x".repeat(TEXT_MAX + 1), "\u{7f}".into()] {
        let adjust = Adjust { reference: Some(reference), ..adjust(&[(1, 1)]) };
        invalid(adjust.check(), "reference");
    }
}

#[test]
fn minuses_are_taken_first_and_pluses_given_after() {
    let deltas = deltas(&[(1, 5), (2, -3), (3, i64::MIN)]);
    let taken: Vec<_> = takes(&deltas).collect();
    let hostile = Take::Minus { quantity: 1 << 63 };
    assert_eq!(taken, [(stock(2), Take::Minus { quantity: 3 }), (stock(3), hostile)]);
    let given: Vec<_> = gives(&deltas).collect();
    assert_eq!(given, [(stock(1), Give::Plus { quantity: 5 })]);
}

#[test]
fn a_decision_says_all_about_itself() {
    let request = Adjust { reference: Some("count 7".into()), ..adjust(&[(1, 5)]) };
    let deltas = request.check().unwrap();
    let event = request.decide(AdjustmentId(3), deltas.clone(), Timestamp(5));
    assert_eq!(event.owner(), Owner::adjustment(AdjustmentId(3)));
    let AdjustmentEvent::Adjusted(adjusted) = event else { panic!("one reason") };
    assert_eq!((adjusted.deltas, adjusted.at), (deltas, Timestamp(5)));
    assert_eq!(
        (adjusted.reason, adjusted.reference.as_deref()),
        (Reason::Correction, Some("count 7"))
    );
}

#[test]
fn rows_with_reasons_are_summed_for_their_stocks_and_may_come_to_nothing() {
    let row = |n: u64, delta: i64, reference: Option<&str>| AdjustRow {
        stock: stock(n),
        delta,
        reason: Reason::Lost,
        reference: reference.map(Into::into),
    };
    let sums = check_rows(&[row(1, -2, None), row(2, 3, Some("r")), row(1, -1, None)]).unwrap();
    assert_eq!(sums, deltas(&[(1, -3), (2, 3)]));
    assert_eq!(check_rows(&[row(1, -1, None), row(1, 1, None)]), Ok(Vec::new()));
    for (rows, field) in [
        (vec![], "adjustments"),
        (vec![row(1, 1, None); 1_001], "adjustments"),
        (vec![row(1, 1, None), row(1, 0, None)], "adjustments/1/delta"),
        (vec![row(1, 1, Some(" "))], "adjustments/0/reference"),
    ] {
        let refused = check_rows(&rows).unwrap_err();
        assert!(matches!(&refused, Refusal::Invalid { field: named, .. } if named == field));
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    for name in ["received", "damaged", "lost", "found", "returned", "correction"] {
        assert_eq!(Reason::from_name(name).map(Reason::name), Some(name));
    }
    for name in ["", "Lost", "stolen"] {
        assert_eq!(Reason::from_name(name), None);
    }
}

#[test]
fn a_delta_of_nothing_takes_and_gives_nothing() {
    let all = deltas(&[(1, 0), (2, -3), (3, 4)]);
    let taken: Vec<_> = takes(&all).collect();
    assert_eq!(taken, [(stock(2), Take::Minus { quantity: 3 })]);
    let given: Vec<_> = gives(&all).collect();
    assert_eq!(given, [(stock(3), Give::Plus { quantity: 4 })]);
}
