//! Sourcing: which warehouse gives how much of what.
//!
//! One planner answers "is it available?" and plans the allocation, so that the two can never disagree. It is pure: what is
//! available comes in as a function. A stock that refuses a planned take says what it could give; the owner lowers its
//! expectation of that stock and plans the line again over what remains.
#![doc = include_str!("../docs/sourcing_module.md")]

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    ProductId, Quantity, ReservationId, Shortage, StockKey, WarehouseId, catalogue::Warehouse,
    order::ShipTo,
};

/// How a shop's warehouses are chosen.
#[doc = include_str!("../docs/sourcing.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourcing {
    /// In which order they are asked.
    pub rule: Rule,
    /// Whether one line may come from several warehouses.
    pub split_lines: bool,
}

/// In which order warehouses are asked.
#[doc = include_str!("../docs/rule.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// In the shop's order.
    Priority,
    /// The one with the most available of the line's product first.
    MostStock,
    /// The one nearest to where it is shipped; the shop's order if that is not known.
    Nearest,
    /// One warehouse gives everything, the first in the shop's order that can.
    SingleWarehouse,
}

impl Default for Sourcing {
    fn default() -> Self {
        Self { rule: Rule::Priority, split_lines: true }
    }
}

/// Where some units of a line come from.
#[doc = include_str!("../docs/allocation.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Index of the line.
    pub line: u32,
    /// Which warehouse.
    pub warehouse: WarehouseId,
    /// The hold under whose entry the stock keeps them, if they were held before; else the owner's own.
    pub hold: Option<ReservationId>,
    /// How many.
    pub quantity: Quantity,
}

/// Units that are held already, and count first.
#[doc = include_str!("../docs/held.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub stock: StockKey,
    /// Under which hold's entry.
    pub hold: ReservationId,
    /// How many.
    pub quantity: Quantity,
}

/// Units of one line that are still to be found.
#[doc = include_str!("../docs/demand.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Index of the line.
    pub line: u32,
    /// What.
    pub product: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// A plan. It is complete when nothing is short.
#[doc = include_str!("../docs/plan_type.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Which warehouse gives how much of which line.
    pub allocations: Vec<Allocation>,
    /// What cannot be found.
    pub shortages: Vec<Shortage>,
}

/// How many units one line can be given, out of what each warehouse has: all of them together, or the most of one, by the rule.
#[doc = include_str!("../docs/orderable.md")]
pub fn orderable(sourcing: Sourcing, available: impl Iterator<Item = Quantity>) -> Quantity {
    match sourcing {
        Sourcing { rule: Rule::SingleWarehouse, .. } | Sourcing { split_lines: false, .. } => {
            available.max().unwrap_or(0)
        }
        Sourcing { .. } => available.sum(),
    }
}

/// Puts a shop's warehouses in the order in which they are asked. `MostStock` depends on the line, so it is settled there.
#[doc = include_str!("../docs/candidates.md")]
#[must_use]
pub fn candidates<'a>(
    rule: Rule,
    sources: impl Iterator<Item = &'a std::sync::Arc<Warehouse>>,
    ship_to: Option<ShipTo>,
) -> Vec<WarehouseId> {
    match (rule, ship_to) {
        (Rule::Nearest, Some(ship_to)) => {
            let mut near: Vec<_> = sources.map(|w| (distance(w, ship_to), w.id)).collect();
            // A stable sort: equally near ones stay in the shop's order.
            near.sort_by(|a, b| a.0.total_cmp(&b.0));
            near.into_iter().map(|(_, id)| id).collect()
        }
        _ => sources.map(|warehouse| warehouse.id).collect(),
    }
}

/// The haversine of the angle between a warehouse and a place: it grows with the distance. Unknown places are farthest.
fn distance(warehouse: &Warehouse, to: ShipTo) -> f64 {
    let Some((north, east)) = warehouse.place_e6 else {
        return f64::INFINITY;
    };
    let radians = |e6: i32| (f64::from(e6) / 1e6).to_radians();
    let (north, east) = (radians(north), radians(east));
    let (to_north, to_east) = (radians(to.latitude_e6), radians(to.longitude_e6));
    let half = |a: f64, b: f64| ((a - b) / 2.0).sin().powi(2);
    half(north, to_north) + north.cos() * to_north.cos() * half(east, to_east)
}

/// Takes what is held already out of the demands: the allocations it makes, and what is still to be found.
///
/// What was held was promised and stays where it is; the sourcing rule is for the rest. So an order that takes over a hold may come
/// from more warehouses than its shop's rule would choose.
#[doc = include_str!("../docs/use_held.md")]
#[must_use]
pub fn use_held(lines: &[(ProductId, Quantity)], held: &[Held]) -> (Vec<Allocation>, Vec<Demand>) {
    let mut left: Vec<Quantity> = held.iter().map(|held| held.quantity).collect();
    let mut allocations = Vec::new();
    let mut demands = Vec::with_capacity(lines.len());
    for (line, &(product, wanted)) in (0..).zip(lines) {
        let mut missing = wanted;
        for (held, left) in held.iter().zip(&mut left) {
            let quantity = missing.min(*left);
            if held.stock.product == product && quantity > 0 {
                let (warehouse, hold) = (held.stock.warehouse, Some(held.hold));
                allocations.push(Allocation { line, warehouse, hold, quantity });
                *left -= quantity;
                missing -= quantity;
            }
        }
        if missing > 0 {
            demands.push(Demand { line, product, quantity: missing });
        }
    }
    (allocations, demands)
}

/// Plans where the demands come from.
///
/// A line that cannot be met in full has a shortage; what could be had of it is allocated all the same, for owners that
/// take a part.
#[doc = include_str!("../docs/plan.md")]
pub fn plan(
    sourcing: Sourcing,
    candidates: &[WarehouseId],
    demands: &[Demand],
    available: &mut dyn FnMut(StockKey) -> Quantity,
) -> Plan {
    if sourcing.rule == Rule::SingleWarehouse {
        return plan_single(candidates, demands, available);
    }
    let mut plan = Plan::default();
    for demand in demands {
        plan_line(sourcing, candidates, demand, available, &mut plan);
    }
    plan
}

fn plan_line(
    sourcing: Sourcing,
    candidates: &[WarehouseId],
    demand: &Demand,
    available: &mut dyn FnMut(StockKey) -> Quantity,
    plan: &mut Plan,
) {
    let offer =
        |&warehouse: &WarehouseId| (available(StockKey::new(warehouse, demand.product)), warehouse);
    let mut offers: Vec<(Quantity, WarehouseId)> = candidates.iter().map(offer).collect();
    if sourcing.rule == Rule::MostStock {
        offers.sort_by_key(|(quantity, _)| std::cmp::Reverse(*quantity));
    }
    if !sourcing.split_lines {
        // The first that has all of it; else the one that has most, for owners that take a part.
        let whole = offers.iter().find(|(quantity, _)| *quantity >= demand.quantity);
        let best = whole.or_else(|| offers.iter().rev().max_by_key(|(quantity, _)| *quantity));
        offers = best.copied().into_iter().collect();
    }
    let mut missing = demand.quantity;
    for (quantity, warehouse) in offers {
        let quantity = quantity.min(missing);
        if quantity > 0 {
            plan.allocations.push(Allocation {
                line: demand.line,
                warehouse,
                hold: None,
                quantity,
            });
            missing -= quantity;
        }
    }
    if missing > 0 {
        plan.shortages.push(shortage(demand, demand.quantity - missing));
    }
}

/// Everything from the first warehouse that has everything; else from the one that can give most, and what it lacks is short.
fn plan_single(
    candidates: &[WarehouseId],
    demands: &[Demand],
    available: &mut dyn FnMut(StockKey) -> Quantity,
) -> Plan {
    let mut best: Option<(Quantity, Plan)> = None;
    for &warehouse in candidates {
        let mut plan = Plan::default();
        let mut found = 0;
        for demand in demands {
            let there = available(StockKey::new(warehouse, demand.product)).min(demand.quantity);
            if there > 0 {
                let (line, quantity) = (demand.line, there);
                plan.allocations.push(Allocation { line, warehouse, hold: None, quantity });
            }
            if there < demand.quantity {
                plan.shortages.push(shortage(demand, there));
            }
            found += there;
        }
        if plan.shortages.is_empty() {
            return plan;
        }
        if best.as_ref().is_none_or(|(most, _)| found > *most) {
            best = Some((found, plan));
        }
    }
    best.map(|(_, plan)| plan).unwrap_or_else(|| Plan {
        allocations: Vec::new(),
        shortages: demands.iter().map(|demand| shortage(demand, 0)).collect(),
    })
}

fn shortage(demand: &Demand, available: Quantity) -> Shortage {
    let (product, wanted) = (demand.product, demand.quantity);
    Shortage { product, warehouse: None, wanted, available, frees_at: None }
}
