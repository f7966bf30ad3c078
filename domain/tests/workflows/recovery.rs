//! What a start does after a crash, and the check of every crash that could come in its way.

use stockade_domain::{Event, stock::StockEvent};

use super::{
    faults::Faults,
    told::Told,
    world::{Group, World},
};

/// How a start heals what a crash interrupted. The weak ones are null controls: the checks must catch each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// As it is built: what the open table says.
    Built,
    /// Decided gives are forgotten.
    NoGives,
    /// Undecided takes are left standing.
    NoUndo,
    /// A decision does not adopt its takes, so they are undone.
    NoAdoption,
}

/// A group of one settling event.
pub(crate) fn settling(event: Event) -> Group {
    Group { events: vec![event], request: None }
}

impl World {
    /// What a start makes of this world.
    pub(crate) fn healed(&self) -> Self {
        let mut healed = self.clone();
        self.open.settle().into_iter().for_each(|event| healed.apply(&settling(event)));
        healed
    }
}

/// Checks a prefix of the journal that a crash may leave: as it is, and healed; and for a crash after each of the settling
/// events, healed again. Returns how many recoveries that were.
pub(crate) fn check_every_crash(
    folded: &World,
    told: &Told,
    recovery: Recovery,
) -> Result<usize, Faults> {
    none(folded.faults())?;
    if recovery != Recovery::Built {
        return judge(&heal_weakly(folded, recovery), told).map(|()| 1);
    }
    let events = folded.open.settle();
    let mut survived = folded.clone();
    for settled in 0..=events.len() {
        // A second start goes on where the first was cut off; so would a third, a fourth, and any other.
        let left = same_events(&survived.open.settle(), &events[settled..]);
        assert!(left, "what is left to settle is what was not settled");
        judge(&survived.healed(), told)?;
        if let Some(event) = events.get(settled) {
            survived.apply(&settling(event.clone()));
        }
    }
    Ok(events.len() + 1)
}

/// Heals as a weak design would, which believes that nothing is open then.
fn heal_weakly(folded: &World, recovery: Recovery) -> World {
    let is_give = |event: &Event| matches!(event, Event::Stock(StockEvent::Given { .. }));
    let mut healed = folded.clone();
    let undone_by = match recovery {
        Recovery::NoAdoption => &folded.unadopted,
        _ => &folded.open,
    };
    for event in undone_by.settle().iter().filter(|event| !is_give(event)) {
        if recovery != Recovery::NoUndo {
            healed.evolve(event);
        }
    }
    for event in folded.open.settle().iter().filter(|event| is_give(event)) {
        if recovery != Recovery::NoGives {
            healed.evolve(event);
        }
    }
    healed.open = Default::default();
    healed
}

/// Whether these are the same events. Gives of one workflow to one stock are done in any order.
fn same_events(some: &[Event], others: &[Event]) -> bool {
    let times = |event: &Event, of: &[Event]| of.iter().filter(|other| *other == event).count();
    some.len() == others.len()
        && others.iter().all(|event| times(event, some) == times(event, others))
}

fn judge(healed: &World, told: &Told) -> Result<(), Faults> {
    let mut faults = healed.faults_at_rest();
    told.check(healed, &mut faults);
    none(faults)
}

fn none(faults: Faults) -> Result<(), Faults> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
