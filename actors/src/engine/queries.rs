use std::sync::Arc;

use parking_lot::RwLockReadGuard;
use stockade_domain::{
    OrderId, ProductId, Quantity, ReservationId, StockKey, TransferId,
    catalogue::{Catalogue, Shop},
    holder::Hold,
    order::{Order, PlaceOrder},
    sourcing::{Plan, plan, use_held},
    transfer::Transfer,
};

use super::Engine;
use crate::{Error, OrderFilter, StockFilter, StockRow};

/// The catalogue as it is now. It is a held lock: look, copy what you need, and drop it, never across an await.
pub struct CatalogueView<'a>(RwLockReadGuard<'a, Catalogue>);

impl std::ops::Deref for CatalogueView<'_> {
    type Target = Catalogue;

    fn deref(&self) -> &Catalogue {
        &self.0
    }
}

/// Queries see everything that was answered before they were asked.
impl Engine {
    /// Products, shops and warehouses.
    #[must_use]
    pub fn catalogue(&self) -> CatalogueView<'_> {
        CatalogueView(self.shared().read.catalogue.read_recursive())
    }

    /// What a product has: (on hand in all warehouses, what can be ordered of a shop or, without one, of all active ones).
    #[must_use]
    pub fn product_stock(
        &self,
        product: ProductId,
        shop: Option<&Arc<Shop>>,
    ) -> (Quantity, Quantity) {
        self.shared().read.product_stock(product, shop)
    }

    /// One stock's counts; a stock that nothing happened to yet is empty.
    #[must_use]
    pub fn stock(&self, key: StockKey) -> StockRow {
        self.shared().read.stock_row(key)
    }

    /// Up to `limit` stocks after `after`, by product and warehouse.
    #[must_use]
    pub fn stocks(
        &self,
        filter: StockFilter,
        after: Option<StockKey>,
        limit: usize,
    ) -> Vec<StockRow> {
        self.shared().read.stock_rows(filter, after, limit)
    }

    /// An order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        self.shared().read.orders.with(id.0, |order| order.now.clone())
    }

    /// Up to `limit` orders with an id above `after`, by id.
    #[must_use]
    pub fn orders(&self, filter: &OrderFilter, after: u64, limit: usize) -> Vec<Order> {
        self.shared().read.orders_after(filter, after, limit)
    }

    /// A hold.
    #[must_use]
    pub fn reservation(&self, id: ReservationId) -> Option<Hold> {
        self.shared().read.holds.with(id.0, |hold| hold.now.clone())
    }

    /// Up to `limit` holds with an id above `after` that fit, by id.
    #[must_use]
    pub fn reservations(
        &self,
        after: u64,
        limit: usize,
        fits: impl Fn(&Hold) -> bool,
    ) -> Vec<Hold> {
        let mut found = Vec::new();
        self.shared().read.holds.visit(after, |_, hold| {
            if found.len() < limit && fits(&hold.now) {
                found.push(hold.now.clone());
            }
            found.len() < limit
        });
        found
    }

    /// A transfer.
    #[must_use]
    pub fn transfer_of(&self, id: TransferId) -> Option<Transfer> {
        self.shared().read.transfers.with(id.0, |transfer| transfer.now.clone())
    }

    /// Up to `limit` transfers with an id above `after` that fit, by id.
    #[must_use]
    pub fn transfers(
        &self,
        after: u64,
        limit: usize,
        fits: impl Fn(&Transfer) -> bool,
    ) -> Vec<Transfer> {
        let mut found = Vec::new();
        self.shared().read.transfers.visit(after, |_, transfer| {
            if found.len() < limit && fits(&transfer.now) {
                found.push(transfer.now.clone());
            }
            found.len() < limit
        });
        found
    }

    /// Which warehouse would give what of an order, or what is short: the same planner that allocates, with nothing reserved.
    ///
    /// # Errors
    /// The refusals that placing it would meet before any stock is asked.
    pub fn plan(&self, request: &PlaceOrder) -> Result<Plan, Error> {
        let read = &self.shared().read;
        let quote = request.quote(&read.catalogue.read(), read.catalogue_at())?;
        let held: Vec<_> = request
            .reservations
            .iter()
            .filter_map(|id| self.reservation(*id))
            .flat_map(|hold| hold.held().collect::<Vec<_>>())
            .collect();
        let (allocations, demands) = use_held(&quote.wanted(), &held);
        let mut available = |key| read.available(key);
        let mut planned = plan(quote.sourcing, &quote.candidates, &demands, &mut available);
        planned.allocations.splice(0..0, allocations);
        Ok(planned)
    }
}
