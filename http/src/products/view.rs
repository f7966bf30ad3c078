use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use stockade_actors::Engine;
use stockade_domain::{
    ProductId, Quantity, ShopId,
    catalogue::{Attributes, Product, Shop},
};

use crate::{money::Money, time::Time};

/// A product, as clients read it.
#[derive(Serialize)]
pub(crate) struct ProductView<'a> {
    id: ProductId,
    sku: &'a str,
    name: &'a str,
    description: &'a str,
    price: Money,
    currency: &'static str,
    status: &'static str,
    #[serde(flatten)]
    units: Option<Units>,
    shop_ids: &'a BTreeSet<ShopId>,
    attributes: &'a Attributes,
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Attributes>,
    created_at: Time,
    updated_at: Time,
    version: u32,
}

/// What there is of a product, and what can be ordered of it.
#[derive(Serialize)]
struct Units {
    stock: Quantity,
    available: Quantity,
}

impl<'a> ProductView<'a> {
    /// The product with what there is of it, and what can be ordered of it: of `shop`, or of all active warehouses.
    pub(crate) fn of(engine: &Engine, product: &'a Product, shop: Option<&Arc<Shop>>) -> Self {
        let (stock, available) = engine.product_stock(product.id, shop);
        let units = Some(Units { stock, available });
        Self { units, metadata: Some(&product.metadata), ..Self::told(product) }
    }

    /// The product as its events show it: what there is of it is told by others, and the caller's own data by nobody.
    pub(crate) fn told(product: &'a Product) -> Self {
        Self {
            id: product.id,
            sku: &product.sku,
            name: &product.name,
            description: &product.description,
            price: Money(product.price, product.currency),
            currency: product.currency.code(),
            status: if product.archived { "archived" } else { "active" },
            units: None,
            shop_ids: &product.shops,
            attributes: &product.attributes,
            reference: product.reference.as_deref(),
            metadata: None,
            created_at: Time(product.created_at),
            updated_at: Time(product.updated_at),
            version: product.version,
        }
    }

    /// Units on hand in all warehouses.
    pub(crate) fn stock(&self) -> Quantity {
        self.units.as_ref().map_or(0, |units| units.stock)
    }
}
