use stockade_domain::{Refusal, Shortage, WarehouseId, holder::Source};

use super::Engine;
use crate::Error;

/// Reservations that are looked at for one refusal, or for all refusals of one batch.
const LOOK_MAX: usize = 4_096;

/// Says in a refusal for want of stock when more may be free. The caller looks, not the engine's threads.
pub(super) struct Frees<'a> {
    engine: &'a Engine,
    look: usize,
}

impl<'a> Frees<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Self { engine, look: LOOK_MAX }
    }

    /// The same refusal, with the moments that are known.
    pub(super) fn tell(&mut self, error: Error, source: Source) -> Error {
        let Error::Refused(Refusal::InsufficientStock(mut shortages)) = error else {
            return error;
        };
        self.fill(&mut shortages, source);
        Refusal::InsufficientStock(shortages).into()
    }

    /// Fills in the moments that are known.
    pub(super) fn fill(&mut self, shortages: &mut [Shortage], source: Source) {
        let read = &self.engine.shared().read;
        let warehouses = self.warehouses(source);
        for short in shortages {
            short.frees_at = read.frees_at(short.product, &warehouses, &mut self.look);
        }
    }

    fn warehouses(&self, source: Source) -> Vec<WarehouseId> {
        let catalogue = self.engine.catalogue();
        match source {
            Source::Warehouse(warehouse) => vec![warehouse],
            Source::Shop(shop) => match catalogue.shop(shop) {
                Ok(shop) => catalogue.sources(shop).map(|warehouse| warehouse.id).collect(),
                Err(_) => Vec::new(),
            },
        }
    }
}
