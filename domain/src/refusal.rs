use thiserror::Error;

use crate::{
    Amount, Currency, OrderId, ProductId, Quantity, ReservationId, Timestamp, TransferId,
    WarehouseId, order::Status,
};

/// Why a command had no effect. A value, not an exception: every one names what was wrong, and nothing has changed.
#[doc = include_str!("../docs/refusal.md")]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A field of the command is out of its range or shape.
    #[error("{field}: {detail}")]
    Invalid {
        /// Path of the field, such as `lines/0/quantity`.
        field: String,
        /// What was wrong and what would be right.
        detail: String,
    },
    /// The thing a command is for, or names, does not exist.
    #[error("{kind} {id} does not exist")]
    NotFound {
        /// `product`, `order`, …
        kind: &'static str,
        /// Its id.
        id: u64,
    },
    /// Some lines cannot be had.
    #[error("insufficient stock: {}", list(.0))]
    InsufficientStock(Vec<Shortage>),
    /// The warehouse takes no new reservations.
    #[error("warehouse {0} is inactive")]
    WarehouseInactive(WarehouseId),
    /// The product is archived.
    #[error("product {0} is archived")]
    ProductArchived(ProductId),
    /// The shop does not sell the product.
    #[error("product {0} is not sold by this shop")]
    ProductNotSoldHere(ProductId),
    /// The product's price is in another currency than the shop's.
    #[error("product {product} is priced in {found}, the shop sells in {wanted}")]
    CurrencyMismatch {
        /// Which product.
        product: ProductId,
        /// Its currency.
        found: Currency,
        /// The shop's.
        wanted: Currency,
    },
    /// A sum would not fit.
    #[error("{0} is too large")]
    AmountTooLarge(&'static str),
    /// Another product has this sku.
    #[error("sku {0:?} is taken")]
    SkuTaken(String),
    /// The thing changed since the version that the caller saw.
    #[error("the present version is {current}, not {expected}")]
    VersionConflict {
        /// What the caller expected.
        expected: u32,
        /// What it is.
        current: u32,
    },
    /// There is another total of a product than the caller saw.
    #[error("there are {there} units of product {product} now, not {seen}")]
    StockChanged {
        /// Which product.
        product: ProductId,
        /// What the caller saw.
        seen: Quantity,
        /// What there is.
        there: Quantity,
    },
    /// Another payment of the order has this reference.
    #[error("the payment with the reference {reference:?} is of another {differs}")]
    ReferenceTaken {
        /// The reference.
        reference: String,
        /// What the two have not in common: `amount` or `method`.
        differs: &'static str,
    },
    /// The order can no longer be paid.
    #[error("the order is {}, it cannot be paid", .0.name())]
    OrderNotPayable(Status),
    /// Nothing is due.
    #[error("the order is already paid")]
    OrderAlreadyPaid,
    /// The payment or the refund is not within 1 and what is due.
    #[error("the amount must be above zero and at most the {due} minor units due")]
    Overpayment {
        /// What is due, in minor units.
        due: Amount,
    },
    /// The order's state does not allow the step.
    #[error("an order that is {} cannot be {action}", .from.name())]
    IllegalTransition {
        /// The order's status.
        from: Status,
        /// What was asked: `shipped`, `cancelled`, …
        action: &'static str,
        /// What is allowed instead.
        allowed: Vec<&'static str>,
    },
    /// The reservation ended by its deadline.
    #[error("reservation {0} has expired")]
    ReservationExpired(ReservationId),
    /// The reservation was released.
    #[error("reservation {0} was released")]
    ReservationReleased(ReservationId),
    /// An order that is being placed has asked for the reservation: it will be the order's, or free again. Ask again then.
    #[error("reservation {0} is being taken over by an order")]
    ReservationClaimed(ReservationId),
    /// The reservation became an order.
    #[error("reservation {reservation} belongs to order {order}")]
    ReservationConverted {
        /// Which reservation.
        reservation: ReservationId,
        /// Which order.
        order: OrderId,
    },
    /// Too many live holds of one customer on one product, or of one owner.
    #[error("too many live reservations")]
    TooManyHolds,
    /// The transfer is finished.
    #[error("transfer {0} is closed")]
    TransferClosed(TransferId),
    /// Another account has this e-mail address.
    #[error("this e-mail address is taken")]
    EmailTaken,
    /// Another account has this username.
    #[error("this username is taken")]
    UsernameTaken,
    /// Nobody else could give anybody a role any more.
    #[error("the last admin must stay admin")]
    LastAdmin,
    /// A refresh token was used before: its session has ended now.
    #[error("the refresh token was used before; its session has ended")]
    RefreshTokenReused,
    /// No such session runs.
    #[error("the session has ended")]
    SessionEnded,
    /// There are as many API keys as there may be.
    #[error("there are {0} API keys, the most there may be: revoke one first")]
    TooManyApiKeys(usize),
}

/// One demand that could not be met.
#[doc = include_str!("../docs/shortage.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Which product.
    pub product: ProductId,
    /// In which warehouse, when only one was asked.
    pub warehouse: Option<WarehouseId>,
    /// How many were wanted.
    pub wanted: Quantity,
    /// How many there are for this demand.
    pub available: Quantity,
    /// When more may come free, where that is known: the earliest deadline of a reservation in the way.
    pub frees_at: Option<Timestamp>,
}

impl Refusal {
    /// A refusal of the field at `field`.
    #[doc = include_str!("../docs/refusal_invalid.md")]
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), detail: detail.into() }
    }
}

fn list(shortages: &[Shortage]) -> String {
    let mut text = String::new();
    for Shortage { product, wanted, available, .. } in shortages.iter().take(10) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&format!("product {product}: {wanted} wanted, {available} available"));
    }
    if shortages.len() > 10 {
        text.push_str(&format!(", and {} more", shortages.len() - 10));
    }
    text
}

/// Checks that `text` is at most `max` bytes, not blank, and without control characters.
pub(crate) fn check_text(field: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::invalid(field, "must not be empty"));
    }
    check_characters(field, text, max, char::is_control)
}

/// Like [`check_text`], but may be empty and hold line breaks.
pub(crate) fn check_optional_text(field: &str, text: &str, max: usize) -> Result<(), Refusal> {
    check_characters(field, text, max, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn check_characters(
    field: &str,
    text: &str,
    max: usize,
    forbidden: impl Fn(char) -> bool,
) -> Result<(), Refusal> {
    if text.len() > max {
        return Err(Refusal::invalid(field, format!("must be at most {max} bytes")));
    }
    if text.chars().any(forbidden) {
        return Err(Refusal::invalid(field, "must not hold control characters"));
    }
    Ok(())
}

/// Checks that a number of units, perhaps none, is at most `max`.
pub(crate) fn check_units(field: &str, units: Quantity, max: Quantity) -> Result<(), Refusal> {
    if units > max {
        return Err(Refusal::invalid(field, format!("must be from 0 to {max}")));
    }
    Ok(())
}

/// Checks that `quantity` is from 1 to the largest quantity of one line.
pub(crate) fn check_quantity(
    field: impl FnOnce() -> String,
    quantity: Quantity,
) -> Result<(), Refusal> {
    let max = crate::limits::QUANTITY_MAX;
    if quantity == 0 || quantity > max {
        return Err(Refusal::invalid(field(), format!("must be from 1 to {max}")));
    }
    Ok(())
}
