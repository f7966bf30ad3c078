//! Measures what an order costs: time, CPU, syncs, bytes and memory.
//!
//! ```text
//! cargo run --release --example measure -- skus=10000 in_flight=16 batch=1000
//! ```
//!
//! Every setting is `name=value`; each has a default, shown by `help`. What is printed is one line for each round, and one
//! before and after them, of `name=value` pairs separated by spaces: nothing else goes to the standard output. The first round
//! also warms up (the processor, the allocator, the journal's first segments), so compare later ones.
//!
//! - `cpu_us_per_order`: of the whole process, in microseconds. One thread is the client: its work, making requests and
//!   dropping answers, is in here and in `per_second`.
//! - `bytes_per_order`: what the journal wrote; checkpoints are not in it.
//! - `syncs_per_order`, `sync_us_mean`: of the journal, and how long one took, in microseconds.
//! - `rss_bytes_per_order`: by how much the memory of the process that is in RAM has grown, with everything that keeps a live
//!   order (its deadline and its stock's entry), what checkpoints use, and with `durability=memory` the journal.
//!
//! After the last round the engine is audited, and the program fails if anything is wrong: a fast wrong answer is no answer.

use std::{
    cell::Cell,
    error::Error,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use futures_executor::block_on;
use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use stockade_actors::{BatchMode, Config, Durability, Engine};
use stockade_domain::{
    Currency, ProductId, ShopId, WarehouseId,
    catalogue::{CatalogueCommand, NewProduct},
    limits::{BATCH_ORDERS_MAX, QUANTITY_MAX},
    order::{LineQuantity, Order, OrderCommand, PlaceOrder},
};

// The engine's binary runs on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is measured.
struct Settings {
    skus: u64,
    lines: u64,
    orders: u64,
    batch: usize,
    in_flight: usize,
    rounds: u64,
    lanes: Option<usize>,
    pay: bool,
    durability: &'static str,
    dir: PathBuf,
}

const HELP: &str = "\
skus=10000       products; 1 is the hot SKU
lines=1          lines of an order, each of another product if there are enough
orders=1000000   orders of a round, rounded down to whole batches
batch=1000       orders of a call, at most 1000; 1 calls place_order
in_flight=16     calls at once
rounds=3         each in the same engine
pay=false        true pays every order right after it was placed, in as many calls
lanes=           threads that run the actors; as the engine chooses
durability=sync  sync: synced before an answer; interval: synced every 100 ms; none: never; memory: no disk at all
dir=             folder on the disk to measure; the temporary folder";

/// From the safest, which is the default.
const DURABILITIES: [&str; 4] = ["sync", "interval", "none", "memory"];

/// Between two syncs with `durability=interval`.
const INTERVAL: Duration = Duration::from_millis(100);

impl Settings {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut settings = Self {
            skus: 10_000,
            lines: 1,
            orders: 1_000_000,
            batch: 1_000,
            in_flight: 16,
            rounds: 3,
            lanes: None,
            pay: false,
            durability: DURABILITIES[0],
            dir: std::env::temp_dir(),
        };
        for argument in arguments {
            let Some((name, value)) = argument.split_once('=') else {
                return Err(format!("`{argument}` is not a setting, try `help`").into());
            };
            let set = settings.set(name, value);
            set.map_err(|error| format!("{argument}: {error}, try `help`"))?;
        }
        if settings.skus == 0 || settings.lines == 0 || settings.in_flight == 0 {
            return Err("skus, lines and in_flight must be at least 1".into());
        }
        if !(1..=BATCH_ORDERS_MAX).contains(&settings.batch) {
            return Err(format!("batch must be from 1 to {BATCH_ORDERS_MAX}").into());
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "skus" => self.skus = value.parse()?,
            "lines" => self.lines = value.parse()?,
            "orders" => self.orders = value.parse()?,
            "batch" => self.batch = value.parse()?,
            "in_flight" => self.in_flight = value.parse()?,
            "rounds" => self.rounds = value.parse()?,
            "lanes" => self.lanes = Some(value.parse()?),
            "pay" => self.pay = value.parse()?,
            "dir" => self.dir = value.into(),
            "durability" => {
                let known = DURABILITIES.into_iter().find(|known| *known == value);
                self.durability = known.ok_or("there is no such durability")?;
            }
            _ => return Err("there is no such setting".into()),
        }
        Ok(())
    }

    fn config(&self, folder: PathBuf) -> Config {
        let config = match self.durability {
            "memory" => Config::in_memory(),
            "none" => Config { durability: Durability::None, ..Config::new(folder) },
            "interval" => {
                Config { durability: Durability::Interval(INTERVAL), ..Config::new(folder) }
            }
            _ => Config::new(folder),
        };
        Config { lanes: self.lanes.unwrap_or(config.lanes), ..config }
    }
}

/// What has been used so far.
struct Used {
    at: Instant,
    cpu: Duration,
    syncs: u64,
    sync_us: u64,
    bytes: u64,
    rss: Option<u64>,
}

impl Used {
    fn now(engine: &Engine) -> Result<Self> {
        let journal = engine.stats().journal;
        Ok(Self {
            at: Instant::now(),
            cpu: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?,
            syncs: journal.syncs,
            sync_us: journal.sync_us_total,
            bytes: journal.bytes_written,
            rss: resident_bytes(),
        })
    }

    /// Prints what a round has used.
    fn report(&self, after: &Self, round: u64, orders: u64) {
        let seconds = (after.at - self.at).as_secs_f64();
        let each = |amount: f64| amount / orders.max(1) as f64;
        let syncs = after.syncs - self.syncs;
        let sync_us = (after.sync_us - self.sync_us) as f64 / syncs.max(1) as f64;
        // Pages that the allocator gave back make it negative, and that is worth seeing.
        let rss = match (self.rss, after.rss) {
            (Some(before), Some(after)) => format!("{:.1}", each(after as f64 - before as f64)),
            _ => "unknown".into(),
        };
        println!(
            "round={round} orders={orders} seconds={seconds:.3} per_second={:.0} cpu_us_per_order={:.3} \
             syncs_per_order={:.6} sync_us_mean={sync_us:.1} bytes_per_order={:.1} rss_bytes_per_order={rss}",
            orders as f64 / seconds,
            each((after.cpu - self.cpu).as_secs_f64() * 1e6),
            each(syncs as f64),
            each((after.bytes - self.bytes) as f64),
        );
    }
}

/// Memory of this process that is in RAM, where the system tells (Linux).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1_024)
}

/// An engine and its client.
struct Client {
    engine: Engine,
    settings: Settings,
    random: Cell<u64>,
}

impl Client {
    /// Products that never run out.
    async fn stock_up(&self) -> Result<()> {
        let product = CatalogueCommand::CreateProduct(NewProduct {
            opening: Some((WarehouseId(1), QUANTITY_MAX)),
            ..NewProduct::new("ruler", 350, Currency::USD)
        });
        let mut missing = self.settings.skus as usize;
        while missing > 0 {
            let products = vec![product.clone(); missing.min(BATCH_ORDERS_MAX)];
            missing -= products.len();
            for created in self.engine.change_catalogue_many(products).await? {
                created?;
            }
        }
        Ok(())
    }

    fn request(&self) -> PlaceOrder {
        let random = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(random);
        let first = random >> 33;
        // Neighbours, so that a line names another product than the one before it.
        let line = |line| LineQuantity {
            product: ProductId((first + line) % self.settings.skus + 1),
            quantity: 1,
        };
        PlaceOrder::new(ShopId(1), (0..self.settings.lines).map(line).collect())
    }

    async fn place(&self) -> Result<Vec<Order>> {
        if self.settings.batch == 1 {
            return Ok(vec![self.engine.place_order(self.request()).await?]);
        }
        let requests = (0..self.settings.batch).map(|_| self.request()).collect();
        let placed = self.engine.place_orders(requests, BatchMode::Each).await?;
        Ok(placed.into_iter().collect::<std::result::Result<_, _>>()?)
    }

    async fn pay(&self, orders: &[Order]) -> Result<()> {
        if let [order] = orders {
            self.engine.pay_order(order.id(), None).await?;
            return Ok(());
        }
        let pay = OrderCommand::Pay { amount: None, method: None, reference: None };
        let commands = orders.iter().map(|order| (order.id(), pay.clone())).collect();
        for paid in self.engine.change_orders(commands).await? {
            paid?;
        }
        Ok(())
    }

    /// Runs one round, and says how many orders it placed.
    async fn round(&self) -> Result<u64> {
        let left = Cell::new(self.settings.orders / self.settings.batch as u64);
        let placed = Cell::new(0);
        let caller = async || -> Result<()> {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                let orders = self.place().await?;
                if self.settings.pay {
                    self.pay(&orders).await?;
                }
                placed.set(placed.get() + orders.len() as u64);
            }
            Ok(())
        };
        try_join_all((0..self.settings.in_flight).map(|_| caller())).await?;
        Ok(placed.get())
    }

    async fn run(&self) -> Result<()> {
        self.stock_up().await?;
        for round in 1..=self.settings.rounds {
            let before = Used::now(&self.engine)?;
            let orders = self.round().await?;
            before.report(&Used::now(&self.engine)?, round, orders);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match measure(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Vec<String>) -> Result<()> {
    if arguments == ["help"] {
        println!("{HELP}");
        return Ok(());
    }
    let settings = Settings::parse(&arguments)?;
    let folder = tempfile::tempdir_in(&settings.dir)?;
    let config = settings.config(folder.path().join("data"));
    println!(
        "skus={} lines={} batch={} in_flight={} pay={} lanes={} durability={} cores={}",
        settings.skus,
        settings.lines,
        settings.batch,
        settings.in_flight,
        settings.pay,
        config.lanes,
        settings.durability,
        std::thread::available_parallelism()?,
    );
    let client = Client { engine: Engine::open(config)?, settings, random: Cell::new(1) };
    block_on(client.run())?;
    let audit = client.engine.audit()?;
    if let Some(violation) = audit.violations.first() {
        return Err(format!("the audit found a violation: {violation}").into());
    }
    let stats = client.engine.stats();
    let begun = Instant::now();
    client.engine.shutdown()?;
    println!(
        "events={} violations=0 checkpoints={} shutdown_seconds={:.3}",
        audit.events,
        stats.checkpoints,
        begun.elapsed().as_secs_f64(),
    );
    Ok(())
}
