use super::{
    Given, Order, OrderCommand, OrderEvent, Parcel, Payment, Release, Return, Shipment, Status,
};
use crate::{
    Amount, Quantity, Refusal, StockKey, Timestamp,
    limits::{PARCELS_MAX, PAYMENTS_MAX, TEXT_MAX},
    refusal::check_text,
};

impl Order {
    /// Decides a command. No event means that it is a repeat of what already is: the answer is the present state.
    ///
    /// A shipment's events hold only after its takes ([`Order::consumes`]) were granted at the stocks.
    ///
    /// # Errors
    /// The refusals of the state table; nothing changes then.
    #[doc = include_str!("../../docs/order_decide.md")]
    pub fn decide(
        &self,
        command: &OrderCommand,
        at: Timestamp,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        command.check()?;
        match command {
            OrderCommand::Pay { amount, method, reference } => {
                self.pay(*amount, method.as_deref(), reference.as_deref(), at)
            }
            OrderCommand::Expire => Ok(self.expire(at)),
            OrderCommand::Cancel { lines, reason } => {
                self.cancel(lines.as_deref(), reason.as_deref(), at)
            }
            OrderCommand::CancelUnpaid { lines, reason } => match self.status {
                Status::PendingPayment | Status::Cancelled | Status::Expired => {
                    self.cancel(lines.as_deref(), reason.as_deref(), at)
                }
                _ => Err(Refusal::OrderAlreadyPaid),
            },
            OrderCommand::Ship { lines, carrier, tracking } => {
                self.ship(lines.as_deref(), carrier.as_deref(), tracking.as_deref(), at)
            }
            OrderCommand::Deliver => self.deliver(at),
            OrderCommand::Return { lines, restock, reason } => {
                self.take_back(lines.as_deref(), *restock, reason.as_deref(), at)
            }
            OrderCommand::Refund { amount } => self.refund(*amount, at),
        }
    }

    /// What can be asked of the order now, as status names.
    #[doc = include_str!("../../docs/allowed_transitions.md")]
    #[must_use]
    pub fn allowed_transitions(&self) -> &'static [&'static str] {
        match self.status {
            Status::PendingPayment => &["paid", "cancelled"],
            Status::Paid => &["shipped", "cancelled"],
            Status::PartiallyShipped => &["shipped", "cancelled"],
            Status::Shipped => &["delivered", "returned"],
            Status::Delivered => &["returned"],
            Status::Cancelled | Status::Expired | Status::Returned => &[],
        }
    }

    /// The event that follows placing when there is nothing to pay.
    #[doc = include_str!("../../docs/paid_at_once.md")]
    #[must_use]
    pub fn paid_at_once(&self) -> Option<OrderEvent> {
        (self.placed.total() == 0)
            .then(|| OrderEvent::Paid { order: self.id(), at: self.placed.at })
    }

    fn pay(
        &self,
        amount: Option<Amount>,
        method: Option<&str>,
        reference: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        if let Some((reference, earlier)) = self.payment(reference) {
            let taken = |differs| Refusal::ReferenceTaken { reference: reference.into(), differs };
            return match (amount, method) {
                (Some(amount), _) if amount != earlier.amount => Err(taken("amount")),
                (_, Some(_)) if method != earlier.method.as_deref() => Err(taken("method")),
                _ => Ok(Vec::new()),
            };
        }
        match self.status {
            Status::PendingPayment => {}
            Status::Cancelled | Status::Expired => {
                return Err(Refusal::OrderNotPayable(self.status));
            }
            _ => return Err(Refusal::OrderAlreadyPaid),
        }
        let due = self.due();
        let amount = amount.unwrap_or(due);
        if amount <= 0 || amount > due {
            return Err(Refusal::Overpayment { due });
        }
        if self.payments.len() >= PAYMENTS_MAX {
            return Err(Refusal::invalid(
                "amount",
                format!("an order takes {PAYMENTS_MAX} payments"),
            ));
        }
        let payment = Payment { amount, at, method: boxed(method), reference: boxed(reference) };
        let order = self.id();
        let mut events = vec![OrderEvent::PaymentRecorded { order, payment: Box::new(payment) }];
        if amount == due {
            events.push(OrderEvent::Paid { order, at });
        }
        Ok(events)
    }

    /// The payment that has this reference already.
    fn payment<'a>(&self, reference: Option<&'a str>) -> Option<(&'a str, &Payment)> {
        let reference = reference?;
        let mut payments = self.payments.iter();
        let same = |payment: &&Payment| payment.reference.as_deref() == Some(reference);
        Some((reference, payments.find(same)?))
    }

    /// Expires an unpaid order whose deadline has passed. Anything else is a timer that came too late (or a clock that was
    /// set back), and means nothing.
    fn expire(&self, at: Timestamp) -> Vec<OrderEvent> {
        if self.status != Status::PendingPayment || at < self.placed.payment_deadline() {
            return Vec::new();
        }
        let parcels = self.reserved_parcels(None).expect("no lines are named");
        vec![OrderEvent::Expired(Box::new(self.give_up_event(parcels, None, at)))]
    }

    fn cancel(
        &self,
        lines: Option<&[super::LineQuantity]>,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        match self.status {
            Status::PendingPayment | Status::Paid | Status::PartiallyShipped => {}
            Status::Cancelled if self.is_all(lines, |progress| progress.cancelled)? => {
                return Ok(Vec::new());
            }
            _ => return Err(self.illegal("cancelled")),
        }
        let given = self.give_up_event(self.reserved_parcels(lines)?, reason, at);
        let event = OrderEvent::Cancelled(Box::new(given));
        let mut after = self.clone();
        after.evolve(&event);
        let mut events = vec![event];
        // What was paid already may cover what is left of an unpaid order.
        if after.status == Status::PendingPayment && after.due() == 0 {
            events.push(OrderEvent::Paid { order: self.id(), at });
        }
        Ok(events)
    }

    fn give_up_event(&self, parcels: Vec<Parcel>, reason: Option<&str>, at: Timestamp) -> Given {
        let releases = parcels
            .iter()
            .map(|parcel| {
                let allocation = &self.placed.allocations[parcel.allocation as usize];
                let (stock, entry) = (self.placed.stock(allocation), self.placed.entry(allocation));
                Release { stock, entry, quantity: parcel.quantity }
            })
            .collect();
        Given {
            order: self.id(),
            step: self.next_step,
            at,
            reason: boxed(reason),
            refund: self.refund_for(&parcels),
            parcels,
            releases,
        }
    }

    /// What more is due to be paid back once these parcels are no longer owed.
    fn refund_for(&self, parcels: &[Parcel]) -> Amount {
        let price = |parcel: &Parcel| {
            let allocation = &self.placed.allocations[parcel.allocation as usize];
            self.placed.lines[allocation.line as usize].unit_price * parcel.quantity as Amount
        };
        let owed = self.owed();
        let less: Amount = parcels.iter().map(price).sum();
        (self.paid_amount - (owed - less)).max(0) - (self.paid_amount - owed).max(0)
    }

    fn ship(
        &self,
        lines: Option<&[super::LineQuantity]>,
        carrier: Option<&str>,
        tracking: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        if !matches!(self.status, Status::Paid | Status::PartiallyShipped) {
            return Err(self.illegal("shipped"));
        }
        let shipments = self.history.as_ref().map_or(0, |history| history.shipments.len());
        if shipments >= PARCELS_MAX {
            return Err(Refusal::invalid(
                "lines",
                format!("an order takes {PARCELS_MAX} shipments"),
            ));
        }
        let shipment = Shipment {
            parcels: self.reserved_parcels(lines)?,
            carrier: boxed(carrier),
            tracking: boxed(tracking),
            at,
        };
        Ok(vec![OrderEvent::Shipped {
            order: self.id(),
            step: self.next_step,
            shipment: Box::new(shipment),
        }])
    }

    fn deliver(&self, at: Timestamp) -> Result<Vec<OrderEvent>, Refusal> {
        match self.status {
            Status::Shipped => Ok(vec![OrderEvent::Delivered { order: self.id(), at }]),
            Status::Delivered => Ok(Vec::new()),
            _ => Err(self.illegal("delivered")),
        }
    }

    fn take_back(
        &self,
        lines: Option<&[super::LineQuantity]>,
        restock: bool,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        match self.status {
            Status::Shipped | Status::Delivered => {}
            // What has left may come back while the rest is still here, but then the order is not returned.
            Status::PartiallyShipped if lines.is_some() => {}
            Status::Returned if self.is_all(lines, |progress| progress.returned)? => {
                return Ok(Vec::new());
            }
            _ => return Err(self.illegal("returned")),
        }
        let parcels = self.kept_parcels(lines)?;
        if parcels.is_empty() {
            return Err(Refusal::invalid("lines", "nothing is shipped and not returned"));
        }
        let returns = self.history.as_ref().map_or(0, |history| history.returns.len());
        if returns >= PARCELS_MAX {
            return Err(Refusal::invalid("lines", format!("an order takes {PARCELS_MAX} returns")));
        }
        let restocked = if restock { self.shelves(&parcels) } else { Vec::new() };
        let refund = self.refund_for(&parcels);
        let returned = Return { parcels, restocked: restock, reason: boxed(reason), at };
        Ok(vec![OrderEvent::Returned {
            order: self.id(),
            step: self.next_step,
            returned: Box::new(returned),
            refund,
            restock: restocked,
        }])
    }

    /// Where the units of these parcels came from, summed for each stock.
    fn shelves(&self, parcels: &[Parcel]) -> Vec<(StockKey, Quantity)> {
        let mut shelves: Vec<(StockKey, Quantity)> = Vec::new();
        for parcel in parcels {
            let stock = self.placed.stock(&self.placed.allocations[parcel.allocation as usize]);
            match shelves.iter_mut().find(|(known, _)| *known == stock) {
                Some((_, quantity)) => *quantity += parcel.quantity,
                None => shelves.push((stock, parcel.quantity)),
            }
        }
        shelves
    }

    fn refund(&self, amount: Option<Amount>, at: Timestamp) -> Result<Vec<OrderEvent>, Refusal> {
        let due = self.refund_due();
        let amount = amount.unwrap_or(due);
        if amount <= 0 || amount > due {
            return Err(Refusal::Overpayment { due });
        }
        Ok(vec![OrderEvent::Refunded { order: self.id(), amount, at }])
    }

    fn illegal(&self, action: &'static str) -> Refusal {
        let allowed = self.allowed_transitions().to_vec();
        Refusal::IllegalTransition { from: self.status, action, allowed }
    }
}

impl OrderCommand {
    /// Checks what can be said without the order: this is told before that the order has changed.
    ///
    /// # Errors
    /// A text that is empty or too long.
    #[doc = include_str!("../../docs/order_command_check.md")]
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Pay { method, reference, .. } => {
                check_words(&[("method", method), ("reference", reference)])
            }
            Self::Cancel { reason, .. }
            | Self::CancelUnpaid { reason, .. }
            | Self::Return { reason, .. } => check_words(&[("reason", reason)]),
            Self::Ship { carrier, tracking, .. } => {
                check_words(&[("carrier", carrier), ("tracking", tracking)])
            }
            Self::Expire | Self::Deliver | Self::Refund { .. } => Ok(()),
        }
    }
}

fn boxed(text: Option<&str>) -> Option<Box<str>> {
    text.map(Into::into)
}

fn check_words(words: &[(&str, &Option<String>)]) -> Result<(), Refusal> {
    words
        .iter()
        .filter_map(|(field, text)| text.as_ref().map(|text| (field, text)))
        .try_for_each(|(field, text)| check_text(field, text, TEXT_MAX))
}
