//! What a replay runs against: an embedded engine, or a server.

use super::plan::{Plan, Stage};
use crate::cli::Failure;

/// What the stage's doubtful requests came to.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// For each order of the stage, whether it was placed; the only other answer is that stock is short.
    pub(crate) placed: Vec<bool>,
    /// For each write-off of the stage, whether it was done; the only other answer is that stock is short.
    pub(crate) written_off: Vec<bool>,
    /// Everything else that the plan says must work and that was refused.
    pub(crate) refused: Vec<String>,
}

/// An order as it is in the end.
#[derive(Clone, Debug)]
pub(crate) struct FinalOrder {
    pub(crate) id: u64,
    /// The invoice.
    pub(crate) reference: String,
    pub(crate) status: String,
    /// In pence.
    pub(crate) total: i64,
    /// In pence.
    pub(crate) paid: i64,
    /// In pence.
    pub(crate) refunded: i64,
    pub(crate) lines: Vec<FinalLine>,
}

/// A line of an order as it is in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FinalLine {
    /// The engine's id.
    pub(crate) product: u64,
    pub(crate) quantity: u64,
    /// In pence.
    pub(crate) unit_price: i64,
    pub(crate) reserved: u64,
    pub(crate) cancelled: u64,
    pub(crate) returned: u64,
}

/// A stock as it is in the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FinalStock {
    pub(crate) on_hand: u64,
    pub(crate) reserved: u64,
}

/// What the engine's own audit says.
#[derive(Debug, Default)]
pub(crate) struct FinalAudit {
    pub(crate) events: u64,
    /// Stocks that promise more than they have.
    pub(crate) oversold: u64,
    pub(crate) violations: Vec<String>,
}

/// Where the invoices are replayed.
pub(crate) trait Target {
    /// Whether there is a product with this sku already.
    fn sells(&self, sku: &str) -> Result<bool, Failure>;

    /// Makes the shop, its warehouse and every product with its opening stock.
    fn open_shop(&mut self, plan: &Plan) -> Result<(), Failure>;

    /// Does everything of a stage, in any order.
    fn run(&mut self, plan: &Plan, stage: &Stage) -> Result<Outcomes, Failure>;

    /// Every order of the shop, read back.
    fn orders(&self) -> Result<Vec<FinalOrder>, Failure>;

    /// The stock of every product of the plan, read back.
    fn stocks(&self) -> Result<Vec<FinalStock>, Failure>;

    /// The engine's id of every product of the plan.
    fn product_ids(&self) -> &[u64];

    /// The engine's own audit, where it can be asked for one.
    fn audit(&self) -> Result<Option<FinalAudit>, Failure>;

    /// Ends what was opened.
    fn close(&mut self) -> Result<(), Failure>;
}
