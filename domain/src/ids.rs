use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the journal: events are numbered in the order in which they were appended.
#[doc = include_str!("../docs/sequence.md")]
pub type Sequence = u64;

/// The number of a workflow of one owner. An owner counts its workflows, so that (owner, step) names one of them for ever:
/// two part shipments of one order are two steps.
#[doc = include_str!("../docs/step.md")]
pub type Step = u32;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A product of the catalogue.
    #[doc = include_str!("../docs/product_id.md")]
    ProductId,
    /// A shop: what sells, in one currency.
    #[doc = include_str!("../docs/shop_id.md")]
    ShopId,
    /// A warehouse: where stock is.
    #[doc = include_str!("../docs/warehouse_id.md")]
    WarehouseId,
    /// An order.
    #[doc = include_str!("../docs/order_id.md")]
    OrderId,
    /// A reservation without an order (a hold).
    #[doc = include_str!("../docs/reservation_id.md")]
    ReservationId,
    /// A transfer of stock between two warehouses.
    #[doc = include_str!("../docs/transfer_id.md")]
    TransferId,
    /// An adjustment of one or many stocks.
    #[doc = include_str!("../docs/adjustment_id.md")]
    AdjustmentId,
    /// A customer.
    #[doc = include_str!("../docs/customer_id.md")]
    CustomerId,
    /// A signed-in device.
    #[doc = include_str!("../docs/session_id.md")]
    SessionId,
    /// A key by which a machine signs in.
    #[doc = include_str!("../docs/api_key_id.md")]
    ApiKeyId,
    /// Where in the keyring the key of an account is.
    #[doc = include_str!("../docs/key_slot.md")]
    KeySlot,
}

/// Who did something.
#[doc = include_str!("../docs/who.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Who {
    /// A customer, for themselves.
    Customer(CustomerId),
    /// A person with an account.
    Account(u64),
    /// A program with an API key.
    ApiKey(u64),
}

/// One stock: one product in one warehouse.
#[doc = include_str!("../docs/stock_key.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StockKey {
    /// Of which product.
    pub product: ProductId,
    /// In which warehouse.
    pub warehouse: WarehouseId,
}

impl StockKey {
    /// The stock of `product` in `warehouse`.
    #[doc = include_str!("../docs/stock_key_new.md")]
    #[must_use]
    pub fn new(warehouse: WarehouseId, product: ProductId) -> Self {
        Self { product, warehouse }
    }
}

impl fmt::Display for StockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "product {} in warehouse {}", self.product, self.warehouse)
    }
}

/// Who owns a workflow, and under which key a stock keeps a reservation.
///
/// Kind and id are packed into one word (`id * 8 + kind`): a live reservation is a map entry of two words, and a small
/// number stays small in the journal.
#[doc = include_str!("../docs/owner.md")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(u64);

/// The kinds of owner.
#[doc = include_str!("../docs/owner_kind.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OwnerKind {
    /// An order.
    Order,
    /// A reservation without an order.
    Hold,
    /// A transfer.
    Transfer,
    /// An adjustment.
    Adjustment,
    /// A product, for the stock it is created or replaced with.
    Product,
}

impl Owner {
    fn pack(kind: u64, id: u64) -> Self {
        Self(id << 3 | kind)
    }

    /// The order `id` as an owner.
    #[doc = include_str!("../docs/owner_order.md")]
    #[must_use]
    pub fn order(id: OrderId) -> Self {
        Self::pack(0, id.0)
    }

    /// The hold `id` as an owner.
    #[doc = include_str!("../docs/owner_hold.md")]
    #[must_use]
    pub fn hold(id: ReservationId) -> Self {
        Self::pack(1, id.0)
    }

    /// The transfer `id` as an owner.
    #[doc = include_str!("../docs/owner_transfer.md")]
    #[must_use]
    pub fn transfer(id: TransferId) -> Self {
        Self::pack(2, id.0)
    }

    /// The adjustment `id` as an owner.
    #[doc = include_str!("../docs/owner_adjustment.md")]
    #[must_use]
    pub fn adjustment(id: AdjustmentId) -> Self {
        Self::pack(3, id.0)
    }

    /// The product `id` as an owner.
    #[doc = include_str!("../docs/owner_product.md")]
    #[must_use]
    pub fn product(id: ProductId) -> Self {
        Self::pack(4, id.0)
    }

    /// Which kind of owner this is.
    #[doc = include_str!("../docs/owner_kind_of.md")]
    #[must_use]
    pub fn kind(self) -> OwnerKind {
        match self.0 & 7 {
            0 => OwnerKind::Order,
            1 => OwnerKind::Hold,
            2 => OwnerKind::Transfer,
            3 => OwnerKind::Adjustment,
            _ => OwnerKind::Product,
        }
    }

    /// The id within its kind.
    #[doc = include_str!("../docs/owner_id.md")]
    #[must_use]
    pub fn id(self) -> u64 {
        self.0 >> 3
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind() {
            OwnerKind::Order => "order",
            OwnerKind::Hold => "reservation",
            OwnerKind::Transfer => "transfer",
            OwnerKind::Adjustment => "adjustment",
            OwnerKind::Product => "product",
        };
        write!(f, "{kind} {}", self.id())
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
