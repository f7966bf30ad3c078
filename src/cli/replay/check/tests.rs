//! The check is worth something only if it finds what is wrong: each test spoils one thing.

use super::*;
use crate::cli::replay::{
    book::Book,
    plan::Stage,
    target::{FinalAudit, FinalLine, Outcomes},
};

const INVOICES: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID
1,10001,MUG,6,2010-12-01 08:00:00,2.00,7
2,10001,MUG,5,2010-12-01 09:00:00,2.00,7
3,10001,MUG,1,2010-12-02 09:00:00,2.50,8
C4,10001,MUG,-2,2010-12-02 10:00:00,2.00,7
";

/// An engine's final state, as it ought to be until a test spoils it.
struct Fake {
    products: Vec<u64>,
    orders: Vec<FinalOrder>,
    stocks: Vec<FinalStock>,
}

impl Target for Fake {
    fn sells(&self, _: &str) -> Result<bool, Failure> {
        unreachable!("a check only reads back")
    }

    fn open_shop(&mut self, _: &Plan) -> Result<(), Failure> {
        Ok(())
    }

    fn run(&mut self, _: &Plan, _: &Stage) -> Result<Outcomes, Failure> {
        Ok(Outcomes::default())
    }

    fn orders(&self) -> Result<Vec<FinalOrder>, Failure> {
        Ok(self.orders.clone())
    }

    fn stocks(&self) -> Result<Vec<FinalStock>, Failure> {
        Ok(self.stocks.clone())
    }

    fn product_ids(&self) -> &[u64] {
        &self.products
    }

    fn audit(&self) -> Result<Option<FinalAudit>, Failure> {
        Ok(None)
    }

    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

fn fake(plan: &Plan) -> Fake {
    let mut stocks: Vec<_> = plan.products.iter().map(|product| product.opening).collect();
    let mut orders = Vec::new();
    for (index, planned) in plan.orders.iter().enumerate().filter(|(_, order)| order.accepted) {
        let lines = planned.lines.iter().map(|line| {
            stocks[line.product] -= line.kept;
            FinalLine {
                product: line.product as u64 + 1,
                quantity: line.quantity,
                unit_price: line.price,
                reserved: 0,
                cancelled: 0,
                returned: line.quantity - line.kept,
            }
        });
        orders.push(FinalOrder {
            id: index as u64 + 1,
            reference: planned.invoice.clone(),
            status: "shipped".into(),
            lines: lines.collect(),
            total: planned.pence,
            paid: planned.pence,
            refunded: planned.refunded,
        });
    }
    let stocks = stocks.into_iter().map(|on_hand| FinalStock { on_hand, reserved: 0 });
    let products = (1..=plan.products.len() as u64).collect();
    Fake { products, orders, stocks: stocks.collect() }
}

/// What the check finds after `spoil`: (oversold, what is wrong).
fn found(spoil: impl FnOnce(&mut Fake)) -> (u64, String) {
    let book = Book::read("test", INVOICES.as_bytes(), None).unwrap();
    let plan = Plan::new(&book, "0.9".parse().unwrap());
    let accepted: Vec<_> = plan.orders.iter().map(|order| order.accepted).collect();
    // Of 12 mugs asked for, 11 are there: the first two orders take them all.
    assert_eq!(accepted, [true, true, false]);
    let mut fake = fake(&plan);
    spoil(&mut fake);
    let mut findings = Findings::default();
    check(&plan, &fake, &[0, 0], &mut findings).unwrap();
    (findings.oversold, findings.words.join("; "))
}

#[track_caller]
fn finds(words: &str, spoil: impl FnOnce(&mut Fake)) {
    let (_, found) = found(spoil);
    assert!(found.contains(words), "no {words:?} in {found:?}");
}

#[test]
fn what_is_right_passes() {
    assert_eq!(found(|_| {}), (0, String::new()));
}

#[test]
fn units_sold_that_never_were_are_counted_as_oversold() {
    let (oversold, found) = found(|fake| {
        let mut third = fake.orders[0].clone();
        (third.id, third.reference) = (3, "3".into());
        fake.orders.push(third);
        fake.stocks[0].on_hand = 0;
    });
    // 11 + 6 were sold of 11, and 2 came back.
    assert_eq!(oversold, 4, "{found}");
    assert!(found.contains("there was not enough stock"), "{found}");
}

#[test]
fn a_lost_order_and_one_placed_twice_are_found() {
    finds("invoice 2: its order is not there", |fake| drop(fake.orders.pop()));
    finds("placed twice", |fake| fake.orders.push(fake.orders[0].clone()));
    finds("there is no invoice", |fake| fake.orders[0].reference = "99".into());
}

#[test]
fn wrong_money_is_found_to_the_penny() {
    finds("comes to 1201p, not 1200p", |fake| fake.orders[0].total += 1);
    finds("paid 1199p", |fake| fake.orders[0].paid -= 1);
    finds("refunded 399p, not 400p", |fake| fake.orders[1].refunded -= 1);
}

#[test]
fn wrong_units_are_found_one_by_one() {
    finds("3 on hand, not 11 opening - 11 sold + 2 back", |fake| fake.stocks[0].on_hand += 1);
    finds("1 reserved when all is done", |fake| fake.stocks[0].reserved = 1);
    finds("quantity: 7", |fake| fake.orders[0].lines[0].quantity = 7);
    finds("is not on the invoice", |fake| fake.orders[0].lines[0].product = 9);
    finds("ends paid", |fake| fake.orders[0].status = "paid".into());
}
