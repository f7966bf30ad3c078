//! The named invariants: what must be true after every event, written down once.
//!
//! Tests, the workflow model, `replay` and `verify` all use these.
#![doc = include_str!("../docs/invariants_module.md")]

use std::fmt;

use rustc_hash::FxHashMap;

use crate::{
    OrderId, Owner, Quantity, StockKey,
    account::Accounts,
    holder::{Hold, HoldStatus},
    open::{OpenTable, OpenTake},
    order::{Order, Status},
    stock::{Give, Stock, Take},
    transfer::Transfer,
};

/// The rules.
#[doc = include_str!("../docs/invariant.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// A stock's reserved count is the sum of its entries, none of them empty.
    ReservedIsTheSum,
    /// A stock promises no more than it has, beyond the backorder limit: never oversold.
    NothingOversold,
    /// Every reserved unit has exactly one reason: a live order, a live hold, or a take in flight.
    EveryEntryHasItsOwner,
    /// What is on hand is what decisions say ([`crate::ledger`]): units are conserved.
    UnitsAreConserved,
    /// Of every allocation, ordered = reserved + shipped + cancelled, and no more came back than was shipped.
    QuantitiesPartition,
    /// The allocations of a line add up to the line.
    LinesAreAllocated,
    /// Nothing is paid twice or paid back twice: refunded ≤ paid, and refunds due are never negative.
    MoneyAddsUp,
    /// An order's status and its quantities tell one story.
    StatusFitsQuantities,
    /// A stock expects exactly the units that transfers have on the road to it.
    IncomingIsOnTheRoad,
    /// A hold is claimed exactly while an order that is being placed has claimed it, and belongs only to an order that exists.
    ClaimsHaveTheirOrder,
    /// A login leads to the one account that has it, and only accounts that are not erased have any, or a session.
    LoginsAreUnique,
    /// Nothing is in flight.
    OpenTableIsEmpty,
    /// Folding all events again comes to the same state.
    ReplayEqualsLive,
    /// Every event could happen to the thing that it is about ([`crate::succession`]).
    HistoryIsPossible,
}

/// A broken invariant.
#[doc = include_str!("../docs/violation.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Of what.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}: {}", self.invariant, self.subject, self.detail)
    }
}

type Found<'a> = &'a mut dyn FnMut(Violation);

fn report(found: Found<'_>, invariant: Invariant, subject: impl fmt::Display, detail: String) {
    found(Violation { invariant, subject: subject.to_string(), detail });
}

/// Checks the accounts.
#[doc = include_str!("../docs/check_accounts.md")]
pub fn check_accounts(accounts: &Accounts, found: Found<'_>) {
    let mut logins = 0;
    for account in accounts.customers_after(0).chain(accounts.accounts_after(0)) {
        for login in account.logins() {
            logins += 1;
            if accounts.by_login(login).map(|account| account.id) != Some(account.id) {
                let detail = "one of its logins leads elsewhere".into();
                report(found, Invariant::LoginsAreUnique, account.id, detail);
            }
        }
        if account.is_erased() && !accounts.sessions(account.id).is_empty() {
            let detail = "it is erased and still signed in".into();
            report(found, Invariant::LoginsAreUnique, account.id, detail);
        }
    }
    if logins != accounts.login_count() {
        let detail = format!("{logins} logins, {} lead to accounts", accounts.login_count());
        report(found, Invariant::LoginsAreUnique, "accounts", detail);
    }
}

/// Checks one stock.
#[doc = include_str!("../docs/check_stock.md")]
pub fn check_stock(key: StockKey, stock: &Stock, found: Found<'_>) {
    let sum: Quantity = stock.entries.values().sum();
    if sum != stock.reserved || stock.entries.values().any(|quantity| *quantity == 0) {
        let detail = format!("{} reserved, the entries add up to {sum}", stock.reserved);
        report(found, Invariant::ReservedIsTheSum, key, detail);
    }
    if stock.reserved > stock.on_hand + stock.backorder_limit {
        let detail = format!(
            "{} reserved of {} on hand and a backorder limit of {}",
            stock.reserved, stock.on_hand, stock.backorder_limit
        );
        report(found, Invariant::NothingOversold, key, detail);
    }
}

/// Checks one order.
#[doc = include_str!("../docs/check_order.md")]
pub fn check_order(order: &Order, found: Found<'_>) {
    let id = Owner::order(order.id());
    let placed = &order.placed;
    let mut allocated = vec![0; placed.lines.len()];
    let (mut reserved, mut shipped, mut returned) = (0, 0, 0);
    for (index, allocation) in placed.allocations.iter().enumerate() {
        let progress = order.progress(index);
        allocated[allocation.line as usize] += allocation.quantity;
        if progress.shipped + progress.cancelled > allocation.quantity
            || progress.returned > progress.shipped
        {
            let detail = format!("{progress:?} of {}", allocation.quantity);
            report(found, Invariant::QuantitiesPartition, id, detail);
            return;
        }
        reserved += order.reserved(index);
        shipped += progress.shipped;
        returned += progress.returned;
    }
    for (line, allocated) in placed.lines.iter().zip(allocated) {
        if line.quantity != allocated {
            let detail = format!("{allocated} of {} allocated", line.quantity);
            report(found, Invariant::LinesAreAllocated, id, detail);
        }
    }
    let paid: i64 = order.payments.iter().map(|payment| payment.amount).sum();
    let unpaid = order.paid_at.is_some() && order.paid_amount < order.owed();
    if paid != order.paid_amount || order.refund_due() < 0 || order.refunded_amount > paid || unpaid
    {
        let detail =
            format!("paid {paid}, owed {}, refunded {}", order.owed(), order.refunded_amount);
        report(found, Invariant::MoneyAddsUp, id, detail);
    }
    let fits = match order.status {
        Status::PendingPayment | Status::Paid => reserved > 0 && shipped == 0,
        Status::PartiallyShipped => reserved > 0 && shipped > 0,
        Status::Shipped | Status::Delivered => reserved == 0 && shipped > returned,
        Status::Returned => reserved == 0 && shipped > 0 && shipped == returned,
        Status::Cancelled | Status::Expired => reserved == 0 && shipped == 0,
    };
    // Unpaid it ships nothing, paid it does not expire; cancelled it may have been either. In which order [`crate::succession`] tells.
    let paid_fits = match order.status {
        Status::PendingPayment | Status::Expired => order.paid_at.is_none(),
        Status::Cancelled => true,
        _ => order.paid_at.is_some(),
    };
    if !fits || !paid_fits {
        let detail = format!(
            "{} with {reserved} reserved, {shipped} shipped, {returned} returned, paid at {:?}",
            order.status.name(),
            order.paid_at
        );
        report(found, Invariant::StatusFitsQuantities, id, detail);
    }
}

/// Adds up why units are reserved: by live orders, live holds and workflows in flight.
#[doc = include_str!("../docs/reasons.md")]
#[derive(Debug, Default)]
pub struct Reasons(FxHashMap<(StockKey, Owner), i64>);

impl Reasons {
    fn add(&mut self, stock: StockKey, entry: Owner, quantity: i64) {
        *self.0.entry((stock, entry)).or_insert(0) += quantity;
    }

    /// An order's units that are still reserved.
    #[doc = include_str!("../docs/reasons_order.md")]
    pub fn order(&mut self, order: &Order) {
        for (index, allocation) in order.placed.allocations.iter().enumerate() {
            let reserved = order.reserved(index) as i64;
            self.add(order.placed.stock(allocation), order.placed.entry(allocation), reserved);
        }
    }

    /// A hold's units.
    #[doc = include_str!("../docs/reasons_hold.md")]
    pub fn hold(&mut self, hold: &Hold) {
        for held in hold.held() {
            self.add(held.stock, Owner::hold(held.hold), held.quantity as i64);
        }
    }

    /// What is in flight: taken and not decided, or decided and not given.
    #[doc = include_str!("../docs/reasons_open.md")]
    pub fn open(&mut self, open: &OpenTable) {
        for (owner, _, take) in open.takes() {
            match take {
                OpenTake::Stock(stock, Take::Reserve { quantity }) => {
                    self.add(stock, owner, quantity as i64)
                }
                OpenTake::Stock(stock, Take::Consume { entry, quantity }) => {
                    self.add(stock, entry, -(quantity as i64));
                }
                OpenTake::Stock(..) | OpenTake::Claim(_) => {}
            }
        }
        for (_, _, stock, give) in open.gives() {
            if let Give::Release { entry, quantity } = give {
                self.add(stock, entry, quantity as i64);
            }
        }
    }

    /// Every reserved entry, as its owner accounts for it.
    #[doc = include_str!("../docs/reasons_entries.md")]
    pub fn entries(self) -> impl Iterator<Item = (StockKey, Owner, Quantity)> {
        let positive = self.0.into_iter().filter(|(_, quantity)| *quantity > 0);
        positive.map(|((stock, entry), quantity)| (stock, entry, quantity as Quantity))
    }

    /// Compares with what the stocks say.
    #[doc = include_str!("../docs/reasons_check.md")]
    pub fn check<'a>(
        mut self,
        stocks: impl Iterator<Item = (StockKey, &'a Stock)>,
        found: Found<'_>,
    ) {
        for (key, stock) in stocks {
            for (entry, quantity) in &stock.entries {
                let reason = self.0.remove(&(key, *entry)).unwrap_or(0);
                if reason != *quantity as i64 {
                    let detail = format!(
                        "{quantity} reserved under {entry}, whose owner accounts for {reason}"
                    );
                    report(found, Invariant::EveryEntryHasItsOwner, key, detail);
                }
            }
        }
        for ((key, entry), reason) in self.0 {
            if reason != 0 {
                let detail =
                    format!("nothing reserved under {entry}, whose owner accounts for {reason}");
                report(found, Invariant::EveryEntryHasItsOwner, key, detail);
            }
        }
    }
}

/// Compares what is on hand with what decisions say ([`crate::ledger::Ledger::expected`]).
#[doc = include_str!("../docs/check_conservation.md")]
pub fn check_conservation<'a>(
    mut expected: FxHashMap<StockKey, i64>,
    stocks: impl Iterator<Item = (StockKey, &'a Stock)>,
    found: Found<'_>,
) {
    for (key, stock) in stocks {
        let expected = expected.remove(&key).unwrap_or(0);
        if expected != stock.on_hand as i64 {
            let detail = format!("{} on hand, {expected} by decisions", stock.on_hand);
            report(found, Invariant::UnitsAreConserved, key, detail);
        }
    }
    for (key, expected) in expected {
        if expected != 0 {
            let detail = format!("no stock, {expected} by decisions");
            report(found, Invariant::UnitsAreConserved, key, detail);
        }
    }
}

/// Adds up what is on the road to each stock.
#[doc = include_str!("../docs/road.md")]
#[derive(Debug, Default)]
pub struct Road(FxHashMap<StockKey, i64>);

impl Road {
    fn add(&mut self, stock: StockKey, quantity: i64) {
        *self.0.entry(stock).or_insert(0) += quantity;
    }

    /// A transfer's units on the road.
    #[doc = include_str!("../docs/road_transfer.md")]
    pub fn transfer(&mut self, transfer: &Transfer) {
        self.add(transfer.dispatched.destination(), transfer.on_the_road() as i64);
    }

    /// What is decided and not given: not yet expected, or not yet arrived.
    #[doc = include_str!("../docs/road_open.md")]
    pub fn open(&mut self, open: &OpenTable) {
        for (_, _, stock, give) in open.gives() {
            match give {
                Give::Expect { quantity } => self.add(stock, -(quantity as i64)),
                Give::Arrive { received, missing } => self.add(stock, (received + missing) as i64),
                _ => {}
            }
        }
    }

    /// Compares with what the stocks say.
    #[doc = include_str!("../docs/road_check.md")]
    pub fn check<'a>(self, stocks: impl Iterator<Item = (StockKey, &'a Stock)>, found: Found<'_>) {
        for (key, stock) in stocks {
            let road = self.0.get(&key).copied().unwrap_or(0);
            if stock.incoming as i64 != road {
                let detail = format!("{} incoming, {road} on the road", stock.incoming);
                report(found, Invariant::IncomingIsOnTheRoad, key, detail);
            }
        }
    }
}

/// Checks one hold against the claims in flight.
#[doc = include_str!("../docs/check_hold.md")]
pub fn check_hold(
    hold: &Hold,
    open: &OpenTable,
    order_exists: impl Fn(OrderId) -> bool,
    found: Found<'_>,
) {
    let claim = |(owner, _, take): &(Owner, _, OpenTake)| match take {
        OpenTake::Claim(claimed) if *claimed == hold.id => Some(OrderId(owner.id())),
        _ => None,
    };
    let claimed_by = open.takes().iter().find_map(claim);
    if claimed_by != hold.claimed_by {
        let detail = format!("claimed by {:?}, {claimed_by:?} is in flight", hold.claimed_by);
        report(found, Invariant::ClaimsHaveTheirOrder, Owner::hold(hold.id), detail);
    }
    if let HoldStatus::Converted(order) = hold.status
        && !order_exists(order)
    {
        let detail = format!("belongs to order {order}, which does not exist");
        report(found, Invariant::ClaimsHaveTheirOrder, Owner::hold(hold.id), detail);
    }
}

/// Checks that nothing is in flight.
#[doc = include_str!("../docs/check_open.md")]
pub fn check_open(open: &OpenTable, found: Found<'_>) {
    if !open.is_empty() {
        let detail = format!("{} takes and gives are open", open.len());
        report(found, Invariant::OpenTableIsEmpty, "open table", detail);
    }
}
