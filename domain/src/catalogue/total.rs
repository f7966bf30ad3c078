//! The total wanted of a product's stocks. The catalogue decides all of the change but this; what there is, only the stocks know.

use std::sync::Arc;

use super::{Catalogue, CatalogueCommand, CatalogueEvent, Product, StockDelta};
use crate::{
    Quantity, Refusal, Shortage, StockKey, Timestamp, WarehouseId, limits::ON_HAND_MAX,
    refusal::check_units,
};

/// How many units a product should have in all its warehouses together.
#[doc = include_str!("../../docs/stock_total.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockTotal {
    /// Units in all.
    pub wanted: Quantity,
    /// Where the difference goes to, or comes from.
    pub warehouse: WarehouseId,
    /// The total the caller saw, if it matters.
    pub seen: Option<Quantity>,
}

/// A change of a product's total that is decided but for what there is.
#[doc = include_str!("../../docs/counting.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct Counting {
    total: StockTotal,
    /// The product as it will be when its stock is corrected.
    product: Arc<Product>,
    /// What happens when there is nothing to correct.
    otherwise: Option<CatalogueEvent>,
}

impl Catalogue {
    /// Decides a change of a product's total as far as the catalogue can; nothing for any other command.
    ///
    /// # Errors
    /// As [`Catalogue::decide`].
    #[doc = include_str!("../../docs/catalogue_counting.md")]
    pub fn counting(
        &self,
        command: &CatalogueCommand,
        at: Timestamp,
    ) -> Result<Option<Counting>, Refusal> {
        let CatalogueCommand::ChangeProduct { id, change, .. } = command else { return Ok(None) };
        let Some(total) = change.total else { return Ok(None) };
        if change.recount.is_some() {
            return Err(Refusal::invalid("stock", "is a total or a difference, not both"));
        }
        self.warehouse(total.warehouse)?;
        check_units("stock", total.wanted, ON_HAND_MAX)?;
        let otherwise = self.decide(command, at)?;
        let product = match &otherwise {
            Some(
                CatalogueEvent::ProductUpdated { product, .. }
                | CatalogueEvent::ProductArchived { product },
            ) => product.clone(),
            _ => {
                let before = self.product(*id);
                let before = before.ok_or(Refusal::NotFound { kind: "product", id: id.0 })?;
                let mut product = Product::clone(before);
                product.version += 1;
                product.updated_at = at;
                Arc::new(product)
            }
        };
        Ok(Some(Counting { total, product, otherwise }))
    }
}

impl Counting {
    /// The stock in whose turn it is decided.
    #[doc = include_str!("../../docs/counting.md")]
    #[must_use]
    pub fn stock(&self) -> StockKey {
        StockKey::new(self.total.warehouse, self.product.id)
    }

    /// Decides, with `there` units in all warehouses and so many `removable` at its stock. No event means that nothing changes.
    ///
    /// # Errors
    /// Another total than the caller saw; fewer units than must stay; or a product that is archived.
    #[doc = include_str!("../../docs/counting.md")]
    pub fn decide(
        &self,
        there: Quantity,
        removable: Quantity,
    ) -> Result<Option<CatalogueEvent>, Refusal> {
        let StockTotal { wanted, warehouse, seen } = self.total;
        let product = self.product.id;
        if let Some(seen) = seen.filter(|seen| *seen != there) {
            return Err(Refusal::StockChanged { product, seen, there });
        }
        if wanted == there {
            return Ok(self.otherwise.clone());
        }
        if self.product.archived {
            // `ProductArchived` adopts no take: a minus would stay open for ever.
            return Err(match self.otherwise {
                Some(_) => Refusal::invalid("stock", "cannot change while it is archived"),
                None => Refusal::ProductArchived(product),
            });
        }
        let least = there.saturating_sub(removable);
        if wanted < least {
            let warehouse = Some(warehouse);
            let short =
                Shortage { product, warehouse, wanted: least, available: wanted, frees_at: None };
            return Err(Refusal::InsufficientStock(vec![short]));
        }
        // Both are near one stock's most, far below what would not fit.
        let recount = StockDelta { stock: self.stock(), delta: wanted as i64 - there as i64 };
        let product = self.product.clone();
        Ok(Some(CatalogueEvent::ProductUpdated { product, recount: Some(recount) }))
    }
}
