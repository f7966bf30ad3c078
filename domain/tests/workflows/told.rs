//! The ledger outside: what clients were told. It is kept apart from the engine, and no crash touches it.

use std::collections::BTreeMap;

use stockade_domain::{AdjustmentId, OrderId, ProductId, ReservationId, StockKey, TransferId};

use super::{
    faults::Fault,
    world::{RequestKey, World},
};

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Order(OrderId),
    Hold(ReservationId),
    Transfer(TransferId),
    Adjustment(AdjustmentId),
    Product(ProductId),
    Stock(StockKey),
    /// This request made this order.
    Request(RequestKey, OrderId),
}

/// How far a thing has come, in numbers that only ever grow: its version, and what was paid.
pub(crate) type Effect = (u32, i64);

/// Everything that was ever told, and how far the journal had come at the latest of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    effects: BTreeMap<Subject, Effect>,
    refusals: usize,
    /// Refusals say nothing about any one thing; they are true as long as the journal they were given on is.
    mark: usize,
}

impl Told {
    pub(crate) fn done(&mut self, subject: Subject, effect: Effect, mark: usize) {
        let known = self.effects.entry(subject).or_default();
        *known = (known.0.max(effect.0), known.1.max(effect.1));
        self.mark = self.mark.max(mark);
    }

    pub(crate) fn refused(&mut self, mark: usize) {
        self.refusals += 1;
        self.mark = self.mark.max(mark);
    }

    pub(crate) fn knows(&self, subject: Subject) -> bool {
        self.effects.contains_key(&subject)
    }

    /// How many effects and refusals were told.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.effects.len(), self.refusals)
    }

    /// Reports what was told and is no longer true in a recovered world.
    pub(crate) fn check(&self, world: &World, found: &mut Vec<Fault>) {
        if world.groups < self.mark {
            found.push(Fault::ToldTooEarly { mark: self.mark, survived: world.groups });
        }
        for (subject, told) in &self.effects {
            let there = world.effect(*subject);
            if there.is_none_or(|there| there.0 < told.0 || there.1 < told.1) {
                found.push(Fault::Lost(*subject));
            }
        }
    }
}
