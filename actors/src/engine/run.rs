//! How a command gets in: its key, its permit, its job, its answer.

use std::{sync::Arc, time::Duration};

use stockade_domain::{
    Event, IdempotencyKey, Origin, Sequence, ShopId,
    holder::Source,
    order::{Order, PlaceOrder},
};

use super::{
    Engine,
    commands::{check_batch, lines_of_request},
    frees::Frees,
};
use crate::{
    Context, Error,
    context::{BatchKey, By},
    job::{Batch, Job, Reply, send, send_all},
    keys::InFlight,
};

/// How the orders of a batch stand to each other.
#[doc = include_str!("../../docs/batch_mode.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMode {
    /// Each is placed or refused by itself.
    Each,
    /// All are placed, or none.
    All,
}

/// Keys of rows, in their order; nothing at all where no row has one.
pub(super) type RowKeys = Vec<Option<IdempotencyKey>>;

/// The keys of a batch whose rows stand by themselves; all of it empty where there are none.
#[derive(Default)]
struct TakenKeys {
    /// Of the rows.
    keys: RowKeys,
    /// What is known of each row already.
    known: Vec<Option<Error>>,
    /// The batch's own.
    batch: Option<Arc<BatchKey>>,
    in_flight: Option<InFlight>,
}

impl Engine {
    /// The same engine, for commands of this context.
    ///
    /// Under a key a command answers as ever the first time. Later it answers [`Error::AlreadyDone`] as long as the key is
    /// remembered, and [`Engine::first_answer`] says what it came to; meanwhile, [`Error::InProgress`]. A command that was
    /// refused, or that found nothing to change, had no effect, and is decided anew.
    #[doc = include_str!("../../docs/by.md")]
    #[must_use]
    pub fn by(&self, context: Context) -> Self {
        Self { inner: self.inner.clone(), context }
    }

    /// Says what a command under the context's key would be told before anything else is looked at; nothing, without one. A
    /// batch whose rows stand by themselves is told nothing under its own key, which is good for no other request: each row is
    /// told under its own.
    ///
    /// # Errors
    /// [`Error::AlreadyDone`], [`Error::KeyReused`] or [`Error::InProgress`].
    #[doc = include_str!("../../docs/check_key.md")]
    pub fn check_key(&self) -> Result<(), Error> {
        let Some(key) = self.context.key else { return Ok(()) };
        self.shared().keys.look(key, &|at| self.key_at(at))
    }

    /// Waits until readers see `position`, for so long at most, and never for more than a minute.
    ///
    /// # Errors
    /// [`Error::PositionNotReached`]; [`Error::Overloaded`] when too many wait.
    #[doc = include_str!("../../docs/wait_for.md")]
    pub async fn wait_for(&self, position: Sequence, timeout: Duration) -> Result<(), Error> {
        let answers = &self.shared().answers;
        let reached = answers.waits.wait(position, timeout, || answers.folded())?;
        reached.await.unwrap_or_else(|_| Err(self.shared().stopped_error()))
    }

    /// The version that a command expects: its own, or the context's.
    pub(super) fn expected(&self, own: Option<u32>) -> Option<u32> {
        own.or(self.context.expected)
    }

    /// Draws a permit, sends one job and waits for its answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: usize,
        lines: usize,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, Error> {
        self.run_with(self.take_key()?, lane, lines, job).await
    }

    /// The same, with keys that are in flight already.
    async fn run_with<T: Send + 'static>(
        &self,
        keys: Option<InFlight>,
        lane: usize,
        lines: usize,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, Error> {
        let shared = self.shared();
        shared.check_open()?;
        let permit = shared.door.enter(lines)?.with_keys(keys);
        let (reply, answer) = Reply::one(self.context.into(), permit);
        send(shared, lane, vec![job(reply)]);
        answer.await.unwrap_or_else(|_| Err(shared.stopped_error()))
    }

    /// Draws one permit, sends many jobs and waits for all their answers. Each has a key derived from the context's.
    pub(super) async fn run_many<T: Send + 'static, I>(
        &self,
        lines: usize,
        items: Vec<I>,
        job: impl Fn(I, Reply<T>) -> (usize, Job),
    ) -> Result<Vec<Result<T, Error>>, Error> {
        self.run_rows(lines, items, Vec::new(), job).await
    }

    /// The same, for rows some of which may have keys of their own.
    pub(super) async fn run_rows<T: Send + 'static, I>(
        &self,
        lines: usize,
        items: Vec<I>,
        own: RowKeys,
        job: impl Fn(I, Reply<T>) -> (usize, Job),
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let shared = self.shared();
        let TakenKeys { keys, mut known, batch: key, in_flight } =
            self.take_keys(items.len(), own)?;
        let unknown = items.len() - known.iter().flatten().count();
        if unknown == 0 {
            shared.check_open()?;
            return Ok(known.into_iter().flatten().map(Err).collect());
        }
        shared.check_open()?;
        let permit = shared.door.enter(lines)?.with_keys(in_flight);
        let (batch, replies) = Batch::new(unknown, permit);
        let to_do = |row: &usize| known.get(*row).is_none_or(Option::is_none);
        let rows = items.into_iter().enumerate().filter(|(row, _)| to_do(row));
        let by = |row| match keys.get(row) {
            Some(row) => By::row(Context { key: *row, ..self.context }, key.clone()),
            None => By::from(self.context),
        };
        let jobs = rows.zip(replies).map(|((row, item), reply)| job(item, reply.by(by(row))));
        send_all(shared, jobs);
        let answers = batch.answers(shared).await?;
        if known.is_empty() {
            return Ok(answers);
        }
        let mut answers = answers.into_iter();
        let answer = |known: &mut Option<Error>| match known.take() {
            Some(error) => Some(Err(error)),
            None => answers.next(),
        };
        Ok(known.iter_mut().filter_map(answer).collect())
    }

    /// Puts the context's key in flight, if it has one.
    fn take_key(&self) -> Result<Option<InFlight>, Error> {
        let Some(key) = self.context.key else { return Ok(None) };
        let mut in_flight = InFlight::new(&self.shared().keys);
        self.take(&mut in_flight, key)?;
        Ok(Some(in_flight))
    }

    fn take(&self, in_flight: &mut InFlight, key: IdempotencyKey) -> Result<(), Error> {
        in_flight.begin(key, &|at| self.key_at(at))
    }

    /// The key of a decision.
    fn key_at(&self, at: Sequence) -> Result<Option<IdempotencyKey>, Error> {
        match self.event_at(at)? {
            Event::Origin(Origin { key, .. }) => Ok(key),
            _ => Ok(None),
        }
    }

    /// Puts the keys of a batch in flight: the context's, and those of its rows, their own or derived from it. Says of each row
    /// what is known already.
    ///
    /// # Errors
    /// What is wrong with the context's key or a derived one is wrong with all of the batch: its body was changed, or it is
    /// under way.
    fn take_keys(&self, rows: usize, own: RowKeys) -> Result<TakenKeys, Error> {
        if self.context.key.is_none() && own.iter().all(Option::is_none) {
            return Ok(TakenKeys::default());
        }
        let mut in_flight = InFlight::new(&self.shared().keys);
        let take_own = |key| {
            let is_written = in_flight.begin_batch(key, &|at| self.key_at(at))?;
            Ok::<_, Error>(BatchKey::new(key, is_written))
        };
        let batch = self.context.key.map(take_own).transpose()?;
        let (mut keys, mut known) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows {
            let own = own.get(row).copied().flatten();
            let key = own.or_else(|| self.context.key.map(|key| key.of_row(row)));
            let taken = key.map_or(Ok(()), |key| self.take(&mut in_flight, key));
            known.push(match taken {
                Ok(()) => None,
                Err(known @ Error::AlreadyDone { .. }) => Some(known),
                Err(of_row @ (Error::InProgress | Error::KeyReused)) if own.is_some() => {
                    Some(of_row)
                }
                Err(of_all) => return Err(of_all),
            });
            keys.push(key);
        }
        Ok(TakenKeys { keys, known, batch, in_flight: Some(in_flight) })
    }

    /// Places many orders with one commit to wait for. In mode [`BatchMode::All`] a refusal of one is the error of all, and
    /// [`Error::InBatch`] says which.
    ///
    /// Under a key, a batch of [`BatchMode::All`] is one command. In mode [`BatchMode::Each`] every row has a key derived from
    /// it: a retry answers [`Error::AlreadyDone`] for the rows that were placed, and decides the others anew.
    ///
    /// # Errors
    /// Too many orders or lines in one batch; [`Error::Overloaded`].
    #[doc = include_str!("../../docs/place_orders.md")]
    pub async fn place_orders(
        &self,
        requests: Vec<PlaceOrder>,
        mode: BatchMode,
    ) -> Result<Vec<Result<Order, Error>>, Error> {
        self.place_rows(requests, Vec::new(), mode).await
    }

    /// The same, for orders with keys of their own. A row without one has a key derived from the context's, if that has one.
    ///
    /// In mode [`BatchMode::All`] the context's key is for all of them, beside their own. Orders that are all there already
    /// answer so, each by itself; if only some are, the batch is refused and names the first of them.
    ///
    /// # Errors
    /// As [`Engine::place_orders`].
    #[doc = include_str!("../../docs/place_orders_keyed.md")]
    pub async fn place_orders_keyed(
        &self,
        rows: Vec<(PlaceOrder, Option<IdempotencyKey>)>,
        mode: BatchMode,
    ) -> Result<Vec<Result<Order, Error>>, Error> {
        let (requests, keys) = rows.into_iter().unzip();
        self.place_rows(requests, keys, mode).await
    }

    async fn place_rows(
        &self,
        requests: Vec<PlaceOrder>,
        keys: RowKeys,
        mode: BatchMode,
    ) -> Result<Vec<Result<Order, Error>>, Error> {
        let lines: usize = requests.iter().map(|request| lines_of_request(request) + 1).sum();
        check_batch(requests.len(), lines)?;
        if mode == BatchMode::Each || requests.is_empty() {
            let job = |request: PlaceOrder, reply| {
                (self.lane_of_request(&request), Job::Place { request, reply })
            };
            let shops: Vec<ShopId> = requests.iter().map(|request| request.shop).collect();
            let placed = self.run_rows(lines, requests, keys, job).await?;
            let mut frees = Frees::new(self);
            let tell = |(placed, shop): (Result<Order, Error>, ShopId)| {
                placed.map_err(|error| frees.tell(error, Source::Shop(shop)))
            };
            return Ok(placed.into_iter().zip(shops).map(tell).collect());
        }
        let mut in_flight = self.take_key()?;
        let done = self.take_own_keys(&mut in_flight, &keys)?;
        if done.len() == requests.len() {
            return Ok(done.into_iter().map(|(_, error)| Err(error)).collect());
        }
        if let Some((at, error)) = done.into_iter().next() {
            return Err(Error::InBatch { at, error: Box::new(error) });
        }
        let keys = if keys.iter().any(Option::is_some) { keys } else { Vec::new() };
        let lane = self.lane_of_request(&requests[0]);
        let shops: Vec<ShopId> = requests.iter().map(|request| request.shop).collect();
        let job = |reply| Job::PlaceAll { requests, keys, reply };
        let placed = self.run_with(in_flight, lane, lines, job).await;
        let tell = |error| match error {
            Error::InBatch { at, error } => {
                let error = Frees::new(self).tell(*error, Source::Shop(shops[at]));
                Error::InBatch { at, error: Box::new(error) }
            }
            of_the_engine => of_the_engine,
        };
        Ok(placed.map_err(tell)?.into_iter().map(Ok).collect())
    }

    /// Puts the own keys of a batch of all or none in flight, and says which rows are done already.
    fn take_own_keys(
        &self,
        in_flight: &mut Option<InFlight>,
        keys: &[Option<IdempotencyKey>],
    ) -> Result<Vec<(usize, Error)>, Error> {
        let mut done = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let Some(key) = key else { continue };
            let in_flight = in_flight.get_or_insert_with(|| InFlight::new(&self.shared().keys));
            match self.take(in_flight, *key) {
                Ok(()) => {}
                Err(known @ Error::AlreadyDone { .. }) => done.push((at, known)),
                Err(error @ (Error::InProgress | Error::KeyReused)) => {
                    return Err(Error::InBatch { at, error: Box::new(error) });
                }
                Err(of_the_engine) => return Err(of_the_engine),
            }
        }
        Ok(done)
    }
}
