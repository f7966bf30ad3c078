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
pub(crate) struct By(Option<Box<Context>>);

impl From<Context> for By {
    fn from(context: Context) -> Self {
        Self((context != Context::default()).then(|| Box::new(context)))
    }
}

impl By {
    /// Checks the version of what a command is about. Only its owner may ask, in its turn.
    pub(crate) fn expects(&self, current: u32) -> Result<(), Refusal> {
        match self.0.as_ref().and_then(|context| context.expected) {
            Some(expected) if expected != current => {
                Err(Refusal::VersionConflict { expected, current })
            }
            _ => Ok(()),
        }
    }

    /// The idempotency key of the command.
    pub(crate) fn key(&self) -> Option<IdempotencyKey> {
        self.0.as_ref()?.key
    }

    /// The event in front of a decision of so many events, if there is anything to say.
    pub(crate) fn origin(&self, covers: usize) -> Option<Event> {
        let Context { who, key, .. } = **self.0.as_ref()?;
        (who.is_some() || key.is_some()).then(|| origin(who, key, covers))
    }

    /// The event in front of one row of a decision about several, where rows have keys of their own. It says who as well: of
    /// two that cover an event the nearer one counts.
    pub(crate) fn origin_of_row(
        &self,
        key: Option<IdempotencyKey>,
        covers: usize,
    ) -> Option<Event> {
        let who = self.0.as_ref().and_then(|context| context.who);
        (who.is_some() || key.is_some()).then(|| origin(who, key, covers))
    }
}

fn origin(who: Option<Who>, key: Option<IdempotencyKey>, covers: usize) -> Event {
    let covers = u32::try_from(covers).expect("a group is far smaller");
    Origin { who, key, covers }.into()
}
