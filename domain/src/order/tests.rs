mod cancel;
mod fulfil;
mod pay;
mod place;

mod table;

use std::sync::Arc;

use super::{Given as Freed, Line, LineQuantity, Order, OrderCommand, OrderEvent, Placed, Release};
use crate::{
    Amount, Currency, CustomerId, OrderId, Owner, ProductId, Quantity, Refusal, ReservationId,
    ShopId, StockKey, Timestamp, WarehouseId,
    invariants::{Violation, check_order},
    sourcing::Allocation,
    testing::{Aggregate, Given, NOW, given},
};

const ID: OrderId = OrderId(5);
const DEADLINE_MS: u64 = 60_000;
const DEADLINE: Timestamp = Timestamp(NOW.0 + DEADLINE_MS);

impl Aggregate for Order {
    type Command = OrderCommand;
    type Event = OrderEvent;

    fn replay(events: &[OrderEvent]) -> Self {
        let Some((OrderEvent::Placed(placed), rest)) = events.split_first() else {
            panic!("an order begins with its placing")
        };
        let mut order = Self::new(placed.clone());
        rest.iter().for_each(|event| order.evolve(event));
        order
    }

    fn ask(&self, command: &OrderCommand, at: Timestamp) -> Result<Vec<OrderEvent>, Refusal> {
        self.decide(command, at)
    }

    fn apply(&mut self, event: &OrderEvent) {
        self.evolve(event);
    }

    fn check(&self, found: &mut dyn FnMut(Violation)) {
        check_order(self, found);
    }
}

/// Lines as (product, quantity, unit price), allocations as (line, warehouse, hold or 0, quantity).
fn placed_from(
    lines: &[(u64, Quantity, Amount)],
    allocations: &[(u32, u64, u64, Quantity)],
) -> OrderEvent {
    let line = |&(product, quantity, unit_price): &(u64, Quantity, Amount)| Line {
        product: ProductId(product),
        quantity,
        unit_price,
    };
    let allocation = |&(line, warehouse, hold, quantity): &(u32, u64, u64, Quantity)| Allocation {
        line,
        warehouse: WarehouseId(warehouse),
        hold: (hold > 0).then_some(ReservationId(hold)),
        quantity,
    };
    OrderEvent::Placed(Arc::new(Placed {
        id: ID,
        customer: Some(CustomerId(1)),
        shop: ShopId(1),
        currency: Currency::USD,
        at: NOW,
        payment_deadline_ms: DEADLINE_MS,
        priced_at: 0,
        lines: lines.iter().map(line).collect(),
        allocations: allocations.iter().map(allocation).collect(),
        details: None,
    }))
}

/// Every line from warehouse 1.
fn placed(lines: &[(u64, Quantity, Amount)]) -> OrderEvent {
    let allocations: Vec<_> = (0..).zip(lines).map(|(line, (_, n, _))| (line, 1, 0, *n)).collect();
    placed_from(lines, &allocations)
}

/// Two of product 1 at 1.00, three of product 2 at 0.10: 2.30 in all.
fn pending() -> Given<Order> {
    given([placed(&[(1, 2, 100), (2, 3, 10)])])
}

fn paid() -> Given<Order> {
    pending().and(pay_all())
}

fn partially_shipped() -> Given<Order> {
    paid().and(ship(&[(1, 1), (2, 1)]))
}

fn shipped() -> Given<Order> {
    paid().and(ship_all())
}

fn delivered() -> Given<Order> {
    shipped().and(OrderCommand::Deliver)
}

fn expired() -> Given<Order> {
    pending().at(DEADLINE).and(OrderCommand::Expire)
}

fn lines(of: &[(u64, Quantity)]) -> Option<Vec<LineQuantity>> {
    let line = |&(product, quantity)| LineQuantity { product: ProductId(product), quantity };
    Some(of.iter().map(line).collect())
}

fn pay(amount: Amount) -> OrderCommand {
    OrderCommand::Pay { amount: Some(amount), method: None, reference: None }
}

fn pay_all() -> OrderCommand {
    OrderCommand::Pay { amount: None, method: None, reference: None }
}

fn pay_as(reference: &str, amount: Option<Amount>) -> OrderCommand {
    OrderCommand::Pay { amount, method: None, reference: Some(reference.into()) }
}

fn cancel(of: &[(u64, Quantity)]) -> OrderCommand {
    OrderCommand::Cancel { lines: lines(of), reason: None }
}

fn cancel_all() -> OrderCommand {
    OrderCommand::Cancel { lines: None, reason: None }
}

fn ship(of: &[(u64, Quantity)]) -> OrderCommand {
    OrderCommand::Ship { lines: lines(of), carrier: None, tracking: None }
}

fn ship_all() -> OrderCommand {
    OrderCommand::Ship { lines: None, carrier: None, tracking: None }
}

fn take_back(of: &[(u64, Quantity)]) -> OrderCommand {
    OrderCommand::Return { lines: lines(of), restock: true, reason: None }
}

fn take_back_all() -> OrderCommand {
    OrderCommand::Return { lines: None, restock: true, reason: None }
}

fn refund(amount: Option<Amount>) -> OrderCommand {
    OrderCommand::Refund { amount }
}

/// The order's own units of a product in a warehouse are free again.
fn release(product: u64, warehouse: u64, quantity: Quantity) -> Release {
    Release { stock: stock(product, warehouse), entry: Owner::order(ID), quantity }
}

fn stock(product: u64, warehouse: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(product))
}

/// What one event of giving up says.
fn freed(events: &[OrderEvent]) -> &Freed {
    match &events[0] {
        OrderEvent::Cancelled(freed) | OrderEvent::Expired(freed) => freed,
        other => panic!("units are given up: {other:?}"),
    }
}

/// (reserved, shipped, cancelled, returned) of a line
fn progress(order: &Order, line: usize) -> (Quantity, Quantity, Quantity, Quantity) {
    let (reserved, progress) = order.line(line);
    (reserved, progress.shipped, progress.cancelled, progress.returned)
}
