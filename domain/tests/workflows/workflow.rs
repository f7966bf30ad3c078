//! The shape of every workflow: take, decide, give; and the messages that carry it.

use stockade_domain::{
    AdjustmentId, Event, OrderId, Owner, Refusal, ReservationId, Step, StockKey, Timestamp,
    TransferId, holder::HolderKey, open::OpenTake, stock::Give,
};

use super::{
    told::Subject,
    world::{RequestKey, World},
};

/// Who handles one workflow at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor {
    Order(OrderId),
    Holder(HolderKey),
    Transfer(TransferId),
    Adjustment(AdjustmentId),
    Catalogue,
    Stock(StockKey),
    /// The same request twice waits for itself.
    Request(RequestKey),
}

/// What a workflow can see while it decides.
pub(crate) struct View<'a> {
    /// The live state of its own actors; only those may be looked at.
    pub(crate) live: &'a World,
    /// The read side: the fold of what is durable.
    pub(crate) read: &'a World,
    pub(crate) now: Timestamp,
}

/// Something to be taken for (owner, step).
pub(crate) type Taking = (Owner, Step, OpenTake);

/// How a take was answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Granted(Taking),
    Refused(Taking, Refusal),
    /// An undo or a give was done.
    Done,
}

/// What a workflow does next.
pub(crate) enum Next {
    /// Asks for these, and is asked again when every one of them was answered.
    Take(Vec<Taking>),
    Decide(Decision),
    /// Undoes what was granted, and says no.
    Refuse(Refusal),
}

/// The moment of truth. No events: a repeat of what already is.
pub(crate) struct Decision {
    pub(crate) events: Vec<Event>,
    pub(crate) request: Option<(RequestKey, OrderId)>,
    /// What the answer is about.
    pub(crate) about: Vec<Subject>,
}

impl Decision {
    pub(crate) fn one(event: impl Into<Event>, about: Subject) -> Next {
        Self::all(vec![event.into()], about)
    }

    pub(crate) fn all(events: Vec<Event>, about: Subject) -> Next {
        Next::Decide(Self { events, request: None, about: vec![about] })
    }
}

/// What is particular to one kind of workflow.
pub(crate) trait Job {
    /// Who is busy with it until its gives were answered.
    fn actors(&self) -> Vec<Actor>;

    /// What to do at first, and after every take of a round was answered.
    fn next(&mut self, view: &View<'_>, replies: Vec<Reply>) -> Next;
}

pub(crate) type WorkflowId = u64;

/// Where a message goes that is not an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Stock(StockKey),
    Holder(HolderKey),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Take(OpenTake),
    Undo(OpenTake),
    Give(Give),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    pub(crate) owner: Owner,
    pub(crate) step: Step,
    pub(crate) what: What,
}

/// A message in flight. Any of them may be the next to arrive.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Ask { to: Address, from: WorkflowId, moves: Vec<Move> },
    Answer { to: WorkflowId, replies: Vec<Reply> },
}

pub(crate) enum Stage {
    /// Asks for takes, then decides.
    Taking,
    /// Decided no; every take that was granted is being undone.
    Undoing(Refusal),
    /// Decided yes; the gives are being done.
    Giving(Vec<Subject>),
}

/// A workflow in flight. It belongs to its actors, not to whoever asked for it.
pub(crate) struct Workflow {
    pub(crate) id: WorkflowId,
    pub(crate) job: Box<dyn Job>,
    pub(crate) actors: Vec<Actor>,
    pub(crate) stage: Stage,
    /// Messages that are not answered yet.
    pub(crate) pending: usize,
    pub(crate) replies: Vec<Reply>,
    /// All that was granted so far, oldest first.
    pub(crate) granted: Vec<Taking>,
    /// Whether somebody still waits for the answer.
    pub(crate) awaited: bool,
}

impl Workflow {
    pub(crate) fn new(id: WorkflowId, job: Box<dyn Job>, awaited: bool) -> Self {
        let actors = job.actors();
        let (replies, granted) = (Vec::new(), Vec::new());
        Self { id, job, actors, stage: Stage::Taking, pending: 0, replies, granted, awaited }
    }

    pub(crate) fn heard(&mut self, replies: Vec<Reply>) {
        self.pending -= 1;
        let granted = |reply: &Reply| match reply {
            Reply::Granted(taking) => Some(*taking),
            Reply::Refused(..) | Reply::Done => None,
        };
        self.granted.extend(replies.iter().filter_map(granted));
        self.replies.extend(replies);
    }
}

/// The hold of a claim among replies that were granted.
pub(crate) fn claimed(replies: &[Reply]) -> Vec<ReservationId> {
    let hold = |reply: &Reply| match reply {
        Reply::Granted((_, _, OpenTake::Claim(hold))) => Some(*hold),
        _ => None,
    };
    replies.iter().filter_map(hold).collect()
}

/// The first refusal among replies.
pub(crate) fn refusal(replies: &[Reply]) -> Option<Refusal> {
    let refused = |reply: &Reply| match reply {
        Reply::Refused(_, refusal) => Some(refusal.clone()),
        Reply::Granted(_) | Reply::Done => None,
    };
    replies.iter().find_map(refused)
}
