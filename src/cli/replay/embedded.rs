//! A replay against an engine of its own.

use futures_executor::block_on;
use futures_util::future::{join_all, join4, try_join_all};
use stockade::{
    BatchMode, CatalogueThing, Config, Engine, Error, OrderFilter, StockFilter,
    domain::{
        Currency, CustomerId, OrderId, ProductId, Refusal, ShopId, StockKey, WarehouseId,
        adjustment::{Adjust, Reason},
        catalogue::{
            CatalogueCommand, NewProduct, NewShop, NewWarehouse, ProductChange, StockDelta,
        },
        limits::{BATCH_ORDERS_MAX, PAYMENT_DEADLINE_MS_MAX, QUANTITY_MAX},
        order::{Details, LineQuantity, Order, OrderCommand, PlaceOrder},
    },
};

use super::{
    plan::{OrderIndex, Plan, PlannedWriteOff, Stage, TakeBack},
    target::{FinalAudit, FinalLine, FinalOrder, FinalStock, Outcomes, Target},
    window::Units,
};
use crate::cli::Failure;

/// The most lines of one batch of order commands: below what the engine takes.
const BATCH_LINES_MAX: usize = 45_000;

/// Orders read back at a time.
const PAGE: usize = 1_000;

/// An engine, and how the plan's things are called in it.
pub(crate) struct Embedded {
    engine: Engine,
    shop: ShopId,
    warehouse: WarehouseId,
    products: Vec<u64>,
    orders: Vec<Option<OrderId>>,
}

impl Embedded {
    /// An engine that nothing is sold in yet.
    pub(crate) fn open_empty(config: Config) -> Result<Self, Failure> {
        let embedded = Self::open(config)?;
        if embedded.engine.catalogue().products_after(0).next().is_some() {
            let what = "there are products already: it takes an empty data directory";
            return Err(Failure::work(what));
        }
        Ok(embedded)
    }

    /// An engine, whatever is in it.
    pub(crate) fn open(config: Config) -> Result<Self, Failure> {
        let engine = Engine::open(config)?;
        let (shop, warehouse) = (ShopId(1), WarehouseId(1));
        Ok(Self { engine, shop, warehouse, products: Vec::new(), orders: Vec::new() })
    }

    fn product(&self, index: usize) -> ProductId {
        ProductId(self.products[index])
    }

    fn stock(&self, index: usize) -> StockKey {
        StockKey::new(self.warehouse, self.product(index))
    }

    fn lines(&self, units: &[Units]) -> Vec<LineQuantity> {
        let line = |units: &Units| LineQuantity {
            product: self.product(units.product),
            quantity: units.quantity,
        };
        units.iter().map(line).collect()
    }

    fn catalogue(&self, commands: Vec<CatalogueCommand>) -> Result<Vec<CatalogueThing>, Failure> {
        let mut things = Vec::with_capacity(commands.len());
        for chunk in commands.chunks(BATCH_ORDERS_MAX) {
            for thing in block_on(self.engine.change_catalogue_many(chunk.to_vec()))? {
                things.push(thing?);
            }
        }
        Ok(things)
    }

    /// Puts more on a shelf than one request may name.
    fn receive(&self, stock: StockKey, mut more: u64) -> Result<(), Failure> {
        while more > 0 {
            let delta = more.min(QUANTITY_MAX);
            let deltas = vec![StockDelta { stock, delta: delta as i64 }];
            let request = Adjust { deltas, reason: Reason::Received, reference: None };
            block_on(self.engine.adjust(request))?;
            more -= delta;
        }
        Ok(())
    }

    fn order_request(&self, plan: &Plan, index: OrderIndex) -> PlaceOrder {
        let order = &plan.orders[index];
        let mut request = PlaceOrder::new(self.shop, self.lines(&order.units()));
        request.customer = order.customer.map(CustomerId);
        let reference = Some(order.invoice.as_str().into());
        request.details = Some(Box::new(Details { reference, ..Details::default() }));
        request
    }

    /// What the stage asks of orders that are there, with the weight of each.
    fn commands(
        &self,
        plan: &Plan,
        stage: &Stage,
        refused: &mut Vec<String>,
    ) -> Vec<(usize, (OrderId, OrderCommand))> {
        let pay = || OrderCommand::Pay { amount: None, method: None, reference: None };
        let ship = || OrderCommand::Ship { lines: None, carrier: None, tracking: None };
        let refund = |pence: &i64| OrderCommand::Refund { amount: Some(*pence) };
        let wanted = (stage.pay.iter().map(|order| (*order, pay())))
            .chain(stage.ship.iter().map(|order| (*order, ship())))
            .chain(stage.refund.iter().map(|(order, pence)| (*order, refund(pence))))
            .chain(stage.take_back.iter().map(|back| (back.order, self.take_back(back))));
        let mut commands = Vec::new();
        for (index, command) in wanted {
            let planned = &plan.orders[index];
            match self.orders[index] {
                Some(order) => commands.push((planned.lines.len() + 1, (order, command))),
                None => refused.push(format!("invoice {}: it has no order", planned.invoice)),
            }
        }
        commands
    }

    fn take_back(&self, back: &TakeBack) -> OrderCommand {
        let lines = Some(self.lines(&back.units));
        let reason = Some(back.invoice.clone());
        match back.shipped {
            true => OrderCommand::Return { lines, restock: true, reason },
            false => OrderCommand::Cancel { lines, reason },
        }
    }

    fn write_off(&self, write_off: &PlannedWriteOff) -> Adjust {
        let Units { product, quantity } = write_off.units;
        Adjust {
            deltas: vec![StockDelta { stock: self.stock(product), delta: -(quantity as i64) }],
            reason: write_off.reason,
            reference: Some(write_off.invoice.clone()),
        }
    }

    fn prices(&self, stage: &Stage) -> Vec<CatalogueCommand> {
        let command = |(product, pence): &(usize, i64)| CatalogueCommand::ChangeProduct {
            id: self.product(*product),
            expected: None,
            change: ProductChange { price: Some(*pence), ..ProductChange::default() },
        };
        stage.prices.iter().map(command).collect()
    }
}

impl Target for Embedded {
    fn sells(&self, sku: &str) -> Result<bool, Failure> {
        Ok(self.engine.catalogue().product_by_sku(sku).is_some())
    }

    fn open_shop(&mut self, plan: &Plan) -> Result<(), Failure> {
        let name = plan.shop;
        let warehouse =
            NewWarehouse { name: name.into(), country: Some("GB".into()), place_e6: None };
        self.warehouse = block_on(self.engine.create_warehouse(warehouse))?.id;
        let shop = NewShop {
            warehouses: Some(vec![self.warehouse]),
            // A replay must not depend on how long it takes.
            payment_deadline_ms: PAYMENT_DEADLINE_MS_MAX,
            ..NewShop::new(name, Currency::GBP)
        };
        self.shop = block_on(self.engine.create_shop(shop))?.id;
        let creates = plan.products.iter().map(|product| {
            CatalogueCommand::CreateProduct(NewProduct {
                sku: Some(product.code.clone()),
                opening: Some((self.warehouse, product.opening.min(QUANTITY_MAX))),
                ..NewProduct::new(product.name.clone(), product.price, Currency::GBP)
            })
        });
        for thing in self.catalogue(creates.collect())? {
            if let CatalogueThing::Product(product) = thing {
                self.products.push(product.id.0);
            }
        }
        for (index, product) in plan.products.iter().enumerate() {
            self.receive(self.stock(index), product.opening.saturating_sub(QUANTITY_MAX))?;
        }
        self.orders = vec![None; plan.orders.len()];
        Ok(())
    }

    fn run(&mut self, plan: &Plan, stage: &Stage) -> Result<Outcomes, Failure> {
        let mut outcomes = Outcomes::default();
        let commands = self.commands(plan, stage, &mut outcomes.refused);
        let requests: Vec<_> =
            stage.place.iter().map(|order| self.order_request(plan, *order)).collect();
        let prices = self.prices(stage);
        let write_offs = stage.write_off.iter().map(|write_off| self.write_off(write_off));
        let (placed, changed, adjusted, priced) = block_on(join4(
            self.engine.place_orders(requests, BatchMode::Each),
            try_join_all(
                batches(commands).into_iter().map(|batch| self.engine.change_orders(batch)),
            ),
            join_all(write_offs.map(|request| self.engine.adjust(request))),
            try_join_all(
                prices
                    .chunks(BATCH_ORDERS_MAX)
                    .map(|chunk| self.engine.change_catalogue_many(chunk.to_vec())),
            ),
        ));
        for (index, placed) in stage.place.iter().zip(placed?) {
            let order = granted(placed)?;
            outcomes.placed.push(order.is_some());
            self.orders[*index] = order.map(|order| order.id());
        }
        for adjusted in adjusted {
            outcomes.written_off.push(granted(adjusted)?.is_some());
        }
        for changed in changed?.into_iter().flatten() {
            must(changed, &mut outcomes.refused)?;
        }
        for priced in priced?.into_iter().flatten() {
            must(priced, &mut outcomes.refused)?;
        }
        Ok(outcomes)
    }

    fn orders(&self) -> Result<Vec<FinalOrder>, Failure> {
        let filter = OrderFilter { shop: Some(self.shop), ..OrderFilter::default() };
        let mut orders = Vec::new();
        let mut after = 0;
        loop {
            let page = self.engine.orders(&filter, after, PAGE);
            let Some(last) = page.last() else { return Ok(orders) };
            after = last.id().0;
            orders.extend(page.iter().map(final_order));
        }
    }

    fn stocks(&self) -> Result<Vec<FinalStock>, Failure> {
        let filter = StockFilter { warehouse: Some(self.warehouse), ..StockFilter::default() };
        let mut stocks = vec![FinalStock::default(); self.products.len()];
        for row in self.engine.stocks(filter, None, usize::MAX) {
            // Product ids of an empty engine are given in order.
            let index = self.products.binary_search(&row.key.product.0).map_err(|_| {
                Failure::work(format!("{} is of no product of this replay", row.key))
            })?;
            stocks[index] = FinalStock { on_hand: row.on_hand, reserved: row.reserved };
        }
        Ok(stocks)
    }

    fn product_ids(&self) -> &[u64] {
        &self.products
    }

    fn audit(&self) -> Result<Option<FinalAudit>, Failure> {
        let audit = self.engine.audit()?;
        let violations = audit.violations.iter().map(ToString::to_string).collect();
        Ok(Some(FinalAudit { events: audit.events, oversold: audit.oversold, violations }))
    }

    fn close(&mut self) -> Result<(), Failure> {
        Ok(self.engine.shutdown()?)
    }
}

/// Cuts commands into batches that the engine takes.
fn batches(commands: Vec<(usize, (OrderId, OrderCommand))>) -> Vec<Vec<(OrderId, OrderCommand)>> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut lines = 0;
    for (weight, command) in commands {
        lines += weight;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_ORDERS_MAX && lines <= BATCH_LINES_MAX => {
                batch.push(command);
            }
            _ => {
                lines = weight;
                batches.push(vec![command]);
            }
        }
    }
    batches
}

/// Nothing when stock is short; anything else that is no success ends the replay.
fn granted<T>(answer: Result<T, Error>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(thing) => Ok(Some(thing)),
        Err(Error::Refused(Refusal::InsufficientStock(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn must<T>(answer: Result<T, Error>, refused: &mut Vec<String>) -> Result<(), Failure> {
    match answer {
        Ok(_) => Ok(()),
        Err(Error::Refused(refusal)) => {
            refused.push(refusal.to_string());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn final_order(order: &Order) -> FinalOrder {
    let lines = order.placed.lines.iter().enumerate().map(|(index, line)| {
        let (reserved, progress) = order.line(index);
        FinalLine {
            product: line.product.0,
            quantity: line.quantity,
            unit_price: line.unit_price,
            reserved,
            cancelled: progress.cancelled,
            returned: progress.returned,
        }
    });
    let details = order.placed.details.as_ref();
    let reference = details.and_then(|details| details.reference.as_deref());
    FinalOrder {
        id: order.id().0,
        reference: reference.unwrap_or_default().to_owned(),
        status: order.status.name().to_owned(),
        total: order.placed.total(),
        paid: order.paid_amount,
        refunded: order.refunded_amount,
        lines: lines.collect(),
    }
}
