//! What may follow what: whether an event could have happened to the thing that it is about, as that was before it.
//!
//! [`crate::invariants`] look at states, and a state may be sound although the way to it was not: an order that was paid after it
//! was cancelled looks like one that was paid before. So the audit looks at every event, too, before it is folded. The rules are
//! written down once more here, apart from `decide`, which a test could not hold against itself.
#![doc = include_str!("../docs/succession_module.md")]

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use crate::{
    Event, OrderId, Owner, ReservationId, Step, StockKey, TransferId,
    account::{AccountEvent, AccountId, Accounts},
    catalogue::{Catalogue, CatalogueEvent},
    holder::{Hold, HoldEvent},
    invariants::{Invariant, Violation},
    order::{Given, Order, OrderEvent, Parcel, Status},
    stock::{Give, Stock, StockEvent, Take},
    transfer::{Transfer, TransferEvent, TransferStatus},
};

/// What was before an event, to be looked at.
#[doc = include_str!("../docs/before.md")]
pub trait Before {
    /// Looks at an order, if it was placed.
    fn order<T>(&self, id: OrderId, look: impl FnOnce(Option<&Order>) -> T) -> T;
    /// Looks at a hold, if it was placed.
    fn hold<T>(&self, id: ReservationId, look: impl FnOnce(Option<&Hold>) -> T) -> T;
    /// Looks at a transfer, if it was dispatched.
    fn transfer<T>(&self, id: TransferId, look: impl FnOnce(Option<&Transfer>) -> T) -> T;
    /// Looks at a stock, if anything ever happened to it.
    fn stock<T>(&self, key: StockKey, look: impl FnOnce(Option<&Stock>) -> T) -> T;
    /// Looks at the catalogue.
    fn catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T;
    /// Looks at the accounts.
    fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T;
}

/// Checks that an event could happen.
#[doc = include_str!("../docs/check_event.md")]
pub fn check_event(before: &impl Before, event: &Event, found: &mut dyn FnMut(Violation)) {
    let (subject, reason) = match event {
        Event::Order(event) => {
            let id = event.order();
            let reason = before.order(id, |order| order_reason(order, event));
            (Owner::order(id).to_string(), reason)
        }
        Event::Hold(event) => {
            let id = event.hold();
            let reason = before.hold(id, |hold| hold_reason(hold, event));
            (Owner::hold(id).to_string(), reason.or_else(|| replaces_reason(before, event)))
        }
        Event::Transfer(event) => {
            let id = event.transfer();
            let reason = before.transfer(id, |transfer| transfer_reason(transfer, event));
            (Owner::transfer(id).to_string(), reason)
        }
        Event::Stock(event) => {
            let key = event.stock();
            let reason = before.stock(key, |stock| match stock {
                Some(stock) => stock_reason(stock, event),
                None => stock_reason(&Stock::default(), event),
            });
            (key.to_string(), reason)
        }
        Event::Catalogue(event) => before.catalogue(|known| catalogue_reason(known, event)),
        Event::Account(event) => before.accounts(|known| account_reason(known, event)),
        Event::Adjustment(_) | Event::IdsLeased { .. } | Event::Clock(_) | Event::Origin(_) => {
            return;
        }
    };
    if let Some(reason) = reason {
        let detail = format!("{reason}: {event:?}");
        found(Violation { invariant: Invariant::HistoryIsPossible, subject, detail });
    }
}

/// Why an event could not happen, if it could not: the first of the rules that is broken.
type Broken = Option<&'static str>;

fn first(rules: impl IntoIterator<Item = (bool, &'static str)>) -> Broken {
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, broken)| broken)
}

/// The next version of a thing, or the first one.
fn version(before: Option<u32>, now: u32) -> (bool, &'static str) {
    (now == before.unwrap_or(0) + 1, "its version does not follow the one before")
}

/// The next workflow of its owner.
fn step(expected: Step, found: Step) -> (bool, &'static str) {
    (expected == found, "its step does not follow the one before")
}

fn order_reason(before: Option<&Order>, event: &OrderEvent) -> Broken {
    let Some(order) = before else {
        return first([(matches!(event, OrderEvent::Placed(_)), "the order was never placed")]);
    };
    let status = |allowed: &[Status]| (allowed.contains(&order.status), "the order's status");
    match event {
        OrderEvent::Placed(_) => Some("the order was placed before"),
        OrderEvent::PaymentRecorded { payment, .. } => first([
            status(&[Status::PendingPayment]),
            ((1..=order.due()).contains(&payment.amount), "it is not what was due"),
        ]),
        OrderEvent::Paid { .. } => first([
            status(&[Status::PendingPayment]),
            (order.due() == 0, "something was still to be paid"),
        ]),
        OrderEvent::Expired(given) => first([
            status(&[Status::PendingPayment]),
            (given.at >= order.placed.payment_deadline(), "its deadline had not passed"),
            gives_up(order, given),
            step(order.next_step, given.step),
        ]),
        OrderEvent::Cancelled(given) => first([
            status(&[Status::PendingPayment, Status::Paid, Status::PartiallyShipped]),
            gives_up(order, given),
            step(order.next_step, given.step),
        ]),
        OrderEvent::Shipped { step: found, shipment, .. } => first([
            status(&[Status::Paid, Status::PartiallyShipped]),
            moves(order, &shipment.parcels, |index| order.reserved(index)),
            step(order.next_step, *found),
        ]),
        OrderEvent::Delivered { .. } => first([status(&[Status::Shipped])]),
        OrderEvent::Returned { step: found, returned, .. } => first([
            status(&[Status::PartiallyShipped, Status::Shipped, Status::Delivered]),
            moves(order, &returned.parcels, |index| {
                let progress = order.progress(index);
                progress.shipped.saturating_sub(progress.returned)
            }),
            step(order.next_step, *found),
        ]),
        OrderEvent::Refunded { amount, .. } => {
            first([((1..=order.refund_due()).contains(amount), "it was not due to be paid back")])
        }
        OrderEvent::Personal { .. } => {
            let alone = order.version == 1 && order.personal.is_none();
            first([(alone, "it belongs to the placing")])
        }
    }
}

fn gives_up(order: &Order, given: &Given) -> (bool, &'static str) {
    moves(order, &given.parcels, |index| order.reserved(index))
}

/// Whether parcels move something, each allocation once, and no more of it than there is.
fn moves(order: &Order, parcels: &[Parcel], there: impl Fn(usize) -> u64) -> (bool, &'static str) {
    let mut last = None;
    let fits = |parcel: &Parcel| {
        let index = parcel.allocation as usize;
        let once = last.replace(index).is_none_or(|last| last < index);
        once && index < order.placed.allocations.len()
            && (1..=there(index)).contains(&parcel.quantity)
    };
    (!parcels.is_empty() && parcels.iter().all(fits), "more units move than there are")
}

/// A hold replaces only live ones.
fn replaces_reason(before: &impl Before, event: &HoldEvent) -> Broken {
    let HoldEvent::Placed(placed) = event else { return None };
    let is_free = |hold: Option<&Hold>| {
        hold.is_some_and(|hold| hold.is_active() && hold.claimed_by.is_none())
    };
    let free = |id: &ReservationId| before.hold(*id, is_free);
    first([(placed.replaces.iter().all(free), "it replaces a hold that is not live")])
}

fn hold_reason(before: Option<&Hold>, event: &HoldEvent) -> Broken {
    let Some(hold) = before else {
        return first([(matches!(event, HoldEvent::Placed(_)), "the hold was never placed")]);
    };
    let live = (hold.is_active(), "the hold has ended");
    let free = (hold.claimed_by.is_none(), "an order has claimed the hold");
    let claimed_by =
        |order: OrderId| (hold.claimed_by == Some(order), "the order has not claimed the hold");
    match event {
        HoldEvent::Placed(_) => Some("the hold was placed before"),
        HoldEvent::Extended { .. } | HoldEvent::Claimed { .. } => first([live, free]),
        HoldEvent::Unclaimed { order, .. } => first([live, claimed_by(*order)]),
        HoldEvent::Converted { order, step: found, .. } => {
            first([live, claimed_by(*order), step(hold.next_step, *found)])
        }
        HoldEvent::Released(ended) => first([live, free, step(hold.next_step, ended.step)]),
        HoldEvent::Expired(ended) => first([
            live,
            free,
            (ended.at >= hold.expires_at, "its deadline had not passed"),
            step(hold.next_step, ended.step),
        ]),
    }
}

fn transfer_reason(before: Option<&Transfer>, event: &TransferEvent) -> Broken {
    let Some(transfer) = before else {
        let dispatched = matches!(event, TransferEvent::Dispatched(_));
        return first([(dispatched, "the transfer was never dispatched")]);
    };
    let left = transfer.on_the_road();
    let open = (transfer.status() == TransferStatus::InTransit, "the transfer has ended");
    match event {
        TransferEvent::Dispatched(_) => Some("the transfer was dispatched before"),
        TransferEvent::Received { step: found, received, missing, .. } => first([
            open,
            ((1..=left).contains(&received.saturating_add(*missing)), "more came than was sent"),
            step(transfer.next_step, *found),
        ]),
        TransferEvent::Cancelled { step: found, quantity, .. } => first([
            open,
            (*quantity == left, "it is not what was on the road"),
            step(transfer.next_step, *found),
        ]),
    }
}

fn stock_reason(stock: &Stock, event: &StockEvent) -> Broken {
    let promises = |on_hand: u64, limit: u64| {
        (stock.reserved <= on_hand + limit, "less than what is promised")
    };
    match event {
        StockEvent::Taken { stock: key, owner, step, take } => first([(
            stock.take(*key, *owner, *step, *take).is_ok(),
            "it was not there to be taken",
        )]),
        StockEvent::Undone { owner, take: Take::Reserve { quantity }, .. } => {
            first([(stock.reserved_for(*owner) >= *quantity, "it was not reserved")])
        }
        StockEvent::Undone { .. } => None,
        StockEvent::Given { give: Give::Release { entry, quantity }, .. } => {
            first([(stock.reserved_for(*entry) >= *quantity, "it was not reserved")])
        }
        StockEvent::Given { give: Give::Arrive { received, missing }, .. } => {
            first([(stock.incoming >= received + missing, "it was not on the road")])
        }
        StockEvent::Given { .. } => None,
        StockEvent::Recounted { from, to, .. } => first([
            (*from == stock.on_hand, "another number was on hand"),
            promises(*to, stock.backorder_limit),
        ]),
        StockEvent::PolicyChanged { backorder_limit, .. } => {
            first([promises(stock.on_hand, *backorder_limit)])
        }
    }
}

fn catalogue_reason(catalogue: &Catalogue, event: &CatalogueEvent) -> (String, Broken) {
    let is_new = matches!(
        event,
        CatalogueEvent::ProductCreated { .. }
            | CatalogueEvent::ShopCreated(_)
            | CatalogueEvent::WarehouseCreated(_)
    );
    let judge = |kind: &str, id: &dyn fmt::Display, before: Option<u32>, now: u32| {
        let there = (before.is_none() == is_new, "it was made before, or never");
        (format!("{kind} {id}"), first([there, version(before, now)]))
    };
    match event {
        CatalogueEvent::ProductCreated { product, .. }
        | CatalogueEvent::ProductUpdated { product, .. }
        | CatalogueEvent::ProductArchived { product } => {
            let before = catalogue.product(product.id).map(|before| before.version);
            judge("product", &product.id, before, product.version)
        }
        CatalogueEvent::ShopCreated(shop) | CatalogueEvent::ShopUpdated(shop) => {
            let before = catalogue.shop(shop.id).ok().map(|before| before.version);
            judge("shop", &shop.id, before, shop.version)
        }
        CatalogueEvent::WarehouseCreated(warehouse)
        | CatalogueEvent::WarehouseUpdated(warehouse)
        | CatalogueEvent::WarehouseStatusChanged(warehouse) => {
            let before = catalogue.warehouse(warehouse.id).ok().map(|before| before.version);
            judge("warehouse", &warehouse.id, before, warehouse.version)
        }
    }
}

fn account_reason(accounts: &Accounts, event: &AccountEvent) -> (String, Broken) {
    let erased = |id: AccountId| accounts.get(id).is_none_or(|account| account.is_erased());
    let live = |id: AccountId| (!erased(id), "the account was erased, or never was");
    let open = |id, session| {
        (accounts.session(id, session).is_some(), "the session has ended, or never began")
    };
    match event {
        AccountEvent::Registered(account) => {
            let new = (accounts.get(account.id).is_none(), "the account was registered before");
            let somebody = (!account.is_erased(), "it is nobody's");
            (account.id.to_string(), first([new, somebody, version(None, account.version)]))
        }
        AccountEvent::Updated(account)
        | AccountEvent::PasswordChanged(account)
        | AccountEvent::RoleChanged(account)
        | AccountEvent::Erased(account) => {
            let before = accounts.get(account.id).map(Arc::as_ref);
            let erases = matches!(event, AccountEvent::Erased(_));
            let somebody = (account.is_erased() == erases, "whose it is does not fit");
            let version = version(before.map(|before| before.version), account.version);
            (account.id.to_string(), first([live(account.id), somebody, version]))
        }
        AccountEvent::SessionOpened { account, session } => {
            let new = (session.id.0 > accounts.counts().sessions, "the session was opened before");
            (account.to_string(), first([live(*account), new]))
        }
        AccountEvent::SessionRotated { account, session, .. } => {
            (account.to_string(), first([live(*account), open(*account, *session)]))
        }
        // Erasing ends the sessions, in an event behind it.
        AccountEvent::SessionRevoked { account, session, .. } => {
            (account.to_string(), first([open(*account, *session)]))
        }
        AccountEvent::SessionsRevoked { account, .. } => {
            let any = !accounts.sessions(*account).is_empty();
            (account.to_string(), first([(any, "no session was open")]))
        }
        AccountEvent::ApiKeyCreated(key) => {
            let new = key.id.0 > accounts.counts().api_keys;
            (format!("API key {}", key.id), first([(new, "the key was made before")]))
        }
        AccountEvent::ApiKeyRevoked { id, .. } => {
            let there = accounts.api_key(*id).is_some();
            (format!("API key {id}"), first([(there, "the key was revoked, or never made")]))
        }
    }
}
