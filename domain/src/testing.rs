//! How the rules are tested: `given(events).when(command).then(events)`, or `.refused(refusal)`.
//!
//! Whatever a command decides is evolved and checked against the named invariants, in every test.

use std::{collections::BTreeSet, fmt};

use crate::{
    Amount, Currency, Refusal, ShopId, Timestamp, WarehouseId,
    catalogue::{Catalogue, CatalogueCommand, NewProduct, NewShop, NewWarehouse},
    invariants::Violation,
    limits::PAYMENT_DEADLINE_MS_DEFAULT,
    sourcing::Sourcing,
};

/// When commands are decided, unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

/// What all aggregates have in common.
pub(crate) trait Aggregate: Clone + fmt::Debug + PartialEq {
    type Command;
    type Event: Clone + fmt::Debug + PartialEq;

    fn replay(events: &[Self::Event]) -> Self;
    fn ask(&self, command: &Self::Command, at: Timestamp) -> Result<Vec<Self::Event>, Refusal>;
    fn apply(&mut self, event: &Self::Event);
    fn check(&self, _found: &mut dyn FnMut(Violation)) {}
}

/// What has happened before.
#[derive(Clone)]
pub(crate) struct Given<A> {
    state: A,
    at: Timestamp,
}

/// What came of a command.
pub(crate) struct Outcome<A: Aggregate> {
    before: A,
    result: Result<Vec<A::Event>, Refusal>,
}

pub(crate) fn given<A: Aggregate>(events: impl AsRef<[A::Event]>) -> Given<A> {
    Given { state: A::replay(events.as_ref()), at: NOW }
}

impl<A: Aggregate> Given<A> {
    /// Also given: this was asked, and granted.
    pub(crate) fn and(mut self, command: A::Command) -> Self {
        let events = self.state.ask(&command, self.at).expect("what is given was granted");
        self.state = after(&self.state, &events);
        self
    }

    /// Also given: this happened.
    pub(crate) fn happened(mut self, event: A::Event) -> Self {
        self.state = after(&self.state, &[event]);
        self
    }

    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }

    pub(crate) fn state(&self) -> &A {
        &self.state
    }

    pub(crate) fn when(&self, command: A::Command) -> Outcome<A> {
        let result = self.state.ask(&command, self.at);
        Outcome { before: self.state.clone(), result }
    }
}

impl<A: Aggregate> Outcome<A> {
    /// Exactly these events; the state after them.
    #[track_caller]
    pub(crate) fn then(self, events: impl AsRef<[A::Event]>) -> A {
        assert_eq!(self.result.as_deref(), Ok(events.as_ref()));
        after(&self.before, events.as_ref())
    }

    /// Granted, with at least one event; the state after it.
    #[track_caller]
    pub(crate) fn granted(self) -> A {
        let events = self.result.expect("granted");
        assert!(!events.is_empty(), "something happened");
        after(&self.before, &events)
    }

    /// The events of a command that was granted.
    #[track_caller]
    pub(crate) fn events(self) -> Vec<A::Event> {
        let events = self.result.expect("granted");
        after(&self.before, &events);
        events
    }

    /// A repeat, or a timer that came too late: granted, and nothing happened.
    #[track_caller]
    pub(crate) fn nothing(self) {
        assert_eq!(self.result, Ok(Vec::new()));
    }

    #[track_caller]
    pub(crate) fn refused(self, refusal: Refusal) {
        assert_eq!(self.result, Err(refusal));
    }

    /// Refused because of this field.
    #[track_caller]
    pub(crate) fn invalid(self, wanted: &str) {
        match self.result {
            Err(Refusal::Invalid { field, .. }) => assert_eq!(field, wanted),
            other => panic!("{wanted} should be refused: {other:?}"),
        }
    }
}

/// Refused because of this field.
#[track_caller]
pub(crate) fn invalid<T: fmt::Debug>(result: Result<T, Refusal>, wanted: &str) {
    match result {
        Err(Refusal::Invalid { field, .. }) => assert_eq!(field, wanted),
        other => panic!("{wanted} should be refused: {other:?}"),
    }
}

#[track_caller]
fn after<A: Aggregate>(before: &A, events: &[A::Event]) -> A {
    let mut state = before.clone();
    events.iter().for_each(|event| state.apply(event));
    state.check(&mut |violation| panic!("{violation}"));
    state
}

/// A catalogue in which these commands were granted.
pub(crate) fn catalogue(commands: impl IntoIterator<Item = CatalogueCommand>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for command in commands {
        let event = catalogue.decide(&command, NOW).expect("what is given was granted");
        catalogue.evolve(&event.expect("something changed"));
    }
    catalogue
}

/// A product that costs `price` cents and is sold everywhere.
pub(crate) fn product(name: &str, price: Amount) -> NewProduct {
    NewProduct {
        sku: None,
        name: name.into(),
        description: String::new(),
        price,
        currency: Currency::USD,
        shops: BTreeSet::new(),
        attributes: Default::default(),
        reference: None,
        metadata: Default::default(),
        opening: None,
    }
}

/// A shop that sells in dollars, with these warehouses or all.
pub(crate) fn shop(sourcing: Sourcing, warehouses: Option<&[u64]>) -> NewShop {
    NewShop {
        name: "shop".into(),
        currency: Currency::USD,
        payment_deadline_ms: PAYMENT_DEADLINE_MS_DEFAULT,
        sourcing,
        warehouses: warehouses.map(|ids| ids.iter().copied().map(WarehouseId).collect()),
    }
}

/// A warehouse at (degrees north, degrees east).
pub(crate) fn warehouse(name: &str, place: Option<(i32, i32)>) -> NewWarehouse {
    let place_e6 = place.map(|(north, east)| (north * 1_000_000, east * 1_000_000));
    NewWarehouse { name: name.into(), country: None, place_e6 }
}

/// Shops with these ids.
pub(crate) fn shops(ids: &[u64]) -> BTreeSet<ShopId> {
    ids.iter().copied().map(ShopId).collect()
}
