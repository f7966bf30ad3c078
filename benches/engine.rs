//! The engine's parts and the engine: codec, mailboxes, and orders by how many are in flight.
//!
//! One thread is the client and drives all calls in flight; the engine's threads run beside it. The disk that counts is the one
//! behind the temporary folder: set `TMPDIR` to choose it. After each group the engine is audited: a fast wrong answer is no
//! answer.

use std::{
    cell::Cell,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main, measurement::WallTime,
};
use futures_executor::block_on;
use futures_util::future::join_all;
use stockade_actors::{BatchMode, Config, Engine, Error};
use stockade_domain::{
    Currency, Event, OrderId, Owner, ProductId, Refusal, ShopId, StockKey, Timestamp, WarehouseId,
    catalogue::{Catalogue, CatalogueCommand, NewProduct, NewShop, NewWarehouse},
    limits::{BATCH_ORDERS_MAX, QUANTITY_MAX},
    order::{LineQuantity, Order, OrderCommand, OrderEvent, PlaceOrder},
    sourcing::Allocation,
    stock::{StockCommand, StockEvent, Take},
};
use stockade_storage::{decode, encode};
use tempfile::TempDir;

// The engine's binary runs on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHOP: ShopId = ShopId(1);
const WAREHOUSE: WarehouseId = WarehouseId(1);
const PAY: OrderCommand = OrderCommand::Pay { amount: None, method: None, reference: None };

/// The hot product, and as many as a middling shop has.
const SKUS: [u64; 2] = [1, 10_000];

/// Calls in flight: a lone caller, a pool of connections, a crowd.
const DEPTHS: [usize; 3] = [1, 64, 4_096];

/// Batches in flight: enough that the journal has work while the client makes the next.
const BATCHES: usize = 16;

/// An engine with products that never run out.
struct Shop {
    engine: Engine,
    skus: u64,
    random: Cell<u64>,
    /// Removed when the engine has ended.
    _folder: Option<TempDir>,
}

impl Shop {
    fn in_memory(skus: u64) -> Self {
        Self::open(Config::in_memory(), skus, None)
    }

    /// Synced before every answer: the default.
    fn durable(skus: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::open(Config::new(folder.path().join("data")), skus, Some(folder))
    }

    fn open(config: Config, skus: u64, folder: Option<TempDir>) -> Self {
        let engine = Engine::open(config).expect("an engine");
        let new = || NewProduct {
            opening: Some((WAREHOUSE, QUANTITY_MAX)),
            ..NewProduct::new("ruler", 350, Currency::USD)
        };
        let products: Vec<_> = (0..skus).map(|_| CatalogueCommand::CreateProduct(new())).collect();
        for products in products.chunks(BATCH_ORDERS_MAX) {
            let created = block_on(engine.change_catalogue_many(products.to_vec()));
            created.expect("room").into_iter().for_each(|product| drop(product.expect("valid")));
        }
        Self { engine, skus, random: Cell::new(1), _folder: folder }
    }

    /// An order for one unit of any product: always the same sequence.
    fn request(&self) -> PlaceOrder {
        let random = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(random);
        let product = ProductId((random >> 33) % self.skus + 1);
        PlaceOrder::new(SHOP, vec![LineQuantity { product, quantity: 1 }])
    }

    async fn place(&self) {
        self.engine.place_order(self.request()).await.expect("units enough");
    }

    async fn place_batch(&self) -> Vec<Order> {
        let requests = (0..BATCH_ORDERS_MAX).map(|_| self.request()).collect();
        let placed = self.engine.place_orders(requests, BatchMode::Each).await.expect("room");
        placed.into_iter().map(|order| order.expect("units enough")).collect()
    }

    async fn place_and_pay_batch(&self) {
        let placed = self.place_batch().await;
        let commands = placed.iter().map(|order| (order.id(), PAY)).collect();
        let paid = self.engine.change_orders(commands).await.expect("room");
        paid.into_iter().for_each(|order| drop(order.expect("an unpaid order")));
    }

    /// Checks everything that can be checked.
    fn audit(&self) {
        let audit = self.engine.audit().expect("a readable journal");
        assert_eq!(audit.violations, [], "after {} events", audit.events);
        assert_eq!(self.engine.stats().open_table, 0, "nothing is in flight");
    }
}

/// Does `task` so often, `depth` at a time, and says how long all of it took.
fn drive<T>(times: u64, depth: usize, task: impl AsyncFn() -> T) -> Duration {
    let left = Cell::new(times);
    let caller = async || {
        while let Some(rest) = left.get().checked_sub(1) {
            left.set(rest);
            black_box(task().await);
        }
    };
    let begun = Instant::now();
    block_on(join_all((0..depth).map(|_| caller())));
    begun.elapsed()
}

/// How long a bench with much in flight is measured.
const CROWDED: Duration = Duration::from_secs(2);

/// A second for each bench: ten samples, each many times what is in flight. With much in flight that takes longer, see [`CROWDED`].
fn group<'a>(c: &'a mut Criterion, name: &str, orders: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut benches = c.benchmark_group(name);
    benches
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .throughput(Throughput::Elements(orders as u64));
    benches
}

/// The events of one order of one line, placed and paid, as the rules make them in a shop that has run for a while.
fn events() -> [Event; 4] {
    let at = Timestamp(1_800_000_000_000);
    let mut catalogue = Catalogue::default();
    let mut run = |command| {
        let event = catalogue.decide(&command, at).expect("a valid command");
        catalogue.evolve(&event.expect("something new"));
    };
    let warehouse = NewWarehouse { name: "warehouse".into(), ..NewWarehouse::default() };
    run(CatalogueCommand::CreateWarehouse(warehouse));
    run(CatalogueCommand::CreateShop(NewShop::new("shop", Currency::USD)));
    for _ in 0..5_000 {
        run(CatalogueCommand::CreateProduct(NewProduct::new("ruler", 350, Currency::USD)));
    }
    let (product, id) = (ProductId(5_000), OrderId(1_000_000));
    let request = PlaceOrder::new(SHOP, vec![LineQuantity { product, quantity: 1 }]);
    let quote = request.quote(&catalogue, 10_002).expect("a product that is sold");
    let allocation = Allocation { line: 0, warehouse: WAREHOUSE, hold: None, quantity: 1 };
    let placed = Arc::new(quote.place(request, id, vec![allocation], at));
    let paid = Order::new(placed.clone()).decide(&PAY, at).expect("an unpaid order");
    let [payment, paid] = paid.try_into().expect("a payment in full is two events");
    let (stock, take) = (StockKey::new(WAREHOUSE, product), Take::Reserve { quantity: 1 });
    let taken = StockEvent::Taken { stock, owner: Owner::order(id), step: 0, take };
    [taken.into(), OrderEvent::Placed(placed).into(), payment.into(), paid.into()]
}

fn codec(c: &mut Criterion) {
    let events = events();
    let records = events.each_ref().map(|event| {
        let mut bytes = Vec::new();
        encode(event, &mut bytes);
        bytes
    });
    let [taken, placed, payment, paid] = records.each_ref().map(Vec::len);
    let bytes = taken + placed + payment + paid;
    println!(
        "an order of one line, placed and paid: {bytes} bytes \
         (taken {taken}, placed {placed}, payment {payment}, paid {paid})"
    );
    let mut benches = c.benchmark_group("codec: the 4 events of an order");
    benches
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .throughput(Throughput::Bytes(bytes as u64));
    benches.bench_function("encode", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            black_box(&events).iter().for_each(|event| encode(event, &mut out));
            out.len()
        });
    });
    benches.bench_function("decode", |bencher| {
        let decode = |bytes: &Vec<u8>| decode::<Event>(bytes).expect("an event");
        bencher.iter(|| black_box(&records).each_ref().map(decode));
    });
    benches.finish();
}

/// In at the door, through the mailboxes, and out again: a refusal changes nothing, so the journal has no part in it.
fn mailbox(c: &mut Criterion) {
    let shop = Shop::in_memory(1);
    let engine = &shop.engine;
    let order = block_on(engine.place_order(shop.request())).expect("units enough").id();
    block_on(engine.pay_order(order, None)).expect("an unpaid order");
    let key = StockKey::new(WAREHOUSE, ProductId(1));
    let pay_again = async || {
        let refused = engine.pay_order(order, None).await;
        assert_eq!(refused, Err(Error::Refused(Refusal::OrderAlreadyPaid)));
    };
    let count_too_few = async || {
        let command = StockCommand::Recount { on_hand: 0, reason: "counted".into() };
        let refused = engine.change_stock(key, command).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::InsufficientStock(_)))));
    };
    let mut benches = group(c, "mailbox: a refusal, in flight", 1);
    for depth in [1, 64] {
        benches.bench_function(BenchmarkId::new("of an order", depth), |bencher| {
            bencher.iter_custom(|times| drive(times, depth, pay_again));
        });
        benches.bench_function(BenchmarkId::new("of a stock", depth), |bencher| {
            bencher.iter_custom(|times| drive(times, depth, count_too_few));
        });
    }
    benches.finish();
    shop.audit();
}

/// One order a call, by how many calls are in flight.
fn place(c: &mut Criterion, name: &str, open: fn(u64) -> Shop) {
    for skus in SKUS {
        let shop = open(skus);
        let mut benches = group(c, &format!("place, {name}, SKUs {skus}, in flight"), 1);
        for depth in DEPTHS {
            if depth > 64 {
                benches.measurement_time(CROWDED);
            }
            benches.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
                bencher.iter_custom(|times| drive(times, depth, async || shop.place().await));
            });
        }
        benches.finish();
        shop.audit();
    }
}

fn place_in_memory(c: &mut Criterion) {
    place(c, "in memory", Shop::in_memory);
}

fn place_durable(c: &mut Criterion) {
    place(c, "durable", Shop::durable);
}

/// Orders in bulk: an iteration is a batch.
fn bulk(c: &mut Criterion) {
    for skus in SKUS {
        let shop = Shop::durable(skus);
        let name = format!("batches of {BATCH_ORDERS_MAX}, durable, SKUs {skus}");
        let mut benches = group(c, &name, BATCH_ORDERS_MAX);
        benches.measurement_time(CROWDED);
        benches.bench_function("place", |bencher| {
            let place = async || shop.place_batch().await;
            bencher.iter_custom(|times| drive(times, BATCHES, place));
        });
        benches.bench_function("place, then pay", |bencher| {
            let place_and_pay = async || shop.place_and_pay_batch().await;
            bencher.iter_custom(|times| drive(times, BATCHES, place_and_pay));
        });
        benches.finish();
        shop.audit();
    }
}

/// Criterion's 100,000 resamples take longer than what they analyse, and say no more of ten samples.
fn quick() -> Criterion {
    Criterion::default().nresamples(10_000)
}

criterion_group! {
    name = benches;
    config = quick();
    targets = codec, mailbox, place_in_memory, place_durable, bulk
}
criterion_main!(benches);
