use super::{Before, check_event};
use crate::{
    AdjustmentId, ApiKeyId, CustomerId, Event, KeySlot, OrderId, Owner, ProductId, ReservationId,
    SessionId, StockKey, Timestamp, TransferId, WarehouseId,
    account::{
        Account, AccountCommand, AccountEvent, AccountId, Accounts, Identity, Revoked, Role,
        Sealed, TokenHash,
    },
    catalogue::{Catalogue, CatalogueCommand, CatalogueEvent},
    holder::{Hold, HoldCommand, HoldEvent, HoldPlaced, Holder, HolderKey},
    order::{Given, Line, LineQuantity, Order, OrderCommand, OrderEvent, Parcel, Placed},
    sourcing::Allocation,
    stock::{Give, Stock, StockEvent, Take},
    testing::{NOW, catalogue, product},
    transfer::{Dispatched, Transfer, TransferCommand, TransferEvent},
};
use std::sync::Arc;

const ORDER: OrderId = OrderId(5);
const HOLD: ReservationId = ReservationId(7);
const KEY: StockKey = StockKey { warehouse: WarehouseId(1), product: ProductId(1) };
const LATER: Timestamp = Timestamp(NOW.0 + 60_000);
const ANN: AccountId = AccountId::Customer(CustomerId(1));

/// One of everything, or none.
#[derive(Default)]
struct World {
    order: Option<Order>,
    holder: Holder,
    transfer: Option<Transfer>,
    stock: Stock,
    catalogue: Catalogue,
    accounts: Accounts,
}

impl Before for World {
    fn order<T>(&self, _: OrderId, look: impl FnOnce(Option<&Order>) -> T) -> T {
        look(self.order.as_ref())
    }

    fn hold<T>(&self, id: ReservationId, look: impl FnOnce(Option<&Hold>) -> T) -> T {
        look(self.holder.holds.get(&id))
    }

    fn transfer<T>(&self, _: TransferId, look: impl FnOnce(Option<&Transfer>) -> T) -> T {
        look(self.transfer.as_ref())
    }

    fn stock<T>(&self, _: StockKey, look: impl FnOnce(Option<&Stock>) -> T) -> T {
        look(Some(&self.stock))
    }

    fn catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.catalogue)
    }

    fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        look(&self.accounts)
    }
}

impl World {
    /// Why the event could not happen, if it could not.
    fn verdict(&self, event: &Event) -> Option<String> {
        let mut found = None;
        check_event(self, event, &mut |violation| found = Some(violation.detail));
        found
    }

    #[track_caller]
    fn refuses(&self, event: impl Into<Event>, reason: &str) {
        let verdict = self.verdict(&event.into()).expect("it could not be");
        assert!(verdict.starts_with(reason), "{verdict}");
    }

    #[track_caller]
    fn allows(&self, event: impl Into<Event>) {
        assert_eq!(self.verdict(&event.into()), None);
    }
}

// ----- orders: two of one product, at 1.00, due in a minute

fn placed() -> Arc<Placed> {
    Arc::new(Placed {
        id: ORDER,
        customer: None,
        shop: crate::ShopId(1),
        currency: crate::Currency::USD,
        at: NOW,
        payment_deadline_ms: 60_000,
        priced_at: 0,
        lines: vec![Line { product: ProductId(1), quantity: 2, unit_price: 100 }],
        allocations: vec![Allocation {
            line: 0,
            warehouse: WarehouseId(1),
            hold: None,
            quantity: 2,
        }],
        details: None,
    })
}

fn pay() -> OrderCommand {
    OrderCommand::Pay { amount: None, method: None, reference: None }
}

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { lines: None, reason: None }
}

fn ship(quantity: u64) -> OrderCommand {
    let lines = vec![LineQuantity { product: ProductId(1), quantity }];
    OrderCommand::Ship { lines: Some(lines), carrier: None, tracking: None }
}

fn take_back(quantity: u64) -> OrderCommand {
    let lines = vec![LineQuantity { product: ProductId(1), quantity }];
    OrderCommand::Return { lines: Some(lines), restock: false, reason: None }
}

/// An order after these commands, each of which could happen.
#[track_caller]
fn order(commands: &[OrderCommand]) -> World {
    let mut world = World { order: Some(Order::new(placed())), ..World::default() };
    for command in commands {
        for event in decided(&world, command) {
            world.allows(event.clone());
            world.order.as_mut().unwrap().evolve(&event);
        }
    }
    world
}

fn decided(world: &World, command: &OrderCommand) -> Vec<OrderEvent> {
    world.order.as_ref().unwrap().decide(command, LATER).unwrap()
}

/// The last event of a command that was granted after others.
fn event(before: &[OrderCommand], command: &OrderCommand) -> OrderEvent {
    decided(&order(before), command).pop().unwrap()
}

#[test]
fn nothing_happens_to_an_order_before_it_is_placed_or_twice() {
    let nothing = World::default();
    nothing.allows(OrderEvent::Placed(placed()));
    nothing.refuses(OrderEvent::Paid { order: ORDER, at: NOW }, "the order was never placed");
    order(&[]).refuses(OrderEvent::Placed(placed()), "the order was placed before");
}

#[test]
fn an_order_that_is_closed_is_not_paid() {
    let paid = OrderEvent::Paid { order: ORDER, at: LATER };
    for closed in [cancel(), OrderCommand::Expire] {
        order(&[closed]).refuses(paid.clone(), "the order's status");
    }
    order(&[pay()]).refuses(paid.clone(), "the order's status");
    order(&[]).refuses(paid, "something was still to be paid");
    let payment = decided(&order(&[]), &pay()).remove(0);
    order(&[cancel()]).refuses(payment.clone(), "the order's status");
    let OrderEvent::PaymentRecorded { mut payment, .. } = payment else { panic!() };
    payment.amount += 1;
    order(&[])
        .refuses(OrderEvent::PaymentRecorded { order: ORDER, payment }, "it is not what was due");
}

#[test]
fn an_order_expires_unpaid_and_after_its_deadline() {
    let expired = event(&[], &OrderCommand::Expire);
    order(&[pay()]).refuses(expired.clone(), "the order's status");
    order(&[cancel()]).refuses(expired.clone(), "the order's status");
    let OrderEvent::Expired(given) = expired else { panic!() };
    let early = Given { at: Timestamp(LATER.0 - 1), ..*given };
    order(&[]).refuses(OrderEvent::Expired(early.into()), "its deadline had not passed");
}

#[test]
fn only_what_is_paid_and_reserved_is_shipped() {
    let shipped = event(&[pay()], &ship(2));
    order(&[]).refuses(shipped.clone(), "the order's status");
    order(&[pay(), cancel()]).refuses(shipped.clone(), "the order's status");
    order(&[pay(), ship(1)]).refuses(shipped, "more units move than there are");
    let delivered = OrderEvent::Delivered { order: ORDER, at: LATER };
    order(&[pay(), ship(1)]).refuses(delivered, "the order's status");
}

#[test]
fn no_more_comes_back_than_was_shipped() {
    let both = event(&[pay(), ship(2)], &take_back(2));
    order(&[pay(), ship(1)]).refuses(both.clone(), "more units move than there are");
    order(&[pay(), ship(2), take_back(1)]).refuses(both.clone(), "more units move than there are");
    order(&[pay()]).refuses(both, "the order's status");
    let one_each = Parcel { allocation: 0, quantity: 1 };
    let OrderEvent::Returned { order: id, step, mut returned, refund, restock } =
        event(&[pay(), ship(2)], &take_back(2))
    else {
        panic!()
    };
    returned.parcels = vec![one_each; 3];
    let thrice = OrderEvent::Returned { order: id, step, returned, refund, restock };
    order(&[pay(), ship(2)]).refuses(thrice, "more units move than there are");
}

#[test]
fn what_is_given_up_was_reserved_and_a_step_is_taken_once() {
    let cancelled = event(&[pay()], &cancel());
    order(&[pay(), ship(2)]).refuses(cancelled.clone(), "the order's status");
    order(&[pay(), ship(1)]).refuses(cancelled, "more units move than there are");
    let first = event(&[pay()], &ship(1));
    order(&[pay(), ship(1)]).refuses(first, "its step does not follow the one before");
    let OrderEvent::Cancelled(given) = event(&[], &cancel()) else { panic!() };
    let ahead = Given { step: given.step + 1, ..*given };
    order(&[]).refuses(OrderEvent::Cancelled(ahead.into()), "its step does not follow");
    let nothing = OrderEvent::Refunded { order: ORDER, amount: 1, at: LATER };
    order(&[pay()]).refuses(nothing.clone(), "it was not due to be paid back");
    order(&[pay(), cancel()]).allows(nothing);
}

// ----- holds

fn placing(id: ReservationId, replaces: Vec<ReservationId>) -> HoldEvent {
    HoldEvent::Placed(Box::new(HoldPlaced {
        id,
        key: HolderKey::Single(HOLD),
        owner: None,
        lines: vec![(ProductId(1), 2)],
        allocations: vec![Allocation {
            line: 0,
            warehouse: WarehouseId(1),
            hold: None,
            quantity: 2,
        }],
        expires_at: LATER,
        at: NOW,
        replaces,
        surplus: Vec::new(),
    }))
}

fn converting() -> HoldEvent {
    HoldEvent::Converted { hold: HOLD, order: ORDER, step: 1, surplus: Vec::new(), at: NOW }
}

const CLAIMED: HoldEvent = HoldEvent::Claimed { hold: HOLD, order: ORDER };

/// A hold after these events, each of which could happen.
#[track_caller]
fn hold(events: &[HoldEvent]) -> World {
    let mut world = World::default();
    for event in [placing(HOLD, Vec::new())].iter().chain(events) {
        world.allows(event.clone());
        world.holder.evolve(event);
    }
    world
}

fn ending(command: HoldCommand) -> HoldEvent {
    hold(&[]).holder.decide(HOLD, command, LATER).unwrap().unwrap()
}

#[test]
fn a_hold_that_has_ended_is_nobodys_any_more() {
    let (expired, released) = (ending(HoldCommand::Expire), ending(HoldCommand::Release));
    let extended = HoldEvent::Extended { hold: HOLD, expires_at: LATER, at: NOW };
    let ends = [vec![expired.clone()], vec![released.clone()], vec![CLAIMED, converting()]];
    for end in ends {
        for event in [CLAIMED, converting(), extended.clone(), expired.clone(), released.clone()] {
            hold(&end).refuses(event, "the hold has ended");
        }
        hold(&end).refuses(placing(ReservationId(8), vec![HOLD]), "it replaces a hold that is not");
    }
    World::default().refuses(CLAIMED, "the hold was never placed");
    hold(&[]).refuses(placing(HOLD, Vec::new()), "the hold was placed before");
}

#[test]
fn a_hold_is_touched_by_nobody_but_the_order_that_claimed_it() {
    let claimed = || hold(&[CLAIMED]);
    let extended = HoldEvent::Extended { hold: HOLD, expires_at: LATER, at: NOW };
    for event in [ending(HoldCommand::Expire), ending(HoldCommand::Release), extended, CLAIMED] {
        claimed().refuses(event, "an order has claimed the hold");
    }
    claimed().refuses(placing(ReservationId(8), vec![HOLD]), "it replaces a hold that is not live");
    hold(&[]).refuses(converting(), "the order has not claimed the hold");
    let other = HoldEvent::Unclaimed { hold: HOLD, order: OrderId(6) };
    claimed().refuses(other, "the order has not claimed the hold");
    hold(&[CLAIMED, HoldEvent::Unclaimed { hold: HOLD, order: ORDER }]).allows(CLAIMED);
    let HoldEvent::Expired(mut early) = ending(HoldCommand::Expire) else { panic!() };
    early.at = Timestamp(LATER.0 - 1);
    hold(&[]).refuses(HoldEvent::Expired(early), "its deadline had not passed");
    let HoldEvent::Released(mut ahead) = ending(HoldCommand::Release) else { panic!() };
    ahead.step += 1;
    hold(&[]).refuses(HoldEvent::Released(ahead), "its step does not follow");
}

// ----- stocks and transfers

#[test]
fn a_stock_gives_what_it_has() {
    let owner = Owner::order(ORDER);
    let taken = |quantity| {
        let take = Take::Reserve { quantity };
        StockEvent::Taken { stock: KEY, owner, step: 0, take }
    };
    let mut world = World::default();
    world.refuses(taken(1), "it was not there to be taken");
    let plus = Give::Plus { quantity: 3 };
    let adjustment = Owner::adjustment(AdjustmentId(1));
    let stocked = StockEvent::Given { stock: KEY, owner: adjustment, step: 0, give: plus };
    world.allows(stocked.clone());
    world.stock.evolve(&stocked);
    world.allows(taken(3));
    world.refuses(taken(4), "it was not there to be taken");
    world.stock.evolve(&taken(2));
    world.refuses(taken(2), "it was not there to be taken");
    let undone = |quantity| StockEvent::Undone {
        stock: KEY,
        owner,
        step: 0,
        take: Take::Reserve { quantity },
    };
    world.allows(undone(2));
    world.refuses(undone(3), "it was not reserved");
    let given = |give| StockEvent::Given { stock: KEY, owner, step: 1, give };
    world.allows(given(Give::Release { entry: owner, quantity: 2 }));
    world.refuses(given(Give::Release { entry: adjustment, quantity: 1 }), "it was not reserved");
    world.refuses(given(Give::Arrive { received: 1, missing: 0 }), "it was not on the road");
    let counted =
        |from, to| StockEvent::Recounted { stock: KEY, from, to, reason: "".into(), at: NOW };
    world.allows(counted(3, 2));
    world.refuses(counted(2, 2), "another number was on hand");
    world.refuses(counted(3, 1), "less than what is promised");
}

#[test]
fn no_more_arrives_than_was_sent() {
    let dispatched = Dispatched {
        id: TransferId(1),
        product: ProductId(1),
        from: WarehouseId(1),
        to: WarehouseId(2),
        quantity: 5,
        in_transit: true,
        at: NOW,
    };
    let mut world = World::default();
    let sent = TransferEvent::Dispatched(dispatched.clone().into());
    world.allows(sent.clone());
    world.transfer = Some(Transfer::new(dispatched));
    world.refuses(sent, "the transfer was dispatched before");
    let ask = |world: &World, quantity| {
        let command = TransferCommand::Receive { quantity: Some(quantity), discrepancy: None };
        world.transfer.as_ref().unwrap().decide(&command, NOW).unwrap()
    };
    let all = ask(&world, 5);
    World::default().refuses(all.clone(), "the transfer was never dispatched");
    let cancel = TransferCommand::Cancel { restock: false, reason: None };
    let called_back = world.transfer.as_ref().unwrap().decide(&cancel, NOW).unwrap();
    let two = ask(&world, 2);
    world.transfer.as_mut().unwrap().evolve(&two);
    world.refuses(all.clone(), "more came than was sent");
    world.refuses(two, "its step does not follow");
    world.refuses(called_back, "it is not what was on the road");
    let rest = ask(&world, 3);
    world.allows(rest.clone());
    world.transfer.as_mut().unwrap().evolve(&rest);
    world.refuses(rest, "the transfer has ended");
}

// ----- catalogue and accounts

#[test]
fn versions_of_the_catalogue_follow_each_other() {
    let create = |name: &str| CatalogueCommand::CreateProduct(product(name, 100));
    let world = World { catalogue: catalogue([create("ruler")]), ..World::default() };
    let known = world.catalogue.product(ProductId(1)).unwrap().clone();
    let at = |version| {
        let product = Arc::new(crate::catalogue::Product { version, ..(*known).clone() });
        CatalogueEvent::ProductUpdated { product, recount: None }
    };
    world.allows(at(2));
    for stray in [0, 1, 3] {
        world.refuses(at(stray), "its version does not follow the one before");
    }
    World::default().refuses(at(1), "it was made before, or never");
    let again = CatalogueEvent::ProductCreated { product: known.clone(), opening: None };
    world.refuses(again, "it was made before, or never");
}

fn accounts(commands: &[AccountCommand]) -> World {
    let mut world = World::default();
    let sealed = || Sealed([7; 30].into());
    let identity = Identity { sealed: sealed(), email: None, username: None };
    let register =
        AccountCommand::Register { role: Role::Customer, key: KeySlot(1), identity, above: 0 };
    for command in [register].iter().chain(commands) {
        for event in world.accounts.decide(command, NOW).unwrap() {
            world.allows(event.clone());
            world.accounts.evolve(&event);
        }
    }
    world
}

fn open() -> AccountCommand {
    let token = TokenHash([1; 16]);
    AccountCommand::OpenSession { id: ANN, family: token, token, ttl_ms: 1_000 }
}

#[test]
fn nothing_happens_to_an_account_after_it_was_erased() {
    let live = accounts(&[]);
    let opened = live.accounts.decide(&open(), NOW).unwrap().remove(0);
    let role = AccountCommand::SetRole { id: ANN, expected: None, role: Role::Staff };
    let changed = live.accounts.decide(&role, NOW).unwrap().remove(0);
    let erase = AccountCommand::Erase { id: ANN, expected: None };
    let gone = accounts(&[open(), erase.clone()]);
    let why = Revoked::LoggedOut;
    let (account, at) = (ANN, NOW);
    let ended = AccountEvent::SessionRevoked { account, session: SessionId(1), why, at };
    accounts(&[open()]).allows(ended.clone());
    gone.refuses(ended, "the session has ended");
    gone.refuses(AccountEvent::SessionsRevoked { account, why, at }, "no session was open");
    let erased = live.accounts.decide(&erase, NOW).unwrap().remove(0);
    for event in [opened, changed, erased] {
        live.allows(event.clone());
        gone.refuses(event, "the account was erased");
    }
    let key = AccountEvent::ApiKeyRevoked { id: ApiKeyId(1), at };
    live.refuses(key, "the key was revoked, or never made");
}

#[test]
fn versions_of_an_account_follow_each_other() {
    let world = accounts(&[]);
    let known = world.accounts.get(ANN).unwrap();
    let at = |version| Arc::new(Account { version, ..(**known).clone() });
    world.allows(AccountEvent::Updated(at(2)));
    for stray in [0, 1, 3] {
        let event = AccountEvent::Updated(at(stray));
        world.refuses(event, "its version does not follow the one before");
    }
    world.refuses(AccountEvent::Registered(at(1)), "the account was registered before");
    world.refuses(AccountEvent::Erased(at(2)), "whose it is does not fit");
}
