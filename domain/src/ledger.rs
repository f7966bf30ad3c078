//! The ledger: what decisions alone say must be on hand.
//!
//! Stocks count their own moves. The ledger never looks at those: it adds up what owners decided (products, adjustments,
//! shipments, returns, transfers, recounts). That both come to the same number is the proof that units are conserved.
#![doc = include_str!("../docs/ledger_module.md")]

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    Event, OrderId, Quantity, StockKey,
    catalogue::CatalogueEvent,
    open::{OpenTable, OpenTake},
    order::{OrderEvent, Parcel, Placed},
    stock::{Give, StockEvent, Take},
    transfer::TransferEvent,
};

/// What is on hand by decisions alone.
#[doc = include_str!("../docs/ledger.md")]
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    on_hand: FxHashMap<StockKey, i64>,
    orders: FxHashMap<OrderId, Arc<Placed>>,
    transfers: FxHashMap<crate::TransferId, StockKey>,
}

impl Ledger {
    /// Adds up one event.
    #[doc = include_str!("../docs/ledger_apply.md")]
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Stock(StockEvent::Recounted { stock, from, to, .. }) => {
                self.add(*stock, *to as i64 - *from as i64);
            }
            Event::Order(event) => self.order(event),
            Event::Catalogue(CatalogueEvent::ProductCreated {
                opening: Some((stock, n)), ..
            }) => {
                self.add(*stock, *n as i64);
            }
            Event::Catalogue(CatalogueEvent::ProductUpdated { recount: Some(recount), .. }) => {
                self.add(recount.stock, recount.delta);
            }
            Event::Adjustment(event) => {
                for delta in event.deltas() {
                    self.add(delta.stock, delta.delta);
                }
            }
            Event::Transfer(event) => self.transfer(event),
            Event::Stock(_)
            | Event::Hold(_)
            | Event::Catalogue(_)
            | Event::IdsLeased { .. }
            | Event::Account(_)
            | Event::Clock(_)
            | Event::Origin(_) => {}
        }
    }

    /// What must be on hand everywhere, given what is in flight: taken and not decided is gone already, decided and not given
    /// is not there yet.
    #[doc = include_str!("../docs/ledger_expected.md")]
    #[must_use]
    pub fn expected(&self, open: &OpenTable) -> FxHashMap<StockKey, i64> {
        let mut expected = self.on_hand.clone();
        let mut less =
            |stock: StockKey, n: Quantity| *expected.entry(stock).or_insert(0) -= n as i64;
        for (_, _, take) in open.takes() {
            if let OpenTake::Stock(stock, take) = take {
                match take {
                    Take::Reserve { .. } => {}
                    Take::Consume { quantity, .. }
                    | Take::TransferOut { quantity }
                    | Take::Minus { quantity } => less(stock, quantity),
                }
            }
        }
        for (_, _, stock, give) in open.gives() {
            match give {
                Give::Release { .. } | Give::Expect { .. } => {}
                Give::Plus { quantity }
                | Give::Restock { quantity }
                | Give::TransferIn { quantity } => less(stock, quantity),
                Give::Arrive { received, .. } => less(stock, received),
            }
        }
        expected
    }

    fn add(&mut self, stock: StockKey, delta: i64) {
        *self.on_hand.entry(stock).or_insert(0) += delta;
    }

    fn order(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(placed) => {
                self.orders.insert(placed.id, placed.clone());
            }
            OrderEvent::Shipped { order, shipment, .. } => {
                self.parcels(*order, &shipment.parcels, -1)
            }
            OrderEvent::Returned { order, returned, .. } if returned.restocked => {
                self.parcels(*order, &returned.parcels, 1);
            }
            _ => {}
        }
    }

    fn parcels(&mut self, order: OrderId, parcels: &[Parcel], sign: i64) {
        let placed = self.orders[&order].clone();
        for parcel in parcels {
            let stock = placed.stock(&placed.allocations[parcel.allocation as usize]);
            self.add(stock, sign * parcel.quantity as i64);
        }
    }

    fn transfer(&mut self, event: &TransferEvent) {
        match event {
            TransferEvent::Dispatched(dispatched) => {
                let quantity = dispatched.quantity as i64;
                self.add(dispatched.origin(), -quantity);
                self.transfers.insert(dispatched.id, dispatched.destination());
                if !dispatched.in_transit {
                    self.add(dispatched.destination(), quantity);
                }
            }
            TransferEvent::Received { transfer, received, .. } => {
                let stock = self.transfers[transfer];
                self.add(stock, *received as i64);
            }
            TransferEvent::Cancelled { from, quantity, restock: true, .. } => {
                self.add(*from, *quantity as i64);
            }
            TransferEvent::Cancelled { .. } => {}
        }
    }
}
