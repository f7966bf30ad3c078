use std::sync::Arc;

use parking_lot::RwLockReadGuard;
use stockade_domain::{
    AdjustmentId, OrderId, ProductId, Quantity, ReservationId, StockKey, TransferId,
    adjustment::AdjustmentEvent,
    catalogue::{Catalogue, Shop},
    holder::{Hold, Source},
    order::{Order, PlaceOrder},
    sourcing::Plan,
    transfer::Transfer,
};

use super::{Engine, frees::Frees};
use crate::{Error, OrderFilter, Reserved, StockFilter, StockRow, workflow::dry_run};

/// The catalogue as it is now. It is a held lock: look, copy what you need, and drop it, never across an await.
#[doc = include_str!("../../docs/catalogue_view.md")]
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
    #[doc = include_str!("../../docs/catalogue.md")]
    #[must_use]
    pub fn catalogue(&self) -> CatalogueView<'_> {
        CatalogueView(self.shared().read.catalogue.read_recursive())
    }

    /// What a product has: (on hand in all warehouses, what can be ordered of a shop or, without one, of all active ones).
    #[doc = include_str!("../../docs/product_stock.md")]
    #[must_use]
    pub fn product_stock(
        &self,
        product: ProductId,
        shop: Option<&Arc<Shop>>,
    ) -> (Quantity, Quantity) {
        self.shared().read.product_stock(product, shop)
    }

    /// One stock's counts; a stock that nothing happened to yet is empty.
    #[doc = include_str!("../../docs/stock.md")]
    #[must_use]
    pub fn stock(&self, key: StockKey) -> StockRow {
        self.shared().read.stock_row(key)
    }

    /// Up to `limit` stocks after `after`, by product and warehouse.
    #[doc = include_str!("../../docs/stocks.md")]
    #[must_use]
    pub fn stocks(
        &self,
        filter: StockFilter,
        after: Option<StockKey>,
        limit: usize,
    ) -> Vec<StockRow> {
        self.shared().read.stock_rows(filter, after, limit)
    }

    /// Who has the reserved units of a stock, up to `limit` of them, the newest first, and when they are free again. It looks at
    /// every reservation of the stock.
    #[doc = include_str!("../../docs/reserved.md")]
    #[must_use]
    pub fn reserved(&self, key: StockKey, limit: usize) -> Reserved {
        self.shared().read.reserved(key, limit)
    }

    /// Why stock was corrected, and the caller's own name for it.
    #[doc = include_str!("../../docs/adjustment.md")]
    #[must_use]
    pub fn adjustment(&self, id: AdjustmentId) -> Option<AdjustmentEvent> {
        self.shared().read.adjustments.with(id.0, Clone::clone)
    }

    /// An order.
    #[doc = include_str!("../../docs/order.md")]
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        self.shared().read.orders.with(id.0, |order| order.now.clone())
    }

    /// Up to `limit` orders with an id above `after`, by id.
    #[doc = include_str!("../../docs/orders.md")]
    #[must_use]
    pub fn orders(&self, filter: &OrderFilter, after: u64, limit: usize) -> Vec<Order> {
        self.shared().read.orders_after(filter, after, limit)
    }

    /// A hold.
    #[doc = include_str!("../../docs/reservation.md")]
    #[must_use]
    pub fn reservation(&self, id: ReservationId) -> Option<Hold> {
        self.shared().read.holds.with(id.0, |hold| hold.now.clone())
    }

    /// Up to `limit` holds with an id above `after` that fit, by id.
    #[doc = include_str!("../../docs/reservations.md")]
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
    #[doc = include_str!("../../docs/transfer_of.md")]
    #[must_use]
    pub fn transfer_of(&self, id: TransferId) -> Option<Transfer> {
        self.shared().read.transfers.with(id.0, |transfer| transfer.now.clone())
    }

    /// Up to `limit` transfers with an id above `after` that fit, by id.
    #[doc = include_str!("../../docs/transfers.md")]
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

    /// Which warehouse would give what of an order, or what is short: by the same checks and the same planner as placing it, with
    /// nothing reserved. While nothing else happens, it is complete exactly when placing the order would succeed.
    ///
    /// # Errors
    /// The refusals that placing it would meet before any stock is asked, those of its reservations among them.
    #[doc = include_str!("../../docs/plan.md")]
    pub fn plan(&self, request: &PlaceOrder) -> Result<Plan, Error> {
        let mut planned = dry_run(self.shared(), request.clone())?;
        Frees::new(self).fill(&mut planned.shortages, Source::Shop(request.shop));
        Ok(planned)
    }
}
