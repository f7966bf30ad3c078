//! The feed: what was committed, in journal order, each event with its thing as it was right after.
//!
//! An order, a hold or a transfer as of then is folded from its own events, which the read side knows the places of: the work is
//! bounded by what can happen to one order, whatever the length of the journal. Catalogue events carry the whole thing. A stock's events say what they changed; what it had in all then, [`Engine::stock_as_of`] knows.

use rustc_hash::FxHashMap;
use stockade_domain::{
    Event, OrderId, Origin, ReservationId, Sequence, Timestamp, TransferId, Who,
    holder::{Hold, HoldEvent},
    order::{Order, OrderEvent},
    transfer::{Transfer, TransferEvent},
};
use stockade_storage::OwnedRecord;

use crate::{
    Engine, Error,
    read::{Recorded, Table},
    shared::Shared,
};

/// Records that are read for one page at most, whatever is asked for.
const RECORDS_MAX: usize = 10_000;

/// Records read from the journal at a time.
const CHUNK: usize = 500;

/// A part of the feed.
#[doc = include_str!("../docs/feed_type.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// What happened, in journal order.
    pub happened: Vec<Happened>,
    /// Everything up to here was looked at: the feed goes on after it.
    pub position: Sequence,
}

/// One committed event.
#[doc = include_str!("../docs/happened.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// Its place in the journal, above all before it.
    pub sequence: Sequence,
    /// The run of the engine that it happened in.
    pub epoch: u32,
    /// When it was committed.
    pub at: Timestamp,
    /// Whose decision it was, where that is known: takes and gives are part of no decision, and nobody decides that a time is up.
    pub who: Option<Who>,
    /// What happened.
    pub event: Event,
    /// Its thing right after.
    pub after: After,
}

/// A thing as it was right after an event.
#[doc = include_str!("../docs/after.md")]
#[derive(Clone, Debug, PartialEq)]
pub enum After {
    /// An order.
    Order(Box<Order>),
    /// A transfer.
    Transfer(Box<Transfer>),
    /// A hold.
    Hold(Box<Hold>),
    /// The event says all there is to say.
    Event,
}

impl Engine {
    /// The last event that is committed and folded: where the feed ends.
    #[doc = include_str!("../docs/position.md")]
    #[must_use]
    pub fn position(&self) -> Sequence {
        self.shared().answers.folded()
    }

    /// Up to `limit` events after `after` that fit. It may end before the limit is reached, and even with nothing: then the work
    /// of one page was done, and it goes on at its position. It blocks while it reads the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    #[doc = include_str!("../docs/feed.md")]
    pub fn feed(
        &self,
        after: Sequence,
        limit: usize,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Feed, Error> {
        let end = self.position();
        let mut reader = Reader::new(self.shared());
        let mut feed = Feed { happened: Vec::new(), position: after };
        while feed.position < end && reader.work < RECORDS_MAX && feed.happened.len() < limit {
            let records = self.shared().journal().read_from(feed.position, CHUNK);
            let records = records.map_err(|error| unreadable(&error.to_string()))?;
            let Some(first) = records.first() else { break };
            if feed.position == after && after > 0 {
                reader.begin_within(first)?;
            }
            for record in records {
                // What is not folded yet is not known to the read side either.
                if record.sequence > end || feed.happened.len() >= limit {
                    return Ok(feed);
                }
                let event = decode(&record)?;
                reader.work += 1;
                reader.follow(record.sequence, &event);
                if fits(&event) {
                    if reader.is_spent(record.sequence, &event) && feed.position > after {
                        return Ok(feed);
                    }
                    feed.happened.push(reader.happened(&record, event)?);
                }
                feed.position = record.sequence;
            }
        }
        Ok(feed)
    }

    /// Waits until there is an event after `after`, or there will never be one.
    #[doc = include_str!("../docs/happens_after.md")]
    pub async fn happens_after(&self, after: Sequence) {
        self.shared().answers.folds_beyond(after).await;
    }
}

/// The origins that may cover what follows, each with its last event. One of a row stands within one of its batch.
#[derive(Default)]
struct Origins(Vec<(Option<Who>, Sequence)>);

impl Origins {
    fn begin(&mut self, at: Sequence, origin: &Origin) {
        self.0.retain(|(_, last)| *last > at);
        self.0.push((origin.who, at + u64::from(origin.covers)));
    }

    /// Whose decision an event is of: of two origins that cover it the nearer one counts.
    fn who(&self, sequence: Sequence) -> Option<Who> {
        self.0.iter().rev().find(|(_, last)| sequence <= *last)?.0
    }
}

/// The states of one page's orders, transfers and holds, as of the record that is being read.
struct Reader<'a> {
    shared: &'a Shared,
    orders: FxHashMap<OrderId, Order>,
    transfers: FxHashMap<TransferId, Transfer>,
    holds: FxHashMap<ReservationId, Hold>,
    origins: Origins,
    /// Records read so far.
    work: usize,
}

impl<'a> Reader<'a> {
    fn new(shared: &'a Shared) -> Self {
        let (orders, transfers, holds, origins) = Default::default();
        Self { shared, orders, transfers, holds, origins, work: 0 }
    }

    /// Looks at what stands before the first record of a page, as far as it may be of the same group: a group has one commit time.
    fn begin_within(&mut self, first: &OwnedRecord) -> Result<(), Error> {
        let is_of_commit = |record: &&OwnedRecord| {
            (record.epoch, record.time_ms) == (first.epoch, first.time_ms)
                && record.sequence < first.sequence
        };
        // Most pages begin between two commits, and one look says so.
        for back in [1, 64, CHUNK, RECORDS_MAX] {
            let from = first.sequence.saturating_sub(back as u64 + 1);
            let before = self.shared.journal().read_from(from, back);
            let before = before.map_err(|error| unreadable(&error.to_string()))?;
            let of_commit = before.iter().filter(is_of_commit).count();
            if of_commit < before.len() || from == 0 || back == RECORDS_MAX {
                for record in before.iter().filter(is_of_commit) {
                    if let Event::Origin(origin) = decode(record)? {
                        self.origins.begin(record.sequence, &origin);
                    }
                }
                break;
            }
        }
        Ok(())
    }

    /// Moves the states that are known.
    fn follow(&mut self, sequence: Sequence, event: &Event) {
        match event {
            Event::Origin(origin) => self.origins.begin(sequence, origin),
            Event::Order(OrderEvent::Placed(placed)) => {
                self.orders.insert(placed.id, Order::new(placed.clone()));
            }
            Event::Order(event) => {
                if let Some(order) = self.orders.get_mut(&event.order()) {
                    order.evolve(event);
                }
            }
            Event::Transfer(TransferEvent::Dispatched(dispatched)) => {
                self.transfers.insert(dispatched.id, Transfer::new((**dispatched).clone()));
            }
            Event::Transfer(event) => {
                if let Some(transfer) = self.transfers.get_mut(&event.transfer()) {
                    transfer.evolve(event);
                }
            }
            Event::Hold(HoldEvent::Placed(placed)) => {
                for replaced in &placed.replaces {
                    if let Some(hold) = self.holds.get_mut(replaced) {
                        hold.lose(&placed.lines, placed.at);
                    }
                }
                self.holds.insert(placed.id, Hold::new(placed));
            }
            Event::Hold(event) => {
                if let Some(hold) = self.holds.get_mut(&event.hold()) {
                    hold.evolve(event);
                }
            }
            _ => {}
        }
    }

    /// Whether the state after an event is more work than is left for the page.
    fn is_spent(&self, sequence: Sequence, event: &Event) -> bool {
        let read = &self.shared.read;
        let before = |events: &[Sequence]| up_to(events, sequence).len();
        let needed = match event {
            Event::Order(event) if !self.orders.contains_key(&event.order()) => {
                read.orders.with(event.order().0, |order| before(&order.events))
            }
            Event::Transfer(event) if !self.transfers.contains_key(&event.transfer()) => {
                read.transfers.with(event.transfer().0, |transfer| before(&transfer.events))
            }
            Event::Hold(event) if !self.holds.contains_key(&event.hold()) => {
                read.holds.with(event.hold().0, |hold| before(&hold.events))
            }
            _ => None,
        };
        self.work + needed.unwrap_or(0) > RECORDS_MAX
    }

    fn happened(&mut self, record: &OwnedRecord, event: Event) -> Result<Happened, Error> {
        let sequence = record.sequence;
        let after = match &event {
            Event::Order(event) => {
                let id = event.order();
                if !self.orders.contains_key(&id) {
                    let order =
                        self.as_of(&self.shared.read.orders, id.0, sequence, Order::after)?;
                    self.orders.insert(id, order);
                }
                After::Order(Box::new(self.orders[&id].clone()))
            }
            Event::Transfer(event) => {
                let id = event.transfer();
                if !self.transfers.contains_key(&id) {
                    let transfer =
                        self.as_of(&self.shared.read.transfers, id.0, sequence, Transfer::after)?;
                    self.transfers.insert(id, transfer);
                }
                After::Transfer(Box::new(self.transfers[&id].clone()))
            }
            Event::Hold(event) => {
                let id = event.hold();
                if !self.holds.contains_key(&id) {
                    let hold = self.as_of(&self.shared.read.holds, id.0, sequence, Hold::after)?;
                    self.holds.insert(id, hold);
                }
                After::Hold(Box::new(self.holds[&id].clone()))
            }
            _ => After::Event,
        };
        let (at, who) = (Timestamp(record.time_ms), self.origins.who(sequence));
        Ok(Happened { sequence, epoch: record.epoch, at, who, event, after })
    }

    /// A thing after the events of its own up to `sequence`.
    fn as_of<T: Clone>(
        &mut self,
        table: &Table<Recorded<T>>,
        id: u64,
        sequence: Sequence,
        after: impl Fn(Option<T>, &Event) -> Option<T>,
    ) -> Result<T, Error> {
        let found = table.with(id, |thing| match thing.events.last() {
            // Nothing has happened to it since.
            Some(last) if *last == sequence => Ok(thing.now.clone()),
            _ => Err(thing.events.clone()),
        });
        let events = match found {
            Some(Ok(now)) => return Ok(now),
            Some(Err(events)) => events,
            None => Vec::new(),
        };
        let events = up_to(&events, sequence);
        self.work += events.len();
        let state = folded(self.shared, events, after)?;
        state.ok_or_else(|| unreadable(&format!("what happened at {sequence} has no beginning")))
    }
}

/// Those of the events of one thing that are at or below `until`.
pub(crate) fn up_to(events: &[Sequence], until: Sequence) -> &[Sequence] {
    &events[..events.partition_point(|known| *known <= until)]
}

/// A thing after these events of its own, read back from the journal.
pub(crate) fn folded<T>(
    shared: &Shared,
    events: &[Sequence],
    after: impl Fn(Option<T>, &Event) -> Option<T>,
) -> Result<Option<T>, Error> {
    let fold = |thing, sequence: &Sequence| {
        let event = decode(&record(shared, *sequence)?)?;
        Ok(after(thing, &event))
    };
    events.iter().try_fold(None, fold)
}

/// The record at `sequence`, which is there.
pub(crate) fn record(shared: &Shared, sequence: Sequence) -> Result<OwnedRecord, Error> {
    let record = shared.journal().read(sequence);
    let record = record.map_err(|error| unreadable(&error.to_string()))?;
    record.ok_or_else(|| unreadable(&format!("record {sequence} is gone")))
}

/// The event in a record.
pub(crate) fn decode(record: &OwnedRecord) -> Result<Event, Error> {
    stockade_storage::decode(&record.bytes).map_err(|error| unreadable(&error.to_string()))
}

/// What a journal that cannot be read means for who asked.
pub(crate) fn unreadable(reason: &str) -> Error {
    Error::Stopped(format!("the journal: {reason}").into())
}
