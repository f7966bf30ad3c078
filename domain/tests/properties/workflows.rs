//! Workflows, one after another: take, decide, give; on a refusal every take is undone.

use std::sync::Arc;

use stockade_domain::{
    AdjustmentId, Event, OrderId, Owner, ProductId, Refusal, ReservationId, ShopId, Step, StockKey,
    Timestamp, TransferId, WarehouseId,
    adjustment::{Adjust, AdjustRow, AdjustmentEvent, Reason, RowsAdjusted, takes},
    catalogue::StockDelta,
    holder::{Hold, HoldCommand, HoldEvent, Holder, PlaceHold, Source},
    order::{LineQuantity, Order, OrderCommand, OrderEvent, PlaceOrder},
    sourcing::{Allocation, Held, Plan, plan, use_held},
    stock::{StockCommand, StockEvent, Take},
    transfer::{Dispatched, TransferCommand, TransferEvent, dispatch},
};

use super::{
    ops::{Act, AskHold, HoldAct, Lines, Op, TransferAct},
    world::World,
};

pub(crate) type Done = Result<(), Refusal>;

/// What stands in for another's take getting in the way.
fn tripped() -> Refusal {
    Refusal::InsufficientStock(Vec::new())
}

fn lines_of(lines: &Lines) -> Vec<LineQuantity> {
    let line =
        |&(product, quantity): &(u64, u64)| LineQuantity { product: ProductId(product), quantity };
    lines.iter().map(line).collect()
}

pub(crate) fn key(warehouse: u64, product: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(product))
}

/// Which of `many` an index names; nothing when there is none.
fn pick<T: Copy>(mut many: impl ExactSizeIterator<Item = T>, index: usize) -> Option<T> {
    let len = many.len();
    many.nth(index.checked_rem(len)?)
}

impl World {
    /// Three warehouses, two shops, four products with stock.
    pub(crate) fn begin() -> Self {
        let mut world = Self::default();
        world.now = Timestamp(1_000);
        for command in super::catalogue::commands() {
            world.command(&command).expect("the beginning is granted");
        }
        world
    }

    /// Runs one workflow and checks that a refusal changed nothing.
    pub(crate) fn run(&mut self, op: &Op) -> bool {
        let before = self.clone();
        let done = self.workflow(op);
        if done.is_err() {
            self.assert_unchanged_since(&before);
        }
        self.check_idle();
        done.is_ok()
    }

    /// Lets everything run out: deadlines pass, what is left is cancelled, what is on the road is written off.
    pub(crate) fn end(&mut self) {
        self.now = self.now.plus_ms(1_000_000);
        for hold in self.keys.keys().copied().collect::<Vec<_>>() {
            let ended = self.on_hold(hold, HoldAct::Expire);
            assert!(ended.is_ok(), "a timer is never refused: {ended:?}");
        }
        for order in self.orders.keys().copied().collect::<Vec<_>>() {
            let ended = self.on_order(order, &Act::Expire, None);
            assert!(ended.is_ok(), "a timer is never refused: {ended:?}");
            // What is shipped already stays shipped.
            let _shipped = self.on_order(order, &Act::Cancel(None), None);
        }
        for transfer in self.transfers.keys().copied().collect::<Vec<_>>() {
            let _closed = self.on_transfer(transfer, TransferAct::Cancel { restock: false });
        }
        self.check_idle();
    }

    fn workflow(&mut self, op: &Op) -> Done {
        match op {
            Op::Order { shop, lines, holds, trip } => self.place(*shop, lines, holds, *trip),
            Op::OnOrder { order, act, trip } => match pick(self.orders.keys().copied(), *order) {
                Some(order) => self.on_order(order, act, *trip),
                None => Ok(()),
            },
            Op::Hold(ask) => self.hold(ask),
            Op::OnHold { hold, act } => match pick(self.keys.keys().copied(), *hold) {
                Some(hold) => self.on_hold(hold, *act),
                None => Ok(()),
            },
            Op::Transfer { product, from, to, quantity, in_transit, trip } => {
                let id = TransferId(self.transfers.len() as u64 + 1);
                let (product, in_transit) = (ProductId(*product), *in_transit);
                let (from, to) = (WarehouseId(*from), WarehouseId(*to));
                let (quantity, at) = (*quantity, self.now);
                self.transfer(Dispatched { id, product, from, to, quantity, in_transit, at }, *trip)
            }
            Op::OnTransfer { transfer, act } => {
                match pick(self.transfers.keys().copied(), *transfer) {
                    Some(transfer) => self.on_transfer(transfer, *act),
                    None => Ok(()),
                }
            }
            Op::Adjust { deltas, trip } => self.adjust(deltas, *trip),
            Op::Recount { warehouse, product, on_hand } => {
                let command = StockCommand::Recount { on_hand: *on_hand, reason: "counted".into() };
                self.on_stock(key(*warehouse, *product), &command)
            }
            Op::Policy { warehouse, product, safety, backorder } => {
                let (safety_stock, backorder_limit) = (*safety, *backorder);
                let command = StockCommand::SetPolicy { safety_stock, backorder_limit };
                self.on_stock(key(*warehouse, *product), &command)
            }
            Op::Wait { ms } => {
                self.now = self.now.plus_ms(*ms);
                Ok(())
            }
            _ => self.on_catalogue(op),
        }
    }

    /// Takes everything or nothing: an undo is sent for every take that was granted. After `trip` takes something else is in
    /// the way.
    pub(crate) fn take_all(
        &mut self,
        owner: Owner,
        step: Step,
        takes: &[(StockKey, Take)],
        trip: Option<usize>,
    ) -> Done {
        for (index, (stock, take)) in takes.iter().enumerate() {
            let answer = match trip {
                Some(trip) if trip == index => Err(tripped()),
                _ => self.stock(*stock).take(*stock, owner, step, *take),
            };
            match answer {
                Ok(event) => self.commit([event.into()]),
                Err(refusal) => {
                    self.undo_all(owner, step, &takes[..index]);
                    return Err(refusal);
                }
            }
        }
        if trip == Some(takes.len()) {
            self.undo_all(owner, step, takes);
            return Err(tripped());
        }
        Ok(())
    }

    pub(crate) fn undo_all(&mut self, owner: Owner, step: Step, takes: &[(StockKey, Take)]) {
        for &(stock, take) in takes.iter().rev() {
            self.commit([StockEvent::Undone { stock, owner, step, take }.into()]);
        }
    }

    /// Reserves what a plan names; a complete plan must be granted.
    fn reserve(
        &mut self,
        owner: Owner,
        plan: &Plan,
        product: impl Fn(&Allocation) -> ProductId,
        trip: Option<usize>,
    ) -> Done {
        let take = |allocation: &Allocation| {
            let stock = StockKey::new(allocation.warehouse, product(allocation));
            (stock, Take::Reserve { quantity: allocation.quantity })
        };
        let takes: Vec<_> = plan.allocations.iter().map(take).collect();
        let done = self.take_all(owner, 0, &takes, trip);
        let in_the_way = trip.is_some_and(|trip| trip <= takes.len());
        assert_eq!(done.is_err(), in_the_way, "what is planned is granted: {done:?}");
        done
    }

    fn place(&mut self, shop: u64, lines: &Lines, holds: &[usize], trip: Option<usize>) -> Done {
        let id = OrderId(self.orders.len() as u64 + 1);
        let mut request = PlaceOrder::new(ShopId(shop), lines_of(lines));
        for hold in holds {
            let hold = pick(self.keys.keys().copied(), *hold);
            request.reservations.extend(hold.filter(|hold| !request.reservations.contains(hold)));
        }
        let quote = request.quote(&self.catalogue, self.log.len() as u64)?;
        let claimed = self.claim(id, &request.reservations)?;
        let wanted = quote.wanted();
        let (mut allocations, demands) = use_held(&wanted, &claimed);
        let plan =
            plan(quote.sourcing, &quote.candidates, &demands, &mut |key| self.available(key));
        let taken = match plan.shortages.is_empty() {
            true => {
                let product = |allocation: &Allocation| wanted[allocation.line as usize].0;
                self.reserve(Owner::order(id), &plan, product, trip)
            }
            false => Err(Refusal::InsufficientStock(plan.shortages.clone())),
        };
        if let Err(refusal) = taken {
            self.unclaim(id, &request.reservations);
            return Err(refusal);
        }
        allocations.extend(plan.allocations);
        let holds = request.reservations.clone();
        let placed = Arc::new(quote.place(request, id, allocations, self.now));
        let mut events = vec![Event::from(OrderEvent::Placed(placed.clone()))];
        events.extend(Order::new(placed.clone()).paid_at_once().map(Event::from));
        for hold in holds {
            let product = |allocation: &Allocation| placed.stock(allocation).product;
            let hold = self.hold_of(hold);
            events.push(hold.convert(id, &placed.allocations, product, self.now).into());
        }
        self.decide(events);
        Ok(())
    }

    fn claim(&mut self, order: OrderId, holds: &[ReservationId]) -> Result<Vec<Held>, Refusal> {
        let mut held = Vec::new();
        for (index, hold) in holds.iter().enumerate() {
            match self.holders[&self.keys[hold]].claim(*hold, order) {
                Ok(event) => {
                    held.extend(self.hold_of(*hold).held());
                    self.commit([event.into()]);
                }
                Err(refusal) => {
                    self.unclaim(order, &holds[..index]);
                    return Err(refusal);
                }
            }
        }
        Ok(held)
    }

    fn unclaim(&mut self, order: OrderId, holds: &[ReservationId]) {
        for hold in holds.iter().rev() {
            self.commit([HoldEvent::Unclaimed { hold: *hold, order }.into()]);
        }
    }

    fn hold_of(&self, id: ReservationId) -> &Hold {
        &self.holders[&self.keys[&id]].holds[&id]
    }

    fn on_order(&mut self, id: OrderId, act: &Act, trip: Option<usize>) -> Done {
        let lines = |lines: &Option<Lines>| lines.as_ref().map(lines_of);
        let command = match act {
            Act::Pay { amount, reference } => OrderCommand::Pay {
                amount: *amount,
                method: None,
                reference: reference.map(|reference| format!("r{reference}")),
            },
            Act::Expire => OrderCommand::Expire,
            Act::Cancel(some) => OrderCommand::Cancel { lines: lines(some), reason: None },
            Act::Ship(some) => {
                OrderCommand::Ship { lines: lines(some), carrier: None, tracking: None }
            }
            Act::Deliver => OrderCommand::Deliver,
            Act::Return { lines: some, restock } => {
                OrderCommand::Return { lines: lines(some), restock: *restock, reason: None }
            }
            Act::Refund(amount) => OrderCommand::Refund { amount: *amount },
        };
        let order = &self.orders[&id];
        let events = order.decide(&command, self.now)?;
        if let [OrderEvent::Shipped { step, shipment, .. }] = &events[..] {
            let takes = order.consumes(&shipment.parcels);
            self.take_all(Owner::order(id), *step, &takes, trip)?;
        }
        self.decide(events.into_iter().map(Event::from).collect());
        Ok(())
    }

    fn hold(&mut self, ask: &AskHold) -> Done {
        let id = ReservationId(self.keys.len() as u64 + 1);
        let request = PlaceHold {
            source: match ask.warehouse {
                Some(warehouse) => Source::Warehouse(WarehouseId(warehouse)),
                None => Source::Shop(ShopId(1)),
            },
            owner: ask.owner.map(|owner| format!("cart {owner}")),
            scope: None,
            customer: ask.customer.map(stockade_domain::CustomerId),
            lines: lines_of(&ask.lines),
            ttl_ms: 30_000,
            partial: ask.partial,
        };
        let quote = request.quote(&self.catalogue)?;
        let holder = self.holders.get(&request.key(id)).cloned().unwrap_or_else(Holder::default);
        let (held, replaces) = holder.replaced(&request, &quote.lines);
        holder.check_room(&request, &quote.lines, &replaces)?;
        let (mut allocations, demands) = use_held(&quote.lines, &held);
        let plan =
            plan(quote.sourcing, &quote.candidates, &demands, &mut |key| self.available(key));
        let nothing = allocations.is_empty() && plan.allocations.is_empty();
        if nothing || !(request.partial || plan.shortages.is_empty()) {
            return Err(Refusal::InsufficientStock(plan.shortages));
        }
        let product = |allocation: &Allocation| quote.lines[allocation.line as usize].0;
        self.reserve(Owner::hold(id), &plan, product, ask.trip)?;
        allocations.extend(plan.allocations);
        let event = holder.place(id, &request, quote.lines, allocations, self.now);
        self.decide(vec![event.into()]);
        Ok(())
    }

    fn on_hold(&mut self, id: ReservationId, act: HoldAct) -> Done {
        let command = match act {
            HoldAct::Extend => HoldCommand::Extend { ttl_ms: 20_000 },
            HoldAct::Release => HoldCommand::Release,
            HoldAct::Expire => HoldCommand::Expire,
        };
        let event = self.holders[&self.keys[&id]].decide(id, command, self.now)?;
        if let Some(HoldEvent::Expired(ended)) = &event {
            assert!(ended.at >= self.hold_of(id).expires_at, "late is allowed, early never");
        }
        self.decide(event.into_iter().map(Event::from).collect());
        Ok(())
    }

    fn transfer(&mut self, dispatched: Dispatched, trip: bool) -> Done {
        let take = dispatch(&dispatched)?;
        let owner = Owner::transfer(dispatched.id);
        self.take_all(owner, 0, &[take], trip.then_some(1))?;
        self.decide(vec![TransferEvent::Dispatched(Box::new(dispatched)).into()]);
        Ok(())
    }

    fn on_transfer(&mut self, id: TransferId, act: TransferAct) -> Done {
        let command = match act {
            TransferAct::Receive { quantity, missing } => TransferCommand::Receive {
                quantity,
                discrepancy: missing.map(|missing| (missing, "fell off".into())),
            },
            TransferAct::Cancel { restock } => TransferCommand::Cancel { restock, reason: None },
        };
        let event = self.transfers[&id].decide(&command, self.now)?;
        self.decide(vec![event.into()]);
        Ok(())
    }

    fn adjust(&mut self, deltas: &[(u64, u64, i64)], trip: Option<usize>) -> Done {
        let delta =
            |&(warehouse, product, delta)| StockDelta { stock: key(warehouse, product), delta };
        let deltas = deltas.iter().map(delta).collect();
        let id = AdjustmentId(self.log.len() as u64);
        let request = Adjust { deltas, reason: Reason::Correction, reference: None };
        let sums = request.check()?;
        let taken: Vec<_> = takes(&sums).collect();
        self.take_all(Owner::adjustment(id), 0, &taken, trip)?;
        let at = self.now;
        // Every other one has a reason for each of its rows.
        let event = match id.0 % 2 {
            0 => request.decide(id, sums, at),
            _ => {
                let row = |&StockDelta { stock, delta }: &StockDelta| AdjustRow {
                    stock,
                    delta,
                    reason: Reason::Found,
                    reference: None,
                };
                let rows = request.deltas.iter().map(row).collect();
                let adjusted = RowsAdjusted { id, deltas: sums, rows, at };
                AdjustmentEvent::RowsAdjusted(Box::new(adjusted))
            }
        };
        self.decide(vec![event.into()]);
        Ok(())
    }

    fn on_stock(&mut self, stock: StockKey, command: &StockCommand) -> Done {
        let event = self.stock(stock).decide(stock, command, self.now)?;
        self.decide(event.into_iter().map(Into::into).collect());
        Ok(())
    }
}
