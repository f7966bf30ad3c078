//! Random traffic: what clients and timers may ask at any moment.

use stockade_domain::{
    AdjustmentId, Amount, Currency, CustomerId, OrderId, ProductId, ReservationId, ShopId,
    StockKey, TransferId, WarehouseId,
    adjustment::{Adjust, Reason},
    catalogue::{CatalogueCommand, NewProduct, NewShop, NewWarehouse, ProductChange, StockDelta},
    holder::{HoldCommand, PlaceHold, Source},
    order::{LineQuantity, OrderCommand, PlaceOrder},
    sourcing::{Rule, Sourcing},
    stock::StockCommand,
    transfer::{Dispatched, TransferCommand, TransferStatus},
};

use super::{
    engine::Engine,
    jobs::{AdjustAll, Dispatch, OnCatalogue, OnHold, OnOrder, OnStock, OnTransfer},
    placing::{Place, PlaceOnHold},
    rng::Rng,
    workflow::Job,
    world::RequestKey,
};

pub(crate) const SHOP: ShopId = ShopId(1);
pub(crate) const WAREHOUSES: u64 = 3;
pub(crate) const PRODUCTS: u64 = 3;

/// A client with a random mind, and the requests that it may repeat.
pub(crate) struct Traffic {
    pub(crate) rng: Rng,
    requests: Vec<(RequestKey, PlaceOrder)>,
}

/// A shop that draws from every warehouse.
pub(crate) fn shop(rule: Rule, split_lines: bool) -> CatalogueCommand {
    CatalogueCommand::CreateShop(NewShop {
        name: "shop".into(),
        currency: Currency::USD,
        payment_deadline_ms: 1_800_000,
        sourcing: Sourcing { rule, split_lines },
        warehouses: None,
    })
}

pub(crate) fn warehouse() -> CatalogueCommand {
    CatalogueCommand::CreateWarehouse(NewWarehouse { name: "shed".into(), ..Default::default() })
}

pub(crate) fn product(price: Amount, opening: Option<(WarehouseId, u64)>) -> CatalogueCommand {
    CatalogueCommand::CreateProduct(NewProduct {
        sku: None,
        name: "thing".into(),
        description: String::new(),
        price,
        currency: Currency::USD,
        shops: Default::default(),
        attributes: Default::default(),
        reference: None,
        metadata: Default::default(),
        opening,
    })
}

impl Traffic {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, requests: Vec::new() }
    }

    /// Asks for what a new engine needs before it can sell.
    pub(crate) fn open_shop(&mut self, engine: &mut Engine) {
        let rules = [Rule::Priority, Rule::MostStock, Rule::SingleWarehouse];
        let rule = self.rng.pick(&rules).expect("there are rules");
        let splits = self.rng.chance(80);
        engine.ask(OnCatalogue::new(shop(rule, splits)));
        for _ in 0..WAREHOUSES {
            engine.ask(OnCatalogue::new(warehouse()));
        }
        for price in 0..PRODUCTS {
            // One product is free of charge: its orders are paid at once.
            let opening = (self.warehouse(), self.rng.up_to(9));
            engine.ask(OnCatalogue::new(product(price as Amount * 100, Some(opening))));
        }
    }

    /// Asks for anything. Some callers go away before they hear of it.
    pub(crate) fn ask(&mut self, engine: &mut Engine) {
        let job = match self.rng.below(100) {
            0..22 => self.order(engine),
            22..27 => self.batch(engine),
            27..33 => self.repeat(engine),
            33..45 => self.hold(engine),
            45..50 => self.on_hold(engine),
            50..80 => self.on_order(engine),
            80..85 => self.transfer(engine),
            85..90 => self.on_transfer(engine),
            90..94 => self.adjustment(engine),
            94..97 => self.recount(engine),
            _ => self.on_stock(),
        };
        let awaited = self.rng.chance(85);
        if let Some(job) = job {
            engine.admit(job, awaited);
        }
    }

    fn warehouse(&mut self) -> WarehouseId {
        WarehouseId(self.rng.up_to(WAREHOUSES))
    }

    fn product(&mut self) -> ProductId {
        ProductId(self.rng.up_to(PRODUCTS))
    }

    fn stock(&mut self) -> StockKey {
        StockKey::new(self.warehouse(), self.product())
    }

    fn lines(&mut self) -> Vec<LineQuantity> {
        let lines = self.rng.up_to(2);
        (0..lines)
            .map(|_| LineQuantity { product: self.product(), quantity: self.rng.up_to(4) })
            .collect()
    }

    fn order(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let mut request = PlaceOrder::new(SHOP, self.lines());
        if self.rng.chance(40) {
            let live = |engine: &Engine| -> Vec<ReservationId> {
                engine.live.holds().filter(|hold| hold.is_active()).map(|hold| hold.id).collect()
            };
            let mut holds = live(engine);
            for _ in 0..self.rng.up_to(2) {
                if !holds.is_empty() {
                    let place = self.rng.below(holds.len());
                    request.reservations.push(holds.swap_remove(place));
                }
            }
        }
        let key = engine.id();
        self.requests.push((key, request.clone()));
        Some(Box::new(Place::new(Some(key), vec![(OrderId(engine.id()), request)])))
    }

    fn batch(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let orders = self.rng.up_to(3);
        let orders = (0..orders)
            .map(|_| (OrderId(engine.id()), PlaceOrder::new(SHOP, self.lines())))
            .collect();
        Some(Box::new(Place::new(None, orders)))
    }

    /// The same request again, by a client that heard no answer or lost it: a new order id, the same key.
    fn repeat(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let recent = self.requests.len().saturating_sub(5);
        let place = recent + self.rng.below(5);
        let (key, request) = self.requests.get(place)?.clone();
        Some(Box::new(Place::new(Some(key), vec![(OrderId(engine.id()), request)])))
    }

    fn hold(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let source = match self.rng.chance(80) {
            true => Source::Shop(SHOP),
            false => Source::Warehouse(self.warehouse()),
        };
        let owner = self.rng.chance(80).then(|| format!("cart {}", self.rng.below(2)));
        let customer = self.rng.chance(30).then_some(CustomerId(7));
        let ttl_ms = 1_000 * self.rng.up_to(3_000);
        let (lines, partial) = (self.lines(), self.rng.chance(30));
        let request = PlaceHold { source, owner, scope: None, customer, lines, ttl_ms, partial };
        Some(Box::new(PlaceOnHold::new(ReservationId(engine.id()), request)))
    }

    fn on_hold(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let holds: Vec<ReservationId> = engine.live.holds().map(|hold| hold.id).collect();
        let hold = self.rng.pick(&holds)?;
        let ttl_ms = 1_000 * self.rng.up_to(3_000);
        let commands = [HoldCommand::Expire, HoldCommand::Release, HoldCommand::Extend { ttl_ms }];
        let command = self.rng.pick(&commands)?;
        Some(Box::new(OnHold { key: engine.live.holder_of(hold), hold, command }))
    }

    fn on_order(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        // Mostly recent ones, so that commands on one order race each other.
        let orders: Vec<OrderId> = engine.live.orders.keys().rev().take(6).copied().collect();
        let order = self.rng.pick(&orders)?;
        let part = |traffic: &mut Self| {
            let lines = &engine.live.orders[&order].placed.lines;
            let line = lines[traffic.rng.below(lines.len())];
            let quantity = traffic.rng.up_to(line.quantity);
            let lines = vec![LineQuantity { product: line.product, quantity }];
            traffic.rng.chance(60).then_some(lines)
        };
        let command = match self.rng.below(100) {
            0..35 => OrderCommand::Pay {
                amount: self.rng.chance(30).then(|| self.rng.up_to(400) as Amount),
                method: None,
                reference: self.rng.chance(50).then(|| self.rng.below(3).to_string()),
            },
            35..50 => OrderCommand::Expire,
            50..60 => OrderCommand::Cancel { lines: part(self), reason: None },
            60..80 => OrderCommand::Ship { lines: part(self), carrier: None, tracking: None },
            80..84 => OrderCommand::Deliver,
            84..95 => {
                let restock = self.rng.chance(60);
                OrderCommand::Return { lines: part(self), restock, reason: None }
            }
            _ => OrderCommand::Refund { amount: None },
        };
        Some(Box::new(OnOrder::new(order, command)))
    }

    fn transfer(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        Some(Box::new(Dispatch::new(Dispatched {
            id: TransferId(engine.id()),
            product: self.product(),
            from: self.warehouse(),
            to: self.warehouse(),
            quantity: self.rng.up_to(4),
            in_transit: self.rng.chance(75),
            at: engine.now,
        })))
    }

    fn on_transfer(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let on_the_road = engine.live.transfers.values();
        let on_the_road = on_the_road.filter(|t| t.status() == TransferStatus::InTransit);
        let transfers: Vec<TransferId> = on_the_road.map(|t| t.dispatched.id).collect();
        let transfer = self.rng.pick(&transfers)?;
        let command = if self.rng.chance(70) {
            TransferCommand::Receive {
                quantity: self.rng.chance(80).then(|| self.rng.up_to(2)),
                discrepancy: self.rng.chance(20).then(|| (1, "broken".into())),
            }
        } else {
            TransferCommand::Cancel { restock: self.rng.chance(50), reason: None }
        };
        Some(Box::new(OnTransfer { transfer, command }))
    }

    fn delta(&mut self) -> i64 {
        let units = self.rng.up_to(5) as i64;
        if self.rng.chance(60) { units } else { -units }
    }

    fn adjustment(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        let stocks = self.rng.up_to(4);
        let deltas =
            (0..stocks).map(|_| StockDelta { stock: self.stock(), delta: self.delta() }).collect();
        let request = Adjust { deltas, reason: Reason::Correction, reference: None };
        Some(Box::new(AdjustAll::new(AdjustmentId(engine.id()), request)))
    }

    fn recount(&mut self, engine: &mut Engine) -> Option<Box<dyn Job>> {
        if self.rng.chance(20) {
            let opening = self.rng.chance(50).then(|| (self.warehouse(), self.rng.up_to(3)));
            return Some(Box::new(OnCatalogue::new(product(100, opening))));
        }
        let id = self.product();
        engine.live.catalogue.product(id)?;
        let stock = StockKey::new(self.warehouse(), id);
        let recount = Some(StockDelta { stock, delta: self.delta() });
        let price = self.rng.chance(20).then(|| 100 * id.0 as Amount);
        let change = ProductChange { recount, price, ..Default::default() };
        Some(Box::new(OnCatalogue::new(CatalogueCommand::ChangeProduct {
            id,
            expected: None,
            change,
        })))
    }

    fn on_stock(&mut self) -> Option<Box<dyn Job>> {
        let command = if self.rng.chance(50) {
            StockCommand::Recount { on_hand: self.rng.up_to(9), reason: "counted".into() }
        } else {
            StockCommand::SetPolicy {
                safety_stock: Some(self.rng.below(2) as u64),
                backorder_limit: Some(self.rng.below(3) as u64),
            }
        };
        Some(Box::new(OnStock { stock: self.stock(), command }))
    }
}
