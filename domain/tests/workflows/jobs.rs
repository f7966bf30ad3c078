//! The workflows that need not look for units: commands on what exists, transfers, adjustments, products, stocks.

use stockade_domain::{
    AdjustmentId, Event, OrderId, Owner, Refusal, ReservationId, Step, StockKey, TransferId,
    adjustment::{Adjust, takes},
    catalogue::{CatalogueCommand, CatalogueEvent},
    holder::{HoldCommand, HolderKey},
    open::OpenTake,
    order::{OrderCommand, OrderEvent},
    stock::{StockCommand, Take},
    transfer::{Dispatched, TransferCommand, TransferEvent, dispatch},
};

use super::{
    told::Subject,
    workflow::{Actor, Decision, Job, Next, Reply, View, refusal},
};

/// A decision that holds once its takes were granted, none of which can be had elsewhere.
#[derive(Default)]
struct AllOrNothing {
    decision: Option<(Vec<Event>, Subject)>,
}

impl AllOrNothing {
    fn ask(
        &mut self,
        (owner, step): (Owner, Step),
        takes: impl IntoIterator<Item = (StockKey, Take)>,
        events: Vec<Event>,
        about: Subject,
    ) -> Next {
        let taking = |(stock, take)| (owner, step, OpenTake::Stock(stock, take));
        let takes: Vec<_> = takes.into_iter().map(taking).collect();
        if takes.is_empty() {
            return Decision::all(events, about);
        }
        self.decision = Some((events, about));
        Next::Take(takes)
    }

    /// What follows from the answers; `None` when nothing was asked yet.
    fn answered(&mut self, replies: &[Reply]) -> Option<Next> {
        let (events, about) = self.decision.take()?;
        Some(refusal(replies).map_or_else(|| Decision::all(events, about), Next::Refuse))
    }
}

macro_rules! all_or_nothing {
    ($job:ident, $self:ident => $actor:expr) => {
        impl Job for $job {
            fn actors(&$self) -> Vec<Actor> {
                vec![$actor]
            }

            fn next(&mut self, view: &View<'_>, replies: Vec<Reply>) -> Next {
                let next = self.takes.answered(&replies).map_or_else(|| self.start(view), Ok);
                next.unwrap_or_else(Next::Refuse)
            }
        }
    };
}

/// Anything asked of an order.
pub(crate) struct OnOrder {
    order: OrderId,
    command: OrderCommand,
    takes: AllOrNothing,
}

impl OnOrder {
    pub(crate) fn new(order: OrderId, command: OrderCommand) -> Self {
        Self { order, command, takes: AllOrNothing::default() }
    }

    fn start(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        let order = view.live.orders.get(&self.order);
        let order = order.ok_or(Refusal::NotFound { kind: "order", id: self.order.0 })?;
        let events = order.decide(&self.command, view.now)?;
        let consumed = events.iter().find_map(|event| match event {
            OrderEvent::Shipped { step, shipment, .. } => {
                Some((*step, order.consumes(&shipment.parcels)))
            }
            _ => None,
        });
        let (step, takes) = consumed.unwrap_or_default();
        let events = events.into_iter().map(Event::from).collect();
        let workflow = (Owner::order(self.order), step);
        Ok(self.takes.ask(workflow, takes, events, Subject::Order(self.order)))
    }
}

all_or_nothing!(OnOrder, self => Actor::Order(self.order));

/// Anything asked of a hold.
pub(crate) struct OnHold {
    pub(crate) key: HolderKey,
    pub(crate) hold: ReservationId,
    pub(crate) command: HoldCommand,
}

impl Job for OnHold {
    fn actors(&self) -> Vec<Actor> {
        vec![Actor::Holder(self.key.clone())]
    }

    fn next(&mut self, view: &View<'_>, _: Vec<Reply>) -> Next {
        match view.live.holder(&self.key).decide(self.hold, self.command, view.now) {
            Ok(event) => {
                let events = event.into_iter().map(Event::from).collect();
                Decision::all(events, Subject::Hold(self.hold))
            }
            Err(refusal) => Next::Refuse(refusal),
        }
    }
}

/// A new transfer.
pub(crate) struct Dispatch {
    dispatched: Dispatched,
    takes: AllOrNothing,
}

impl Dispatch {
    pub(crate) fn new(dispatched: Dispatched) -> Self {
        Self { dispatched, takes: AllOrNothing::default() }
    }

    fn start(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        let take = dispatch(&self.dispatched)?;
        let id = self.dispatched.id;
        let dispatched = Dispatched { at: view.now, ..self.dispatched.clone() };
        let events = vec![TransferEvent::Dispatched(Box::new(dispatched)).into()];
        Ok(self.takes.ask((Owner::transfer(id), 0), [take], events, Subject::Transfer(id)))
    }
}

all_or_nothing!(Dispatch, self => Actor::Transfer(self.dispatched.id));

/// Anything asked of a transfer that is on the road.
pub(crate) struct OnTransfer {
    pub(crate) transfer: TransferId,
    pub(crate) command: TransferCommand,
}

impl Job for OnTransfer {
    fn actors(&self) -> Vec<Actor> {
        vec![Actor::Transfer(self.transfer)]
    }

    fn next(&mut self, view: &View<'_>, _: Vec<Reply>) -> Next {
        let Some(transfer) = view.live.transfers.get(&self.transfer) else {
            return Next::Refuse(Refusal::NotFound { kind: "transfer", id: self.transfer.0 });
        };
        match transfer.decide(&self.command, view.now) {
            Ok(event) => Decision::one(event, Subject::Transfer(self.transfer)),
            Err(refusal) => Next::Refuse(refusal),
        }
    }
}

/// An adjustment of one or many stocks.
pub(crate) struct AdjustAll {
    id: AdjustmentId,
    request: Adjust,
    takes: AllOrNothing,
}

impl AdjustAll {
    pub(crate) fn new(id: AdjustmentId, request: Adjust) -> Self {
        Self { id, request, takes: AllOrNothing::default() }
    }

    fn start(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        let deltas = self.request.check()?;
        let minuses: Vec<_> = takes(&deltas).collect();
        let events = vec![self.request.clone().decide(self.id, deltas, view.now).into()];
        let owner = Owner::adjustment(self.id);
        Ok(self.takes.ask((owner, 0), minuses, events, Subject::Adjustment(self.id)))
    }
}

all_or_nothing!(AdjustAll, self => Actor::Adjustment(self.id));

/// Anything asked of the catalogue; of a product, with the stock it is created or counted with.
pub(crate) struct OnCatalogue {
    command: CatalogueCommand,
    takes: AllOrNothing,
}

impl OnCatalogue {
    pub(crate) fn new(command: CatalogueCommand) -> Self {
        Self { command, takes: AllOrNothing::default() }
    }

    fn start(&mut self, view: &View<'_>) -> Result<Next, Refusal> {
        let Some(event) = view.live.catalogue.decide(&self.command, view.now)? else {
            return Ok(Next::Decide(Decision { events: vec![], request: None, about: vec![] }));
        };
        let (product, recount) = match &event {
            CatalogueEvent::ProductCreated { product, .. } => (product, None),
            CatalogueEvent::ProductUpdated { product, recount } => (product, *recount),
            CatalogueEvent::ProductArchived { product } => (product, None),
            _ => {
                let events = vec![event.into()];
                return Ok(Next::Decide(Decision { events, request: None, about: vec![] }));
            }
        };
        let minuses: Vec<_> = takes(recount.as_slice()).collect();
        let (workflow, about) =
            ((Owner::product(product.id), product.step()), Subject::Product(product.id));
        Ok(self.takes.ask(workflow, minuses, vec![event.into()], about))
    }
}

all_or_nothing!(OnCatalogue, self => Actor::Catalogue);

/// Anything asked of one stock alone.
pub(crate) struct OnStock {
    pub(crate) stock: StockKey,
    pub(crate) command: StockCommand,
}

impl Job for OnStock {
    fn actors(&self) -> Vec<Actor> {
        vec![Actor::Stock(self.stock)]
    }

    fn next(&mut self, view: &View<'_>, _: Vec<Reply>) -> Next {
        match view.live.stock(self.stock).decide(self.stock, &self.command, view.now) {
            Ok(Some(event)) => Decision::one(event, Subject::Stock(self.stock)),
            Ok(None) => Next::Decide(Decision { events: vec![], request: None, about: vec![] }),
            Err(refusal) => Next::Refuse(refusal),
        }
    }
}
