mod product;
mod shop;
mod warehouse;

use super::{
    Catalogue, CatalogueCommand, CatalogueEvent, NewProduct, NewShop, NewWarehouse, ProductChange,
    ShopChange, StockDelta, WarehouseChange,
};
use crate::{
    ProductId, Refusal, ShopId, Timestamp, WarehouseId,
    sourcing::{Rule, Sourcing},
    testing::{self, Aggregate, Given, NOW, given, shop, warehouse},
};

use CatalogueCommand as C;

impl Aggregate for Catalogue {
    type Command = CatalogueCommand;
    type Event = CatalogueEvent;

    fn replay(events: &[CatalogueEvent]) -> Self {
        let mut catalogue = Self::default();
        events.iter().for_each(|event| catalogue.evolve(event));
        catalogue
    }

    fn ask(&self, command: &C, at: Timestamp) -> Result<Vec<CatalogueEvent>, Refusal> {
        self.decide(command, at).map(|event| event.into_iter().collect())
    }

    fn apply(&mut self, event: &CatalogueEvent) {
        self.evolve(event);
    }
}

/// Warehouses 1 and 2, shop 1, product 1 ("P1") and product 2 ("blue").
fn world() -> Given<Catalogue> {
    given::<Catalogue>([])
        .and(C::CreateWarehouse(warehouse("north", None)))
        .and(C::CreateWarehouse(warehouse("south", None)))
        .and(C::CreateShop(shop(Sourcing::default(), None)))
        .and(C::CreateProduct(named("one")))
        .and(C::CreateProduct(NewProduct { sku: Some("blue".into()), ..named("two") }))
}

fn named(name: &str) -> NewProduct {
    testing::product(name, 100)
}

fn change(id: u64, change: ProductChange) -> C {
    C::ChangeProduct { id: ProductId(id), expected: None, change }
}

fn archive(id: u64) -> C {
    C::ArchiveProduct { id: ProductId(id), expected: None }
}

fn not_found(kind: &'static str, id: u64) -> Refusal {
    Refusal::NotFound { kind, id }
}

fn too_long(max: usize) -> String {
    "x".repeat(max + 1)
}
