//! The engine's protocol over the domain: actors with live state, a journal whose durable end runs behind, messages that
//! arrive in any order, and answers that wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stockade_domain::{
    Event, Owner, Refusal, Step, StockKey, Timestamp,
    open::{OpenTake, Part, part},
    stock::Give,
};

use super::{
    faults::Faults,
    recovery::{Recovery, check_every_crash, settling},
    told::{Effect, Subject, Told},
    workflow::{
        Actor, Address, Decision, Job, Message, Move, Next, Stage, Taking, View, What, Workflow,
        WorkflowId,
    },
    world::{Group, RequestKey, World},
};

/// The rules that a null control may break.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) recovery: Recovery,
    /// An answer leaves when all that it saw is durable; else at once.
    pub(crate) answers_wait: bool,
    /// A request's key is in the group of its effect; else in the next one.
    pub(crate) key_with_effect: bool,
}

pub(crate) const BUILT: Rules =
    Rules { recovery: Recovery::Built, answers_wait: true, key_with_effect: true };

/// What an answer says, and what about.
pub(crate) type Answer = Result<Vec<Subject>, Refusal>;

/// An answer that was given.
struct Given {
    workflow: WorkflowId,
    answer: Answer,
    /// How far each thing had come that it is about.
    effects: Vec<(Subject, Effect)>,
    /// How much of the journal it saw.
    mark: usize,
}

/// How many crashes were looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Points {
    /// Recoveries that were made and checked: (surviving prefix, surviving prefix of the settling events).
    pub(crate) recoveries: usize,
    /// The same for every append at which a crash could have left that prefix.
    pub(crate) crashes: usize,
}

pub(crate) struct Engine {
    pub(crate) rules: Rules,
    pub(crate) now: Timestamp,
    /// The live state of all actors: ahead of what is durable.
    pub(crate) live: World,
    pub(crate) journal: Vec<Group>,
    /// The fold of every prefix that a crash may leave now: of what is durable first, of all that is appended last.
    pub(crate) folds: VecDeque<World>,
    /// Messages in flight, oldest first.
    pub(crate) flights: Vec<Message>,
    pub(crate) told: Told,
    /// Answers that left, of this life.
    pub(crate) left: BTreeMap<WorkflowId, Answer>,
    pub(crate) points: Points,
    workflows: BTreeMap<WorkflowId, Workflow>,
    waiting: VecDeque<Workflow>,
    busy: BTreeSet<Actor>,
    /// Answers that were given and wait.
    answers: Vec<Given>,
    /// Ids come from leased blocks: no crash makes one come twice.
    ids: u64,
}

impl Engine {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: Timestamp(1_000_000),
            live: World::default(),
            journal: Vec::new(),
            folds: VecDeque::from([World::default()]),
            flights: Vec::new(),
            told: Told::default(),
            left: BTreeMap::new(),
            points: Points::default(),
            workflows: BTreeMap::new(),
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
            answers: Vec::new(),
            ids: 0,
        }
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// How many groups would survive the worst crash.
    pub(crate) fn durable(&self) -> usize {
        self.folds[0].groups
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.workflows.len() + self.waiting.len()
    }

    /// Whether an actor is in the middle of a workflow.
    pub(crate) fn is_busy(&self, actor: &Actor) -> bool {
        self.busy.contains(actor)
    }

    /// Starts a workflow, or lets it wait for its actors.
    pub(crate) fn ask(&mut self, job: impl Job + 'static) -> WorkflowId {
        self.admit(Box::new(job), true)
    }

    pub(crate) fn admit(&mut self, job: Box<dyn Job>, awaited: bool) -> WorkflowId {
        let id = self.id();
        self.waiting.push_back(Workflow::new(id, job, awaited));
        self.start_waiting();
        id
    }

    /// The caller goes away: nobody waits for the answer any more, and nothing else changes.
    pub(crate) fn caller_leaves(&mut self, id: WorkflowId) {
        let all = self.workflows.values_mut().chain(&mut self.waiting);
        all.filter(|workflow| workflow.id == id).for_each(|workflow| workflow.awaited = false);
    }

    fn start_waiting(&mut self) {
        let free = |busy: &BTreeSet<Actor>, workflow: &Workflow| {
            workflow.actors.iter().all(|actor| !busy.contains(actor))
        };
        while let Some(next) = self.waiting.iter().position(|w| free(&self.busy, w)) {
            let workflow = self.waiting.remove(next).expect("it is waiting");
            self.busy.extend(workflow.actors.iter().cloned());
            self.advance(workflow);
        }
    }

    fn advance(&mut self, mut workflow: Workflow) {
        let next = match workflow.stage {
            Stage::Undoing(refusal) => {
                return self.finish(workflow.id, &workflow.actors, workflow.awaited, Err(refusal));
            }
            Stage::Giving(about) => {
                return self.finish(workflow.id, &workflow.actors, workflow.awaited, Ok(about));
            }
            Stage::Taking => {
                let view = View { live: &self.live, read: &self.folds[0], now: self.now };
                workflow.job.next(&view, std::mem::take(&mut workflow.replies))
            }
        };
        workflow.stage = match next {
            Next::Take(takes) => {
                self.send(&mut workflow, takes, What::Take);
                Stage::Taking
            }
            Next::Refuse(refusal) => {
                let granted = std::mem::take(&mut workflow.granted);
                self.send(&mut workflow, granted, What::Undo);
                Stage::Undoing(refusal)
            }
            Next::Decide(decision) => Stage::Giving(self.decide(&mut workflow, decision)),
        };
        match workflow.pending {
            0 => self.advance(workflow),
            _ => drop(self.workflows.insert(workflow.id, workflow)),
        }
    }

    /// Appends a decision, and only then sends its gives.
    fn decide(&mut self, workflow: &mut Workflow, decision: Decision) -> Vec<Subject> {
        let Decision { events, request, about } = decision;
        let gives: Vec<_> = events.iter().flat_map(gives).collect();
        if self.rules.key_with_effect || request.is_none() {
            self.append(events, request);
        } else {
            self.append(events, None);
            self.append(Vec::new(), request);
        }
        let mut moves: BTreeMap<Address, Vec<Move>> = BTreeMap::new();
        for (owner, step, stock, give) in gives {
            let what = What::Give(give);
            moves.entry(Address::Stock(stock)).or_default().push(Move { owner, step, what });
        }
        self.dispatch(workflow, moves);
        about
    }

    fn send(&mut self, workflow: &mut Workflow, takes: Vec<Taking>, what: fn(OpenTake) -> What) {
        let mut moves: BTreeMap<Address, Vec<Move>> = BTreeMap::new();
        for (owner, step, take) in takes {
            let to = match take {
                OpenTake::Stock(stock, _) => Address::Stock(stock),
                OpenTake::Claim(hold) => Address::Holder(self.live.holder_of(hold)),
            };
            moves.entry(to).or_default().push(Move { owner, step, what: what(take) });
        }
        self.dispatch(workflow, moves);
    }

    /// One message for each stock, however much is asked of it.
    fn dispatch(&mut self, workflow: &mut Workflow, moves: BTreeMap<Address, Vec<Move>>) {
        workflow.pending += moves.len();
        let from = workflow.id;
        let messages = moves.into_iter().map(|(to, moves)| Message::Ask { to, from, moves });
        self.flights.extend(messages);
    }

    /// The answer carries all that was appended when it was given: refusals and repeats too.
    fn finish(&mut self, id: WorkflowId, actors: &[Actor], awaited: bool, answer: Answer) {
        self.busy.retain(|actor| !actors.contains(actor));
        if awaited {
            let effect = |subject: &Subject| {
                (*subject, self.live.effect(*subject).expect("what was done is there"))
            };
            let effects = answer.iter().flatten().map(effect).collect();
            self.answers.push(Given { workflow: id, answer, effects, mark: self.journal.len() });
            self.let_answers_leave();
        }
        self.start_waiting();
    }

    /// Appends a group and moves the live state by it, in one turn. No events: nothing to append.
    pub(crate) fn append(
        &mut self,
        events: Vec<Event>,
        request: Option<(RequestKey, stockade_domain::OrderId)>,
    ) {
        if events.is_empty() && request.is_none() {
            return;
        }
        let group = Group { events, request };
        self.live.apply(&group);
        self.folds.push_back(self.live.clone());
        self.journal.push(group);
    }

    /// The messages that could arrive now. A holder in the middle of a workflow is spoken to afterwards; a stock never waits.
    pub(crate) fn deliverable(&self) -> Vec<usize> {
        let arrives = |message: &Message| match message {
            Message::Ask { to: Address::Holder(key), .. } => {
                !self.busy.contains(&Actor::Holder(key.clone()))
            }
            _ => true,
        };
        (0..self.flights.len()).filter(|index| arrives(&self.flights[*index])).collect()
    }

    /// Lets a message arrive.
    pub(crate) fn deliver(&mut self, index: usize) {
        match self.flights.remove(index) {
            Message::Ask { to, from, moves } => {
                let (events, replies) = self.live.hear(&to, moves);
                self.append(events, None);
                self.flights.push(Message::Answer { to: from, replies });
            }
            Message::Answer { to, replies } => {
                // A workflow that is gone is one that a null control forgot.
                let Some(mut workflow) = self.workflows.remove(&to) else {
                    return;
                };
                workflow.heard(replies);
                match workflow.pending {
                    0 => self.advance(workflow),
                    _ => drop(self.workflows.insert(to, workflow)),
                }
            }
        }
    }

    /// Lets the oldest message arrive that can. Whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let next = self.deliverable().first().copied();
        next.map(|index| self.deliver(index)).is_some()
    }

    /// Goes on until nothing is in flight.
    pub(crate) fn run(&mut self) {
        while self.step() {}
        assert_eq!(self.in_flight(), 0, "every workflow ends");
    }

    /// Makes the first `groups` groups durable, and lets the answers leave that waited for them. Every prefix that no crash
    /// can leave any more is checked before it is forgotten: against all that was told while one could, which includes what
    /// was told at any moment before.
    pub(crate) fn sync_to(&mut self, groups: usize) -> Result<(), Faults> {
        while self.durable() < groups {
            self.check(0)?;
            self.folds.pop_front();
        }
        self.let_answers_leave();
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), Faults> {
        self.sync_to(self.journal.len())
    }

    fn check(&mut self, fold: usize) -> Result<(), Faults> {
        let folded = &self.folds[fold];
        let recoveries = check_every_crash(folded, &self.told, self.rules.recovery)?;
        self.points.recoveries += recoveries;
        self.points.crashes += recoveries * (self.journal.len() - folded.groups + 1);
        Ok(())
    }

    /// Checks every prefix that a crash could leave now.
    pub(crate) fn check_all(&mut self) -> Result<(), Faults> {
        (0..self.folds.len()).try_for_each(|fold| self.check(fold))
    }

    fn let_answers_leave(&mut self) {
        let durable = if self.rules.answers_wait { self.durable() } else { self.journal.len() };
        let (leave, wait): (Vec<Given>, _) =
            std::mem::take(&mut self.answers).into_iter().partition(|given| given.mark <= durable);
        self.answers = wait;
        for Given { workflow, answer, effects, mark } in leave {
            match &answer {
                Err(_) => self.told.refused(mark),
                Ok(_) => {
                    effects.iter().for_each(|(about, effect)| self.told.done(*about, *effect, mark))
                }
            }
            self.left.insert(workflow, answer);
        }
    }

    /// Crashes with the first `survived` groups left, folds them from the beginning, and appends what settles them. All that
    /// was not in the journal is gone. Only then is anybody admitted.
    pub(crate) fn crash(&mut self, survived: usize) -> Result<(), Faults> {
        self.check_all()?;
        self.journal.truncate(survived);
        self.live = World::fold(&self.journal);
        let kept = &self.folds[survived - self.durable()];
        assert!(self.live.same_as(kept), "the journal alone tells what the actors knew");
        self.folds = VecDeque::from([self.live.clone()]);
        self.flights.clear();
        self.workflows.clear();
        self.waiting.clear();
        self.busy.clear();
        self.answers.clear();
        self.left.clear();
        for event in self.live.open.settle() {
            self.append(settling(event).events, None);
        }
        Ok(())
    }

    /// A null control: a workflow is forgotten, as if it had belonged to a caller that went away.
    pub(crate) fn forget(&mut self, id: WorkflowId) {
        let forgotten = self.workflows.remove(&id).expect("the workflow is in flight");
        self.busy.retain(|actor| !forgotten.actors.contains(actor));
    }
}

/// What an event owes to stocks.
fn gives(event: &Event) -> Vec<(Owner, Step, StockKey, Give)> {
    match part(event) {
        Part::Decided(owner, step, gives) => {
            gives.into_iter().map(|(stock, give)| (owner, step, stock, give)).collect()
        }
        _ => Vec::new(),
    }
}
