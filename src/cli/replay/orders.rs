//! An invoice as an order: lines that the engine prices by its catalogue, to the penny.

use std::collections::{HashMap, VecDeque};

use super::{
    book::{Book, BookLine, Invoice, ProductIndex},
    codes::Kind,
    window::Units,
};

/// A line of an order to be.
#[derive(Clone, Debug)]
pub(crate) struct PlannedLine {
    pub(crate) product: ProductIndex,
    /// Units of a good; pence of a charge and of the price difference.
    pub(crate) quantity: u64,
    /// What has not been taken back.
    pub(crate) kept: u64,
    /// Of one unit by the day's list, in pence; a penny for what is no good.
    pub(crate) price: i64,
    /// Units of it by how far their price is above the list, in pence, as invoiced. Empty unless it is a good.
    parts: VecDeque<(u64, u64)>,
}

/// An order to be.
#[derive(Clone, Debug)]
pub(crate) struct PlannedOrder {
    pub(crate) invoice: String,
    pub(crate) customer: Option<u64>,
    pub(crate) lines: Vec<PlannedLine>,
    /// What the invoice comes to, in pence: the sum of quantity times unit price of its rows.
    pub(crate) pence: i64,
    /// Whether the stock model says that it is placed.
    pub(crate) accepted: bool,
    /// The window in which it is placed.
    pub(crate) window: u64,
    /// The window in which it leaves the warehouse.
    pub(crate) shipped: Option<u64>,
    /// What is to be paid back in all, in pence.
    pub(crate) refunded: i64,
}

/// Prices of one day, in pence: for each code the lowest at which it was sold that day.
#[derive(Debug, Default)]
pub(crate) struct PriceList(HashMap<ProductIndex, i64>);

impl PriceList {
    /// The list of the day of these invoices.
    pub(crate) fn of<'a>(book: &Book, invoices: impl Iterator<Item = &'a Invoice>) -> Self {
        let mut prices = HashMap::new();
        for line in invoices.flat_map(|invoice| &invoice.sold) {
            if book.products[line.product].kind == Kind::Good {
                let price = prices.entry(line.product).or_insert(line.pence);
                *price = line.pence.min(*price);
            }
        }
        Self(prices)
    }

    pub(crate) fn price(&self, product: ProductIndex) -> i64 {
        self.0.get(&product).copied().unwrap_or(0)
    }

    /// Products and prices, by product.
    pub(crate) fn sorted(&self) -> Vec<(ProductIndex, i64)> {
        let mut sorted: Vec<_> = self.0.iter().map(|(product, pence)| (*product, *pence)).collect();
        sorted.sort_unstable();
        sorted
    }
}

impl PlannedOrder {
    /// The order of an invoice's sold rows. `difference` is the product whose unit is a penny above the list.
    pub(crate) fn new(
        book: &Book,
        invoice: &Invoice,
        prices: &PriceList,
        difference: ProductIndex,
    ) -> Self {
        let mut order = Self {
            invoice: invoice.number.clone(),
            customer: invoice.customer,
            lines: Vec::new(),
            pence: 0,
            accepted: false,
            window: 0,
            shipped: None,
            refunded: 0,
        };
        let mut above = 0;
        let mut places = HashMap::new();
        for BookLine { product, quantity, pence } in &invoice.sold {
            order.pence += *quantity as i64 * pence;
            let price = prices.price(*product);
            match book.products[*product].kind {
                Kind::Good => {
                    let over = (pence - price) as u64;
                    above += over * quantity;
                    let part = Some((*quantity, over));
                    order.add(&mut places, *product, *quantity, price, part);
                }
                Kind::Charge => {
                    order.add(&mut places, *product, quantity * *pence as u64, 1, None);
                }
            }
        }
        order.add(&mut places, difference, above, 1, None);
        order
    }

    /// An order of these (product, quantity, price in pence).
    pub(crate) fn made_up(
        reference: String,
        customer: u64,
        lines: &[(ProductIndex, u64, i64)],
    ) -> Self {
        let line = |(product, quantity, price): &(ProductIndex, u64, i64)| PlannedLine {
            product: *product,
            quantity: *quantity,
            kept: *quantity,
            price: *price,
            parts: VecDeque::new(),
        };
        Self {
            invoice: reference,
            customer: Some(customer),
            lines: lines.iter().map(line).collect(),
            pence: lines.iter().map(|(_, quantity, price)| *quantity as i64 * price).sum(),
            accepted: true,
            window: 0,
            shipped: None,
            refunded: 0,
        }
    }

    fn add(
        &mut self,
        places: &mut HashMap<ProductIndex, usize>,
        product: ProductIndex,
        quantity: u64,
        price: i64,
        part: Option<(u64, u64)>,
    ) {
        // A charge of nothing is no line: a quantity is at least 1.
        if quantity == 0 {
            return;
        }
        let place = *places.entry(product).or_insert_with(|| {
            let parts = VecDeque::new();
            self.lines.push(PlannedLine { product, quantity: 0, kept: 0, price, parts });
            self.lines.len() - 1
        });
        let line = &mut self.lines[place];
        line.quantity += quantity;
        line.kept += quantity;
        line.parts.extend(part);
    }

    pub(crate) fn line(&self, product: ProductIndex) -> Option<&PlannedLine> {
        self.lines.iter().find(|line| line.product == product)
    }

    /// What it asks of the stocks.
    pub(crate) fn units(&self) -> Vec<Units> {
        let units = |line: &PlannedLine| Units { product: line.product, quantity: line.quantity };
        self.lines.iter().map(units).collect()
    }

    /// Whether everything of it was taken back.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.kept == 0)
    }

    /// Takes back up to `quantity` units of a good, first invoiced first. Answers (units, pence above the list that go with
    /// them).
    pub(crate) fn take_back(&mut self, product: ProductIndex, quantity: u64) -> (u64, u64) {
        let Some(line) = self.lines.iter_mut().find(|line| line.product == product) else {
            return (0, 0);
        };
        let taken = quantity.min(line.kept);
        let (mut left, mut above) = (taken, 0);
        while let Some((units, over)) = line.parts.front_mut().filter(|_| left > 0) {
            let part = left.min(*units);
            above += part * *over;
            *units -= part;
            left -= part;
            if *units == 0 {
                line.parts.pop_front();
            }
        }
        line.kept -= taken;
        (taken, above)
    }

    /// The pence above the list that went with units taken back.
    pub(crate) fn take_back_difference(&mut self, difference: ProductIndex, pence: u64) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.product == difference) {
            line.kept -= pence;
        }
    }
}
