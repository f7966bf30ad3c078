use std::rc::Rc;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AtomicResponse, Context, Handler, WrapFuture,
};

use super::{Alive, Lane, MAILBOX};
use crate::job::{Job, MailboxKey};

/// The actor of an owner: an order, a holder, a transfer, an adjustment, a batch, the catalogue, or the accounts.
///
/// It is a mailbox around the owner's workflows: one at a time, each to its end, its gives included. It decides nothing itself;
/// what it does is in [`crate::workflow`], and what it knows is kept by its lane.
pub(super) struct OwnerActor {
    lane: Rc<Lane>,
    /// The mailbox it is known by; a new owner has none yet.
    key: Option<MailboxKey>,
    alive: Alive,
}

impl OwnerActor {
    pub(super) fn start(lane: Rc<Lane>, key: Option<MailboxKey>) -> Addr<Self> {
        Self::create(|context| {
            context.set_mailbox_capacity(MAILBOX);
            let alive = Alive::new(&lane.shared, "an owner");
            Self { lane, key, alive }
        })
    }

    fn done(&mut self, awaited: bool, context: &mut Context<Self>) {
        if !awaited {
            self.lane.ended();
        }
        if self.key.as_ref().is_none_or(|key| self.lane.done(key)) {
            self.alive.end();
            context.stop();
        }
    }
}

impl Actor for OwnerActor {
    type Context = Context<Self>;
}

impl Handler<Job> for OwnerActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, job: Job, _: &mut Context<Self>) -> Self::Result {
        let awaited = job.is_awaited();
        let workflow = job.run(self.lane.clone()).into_actor(self);
        AtomicResponse::new(Box::pin(
            workflow.map(move |(), this, context| this.done(awaited, context)),
        ))
    }
}
