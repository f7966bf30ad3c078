//! The schedules that broke weaker designs, each a test by its name: what goes wrong without the rule, and that it does not
//! with it. Three more are about disks and belong to the storage crate's tests.

mod actors;
mod answers;
mod gives;
mod groups;
mod holds;

use stockade_domain::{
    CustomerId, Event, OrderId, ProductId, Quantity, ReservationId, StockKey, WarehouseId,
    holder::{PlaceHold, Source},
    order::{LineQuantity, OrderCommand, PlaceOrder},
    sourcing::Rule,
    stock::StockCommand,
};

use super::{
    engine::{BUILT, Engine, Rules},
    faults::Faults,
    jobs::{OnCatalogue, OnOrder, OnStock},
    placing::{Place, PlaceOnHold},
    traffic::{SHOP, product, shop, warehouse},
    workflow::WorkflowId,
    world::{Group, RequestKey, World},
};

/// An engine at rest, which goes by these rules from here on: two warehouses, two products, and `units` of product 1 in warehouse 1, of product 1 in warehouse 2, of
/// product 2 in warehouse 1.
fn engine(rules: Rules, units: [Quantity; 3]) -> Engine {
    let mut engine = Engine::new(BUILT);
    engine.ask(OnCatalogue::new(shop(Rule::Priority, true)));
    for _ in 0..2 {
        engine.ask(OnCatalogue::new(warehouse()));
    }
    for _ in 0..2 {
        engine.ask(OnCatalogue::new(product(100, None)));
    }
    for (stock, on_hand) in [stock(1, 1), stock(2, 1), stock(1, 2)].into_iter().zip(units) {
        let command = StockCommand::Recount { on_hand, reason: "counted".into() };
        engine.ask(OnStock { stock, command });
    }
    settle_down(&mut engine);
    engine.rules = rules;
    engine
}

/// Everything in flight ends, and is durable.
fn settle_down(engine: &mut Engine) {
    engine.run();
    engine.sync().expect("nothing is wrong");
}

fn stock(warehouse: u64, product: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(product))
}

fn lines(lines: &[(u64, Quantity)]) -> Vec<LineQuantity> {
    let line =
        |&(product, quantity): &(u64, _)| LineQuantity { product: ProductId(product), quantity };
    lines.iter().map(line).collect()
}

/// Asks for an order of these (product, quantity) lines, with these holds.
fn order(
    engine: &mut Engine,
    of: &[(u64, Quantity)],
    holds: &[ReservationId],
) -> (WorkflowId, OrderId) {
    let id = OrderId(engine.id());
    let reservations = holds.to_vec();
    let request = PlaceOrder { reservations, ..PlaceOrder::new(SHOP, lines(of)) };
    (engine.ask(Place::new(None, vec![(id, request)])), id)
}

/// Asks for an order of one unit of product 1, under the name of a request.
fn request(engine: &mut Engine, key: RequestKey) -> WorkflowId {
    let id = OrderId(engine.id());
    engine.ask(Place::new(Some(key), vec![(id, PlaceOrder::new(SHOP, lines(&[(1, 1)])))]))
}

/// An order of product 1 that is placed, paid and durable.
fn paid_order(engine: &mut Engine, quantity: Quantity) -> OrderId {
    let (_, id) = order(engine, &[(1, quantity)], &[]);
    engine.run();
    engine.ask(OnOrder::new(id, pay()));
    settle_down(engine);
    id
}

/// Asks that a cart holds so many of product 1.
fn hold(engine: &mut Engine, quantity: Quantity) -> ReservationId {
    let id = ReservationId(engine.id());
    engine.ask(PlaceOnHold::new(
        id,
        PlaceHold {
            source: Source::Shop(SHOP),
            owner: Some("cart".into()),
            scope: None,
            customer: Some(CustomerId(1)),
            lines: lines(&[(1, quantity)]),
            ttl_ms: 600_000,
            partial: false,
        },
    ));
    id
}

fn pay() -> OrderCommand {
    OrderCommand::Pay { amount: None, method: None, reference: None }
}

fn ship(quantity: Quantity) -> OrderCommand {
    let lines = Some(lines(&[(1, quantity)]));
    OrderCommand::Ship { lines, carrier: None, tracking: None }
}

/// The world after these events, however wrong they are: what a weak design would have written.
fn believing(mut world: World, events: &[Event]) -> World {
    events.iter().for_each(|event| world.evolve(event));
    world
}

/// What every crash from here on would leave: each prefix that may survive, healed.
fn healed_prefixes(engine: &mut Engine) -> Result<Vec<World>, Faults> {
    engine.check_all()?;
    Ok(engine.folds.iter().map(World::healed).collect())
}

/// The latest group that such an event is in.
fn group_of(journal: &[Group], wanted: impl Fn(&Event) -> bool) -> usize {
    let place = journal.iter().rposition(|group| group.events.iter().any(&wanted));
    place.expect("it was appended")
}
