//! The catalogue: products, shops and warehouses. One aggregate, because a sku must be unique among all products, and a shop
//! may name only warehouses that exist.
#![doc = include_str!("../../docs/catalogue_module.md")]

mod command;
mod decide;
mod evolve;
#[cfg(test)]
mod tests;
mod total;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{
    Amount, Currency, ProductId, Quantity, Refusal, ShopId, Step, StockKey, Timestamp, WarehouseId,
    sourcing::Sourcing,
};

pub use command::{
    CatalogueCommand, NewProduct, NewShop, NewWarehouse, ProductChange, ShopChange, WarehouseChange,
};
pub(crate) use decide::{check_attributes, check_deadline, check_place, check_version};
pub use total::{Counting, StockTotal};

/// Short texts by name.
#[doc = include_str!("../../docs/attributes.md")]
pub type Attributes = BTreeMap<Box<str>, Box<str>>;

/// A product.
#[doc = include_str!("../../docs/product.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The merchant's name for it, unique, upper and lower case told apart.
    pub sku: Box<str>,
    /// What people read.
    pub name: Box<str>,
    /// What people read next.
    pub description: Box<str>,
    /// Of one unit, in minor units of the currency.
    pub price: Amount,
    /// The price's currency.
    pub currency: Currency,
    /// Which shops sell it; none named means every shop.
    pub shops: BTreeSet<ShopId>,
    /// What it is like.
    pub attributes: Attributes,
    /// The caller's own name for it.
    pub reference: Option<Box<str>>,
    /// The caller's own data.
    pub metadata: Attributes,
    /// Whether it can be ordered.
    pub archived: bool,
    /// Counts its events.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A shop: what sells, in one currency.
#[doc = include_str!("../../docs/shop_type.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shop {
    /// Its id.
    pub id: ShopId,
    /// What people read.
    pub name: Box<str>,
    /// Every amount of its orders is in it.
    pub currency: Currency,
    /// How long its orders may stay unpaid, in milliseconds.
    pub payment_deadline_ms: u64,
    /// How its warehouses are chosen.
    pub sourcing: Sourcing,
    /// Which warehouses it draws from, in this order; `None` means every one, in id order.
    pub warehouses: Option<Vec<WarehouseId>>,
    /// Counts its events.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A warehouse: where stock is.
#[doc = include_str!("../../docs/warehouse_type.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    /// Its id.
    pub id: WarehouseId,
    /// What people read.
    pub name: Box<str>,
    /// ISO 3166 letters of its country.
    pub country: Option<Box<str>>,
    /// Where it is: (degrees north, degrees east), in millionths.
    pub place_e6: Option<(i32, i32)>,
    /// Whether new reservations draw from it.
    pub active: bool,
    /// Counts its events.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What happened in the catalogue. Each event carries the whole thing as it is now: catalogues are read far more than written.
#[doc = include_str!("../../docs/catalogue_event.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CatalogueEvent {
    /// A product was created; gives its opening stock.
    ProductCreated {
        /// As it is now.
        product: Arc<Product>,
        /// Units it is created with.
        opening: Option<(StockKey, Quantity)>,
    },
    /// A product was changed; adopts the minus taken, or gives the plus, when its stock was counted with it.
    ProductUpdated {
        /// As it is now.
        product: Arc<Product>,
        /// How its total was corrected.
        recount: Option<StockDelta>,
    },
    /// A product was archived.
    ProductArchived {
        /// As it is now.
        product: Arc<Product>,
    },
    /// A shop was created.
    ShopCreated(Arc<Shop>),
    /// A shop was changed.
    ShopUpdated(Arc<Shop>),
    /// A warehouse was created.
    WarehouseCreated(Arc<Warehouse>),
    /// A warehouse was changed.
    WarehouseUpdated(Arc<Warehouse>),
    /// A warehouse was opened or closed for new reservations.
    WarehouseStatusChanged(Arc<Warehouse>),
}

/// Units added to, or taken off, one stock.
#[doc = include_str!("../../docs/stock_delta.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockDelta {
    /// Where.
    pub stock: StockKey,
    /// How many more (or, negative, fewer).
    pub delta: i64,
}

/// The state of the catalogue.
#[doc = include_str!("../../docs/catalogue_type.md")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    // Ids are given in order from 1 and nothing is ever removed, so an id is an index: a price is one look away.
    products: Vec<Arc<Product>>,
    shops: Vec<Arc<Shop>>,
    warehouses: Vec<Arc<Warehouse>>,
    skus: FxHashMap<Box<str>, ProductId>,
}

impl Product {
    /// The step of the workflow that made this version: every version is one workflow of the product.
    #[doc = include_str!("../../docs/product_step.md")]
    #[must_use]
    pub fn step(&self) -> Step {
        self.version
    }
}

impl Catalogue {
    /// The product `id`, archived or not.
    #[doc = include_str!("../../docs/catalogue_product.md")]
    #[must_use]
    pub fn product(&self, id: ProductId) -> Option<&Arc<Product>> {
        at(&self.products, id.0)
    }

    /// The product with this sku.
    #[doc = include_str!("../../docs/product_by_sku.md")]
    #[must_use]
    pub fn product_by_sku(&self, sku: &str) -> Option<&Arc<Product>> {
        self.skus.get(sku).and_then(|id| self.product(*id))
    }

    /// Products with an id above `after`, by id.
    #[doc = include_str!("../../docs/products_after.md")]
    pub fn products_after(&self, after: u64) -> impl Iterator<Item = &Arc<Product>> {
        beyond(&self.products, after)
    }

    /// The shop `id`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    #[doc = include_str!("../../docs/catalogue_shop.md")]
    pub fn shop(&self, id: ShopId) -> Result<&Arc<Shop>, Refusal> {
        at(&self.shops, id.0).ok_or(Refusal::NotFound { kind: "shop", id: id.0 })
    }

    /// Shops with an id above `after`, by id.
    #[doc = include_str!("../../docs/shops_after.md")]
    pub fn shops_after(&self, after: u64) -> impl Iterator<Item = &Arc<Shop>> {
        beyond(&self.shops, after)
    }

    /// The warehouse `id`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    #[doc = include_str!("../../docs/catalogue_warehouse.md")]
    pub fn warehouse(&self, id: WarehouseId) -> Result<&Arc<Warehouse>, Refusal> {
        at(&self.warehouses, id.0).ok_or(Refusal::NotFound { kind: "warehouse", id: id.0 })
    }

    /// Warehouses with an id above `after`, by id.
    #[doc = include_str!("../../docs/warehouses_after.md")]
    pub fn warehouses_after(&self, after: u64) -> impl Iterator<Item = &Arc<Warehouse>> {
        beyond(&self.warehouses, after)
    }

    /// The warehouses that new reservations of a shop draw from, in its order.
    #[doc = include_str!("../../docs/sources.md")]
    pub fn sources<'a>(&'a self, shop: &'a Shop) -> impl Iterator<Item = &'a Arc<Warehouse>> {
        let listed = shop.warehouses.as_deref().unwrap_or_default();
        let listed = listed.iter().filter_map(|id| at(&self.warehouses, id.0));
        let all = self.warehouses.iter().filter(|_| shop.warehouses.is_none());
        listed.chain(all).filter(|warehouse| warehouse.active)
    }

    /// A product that can be ordered from `shop` now.
    ///
    /// # Errors
    /// It does not exist, is archived, is not sold there, or is priced in another currency.
    #[doc = include_str!("../../docs/sellable.md")]
    pub fn sellable(&self, id: ProductId, shop: &Shop) -> Result<&Arc<Product>, Refusal> {
        let product = self.product(id).ok_or(Refusal::NotFound { kind: "product", id: id.0 })?;
        if product.archived {
            return Err(Refusal::ProductArchived(id));
        }
        if !product.shops.is_empty() && !product.shops.contains(&shop.id) {
            return Err(Refusal::ProductNotSoldHere(id));
        }
        if product.currency != shop.currency {
            let (found, wanted) = (product.currency, shop.currency);
            return Err(Refusal::CurrencyMismatch { product: id, found, wanted });
        }
        Ok(product)
    }
}

/// The thing with this id, among things that are numbered from 1.
fn at<T>(things: &[Arc<T>], id: u64) -> Option<&Arc<T>> {
    things.get(usize::try_from(id.checked_sub(1)?).ok()?)
}

/// The things with an id above `after`.
fn beyond<T>(things: &[Arc<T>], after: u64) -> std::slice::Iter<'_, Arc<T>> {
    things.get(usize::try_from(after).unwrap_or(usize::MAX)..).unwrap_or_default().iter()
}
