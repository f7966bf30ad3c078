//! `stockade seed`: made-up products and orders, the same for the same seed.
//!
//! It makes a plan of the same kind as `replay` does and runs it against the same targets. Opening stock covers every order, so
//! that none is refused and what comes out does not depend on which was faster.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use stockade::domain::Currency;

use super::{
    Failure, Output, print, print_json,
    replay::{
        codes::Kind,
        embedded::Embedded,
        orders::PlannedOrder,
        plan::{Left, Plan, PlannedProduct, Stage, TakeBack},
        run::progress,
        target_at,
    },
    rest::Token,
};

/// The most products and orders: a plan is kept in memory.
const PRODUCTS_MAX: u64 = 1_000_000;
const ORDERS_MAX: u64 = 5_000_000;

/// Orders of one stage.
const STAGE_ORDERS: usize = 1_000;

/// Flags of `stockade seed`.
#[derive(Debug, Args)]
pub(super) struct Seed {
    /// The same seed makes the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many products
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=PRODUCTS_MAX))]
    products: u64,
    /// How many orders
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=ORDERS_MAX))]
    orders: u64,
    /// Put it here, beside whatever the directory has
    #[arg(long, value_name = "DIR", required_unless_present = "url", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Put it into a running server through REST
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
    /// How to print what was made
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What was made: the same for the same flags.
#[derive(Debug, Default, Serialize)]
struct Made {
    seed: u64,
    products: u64,
    orders: u64,
    orders_unpaid: u64,
    orders_paid: u64,
    orders_shipped: u64,
    orders_cancelled: u64,
    lines: u64,
    units: u64,
    /// Of all orders, in pounds.
    value: String,
}

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unpaid,
    Paid,
    Shipped,
    Cancelled,
}

impl Seed {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (plan, made) = make(self.seed, self.products, self.orders);
        let (url, directory) = (self.url.as_deref(), self.data_dir.as_deref());
        let mut target = target_at(url, &self.token, directory, Embedded::open)?;
        // Seeding again is asking for what is there.
        if target.sells(&sku(1))? {
            target.close()?;
            let made = Made { seed: self.seed, value: Currency::GBP.format(0), ..Made::default() };
            return self.print(&made, "there are made-up products already: nothing added\n");
        }
        target.open_shop(&plan)?;
        let bar = progress(plan.orders.len());
        for stage in &plan.stages {
            let outcomes = target.run(&plan, stage)?;
            let short = outcomes.placed.iter().filter(|placed| !**placed).count();
            if let Some(refused) = outcomes.refused.first() {
                return Err(Failure::work(format!("refused: {refused}")));
            }
            if short > 0 {
                return Err(Failure::work(format!(
                    "{short} orders were refused for want of stock"
                )));
            }
            bar.inc(stage.place.len() as u64);
        }
        bar.finish_and_clear();
        target.close()?;
        self.print(&made, &made.text())
    }

    fn print(&self, made: &Made, text: &str) -> Result<(), Failure> {
        match self.output {
            Output::Text => print(text),
            Output::Json => print_json(made),
        }
    }
}

/// How the products are called.
fn sku(n: u64) -> String {
    format!("SEED-{n:06}")
}

impl Made {
    fn text(&self) -> String {
        format!(
            "products  {}\norders    {}: {} unpaid, {} paid, {} shipped, {} cancelled\n\
             ordered   {} units in {} lines, £{}\n",
            self.products,
            self.orders,
            self.orders_unpaid,
            self.orders_paid,
            self.orders_shipped,
            self.orders_cancelled,
            self.units,
            self.lines,
            self.value
        )
    }
}

/// SplitMix64: small, well mixed, and the same everywhere for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below - 1`.
    fn below(&mut self, below: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(below)) >> 64) as u64
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len() as u64) as usize]
    }
}

fn make(seed: u64, products: u64, orders: u64) -> (Plan, Made) {
    let mut random = Random(seed);
    let mut products: Vec<_> = (1..=products).map(|n| product(&mut random, n)).collect();
    let mut made = Made { seed, products: products.len() as u64, orders, ..Made::default() };
    let mut planned = Vec::with_capacity(orders as usize);
    let mut fates = Vec::with_capacity(orders as usize);
    let mut pence = 0;
    for n in 1..=orders {
        let order = order(&mut random, &products, n);
        for line in &order.lines {
            products[line.product].opening += line.quantity;
            made.lines += 1;
            made.units += line.quantity;
        }
        pence += order.pence;
        let (fate, count) = match random.below(20) {
            0..2 => (Fate::Unpaid, &mut made.orders_unpaid),
            2..7 => (Fate::Paid, &mut made.orders_paid),
            7..19 => (Fate::Shipped, &mut made.orders_shipped),
            _ => (Fate::Cancelled, &mut made.orders_cancelled),
        };
        *count += 1;
        fates.push(fate);
        planned.push(order);
    }
    made.value = Currency::GBP.format(pence);
    let stages = stages(&planned, &fates);
    let shop = "Made up";
    (Plan { shop, products, orders: planned, stages, left: Left::default() }, made)
}

fn product(random: &mut Random, n: u64) -> PlannedProduct {
    const LOOKS: [&str; 12] = [
        "Blue", "Red", "White", "Small", "Large", "Oak", "Steel", "Linen", "Striped", "Folding",
        "Glazed", "Vintage",
    ];
    const THINGS: [&str; 16] = [
        "mug", "teapot", "tray", "lamp", "lantern", "cushion", "basket", "clock", "frame", "bowl",
        "jar", "apron", "candle", "mirror", "stool", "kettle",
    ];
    let name = format!("{} {} {n}", random.of(&LOOKS), random.of(&THINGS));
    // Most things are cheap, and end in 5 or 9 pence.
    let price = 50 + random.below(40) * random.below(40) * 10;
    let price = (price + [5, 9][random.below(2) as usize]) as i64;
    let opening = random.below(200);
    PlannedProduct { code: sku(n), name, kind: Kind::Good, price, opening }
}

/// One to five different products, some of them far more often than others.
fn order(random: &mut Random, products: &[PlannedProduct], n: u64) -> PlannedOrder {
    let count = products.len() as u64;
    let mut lines: Vec<(usize, u64, i64)> = Vec::new();
    for _ in 0..=random.below(5) {
        let product = random.below(count).min(random.below(count)) as usize;
        let quantity = 1 + random.below(6);
        if lines.iter().all(|(known, ..)| *known != product) {
            lines.push((product, quantity, products[product].price));
        }
    }
    PlannedOrder::made_up(format!("SEED-{n:07}"), 1 + random.below(1_000), &lines)
}

/// Placed in one stage; paid in the next; shipped or cancelled in the one after.
fn stages(orders: &[PlannedOrder], fates: &[Fate]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let blocks = orders.len().div_ceil(STAGE_ORDERS);
    stages.resize_with(if blocks == 0 { 0 } else { blocks + 2 }, Stage::default);
    for (index, fate) in fates.iter().enumerate() {
        let block = index / STAGE_ORDERS;
        stages[block].place.push(index);
        if matches!(fate, Fate::Paid | Fate::Shipped) {
            stages[block + 1].pay.push(index);
        }
        match fate {
            Fate::Shipped => stages[block + 2].ship.push(index),
            Fate::Cancelled => stages[block + 2].take_back.push(TakeBack {
                order: index,
                shipped: false,
                units: orders[index].units(),
                refund: 0,
                invoice: "changed my mind".into(),
            }),
            Fate::Unpaid | Fate::Paid => {}
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_and_another_makes_another() {
        let figures = |seed| {
            let (plan, made) = make(seed, 50, 2_500);
            assert_eq!(plan.stages.len(), 5);
            format!("{made:?} {:?} {:?}", plan.products, plan.orders[2_499].lines)
        };
        assert_eq!(figures(7), figures(7));
        assert_ne!(figures(7), figures(8));
    }
}
