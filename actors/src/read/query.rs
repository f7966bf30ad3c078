use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use serde::{Deserialize, Serialize};
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, Sequence, ShopId, StockKey, Timestamp, WarehouseId,
    Who,
    catalogue::{Shop, Warehouse},
    order::{Order, OrderEvent, Status},
    sourcing::orderable,
    stock::Stock,
};

use super::ReadSide;

/// One stock's counts.
#[doc = include_str!("../../docs/stock_row.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRow {
    /// Which stock.
    pub key: StockKey,
    /// Units that are there.
    pub on_hand: Quantity,
    /// Units promised.
    pub reserved: Quantity,
    /// Units never promised.
    pub safety_stock: Quantity,
    /// Units on their way here.
    pub incoming: Quantity,
    /// Units that may be promised beyond what is there.
    pub backorder_limit: Quantity,
    /// Units that can be promised now; none while the warehouse is inactive.
    pub available: Quantity,
    /// Counts changes of on hand and policy.
    pub version: u32,
}

/// Which stocks to list.
#[doc = include_str!("../../docs/stock_filter.md")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockFilter {
    /// Of this product.
    pub product: Option<ProductId>,
    /// In this warehouse.
    pub warehouse: Option<WarehouseId>,
    /// With fewer available than this.
    pub below: Option<Quantity>,
}

/// Which orders to list.
#[doc = include_str!("../../docs/order_filter.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// One of these.
    pub ids: Option<BTreeSet<OrderId>>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// In this shop.
    pub shop: Option<ShopId>,
    /// With a line of this product.
    pub product: Option<ProductId>,
    /// In this state.
    pub status: Option<Status>,
    /// With this reference.
    pub reference: Option<String>,
    /// Placed later than this.
    pub placed_after: Option<Timestamp>,
    /// Placed before this.
    pub placed_before: Option<Timestamp>,
    /// Changed later than this.
    pub updated_after: Option<Timestamp>,
}

/// One event of an order's history.
#[doc = include_str!("../../docs/order_history_type.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct OrderHistory {
    /// Its place in the journal.
    pub sequence: Sequence,
    /// The run of the engine that it happened in.
    pub epoch: u32,
    /// When it was committed.
    pub at: Timestamp,
    /// Who did it, if that was said; nobody does an expiry.
    pub who: Option<Who>,
    /// What happened.
    pub event: OrderEvent,
}

impl StockRow {
    fn new(key: StockKey, stock: &Stock, active: bool) -> Self {
        Self {
            key,
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            safety_stock: stock.safety_stock,
            incoming: stock.incoming,
            backorder_limit: stock.backorder_limit,
            available: if active { stock.available() } else { 0 },
            version: stock.version,
        }
    }
}

impl OrderFilter {
    fn fits(&self, order: &Order) -> bool {
        let placed = &order.placed;
        let reference = || placed.details.as_ref().and_then(|details| details.reference.as_deref());
        self.customer.is_none_or(|customer| placed.customer == Some(customer))
            && self.shop.is_none_or(|shop| placed.shop == shop)
            && self.status.is_none_or(|status| order.status == status)
            && self.product.is_none_or(|product| placed.lines.iter().any(|l| l.product == product))
            && self.reference.as_deref().is_none_or(|wanted| reference() == Some(wanted))
            && self.placed_after.is_none_or(|after| placed.at > after)
            && self.placed_before.is_none_or(|before| placed.at < before)
            && self.updated_after.is_none_or(|after| order.updated_at > after)
    }
}

impl ReadSide {
    /// A stock's counts, as an answer shows them.
    pub(crate) fn row(&self, key: StockKey, stock: &Stock) -> StockRow {
        let active = self
            .catalogue
            .read_recursive()
            .warehouse(key.warehouse)
            .is_ok_and(|place| place.active);
        StockRow::new(key, stock, active)
    }

    /// The counts of a stock right after the event at `at`; nothing before there were its product and its warehouse.
    pub(crate) fn stock_row_as_of(&self, key: StockKey, at: Sequence) -> Option<StockRow> {
        let active = self.past.is_active(key.warehouse, at)?;
        self.past.products.at(key.product, at)?;
        let stock = self.past.stock(key, at).unwrap_or_default();
        Some(StockRow::new(key, &stock, active))
    }

    /// The counts of the stock with this key.
    pub(crate) fn stock_row(&self, key: StockKey) -> StockRow {
        // The counts alone: a hot stock's entries are not copied for a look at it.
        let counts = self.stocks.get(&key).map(|stock| counts(&stock));
        self.row(key, &counts.unwrap_or_default())
    }

    /// Stocks after `after`, by product and warehouse.
    pub(crate) fn stock_rows(
        &self,
        filter: StockFilter,
        after: Option<StockKey>,
        limit: usize,
    ) -> Vec<StockRow> {
        let mut rows = Vec::new();
        let mut from = match (after, filter.product) {
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(product)) => Bound::Included(StockKey::new(WarehouseId(0), product)),
            (None, None) => Bound::Unbounded,
        };
        while rows.len() < limit {
            let next = self.stock_keys.read().range((from, Bound::Unbounded)).next().copied();
            let Some(key) = next else { break };
            from = Bound::Excluded(key);
            if filter.product.is_some_and(|product| product < key.product) {
                break;
            }
            let row = || Some(self.stock_row(key));
            let fits = filter.warehouse.is_none_or(|warehouse| warehouse == key.warehouse)
                && filter.product.is_none_or(|product| product == key.product);
            let row = fits.then(row).flatten();
            rows.extend(row.filter(|row| filter.below.is_none_or(|below| row.available < below)));
        }
        rows
    }

    /// What a product has: (on hand in all warehouses, what can be ordered of a shop or, without one, of all active ones).
    ///
    /// "Available" never promises what placing refuses: of a shop it is what its rule can allocate to one line, and nothing if it
    /// does not sell the product; of an archived one there is nothing anywhere.
    pub(crate) fn product_stock(
        &self,
        product: ProductId,
        shop: Option<&Arc<Shop>>,
    ) -> (Quantity, Quantity) {
        let catalogue = self.catalogue.read_recursive();
        let key = |warehouse: &Arc<Warehouse>| StockKey::new(warehouse.id, product);
        let on_hand = |warehouse| self.stocks.get(&key(warehouse)).map_or(0, |stock| stock.on_hand);
        let total = catalogue.warehouses_after(0).map(on_hand).sum();
        let free = |warehouse| self.available(key(warehouse));
        let available = match shop {
            Some(shop) if catalogue.sellable(product, shop).is_err() => 0,
            None if catalogue.product(product).is_none_or(|product| product.archived) => 0,
            Some(shop) => orderable(shop.sourcing, catalogue.sources(shop).map(free)),
            None => catalogue.warehouses_after(0).filter(|place| place.active).map(free).sum(),
        };
        (total, available)
    }

    /// Orders with an id above `after`, by id.
    pub(crate) fn orders_after(
        &self,
        filter: &OrderFilter,
        after: u64,
        limit: usize,
    ) -> Vec<Order> {
        let mut found = Vec::new();
        if limit == 0 {
            return found;
        }
        let index = &self.order_index;
        let mut next: Box<dyn FnMut(u64) -> Option<OrderId>> =
            match (&filter.ids, filter.customer, filter.reference.as_deref()) {
                (Some(ids), ..) => Box::new(move |after| {
                    let behind = (Bound::Excluded(OrderId(after)), Bound::Unbounded);
                    ids.range(behind).next().copied()
                }),
                (None, _, Some(reference)) => {
                    Box::new(move |after| index.next_with_reference(reference, after))
                }
                (None, Some(customer), None) => {
                    Box::new(move |after| index.next_of_customer(customer, after))
                }
                (None, None, None) => {
                    self.orders.visit(after, |_, order| {
                        if filter.fits(&order.now) {
                            found.push(order.now.clone());
                        }
                        found.len() < limit
                    });
                    return found;
                }
            };
        let mut last = after;
        while found.len() < limit
            && let Some(id) = next(last)
        {
            last = id.0;
            let order = self.orders.with(id.0, |o| filter.fits(&o.now).then(|| o.now.clone()));
            found.extend(order.flatten());
        }
        found
    }

    /// Where an order's events are in the journal.
    pub(crate) fn order_events(&self, order: OrderId) -> Option<Vec<Sequence>> {
        self.orders.with(order.0, |order| order.events.clone())
    }
}

fn counts(stock: &Stock) -> Stock {
    Stock {
        on_hand: stock.on_hand,
        reserved: stock.reserved,
        safety_stock: stock.safety_stock,
        incoming: stock.incoming,
        backorder_limit: stock.backorder_limit,
        version: stock.version,
        entries: Default::default(),
    }
}
