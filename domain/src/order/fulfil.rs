//! Which allocations a shipment, a cancellation or a return is about.

use super::{LineQuantity, Order, Parcel, Progress};
use crate::{Quantity, Refusal, limits::ORDER_LINES_MAX, refusal::check_quantity, stock::Take};

impl Order {
    /// Parcels of what is still reserved: all, or what the lines name. Allocations are used in the order they were planned.
    pub(super) fn reserved_parcels(
        &self,
        lines: Option<&[LineQuantity]>,
    ) -> Result<Vec<Parcel>, Refusal> {
        self.parcels(lines, |index| self.reserved(index), "still reserved")
    }

    /// Parcels of what was shipped and has not come back.
    pub(super) fn kept_parcels(
        &self,
        lines: Option<&[LineQuantity]>,
    ) -> Result<Vec<Parcel>, Refusal> {
        let kept = |index: usize| self.progress(index).shipped - self.progress(index).returned;
        self.parcels(lines, kept, "shipped and not returned")
    }

    fn parcels(
        &self,
        lines: Option<&[LineQuantity]>,
        left: impl Fn(usize) -> Quantity,
        what: &str,
    ) -> Result<Vec<Parcel>, Refusal> {
        let mut wanted = lines.map(|lines| self.sum_by_line(lines)).transpose()?;
        let mut parcels = Vec::new();
        for (index, allocation) in self.placed.allocations.iter().enumerate() {
            let mut quantity = left(index);
            if let Some(wanted) = &mut wanted {
                let wanted = &mut wanted[allocation.line as usize];
                quantity = quantity.min(*wanted);
                *wanted -= quantity;
            }
            if quantity > 0 {
                parcels.push(Parcel { allocation: index as u32, quantity });
            }
        }
        let missing = wanted.and_then(|wanted| wanted.iter().position(|&missing| missing > 0));
        if let Some(line) = missing {
            let product = self.placed.lines[line].product;
            let detail = format!("product {product} has fewer units {what}");
            return Err(Refusal::invalid("lines", detail));
        }
        Ok(parcels)
    }

    /// Whether the lines name all that became so, which no line named means too: then asking for it again means the same.
    pub(super) fn is_all(
        &self,
        lines: Option<&[LineQuantity]>,
        became: impl Fn(&Progress) -> Quantity,
    ) -> Result<bool, Refusal> {
        let Some(lines) = lines else {
            return Ok(true);
        };
        let named = self.sum_by_line(lines)?;
        Ok((0..).zip(named).all(|(line, named)| named == became(&self.line(line).1)))
    }

    /// How many of each of the order's lines are asked for; the same product twice is summed before anything is decided.
    fn sum_by_line(&self, lines: &[LineQuantity]) -> Result<Vec<Quantity>, Refusal> {
        if lines.is_empty() || lines.len() > ORDER_LINES_MAX {
            let detail = format!("must have 1 to {ORDER_LINES_MAX} entries");
            return Err(Refusal::invalid("lines", detail));
        }
        let mut sums = vec![0; self.placed.lines.len()];
        for (index, wanted) in lines.iter().enumerate() {
            check_quantity(|| format!("lines/{index}/quantity"), wanted.quantity)?;
            let line = self.placed.lines.iter().position(|line| line.product == wanted.product);
            let line = line.ok_or_else(|| {
                let detail = format!("product {} is not in this order", wanted.product);
                Refusal::invalid(format!("lines/{index}/product_id"), detail)
            })?;
            sums[line] += wanted.quantity;
        }
        Ok(sums)
    }

    /// What a shipment takes from the stocks: for each parcel, where and what.
    #[doc = include_str!("../../docs/consumes.md")]
    #[must_use]
    pub fn consumes(&self, parcels: &[Parcel]) -> Vec<(crate::StockKey, Take)> {
        parcels
            .iter()
            .map(|parcel| {
                let allocation = &self.placed.allocations[parcel.allocation as usize];
                let entry = self.placed.entry(allocation);
                (self.placed.stock(allocation), Take::Consume { entry, quantity: parcel.quantity })
            })
            .collect()
    }
}
