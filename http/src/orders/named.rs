use std::sync::Arc;

use stockade_actors::{Engine, Error};
use stockade_domain::{Sequence, catalogue::Product, order::Order};

/// An order, with its products as they are or were called.
pub(crate) struct NamedOrder {
    pub(super) order: Order,
    /// By the order's lines.
    pub(super) products: Vec<Option<Arc<Product>>>,
}

impl NamedOrder {
    /// By the catalogue as it is now.
    pub(crate) fn now(engine: &Engine, order: Order) -> Self {
        let products = names(engine, &order);
        Self { order, products }
    }

    /// By the catalogue as it was then. It may read the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) fn as_of(engine: &Engine, order: Order, at: Sequence) -> Result<Self, Error> {
        let lines = order.placed.lines.iter();
        let products = lines.map(|line| engine.product_as_of(line.product, at));
        Ok(Self { products: products.collect::<Result<_, _>>()?, order })
    }
}

/// The products of an order's lines, as they are now.
pub(super) fn names(engine: &Engine, order: &Order) -> Vec<Option<Arc<Product>>> {
    let catalogue = engine.catalogue();
    order.placed.lines.iter().map(|line| catalogue.product(line.product).cloned()).collect()
}
