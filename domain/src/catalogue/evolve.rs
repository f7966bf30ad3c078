use std::sync::Arc;

use super::{Catalogue, CatalogueEvent, Product};

impl Catalogue {
    /// Moves the state by what happened.
    #[doc = include_str!("../../docs/catalogue_evolve.md")]
    pub fn evolve(&mut self, event: &CatalogueEvent) {
        match event {
            CatalogueEvent::ProductCreated { product, .. }
            | CatalogueEvent::ProductUpdated { product, .. }
            | CatalogueEvent::ProductArchived { product } => self.put_product(product),
            CatalogueEvent::ShopCreated(shop) | CatalogueEvent::ShopUpdated(shop) => {
                put(&mut self.shops, shop.id.0, shop);
            }
            CatalogueEvent::WarehouseCreated(warehouse)
            | CatalogueEvent::WarehouseUpdated(warehouse)
            | CatalogueEvent::WarehouseStatusChanged(warehouse) => {
                put(&mut self.warehouses, warehouse.id.0, warehouse);
            }
        }
    }

    fn put_product(&mut self, product: &Arc<Product>) {
        let before = put(&mut self.products, product.id.0, product);
        match before {
            Some(before) if before.sku == product.sku => {}
            before => {
                before.map(|before| self.skus.remove(&before.sku));
                self.skus.insert(product.sku.clone(), product.id);
            }
        }
    }
}

/// Puts a thing in its place: the next free one, or where its earlier version is, which is returned.
fn put<T>(things: &mut Vec<Arc<T>>, id: u64, thing: &Arc<T>) -> Option<Arc<T>> {
    let index = id as usize - 1;
    if index == things.len() {
        things.push(thing.clone());
        return None;
    }
    Some(std::mem::replace(&mut things[index], thing.clone()))
}
