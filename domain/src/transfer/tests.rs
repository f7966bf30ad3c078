use super::{Dispatched, Transfer, TransferCommand, TransferEvent, TransferStatus, dispatch};
use crate::{
    Owner, ProductId, Quantity, Refusal, StockKey, Timestamp, TransferId, WarehouseId,
    limits::QUANTITY_MAX,
    stock::{Give, Take},
    testing::{Aggregate, Given, NOW, given, invalid},
};

const ID: TransferId = TransferId(4);

impl Aggregate for Transfer {
    type Command = TransferCommand;
    type Event = TransferEvent;

    fn replay(events: &[TransferEvent]) -> Self {
        let Some((TransferEvent::Dispatched(dispatched), rest)) = events.split_first() else {
            panic!("a transfer begins with its dispatch")
        };
        let mut transfer = Self::new(Dispatched::clone(dispatched));
        rest.iter().for_each(|event| transfer.evolve(event));
        transfer
    }

    fn ask(&self, command: &TransferCommand, at: Timestamp) -> Result<Vec<TransferEvent>, Refusal> {
        self.decide(command, at).map(|event| vec![event])
    }

    fn apply(&mut self, event: &TransferEvent) {
        self.evolve(event);
    }
}

fn ten(in_transit: bool) -> Dispatched {
    let (from, to) = (WarehouseId(1), WarehouseId(2));
    Dispatched { id: ID, product: ProductId(7), from, to, quantity: 10, in_transit, at: NOW }
}

fn on_the_road() -> Given<Transfer> {
    given([TransferEvent::Dispatched(Box::new(ten(true)))])
}

fn at(warehouse: u64) -> StockKey {
    StockKey::new(WarehouseId(warehouse), ProductId(7))
}

fn receive(quantity: Option<Quantity>) -> TransferCommand {
    TransferCommand::Receive { quantity, discrepancy: None }
}

fn receive_less(quantity: Option<Quantity>, missing: Quantity) -> TransferCommand {
    TransferCommand::Receive { quantity, discrepancy: Some((missing, "fell off".into())) }
}

fn cancel(restock: bool) -> TransferCommand {
    TransferCommand::Cancel { restock, reason: None }
}

/// (received, missing, restocked, on the road)
fn counts(transfer: &Transfer) -> (Quantity, Quantity, Quantity, Quantity) {
    (transfer.received, transfer.missing, transfer.restocked, transfer.on_the_road())
}

fn gives(event: &TransferEvent) -> Vec<(StockKey, Give)> {
    let (owner, _, gives) = event.gives();
    assert_eq!(owner, Owner::transfer(ID));
    gives
}

#[test]
fn a_transfer_takes_its_units_out_before_it_is_decided() {
    let take = Take::TransferOut { quantity: 10 };
    assert_eq!(dispatch(&ten(true)), Ok((at(1), take)));
    for quantity in [0, QUANTITY_MAX + 1, u64::MAX] {
        invalid(dispatch(&Dispatched { quantity, ..ten(true) }), "quantity");
    }
    invalid(dispatch(&Dispatched { to: WarehouseId(1), ..ten(true) }), "to_warehouse_id");
}

#[test]
fn a_transfer_at_once_is_in_one_place_and_finished() {
    let event = TransferEvent::Dispatched(Box::new(ten(false)));
    assert_eq!(gives(&event), [(at(2), Give::TransferIn { quantity: 10 })]);
    let transfer = given::<Transfer>([event]);
    assert_eq!(transfer.state().status(), TransferStatus::Completed);
    for command in [receive(None), cancel(true)] {
        transfer.when(command).refused(Refusal::TransferClosed(ID));
    }
}

#[test]
fn units_on_the_road_are_expected_and_arrive_once() {
    let event = TransferEvent::Dispatched(Box::new(ten(true)));
    assert_eq!(gives(&event), [(at(2), Give::Expect { quantity: 10 })]);
    let events = on_the_road().when(receive(None)).events();
    assert_eq!(gives(&events[0]), [(at(2), Give::Arrive { received: 10, missing: 0 })]);
    let all = on_the_road().and(receive(None));
    assert_eq!(
        (counts(all.state()), all.state().status()),
        ((10, 0, 0, 0), TransferStatus::Completed)
    );
    all.when(receive(None)).refused(Refusal::TransferClosed(ID));
}

#[test]
fn parts_add_up_and_each_is_its_own_workflow() {
    let parts = on_the_road().and(receive(Some(3))).and(receive(Some(4)));
    assert_eq!(counts(parts.state()), (7, 0, 0, 3));
    assert_eq!(parts.state().status(), TransferStatus::InTransit);
    let last = parts.when(receive(None)).then([TransferEvent::Received {
        transfer: ID,
        step: 3,
        stock: at(2),
        received: 3,
        missing: 0,
        reason: None,
        at: NOW,
    }]);
    assert_eq!((last.next_step, last.version, last.status()), (4, 4, TransferStatus::Completed));
    parts.when(receive(Some(4))).invalid("quantity");
}

#[test]
fn a_discrepancy_is_counted_once_and_says_why() {
    let lost = on_the_road().when(receive_less(Some(6), 1)).then([TransferEvent::Received {
        transfer: ID,
        step: 1,
        stock: at(2),
        received: 6,
        missing: 1,
        reason: Some("fell off".into()),
        at: NOW,
    }]);
    assert_eq!(counts(&lost), (6, 1, 0, 3));
    let rest = on_the_road().when(receive_less(None, 4)).granted();
    assert_eq!(counts(&rest), (6, 4, 0, 0), "the rest came in");
    let nothing_came = on_the_road().when(receive_less(Some(0), 10)).granted();
    assert_eq!(counts(&nothing_came), (0, 10, 0, 0));
    assert_eq!(nothing_came.status(), TransferStatus::Completed);
    let silent = TransferCommand::Receive { quantity: None, discrepancy: Some((1, String::new())) };
    on_the_road().when(silent).invalid("discrepancy/reason");
    on_the_road().when(receive_less(None, 0)).invalid("discrepancy/quantity");
}

#[test]
fn no_more_comes_in_than_is_on_the_road_whatever_is_asked() {
    let given = on_the_road();
    for command in [
        receive(Some(0)),
        receive(Some(11)),
        receive(Some(u64::MAX)),
        receive_less(Some(10), 1),
        receive_less(None, 11),
        receive_less(Some(u64::MAX), 1),
        receive_less(Some(u64::MAX - 1), 2),
    ] {
        given.when(command).invalid("quantity");
    }
    given.when(receive_less(Some(1), u64::MAX)).invalid("discrepancy/quantity");
}

#[test]
fn what_is_called_back_returns_to_where_it_left() {
    let part = on_the_road().and(receive(Some(4)));
    let events = part.when(cancel(true)).events();
    assert_eq!(
        gives(&events[0]),
        [
            (at(2), Give::Arrive { received: 0, missing: 6 }),
            (at(1), Give::TransferIn { quantity: 6 }),
        ]
    );
    let after = part.when(cancel(true)).granted();
    assert_eq!((counts(&after), after.status()), ((4, 0, 6, 0), TransferStatus::Cancelled));
}

#[test]
fn what_is_written_off_comes_back_nowhere() {
    let events = on_the_road().when(cancel(false)).events();
    assert_eq!(gives(&events[0]), [(at(2), Give::Arrive { received: 0, missing: 10 })]);
    let after = on_the_road().and(cancel(false));
    assert_eq!(counts(after.state()), (0, 10, 0, 0));
    for command in [cancel(false), cancel(true), receive(Some(1))] {
        after.when(command).refused(Refusal::TransferClosed(ID));
    }
    let reason = Some(" ".to_owned());
    on_the_road().when(TransferCommand::Cancel { restock: true, reason }).invalid("reason");
}

#[test]
fn a_transfer_begins_with_its_dispatch_and_follows_its_own_events() {
    let dispatched = crate::Event::from(TransferEvent::Dispatched(Box::new(ten(true))));
    let came = on_the_road().when(receive(Some(4))).events().remove(0);
    assert_eq!(Transfer::after(None, &came.clone().into()), None, "it was never dispatched");
    let sent = Transfer::after(None, &dispatched);
    assert_eq!(sent.as_ref(), Some(on_the_road().state()));
    let received = Transfer::after(sent, &came.into()).unwrap();
    assert_eq!((counts(&received), received.next_step), ((4, 0, 0, 6), 2));
    let closed = on_the_road().and(receive(Some(4))).and(cancel(true));
    assert_eq!(closed.state().next_step, 3);
}
