//! An adjustment: one or many stocks corrected together, all or nothing.
#![doc = include_str!("../docs/adjustment_module.md")]

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    AdjustmentId, Owner, Refusal, StockKey, Timestamp,
    catalogue::StockDelta,
    limits::{ADJUSTMENT_LINES_MAX, QUANTITY_MAX, TEXT_MAX},
    refusal::check_text,
    stock::{Give, Take},
};

/// Why stock is corrected.
#[doc = include_str!("../docs/reason.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Goods came in.
    Received,
    /// Units broke.
    Damaged,
    /// Units cannot be found.
    Lost,
    /// Units were found.
    Found,
    /// Units came back.
    Returned,
    /// The books were wrong.
    Correction,
}

/// What is asked.
#[doc = include_str!("../docs/adjust.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjust {
    /// Which stocks, by how much; the same stock twice is summed.
    pub deltas: Vec<StockDelta>,
    /// Why.
    pub reason: Reason,
    /// The caller's own name for it.
    pub reference: Option<String>,
}

/// An adjustment that was decided. It has no further life: its event is its state.
#[doc = include_str!("../docs/adjusted.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// Its id.
    pub id: AdjustmentId,
    /// Which stocks, by how much.
    pub deltas: Vec<StockDelta>,
    /// Why.
    pub reason: Reason,
    /// The caller's own name for it.
    pub reference: Option<Box<str>>,
    /// When.
    pub at: Timestamp,
}

/// One row of an adjustment whose rows have reasons of their own.
#[doc = include_str!("../docs/adjust_row.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustRow {
    /// Which stock.
    pub stock: StockKey,
    /// By how much.
    pub delta: i64,
    /// Why.
    pub reason: Reason,
    /// The caller's own name for it.
    pub reference: Option<Box<str>>,
}

/// An adjustment of many rows, each for a reason of its own, that was decided as one.
#[doc = include_str!("../docs/rows_adjusted.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsAdjusted {
    /// Its id.
    pub id: AdjustmentId,
    /// Which stocks in all, by how much: a stock that two rows name is here once.
    pub deltas: Vec<StockDelta>,
    /// As it was asked for.
    pub rows: Vec<AdjustRow>,
    /// When.
    pub at: Timestamp,
}

/// What happened.
#[doc = include_str!("../docs/adjustment_event.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdjustmentEvent {
    /// Stocks were corrected; adopts the minuses that were taken, gives the pluses.
    Adjusted(Box<Adjusted>),
    /// The same, with a reason for each row.
    RowsAdjusted(Box<RowsAdjusted>),
}

impl Reason {
    /// Its name, as clients write it.
    #[doc = include_str!("../docs/reason_name.md")]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
            Self::Found => "found",
            Self::Returned => "returned",
            Self::Correction => "correction",
        }
    }

    /// The reason of this name.
    #[doc = include_str!("../docs/reason_from_name.md")]
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Received, Self::Damaged, Self::Lost, Self::Found, Self::Returned, Self::Correction]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

impl Adjust {
    /// Checks it and sums what it says twice of one stock; what sums to nothing is left out.
    ///
    /// # Errors
    /// No stock, too many, a delta out of range, or nothing left.
    #[doc = include_str!("../docs/adjust_check.md")]
    pub fn check(&self) -> Result<Vec<StockDelta>, Refusal> {
        if let Some(reference) = &self.reference {
            check_text("reference", reference, TEXT_MAX)?;
        }
        let sums = sum(self.deltas.iter().copied())?;
        if sums.is_empty() {
            return Err(Refusal::invalid("adjustments", "must not cancel each other out"));
        }
        Ok(sums)
    }

    /// The decision, once every minus was taken.
    #[doc = include_str!("../docs/adjust_decide.md")]
    #[must_use]
    pub fn decide(
        self,
        id: AdjustmentId,
        deltas: Vec<StockDelta>,
        at: Timestamp,
    ) -> AdjustmentEvent {
        let reference = self.reference.map(Into::into);
        AdjustmentEvent::Adjusted(Box::new(Adjusted {
            id,
            deltas,
            reason: self.reason,
            reference,
            at,
        }))
    }
}

/// Checks rows with reasons of their own and sums what they say twice of one stock; what sums to nothing is left out. Nothing may
/// be left: one unit lost and another found is worth saying.
///
/// # Errors
/// No row, too many, or a delta or a reference out of range.
#[doc = include_str!("../docs/check_rows.md")]
pub fn check_rows(rows: &[AdjustRow]) -> Result<Vec<StockDelta>, Refusal> {
    for (index, row) in rows.iter().enumerate() {
        if let Some(reference) = &row.reference {
            check_text(&format!("adjustments/{index}/reference"), reference, TEXT_MAX)?;
        }
    }
    sum(rows.iter().map(|row| StockDelta { stock: row.stock, delta: row.delta }))
}

fn sum(deltas: impl ExactSizeIterator<Item = StockDelta>) -> Result<Vec<StockDelta>, Refusal> {
    if !(1..=ADJUSTMENT_LINES_MAX).contains(&deltas.len()) {
        let detail = format!("must have 1 to {ADJUSTMENT_LINES_MAX} entries");
        return Err(Refusal::invalid("adjustments", detail));
    }
    let mut places = rustc_hash::FxHashMap::default();
    let mut sums: Vec<StockDelta> = Vec::with_capacity(deltas.len());
    for (index, StockDelta { stock, delta }) in deltas.enumerate() {
        if delta == 0 || delta.unsigned_abs() > QUANTITY_MAX {
            let detail = format!("must be from -{QUANTITY_MAX} to {QUANTITY_MAX} and not 0");
            return Err(Refusal::invalid(format!("adjustments/{index}/delta"), detail));
        }
        let place = *places.entry(stock).or_insert(sums.len());
        match sums.get_mut(place) {
            Some(sum) => sum.delta += delta,
            None => sums.push(StockDelta { stock, delta }),
        }
    }
    sums.retain(|sum| sum.delta != 0);
    Ok(sums)
}

/// What deltas take from stocks before they are decided.
#[doc = include_str!("../docs/adjustment_takes.md")]
pub fn takes(deltas: &[StockDelta]) -> impl Iterator<Item = (StockKey, Take)> {
    deltas
        .iter()
        .filter(|delta| delta.delta < 0)
        .map(|delta| (delta.stock, Take::Minus { quantity: delta.delta.unsigned_abs() }))
}

/// What deltas give to stocks once they are decided.
#[doc = include_str!("../docs/adjustment_gives.md")]
pub fn gives(deltas: &[StockDelta]) -> impl Iterator<Item = (StockKey, Give)> {
    deltas
        .iter()
        .filter(|delta| delta.delta > 0)
        .map(|delta| (delta.stock, Give::Plus { quantity: delta.delta.unsigned_abs() }))
}

impl AdjustmentEvent {
    /// Its id.
    #[doc = include_str!("../docs/adjustment_of.md")]
    #[must_use]
    pub fn adjustment(&self) -> AdjustmentId {
        match self {
            Self::Adjusted(adjusted) => adjusted.id,
            Self::RowsAdjusted(adjusted) => adjusted.id,
        }
    }

    /// Its owner.
    #[doc = include_str!("../docs/adjustment_owner.md")]
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::adjustment(self.adjustment())
    }

    /// Which stocks it corrected in all, by how much.
    #[doc = include_str!("../docs/adjustment_deltas.md")]
    #[must_use]
    pub fn deltas(&self) -> &[StockDelta] {
        match self {
            Self::Adjusted(adjusted) => &adjusted.deltas,
            Self::RowsAdjusted(adjusted) => &adjusted.deltas,
        }
    }
}
