use std::collections::BTreeMap;

use stockade_domain::{
    Owner, OwnerKind, ProductId, Quantity, ReservationId, StockKey, Timestamp, WarehouseId,
    holder::Hold,
    order::{Order, Status},
};

use super::ReadSide;

/// Reservations that are looked at to say when a stock frees: a hot stock has far more, and a refusal must stay cheap.
const FREES_LOOK_MAX: usize = 256;

/// Moments at which a stock frees units that are listed: the first ones tell.
const FREES_NEXT_MAX: usize = 100;

/// Why units of a stock are reserved.
#[doc = include_str!("../../docs/live_reservation.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveReservation {
    /// The order or hold that has them now; while a workflow is under way, whose they are to be.
    pub owner: Owner,
    /// How many.
    pub quantity: Quantity,
    /// Since when; not known while the workflow is under way.
    pub since: Option<Timestamp>,
    /// When they are free again by themselves; never, of an order that is paid.
    pub expires_at: Option<Timestamp>,
}

/// Everything behind the reserved units of a stock.
#[doc = include_str!("../../docs/reserved_type.md")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// The newest, up to what was asked for.
    pub newest: Vec<LiveReservation>,
    /// How many there are in all.
    pub count: usize,
    /// When how many units are free again unless they are paid for before: the first moments.
    pub frees_next: Vec<(Timestamp, Quantity)>,
}

impl ReadSide {
    /// Who has the reserved units of a stock, the newest first, and when they are free again.
    pub(crate) fn reserved(&self, key: StockKey, limit: usize) -> Reserved {
        let entries: Vec<(Owner, Quantity)> = self
            .stocks
            .get(&key)
            .map(|stock| stock.entries.iter().map(|(owner, units)| (*owner, *units)).collect())
            .unwrap_or_default();
        let mut live: Vec<LiveReservation> =
            entries.into_iter().map(|(entry, quantity)| self.live(key, entry, quantity)).collect();
        let mut frees: BTreeMap<Timestamp, Quantity> = BTreeMap::new();
        for (at, quantity) in live.iter().filter_map(|live| Some((live.expires_at?, live.quantity)))
        {
            *frees.entry(at).or_insert(0) += quantity;
        }
        let count = live.len();
        live.sort_unstable_by_key(|live| std::cmp::Reverse((live.since, live.owner)));
        live.truncate(limit);
        let frees_next = frees.into_iter().take(FREES_NEXT_MAX).collect();
        Reserved { newest: live, count, frees_next }
    }

    /// When more of a product may be free in these warehouses: the earliest deadline of a reservation in the way. At a stock
    /// with very many reservations, the earliest of some of them. Up to `look` are looked at, which is what is left of it then.
    pub(crate) fn frees_at(
        &self,
        product: ProductId,
        warehouses: &[WarehouseId],
        look: &mut usize,
    ) -> Option<Timestamp> {
        let mut of_product = FREES_LOOK_MAX.min(*look);
        let mut earliest = None;
        for warehouse in warehouses {
            let key = StockKey::new(*warehouse, product);
            let Some(stock) = self.stocks.get(&key) else { continue };
            let entries: Vec<_> =
                stock.entries.iter().take(of_product).map(|(&owner, &n)| (owner, n)).collect();
            drop(stock);
            of_product -= entries.len();
            *look -= entries.len();
            let first =
                entries.into_iter().filter_map(|(o, n)| self.live(key, o, n).expires_at).min();
            earliest = earliest.into_iter().chain(first).min();
        }
        earliest
    }

    /// What a stock's entry stands for. Units that were held keep the hold's entry when an order or a newer hold takes them.
    fn live(&self, key: StockKey, entry: Owner, quantity: Quantity) -> LiveReservation {
        let owner = self.taken_over.get(&(entry, key)).map_or(entry, |owner| *owner);
        let known = match owner.kind() {
            OwnerKind::Order => self.orders.with(owner.id(), |order| {
                let placed = &order.now.placed;
                let unpaid = order.now.status == Status::PendingPayment;
                (placed.at, unpaid.then(|| placed.payment_deadline()))
            }),
            _ => {
                self.holds.with(owner.id(), |hold| (hold.now.created_at, Some(hold.now.expires_at)))
            }
        };
        let (since, expires_at) = known.unzip();
        LiveReservation { owner, quantity, since, expires_at: expires_at.flatten() }
    }

    /// Notes under which earlier holds' entries an order or a hold has units.
    pub(crate) fn take_over(
        &self,
        owner: Owner,
        held: impl Iterator<Item = (ReservationId, StockKey)>,
    ) {
        for (hold, key) in held.filter(|(hold, _)| Owner::hold(*hold) != owner) {
            self.taken_over.insert((Owner::hold(hold), key), owner);
        }
    }

    /// The same of everything that an order still has.
    pub(crate) fn take_over_order(&self, order: &Order) {
        let placed = &order.placed;
        let allocations = placed.allocations.iter().enumerate();
        let live = allocations.filter(|(index, _)| order.reserved(*index) > 0);
        let held = live.filter_map(|(_, a)| Some((a.hold?, placed.stock(a))));
        self.take_over(Owner::order(placed.id), held);
    }

    /// The same of everything that a hold has.
    pub(crate) fn take_over_hold(&self, hold: &Hold) {
        self.take_over(Owner::hold(hold.id), hold.held().map(|held| (held.hold, held.stock)));
    }
}
