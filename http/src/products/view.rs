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
    stock: Quantity,
    available: Quantity,
    shop_ids: &'a BTreeSet<ShopId>,
    attributes: &'a Attributes,
    reference: Option<&'a str>,
    metadata: &'a Attributes,
    created_at: Time,
    updated_at: Time,
    version: u32,
}

impl<'a> ProductView<'a> {
    /// The product with what there is of it, and what can be ordered of it: of `shop`, or of all active warehouses.
    pub(crate) fn of(engine: &Engine, product: &'a Product, shop: Option<&Arc<Shop>>) -> Self {
        let (stock, available) = engine.product_stock(product.id, shop);
        Self {
            id: product.id,
            sku: &product.sku,
            name: &product.name,
            description: &product.description,
            price: Money(product.price, product.currency),
            currency: product.currency.code(),
            status: if product.archived { "archived" } else { "active" },
            stock,
            available,
            shop_ids: &product.shops,
            attributes: &product.attributes,
            reference: product.reference.as_deref(),
            metadata: &product.metadata,
            created_at: Time(product.created_at),
            updated_at: Time(product.updated_at),
            version: product.version,
        }
    }

    /// Units on hand in all warehouses.
    pub(crate) fn stock(&self) -> Quantity {
        self.stock
    }
}
