use std::collections::BTreeSet;

use super::{Attributes, StockDelta, StockTotal};
use crate::limits::PAYMENT_DEADLINE_MS_DEFAULT;
use crate::{
    Amount, Currency, ProductId, Quantity, ShopId, WarehouseId,
    sourcing::{Rule, Sourcing},
};

/// What can be asked of the catalogue.
#[doc = include_str!("../../docs/catalogue_command.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueCommand {
    /// Create a product.
    CreateProduct(NewProduct),
    /// Change what is named of a product.
    ChangeProduct {
        /// Which.
        id: ProductId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
        /// What changes.
        change: ProductChange,
    },
    /// Take a product off sale.
    ArchiveProduct {
        /// Which.
        id: ProductId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
    },
    /// Create a shop.
    CreateShop(NewShop),
    /// Change what is named of a shop.
    ChangeShop {
        /// Which.
        id: ShopId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
        /// What changes.
        change: ShopChange,
    },
    /// Create a warehouse.
    CreateWarehouse(NewWarehouse),
    /// Change what is named of a warehouse.
    ChangeWarehouse {
        /// Which.
        id: WarehouseId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
        /// What changes.
        change: WarehouseChange,
    },
}

/// A product to be.
#[doc = include_str!("../../docs/new_product.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// Unique; made up when absent.
    pub sku: Option<String>,
    /// What people read.
    pub name: String,
    /// What people read next.
    pub description: String,
    /// Of one unit, in minor units.
    pub price: Amount,
    /// The price's currency.
    pub currency: Currency,
    /// Which shops sell it; none named means every shop.
    pub shops: BTreeSet<ShopId>,
    /// What it is like.
    pub attributes: Attributes,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The caller's own data.
    pub metadata: Attributes,
    /// Units it is created with, and where.
    pub opening: Option<(WarehouseId, Quantity)>,
}

/// A change of a product; what is absent stays.
#[doc = include_str!("../../docs/product_change.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductChange {
    /// A new sku.
    pub sku: Option<String>,
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new price, in minor units.
    pub price: Option<Amount>,
    /// A new currency.
    pub currency: Option<Currency>,
    /// Which shops sell it from now on.
    pub shops: Option<BTreeSet<ShopId>>,
    /// What it is like.
    pub attributes: Option<Attributes>,
    /// The caller's own name for it; `Some(None)` removes it.
    pub reference: Option<Option<String>>,
    /// The caller's own data.
    pub metadata: Option<Attributes>,
    /// Archived, or back on sale.
    pub archived: Option<bool>,
    /// A correction of its stock; a negative one holds only after its minus was taken there.
    pub recount: Option<StockDelta>,
    /// The total of its stock: [`Catalogue::counting`](super::Catalogue::counting) decides it, with what its stocks know.
    pub total: Option<StockTotal>,
}

/// A shop to be.
#[doc = include_str!("../../docs/new_shop.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShop {
    /// What people read.
    pub name: String,
    /// Its currency.
    pub currency: Currency,
    /// How long its orders may stay unpaid, in milliseconds.
    pub payment_deadline_ms: u64,
    /// How its warehouses are chosen.
    pub sourcing: Sourcing,
    /// Which warehouses it draws from; `None` means every one.
    pub warehouses: Option<Vec<WarehouseId>>,
}

/// A change of a shop; what is absent stays.
#[doc = include_str!("../../docs/shop_change.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopChange {
    /// A new name.
    pub name: Option<String>,
    /// A new currency.
    pub currency: Option<Currency>,
    /// A new payment deadline, in milliseconds.
    pub payment_deadline_ms: Option<u64>,
    /// Another rule by which warehouses are chosen.
    pub rule: Option<Rule>,
    /// Whether one line may come from several warehouses.
    pub split_lines: Option<bool>,
    /// Other warehouses, in order; an empty list means every one again.
    pub warehouses: Option<Vec<WarehouseId>>,
}

/// A warehouse to be.
#[doc = include_str!("../../docs/new_warehouse.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewWarehouse {
    /// What people read.
    pub name: String,
    /// ISO 3166 letters of its country.
    pub country: Option<String>,
    /// Where it is: (degrees north, degrees east), in millionths.
    pub place_e6: Option<(i32, i32)>,
}

/// A change of a warehouse; what is absent stays.
#[doc = include_str!("../../docs/warehouse_change.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarehouseChange {
    /// A new name.
    pub name: Option<String>,
    /// Another country; `Some(None)` removes it.
    pub country: Option<Option<String>>,
    /// Degrees north, in millionths; `Some(None)` removes it.
    pub latitude_e6: Option<Option<i32>>,
    /// Degrees east, in millionths; `Some(None)` removes it. Half a place is refused.
    pub longitude_e6: Option<Option<i32>>,
    /// Open or closed for new reservations.
    pub active: Option<bool>,
}

impl NewProduct {
    /// A product with a name and a price, and nothing else.
    #[doc = include_str!("../../docs/new_product_new.md")]
    pub fn new(name: impl Into<String>, price: Amount, currency: Currency) -> Self {
        Self {
            sku: None,
            name: name.into(),
            description: String::new(),
            price,
            currency,
            shops: BTreeSet::new(),
            attributes: Attributes::new(),
            reference: None,
            metadata: Attributes::new(),
            opening: None,
        }
    }
}

impl NewShop {
    /// A shop with a name and a currency, that draws from every warehouse by the default rule.
    #[doc = include_str!("../../docs/new_shop_new.md")]
    pub fn new(name: impl Into<String>, currency: Currency) -> Self {
        Self {
            name: name.into(),
            currency,
            payment_deadline_ms: PAYMENT_DEADLINE_MS_DEFAULT,
            sourcing: Sourcing::default(),
            warehouses: None,
        }
    }
}
