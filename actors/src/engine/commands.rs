use std::sync::Arc;

use stockade_domain::{
    Amount, IdempotencyKey, OrderId, ProductId, Refusal, ReservationId, ShopId, StockKey,
    TransferId, WarehouseId,
    catalogue::{
        CatalogueCommand, NewProduct, NewShop, NewWarehouse, Product, ProductChange, Shop,
        ShopChange, Warehouse, WarehouseChange,
    },
    holder::{Hold, HoldCommand, PlaceHold, Source},
    limits::BATCH_ORDERS_MAX,
    order::{Order, OrderCommand, PlaceOrder},
    stock::StockCommand,
    transfer::{Transfer, TransferCommand},
};

use super::{Engine, frees::Frees};
use crate::{
    CatalogueThing, Error, NewTransfer, StockRow,
    job::Job,
    lane::CATALOGUE_LANE,
    workflow::{lane_of_hold, lane_of_new_hold},
};

/// The most lines of one batch in all: it is let in as a whole, so it must fit through the door with room for others.
const BATCH_LINES_MAX: usize = 50_000;

/// What one command costs at the door beyond itself: a shipment or a return may touch each line of a large order.
const COMMAND_LINES: usize = 4;

impl Engine {
    /// The lane that places it.
    pub(super) fn lane_of_request(&self, request: &PlaceOrder) -> usize {
        request.lines.first().map_or(0, |line| self.shared().lane_of_product(line.product))
    }

    /// Places an order: every line is reserved, or none is.
    ///
    /// # Errors
    /// [`Refusal::InsufficientStock`] with every short line, or another refusal; [`Error::Overloaded`].
    #[doc = include_str!("../../docs/place_order.md")]
    pub async fn place_order(&self, request: PlaceOrder) -> Result<Order, Error> {
        let lane = self.lane_of_request(&request);
        let (lines, source) = (lines_of_request(&request), Source::Shop(request.shop));
        let placed = self.run(lane, lines, |reply| Job::Place { request, reply }).await;
        placed.map_err(|error| Frees::new(self).tell(error, source))
    }

    /// Runs a command on an order, to the end of what it gives back to stocks.
    ///
    /// # Errors
    /// The refusals of the order's state table.
    #[doc = include_str!("../../docs/change_order.md")]
    pub async fn change_order(&self, id: OrderId, command: OrderCommand) -> Result<Order, Error> {
        let lane = self.shared().lane_of_id(id.0);
        self.run(lane, self.lines_of(id), |reply| Job::Order { id, command, reply }).await
    }

    /// Runs a command on each of many orders, with one commit to wait for.
    ///
    /// # Errors
    /// Too many in one batch; [`Error::Overloaded`].
    #[doc = include_str!("../../docs/change_orders.md")]
    pub async fn change_orders(
        &self,
        commands: Vec<(OrderId, OrderCommand)>,
    ) -> Result<Vec<Result<Order, Error>>, Error> {
        let lines = commands.iter().map(|(id, _)| self.lines_of(*id) + 1).sum();
        check_batch(commands.len(), lines)?;
        let job = |(id, command): (OrderId, OrderCommand), reply| {
            (self.shared().lane_of_id(id.0), Job::Order { id, command, reply })
        };
        self.run_many(lines, commands, job).await
    }

    /// Records a payment: of `amount` minor units, or of all that is due.
    ///
    /// # Errors
    /// Nothing is due, too much, or the order has ended.
    #[doc = include_str!("../../docs/pay_order.md")]
    pub async fn pay_order(&self, id: OrderId, amount: Option<Amount>) -> Result<Order, Error> {
        let command = OrderCommand::Pay { amount, method: None, reference: None };
        self.change_order(id, command).await
    }

    /// Gives up everything of an order that is not shipped.
    ///
    /// # Errors
    /// The order has ended otherwise.
    #[doc = include_str!("../../docs/cancel_order.md")]
    pub async fn cancel_order(&self, id: OrderId, reason: Option<String>) -> Result<Order, Error> {
        self.change_order(id, OrderCommand::Cancel { lines: None, reason }).await
    }

    fn lines_of(&self, id: OrderId) -> usize {
        let lines =
            self.shared().read.orders.with(id.0, |order| order.now.placed.allocations.len());
        lines.unwrap_or(COMMAND_LINES)
    }

    /// Holds units without an order.
    ///
    /// # Errors
    /// [`Refusal::InsufficientStock`], an inactive warehouse, or too many holds.
    #[doc = include_str!("../../docs/reserve.md")]
    pub async fn reserve(&self, request: PlaceHold) -> Result<Hold, Error> {
        let lane = lane_of_new_hold(self.shared(), &request);
        let (lines, source) = (request.lines.len(), request.source);
        let held = self.run(lane, lines, |reply| Job::Hold { request, reply }).await;
        held.map_err(|error| Frees::new(self).tell(error, source))
    }

    /// Holds it `ttl_ms` milliseconds from now.
    ///
    /// # Errors
    /// It has ended, or belongs to an order.
    #[doc = include_str!("../../docs/extend_reservation.md")]
    pub async fn extend_reservation(&self, id: ReservationId, ttl_ms: u64) -> Result<Hold, Error> {
        self.change_hold(id, HoldCommand::Extend { ttl_ms }).await
    }

    /// Gives a hold back.
    ///
    /// # Errors
    /// It has expired, or belongs to an order.
    #[doc = include_str!("../../docs/release_reservation.md")]
    pub async fn release_reservation(&self, id: ReservationId) -> Result<Hold, Error> {
        self.change_hold(id, HoldCommand::Release).await
    }

    async fn change_hold(&self, id: ReservationId, command: HoldCommand) -> Result<Hold, Error> {
        let lane = lane_of_hold(self.shared(), id);
        let lines = self.shared().read.holds.with(id.0, |hold| hold.now.allocations.len());
        let lines = lines.unwrap_or(COMMAND_LINES);
        self.run(lane, lines, |reply| Job::ChangeHold { id, command, reply }).await
    }

    /// Sends units from one warehouse to another.
    ///
    /// # Errors
    /// [`Refusal::InsufficientStock`]: reserved units do not travel.
    #[doc = include_str!("../../docs/transfer.md")]
    pub async fn transfer(&self, request: NewTransfer) -> Result<Transfer, Error> {
        let lane = self.shared().lane_of_product(request.product);
        self.run(lane, COMMAND_LINES, |reply| Job::Transfer { request, reply }).await
    }

    /// Receives or cancels a transfer that is on the road.
    ///
    /// # Errors
    /// [`Refusal::TransferClosed`], or more units than are on the road.
    #[doc = include_str!("../../docs/change_transfer.md")]
    pub async fn change_transfer(
        &self,
        id: TransferId,
        command: TransferCommand,
    ) -> Result<Transfer, Error> {
        let lane = self.shared().lane_of_id(id.0);
        self.run(lane, COMMAND_LINES, |reply| Job::ChangeTransfer { id, command, reply }).await
    }

    /// Recounts one stock or sets its policy.
    ///
    /// # Errors
    /// The product or warehouse does not exist, or the count is below what is reserved.
    #[doc = include_str!("../../docs/change_stock.md")]
    pub async fn change_stock(
        &self,
        key: StockKey,
        command: StockCommand,
    ) -> Result<StockRow, Error> {
        self.check_stock(key)?;
        let lane = self.shared().lane_of_product(key.product);
        self.run(lane, 1, |reply| Job::Stock { key, command, reply }).await
    }

    fn check_stock(&self, key: StockKey) -> Result<(), Refusal> {
        let catalogue = self.shared().read.catalogue.read();
        catalogue.warehouse(key.warehouse)?;
        let product = catalogue.product(key.product);
        product.map(drop).ok_or(Refusal::NotFound { kind: "product", id: key.product.0 })
    }

    async fn change_catalogue(&self, command: CatalogueCommand) -> Result<CatalogueThing, Error> {
        self.run(CATALOGUE_LANE, COMMAND_LINES, |reply| Job::Catalogue { command, reply }).await
    }

    /// Creates a product, with its opening stock if it has any.
    ///
    /// # Errors
    /// A field out of range, or a sku that is taken.
    #[doc = include_str!("../../docs/create_product.md")]
    pub async fn create_product(&self, new: NewProduct) -> Result<Arc<Product>, Error> {
        product(self.change_catalogue(CatalogueCommand::CreateProduct(new)).await?)
    }

    /// Runs many catalogue commands, each by itself, with one commit to wait for.
    ///
    /// # Errors
    /// Too many in one batch; [`Error::Overloaded`].
    #[doc = include_str!("../../docs/change_catalogue_many.md")]
    pub async fn change_catalogue_many(
        &self,
        commands: Vec<CatalogueCommand>,
    ) -> Result<Vec<Result<CatalogueThing, Error>>, Error> {
        self.change_catalogue_keyed(commands.into_iter().map(|command| (command, None)).collect())
            .await
    }

    /// The same, for commands with keys of their own. One without has a key derived from the context's, if that has one.
    ///
    /// # Errors
    /// As [`Engine::change_catalogue_many`].
    #[doc = include_str!("../../docs/change_catalogue_keyed.md")]
    pub async fn change_catalogue_keyed(
        &self,
        rows: Vec<(CatalogueCommand, Option<IdempotencyKey>)>,
    ) -> Result<Vec<Result<CatalogueThing, Error>>, Error> {
        let lines = rows.len() * 2;
        check_batch(rows.len(), lines)?;
        let (commands, keys) = rows.into_iter().unzip();
        let job = |command, reply| (CATALOGUE_LANE, Job::Catalogue { command, reply });
        self.run_rows(lines, commands, keys, job).await
    }

    /// Changes a product, if it still has the version the caller saw.
    ///
    /// # Errors
    /// A stale version, a field out of range, a sku that is taken, or a recount below what is reserved.
    #[doc = include_str!("../../docs/change_product.md")]
    pub async fn change_product(
        &self,
        id: ProductId,
        expected: Option<u32>,
        change: ProductChange,
    ) -> Result<Arc<Product>, Error> {
        let expected = self.expected(expected);
        product(
            self.change_catalogue(CatalogueCommand::ChangeProduct { id, expected, change }).await?,
        )
    }

    /// Takes a product off sale.
    ///
    /// # Errors
    /// A stale version, or no such product.
    #[doc = include_str!("../../docs/archive_product.md")]
    pub async fn archive_product(
        &self,
        id: ProductId,
        expected: Option<u32>,
    ) -> Result<Arc<Product>, Error> {
        let expected = self.expected(expected);
        product(self.change_catalogue(CatalogueCommand::ArchiveProduct { id, expected }).await?)
    }

    /// Creates a shop.
    ///
    /// # Errors
    /// A field out of range, or a warehouse that does not exist.
    #[doc = include_str!("../../docs/create_shop.md")]
    pub async fn create_shop(&self, new: NewShop) -> Result<Arc<Shop>, Error> {
        shop(self.change_catalogue(CatalogueCommand::CreateShop(new)).await?)
    }

    /// Changes a shop, if it still has the version the caller saw.
    ///
    /// # Errors
    /// A stale version, a field out of range, or a warehouse that does not exist.
    #[doc = include_str!("../../docs/change_shop.md")]
    pub async fn change_shop(
        &self,
        id: ShopId,
        expected: Option<u32>,
        change: ShopChange,
    ) -> Result<Arc<Shop>, Error> {
        let expected = self.expected(expected);
        shop(self.change_catalogue(CatalogueCommand::ChangeShop { id, expected, change }).await?)
    }

    /// Creates a warehouse.
    ///
    /// # Errors
    /// A field out of range.
    #[doc = include_str!("../../docs/create_warehouse.md")]
    pub async fn create_warehouse(&self, new: NewWarehouse) -> Result<Arc<Warehouse>, Error> {
        warehouse(self.change_catalogue(CatalogueCommand::CreateWarehouse(new)).await?)
    }

    /// Changes a warehouse, if it still has the version the caller saw.
    ///
    /// # Errors
    /// A stale version, or a field out of range.
    #[doc = include_str!("../../docs/change_warehouse.md")]
    pub async fn change_warehouse(
        &self,
        id: WarehouseId,
        expected: Option<u32>,
        change: WarehouseChange,
    ) -> Result<Arc<Warehouse>, Error> {
        let expected = self.expected(expected);
        let command = CatalogueCommand::ChangeWarehouse { id, expected, change };
        warehouse(self.change_catalogue(command).await?)
    }
}

/// A hold that an order names is claimed and converted: as much as a line.
pub(super) fn lines_of_request(request: &PlaceOrder) -> usize {
    request.lines.len() + request.reservations.len()
}

/// Checks the size of a batch.
pub(super) fn check_batch(items: usize, lines: usize) -> Result<(), Refusal> {
    if items > BATCH_ORDERS_MAX {
        return Err(Refusal::invalid("orders", format!("must be at most {BATCH_ORDERS_MAX}")));
    }
    if lines > BATCH_LINES_MAX {
        let detail = format!("must be at most {BATCH_LINES_MAX} orders and lines in all");
        return Err(Refusal::invalid("orders", detail));
    }
    Ok(())
}

macro_rules! unwrap_thing {
    ($($name:ident: $variant:ident),*) => {$(
        fn $name(thing: CatalogueThing) -> Result<Arc<$variant>, Error> {
            match thing {
                CatalogueThing::$variant(thing) => Ok(thing),
                _ => unreachable!("a command answers with what it is about"),
            }
        }
    )*};
}

unwrap_thing!(product: Product, shop: Shop, warehouse: Warehouse);
