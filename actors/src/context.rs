use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use stockade_domain::{Event, IdempotencyKey, Origin, Refusal, Who};

/// Who asks, under which idempotency key, and what they saw: see [`crate::Engine::by`].
#[doc = include_str!("../docs/context.md")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Who. It is kept with what they did.
    pub who: Option<Who>,
    /// What makes a repetition of this command the same command: it has one effect, however often it is sent. A batch whose
    /// rows stand by themselves derives a key for each row.
    pub key: Option<IdempotencyKey>,
    /// The version that the order, hold, transfer, stock or thing of the catalogue must still have. What is made new has none.
    pub expected: Option<u32>,
}

/// The context of a job. Most have none, and pay a word for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct By(Option<Box<Asked>>);

#[derive(Clone, Debug)]
struct Asked {
    context: Context,
    batch: Option<Arc<BatchKey>>,
}

/// The own key of a batch whose rows have effects by themselves. It is remembered with the first of them, so that it is good for
/// no other request.
#[derive(Debug)]
pub(crate) struct BatchKey {
    key: IdempotencyKey,
    /// Whether an effect that has it is in the journal. Only then another may do without: what is behind it is lost with it.
    is_written: AtomicBool,
}

impl BatchKey {
    pub(crate) fn new(key: IdempotencyKey, is_written: bool) -> Arc<Self> {
        Arc::new(Self { key: key.of_batch(), is_written: is_written.into() })
    }
}

impl From<Context> for By {
    fn from(context: Context) -> Self {
        let asked = || Box::new(Asked { context, batch: None });
        Self((context != Context::default()).then(asked))
    }
}

impl By {
    /// The context of a row of a batch.
    pub(crate) fn row(context: Context, batch: Option<Arc<BatchKey>>) -> Self {
        Self(Some(Box::new(Asked { context, batch })))
    }

    /// Checks the version of what a command is about. Only its owner may ask, in its turn.
    pub(crate) fn expects(&self, current: u32) -> Result<(), Refusal> {
        match self.0.as_ref().and_then(|asked| asked.context.expected) {
            Some(expected) if expected != current => {
                Err(Refusal::VersionConflict { expected, current })
            }
            _ => Ok(()),
        }
    }

    /// The idempotency key of the command.
    pub(crate) fn key(&self) -> Option<IdempotencyKey> {
        self.0.as_ref()?.context.key
    }

    /// The events in front of a decision of so many events, as far as there is anything to say. When they are appended,
    /// [`By::is_written`] is to be told.
    pub(crate) fn origins(&self, covers: usize) -> impl Iterator<Item = Event> + use<> {
        let of = |asked: &Asked| {
            let Context { who, key, .. } = asked.context;
            let own = (who.is_some() || key.is_some()).then(|| origin(who, key, covers));
            let batch = asked.batch.as_ref();
            let batch = batch.filter(|batch| !batch.is_written.load(Ordering::Acquire));
            let covers = covers + usize::from(own.is_some());
            [batch.map(|batch| origin(who, Some(batch.key), covers)), own]
        };
        self.0.as_deref().map(of).into_iter().flatten().flatten()
    }

    /// A decision with the events in front of it is appended.
    pub(crate) fn is_written(&self) {
        if let Some(batch) = self.0.as_ref().and_then(|asked| asked.batch.as_ref()) {
            batch.is_written.store(true, Ordering::Release);
        }
    }

    /// The event in front of one row of a decision about several, where rows have keys of their own. It says who as well: of
    /// two that cover an event the nearer one counts.
    pub(crate) fn origin_of_row(
        &self,
        key: Option<IdempotencyKey>,
        covers: usize,
    ) -> Option<Event> {
        let who = self.0.as_ref().and_then(|asked| asked.context.who);
        (who.is_some() || key.is_some()).then(|| origin(who, key, covers))
    }
}

fn origin(who: Option<Who>, key: Option<IdempotencyKey>, covers: usize) -> Event {
    let covers = u32::try_from(covers).expect("a group is far smaller");
    Origin { who, key, covers }.into()
}
