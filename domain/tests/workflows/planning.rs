//! Finding units: plan by what the read side shows, ask the stocks, and plan again over what a refusal leaves.

use std::collections::BTreeMap;

use stockade_domain::{
    Owner, ProductId, Quantity, Refusal, Shortage, StockKey, WarehouseId,
    open::OpenTake,
    sourcing::{Allocation, Demand, Held, Plan, Sourcing, plan, use_held},
    stock::Take,
};

use super::{
    workflow::{Reply, Taking},
    world::World,
};

/// What an owner believes each stock could give: by the read side at first, by the stocks' refusals later.
#[derive(Default)]
pub(crate) struct Beliefs {
    units: BTreeMap<StockKey, Quantity>,
    hopes: bool,
}

/// More than any line asks for.
const PLENTY: Quantity = 1_000;

impl Beliefs {
    fn of(&mut self, stock: StockKey, read: &World) -> &mut Quantity {
        let unheard = if self.hopes { PLENTY } else { read.stock(stock).available() };
        self.units.entry(stock).or_insert(unheard)
    }

    /// The read side may be older than the request, so it cannot make a line short: only a refusal of every stock can. One
    /// that gave already is asked once more. Whether that is news.
    fn hope(&mut self) -> bool {
        let news = !self.hopes;
        if news {
            self.units.clear();
            self.hopes = true;
        }
        news
    }
}

/// The lines of one order or hold, on their way to being allocated.
pub(crate) struct Lines {
    pub(crate) owner: Owner,
    pub(crate) sourcing: Sourcing,
    pub(crate) candidates: Vec<WarehouseId>,
    pub(crate) wanted: Vec<(ProductId, Quantity)>,
    pub(crate) allocations: Vec<Allocation>,
}

impl Lines {
    /// Counts first what is held already.
    pub(crate) fn start_with(&mut self, held: &[Held]) {
        (self.allocations, _) = use_held(&self.wanted, held);
    }

    /// What to ask of the stocks next, and what cannot be found. Nothing of either: all is allocated.
    pub(crate) fn ask(&self, beliefs: &mut Beliefs, read: &World) -> (Vec<Taking>, Vec<Shortage>) {
        let mut planned = self.plan(beliefs, read);
        if !planned.shortages.is_empty() && beliefs.hope() {
            planned = self.plan(beliefs, read);
        }
        let mut takes = Vec::new();
        for allocation in &planned.allocations {
            let product = self.wanted[allocation.line as usize].0;
            let stock = StockKey::new(allocation.warehouse, product);
            let quantity = allocation.quantity;
            *beliefs.of(stock, read) -= quantity;
            takes.push((self.owner, 0, OpenTake::Stock(stock, Take::Reserve { quantity })));
        }
        (takes, planned.shortages)
    }

    fn plan(&self, beliefs: &mut Beliefs, read: &World) -> Plan {
        let mut available = |stock| *beliefs.of(stock, read);
        plan(self.sourcing, &self.candidates, &self.missing(), &mut available)
    }

    fn missing(&self) -> Vec<Demand> {
        let mut demands = Vec::new();
        for (line, &(product, wanted)) in (0..).zip(&self.wanted) {
            let of_line = self.allocations.iter().filter(|allocation| allocation.line == line);
            let found: Quantity = of_line.map(|allocation| allocation.quantity).sum();
            if found < wanted {
                demands.push(Demand { line, product, quantity: wanted - found });
            }
        }
        demands
    }

    /// Allocates what was granted, and believes the stocks that refused.
    pub(crate) fn hear(&mut self, replies: &[Reply], beliefs: &mut Beliefs) {
        for reply in replies {
            match reply {
                Reply::Granted((owner, _, OpenTake::Stock(stock, Take::Reserve { quantity })))
                    if *owner == self.owner =>
                {
                    let of_stock = |(product, _): &(ProductId, _)| *product == stock.product;
                    let line = self.wanted.iter().position(of_stock);
                    self.allocations.push(Allocation {
                        line: line.expect("only lines are asked for") as u32,
                        warehouse: stock.warehouse,
                        hold: None,
                        quantity: *quantity,
                    });
                }
                Reply::Refused(
                    (_, _, OpenTake::Stock(stock, _)),
                    Refusal::InsufficientStock(short),
                ) => {
                    beliefs.units.insert(*stock, short[0].available);
                }
                _ => {}
            }
        }
    }
}
