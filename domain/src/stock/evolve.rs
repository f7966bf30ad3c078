use super::{Give, Stock, StockEvent, Take};
use crate::{Owner, Quantity};

impl Stock {
    /// Moves the state by what happened. Total on everything that `take`, `decide` and the owners' decisions emit; arithmetic
    /// is checked, so an event that could not have happened stops the process instead of corrupting the count.
    #[doc = include_str!("../../docs/stock_evolve.md")]
    pub fn evolve(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Taken { owner, take, .. } => self.taken(*owner, *take),
            StockEvent::Undone { owner, take, .. } => self.undone(*owner, *take),
            StockEvent::Given { give, .. } => self.given(*give),
            StockEvent::Recounted { to, .. } => self.set_on_hand(*to),
            StockEvent::PolicyChanged { safety_stock, backorder_limit, .. } => {
                self.safety_stock = *safety_stock;
                self.backorder_limit = *backorder_limit;
                self.version += 1;
            }
        }
    }

    fn taken(&mut self, owner: Owner, take: Take) {
        match take {
            Take::Reserve { quantity } => self.reserve(owner, quantity),
            Take::Consume { entry, quantity } => {
                self.release(entry, quantity);
                self.set_on_hand(self.on_hand - quantity);
            }
            Take::TransferOut { quantity } | Take::Minus { quantity } => {
                self.set_on_hand(self.on_hand - quantity);
            }
        }
    }

    fn undone(&mut self, owner: Owner, take: Take) {
        match take {
            Take::Reserve { quantity } => self.release(owner, quantity),
            Take::Consume { entry, quantity } => {
                self.set_on_hand(self.on_hand + quantity);
                self.reserve(entry, quantity);
            }
            Take::TransferOut { quantity } | Take::Minus { quantity } => {
                self.set_on_hand(self.on_hand + quantity);
            }
        }
    }

    fn given(&mut self, give: Give) {
        match give {
            Give::Release { entry, quantity } => self.release(entry, quantity),
            Give::Plus { quantity }
            | Give::Restock { quantity }
            | Give::TransferIn { quantity } => {
                self.set_on_hand(self.on_hand + quantity);
            }
            Give::Expect { quantity } => self.incoming += quantity,
            Give::Arrive { received, missing } => {
                self.incoming -= received + missing;
                if received > 0 {
                    self.set_on_hand(self.on_hand + received);
                }
            }
        }
    }

    fn set_on_hand(&mut self, on_hand: Quantity) {
        self.on_hand = on_hand;
        self.version += 1;
    }

    fn reserve(&mut self, entry: Owner, quantity: Quantity) {
        *self.entries.entry(entry).or_insert(0) += quantity;
        self.reserved += quantity;
    }

    fn release(&mut self, entry: Owner, quantity: Quantity) {
        let held =
            self.entries.get_mut(&entry).expect("released units are reserved under their entry");
        *held -= quantity;
        if *held == 0 {
            self.entries.remove(&entry);
        }
        self.reserved -= quantity;
    }
}
