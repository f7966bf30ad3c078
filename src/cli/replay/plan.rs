//! The plan of a replay: pure, made from the book before an engine is opened, the same on every machine.
//!
//! It says what is asked of the engine, in stages; and, by a stock model of a few additions, what the engine must answer. The
//! engine decides for itself; the run compares. See `docs/replay.md` for the rules and why.

use std::{collections::HashMap, mem};

use stockade::domain::adjustment::Reason;

use super::{
    book::{Book, Invoice, ProductIndex, WriteOff},
    codes::Kind,
    factor::Factor,
    orders::{PlannedOrder, PriceList},
    window::{Units, Windows},
};

/// The most orders, and the most orders and lines, of one stage: what one batch of the engine takes, with some room.
const STAGE_ORDERS_MAX: usize = 1_000;
const STAGE_LINES_MAX: usize = 40_000;

/// Index of an order in [`Plan::orders`].
pub(crate) type OrderIndex = usize;

/// What the price above the list is charged with: one unit of it is a penny.
pub(crate) const DIFFERENCE_CODE: &str = "PRICE-DIFFERENCE";

/// A product as it is created.
#[derive(Clone, Debug)]
pub(crate) struct PlannedProduct {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// In pence.
    pub(crate) price: i64,
    pub(crate) opening: u64,
}

/// Units taken back from one order for one cancellation.
#[derive(Clone, Debug)]
pub(crate) struct TakeBack {
    pub(crate) order: OrderIndex,
    /// Whether they had left the warehouse: a return, else a cancellation.
    pub(crate) shipped: bool,
    pub(crate) units: Vec<Units>,
    /// What was paid for them, in pence.
    pub(crate) refund: i64,
    /// The cancellation's number.
    pub(crate) invoice: String,
}

/// A write-off, and what the stock model says about it.
#[derive(Clone, Debug)]
pub(crate) struct PlannedWriteOff {
    pub(crate) units: Units,
    pub(crate) reason: Reason,
    pub(crate) invoice: String,
    pub(crate) accepted: bool,
}

/// Things to do that do not disturb each other: in any order, all at once.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// New prices, in pence.
    pub(crate) prices: Vec<(ProductIndex, i64)>,
    pub(crate) place: Vec<OrderIndex>,
    pub(crate) pay: Vec<OrderIndex>,
    pub(crate) ship: Vec<OrderIndex>,
    pub(crate) take_back: Vec<TakeBack>,
    /// Pence to pay back.
    pub(crate) refund: Vec<(OrderIndex, i64)>,
    pub(crate) write_off: Vec<PlannedWriteOff>,
    /// Invoices that are done with it, for the progress bar.
    pub(crate) invoices: u64,
}

/// What cannot be seen in the engine afterwards: what was never asked of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    /// Invoices whose rows come to nothing that can be ordered.
    pub(crate) empty_orders: u64,
    /// Cancellations with at least one unit of a good.
    pub(crate) cancellations: u64,
    /// Cancelled units of goods for which no earlier order of that customer is left.
    pub(crate) unmatched_units: u64,
    /// Rows of which at least one unit was unmatched.
    pub(crate) unmatched_rows: u64,
    /// Pence of charges in cancellations: credit notes and discounts, which move no stock.
    pub(crate) credits: i64,
}

/// Everything that will be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The name of the shop and of its warehouse.
    pub(crate) shop: &'static str,
    pub(crate) products: Vec<PlannedProduct>,
    pub(crate) orders: Vec<PlannedOrder>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) left: Left,
}

struct Planner<'a> {
    book: &'a Book,
    windows: Windows,
    orders: Vec<PlannedOrder>,
    stages: Vec<Stage>,
    left: Left,
    difference: ProductIndex,
    /// The open window's work.
    stage: Stage,
    stage_lines: usize,
    /// What the next stage has to do about the window before.
    pay: Vec<OrderIndex>,
    refund: Vec<(OrderIndex, i64)>,
    /// Orders that leave the warehouse when the day ends.
    unshipped: Vec<OrderIndex>,
    /// Orders by customer and good, oldest first.
    bought: HashMap<(u64, ProductIndex), Vec<OrderIndex>>,
}

impl Plan {
    pub(crate) fn new(book: &Book, factor: Factor) -> Self {
        let days: Vec<&[Invoice]> = book.invoices.chunk_by(|a, b| a.at.day == b.at.day).collect();
        let lists: Vec<_> = days.iter().map(|day| PriceList::of(book, day.iter())).collect();
        let difference = book.products.len();
        let mut next_order = 0;
        let mut orders = Vec::new();
        for (day, list) in days.iter().zip(&lists) {
            let sales = day.iter().filter(|invoice| !invoice.sold.is_empty());
            orders.extend(sales.map(|invoice| PlannedOrder::new(book, invoice, list, difference)));
        }
        let mut products = products(book, factor, &orders);
        let free = products.iter().map(|product| product.opening).collect();
        let mut planner = Planner::new(book, Windows::new(free), orders, difference);
        let mut listed: HashMap<ProductIndex, i64> = HashMap::new();
        for (day, list) in days.iter().zip(&lists) {
            for (product, price) in list.sorted() {
                match listed.insert(product, price) {
                    None => products[product].price = price,
                    Some(before) if before != price => planner.stage.prices.push((product, price)),
                    Some(_) => {}
                }
            }
            planner.day(day, &mut next_order);
        }
        planner.begin_day();
        planner.cut();
        let Planner { orders, stages, left, .. } = planner;
        Self { shop: "Online Retail", products, orders, stages, left }
    }
}

/// Every code of the book and the price difference. Goods open with their share of the demand; money is never short.
fn products(book: &Book, factor: Factor, orders: &[PlannedOrder]) -> Vec<PlannedProduct> {
    let mut demand = vec![0; book.products.len() + 1];
    for line in orders.iter().flat_map(|order| &order.lines) {
        demand[line.product] += line.quantity;
    }
    let planned = |code: &str, name: &str, kind, demand| PlannedProduct {
        code: code.to_owned(),
        name: name.to_owned(),
        kind,
        price: i64::from(kind == Kind::Charge),
        opening: if kind == Kind::Good { factor.of(demand) } else { demand },
    };
    let mut products: Vec<_> = book
        .products
        .iter()
        .zip(&demand)
        .map(|(product, demand)| planned(&product.code, &product.name, product.kind, *demand))
        .collect();
    let difference = demand.last().copied().unwrap_or(0);
    products.push(planned(DIFFERENCE_CODE, "Price above the list", Kind::Charge, difference));
    products
}

impl<'a> Planner<'a> {
    fn new(
        book: &'a Book,
        windows: Windows,
        orders: Vec<PlannedOrder>,
        difference: ProductIndex,
    ) -> Self {
        Self {
            book,
            windows,
            orders,
            stages: Vec::new(),
            left: Left::default(),
            difference,
            stage: Stage::default(),
            stage_lines: 0,
            pay: Vec::new(),
            refund: Vec::new(),
            unshipped: Vec::new(),
            bought: HashMap::new(),
        }
    }

    /// One day: its prices; what was sold the day before leaves the warehouse; its invoices.
    fn day(&mut self, invoices: &[Invoice], next_order: &mut OrderIndex) {
        self.begin_day();
        for invoice in invoices {
            if !invoice.sold.is_empty() {
                self.place(*next_order);
                *next_order += 1;
            }
            for write_off in &invoice.written_off {
                self.write_off(invoice, *write_off);
            }
            if !invoice.cancelled.is_empty() {
                self.cancel(invoice);
            }
            self.stage.invoices += 1;
        }
        self.cut();
    }

    /// Prices must be there before anything is placed, and payments before anything is shipped. Shipping itself frees no stock
    /// and needs none, so it shares the day's first window.
    fn begin_day(&mut self) {
        if !self.stage.prices.is_empty() || !self.pay.is_empty() || !self.refund.is_empty() {
            self.cut();
        }
        for index in mem::take(&mut self.unshipped) {
            if self.orders[index].is_empty() {
                continue;
            }
            self.room(self.orders[index].lines.len());
            self.orders[index].shipped = Some(self.windows.number());
            self.stage.ship.push(index);
        }
    }

    /// Ends the window: its work becomes a stage, together with the payments and refunds that follow from the one before.
    fn cut(&mut self) {
        let mut stage = mem::take(&mut self.stage);
        self.stage_lines = 0;
        let due = stage.place.iter().copied().filter(|order| {
            let order = &self.orders[*order];
            order.accepted && order.pence > 0
        });
        stage.pay = mem::replace(&mut self.pay, due.collect());
        let refunds = stage.take_back.iter().map(|back| (back.order, back.refund));
        let refunds = refunds.filter(|(_, pence)| *pence > 0).collect();
        stage.refund = mem::replace(&mut self.refund, refunds);
        self.windows.next();
        self.stages.push(stage);
    }

    /// Makes room for so many lines in the open stage.
    fn room(&mut self, lines: usize) {
        let orders = self.stage.place.len().max(self.stage.ship.len());
        let full = orders >= STAGE_ORDERS_MAX || self.stage_lines + lines + 1 > STAGE_LINES_MAX;
        if full {
            self.cut();
        }
        self.stage_lines += lines + 1;
    }

    fn place(&mut self, index: OrderIndex) {
        let units = self.orders[index].units();
        if units.is_empty() {
            self.left.empty_orders += 1;
            return;
        }
        self.room(units.len());
        let accepted = self.certain(&units);
        let order = &mut self.orders[index];
        order.accepted = accepted;
        order.window = self.windows.number();
        self.stage.place.push(index);
        if !accepted {
            return;
        }
        self.unshipped.push(index);
        let Some(customer) = order.customer else { return };
        for line in &order.lines {
            if self.book.products.get(line.product).is_some_and(|p| p.kind == Kind::Good) {
                self.bought.entry((customer, line.product)).or_default().push(index);
            }
        }
    }

    /// Takes units in the first window in which it is certain whether they can be had.
    fn certain(&mut self, units: &[Units]) -> bool {
        if let Some(outcome) = self.windows.take(units) {
            return outcome;
        }
        self.cut();
        self.windows.take(units).expect("in an empty window everybody is alone")
    }

    fn write_off(&mut self, invoice: &Invoice, write_off: WriteOff) {
        let WriteOff { product, quantity, reason } = write_off;
        if self.book.products[product].kind == Kind::Charge {
            return;
        }
        self.room(1);
        let units = Units { product, quantity };
        let accepted = self.certain(&[units]);
        let invoice = invoice.number.clone();
        self.stage.write_off.push(PlannedWriteOff { units, reason, invoice, accepted });
    }

    /// Matches a cancellation with earlier orders: of the same customer, newest first.
    fn cancel(&mut self, invoice: &Invoice) {
        let mut goods = false;
        let mut found: Vec<TakeBack> = Vec::new();
        for line in &invoice.cancelled {
            if self.book.products[line.product].kind == Kind::Charge {
                self.left.credits += line.quantity as i64 * line.pence;
                continue;
            }
            goods = true;
            let unmatched = self.match_line(invoice, line.product, line.quantity, &mut found);
            self.left.unmatched_units += unmatched;
            self.left.unmatched_rows += u64::from(unmatched > 0);
        }
        self.left.cancellations += u64::from(goods);
        for take_back in found {
            self.take_back(take_back);
        }
    }

    /// Answers how many units found no order.
    fn match_line(
        &mut self,
        invoice: &Invoice,
        product: ProductIndex,
        mut quantity: u64,
        found: &mut Vec<TakeBack>,
    ) -> u64 {
        // Somebody unknown cannot be the same somebody.
        let Some(customer) = invoice.customer else { return quantity };
        let Some(orders) = self.bought.get_mut(&(customer, product)) else { return quantity };
        while quantity > 0
            && let Some(&index) = orders.last()
        {
            let order = &mut self.orders[index];
            let (taken, above) = order.take_back(product, quantity);
            order.take_back_difference(self.difference, above);
            let price = order.line(product).map_or(0, |line| line.price);
            let refund = (taken * price as u64 + above) as i64;
            order.refunded += refund;
            quantity -= taken;
            if order.line(product).is_none_or(|line| line.kept == 0) {
                orders.pop();
            }
            let back = TakeBack::of(found, index, order.shipped.is_some(), &invoice.number);
            back.refund += refund;
            add(&mut back.units, product, taken);
            add(&mut back.units, self.difference, above);
        }
        quantity
    }

    fn take_back(&mut self, take_back: TakeBack) {
        // It must be shipped first, if it is; else placed, in one window, and paid, in the next.
        let order = &self.orders[take_back.order];
        let ready = order.shipped.map_or(order.window + 2, |shipped| shipped + 1);
        while self.windows.number() < ready {
            self.cut();
        }
        self.room(take_back.units.len());
        if !self.windows.give(&take_back.units) {
            self.cut();
            assert!(self.windows.give(&take_back.units), "in an empty window nobody waits");
        }
        self.stage.take_back.push(take_back);
    }
}

impl TakeBack {
    /// The one of `index` among those found so far; else a new one.
    fn of<'f>(
        found: &'f mut Vec<Self>,
        index: OrderIndex,
        shipped: bool,
        invoice: &str,
    ) -> &'f mut Self {
        let place = found.iter().position(|known| known.order == index).unwrap_or_else(|| {
            let invoice = invoice.to_owned();
            found.push(Self { order: index, shipped, units: Vec::new(), refund: 0, invoice });
            found.len() - 1
        });
        &mut found[place]
    }
}

fn add(units: &mut Vec<Units>, product: ProductIndex, quantity: u64) {
    if quantity == 0 {
        return;
    }
    match units.iter_mut().find(|known| known.product == product) {
        Some(known) => known.quantity += quantity,
        None => units.push(Units { product, quantity }),
    }
}
