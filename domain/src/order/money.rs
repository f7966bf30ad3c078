use super::{Order, Status};
use crate::Amount;

// One rule for all money: what is owed is what was neither cancelled nor returned; what was paid beyond it, and not yet paid
// back, is due to be refunded. Every payment, cancellation, expiry and return goes through it.
impl Order {
    /// What the customer owes in all, in minor units: the price of everything neither cancelled nor returned.
    #[doc = include_str!("../../docs/order_owed.md")]
    #[must_use]
    pub fn owed(&self) -> Amount {
        let mut owed = self.placed.total();
        for (allocation, progress) in self.placed.allocations.iter().zip(&self.progress) {
            let price = self.placed.lines[allocation.line as usize].unit_price;
            owed -= price * (progress.cancelled + progress.returned) as Amount;
        }
        owed
    }

    /// What is still to be paid, in minor units; nothing once the order is paid, cancelled or expired.
    #[doc = include_str!("../../docs/order_due.md")]
    #[must_use]
    pub fn due(&self) -> Amount {
        match self.status {
            Status::PendingPayment => (self.owed() - self.paid_amount).max(0),
            _ => 0,
        }
    }

    /// What was paid beyond what is owed and not yet paid back, in minor units.
    #[doc = include_str!("../../docs/order_refund_due.md")]
    #[must_use]
    pub fn refund_due(&self) -> Amount {
        (self.paid_amount - self.owed()).max(0) - self.refunded_amount
    }
}
