//! What happened before, read back from the journal.

use std::sync::Arc;

use stockade_domain::{
    Event, OrderId, Origin, Quantity, Refusal, ReservationId, Sequence, StockKey, Timestamp,
    TransferId,
    account::{Account, AccountEvent},
    adjustment::AdjustmentEvent,
    catalogue::{CatalogueEvent, Product, Shop, Warehouse},
    holder::Hold,
    open::{Part, part},
    order::{Order, OrderEvent},
    stock::{Give, StockEvent},
    transfer::Transfer,
};

use super::{Engine, MadeApiKey};
use crate::{CatalogueThing, Error, OrderHistory, StockRow, feed, workflow};

/// What a command under a key answered the first time.
#[doc = include_str!("../../docs/first_answer_type.md")]
#[derive(Clone, Debug, PartialEq)]
pub enum FirstAnswer {
    /// An order, as it was then.
    Order(Order),
    /// The orders of a batch of several that were all placed together, as they were then.
    Orders(Vec<Order>),
    /// A hold, as it was then.
    Hold(Hold),
    /// A transfer, as it was then.
    Transfer(Transfer),
    /// An adjustment.
    Adjusted(AdjustmentEvent),
    /// An account as it was then; what is personal in it is opened as ever.
    Account(Arc<Account>),
    /// An API key, with the text by which a machine presents it.
    ApiKey(MadeApiKey),
    /// A product as it was then, with what there was of it right after the command.
    Product {
        /// The product.
        product: Arc<Product>,
        /// Units on hand in all warehouses.
        on_hand: Quantity,
        /// Units that could be ordered of all active warehouses.
        available: Quantity,
    },
    /// A shop, as it was then.
    Shop(Arc<Shop>),
    /// A warehouse, as it was then.
    Warehouse(Arc<Warehouse>),
    /// A stock's counts, as they were right after the command.
    Stock(StockRow),
}

/// Looks at the past of one stock for one page; what one look goes through is bounded, too.
const LOOKS_MAX: usize = 100;

/// One change of what a stock has on hand.
#[doc = include_str!("../../docs/stock_change.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct StockChange {
    /// Its place in the journal.
    pub sequence: Sequence,
    /// When it was committed.
    pub at: Timestamp,
    /// What happened.
    pub event: StockEvent,
}

impl Engine {
    /// What changed a stock's units on hand after `after`: up to `limit` events, oldest first, and the position to go on after;
    /// nothing when that is all. Only these are read from the journal. When a million of
    /// the stock's changes had to be looked at, most of them reservations, it may end before the limit is reached. It blocks while it
    /// reads the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    #[doc = include_str!("../../docs/on_hand_changes.md")]
    pub fn on_hand_changes(
        &self,
        key: StockKey,
        after: Sequence,
        limit: usize,
    ) -> Result<(Vec<StockChange>, Option<Sequence>), Error> {
        let past = &self.shared().read.past;
        let (mut places, mut next) = (Vec::new(), Some(after));
        for _ in 0..LOOKS_MAX {
            // One more than is wanted says whether there are more.
            let Some(from) = next.filter(|_| places.len() <= limit) else { break };
            let (found, more) = past.on_hand_changes(key, from, limit + 1 - places.len());
            places.extend(found);
            next = more;
        }
        if places.len() > limit {
            places.truncate(limit);
            next = Some(places.last().copied().unwrap_or(after));
        }
        let change = |sequence| {
            let record = feed::record(self.shared(), sequence)?;
            match feed::decode(&record)? {
                Event::Stock(event) => {
                    Ok(StockChange { sequence, at: Timestamp(record.time_ms), event })
                }
                _ => Err(feed::unreadable(&format!("record {sequence} is not about a stock"))),
            }
        };
        let changes: Result<_, Error> = places.into_iter().map(change).collect();
        Ok((changes?, next))
    }

    /// Everything that happened to an order, read back from the journal.
    ///
    /// # Errors
    /// No such order, or the journal cannot be read.
    #[doc = include_str!("../../docs/order_history.md")]
    pub fn order_history(&self, id: OrderId) -> Result<Vec<OrderHistory>, Error> {
        let events = self.shared().read.order_events(id);
        let events = events.ok_or(Refusal::NotFound { kind: "order", id: id.0 })?;
        let mut history = Vec::with_capacity(events.len());
        let mut covers = (None, 0);
        for sequence in events {
            let record = feed::record(self.shared(), sequence)?;
            match feed::decode(&record)? {
                Event::Origin(origin) => {
                    covers = (origin.who, sequence + u64::from(origin.covers));
                }
                Event::Order(event) => {
                    let who = covers.0.filter(|_| sequence <= covers.1);
                    let (epoch, at) = (record.epoch, Timestamp(record.time_ms));
                    history.push(OrderHistory { sequence, epoch, at, who, event });
                }
                _ => {}
            }
        }
        Ok(history)
    }

    /// What the command whose decision is at `at` answered: of [`Error::AlreadyDone`]. Rebuilt from the journal, so it is as it
    /// was right after the decision and what the decision gives, whatever happened since.
    ///
    /// # Errors
    /// There is no such decision, or the journal cannot be read.
    #[doc = include_str!("../../docs/first_answer.md")]
    pub fn first_answer(&self, at: Sequence) -> Result<FirstAnswer, Error> {
        let none = || Error::Refused(Refusal::NotFound { kind: "decision", id: at });
        if at == 0 || at > self.position() {
            return Err(none());
        }
        let Event::Origin(Origin { covers, key: under, .. }) = self.event_at(at)? else {
            return Err(none());
        };
        let group = self.shared().journal().read_from(at, covers as usize);
        let group = group.map_err(|error| feed::unreadable(&error.to_string()))?;
        let group: Vec<Event> = group.iter().map(feed::decode).collect::<Result<_, _>>()?;
        // Rows of a batch have origins of their own, and an order may have taken holds over.
        let decided = group.iter().find(|event| !matches!(event, Event::Origin(_)));
        match decided.ok_or_else(none)? {
            Event::Order(_) => self.orders_of(at, &group),
            Event::Hold(event) => self.hold_at(event.hold(), at + 1).map(FirstAnswer::Hold),
            Event::Transfer(event) => {
                self.transfer_at(event.transfer(), at + 1).map(FirstAnswer::Transfer)
            }
            Event::Adjustment(event) => Ok(FirstAnswer::Adjusted(event.clone())),
            Event::Catalogue(event) => Ok(self.thing_of(at + u64::from(covers), event)),
            Event::Stock(event) => {
                let row = self.stock_as_of(event.stock(), at + u64::from(covers));
                row.map(FirstAnswer::Stock).ok_or_else(none)
            }
            Event::Account(
                AccountEvent::Registered(account)
                | AccountEvent::Updated(account)
                | AccountEvent::PasswordChanged(account)
                | AccountEvent::RoleChanged(account)
                | AccountEvent::Erased(account),
            ) => Ok(FirstAnswer::Account(account.clone())),
            Event::Account(AccountEvent::ApiKeyCreated(key)) => {
                let text = self.text_of(key, under);
                Ok(FirstAnswer::ApiKey(MadeApiKey { key: key.clone(), text }))
            }
            // Sessions are answered with secrets that are kept nowhere.
            Event::Account(_) | Event::IdsLeased { .. } | Event::Clock(_) | Event::Origin(_) => {
                Err(none())
            }
        }
    }

    /// What a change of the catalogue is about, as it was after its group, which ends at `at`. A product is shown with what its
    /// event gives to a stock: whatever else happened before it was given is not the command's.
    fn thing_of(&self, at: Sequence, event: &CatalogueEvent) -> FirstAnswer {
        let gives = match part(&event.clone().into()) {
            Part::Decided(_, _, gives) => gives,
            _ => Vec::new(),
        };
        let given = gives.into_iter().find_map(|(key, give)| match give {
            Give::Plus { quantity } => Some((key, quantity)),
            _ => None,
        });
        match workflow::thing(event) {
            CatalogueThing::Product(product) => {
                let (on_hand, available) = self.product_stock_as_of(product.id, at, given);
                let available = if product.archived { 0 } else { available };
                FirstAnswer::Product { product, on_hand, available }
            }
            CatalogueThing::Shop(shop) => FirstAnswer::Shop(shop),
            CatalogueThing::Warehouse(warehouse) => FirstAnswer::Warehouse(warehouse),
        }
    }

    /// The orders that a group is about, as they were after it.
    fn orders_of(&self, at: Sequence, group: &[Event]) -> Result<FirstAnswer, Error> {
        let mut orders: Vec<Order> = Vec::new();
        for event in group {
            let Event::Order(event) = event else { continue };
            match (event, orders.last_mut().filter(|order| order.id() == event.order())) {
                (OrderEvent::Placed(placed), _) => orders.push(Order::new(placed.clone())),
                (event, Some(order)) => order.evolve(event),
                (event, None) => {
                    let mut order = self.order_before(event.order(), at)?;
                    order.evolve(event);
                    orders.push(order);
                }
            }
        }
        match orders.len() {
            1 => Ok(FirstAnswer::Order(orders.remove(0))),
            _ => Ok(FirstAnswer::Orders(orders)),
        }
    }

    fn order_before(&self, id: OrderId, before: Sequence) -> Result<Order, Error> {
        let events = self.shared().read.order_events(id).unwrap_or_default();
        let order = self.folded(&events, before - 1, Order::after)?;
        order.ok_or_else(|| feed::unreadable(&format!("order {id} has no beginning")))
    }

    fn hold_at(&self, id: ReservationId, until: Sequence) -> Result<Hold, Error> {
        let events = self.shared().read.holds.with(id.0, |hold| hold.events.clone());
        let events = events.unwrap_or_default();
        let hold = self.folded(&events, until, Hold::after)?;
        hold.ok_or_else(|| feed::unreadable(&format!("reservation {id} has no beginning")))
    }

    fn transfer_at(&self, id: TransferId, until: Sequence) -> Result<Transfer, Error> {
        let events = self.shared().read.transfers.with(id.0, |transfer| transfer.events.clone());
        let transfer = self.folded(&events.unwrap_or_default(), until, Transfer::after)?;
        transfer.ok_or_else(|| feed::unreadable(&format!("transfer {id} has no beginning")))
    }

    /// Folds those of these events that are at or below `until`.
    fn folded<T>(
        &self,
        events: &[Sequence],
        until: Sequence,
        after: impl Fn(Option<T>, &Event) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        feed::folded(self.shared(), feed::up_to(events, until), after)
    }

    /// An event that is committed.
    pub(super) fn event_at(&self, sequence: Sequence) -> Result<Event, Error> {
        feed::decode(&feed::record(self.shared(), sequence)?)
    }
}
