use super::{Given, History, Order, OrderEvent, Parcel, Placed, Progress, Status};
use crate::{Event, Quantity, Timestamp};
use std::sync::Arc;

impl Order {
    /// A new order, as it was placed.
    #[doc = include_str!("../../docs/order_new.md")]
    #[must_use]
    pub fn new(placed: Arc<Placed>) -> Self {
        let at = placed.at;
        Self {
            placed,
            status: Status::PendingPayment,
            // Step 0 was the placing.
            next_step: 1,
            version: 1,
            paid_amount: 0,
            refunded_amount: 0,
            paid_at: None,
            closed_at: None,
            updated_at: at,
            payments: Vec::new(),
            progress: Vec::new(),
            history: None,
            personal: None,
        }
    }

    /// An order after one more event of its own; before the first there is none. Other events move nothing.
    #[doc = include_str!("../../docs/order_after.md")]
    #[must_use]
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event) {
            (None, Event::Order(OrderEvent::Placed(placed))) => Some(Self::new(placed.clone())),
            (Some(mut order), Event::Order(event)) => {
                order.evolve(event);
                Some(order)
            }
            (order, _) => order,
        }
    }

    /// Moves the state by what happened.
    #[doc = include_str!("../../docs/order_evolve.md")]
    pub fn evolve(&mut self, event: &OrderEvent) {
        // It belongs to the placing: an order is the same version with it and without.
        self.version += u32::from(!matches!(event, OrderEvent::Personal { .. }));
        match event {
            OrderEvent::Placed(placed) => *self = Self::new(placed.clone()),
            OrderEvent::PaymentRecorded { payment, .. } => {
                self.paid_amount += payment.amount;
                self.updated_at = payment.at;
                self.payments.push(Payment::clone(payment));
            }
            OrderEvent::Paid { at, .. } => {
                // An order that is closed stays what it is: paid and expired at once, the invariants tell.
                if self.status == Status::PendingPayment {
                    self.status = Status::Paid;
                }
                self.paid_at = Some(*at);
                self.updated_at = *at;
            }
            OrderEvent::Expired(given) => {
                self.give_up(given);
                self.status = Status::Expired;
                self.closed_at = Some(given.at);
            }
            OrderEvent::Cancelled(given) => {
                self.give_up(given);
                self.settle(given.at);
            }
            OrderEvent::Shipped { step, shipment, .. } => {
                self.add(&shipment.parcels, |progress| &mut progress.shipped);
                self.history().shipments.push(Shipment::clone(shipment));
                self.next_step = step + 1;
                self.settle(shipment.at);
            }
            OrderEvent::Delivered { at, .. } => {
                self.history().delivered_at = Some(*at);
                self.settle(*at);
            }
            OrderEvent::Returned { step, returned, .. } => {
                self.add(&returned.parcels, |progress| &mut progress.returned);
                self.history().returns.push(Return::clone(returned));
                self.next_step = step + 1;
                self.settle(returned.at);
            }
            OrderEvent::Refunded { amount, at, .. } => {
                self.refunded_amount += amount;
                self.updated_at = *at;
            }
            OrderEvent::Personal { personal, .. } => self.personal = Some(personal.clone()),
        }
    }

    fn give_up(&mut self, given: &Given) {
        self.add(&given.parcels, |progress| &mut progress.cancelled);
        if let Some(reason) = &given.reason {
            self.history().cancel_reason = Some(reason.clone());
        }
        self.next_step = given.step + 1;
        self.updated_at = given.at;
    }

    fn add(&mut self, parcels: &[Parcel], field: impl Fn(&mut Progress) -> &mut Quantity) {
        self.progress.resize(self.placed.allocations.len(), Progress::default());
        for parcel in parcels {
            *field(&mut self.progress[parcel.allocation as usize]) += parcel.quantity;
        }
    }

    fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Derives the status from the quantities: the one rule behind the state table.
    fn settle(&mut self, at: Timestamp) {
        self.updated_at = at;
        let before = self.status;
        let reserved: Quantity = (0..self.placed.allocations.len()).map(|i| self.reserved(i)).sum();
        let shipped: Quantity = self.progress.iter().map(|progress| progress.shipped).sum();
        let returned: Quantity = self.progress.iter().map(|progress| progress.returned).sum();
        let delivered = self.history.as_ref().is_some_and(|history| history.delivered_at.is_some());
        self.status = match (reserved > 0, shipped > 0) {
            (true, false) => self.status,
            (true, true) => Status::PartiallyShipped,
            (false, false) => Status::Cancelled,
            (false, true) if returned == shipped => Status::Returned,
            (false, true) if delivered => Status::Delivered,
            (false, true) => Status::Shipped,
        };
        let closed =
            matches!(self.status, Status::Cancelled | Status::Delivered | Status::Returned);
        // A part that comes back from a delivered order does not close it again.
        if closed && self.status != before {
            self.closed_at = Some(at);
        }
    }
}

use super::{Payment, Return, Shipment};
