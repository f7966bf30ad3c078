//! What a stock or a holder does with a message: decide in one turn, wait for nobody.

use stockade_domain::{
    Event, OrderId, StockKey,
    holder::{HoldEvent, HolderKey},
    open::OpenTake,
    stock::StockEvent,
};

use super::{
    workflow::{Address, Move, Reply, What},
    world::World,
};

impl World {
    /// The events that the moves of one message make at whom they are addressed to, and the answers.
    pub(crate) fn hear(&self, to: &Address, moves: Vec<Move>) -> (Vec<Event>, Vec<Reply>) {
        match to {
            Address::Stock(stock) => self.stock_hears(*stock, moves),
            Address::Holder(key) => self.holder_hears(key, moves),
        }
    }

    fn stock_hears(&self, key: StockKey, moves: Vec<Move>) -> (Vec<Event>, Vec<Reply>) {
        // Of several moves in one message each must see what those before it did.
        let mut stock = self.stock(key);
        let mut events = Vec::new();
        let mut replies = Vec::new();
        for Move { owner, step, what } in moves {
            let event = match what {
                What::Take(OpenTake::Stock(_, take)) => {
                    let taking = (owner, step, OpenTake::Stock(key, take));
                    match stock.take(key, owner, step, take) {
                        Ok(event) => {
                            replies.push(Reply::Granted(taking));
                            event
                        }
                        Err(refusal) => {
                            replies.push(Reply::Refused(taking, refusal));
                            continue;
                        }
                    }
                }
                What::Undo(OpenTake::Stock(_, take)) => {
                    replies.push(Reply::Done);
                    StockEvent::Undone { stock: key, owner, step, take }
                }
                What::Give(give) => {
                    replies.push(Reply::Done);
                    StockEvent::Given { stock: key, owner, step, give }
                }
                What::Take(OpenTake::Claim(_)) | What::Undo(OpenTake::Claim(_)) => {
                    unreachable!("claims go to holders")
                }
            };
            stock.evolve(&event);
            events.push(event.into());
        }
        (events, replies)
    }

    fn holder_hears(&self, key: &HolderKey, moves: Vec<Move>) -> (Vec<Event>, Vec<Reply>) {
        let mut holder = self.holder(key);
        let mut events = Vec::new();
        let mut replies = Vec::new();
        for Move { owner, step, what } in moves {
            let order = OrderId(owner.id());
            let event = match what {
                What::Take(OpenTake::Claim(hold)) => {
                    let taking = (owner, step, OpenTake::Claim(hold));
                    match holder.claim(hold, order) {
                        Ok(event) => {
                            replies.push(Reply::Granted(taking));
                            event
                        }
                        Err(refusal) => {
                            replies.push(Reply::Refused(taking, refusal));
                            continue;
                        }
                    }
                }
                What::Undo(OpenTake::Claim(hold)) => {
                    replies.push(Reply::Done);
                    HoldEvent::Unclaimed { hold, order }
                }
                _ => unreachable!("only claims go to holders"),
            };
            holder.evolve(&event);
            events.push(event.into());
        }
        (events, replies)
    }
}
