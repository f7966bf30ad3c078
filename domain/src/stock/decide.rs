use super::{Stock, StockCommand, StockEvent, Take};
use crate::{
    Owner, Quantity, Refusal, Shortage, Step, StockKey, Timestamp,
    limits::{ON_HAND_MAX, QUANTITY_MAX, TEXT_MAX},
    refusal::{check_text, check_units},
};

impl Stock {
    /// Grants a take or says what there is instead.
    ///
    /// # Errors
    /// [`Refusal::InsufficientStock`] with what could be given, never half a take; or a take of nothing.
    #[doc = include_str!("../../docs/stock_take.md")]
    pub fn take(
        &self,
        stock: StockKey,
        owner: Owner,
        step: Step,
        take: Take,
    ) -> Result<StockEvent, Refusal> {
        let (wanted, available) = match take {
            Take::Reserve { quantity } => (quantity, self.available()),
            Take::Consume { entry, quantity } => {
                (quantity, self.reserved_for(entry).min(self.on_hand))
            }
            Take::TransferOut { quantity } | Take::Minus { quantity } => {
                (quantity, self.removable())
            }
        };
        if wanted == 0 {
            return Err(Refusal::invalid("quantity", "must be at least 1"));
        }
        if wanted > available {
            return Err(short(stock, wanted, available));
        }
        Ok(StockEvent::Taken { stock, owner, step, take })
    }

    /// Decides what a caller asks of this stock alone. No event means that nothing would change: a policy that is the present one.
    /// A recount to the present number is an event: that somebody counted is worth knowing.
    ///
    /// # Errors
    /// A count or limit below what is already promised, or a field out of range.
    #[doc = include_str!("../../docs/stock_decide.md")]
    pub fn decide(
        &self,
        stock: StockKey,
        command: &StockCommand,
        at: Timestamp,
    ) -> Result<Option<StockEvent>, Refusal> {
        command.check()?;
        match command {
            StockCommand::Recount { on_hand, reason } => {
                if on_hand + self.backorder_limit < self.reserved {
                    return Err(short(stock, self.reserved, on_hand + self.backorder_limit));
                }
                let reason = reason.as_str().into();
                let (from, to) = (self.on_hand, *on_hand);
                Ok(Some(StockEvent::Recounted { stock, from, to, reason, at }))
            }
            StockCommand::SetPolicy { safety_stock, backorder_limit } => {
                let safety_stock = safety_stock.unwrap_or(self.safety_stock);
                let backorder_limit = backorder_limit.unwrap_or(self.backorder_limit);
                if self.on_hand + backorder_limit < self.reserved {
                    return Err(short(stock, self.reserved, self.on_hand + backorder_limit));
                }
                if (safety_stock, backorder_limit) == (self.safety_stock, self.backorder_limit) {
                    return Ok(None);
                }
                Ok(Some(StockEvent::PolicyChanged { stock, safety_stock, backorder_limit, at }))
            }
        }
    }
}

impl StockCommand {
    /// Checks what can be said without the stock: this is told before that the stock has changed.
    ///
    /// # Errors
    /// A field out of range.
    #[doc = include_str!("../../docs/stock_command_check.md")]
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Recount { on_hand, reason } => {
                check_text("reason", reason, TEXT_MAX)?;
                check_units("on_hand", *on_hand, ON_HAND_MAX)
            }
            Self::SetPolicy { safety_stock, backorder_limit } => {
                check_units("safety_stock", safety_stock.unwrap_or(0), QUANTITY_MAX)?;
                check_units("backorder_limit", backorder_limit.unwrap_or(0), QUANTITY_MAX)
            }
        }
    }
}

fn short(stock: StockKey, wanted: Quantity, available: Quantity) -> Refusal {
    Refusal::InsufficientStock(vec![Shortage {
        product: stock.product,
        warehouse: Some(stock.warehouse),
        wanted,
        available,
        frees_at: None,
    }])
}
