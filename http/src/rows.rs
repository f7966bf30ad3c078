//! Rows of batches, their idempotency keys, and what each comes to.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use stockade_actors::Error;
use stockade_domain::{IdempotencyKey, Sequence};

use crate::{
    command::{Acting, KEY_WANTED},
    extract,
    problem::{Code, Fault, Problem},
    refusals::{Named, locating, plain},
    replay::{First, Rows},
};

/// The rows of a batch as they were sent, each read by itself: what is wrong with one is wrong with no other.
pub(crate) struct Sent<B> {
    /// The field that holds them.
    kind: &'static str,
    /// As they are written.
    written: Vec<Box<RawValue>>,
    rows: Vec<Result<B, Problem>>,
}

impl<B: DeserializeOwned> Sent<B> {
    pub(crate) fn read(kind: &'static str, written: Vec<Box<RawValue>>) -> Self {
        let read = |(at, row): (usize, &RawValue)| {
            extract::part(row).map_err(|problem| problem.under(&format!("/{kind}/{at}")))
        };
        let rows = written.iter().map(Box::as_ref).enumerate().map(read).collect();
        Self { kind, written, rows }
    }

    /// Each row that can be read.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Option<&B>> {
        self.rows.iter().map(|row| row.as_ref().ok())
    }

    /// All of them, where one that cannot be read is wrong with the whole.
    pub(crate) fn all(self) -> Result<Vec<B>, Problem> {
        self.rows.into_iter().collect()
    }
}

/// What is known of a row.
enum Known<N> {
    /// It was carried out before, here.
    Done(Sequence),
    /// It was not.
    New(N),
}

/// A batch whose rows stand by themselves: of each, what is wrong with it, or what is known of it, with how it names things.
pub(crate) struct Each<N>(Vec<OfRow<N>>);

struct OfRow<N> {
    known: Result<Known<N>, Problem>,
    /// The key that it is asked under, if it is.
    key: Option<IdempotencyKey>,
}

/// What the engine is asked for the rows that are new, with their keys.
type Asked<R> = Vec<(R, Option<IdempotencyKey>)>;

impl Acting {
    /// Drafts the rows of a batch that stand by themselves.
    ///
    /// A row's key comes first, its own or one that follows from the batch's and its place: what a row asks for, and whether it is
    /// acceptable, depends on what is there by now, and what was carried out before does not.
    ///
    /// # Errors
    /// What is wrong with the batch's key is wrong with all of it.
    pub(crate) fn each<B: DeserializeOwned, R, N>(
        &self,
        sent: Sent<B>,
        own: impl Fn(&B) -> Option<&str>,
        mut draft: impl FnMut(usize, B) -> Result<(R, N), Problem>,
    ) -> Result<(Asked<R>, Each<N>), Problem> {
        let keys = self.row_keys(&sent, own);
        let Sent { kind, rows, .. } = sent;
        let (mut asked, mut each) =
            (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (at, (row, key)) in rows.into_iter().zip(keys).enumerate() {
            let place = || format!("/{kind}/{at}");
            let read = row.and_then(|row| key.map(|own| (row, own)));
            let known = match read {
                Ok((row, own)) => self.check_row(at, own, place)?.map(|known| (row, known)),
                Err(problem) => Err(problem),
            };
            let mut under = None;
            let known = known.and_then(|(row, known)| match known {
                Known::Done(at) => Ok(Known::Done(at)),
                Known::New(key) => {
                    let (request, names) =
                        draft(at, row).map_err(|problem| problem.under(&place()))?;
                    under = key;
                    asked.push((request, key));
                    Ok(Known::New(names))
                }
            });
            each.push(OfRow { known, key: under });
        }
        Ok((asked, Each(each)))
    }

    /// What is known of the row at this place of a batch.
    fn check_row(
        &self,
        row: usize,
        own: Option<IdempotencyKey>,
        place: impl Fn() -> String,
    ) -> Result<Result<Known<Option<IdempotencyKey>>, Problem>, Problem> {
        let key = own.or_else(|| self.key().map(|key| key.of_row(row)));
        match self.under(key).check_key() {
            Ok(()) => Ok(Ok(Known::New(key))),
            Err(Error::AlreadyDone { at }) => Ok(Ok(Known::Done(at))),
            Err(error) if own.is_some() => Ok(Err(at_row(&place(), error))),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the rows of a batch of all or none were decided before, when all were, and nothing when none was. It comes before the
    /// rows are drafted, as in [`Acting::each`].
    ///
    /// # Errors
    /// What is wrong with the key of a row; and when a part of them was decided before, which is not the answer of all.
    pub(crate) fn all_done(
        &self,
        kind: &str,
        keys: &[Option<IdempotencyKey>],
    ) -> Result<Option<Vec<Sequence>>, Problem> {
        let (mut done, mut first) = (Vec::new(), None);
        for (at, key) in keys.iter().enumerate().filter(|(_, key)| key.is_some()) {
            match self.under(*key).check_key() {
                Ok(()) => {}
                Err(Error::AlreadyDone { at: decided }) => {
                    first.get_or_insert(at);
                    done.push(decided);
                }
                Err(error) => return Err(at_row(&format!("/{kind}/{at}"), error)),
            }
        }
        match first {
            Some(at) if done.len() < keys.len() => {
                Err(at_row(&format!("/{kind}/{at}"), Error::KeyReused))
            }
            first => Ok(first.map(|_| done)),
        }
    }

    /// The own keys of a batch's rows. A row is compared as it is written, so that it stays itself in another batch. One key is one
    /// command: it is no other row's, and not the batch's.
    pub(crate) fn row_keys<B: DeserializeOwned>(
        &self,
        sent: &Sent<B>,
        own: impl Fn(&B) -> Option<&str>,
    ) -> Vec<Result<Option<IdempotencyKey>, Problem>> {
        let kind = sent.kind;
        let mut taken: HashMap<[u8; 16], String> = HashMap::new();
        taken.extend(self.key().map(|key| (key.key, "the batch".to_owned())));
        let key = |(at, row): (usize, Option<&B>)| {
            let Some(own) = row.and_then(&own) else { return Ok(None) };
            let place = format!("/{kind}/{at}/idempotency_key");
            let key = self.key_of_row(own, kind, sent.written[at].get());
            let key = key.ok_or_else(|| Problem::field(&place, KEY_WANTED))?;
            match taken.insert(key.key, format!("/{kind}/{at}")) {
                None => Ok(Some(key)),
                Some(other) => {
                    let code = Code::IdempotencyKeyReused;
                    let fault = Fault::body(place, code, format!("is the key of {other}, too"));
                    taken.insert(key.key, other);
                    Err(Problem::unprocessable(code, vec![fault]))
                }
            }
        };
        sent.rows().enumerate().map(key).collect()
    }
}

/// What is wrong with the own key of the row at a place.
fn at_row(place: &str, error: Error) -> Problem {
    let locate = |named: Named<'_>| plain(named).map(|field| place.to_owned() + &field);
    locating(locate)(error)
}

impl<N> Each<N> {
    /// The names of the rows that the engine is asked for, in their order.
    pub(crate) fn asked(&mut self) -> impl Iterator<Item = &mut N> {
        self.0.iter_mut().filter_map(|row| match &mut row.known {
            Ok(Known::New(names)) => Some(names),
            _ => None,
        })
    }

    /// What every row came to, and whether one of them was answered before. `done` says where a row was decided just now, if its answer
    /// shows more than its thing; `pick` takes from a first answer what the batch is about, and `explain` says what a refusal means
    /// for the row at a place.
    pub(crate) async fn answers<T>(
        self,
        acting: &Acting,
        told: impl IntoIterator<Item = Result<T, Error>>,
        done: impl Fn(Option<IdempotencyKey>) -> Option<Sequence>,
        pick: impl Fn(First) -> Option<T>,
        explain: impl Fn(Error, usize, &N) -> Problem,
    ) -> Result<(Vec<Result<T, Problem>>, bool), Problem> {
        let mut told = told.into_iter();
        let answer = |row: &OfRow<N>| match &row.known {
            Ok(Known::Done(at)) => Err(Error::AlreadyDone { at: *at }),
            Ok(Known::New(_)) => told.next().unwrap_or(Err(Error::Panicked)),
            // It has its problem already.
            Err(_) => Err(Error::Panicked),
        };
        let answers = self.0.iter().map(answer).collect();
        let done = |row: usize| done(self.0[row].key);
        let Rows { answers, replayed } = Rows::read(acting, answers, done, pick).await?;
        let of_row = |(at, (row, answer)): (usize, (OfRow<N>, _))| match row.known? {
            Known::Done(_) => Result::map_err(answer, Problem::from),
            Known::New(names) => answer.map_err(|error| explain(error, at, &names)),
        };
        Ok((self.0.into_iter().zip(answers).enumerate().map(of_row).collect(), replayed))
    }
}
