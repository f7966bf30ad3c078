use super::{OpenTable, OpenTake, Part, part};
use crate::{
    AdjustmentId, Event, OrderId, Owner, ProductId, Quantity, ReservationId, Sequence, Step,
    StockKey, Timestamp, TransferId, WarehouseId,
    adjustment::{Adjusted, AdjustmentEvent, Reason},
    catalogue::{CatalogueCommand, CatalogueEvent, ProductChange, StockDelta},
    holder::{HoldEnded, HoldEvent},
    order::{Given, OrderEvent, Release, Return},
    stock::{Give, StockEvent, Take},
    testing::{NOW, catalogue, product, warehouse},
    transfer::{Dispatched, TransferEvent},
};

const ORDER: OrderId = OrderId(3);
const HOLD: ReservationId = ReservationId(8);

fn at(product: u64) -> StockKey {
    StockKey::new(WarehouseId(1), ProductId(product))
}

fn order() -> Owner {
    Owner::order(ORDER)
}

fn reserve(quantity: Quantity) -> Take {
    Take::Reserve { quantity }
}

fn taken(step: Step, product: u64, take: Take) -> Event {
    StockEvent::Taken { stock: at(product), owner: order(), step, take }.into()
}

fn undone(step: Step, product: u64, take: Take) -> Event {
    StockEvent::Undone { stock: at(product), owner: order(), step, take }.into()
}

fn given(step: Step, product: u64, quantity: Quantity) -> Event {
    let give = Give::Release { entry: order(), quantity };
    StockEvent::Given { stock: at(product), owner: order(), step, give }.into()
}

/// The order gives up (product, quantity).
fn cancelled(step: Step, of: &[(u64, Quantity)]) -> Event {
    let release = |&(product, quantity)| Release { stock: at(product), entry: order(), quantity };
    OrderEvent::Cancelled(Box::new(Given {
        order: ORDER,
        step,
        at: NOW,
        reason: None,
        refund: 0,
        parcels: vec![],
        releases: of.iter().map(release).collect(),
    }))
    .into()
}

fn folded(events: &[Event]) -> OpenTable {
    let mut open = OpenTable::default();
    (1..).zip(events).for_each(|(sequence, event)| open.apply(sequence, event));
    open
}

#[track_caller]
fn settles(events: &[Event], wanted: &[Event]) {
    let mut open = folded(events);
    let settling = open.settle();
    assert_eq!(settling, wanted);
    let sequences = events.len() as Sequence + 1..;
    sequences.zip(&settling).for_each(|(sequence, event)| open.apply(sequence, event));
    assert!(open.is_empty(), "settled");
}

#[test]
fn what_is_decided_adopts_its_takes_and_no_others() {
    let shipped = |step| -> Event {
        let shipment =
            crate::order::Shipment { parcels: vec![], carrier: None, tracking: None, at: NOW };
        OrderEvent::Shipped { order: ORDER, step, shipment: Box::new(shipment) }.into()
    };
    let events =
        [taken(1, 1, reserve(1)), taken(2, 1, reserve(1)), taken(2, 2, reserve(1)), shipped(2)];
    let open = folded(&events);
    assert_eq!(open.takes(), [(order(), 1, OpenTake::Stock(at(1), reserve(1)))]);
    assert_eq!(open.len(), 1);
}

#[test]
fn a_crash_before_the_decision_undoes_the_takes_newest_first() {
    let events = [taken(0, 1, reserve(2)), taken(0, 2, reserve(3)), taken(0, 3, reserve(4))];
    settles(
        &events,
        &[undone(0, 3, reserve(4)), undone(0, 2, reserve(3)), undone(0, 1, reserve(2))],
    );
}

#[test]
fn a_crash_between_undos_undoes_only_the_rest() {
    let events = [
        taken(0, 1, reserve(2)),
        taken(0, 1, reserve(2)),
        taken(0, 2, reserve(3)),
        undone(0, 1, reserve(2)),
    ];
    settles(&events, &[undone(0, 2, reserve(3)), undone(0, 1, reserve(2))]);
}

#[test]
fn a_crash_between_gives_gives_only_the_rest() {
    let events = [cancelled(4, &[(1, 2), (2, 3), (1, 2)]), given(4, 1, 2)];
    settles(&events, &[given(4, 1, 2), given(4, 2, 3)]);
    let all = [&events[..], &[given(4, 2, 3), given(4, 1, 2)]].concat();
    assert!(folded(&all).is_empty());
}

#[test]
fn a_claim_without_its_order_is_live_again() {
    let claimed = HoldEvent::Claimed { hold: HOLD, order: ORDER };
    let unclaimed = HoldEvent::Unclaimed { hold: HOLD, order: ORDER };
    let events = [taken(0, 1, reserve(2)), claimed.clone().into()];
    settles(&events, &[unclaimed.clone().into(), undone(0, 1, reserve(2))]);
    assert!(folded(&[claimed.into(), unclaimed.into()]).is_empty());
}

#[test]
#[should_panic(expected = "what is undone or given is open")]
fn a_give_done_twice_stops_instead_of_freeing_twice() {
    folded(&[cancelled(1, &[(1, 2)]), given(1, 1, 2), given(1, 1, 2)]);
}

#[test]
#[should_panic(expected = "what is undone or given is open")]
fn an_undo_after_the_decision_stops_instead_of_freeing_what_is_owned() {
    folded(&[taken(1, 1, reserve(2)), cancelled(1, &[]), undone(1, 1, reserve(2))]);
}

#[track_caller]
fn decided(event: impl Into<Event>, owner: Owner, step: Step, gives: &[(StockKey, Give)]) {
    assert_eq!(part(&event.into()), Part::Decided(owner, step, gives.to_vec()));
}

#[test]
fn every_decision_owes_exactly_its_gives() {
    let release = Release { stock: at(1), entry: Owner::hold(ReservationId(2)), quantity: 5 };
    let freed = [(at(1), Give::Release { entry: release.entry, quantity: 5 })];
    let hold = Owner::hold(HOLD);
    let ended = || Box::new(HoldEnded { hold: HOLD, step: 1, at: NOW, releases: vec![release] });
    decided(HoldEvent::Released(ended()), hold, 1, &freed);
    decided(HoldEvent::Expired(ended()), hold, 1, &freed);
    let surplus = vec![release];
    let converted = HoldEvent::Converted { hold: HOLD, order: ORDER, step: 1, surplus, at: NOW };
    decided(converted, hold, 1, &freed);
    for (restocked, restock) in [(true, vec![(at(1), 5)]), (false, vec![])] {
        let gives: Vec<_> =
            restock.iter().map(|&(stock, quantity)| (stock, Give::Restock { quantity })).collect();
        let returned = Box::new(Return { parcels: vec![], restocked, reason: None, at: NOW });
        let event = OrderEvent::Returned { order: ORDER, step: 2, returned, refund: 0, restock };
        decided(event, order(), 2, &gives);
    }
    let deltas = [(1, 5), (2, -5)].map(|(p, delta)| StockDelta { stock: at(p), delta }).to_vec();
    let (id, reason) = (AdjustmentId(6), Reason::Found);
    let adjusted = Adjusted { id, deltas, reason, reference: None, at: NOW };
    let plus = [(at(1), Give::Plus { quantity: 5 })];
    let event = AdjustmentEvent::Adjusted(Box::new(adjusted));
    decided(event, Owner::adjustment(id), 0, &plus);
    let (id, quantity) = (TransferId(6), 5);
    let (from, to) = (WarehouseId(2), WarehouseId(1));
    let (product, at_) = (ProductId(1), NOW);
    for (in_transit, give) in
        [(true, Give::Expect { quantity }), (false, Give::TransferIn { quantity })]
    {
        let dispatched = Dispatched { id, product, from, to, quantity, in_transit, at: at_ };
        let event = TransferEvent::Dispatched(Box::new(dispatched));
        decided(event, Owner::transfer(id), 0, &[(at(1), give)]);
    }
}

#[test]
fn a_products_stock_is_owed_under_its_version() {
    let mut world = catalogue([CatalogueCommand::CreateWarehouse(warehouse("w", None))]);
    let new = product("one", 1);
    let opening = Some((WarehouseId(1), 5));
    let create = CatalogueCommand::CreateProduct(crate::catalogue::NewProduct { opening, ..new });
    let created = world.decide(&create, NOW).unwrap().unwrap();
    world.evolve(&created);
    let owner = Owner::product(ProductId(1));
    decided(created, owner, 1, &[(at(1), Give::Plus { quantity: 5 })]);
    for (delta, gives) in [(3, vec![(at(1), Give::Plus { quantity: 3 })]), (-3, vec![])] {
        let recount = Some(StockDelta { stock: at(1), delta });
        let change = ProductChange { recount, ..Default::default() };
        let id = ProductId(1);
        let command = CatalogueCommand::ChangeProduct { id, expected: None, change };
        let event = world.decide(&command, Timestamp(1)).unwrap().unwrap();
        decided(event, owner, 2, &gives);
    }
    let archive = CatalogueCommand::ArchiveProduct { id: ProductId(1), expected: None };
    let event = world.decide(&archive, NOW).unwrap().unwrap();
    assert!(matches!(event, CatalogueEvent::ProductArchived { .. }));
    assert_eq!(part(&event.into()), Part::Alone);
}

#[test]
fn what_stands_alone_opens_nothing() {
    let (stock, order, at) = (at(1), ORDER, NOW);
    let personal = Box::new(crate::order::SealedDetails {
        key: crate::KeySlot(1),
        sealed: crate::account::Sealed([1].into()),
    });
    let account = crate::account::AccountId::Account(1);
    let why = crate::account::Revoked::LoggedOut;
    let events: [Event; 11] = [
        StockEvent::Recounted { stock, from: 1, to: 2, reason: "r".into(), at }.into(),
        StockEvent::PolicyChanged { stock, safety_stock: 1, backorder_limit: 1, at }.into(),
        OrderEvent::Paid { order, at }.into(),
        OrderEvent::Delivered { order, at }.into(),
        OrderEvent::Refunded { order, amount: 1, at }.into(),
        OrderEvent::Personal { order, personal }.into(),
        crate::account::AccountEvent::SessionsRevoked { account, why, at }.into(),
        HoldEvent::Extended { hold: HOLD, expires_at: at, at }.into(),
        OrderEvent::PaymentRecorded {
            order,
            payment: Box::new(crate::order::Payment {
                amount: 1,
                at,
                method: None,
                reference: None,
            }),
        }
        .into(),
        Event::IdsLeased { kind: crate::OwnerKind::Order, up_to: 9 },
        crate::Origin { who: Some(crate::Who::ApiKey(1)), key: None, covers: 1 }.into(),
    ];
    for event in &events {
        assert_eq!(part(event), Part::Alone);
    }
    assert!(folded(&events).is_empty() && folded(&events).settle().is_empty());
}
