//! Workflows: take, decide, give.
//!
//! Each is a plain sequence over its lane: it takes at the stocks, appends the one decision, and gives. It belongs to its owner's
//! actor, not to the caller's future, so a client that goes away changes nothing. The answer leaves after the gives were
//! appended, so that whoever reads it also sees what it freed.

mod accounts;
mod adjustments;
mod catalogue;
mod holds;
mod orders;
mod reserve;
mod stocks;
mod transfers;

pub(crate) use accounts::{AccountRequest, AccountThing};
pub(crate) use catalogue::thing;
pub(crate) use holds::{lane_of_hold, lane_of_new as lane_of_new_hold};
pub(crate) use orders::dry_run;

use std::{future::Future, pin::Pin, rc::Rc};

use stockade_domain::Sequence;

use crate::{
    Error,
    job::{Job, MailboxKey},
    lane::Lane,
    shared::Shared,
};

/// What a workflow comes to: its value, and the sequence of its last event if it has any of its own.
type Outcome<T> = Result<(T, Option<Sequence>), Error>;

impl Job {
    /// The mailbox it goes to; a new owner has none yet.
    pub(crate) fn mailbox(&self, shared: &Shared) -> Option<MailboxKey> {
        match self {
            Self::Order { id, .. } | Self::ExpireOrder { id, .. } => Some(MailboxKey::Order(*id)),
            Self::Hold { request, .. } => holds::mailbox_of_new(request),
            Self::ChangeHold { id, .. }
            | Self::ExpireHold { id, .. }
            | Self::Claim { id, .. }
            | Self::Unclaim { id, .. } => holds::mailbox(shared, *id),
            Self::Converted { event, .. } => holds::mailbox(shared, event.hold()),
            Self::ChangeTransfer { id, .. } => Some(MailboxKey::Transfer(*id)),
            Self::Catalogue { .. } => Some(MailboxKey::Catalogue),
            Self::Account { .. } => Some(MailboxKey::Accounts),
            Self::Place { .. }
            | Self::PlaceAll { .. }
            | Self::Transfer { .. }
            | Self::Adjust { .. }
            | Self::Stock { .. } => None,
            #[cfg(test)]
            Self::Bug { .. } => None,
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(self, lane: Rc<Lane>) -> Pin<Box<dyn Future<Output = ()>>> {
        match self {
            Self::Place { request, reply } => Box::pin(async move {
                let outcome = orders::place(&lane, &reply.by, request).await;
                lane.answer(reply, outcome);
            }),
            Self::PlaceAll { requests, keys, reply } => Box::pin(async move {
                let outcome = orders::place_all(&lane, &reply.by, requests, &keys).await;
                lane.answer(reply, outcome);
            }),
            Self::Order { id, command, reply } => Box::pin(async move {
                let outcome = orders::command(&lane, &reply.by, id, &command).await;
                lane.answer(reply, outcome);
            }),
            Self::ExpireOrder { id, reply } => Box::pin(async move {
                let outcome = orders::expire(&lane, id).await;
                lane.answer(reply, outcome);
            }),
            Self::Catalogue { command, reply } => Box::pin(async move {
                let outcome = catalogue::command(&lane, &reply.by, &command).await;
                lane.answer(reply, outcome);
            }),
            Self::Account { request, reply } => Box::pin(async move {
                let outcome = accounts::run(&lane, &reply.by, request).await;
                lane.answer(reply, outcome);
            }),
            Self::Transfer { request, reply } => Box::pin(async move {
                let outcome = transfers::dispatch(&lane, &reply.by, request).await;
                lane.answer(reply, outcome);
            }),
            Self::ChangeTransfer { id, command, reply } => Box::pin(async move {
                let outcome = transfers::command(&lane, &reply.by, id, &command).await;
                lane.answer(reply, outcome);
            }),
            Self::Adjust { request, reply } => Box::pin(async move {
                let outcome = adjustments::adjust(&lane, &reply.by, request).await;
                lane.answer(reply, outcome);
            }),
            Self::Stock { .. } => unreachable!("a stock answers for itself"),
            #[cfg(test)]
            Self::Bug { reply } => Box::pin(async move {
                let _reply = reply;
                panic!("a bug");
            }),
            of_hold => of_hold.run_hold(lane),
        }
    }

    fn run_hold(self, lane: Rc<Lane>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            match self {
                Self::Hold { request, reply } => {
                    let outcome = holds::place(&lane, &reply.by, request).await;
                    lane.answer(reply, outcome);
                }
                Self::ChangeHold { id, command, reply } => {
                    let outcome = holds::command(&lane, &reply.by, id, command).await;
                    lane.answer(reply, outcome);
                }
                Self::ExpireHold { id, reply } => {
                    let outcome = holds::expire(&lane, id).await;
                    lane.answer(reply, outcome);
                }
                // Another workflow waits for these; an answer of its own would wait for the disk.
                Self::Claim { id, order, reply } => {
                    drop(reply.send(holds::claim(&lane, id, order)))
                }
                Self::Unclaim { id, order, done } => {
                    holds::unclaim(&lane, id, order);
                    let _ = done.send(());
                }
                Self::Converted { event, done } => {
                    holds::converted(&lane, &event);
                    let _ = done.send(());
                }
                _ => unreachable!("not about a hold"),
            }
        })
    }
}
