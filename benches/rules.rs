//! The rules alone: decide and evolve, without actors, journal or clock.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stockade_domain::{
    Currency, Event, OrderId, Owner, ProductId, Quantity, ShopId, StockKey, Timestamp, WarehouseId,
    catalogue::{Catalogue, CatalogueCommand, NewProduct, NewShop, NewWarehouse},
    open::OpenTable,
    order::{LineQuantity, Order, OrderCommand, OrderEvent, PlaceOrder},
    sourcing::{Demand, Sourcing, plan, use_held},
    stock::{Give, Stock, StockEvent, Take},
};

// The engine's binary runs on it, and events are mostly small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

const STOCK: StockKey = StockKey { product: ProductId(1), warehouse: WarehouseId(1) };

/// Placing is the first workflow of an order, giving up is its second.
const PLACING: u32 = 0;
const GIVING_UP: u32 = 1;

/// More than any order here wants.
const PLENTY: Quantity = 1_000_000;

/// A catalogue with so many products, one shop and one warehouse.
fn catalogue(products: usize) -> Catalogue {
    let mut catalogue = Catalogue::default();
    let mut run = |command| {
        let event = catalogue.decide(&command, NOW).expect("a valid command");
        catalogue.evolve(&event.expect("something new"));
    };
    let warehouse = NewWarehouse { name: "warehouse".into(), ..NewWarehouse::default() };
    run(CatalogueCommand::CreateWarehouse(warehouse));
    run(CatalogueCommand::CreateShop(NewShop::new("shop", Currency::USD)));
    for _ in 0..products {
        run(CatalogueCommand::CreateProduct(NewProduct::new("ruler", 350, Currency::USD)));
    }
    catalogue
}

fn request(lines: usize) -> PlaceOrder {
    let line = |product| LineQuantity { product: ProductId(product), quantity: 2 };
    PlaceOrder::new(ShopId(1), (1..).take(lines).map(line).collect())
}

/// What an engine does to place an order, but for asking the stocks.
fn place(catalogue: &Catalogue, request: PlaceOrder) -> Order {
    let quote = request.quote(catalogue, 1).expect("products that are sold");
    let (mut allocations, demands) = use_held(&quote.wanted(), &[]);
    let planned = plan(quote.sourcing, &quote.candidates, &demands, &mut |_| PLENTY);
    allocations.extend(planned.allocations);
    Order::new(Arc::new(quote.place(request, OrderId(1), allocations, NOW)))
}

fn placed(lines: usize) -> Order {
    place(&catalogue(lines), request(lines))
}

fn reserve(stock: &mut Stock, order: u64) {
    let owner = Owner::order(OrderId(order));
    let taken = stock.take(STOCK, owner, PLACING, Take::Reserve { quantity: 1 });
    stock.evolve(&taken.expect("enough units"));
}

fn release(stock: &mut Stock, order: u64) {
    let owner = Owner::order(OrderId(order));
    let give = Give::Release { entry: owner, quantity: 1 };
    stock.evolve(&StockEvent::Given { stock: STOCK, owner, step: GIVING_UP, give });
}

/// A new order reserves a unit and the oldest gives one back, so that the number of live entries stays.
fn stock(c: &mut Criterion) {
    let mut benches = c.benchmark_group("stock: reserve and release, live entries");
    benches.throughput(Throughput::Elements(1));
    for live in [1u64, 1_000, 100_000] {
        let mut stock = Stock { on_hand: live + 1, ..Stock::default() };
        (0..live).for_each(|order| reserve(&mut stock, order));
        let mut next = live;
        benches.bench_function(BenchmarkId::from_parameter(live), |bencher| {
            bencher.iter(|| {
                reserve(&mut stock, black_box(next));
                release(&mut stock, black_box(next - live));
                next += 1;
            });
        });
    }
    benches.finish();
}

/// Quote, plan and decision.
fn order_place(c: &mut Criterion) {
    let mut benches = c.benchmark_group("order: place, lines");
    benches.throughput(Throughput::Elements(1));
    for lines in [1, 10] {
        let (catalogue, request) = (catalogue(lines), request(lines));
        benches.bench_function(BenchmarkId::from_parameter(lines), |bencher| {
            let place = |request| place(&catalogue, request);
            bencher.iter_batched(|| request.clone(), place, BatchSize::SmallInput);
        });
    }
    benches.finish();
}

/// A command on an order that was placed and no more.
fn order_command(c: &mut Criterion, name: &str, command: &OrderCommand) {
    let mut benches = c.benchmark_group(format!("order: {name}, lines"));
    benches.throughput(Throughput::Elements(1));
    for lines in [1, 10] {
        let order = placed(lines);
        let at = order.placed.payment_deadline();
        let run = |mut order: Order| {
            let events = order.decide(black_box(command), at).expect("an open order");
            events.iter().for_each(|event| order.evolve(event));
            // Handed back, so that freeing them is not timed.
            (order, events)
        };
        benches.bench_function(BenchmarkId::from_parameter(lines), |bencher| {
            bencher.iter_batched(|| order.clone(), run, BatchSize::SmallInput);
        });
    }
    benches.finish();
}

fn order_pay(c: &mut Criterion) {
    order_command(c, "pay", &OrderCommand::Pay { amount: None, method: None, reference: None });
}

fn order_expire(c: &mut Criterion) {
    order_command(c, "expire", &OrderCommand::Expire);
}

/// One line that needs a unit of every warehouse: the longest a plan can get.
fn sourcing(c: &mut Criterion) {
    let mut benches = c.benchmark_group("sourcing: plan a split line, warehouses");
    for warehouses in [1u64, 10, 100] {
        let candidates: Vec<_> = (1..=warehouses).map(WarehouseId).collect();
        let demands = [Demand { line: 0, product: ProductId(1), quantity: warehouses }];
        benches.throughput(Throughput::Elements(warehouses));
        benches.bench_function(BenchmarkId::from_parameter(warehouses), |bencher| {
            bencher.iter(|| {
                let mut available = |_| black_box(1);
                plan(Sourcing::default(), black_box(&candidates), &demands, &mut available)
            });
        });
    }
    benches.finish();
}

/// A take enters the table and its decision removes it, while takes of other orders are open.
fn open_table(c: &mut Criterion) {
    let mut benches = c.benchmark_group("open table: take and decide, others open");
    benches.throughput(Throughput::Elements(1));
    let taken = |order| {
        let (owner, take) = (Owner::order(order), Take::Reserve { quantity: 2 });
        Event::from(StockEvent::Taken { stock: STOCK, owner, step: PLACING, take })
    };
    let order = placed(1);
    let (take, decision) = (taken(order.id()), OrderEvent::Placed(order.placed).into());
    for others in [0u64, 4_096] {
        let mut table = OpenTable::default();
        (1..=others).for_each(|other| table.apply(other, &taken(OrderId(other + 1))));
        benches.bench_function(BenchmarkId::from_parameter(others), |bencher| {
            bencher.iter(|| {
                table.apply(others + 1, black_box(&take));
                table.apply(others + 2, black_box(&decision));
            });
        });
        assert_eq!(table.len() as u64, others, "what was taken was decided");
    }
    benches.finish();
}

/// Nothing here waits for anything, so that half a second each is steady to a few percent. Criterion's 100,000 resamples would
/// take longer than that.
fn quick() -> Criterion {
    Criterion::default()
        .nresamples(10_000)
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = stock, order_place, order_pay, order_expire, sourcing, open_table
}
criterion_main!(benches);
