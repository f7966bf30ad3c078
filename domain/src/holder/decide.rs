use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Hold, HoldCommand, HoldEnded, HoldEvent, HoldPlaced, HoldQuote, HoldStatus, Holder, HolderKey,
    PlaceHold, Source,
};
use crate::{
    OrderId, ProductId, Quantity, Refusal, ReservationId, StockKey, Timestamp,
    catalogue::{Catalogue, Shop},
    limits::{
        HOLD_LINES_MAX, HOLD_TTL_MS_MAX, HOLDS_PER_OWNER_MAX, HOLDS_PER_PRODUCT_MAX, TEXT_MAX,
    },
    order::{Release, sum_lines},
    refusal::check_text,
    sourcing::{Allocation, Held, Sourcing, candidates},
};

impl PlaceHold {
    /// Who decides about it.
    #[doc = include_str!("../../docs/place_hold_key.md")]
    #[must_use]
    pub fn key(&self, id: ReservationId) -> HolderKey {
        match (self.customer, &self.owner, &self.scope) {
            (Some(customer), ..) => HolderKey::Customer(customer),
            (None, Some(owner), None) => HolderKey::Named(owner.as_str().into()),
            // No owner has the letter between them.
            (None, Some(owner), Some(scope)) => {
                HolderKey::Named(format!("{scope}\0{owner}").into())
            }
            (None, None, _) => HolderKey::Single(id),
        }
    }

    /// Sums duplicate lines and finds the warehouses to ask.
    ///
    /// # Errors
    /// A field out of range, a product that cannot be reserved, or a named warehouse that is inactive.
    #[doc = include_str!("../../docs/place_hold_quote.md")]
    pub fn quote(&self, catalogue: &Catalogue) -> Result<HoldQuote, Refusal> {
        check_ttl(self.ttl_ms)?;
        if let Some(owner) = &self.owner {
            check_text("owner", owner, TEXT_MAX)?;
        }
        if let Some(scope) = &self.scope {
            check_text("scope", scope, TEXT_MAX)?;
        }
        let lines = sum_lines(&self.lines, HOLD_LINES_MAX)?;
        let (sourcing, candidates) = match self.source {
            Source::Shop(id) => {
                let shop = catalogue.shop(id)?;
                check_products(&lines, |product| reservable_in(catalogue, product, shop))?;
                (shop.sourcing, candidates(shop.sourcing.rule, catalogue.sources(shop), None))
            }
            Source::Warehouse(id) => {
                check_products(&lines, |product| reservable(catalogue, product))?;
                if !catalogue.warehouse(id)?.active {
                    return Err(Refusal::WarehouseInactive(id));
                }
                (Sourcing::default(), vec![id])
            }
        };
        Ok(HoldQuote { sourcing, candidates, lines })
    }
}

fn check_products(
    lines: &[(ProductId, Quantity)],
    check: impl Fn(ProductId) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    lines.iter().try_for_each(|(product, _)| check(*product))
}

fn reservable(catalogue: &Catalogue, id: ProductId) -> Result<(), Refusal> {
    match catalogue.product(id) {
        None => Err(Refusal::NotFound { kind: "product", id: id.0 }),
        Some(product) if product.archived => Err(Refusal::ProductArchived(id)),
        Some(_) => Ok(()),
    }
}

fn reservable_in(catalogue: &Catalogue, id: ProductId, shop: &Shop) -> Result<(), Refusal> {
    catalogue.sellable(id, shop).map(drop)
}

fn check_ttl(ms: u64) -> Result<(), Refusal> {
    if !(1_000..=HOLD_TTL_MS_MAX).contains(&ms) {
        let detail = format!("must be from 1 to {} seconds", HOLD_TTL_MS_MAX / 1_000);
        return Err(Refusal::invalid("ttl_seconds", detail));
    }
    Ok(())
}

impl Holder {
    /// Units that a new hold with these lines takes over from earlier ones of the same owner, and those holds. A hold that an
    /// order has claimed is left alone.
    #[doc = include_str!("../../docs/replaced.md")]
    #[must_use]
    pub fn replaced(
        &self,
        request: &PlaceHold,
        lines: &[(ProductId, Quantity)],
    ) -> (Vec<Held>, Vec<ReservationId>) {
        let mut held = Vec::new();
        let mut replaces = Vec::new();
        if request.owner.is_none() {
            return (held, replaces);
        }
        let named: FxHashSet<ProductId> = lines.iter().map(|(product, _)| *product).collect();
        let names = |product: ProductId| named.contains(&product);
        for hold in self.holds.values() {
            let same = hold.is_active()
                && hold.claimed_by.is_none()
                && hold.owner.as_deref() == request.owner.as_deref();
            if same && hold.lines.iter().any(|(product, _)| names(*product)) {
                held.extend(hold.held().filter(|held| names(held.stock.product)));
                replaces.push(hold.id);
            }
        }
        (held, replaces)
    }

    /// Checks that the owner does not hoard.
    ///
    /// # Errors
    /// [`Refusal::TooManyHolds`].
    #[doc = include_str!("../../docs/check_room.md")]
    pub fn check_room(
        &self,
        request: &PlaceHold,
        lines: &[(ProductId, Quantity)],
        replaces: &[ReservationId],
    ) -> Result<(), Refusal> {
        let replaces: FxHashSet<ReservationId> = replaces.iter().copied().collect();
        let named: FxHashSet<ProductId> = lines.iter().map(|(product, _)| *product).collect();
        let mut staying = 0;
        let mut on: FxHashMap<ProductId, usize> = FxHashMap::default();
        for hold in self.holds.values().filter(|hold| hold.is_active()) {
            // A hold that is replaced loses the products named, and stays if it has others.
            let loses = replaces.contains(&hold.id);
            let keeps = |product: &ProductId| !loses || !named.contains(product);
            let products = hold.lines.iter().map(|(product, _)| *product);
            let kept: Vec<ProductId> = products.filter(keeps).collect();
            staying += usize::from(!kept.is_empty());
            kept.into_iter().for_each(|product| *on.entry(product).or_insert(0) += 1);
        }
        let full =
            |product: &ProductId| on.get(product).is_some_and(|n| *n >= HOLDS_PER_PRODUCT_MAX);
        let hoards = request.customer.is_some() && lines.iter().any(|(product, _)| full(product));
        if hoards || staying >= HOLDS_PER_OWNER_MAX {
            return Err(Refusal::TooManyHolds);
        }
        Ok(())
    }

    /// The decision to hold, once what is to be reserved was granted.
    #[doc = include_str!("../../docs/holder_place.md")]
    #[must_use]
    pub fn place(
        &self,
        id: ReservationId,
        request: &PlaceHold,
        lines: Vec<(ProductId, Quantity)>,
        mut allocations: Vec<Allocation>,
        at: Timestamp,
    ) -> HoldEvent {
        allocations.sort_by_key(|allocation| allocation.line);
        let (held, replaces) = self.replaced(request, &lines);
        let surplus = surplus(&held, &allocations, |allocation| lines[allocation.line as usize].0);
        HoldEvent::Placed(Box::new(HoldPlaced {
            id,
            key: request.key(id),
            owner: request.owner.as_deref().map(Into::into),
            lines,
            allocations,
            expires_at: at.plus_ms(request.ttl_ms),
            at,
            replaces,
            surplus,
        }))
    }

    fn hold(&self, id: ReservationId) -> Result<&Hold, Refusal> {
        self.holds.get(&id).ok_or(Refusal::NotFound { kind: "reservation", id: id.0 })
    }

    /// Decides a command on one hold. No event means that it is a repeat, or a timer that came too late.
    ///
    /// # Errors
    /// The hold has ended, or belongs to an order.
    #[doc = include_str!("../../docs/holder_decide.md")]
    pub fn decide(
        &self,
        id: ReservationId,
        command: HoldCommand,
        at: Timestamp,
    ) -> Result<Option<HoldEvent>, Refusal> {
        let hold = self.hold(id)?;
        command.check()?;
        match command {
            HoldCommand::Expire
                if !hold.is_active() || hold.claimed_by.is_some() || at < hold.expires_at =>
            {
                Ok(None)
            }
            HoldCommand::Expire => Ok(Some(HoldEvent::Expired(Box::new(hold.end(at))))),
            HoldCommand::Release if hold.status == HoldStatus::Released => Ok(None),
            HoldCommand::Release => {
                hold.check_free()?;
                Ok(Some(HoldEvent::Released(Box::new(hold.end(at)))))
            }
            HoldCommand::Extend { ttl_ms } => {
                hold.check_free()?;
                Ok(Some(HoldEvent::Extended { hold: id, expires_at: at.plus_ms(ttl_ms), at }))
            }
        }
    }

    /// Decides to hand a hold over to an order that is being placed.
    ///
    /// # Errors
    /// The hold has ended, or belongs to another order.
    #[doc = include_str!("../../docs/holder_claim.md")]
    pub fn claim(&self, id: ReservationId, order: OrderId) -> Result<HoldEvent, Refusal> {
        self.hold(id)?.check_free()?;
        Ok(HoldEvent::Claimed { hold: id, order })
    }
}

impl HoldCommand {
    /// Checks what can be said without the hold: this is told before that the hold has changed.
    ///
    /// # Errors
    /// A time that is too short or too long.
    #[doc = include_str!("../../docs/hold_command_check.md")]
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Extend { ttl_ms } => check_ttl(*ttl_ms),
            Self::Release | Self::Expire => Ok(()),
        }
    }
}

impl Hold {
    /// Checks that it is there to be used: live, and no order's.
    ///
    /// # Errors
    /// The hold has ended, or belongs to an order.
    #[doc = include_str!("../../docs/hold_check_free.md")]
    pub fn check_free(&self) -> Result<(), Refusal> {
        match (self.status, self.claimed_by) {
            (HoldStatus::Converted(order), _) => {
                Err(Refusal::ReservationConverted { reservation: self.id, order })
            }
            // Whether the order comes to be is not known yet.
            (HoldStatus::Active, Some(_)) => Err(Refusal::ReservationClaimed(self.id)),
            (HoldStatus::Active, None) => Ok(()),
            (HoldStatus::Expired, _) => Err(Refusal::ReservationExpired(self.id)),
            (HoldStatus::Released, _) => Err(Refusal::ReservationReleased(self.id)),
        }
    }

    fn end(&self, at: Timestamp) -> HoldEnded {
        HoldEnded {
            hold: self.id,
            step: self.next_step,
            at,
            releases: self.held().map(Into::into).collect(),
        }
    }

    /// The decision to become part of an order with these allocations: what the order does not name is given back.
    #[doc = include_str!("../../docs/hold_convert.md")]
    #[must_use]
    pub fn convert(
        &self,
        order: OrderId,
        adopted: &[Allocation],
        product_of: impl Fn(&Allocation) -> ProductId,
        at: Timestamp,
    ) -> HoldEvent {
        let held: Vec<Held> = self.held().collect();
        let surplus = surplus(&held, adopted, product_of);
        HoldEvent::Converted { hold: self.id, order, step: self.next_step, surplus, at }
    }
}

/// What of `held` the allocations do not name. One entry may be written as several allocations: each unit counts once.
fn surplus(
    held: &[Held],
    allocations: &[Allocation],
    product_of: impl Fn(&Allocation) -> ProductId,
) -> Vec<Release> {
    let mut used: FxHashMap<(ReservationId, StockKey), Quantity> = FxHashMap::default();
    for allocation in allocations {
        if let Some(hold) = allocation.hold {
            let stock = StockKey::new(allocation.warehouse, product_of(allocation));
            *used.entry((hold, stock)).or_insert(0) += allocation.quantity;
        }
    }
    let mut surplus = Vec::new();
    for held in held {
        let used = used.entry((held.hold, held.stock)).or_insert(0);
        let quantity = held.quantity.saturating_sub(*used);
        *used -= held.quantity - quantity;
        if quantity > 0 {
            surplus.push(Release::from(Held { quantity, ..*held }));
        }
    }
    let adopted = |held: &Held| used[&(held.hold, held.stock)] == 0;
    assert!(held.iter().all(adopted), "no more is adopted than was held");
    surplus
}
