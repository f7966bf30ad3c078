use stockade_domain::{
    ProductId,
    adjustment::{Adjust, AdjustRow, Adjusted, AdjustmentEvent, RowsAdjusted},
};

use super::Engine;
use crate::{
    Error,
    job::{Corrections, Job},
};

impl Engine {
    /// Corrects one or many stocks: all of them or none.
    ///
    /// # Errors
    /// [`Refusal::InsufficientStock`] when a stock would go below zero or below what is reserved.
    #[doc = include_str!("../../docs/adjust.md")]
    pub async fn adjust(&self, request: Adjust) -> Result<Adjusted, Error> {
        let first = request.deltas.first().map(|delta| delta.stock.product);
        let lines = request.deltas.len();
        match self.correct(first, lines, Corrections::One(request)).await? {
            AdjustmentEvent::Adjusted(adjusted) => Ok(*adjusted),
            AdjustmentEvent::RowsAdjusted(_) => unreachable!("it was asked for one reason"),
        }
    }

    /// Corrects one or many stocks, each for a reason of its own: all of them or none.
    ///
    /// # Errors
    /// As [`Engine::adjust`].
    #[doc = include_str!("../../docs/adjust_rows.md")]
    pub async fn adjust_rows(&self, rows: Vec<AdjustRow>) -> Result<RowsAdjusted, Error> {
        let first = rows.first().map(|row| row.stock.product);
        match self.correct(first, rows.len(), Corrections::Rows(rows)).await? {
            AdjustmentEvent::RowsAdjusted(adjusted) => Ok(*adjusted),
            AdjustmentEvent::Adjusted(_) => unreachable!("it was asked for rows"),
        }
    }

    async fn correct(
        &self,
        first: Option<ProductId>,
        lines: usize,
        request: Corrections,
    ) -> Result<AdjustmentEvent, Error> {
        let lane = first.map_or(0, |product| self.shared().lane_of_product(product));
        self.run(lane, lines, |reply| Job::Adjust { request, reply }).await
    }
}
