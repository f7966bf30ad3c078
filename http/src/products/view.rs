use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use stockade_actors::Engine;
use stockade_domain::{
    ProductId, Quantity, ShopId,
    catalogue::{Attributes, Product, Shop},
};

use super::body::Status;
use utoipa::ToSchema;

use crate::{fields::Texts, money::Money, openapi::kinds, time::Time};

/// A product, as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Product,
    examples(json!({"id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "description": "", "price": "12.50", "currency": "USD", "status": "active", "stock": 65, "available": 62, "shop_ids": [], "attributes": {"colour": "blue"}, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct ProductView<'a> {
    #[schema(value_type = kinds::Id)]
    id: ProductId,
    sku: &'a str,
    name: &'a str,
    description: &'a str,
    price: Money,
    #[schema(value_type = crate::money::Code)]
    currency: &'static str,
    #[schema(value_type = Status)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = kinds::Count, required = true)]
    stock: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = kinds::Count, required = true)]
    available: Option<Quantity>,
    #[schema(value_type = Vec<kinds::Id>)]
    shop_ids: &'a BTreeSet<ShopId>,
    #[schema(value_type = Texts)]
    attributes: &'a Attributes,
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Texts, required = true)]
    metadata: Option<&'a Attributes>,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

impl<'a> ProductView<'a> {
    /// The product with what there is of it, and what can be ordered of it: of `shop`, or of all active warehouses.
    pub(crate) fn of(engine: &Engine, product: &'a Product, shop: Option<&Arc<Shop>>) -> Self {
        Self::with(product, engine.product_stock(product.id, shop))
    }

    /// The product with this on hand and available of it.
    pub(crate) fn with(product: &'a Product, (stock, available): (Quantity, Quantity)) -> Self {
        let (stock, available) = (Some(stock), Some(available));
        Self { stock, available, metadata: Some(&product.metadata), ..Self::told(product) }
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
            stock: None,
            available: None,
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
        self.stock.unwrap_or(0)
    }
}
