mod life;
mod quote;
mod replace;

use super::{
    Hold, HoldCommand, HoldEvent, HoldPlaced, HoldStatus, Holder, HolderKey, PlaceHold, Source,
};
use crate::{
    CustomerId, OrderId, Owner, ProductId, Quantity, Refusal, ReservationId, ShopId, StockKey,
    Timestamp, WarehouseId,
    order::{LineQuantity, Release, sum_lines},
    sourcing::{Allocation, use_held},
    testing::{Aggregate, Given, NOW, given},
};

const TTL_MS: u64 = 60_000;
const DEADLINE: Timestamp = Timestamp(NOW.0 + TTL_MS);

pub(crate) enum Ask {
    /// Hold, with growth from warehouse 1.
    Place(u64, PlaceHold),
    On(u64, HoldCommand),
    Claim(u64, u64),
}

impl Aggregate for Holder {
    type Command = Ask;
    type Event = HoldEvent;

    fn replay(events: &[HoldEvent]) -> Self {
        let mut holder = Self::default();
        events.iter().for_each(|event| holder.evolve(event));
        holder
    }

    fn ask(&self, command: &Ask, at: Timestamp) -> Result<Vec<HoldEvent>, Refusal> {
        match command {
            Ask::Place(id, request) => {
                let lines = sum_lines(&request.lines, 100)?;
                let (held, replaces) = self.replaced(request, &lines);
                self.check_room(request, &lines, &replaces)?;
                let (mut allocations, demands) = use_held(&lines, &held);
                allocations.extend(demands.iter().map(|demand| Allocation {
                    line: demand.line,
                    warehouse: WarehouseId(1),
                    hold: None,
                    quantity: demand.quantity,
                }));
                Ok(vec![self.place(ReservationId(*id), request, lines, allocations, at)])
            }
            Ask::On(id, command) => {
                let event = self.decide(ReservationId(*id), *command, at)?;
                Ok(event.into_iter().collect())
            }
            Ask::Claim(id, order) => Ok(vec![self.claim(ReservationId(*id), OrderId(*order))?]),
        }
    }

    fn apply(&mut self, event: &HoldEvent) {
        self.evolve(event);
    }
}

fn nobody() -> Given<Holder> {
    given([])
}

fn request(lines: &[(u64, Quantity)]) -> PlaceHold {
    let line = |&(product, quantity)| LineQuantity { product: ProductId(product), quantity };
    PlaceHold {
        source: Source::Shop(ShopId(1)),
        owner: None,
        scope: None,
        customer: Some(CustomerId(1)),
        lines: lines.iter().map(line).collect(),
        ttl_ms: TTL_MS,
        partial: false,
    }
}

/// A hold of customer 1, under no name of his.
fn place(id: u64, lines: &[(u64, Quantity)]) -> Ask {
    Ask::Place(id, request(lines))
}

/// A hold of customer 1 in his cart of this name.
fn in_cart(id: u64, cart: &str, lines: &[(u64, Quantity)]) -> Ask {
    Ask::Place(id, PlaceHold { owner: Some(cart.into()), ..request(lines) })
}

fn expire(id: u64) -> Ask {
    Ask::On(id, HoldCommand::Expire)
}

fn let_go(id: u64) -> Ask {
    Ask::On(id, HoldCommand::Release)
}

fn extend(id: u64, ttl_ms: u64) -> Ask {
    Ask::On(id, HoldCommand::Extend { ttl_ms })
}

/// Units of a product in warehouse 1, under this hold's entry.
fn release(product: u64, hold: u64, quantity: Quantity) -> Release {
    let stock = StockKey::new(WarehouseId(1), ProductId(product));
    Release { stock, entry: Owner::hold(ReservationId(hold)), quantity }
}

fn hold(given: &Given<Holder>, id: u64) -> &Hold {
    &given.state().holds[&ReservationId(id)]
}

/// What a hold keeps: (product, entry, quantity).
fn held(given: &Given<Holder>, id: u64) -> Vec<(u64, u64, Quantity)> {
    let held = hold(given, id).held();
    held.map(|held| (held.stock.product.0, held.hold.0, held.quantity)).collect()
}

#[track_caller]
fn one_placed(events: Vec<HoldEvent>) -> HoldPlaced {
    match &events[..] {
        [HoldEvent::Placed(placed)] => HoldPlaced::clone(placed),
        other => panic!("one hold is placed: {other:?}"),
    }
}
