use super::{Give, Stock, StockCommand, StockEvent, Take};
use crate::{
    OrderId, Owner, ProductId, Quantity, Refusal, ReservationId, Shortage, StockKey, Timestamp,
    TransferId, WarehouseId,
    invariants::{Violation, check_stock},
    limits::{ON_HAND_MAX, QUANTITY_MAX},
    testing::{Aggregate, Given, NOW, given},
};

const KEY: StockKey = StockKey { product: ProductId(7), warehouse: WarehouseId(3) };

pub(crate) enum Ask {
    Take(Owner, Take),
    Stock(StockCommand),
}

impl Aggregate for Stock {
    type Command = Ask;
    type Event = StockEvent;

    fn replay(events: &[StockEvent]) -> Self {
        let mut stock = Self::default();
        events.iter().for_each(|event| stock.evolve(event));
        stock
    }

    fn ask(&self, command: &Ask, at: Timestamp) -> Result<Vec<StockEvent>, Refusal> {
        match command {
            Ask::Take(owner, take) => self.take(KEY, *owner, 0, *take).map(|event| vec![event]),
            Ask::Stock(command) => {
                self.decide(KEY, command, at).map(|event| event.into_iter().collect())
            }
        }
    }

    fn apply(&mut self, event: &StockEvent) {
        self.evolve(event);
    }

    fn check(&self, found: &mut dyn FnMut(Violation)) {
        check_stock(KEY, self, found);
    }
}

fn order(id: u64) -> Owner {
    Owner::order(OrderId(id))
}

fn reserve(quantity: Quantity) -> Ask {
    Ask::Take(order(1), Take::Reserve { quantity })
}

fn consume(entry: Owner, quantity: Quantity) -> Ask {
    Ask::Take(order(1), Take::Consume { entry, quantity })
}

fn minus(quantity: Quantity) -> Ask {
    Ask::Take(order(1), Take::Minus { quantity })
}

fn transfer_out(quantity: Quantity) -> Ask {
    Ask::Take(Owner::transfer(TransferId(1)), Take::TransferOut { quantity })
}

fn recount(on_hand: Quantity) -> Ask {
    Ask::Stock(StockCommand::Recount { on_hand, reason: "counted".into() })
}

fn policy(safety_stock: Option<Quantity>, backorder_limit: Option<Quantity>) -> Ask {
    Ask::Stock(StockCommand::SetPolicy { safety_stock, backorder_limit })
}

fn give(give: Give) -> StockEvent {
    StockEvent::Given { stock: KEY, owner: order(9), step: 1, give }
}

fn stocked(on_hand: Quantity) -> Given<Stock> {
    given([give(Give::Plus { quantity: on_hand })])
}

fn short(wanted: Quantity, available: Quantity) -> Refusal {
    let (product, warehouse) = (KEY.product, Some(KEY.warehouse));
    let shortage = Shortage { product, warehouse, wanted, available, frees_at: None };
    Refusal::InsufficientStock(vec![shortage])
}

/// (on hand, reserved, available)
fn counts(stock: &Stock) -> (Quantity, Quantity, Quantity) {
    (stock.on_hand, stock.reserved, stock.available())
}

#[test]
fn the_last_unit_is_promised_once() {
    let one_left = stocked(5).and(reserve(4));
    let sold_out = one_left.clone().and(reserve(1));
    assert_eq!(counts(sold_out.state()), (5, 5, 0));
    sold_out.when(reserve(1)).refused(short(1, 0));
    one_left.when(reserve(2)).refused(short(2, 1));
}

#[test]
fn a_take_of_nothing_is_refused_not_counted() {
    for take in [reserve(0), minus(0), transfer_out(0), consume(order(1), 0)] {
        stocked(5).when(take).invalid("quantity");
    }
}

#[test]
fn a_hostile_quantity_is_short_and_never_overflows() {
    for quantity in [QUANTITY_MAX, ON_HAND_MAX, u64::MAX - 1, u64::MAX] {
        stocked(5).when(reserve(quantity)).refused(short(quantity, 5));
        stocked(5).when(minus(quantity)).refused(short(quantity, 5));
        stocked(5).when(transfer_out(quantity)).refused(short(quantity, 5));
        stocked(5).when(consume(order(1), quantity)).refused(short(quantity, 0));
    }
    stocked(5).when(recount(u64::MAX)).invalid("on_hand");
    stocked(5).when(policy(Some(u64::MAX), None)).invalid("safety_stock");
    stocked(5).when(policy(None, Some(u64::MAX))).invalid("backorder_limit");
}

#[test]
fn safety_stock_is_never_promised_but_may_be_moved() {
    let careful = stocked(10).and(policy(Some(4), None));
    assert_eq!(careful.state().available(), 6);
    careful.when(reserve(7)).refused(short(7, 6));
    careful.when(transfer_out(10)).granted();
    careful.when(minus(11)).refused(short(11, 10));
}

#[test]
fn safety_stock_above_what_is_there_is_zero_available_not_a_wrap() {
    let careful = stocked(3).and(policy(Some(QUANTITY_MAX), None));
    assert_eq!(careful.state().available(), 0);
    careful.when(reserve(1)).refused(short(1, 0));
}

#[test]
fn a_backorder_limit_is_a_limit() {
    let backorder = stocked(2).and(policy(None, Some(3)));
    assert_eq!(backorder.state().available(), 5);
    let full = backorder.and(reserve(5));
    full.when(reserve(1)).refused(short(1, 0));
    assert_eq!(full.state().removable(), 0, "what is there is promised");
}

#[test]
fn backordered_units_cannot_leave_before_they_came() {
    let promised = stocked(2).and(policy(None, Some(3))).and(reserve(5));
    promised.when(consume(order(1), 3)).refused(short(3, 2));
    let left = promised.when(consume(order(1), 2)).granted();
    assert_eq!(counts(&left), (0, 3, 0));
}

#[test]
fn reserved_units_cannot_be_taken_off_or_moved() {
    let held = stocked(10).and(reserve(7));
    for take in [minus, transfer_out] {
        held.when(take(4)).refused(short(4, 3));
        assert_eq!(counts(&held.when(take(3)).granted()), (7, 7, 0));
    }
}

#[test]
fn units_are_consumed_from_their_own_entry_only() {
    let hold = Owner::hold(ReservationId(1));
    let held = stocked(10)
        .and(Ask::Take(hold, Take::Reserve { quantity: 4 }))
        .and(Ask::Take(order(1), Take::Reserve { quantity: 3 }));
    held.when(consume(hold, 5)).refused(short(5, 4));
    held.when(consume(order(2), 1)).refused(short(1, 0));
    let shipped = held.when(consume(hold, 4)).granted();
    assert_eq!(counts(&shipped), (6, 3, 3));
    assert_eq!((shipped.reserved_for(hold), shipped.reserved_for(order(1))), (0, 3));
    assert_eq!(shipped.entries.len(), 1, "an empty entry goes");
}

#[test]
fn an_undo_is_exact() {
    let before = stocked(10).and(reserve(4));
    for take in [reserve(2), consume(order(1), 3), consume(order(1), 4), minus(6), transfer_out(5)]
    {
        let [StockEvent::Taken { stock, owner, step, take }] = before.when(take).events()[..]
        else {
            panic!("one take")
        };
        let taken = before.clone().happened(StockEvent::Taken { stock, owner, step, take });
        assert_ne!(taken.state(), before.state());
        let undone = taken.happened(StockEvent::Undone { stock, owner, step, take });
        let version = before.state().version;
        assert_eq!(Stock { version, ..undone.state().clone() }, *before.state());
    }
}

#[test]
fn a_release_frees_its_quantity_and_no_more() {
    let held = stocked(10).and(reserve(6));
    let freed = held.happened(give(Give::Release { entry: order(1), quantity: 2 }));
    assert_eq!(counts(freed.state()), (10, 4, 6));
    let freed = freed.happened(give(Give::Release { entry: order(1), quantity: 4 }));
    assert_eq!(counts(freed.state()), (10, 0, 10));
    assert!(freed.state().entries.is_empty());
}

#[test]
#[should_panic(expected = "released units are reserved under their entry")]
fn a_release_of_what_nobody_holds_stops_instead_of_corrupting() {
    stocked(10).happened(give(Give::Release { entry: order(1), quantity: 1 }));
}

#[test]
fn every_way_in_counts_once() {
    for way in [Give::Plus { quantity: 3 }, Give::Restock { quantity: 3 }] {
        assert_eq!(counts(stocked(1).happened(give(way)).state()), (4, 0, 4));
    }
    let moved = stocked(1).happened(give(Give::TransferIn { quantity: 3 }));
    assert_eq!(counts(moved.state()), (4, 0, 4));
}

#[test]
fn expected_units_cannot_be_sold_until_they_arrive() {
    let expecting = stocked(1).happened(give(Give::Expect { quantity: 5 }));
    assert_eq!((expecting.state().incoming, expecting.state().available()), (5, 1));
    let part = expecting.happened(give(Give::Arrive { received: 3, missing: 1 }));
    assert_eq!((part.state().incoming, part.state().available()), (1, 4));
    let lost = part.happened(give(Give::Arrive { received: 0, missing: 1 }));
    assert_eq!((lost.state().incoming, lost.state().available()), (0, 4));
}

#[test]
fn a_recount_below_what_is_reserved_is_refused_with_the_numbers() {
    let held = stocked(10).and(reserve(6));
    held.when(recount(5)).refused(short(6, 5));
    let state = held.when(recount(6)).then([StockEvent::Recounted {
        stock: KEY,
        from: 10,
        to: 6,
        reason: "counted".into(),
        at: NOW,
    }]);
    assert_eq!(counts(&state), (6, 6, 0));
    held.when(recount(ON_HAND_MAX)).granted();
    held.when(recount(ON_HAND_MAX + 1)).invalid("on_hand");
}

#[test]
fn a_recount_says_why() {
    for reason in ["", "  ", "a\u{7}b", "two\nlines", &"x".repeat(256)] {
        let command = StockCommand::Recount { on_hand: 1, reason: reason.into() };
        stocked(10).when(Ask::Stock(command)).invalid("reason");
    }
}

#[test]
fn a_backorder_limit_cannot_fall_below_what_it_promised() {
    let promised = stocked(2).and(policy(None, Some(5))).and(reserve(6));
    promised.when(policy(None, Some(3))).refused(short(6, 5));
    let state = promised.when(policy(None, Some(4))).granted();
    assert_eq!(counts(&state), (2, 6, 0));
    promised.when(recount(1)).granted();
    promised.when(recount(0)).refused(short(6, 5));
}

#[test]
fn a_policy_changes_only_what_it_names() {
    let both = stocked(20).and(policy(Some(3), Some(4)));
    assert_eq!((both.state().safety_stock, both.state().backorder_limit), (3, 4));
    let one = both.and(policy(Some(5), None));
    assert_eq!((one.state().safety_stock, one.state().backorder_limit), (5, 4));
    one.when(policy(Some(QUANTITY_MAX), Some(QUANTITY_MAX))).granted();
    one.when(policy(Some(QUANTITY_MAX + 1), None)).invalid("safety_stock");
}

#[test]
fn a_policy_that_is_the_present_one_is_nothing_and_a_count_is_a_count() {
    let given = stocked(20).and(policy(Some(3), Some(4)));
    for (safety_stock, backorder_limit) in [(None, None), (Some(3), None), (Some(3), Some(4))] {
        given.when(policy(safety_stock, backorder_limit)).nothing();
    }
    given.when(policy(Some(3), Some(5))).granted();
    // That somebody counted, and found what the books say, is worth knowing.
    assert_eq!(given.when(recount(20)).events().len(), 1);
}

#[test]
fn the_version_counts_stock_and_policy_but_not_reservations() {
    let stock = stocked(10);
    let version = stock.state().version;
    let held = stock.and(reserve(2));
    assert_eq!(held.state().version, version);
    let freed = held.happened(give(Give::Release { entry: order(1), quantity: 1 }));
    assert_eq!(freed.state().version, version);
    let counted = freed.and(recount(9));
    assert_eq!(counted.state().version, version + 1);
    assert_eq!(counted.and(policy(Some(1), None)).state().version, version + 2);
}

#[test]
fn what_frees_units_names_the_entry_that_has_fewer() {
    let entry = Owner::hold(ReservationId(9));
    let (stock, owner, step) = (KEY, order(1), 0);
    let taken = |take| StockEvent::Taken { stock, owner, step, take };
    let undone = |take| StockEvent::Undone { stock, owner, step, take };
    let given = |give| StockEvent::Given { stock, owner, step, give };
    assert_eq!(taken(Take::Consume { entry, quantity: 1 }).freed(), Some(entry));
    assert_eq!(given(Give::Release { entry, quantity: 1 }).freed(), Some(entry));
    assert_eq!(undone(Take::Reserve { quantity: 1 }).freed(), Some(owner));
    for more in [
        taken(Take::Reserve { quantity: 1 }),
        undone(Take::Consume { entry, quantity: 1 }),
        given(Give::Plus { quantity: 1 }),
    ] {
        assert_eq!(more.freed(), None, "{more:?}");
    }
}

#[test]
fn a_stock_of_which_nothing_arrives_is_the_same_version() {
    let given = |give| {
        let owner = Owner::transfer(TransferId(1));
        StockEvent::Given { stock: KEY, owner, step: 1, give }
    };
    let mut stock = Stock { incoming: 5, ..Stock::default() };
    stock.evolve(&given(Give::Arrive { received: 0, missing: 3 }));
    assert_eq!((stock.incoming, stock.on_hand, stock.version), (2, 0, 0));
    stock.evolve(&given(Give::Arrive { received: 2, missing: 0 }));
    assert_eq!((stock.incoming, stock.on_hand, stock.version), (0, 2, 1));
}
