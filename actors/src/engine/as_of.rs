//! What was at a position of the journal, or at a moment.

use std::sync::Arc;

use stockade_domain::{
    Event, ProductId, Quantity, Sequence, StockKey, Timestamp, catalogue::Product,
};

use super::Engine;
use crate::{CatalogueThing, Error, StockRow, feed, workflow};

impl Engine {
    /// The last event that was committed at or before a moment; 0 before the first. It blocks while it reads the journal, of
    /// which it looks at no more than one record for each doubling of its length.
    ///
    /// # Errors
    /// The journal cannot be read.
    #[doc = include_str!("../../docs/sequence_at.md")]
    pub fn sequence_at(&self, moment: Timestamp) -> Result<Sequence, Error> {
        // Time never goes back in a journal. What begins above `low` is to be looked at, and all above `high` is later.
        let (mut low, mut high) = (0, self.position());
        while low < high {
            let middle = low + (high - low) / 2;
            // Sequences have gaps: this is the first record above the middle.
            let next = self.shared().journal().read_from(middle, 1);
            let next = next.map_err(|error| feed::unreadable(&error.to_string()))?;
            match next.first() {
                Some(next) if next.sequence <= high && next.time_ms <= moment.0 => {
                    low = next.sequence;
                }
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// One stock's counts as they were right after the event at `at`, with `available` by its warehouse's status then; nothing
    /// before there were the product and the warehouse. All of it is in memory: a search among pieces of the stock's past and a
    /// look through one of them, however much has happened since.
    #[doc = include_str!("../../docs/stock_as_of.md")]
    #[must_use]
    pub fn stock_as_of(&self, key: StockKey, at: Sequence) -> Option<StockRow> {
        self.shared().read.stock_row_as_of(key, at)
    }

    /// The last event of the catalogue: as long as it stays, products, shops and warehouses are what they were.
    #[doc = include_str!("../../docs/catalogue_position.md")]
    #[must_use]
    pub fn catalogue_position(&self) -> Sequence {
        // The position moves with the catalogue, under its lock.
        let _catalogue = self.catalogue();
        self.shared().read.catalogue_at()
    }

    /// A product as it was right after the event at `at`; nothing before there was one. It reads one record of the journal if the
    /// product has changed since.
    ///
    /// # Errors
    /// The journal cannot be read.
    #[doc = include_str!("../../docs/product_as_of.md")]
    pub fn product_as_of(
        &self,
        id: ProductId,
        at: Sequence,
    ) -> Result<Option<Arc<Product>>, Error> {
        // Before its past: whatever has changed it is in there.
        let now = self.catalogue().product(id).cloned();
        let past = &self.shared().read.past.products;
        let Some((changed, [])) = past.at(id, at) else { return Ok(None) };
        if past.last(id) == Some(changed) {
            return Ok(now);
        }
        match self.event_at(changed)? {
            Event::Catalogue(event) => match workflow::thing(&event) {
                CatalogueThing::Product(product) => Ok(Some(product)),
                _ => Ok(None),
            },
            _ => Err(feed::unreadable(&format!("record {changed} is not about product {id}"))),
        }
    }

    /// What a product had: (on hand in all warehouses, what could be ordered of all active ones), as of `at` and with what
    /// `given` says on top.
    pub(super) fn product_stock_as_of(
        &self,
        product: ProductId,
        at: Sequence,
        given: Option<(StockKey, Quantity)>,
    ) -> (Quantity, Quantity) {
        let warehouses: Vec<_> =
            self.catalogue().warehouses_after(0).map(|warehouse| warehouse.id).collect();
        let read = &self.shared().read;
        let stock = |warehouse| {
            let key = StockKey::new(warehouse, product);
            let active = read.past.is_active(warehouse, at)?;
            let mut stock = read.past.stock(key, at).unwrap_or_default();
            stock.on_hand += given.filter(|(to, _)| *to == key).map_or(0, |(_, more)| more);
            Some((stock.on_hand, if active { stock.available() } else { 0 }))
        };
        let stocks = warehouses.into_iter().filter_map(stock);
        stocks.fold((0, 0), |sum, stock| (sum.0 + stock.0, sum.1 + stock.1))
    }
}
