//! Reserving what an order or a hold wants.

use std::rc::Rc;

use futures_util::future::join_all;
use rustc_hash::FxHashMap;
use stockade_domain::{
    Owner, ProductId, Quantity, Shortage, StockKey, WarehouseId,
    sourcing::{Allocation, Demand, Rule, Sourcing, plan},
    stock::Take,
};

use super::stocks::{take, undo};
use crate::{Error, crowd::Place, lane::Lane, read::ReadSide, stock::TakeFor};

/// Rounds of planning, beside one for each warehouse, before a line counts as short. Each refusal lowers what is expected of a stock,
/// so that more rounds than this mean stocks that change faster than they can be asked.
const ROUNDS_MAX: usize = 16;

/// Placing is the first workflow of its owner.
const STEP: u32 = 0;

/// What one owner wants.
pub(super) struct Want {
    pub(super) owner: Owner,
    pub(super) sourcing: Sourcing,
    pub(super) candidates: Vec<WarehouseId>,
    pub(super) demands: Vec<Demand>,
    /// Whether a part is better than nothing.
    pub(super) partial: bool,
}

/// Why nothing was reserved: which of the wants is short, and of what.
pub(super) enum Short {
    Lines(usize, Vec<Shortage>),
    Failed(Error),
}

/// Says of each short line what was wanted in all, and what there is in all: units that were held already count.
pub(super) fn in_all(lines: &[(ProductId, Quantity)], shortages: &mut [Shortage]) {
    for short in shortages {
        if let Some((_, wanted)) = lines.iter().find(|(product, _)| *product == short.product) {
            let missing = short.wanted - short.available;
            (short.wanted, short.available) = (*wanted, wanted - missing);
        }
    }
}

/// Attempts in the order of stocks after the first one failed in a crowd.
const ORDERLY_ATTEMPTS_MAX: usize = 3;

/// Reserves all that is wanted, or nothing: where each want's units come from.
///
/// When what is missing could be what other workflows hold and may yet undo, or have undone since, it is tried again when all of those
/// have ended, one stock after the other in the order of their ids, and asking the stocks alone: of orders that each hold what the
/// others need, one gets through. Whoever waits holds nothing, so that nobody waits for each other.
pub(super) async fn reserve(
    lane: &Rc<Lane>,
    wants: &[Want],
) -> Result<Vec<Vec<Allocation>>, Short> {
    let takes: usize = wants.iter().map(|want| want.demands.len()).sum();
    let mut orderly_attempts = 0;
    loop {
        let mut place = lane.shared.crowd.enter(takes > 1);
        let done = attempt(lane, &mut place, wants, orderly_attempts > 0).await;
        let Err(Short::Lines(_, shortages)) = &done else { return done };
        let is_held_by_others =
            |short: &Shortage| place.may_be_freed(short.product) >= short.wanted - short.available;
        if orderly_attempts == ORDERLY_ATTEMPTS_MAX || !shortages.iter().all(is_held_by_others) {
            return done;
        }
        place.others_leave().await;
        orderly_attempts += 1;
    }
}

async fn attempt(
    lane: &Rc<Lane>,
    place: &mut Place<'_>,
    wants: &[Want],
    in_order: bool,
) -> Result<Vec<Vec<Allocation>>, Short> {
    let mut attempt = Attempt {
        wants,
        open: wants.iter().map(|want| want.demands.clone()).collect(),
        granted: wants.iter().map(|_| Vec::new()).collect(),
        known: FxHashMap::default(),
        in_order,
    };
    let done = attempt.run(lane, place).await;
    match done {
        Ok(()) => Ok(attempt.granted),
        Err(short) => {
            let all = (0..wants.len()).flat_map(|want| attempt.takes(want)).collect();
            place.give_back();
            undo(lane, all).await.map_err(Short::Failed)?;
            Err(short)
        }
    }
}

struct Attempt<'a> {
    wants: &'a [Want],
    /// Demands still to be found, of each want.
    open: Vec<Vec<Demand>>,
    /// What was reserved, for each want.
    granted: Vec<Vec<Allocation>>,
    /// What a stock that refused said it could give: it is not asked for more again.
    known: FxHashMap<StockKey, Quantity>,
    /// One stock after the other, and without the read side, which may not know yet what was undone.
    in_order: bool,
}

/// A take of a plan: of which want, from where.
struct Planned {
    want: usize,
    key: StockKey,
    demand: Demand,
    allocation: Allocation,
}

impl Attempt<'_> {
    async fn run(&mut self, lane: &Rc<Lane>, place: &mut Place<'_>) -> Result<(), Short> {
        let warehouses = self.wants.iter().map(|want| want.candidates.len()).max();
        for _ in 0..ROUNDS_MAX + warehouses.unwrap_or(0) {
            let mut planned = self.plan(&lane.shared.read)?;
            if planned.is_empty() {
                return Ok(());
            }
            place.ask(planned.iter().map(|one| (one.key.product, one.allocation.quantity)));
            let answers = if self.in_order {
                planned.sort_by_key(|planned| planned.key);
                let mut answers = Vec::with_capacity(planned.len());
                for planned in &planned {
                    answers.push(self.ask(lane, planned).await);
                }
                answers
            } else if let [only] = planned.as_slice() {
                vec![self.ask(lane, only).await]
            } else {
                join_all(planned.iter().map(|planned| self.ask(lane, planned))).await
            };
            self.settle(lane, place, planned, answers).await?;
        }
        let missing = |(open, want): (&Vec<Demand>, &Want)| !open.is_empty() && !want.partial;
        let Some(want) = self.open.iter().zip(self.wants).position(missing) else {
            return Ok(());
        };
        let short = |demand: &Demand| shortage(demand, 0);
        Err(Short::Lines(want, self.open[want].iter().map(short).collect()))
    }

    /// Plans everything that is still to be found. What one want is to get, the next one cannot have.
    fn plan(&mut self, read: &ReadSide) -> Result<Vec<Planned>, Short> {
        let mut planned: Vec<Planned> = Vec::new();
        let mut spoken_for: FxHashMap<StockKey, Quantity> = FxHashMap::default();
        for (index, want) in self.wants.iter().enumerate() {
            let open = &mut self.open[index];
            if open.is_empty() {
                continue;
            }
            let (known, in_order) = (&self.known, self.in_order);
            let guess = |key| if in_order { Quantity::MAX } else { read.available(key) };
            let mut available = |key: StockKey| {
                let there = known.get(&key).copied().unwrap_or_else(|| guess(key));
                there.saturating_sub(spoken_for.get(&key).copied().unwrap_or(0))
            };
            let plan = plan(want.sourcing, &want.candidates, open, &mut available);
            if !plan.shortages.is_empty() && !want.partial {
                return Err(Short::Lines(index, plan.shortages));
            }
            for allocation in plan.allocations {
                let product = open.iter().find(|demand| demand.line == allocation.line);
                let product = product.expect("a plan is for what was demanded").product;
                let key = StockKey::new(allocation.warehouse, product);
                let (line, quantity) = (allocation.line, allocation.quantity);
                let demand = Demand { line, product, quantity };
                if self.wants.len() > 1 {
                    *spoken_for.entry(key).or_insert(0) += quantity;
                }
                planned.push(Planned { want: index, key, demand, allocation });
            }
        }
        Ok(planned)
    }

    async fn ask(&self, lane: &Rc<Lane>, planned: &Planned) -> Result<Result<(), Quantity>, Error> {
        let owner = self.wants[planned.want].owner;
        let what = Take::Reserve { quantity: planned.allocation.quantity };
        take(lane, planned.key, TakeFor { owner, step: STEP, take: what }).await
    }

    /// Notes what was granted, and opens again what was refused.
    async fn settle(
        &mut self,
        lane: &Rc<Lane>,
        place: &mut Place<'_>,
        planned: Vec<Planned>,
        answers: Vec<Result<Result<(), Quantity>, Error>>,
    ) -> Result<(), Short> {
        let mut failed = None;
        let mut again = Vec::new();
        self.open.iter_mut().for_each(Vec::clear);
        for (planned, answer) in planned.into_iter().zip(answers) {
            match answer {
                Ok(Ok(())) => self.granted[planned.want].push(planned.allocation),
                Ok(Err(available)) => {
                    self.known.insert(planned.key, available);
                    self.reopen(planned.want, planned.demand);
                    again.push(planned.want);
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(Short::Failed(error));
        }
        // One warehouse gives everything or nothing: what it gave goes back before another is asked.
        again.dedup();
        for want in again
            .into_iter()
            .filter(|want| self.wants[*want].sourcing.rule == Rule::SingleWarehouse)
        {
            place.give_back();
            undo(lane, self.takes(want)).await.map_err(Short::Failed)?;
            self.granted[want].clear();
            self.open[want].clone_from(&self.wants[want].demands);
        }
        Ok(())
    }

    /// Two refused parts of one line are one demand again.
    fn reopen(&mut self, want: usize, demand: Demand) {
        let open = &mut self.open[want];
        match open.iter_mut().find(|known| known.line == demand.line) {
            Some(known) => known.quantity += demand.quantity,
            None => open.push(demand),
        }
    }

    /// What was granted to a want, as takes.
    fn takes(&self, want: usize) -> Vec<(StockKey, TakeFor)> {
        let Want { owner, demands, .. } = &self.wants[want];
        let product = |line: u32| {
            let demand = demands.iter().find(|demand| demand.line == line);
            demand.expect("what was granted was demanded").product
        };
        let take = |granted: &Allocation| {
            let what = Take::Reserve { quantity: granted.quantity };
            let key = StockKey::new(granted.warehouse, product(granted.line));
            (key, TakeFor { owner: *owner, step: STEP, take: what })
        };
        self.granted[want].iter().map(take).collect()
    }
}

fn shortage(demand: &Demand, available: Quantity) -> Shortage {
    let (product, wanted) = (demand.product, demand.quantity);
    Shortage { product, warehouse: None, wanted, available, frees_at: None }
}
