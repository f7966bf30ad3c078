//! The figures at the end.

use serde::Serialize;
use stockade::domain::Currency;

use super::{
    book::Book,
    check::{Findings, Sums},
    plan::Plan,
    run::Answers,
};
use crate::cli::Failure;

/// What a replay came to. All but the last five are business figures: the same on every run of the same file.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Invoices of every kind.
    invoices: u64,
    /// Rows of these invoices.
    lines: u64,
    products: u64,
    orders_placed: u64,
    orders_refused: u64,
    orders_paid: u64,
    /// Orders of which everything was cancelled before it was shipped.
    orders_cancelled: u64,
    /// Invoices of sale that come to nothing that can be ordered, such as a charge of 0.
    orders_empty: u64,
    /// Lines of the orders that were placed, as the engine has them.
    order_lines: u64,
    units_sold: u64,
    /// Units taken back before they were shipped.
    units_cancelled: u64,
    /// Shipped units taken back.
    units_returned: u64,
    /// Paid, in pounds.
    revenue: String,
    /// Paid back for cancelled and returned units, in pounds.
    refunded: String,
    cancellations: u64,
    /// Rows of cancellations that found fewer units in the customer's earlier orders than they cancel.
    unmatched_returns: u64,
    unmatched_units: u64,
    /// Charges in cancellations: discounts and credit notes, in pounds.
    credits: String,
    write_offs: u64,
    write_offs_refused: u64,
    units_written_off: u64,
    bad_debts: u64,
    rows_ignored: u64,
    rows_rounded: u64,
    oversold: u64,
    invariant_violations: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<String>,
    /// Events that the engine's audit read again; nothing where a server cannot be asked.
    pub(super) audited_events: Option<u64>,
    /// From the first invoice to the last answer.
    seconds: f64,
    /// Orders placed or refused, in that time.
    orders_per_second: f64,
    /// For reading the file and planning, before.
    pub(super) read_seconds: f64,
    /// For reading everything back and checking it, afterwards.
    pub(super) check_seconds: f64,
}

impl Report {
    pub(super) fn new(
        book: &Book,
        plan: &Plan,
        answers: &Answers,
        sums: &Sums,
        findings: Findings,
        seconds: f64,
    ) -> Self {
        let pounds = |pence| Currency::GBP.format(pence);
        let asked = answers.placed + answers.refused;
        let mut report = Self {
            invoices: book.invoices.len() as u64,
            lines: book.rows,
            products: plan.products.len() as u64,
            orders_placed: answers.placed,
            orders_refused: answers.refused,
            orders_paid: sums.paid_orders,
            orders_cancelled: sums.cancelled_orders,
            orders_empty: plan.left.empty_orders,
            order_lines: sums.lines,
            units_sold: sums.units_sold,
            units_cancelled: sums.units_cancelled,
            units_returned: sums.units_returned,
            revenue: pounds(sums.revenue),
            refunded: pounds(sums.refunded),
            cancellations: plan.left.cancellations,
            unmatched_returns: plan.left.unmatched_rows,
            unmatched_units: plan.left.unmatched_units,
            credits: pounds(plan.left.credits),
            write_offs: answers.write_offs,
            write_offs_refused: answers.write_offs_refused,
            units_written_off: answers.written_off.iter().sum(),
            bad_debts: book.bad_debts,
            rows_ignored: book.rows_ignored,
            rows_rounded: book.rows_rounded,
            oversold: findings.oversold,
            invariant_violations: findings.violations,
            violations: findings.words,
            audited_events: None,
            seconds,
            orders_per_second: asked as f64 / seconds.max(1e-9),
            read_seconds: 0.0,
            check_seconds: 0.0,
        };
        if sums.orders != answers.placed {
            report.invariant_violations += 1;
            let what = format!("{} orders were placed, {} are there", answers.placed, sums.orders);
            report.violations.push(what);
        }
        report
    }

    /// Whether it may be called a success.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.oversold == 0 && self.invariant_violations == 0 {
            return Ok(());
        }
        let mut what = format!(
            "the check failed: {} units oversold, {} violations",
            self.oversold, self.invariant_violations
        );
        for violation in &self.violations {
            what.push_str("\n  ");
            what.push_str(violation);
        }
        Err(Failure::work(what))
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let audited = match self.audited_events {
            Some(events) => format!("every order and stock read back, and {events} events audited"),
            None => "every order and stock read back".to_owned(),
        };
        let rows = [
            ("invoices", format!("{} of {} lines", self.invoices, self.lines)),
            ("orders", format!("{} placed, {} refused", self.orders_placed, self.orders_refused)),
            ("paid", format!("{} orders, £{}", self.orders_paid, self.revenue)),
            ("sold", format!("{} units", self.units_sold)),
            (
                "taken back",
                format!(
                    "{} units cancelled ({} whole orders), {} returned, £{} paid back",
                    self.units_cancelled, self.orders_cancelled, self.units_returned, self.refunded
                ),
            ),
            ("unmatched", format!("{} cancelled units", self.unmatched_units)),
            (
                "written off",
                format!(
                    "{} units by {} write-offs, {} refused",
                    self.units_written_off, self.write_offs, self.write_offs_refused
                ),
            ),
            ("checked", audited),
            ("oversold", self.oversold.to_string()),
            ("violations", self.invariant_violations.to_string()),
            (
                "time",
                format!(
                    "{:.2} s, {:.0} orders/s (and {:.1} s reading, {:.1} s checking)",
                    self.seconds, self.orders_per_second, self.read_seconds, self.check_seconds
                ),
            ),
        ];
        rows.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
    }
}
