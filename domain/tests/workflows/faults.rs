//! What can be wrong with a world: the domain's named invariants, and what only the whole can say.

use std::collections::BTreeMap;

use stockade_domain::{
    OrderId, ReservationId, StockKey,
    holder::HoldStatus,
    invariants::{
        Invariant, Reasons, Violation, check_conservation, check_open, check_order, check_stock,
    },
    open::OpenTake,
    stock::Give,
};

use super::{
    told::Subject,
    world::{RequestKey, World},
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A named invariant does not hold.
    Broken(Violation),
    /// A client was told of this effect, and it is gone.
    Lost(Subject),
    /// An answer left that saw more of the journal than survived.
    ToldTooEarly { mark: usize, survived: usize },
    /// One request had two effects.
    TwoEffects(RequestKey),
    /// A stock expects other units than are on the road to it.
    Incoming { stock: StockKey, expects: i64, on_the_road: i64 },
    /// A hold is claimed and no claim is in flight, or the other way round.
    Claim(ReservationId),
    /// A hold became part of an order that does not exist.
    NoSuchOrder(ReservationId, OrderId),
}

pub(crate) type Faults = Vec<Fault>;

/// Whether one of the faults is this broken invariant.
pub(crate) fn breaks(faults: &[Fault], invariant: Invariant) -> bool {
    let is =
        |fault: &Fault| matches!(fault, Fault::Broken(broken) if broken.invariant == invariant);
    faults.iter().any(is)
}

impl World {
    /// What is wrong while workflows may be in flight.
    pub(crate) fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut found = |violation| faults.push(Fault::Broken(violation));
        let mut reasons = Reasons::default();
        for (key, stock) in &self.stocks {
            check_stock(*key, stock, &mut found);
        }
        for order in self.orders.values() {
            check_order(order, &mut found);
            reasons.order(order);
        }
        self.holds().for_each(|hold| reasons.hold(hold));
        reasons.open(&self.open);
        let stocks = || self.stocks.iter().map(|(key, stock)| (*key, stock));
        reasons.check(stocks(), &mut found);
        check_conservation(self.ledger.expected(&self.open), stocks(), &mut found);
        self.check_incoming(&mut faults);
        self.check_claims(&mut faults);
        faults.extend(self.doubled.iter().map(|key| Fault::TwoEffects(*key)));
        faults
    }

    /// What is wrong when nothing may be in flight any more.
    pub(crate) fn faults_at_rest(&self) -> Faults {
        let mut faults = self.faults();
        check_open(&self.open, &mut |violation| faults.push(Fault::Broken(violation)));
        faults
    }

    fn check_incoming(&self, faults: &mut Faults) {
        let mut on_the_road: BTreeMap<StockKey, i64> = BTreeMap::new();
        let mut add = |stock, quantity| *on_the_road.entry(stock).or_default() += quantity;
        for transfer in self.transfers.values() {
            add(transfer.dispatched.destination(), transfer.on_the_road() as i64);
        }
        for (_, _, stock, give) in self.open.gives() {
            match give {
                Give::Expect { quantity } => add(stock, -(quantity as i64)),
                Give::Arrive { received, missing } => add(stock, (received + missing) as i64),
                _ => {}
            }
        }
        for (key, stock) in &self.stocks {
            let on_the_road = on_the_road.get(key).copied().unwrap_or(0);
            let expects = stock.incoming as i64;
            if expects != on_the_road {
                faults.push(Fault::Incoming { stock: *key, expects, on_the_road });
            }
        }
    }

    fn check_claims(&self, faults: &mut Faults) {
        let claim = |(owner, _, take): (stockade_domain::Owner, _, OpenTake)| match take {
            OpenTake::Claim(hold) => Some((hold, OrderId(owner.id()))),
            OpenTake::Stock(..) => None,
        };
        let mut open: BTreeMap<_, _> = self.open.takes().into_iter().filter_map(claim).collect();
        for hold in self.holds() {
            if open.remove(&hold.id) != hold.claimed_by {
                faults.push(Fault::Claim(hold.id));
            }
            if let HoldStatus::Converted(order) = hold.status
                && !self.orders.contains_key(&order)
            {
                faults.push(Fault::NoSuchOrder(hold.id, order));
            }
        }
        faults.extend(open.into_keys().map(Fault::Claim));
    }
}
