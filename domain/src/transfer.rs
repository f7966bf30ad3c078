//! A transfer: units of one product move from one warehouse to another, at once or over the road.
#![doc = include_str!("../docs/transfer_module.md")]

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    Event, Owner, ProductId, Quantity, Refusal, Step, StockKey, Timestamp, TransferId, WarehouseId,
    limits::TEXT_MAX,
    refusal::{check_quantity, check_text},
    stock::{Give, Take},
};

/// The state of one transfer.
#[doc = include_str!("../docs/transfer.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// As it was dispatched.
    pub dispatched: Dispatched,
    /// Units that came in at the other end.
    pub received: Quantity,
    /// Units that will not come: lost on the way, or written off.
    pub missing: Quantity,
    /// Units that went back to where they left.
    pub restocked: Quantity,
    /// Why units did not come, in order.
    pub discrepancies: Vec<Discrepancy>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// Why it was cancelled.
    pub cancel_reason: Option<Box<str>>,
    /// The number of its next workflow.
    pub next_step: Step,
    /// Counts its events.
    pub version: u32,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Units that were dispatched and did not come in.
#[doc = include_str!("../docs/discrepancy.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// How many.
    pub quantity: Quantity,
    /// Why.
    pub reason: Box<str>,
    /// When it was found.
    pub at: Timestamp,
}

/// How a transfer began.
#[doc = include_str!("../docs/dispatched.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatched {
    /// Its id.
    pub id: TransferId,
    /// What moves.
    pub product: ProductId,
    /// From where.
    pub from: WarehouseId,
    /// To where.
    pub to: WarehouseId,
    /// How many.
    pub quantity: Quantity,
    /// Whether it is on the road until received; else it arrives at once.
    pub in_transit: bool,
    /// When.
    pub at: Timestamp,
}

/// Where a transfer stands.
#[doc = include_str!("../docs/transfer_status.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStatus {
    /// On the road.
    InTransit,
    /// Everything arrived or is accounted for.
    Completed,
    /// What had not arrived was called back or written off.
    Cancelled,
}

/// What can be asked of a transfer that is on the road.
#[doc = include_str!("../docs/transfer_command.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferCommand {
    /// Units came in; all that is on the road when no quantity is named.
    Receive {
        /// How many came in.
        quantity: Option<Quantity>,
        /// How many will not come, and why.
        discrepancy: Option<(Quantity, String)>,
    },
    /// It is called off.
    Cancel {
        /// Whether what is on the road goes back to where it left; else it is written off.
        restock: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// What happened to a transfer.
#[doc = include_str!("../docs/transfer_event.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferEvent {
    /// It left; adopts what was taken out, gives it (or the expectation of it) to the other end.
    Dispatched(Box<Dispatched>),
    /// Some of it came in.
    Received {
        /// Which transfer.
        transfer: TransferId,
        /// In which workflow.
        step: Step,
        /// At which stock.
        stock: StockKey,
        /// How many came in.
        received: Quantity,
        /// How many will not come.
        missing: Quantity,
        /// Why they will not.
        reason: Option<Box<str>>,
        /// When.
        at: Timestamp,
    },
    /// What was on the road was called back or written off.
    Cancelled {
        /// Which transfer.
        transfer: TransferId,
        /// In which workflow.
        step: Step,
        /// Where it was expected.
        to: StockKey,
        /// Where it left.
        from: StockKey,
        /// How many were on the road.
        quantity: Quantity,
        /// Whether they go back to where they left.
        restock: bool,
        /// Why.
        reason: Option<Box<str>>,
        /// When.
        at: Timestamp,
    },
}

/// Checks a transfer to be, and says what it takes from where.
///
/// # Errors
/// A quantity out of range, or both ends the same. That the product and the warehouses exist is the catalogue's to say.
#[doc = include_str!("../docs/dispatch.md")]
pub fn dispatch(dispatched: &Dispatched) -> Result<(StockKey, Take), Refusal> {
    check_quantity(|| "quantity".into(), dispatched.quantity)?;
    if dispatched.from == dispatched.to {
        return Err(Refusal::invalid(
            "to_warehouse_id",
            "must be another warehouse than the first",
        ));
    }
    Ok((dispatched.origin(), Take::TransferOut { quantity: dispatched.quantity }))
}

impl Dispatched {
    /// The stock it leaves.
    #[doc = include_str!("../docs/origin.md")]
    #[must_use]
    pub fn origin(&self) -> StockKey {
        StockKey::new(self.from, self.product)
    }

    /// The stock it goes to.
    #[doc = include_str!("../docs/destination.md")]
    #[must_use]
    pub fn destination(&self) -> StockKey {
        StockKey::new(self.to, self.product)
    }
}

impl TransferCommand {
    /// Checks what can be said without the transfer: this is told before that the transfer has changed.
    ///
    /// # Errors
    /// A field out of range.
    #[doc = include_str!("../docs/transfer_command_check.md")]
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Receive { discrepancy: Some((missing, reason)), .. } => {
                check_quantity(|| "discrepancy/quantity".into(), *missing)?;
                check_text("discrepancy/reason", reason, TEXT_MAX)
            }
            Self::Cancel { reason: Some(reason), .. } => check_text("reason", reason, TEXT_MAX),
            Self::Receive { .. } | Self::Cancel { .. } => Ok(()),
        }
    }
}

impl Transfer {
    /// A transfer that was just dispatched.
    #[doc = include_str!("../docs/transfer_new.md")]
    #[must_use]
    pub fn new(dispatched: Dispatched) -> Self {
        let received = if dispatched.in_transit { 0 } else { dispatched.quantity };
        let updated_at = dispatched.at;
        Self {
            dispatched,
            received,
            missing: 0,
            restocked: 0,
            discrepancies: Vec::new(),
            cancelled: false,
            cancel_reason: None,
            next_step: 1,
            version: 1,
            updated_at,
        }
    }

    /// A transfer after one more event of its own; before the first there is none. Other events move nothing.
    #[doc = include_str!("../docs/transfer_after.md")]
    #[must_use]
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event) {
            (None, Event::Transfer(TransferEvent::Dispatched(dispatched))) => {
                Some(Self::new((**dispatched).clone()))
            }
            (Some(mut transfer), Event::Transfer(event)) => {
                transfer.evolve(event);
                Some(transfer)
            }
            (transfer, _) => transfer,
        }
    }

    /// Units on the road.
    #[doc = include_str!("../docs/on_the_road.md")]
    #[must_use]
    pub fn on_the_road(&self) -> Quantity {
        self.dispatched.quantity - self.received - self.missing - self.restocked
    }

    /// Where it stands.
    #[doc = include_str!("../docs/transfer_status_of.md")]
    #[must_use]
    pub fn status(&self) -> TransferStatus {
        match (self.cancelled, self.on_the_road()) {
            (true, _) => TransferStatus::Cancelled,
            (false, 0) => TransferStatus::Completed,
            (false, _) => TransferStatus::InTransit,
        }
    }

    /// Decides a command.
    ///
    /// # Errors
    /// [`Refusal::TransferClosed`], or more units than are on the road.
    #[doc = include_str!("../docs/transfer_decide.md")]
    pub fn decide(
        &self,
        command: &TransferCommand,
        at: Timestamp,
    ) -> Result<TransferEvent, Refusal> {
        command.check()?;
        let transfer = self.dispatched.id;
        if self.status() != TransferStatus::InTransit {
            return Err(Refusal::TransferClosed(transfer));
        }
        let step = self.next_step;
        match command {
            TransferCommand::Receive { quantity, discrepancy } => {
                let (missing, reason) = match discrepancy {
                    Some((missing, reason)) => (*missing, Some(reason.as_str().into())),
                    None => (0, None),
                };
                let left = self.on_the_road();
                let received = quantity.unwrap_or(left.saturating_sub(missing));
                let accounted = received.saturating_add(missing);
                if accounted == 0 || accounted > left {
                    let detail = format!("{left} units are on the road");
                    return Err(Refusal::invalid("quantity", detail));
                }
                let stock = self.dispatched.destination();
                Ok(TransferEvent::Received { transfer, step, stock, received, missing, reason, at })
            }
            TransferCommand::Cancel { restock, reason } => Ok(TransferEvent::Cancelled {
                transfer,
                step,
                to: self.dispatched.destination(),
                from: self.dispatched.origin(),
                quantity: self.on_the_road(),
                restock: *restock,
                reason: reason.as_deref().map(Into::into),
                at,
            }),
        }
    }

    /// Moves the state by what happened.
    #[doc = include_str!("../docs/transfer_evolve.md")]
    pub fn evolve(&mut self, event: &TransferEvent) {
        self.version += 1;
        match event {
            TransferEvent::Dispatched(dispatched) => {
                *self = Self::new(Dispatched::clone(dispatched))
            }
            TransferEvent::Received { step, received, missing, reason, at, .. } => {
                self.received += received;
                self.missing += missing;
                if let Some(reason) = reason.clone() {
                    self.discrepancies.push(Discrepancy { quantity: *missing, reason, at: *at });
                }
                self.next_step = step + 1;
                self.updated_at = *at;
            }
            TransferEvent::Cancelled { step, quantity, restock, reason, at, .. } => {
                let place = if *restock { &mut self.restocked } else { &mut self.missing };
                *place += quantity;
                self.cancelled = true;
                self.cancel_reason.clone_from(reason);
                self.next_step = step + 1;
                self.updated_at = *at;
            }
        }
    }
}

impl TransferEvent {
    /// Which transfer it happened to.
    #[doc = include_str!("../docs/transfer_event_transfer.md")]
    #[must_use]
    pub fn transfer(&self) -> TransferId {
        match self {
            Self::Dispatched(dispatched) => dispatched.id,
            Self::Received { transfer, .. } | Self::Cancelled { transfer, .. } => *transfer,
        }
    }

    /// The workflow it decides, and what it gives to which stock.
    #[doc = include_str!("../docs/transfer_event_gives.md")]
    #[must_use]
    pub fn gives(&self) -> (Owner, Step, Vec<(StockKey, Give)>) {
        let owner = Owner::transfer(self.transfer());
        match self {
            Self::Dispatched(dispatched) => {
                let quantity = dispatched.quantity;
                let give = match dispatched.in_transit {
                    true => Give::Expect { quantity },
                    false => Give::TransferIn { quantity },
                };
                (owner, 0, vec![(dispatched.destination(), give)])
            }
            Self::Received { step, stock, received, missing, .. } => {
                let give = Give::Arrive { received: *received, missing: *missing };
                (owner, *step, vec![(*stock, give)])
            }
            Self::Cancelled { step, to, from, quantity, restock, .. } => {
                let mut gives = vec![(*to, Give::Arrive { received: 0, missing: *quantity })];
                if *restock {
                    gives.push((*from, Give::TransferIn { quantity: *quantity }));
                }
                (owner, *step, gives)
            }
        }
    }
}
