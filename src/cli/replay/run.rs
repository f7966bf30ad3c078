//! Runs a plan, and keeps what the answers were.

use std::{io::IsTerminal, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    book::Book,
    check::{self, Findings},
    plan::{Plan, Stage},
    report::Report,
    target::{Outcomes, Target},
};
use crate::cli::Failure;

/// What the answers add up to. Only what leaves no trace in the final state is counted here.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) placed: u64,
    pub(super) refused: u64,
    pub(super) write_offs: u64,
    pub(super) write_offs_refused: u64,
    /// Units of each product that were written off.
    pub(super) written_off: Vec<u64>,
}

/// Runs every stage, and checks what is there in the end.
pub(super) fn run(book: &Book, plan: &Plan, target: &mut dyn Target) -> Result<Report, Failure> {
    target.open_shop(plan)?;
    let bar = progress(book.invoices.len());
    let mut findings = Findings::default();
    let mut answers = Answers { written_off: vec![0; plan.products.len()], ..Answers::default() };
    let started = Instant::now();
    for stage in &plan.stages {
        let outcomes = target.run(plan, stage)?;
        answers.note(plan, stage, outcomes, &mut findings);
        bar.inc(stage.invoices);
    }
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let started = Instant::now();
    let sums = check::check(plan, target, &answers.written_off, &mut findings)?;
    let audit = target.audit()?;
    for violation in audit.iter().flat_map(|audit| &audit.violations) {
        findings.violation(violation.clone());
    }
    findings.oversold += audit.as_ref().map_or(0, |audit| audit.oversold);
    let mut report = Report::new(book, plan, &answers, &sums, findings, seconds);
    report.audited_events = audit.map(|audit| audit.events);
    report.check_seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

impl Answers {
    fn note(&mut self, plan: &Plan, stage: &Stage, outcomes: Outcomes, findings: &mut Findings) {
        for (index, placed) in stage.place.iter().zip(outcomes.placed) {
            let order = &plan.orders[*index];
            *(if placed { &mut self.placed } else { &mut self.refused }) += 1;
            if placed != order.accepted {
                let answer = if placed { "placed" } else { "refused" };
                findings.violation(format!("invoice {}: wrongly {answer}", order.invoice));
            }
        }
        for (write_off, done) in stage.write_off.iter().zip(outcomes.written_off) {
            *(if done { &mut self.write_offs } else { &mut self.write_offs_refused }) += 1;
            self.written_off[write_off.units.product] +=
                if done { write_off.units.quantity } else { 0 };
            if done != write_off.accepted {
                let answer = if done { "done" } else { "refused" };
                let what = format!("write-off {}: wrongly {answer}", write_off.invoice);
                findings.violation(what);
            }
        }
        outcomes.refused.into_iter().for_each(|refused| findings.violation(refused));
    }
}

/// A bar for people; nothing where a program reads.
pub(in crate::cli) fn progress(total: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}");
    ProgressBar::new(total as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
