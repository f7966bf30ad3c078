use stockade_domain::{
    IdempotencyKey, ProductId,
    adjustment::{Adjust, AdjustRow, Adjusted, AdjustmentEvent, RowsAdjusted},
};

use super::{Engine, commands::check_batch};
use crate::{
    Error,
    job::{Corrections, Job},
};

impl Engine {
    /// Corrects one or many stocks: all of them or none.
    ///
    /// # Errors
    /// [`stockade_domain::Refusal::InsufficientStock`] when a stock would go below zero or below what is reserved.
    #[doc = include_str!("../../docs/adjust.md")]
    pub async fn adjust(&self, request: Adjust) -> Result<Adjusted, Error> {
        let first = request.deltas.first().map(|delta| delta.stock.product);
        let lines = request.deltas.len();
        self.correct(first, lines, Corrections::One(request)).await.map(one)
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

    /// Corrects stocks, each correction by itself, with one commit to wait for. Each may have a key of its own; one without has a key
    /// derived from the context's, if that has one.
    ///
    /// # Errors
    /// What is wrong with the context's key; [`Error::Overloaded`].
    #[doc = include_str!("../../docs/adjust_many.md")]
    pub async fn adjust_many(
        &self,
        requests: Vec<(Adjust, Option<IdempotencyKey>)>,
    ) -> Result<Vec<Result<Adjusted, Error>>, Error> {
        let (requests, keys): (Vec<Adjust>, Vec<_>) = requests.into_iter().unzip();
        let lines = requests.iter().map(|request| request.deltas.len() + 1).sum();
        check_batch(requests.len(), lines)?;
        let job = |request: Adjust, reply| {
            let lane =
                self.lane_of_correction(request.deltas.first().map(|delta| delta.stock.product));
            (lane, Job::Adjust { request: Corrections::One(request), reply })
        };
        let adjusted = self.run_rows(lines, requests, keys, job).await?;
        Ok(adjusted.into_iter().map(|adjusted| adjusted.map(one)).collect())
    }

    fn lane_of_correction(&self, first: Option<ProductId>) -> usize {
        first.map_or(0, |product| self.shared().lane_of_product(product))
    }

    async fn correct(
        &self,
        first: Option<ProductId>,
        lines: usize,
        request: Corrections,
    ) -> Result<AdjustmentEvent, Error> {
        let lane = self.lane_of_correction(first);
        self.run(lane, lines, |reply| Job::Adjust { request, reply }).await
    }
}

fn one(event: AdjustmentEvent) -> Adjusted {
    match event {
        AdjustmentEvent::Adjusted(adjusted) => *adjusted,
        AdjustmentEvent::RowsAdjusted(_) => unreachable!("it was asked for one reason"),
    }
}
