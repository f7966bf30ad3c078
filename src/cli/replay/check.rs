//! The proof at the end: what is in the engine, read back, against what is in the file.
//!
//! Nothing here believes the run. Orders and stocks are read from the engine; what they must be is added up from the invoices.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::{
    codes::Kind,
    plan::{OrderIndex, Plan, PlannedProduct},
    target::{FinalOrder, FinalStock, Target},
};
use crate::cli::Failure;

/// The most findings that are kept in words; all are counted.
const WORDS_MAX: usize = 20;

/// What the engine's orders add up to.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) orders: u64,
    pub(crate) paid_orders: u64,
    pub(crate) cancelled_orders: u64,
    pub(crate) lines: u64,
    pub(crate) units_sold: u64,
    pub(crate) units_cancelled: u64,
    pub(crate) units_returned: u64,
    /// In pence, like all that follows.
    pub(crate) revenue: i64,
    pub(crate) refunded: i64,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Units sold, not given back and written off beyond what there ever was, over all codes.
    pub(crate) oversold: u64,
    pub(crate) violations: u64,
    pub(crate) words: Vec<String>,
}

impl Findings {
    pub(crate) fn violation(&mut self, what: String) {
        self.violations += 1;
        if self.words.len() < WORDS_MAX {
            self.words.push(what);
        }
    }
}

/// What happened to one code, by the engine's orders.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    sold: u64,
    back: u64,
    reserved: u64,
}

struct Check<'a> {
    plan: &'a Plan,
    /// Index of a product by the engine's id.
    products: HashMap<u64, usize>,
    invoices: HashMap<&'a str, OrderIndex>,
    moved: Vec<Moved>,
    seen: Vec<bool>,
    sums: Sums,
    findings: &'a mut Findings,
}

/// Reads everything back and compares. `written_off` is how many units of each product the engine agreed to write off.
pub(crate) fn check(
    plan: &Plan,
    target: &dyn Target,
    written_off: &[u64],
    findings: &mut Findings,
) -> Result<Sums, Failure> {
    let ids = target.product_ids().iter().enumerate();
    let invoices = plan.orders.iter().enumerate();
    let mut check = Check {
        plan,
        products: ids.map(|(index, id)| (*id, index)).collect(),
        invoices: invoices.map(|(index, order)| (order.invoice.as_str(), index)).collect(),
        moved: vec![Moved::default(); plan.products.len()],
        seen: vec![false; plan.orders.len()],
        sums: Sums::default(),
        findings,
    };
    for order in target.orders()? {
        check.order(&order);
    }
    check.all_there();
    let stocks = target.stocks()?;
    for (index, product) in plan.products.iter().enumerate() {
        check.stock(product, check.moved[index], written_off[index], stocks[index]);
    }
    Ok(check.sums)
}

impl Check<'_> {
    fn order(&mut self, order: &FinalOrder) {
        let Some(index) = self.invoices.get(order.reference.as_str()).copied() else {
            let what = format!("order {}: there is no invoice {:?}", order.id, order.reference);
            return self.findings.violation(what);
        };
        let plan = self.plan;
        let planned = &plan.orders[index];
        let place = format!("order {} (invoice {})", order.id, planned.invoice);
        if std::mem::replace(&mut self.seen[index], true) {
            self.findings.violation(format!("{place}: placed twice"));
        }
        if !planned.accepted {
            self.findings.violation(format!("{place}: placed, and there was not enough stock"));
        }
        for (what, found, expected) in [
            ("comes to", order.total, planned.pence),
            ("paid", order.paid, planned.pence),
            ("refunded", order.refunded, planned.refunded),
        ] {
            if found != expected {
                self.findings.violation(format!("{place}: {what} {found}p, not {expected}p"));
            }
        }
        if order.lines.len() != planned.lines.len() {
            self.findings.violation(format!("{place}: {} lines", order.lines.len()));
        }
        for line in &order.lines {
            self.line(index, &place, line);
        }
        let ended = ["shipped", "returned", "cancelled"].contains(&order.status.as_str());
        if !ended {
            self.findings.violation(format!("{place}: ends {}", order.status));
        }
        let sums = &mut self.sums;
        sums.orders += 1;
        sums.lines += order.lines.len() as u64;
        sums.cancelled_orders += u64::from(order.status == "cancelled");
        sums.paid_orders += u64::from(order.paid == order.total);
        sums.revenue += order.paid;
        sums.refunded += order.refunded;
    }

    fn line(&mut self, order: OrderIndex, place: &str, line: &super::target::FinalLine) {
        let index = self.products.get(&line.product).copied();
        let planned = index.and_then(|index| self.plan.orders[order].line(index));
        let (Some(index), Some(planned)) = (index, planned) else {
            let what = format!("{place}: product {} is not on the invoice", line.product);
            return self.findings.violation(what);
        };
        let back = line.cancelled + line.returned;
        if line.quantity != planned.quantity
            || line.unit_price != planned.price
            || back != planned.quantity - planned.kept
        {
            self.findings.violation(format!("{place}: {line:?}, not {planned:?}"));
        }
        let moved = &mut self.moved[index];
        moved.sold += line.quantity;
        moved.back += back;
        moved.reserved += line.reserved;
        if self.plan.products[index].kind == Kind::Good {
            self.sums.units_sold += line.quantity;
            self.sums.units_cancelled += line.cancelled;
            self.sums.units_returned += line.returned;
        }
    }

    /// Orders that were acknowledged must be there.
    fn all_there(&mut self) {
        for (planned, seen) in self.plan.orders.iter().zip(&self.seen) {
            if planned.accepted && !seen {
                let what = format!("invoice {}: its order is not there", planned.invoice);
                self.findings.violation(what);
            }
        }
    }

    /// Opening − sold + back − written off = on hand, and nothing is still promised.
    fn stock(
        &mut self,
        product: &PlannedProduct,
        moved: Moved,
        written_off: u64,
        stock: FinalStock,
    ) {
        let (there, gone) = (product.opening + moved.back, moved.sold + written_off);
        self.findings.oversold += gone.saturating_sub(there);
        let code = &product.code;
        let on_hand = there.checked_sub(gone);
        if on_hand != Some(stock.on_hand) {
            let what = format!(
                "{code}: {} on hand, not {} opening - {} sold + {} back - {written_off} written off",
                stock.on_hand, product.opening, moved.sold, moved.back
            );
            self.findings.violation(what);
        }
        if stock.reserved != 0 || moved.reserved != 0 {
            let what = format!("{code}: {} reserved when all is done", stock.reserved);
            self.findings.violation(what);
        }
    }
}
