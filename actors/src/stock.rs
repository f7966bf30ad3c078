//! The actor of a stock: one product in one warehouse.
//!
//! It decides, evolves, appends and answers, in one turn and in this order. It never waits, not for the disk and not for another
//! actor: that keeps a hot SKU fast and a deadlock impossible.

use std::{collections::VecDeque, rc::Rc, slice};

use actix::{Actor, ActorContext, Addr, Context, Handler, Message};
use rustc_hash::FxHashMap;
use stockade_domain::{
    Owner, Quantity, Refusal, Sequence, Step, StockKey,
    adjustment::{gives, takes},
    catalogue::{CatalogueEvent, Counting},
    stock::{Give, Stock, StockCommand, StockEvent, Take},
};

use crate::{
    Error, StockRow,
    context::By,
    job::Reply,
    lane::{Alive, Lane, MAILBOX, guarded},
};

/// The stocks whose home a lane is.
#[derive(Default)]
pub(crate) struct Stocks {
    states: FxHashMap<StockKey, Awake>,
    /// Second chance: the oldest first, put back once if it was used.
    clock: VecDeque<StockKey>,
}

struct Awake {
    stock: Stock,
    /// Its last event: it may sleep only when the fold has passed it.
    last: Sequence,
    used: bool,
    /// It has been told to sleep.
    told: bool,
}

pub(crate) struct StockActor {
    key: StockKey,
    lane: Rc<Lane>,
    alive: Alive,
}

/// Takes something for an owner. Answers with what there is instead when it is refused.
#[derive(Clone, Copy)]
pub(crate) struct TakeFor {
    pub(crate) owner: Owner,
    pub(crate) step: Step,
    pub(crate) take: Take,
}

/// What a stock says to a take: granted, or how many units it could give.
pub(crate) type Taken = Result<(), Quantity>;

impl Message for TakeFor {
    type Result = Result<Taken, Error>;
}

/// Takes of several owners, all from this stock, each granted or refused by itself.
pub(crate) struct TakeMany(pub(crate) Vec<TakeFor>);

impl Message for TakeMany {
    type Result = Result<Vec<Taken>, Error>;
}

/// Undoes a take. Never refused.
pub(crate) struct Undo(pub(crate) TakeFor);

impl Message for Undo {
    type Result = Result<Sequence, Error>;
}

/// Gives what an owner decided. Never refused.
pub(crate) struct GiveFor {
    pub(crate) owner: Owner,
    pub(crate) step: Step,
    pub(crate) give: Give,
}

impl Message for GiveFor {
    type Result = Result<Sequence, Error>;
}

/// What a caller asks of this stock alone.
pub(crate) struct Change {
    pub(crate) command: StockCommand,
    pub(crate) reply: Reply<StockRow>,
}

impl Message for Change {
    type Result = ();
}

/// A product's total is to be what is wanted. Answers with what happened, if anything did, and where.
pub(crate) struct Count {
    pub(crate) counting: Counting,
    pub(crate) by: By,
}

impl Message for Count {
    type Result = Result<Option<(CatalogueEvent, Sequence)>, Error>;
}

/// Sleep, if nobody needs you.
struct Sleep;

impl Message for Sleep {
    type Result = ();
}

impl StockActor {
    /// The mailbox of a stock of this lane, which is made if there is none.
    pub(crate) fn wake(lane: &Rc<Lane>, key: StockKey) -> Addr<Self> {
        let known = lane.shared.stocks.get(&key).map(|addr| addr.clone());
        if let Some(addr) = known {
            // Whoever asks is about to send: it must not fall asleep first.
            lane.stocks.borrow_mut().awake(key);
            return addr;
        }
        let addr = Self::create(|context| {
            context.set_mailbox_capacity(MAILBOX);
            Self { key, lane: lane.clone(), alive: Alive::new(&lane.shared, "a stock") }
        });
        lane.shared.stocks.insert(key, addr.clone());
        let stock = lane.shared.read.stock(key);
        let awake_max = lane.shared.stocks_awake_max;
        let crowded = lane.stocks.borrow_mut().insert(key, stock, awake_max);
        if let Some(idle) = crowded
            && let Some(addr) = lane.shared.stocks.get(&idle)
        {
            // If its mailbox takes no more it is not idle.
            let _ = addr.try_send(Sleep);
        }
        addr
    }

    /// Decides on the stock's state, appends what was decided, and moves the state.
    fn turn<R>(
        &mut self,
        by: &By,
        decide: impl FnOnce(&Stock) -> Result<Result<StockEvent, R>, Error>,
    ) -> Result<Result<Sequence, R>, Error> {
        let mut stocks = self.lane.stocks.borrow_mut();
        let awake = stocks.awake(self.key);
        let event = match guarded(|| decide(&awake.stock))? {
            Ok(event) => event,
            Err(refused) => return Ok(Err(refused)),
        };
        // The state moves first: an event that it cannot follow stops the engine before it is in the journal.
        awake.stock.evolve(&event);
        let sequence = self.lane.decide(by, [event.into()])?;
        awake.last = sequence;
        Ok(Ok(sequence))
    }

    fn take(&mut self, TakeFor { owner, step, take }: TakeFor) -> Result<Taken, Error> {
        let key = self.key;
        let taken =
            self.turn(&By::default(), |stock| match stock.take(key, owner, step, take) {
                Err(Refusal::InsufficientStock(shortages)) => {
                    Ok(Err(shortages.first().map_or(0, |shortage| shortage.available)))
                }
                Err(refusal) => Err(refusal.into()),
                Ok(event) => Ok(Ok(event)),
            })?;
        Ok(taken.map(drop))
    }

    /// Decides on the product's total, and appends the product's decision together with its take or give: between what it saw and
    /// what it does there is nothing, so that of two who count, the second sees the first.
    fn count(&mut self, Count { counting, by }: Count) -> <Count as Message>::Result {
        let mut stocks = self.lane.stocks.borrow_mut();
        let there = self.total(&stocks);
        let awake = stocks.awake(self.key);
        let decided = guarded(|| Ok(counting.decide(there, awake.stock.removable())?))?;
        let Some(event) = decided else { return Ok(None) };
        let (mut taken, mut given) = (None, None);
        if let CatalogueEvent::ProductUpdated { product, recount: Some(recount) } = &event {
            let (owner, step, recount) =
                (Owner::product(product.id), product.step(), slice::from_ref(recount));
            taken = takes(recount)
                .map(|(stock, take)| StockEvent::Taken { stock, owner, step, take })
                .next();
            given = gives(recount)
                .map(|(stock, give)| StockEvent::Given { stock, owner, step, give })
                .next();
        }
        taken.iter().chain(&given).for_each(|moved| awake.stock.evolve(moved));
        let (taken, given) = (taken.map(Into::into), given.map(Into::into));
        let decision = by.origins(1).chain([event.clone().into()]);
        let sequence = self.lane.append(taken.into_iter().chain(decision).chain(given))?;
        by.is_written();
        awake.last = sequence;
        Ok(Some((event, sequence)))
    }

    /// Units of the product in all warehouses, as of this turn: all its stocks live on this lane, and of one that sleeps the read
    /// side has everything.
    fn total(&self, stocks: &Stocks) -> Quantity {
        let read = &self.lane.shared.read;
        let catalogue = read.catalogue.read_recursive();
        let keys = catalogue
            .warehouses_after(0)
            .map(|warehouse| StockKey::new(warehouse.id, self.key.product));
        keys.map(|key| match stocks.states.get(&key) {
            Some(awake) => awake.stock.on_hand,
            None => read.stocks.get(&key).map_or(0, |stock| stock.on_hand),
        })
        .sum()
    }

    /// Something that is never refused.
    fn must(&mut self, event: StockEvent) -> Result<Sequence, Error> {
        match self.turn(&By::default(), |_| Ok(Ok::<_, ()>(event)))? {
            Ok(sequence) => Ok(sequence),
            Err(()) => unreachable!("it was not decided here"),
        }
    }
}

impl Stocks {
    fn awake(&mut self, key: StockKey) -> &mut Awake {
        let awake = self.states.get_mut(&key).expect("a stock with a mailbox has its state here");
        awake.used = true;
        awake
    }

    /// Adds a stock that woke up, and names one that has been idle when there are too many.
    fn insert(&mut self, key: StockKey, stock: Stock, awake_max: usize) -> Option<StockKey> {
        self.states.insert(key, Awake { stock, last: 0, used: true, told: false });
        self.clock.push_back(key);
        (self.clock.len() > awake_max).then(|| self.idle()).flatten()
    }

    fn idle(&mut self) -> Option<StockKey> {
        for _ in 0..self.clock.len().min(64) {
            let key = self.clock.pop_front()?;
            let Some(awake) = self.states.get_mut(&key) else { continue };
            self.clock.push_back(key);
            // What it was used for since it was told may still be in its mailbox.
            if !awake.told && !std::mem::take(&mut awake.used) {
                awake.told = true;
                return Some(key);
            }
        }
        None
    }

    /// Forgets a stock if the read side has all of it.
    fn sleep(&mut self, key: StockKey, folded: Sequence) -> bool {
        let Some(awake) = self.states.get_mut(&key) else { return true };
        awake.told = false;
        if awake.used || awake.last > folded {
            return false;
        }
        self.states.remove(&key);
        self.clock.retain(|known| *known != key);
        true
    }
}

impl Actor for StockActor {
    type Context = Context<Self>;
}

impl Handler<TakeFor> for StockActor {
    type Result = Result<Taken, Error>;

    fn handle(&mut self, take: TakeFor, _: &mut Context<Self>) -> Self::Result {
        self.take(take)
    }
}

impl Handler<TakeMany> for StockActor {
    type Result = Result<Vec<Taken>, Error>;

    fn handle(&mut self, TakeMany(takes): TakeMany, _: &mut Context<Self>) -> Self::Result {
        takes.into_iter().map(|take| self.take(take)).collect()
    }
}

impl Handler<Undo> for StockActor {
    type Result = Result<Sequence, Error>;

    fn handle(
        &mut self,
        Undo(TakeFor { owner, step, take }): Undo,
        _: &mut Context<Self>,
    ) -> Self::Result {
        self.must(StockEvent::Undone { stock: self.key, owner, step, take })
    }
}

impl Handler<GiveFor> for StockActor {
    type Result = Result<Sequence, Error>;

    fn handle(
        &mut self,
        GiveFor { owner, step, give }: GiveFor,
        _: &mut Context<Self>,
    ) -> Self::Result {
        self.must(StockEvent::Given { stock: self.key, owner, step, give })
    }
}

impl Handler<Count> for StockActor {
    type Result = <Count as Message>::Result;

    fn handle(&mut self, count: Count, _: &mut Context<Self>) -> Self::Result {
        self.count(count)
    }
}

impl Handler<Change> for StockActor {
    type Result = ();

    fn handle(&mut self, Change { command, reply }: Change, _: &mut Context<Self>) {
        let (key, at) = (self.key, self.lane.now());
        let changed = self.turn(&reply.by, |stock| {
            command.check()?;
            reply.by.expects(stock.version)?;
            Ok(stock.decide(key, &command, at)?.ok_or(()))
        });
        let lane = self.lane.clone();
        let outcome = changed.map(|sequence| {
            let stocks = lane.stocks.borrow();
            (lane.shared.read.row(key, &stocks.states[&key].stock), sequence.ok())
        });
        lane.answer(reply, outcome);
    }
}

impl Handler<Sleep> for StockActor {
    type Result = ();

    fn handle(&mut self, _: Sleep, context: &mut Context<Self>) {
        let folded = self.lane.shared.answers.folded();
        if self.lane.stocks.borrow_mut().sleep(self.key, folded) {
            self.lane.shared.stocks.remove(&self.key);
            self.alive.end();
            // What was sent meanwhile is answered with "closed", unread, and its sender wakes the stock again.
            context.stop();
        }
    }
}
