//! The invoices of the file, sorted out on purpose: what was sold, what came back, what was written off.

use std::{collections::HashMap, io::Read};

use stockade::domain::adjustment::Reason;

use super::{
    codes::Kind,
    rows::{self, Moment, Row},
};
use crate::cli::Failure;

/// Index of a product in [`Book::products`].
pub(crate) type ProductIndex = usize;

/// A stock code.
#[derive(Clone, Debug)]
pub(crate) struct BookProduct {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Some of a product at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BookLine {
    pub(crate) product: ProductIndex,
    /// Always above zero: the invoice's kind says in which direction.
    pub(crate) quantity: u64,
    /// Of one unit.
    pub(crate) pence: i64,
}

/// Units that are gone without being sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteOff {
    pub(crate) product: ProductIndex,
    pub(crate) quantity: u64,
    pub(crate) reason: Reason,
}

/// An invoice. Almost every one has lines of one kind only.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub(crate) number: String,
    /// Of its first row: 43 invoices have rows a minute apart.
    pub(crate) at: Moment,
    /// Of its first row that has one.
    pub(crate) customer: Option<u64>,
    pub(crate) sold: Vec<BookLine>,
    pub(crate) cancelled: Vec<BookLine>,
    pub(crate) written_off: Vec<WriteOff>,
}

/// All invoices, in time order.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) products: Vec<BookProduct>,
    pub(crate) invoices: Vec<Invoice>,
    /// Rows of these invoices.
    pub(crate) rows: u64,
    /// Rows whose price had more than two decimals that matter.
    pub(crate) rows_rounded: u64,
    /// Rows that say nothing about stock or sales: bad debt, and quantities of no meaning.
    pub(crate) rows_ignored: u64,
    /// Invoices that begin with A.
    pub(crate) bad_debts: u64,
    codes: HashMap<String, ProductIndex>,
}

impl Book {
    /// Reads a file. `limit` keeps the first so many invoices by time.
    pub(crate) fn read(
        name: &str,
        source: impl Read,
        limit: Option<usize>,
    ) -> Result<Self, Failure> {
        let mut by_invoice: Vec<Vec<Row>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        rows::read(name, source, |row| match places.get(&row.invoice) {
            Some(place) => by_invoice[*place].push(row),
            None => {
                places.insert(row.invoice.clone(), by_invoice.len());
                by_invoice.push(vec![row]);
            }
        })?;
        // Stable: invoices of one second stay in the order of the file.
        by_invoice.sort_by_key(|rows| rows[0].at);
        by_invoice.truncate(limit.unwrap_or(usize::MAX));
        let mut book = Self::default();
        by_invoice.into_iter().for_each(|rows| book.enter(rows));
        Ok(book)
    }

    fn enter(&mut self, rows: Vec<Row>) {
        let mut invoice = Invoice {
            number: rows[0].invoice.clone(),
            at: rows[0].at,
            customer: rows.iter().find_map(|row| row.customer),
            sold: Vec::new(),
            cancelled: Vec::new(),
            written_off: Vec::new(),
        };
        let kind = invoice.number.as_bytes()[0].to_ascii_uppercase();
        self.bad_debts += u64::from(kind == b'A');
        for row in rows {
            self.rows += 1;
            self.rows_rounded += u64::from(row.rounded);
            let product = self.product(&row);
            let quantity = row.quantity.unsigned_abs();
            let line = BookLine { product, quantity, pence: row.pence };
            match (kind, row.quantity.signum()) {
                (b'C', -1) => invoice.cancelled.push(line),
                (b'A' | b'C', _) | (_, 0) => self.rows_ignored += 1,
                (_, -1) => {
                    let reason = reason(&row.description);
                    invoice.written_off.push(WriteOff { product, quantity, reason });
                }
                _ if row.pence < 0 => self.rows_ignored += 1,
                _ => invoice.sold.push(line),
            }
        }
        self.invoices.push(invoice);
    }

    /// The product of a row. Its name is the first description that is more than a warehouse's scribble.
    fn product(&mut self, row: &Row) -> ProductIndex {
        if let Some(index) = self.codes.get(&row.code) {
            let product = &mut self.products[*index];
            if product.name == product.code && row.quantity > 0 {
                name(product, &row.description);
            }
            return *index;
        }
        let index = self.products.len();
        let mut product = BookProduct {
            code: row.code.clone(),
            name: row.code.clone(),
            kind: Kind::of(&row.code),
        };
        if row.quantity > 0 {
            name(&mut product, &row.description);
        }
        self.products.push(product);
        self.codes.insert(row.code.clone(), index);
        index
    }
}

fn name(product: &mut BookProduct, description: &str) {
    let clean: String = description.chars().filter(|c| !c.is_control()).take(100).collect();
    if !clean.trim().is_empty() {
        product.name = clean;
    }
}

/// Write-offs come with a word in a free text; what does not say that it was lost was damaged.
fn reason(description: &str) -> Reason {
    let text = description.to_ascii_lowercase();
    let lost = ["lost", "missing", "can't find", "cant find", "not found", "stolen"];
    if lost.iter().any(|word| text.contains(word)) { Reason::Lost } else { Reason::Damaged }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn book(rows: &str) -> Book {
        Book::read("test", format!("{HEADER}{rows}").as_bytes(), None).unwrap()
    }

    #[test]
    fn every_quirk_has_its_place() {
        let book = book(
            "1,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,UK\n\
             1,85123a,HEART,2,2010-12-01 08:27:00,2.55,17850,UK\n\
             1,POST,POSTAGE,1,2010-12-01 08:27:00,18.00,17850,UK\n\
             2,85123A,lost?,-3,2010-12-01 09:00:00,0,,UK\n\
             C3,85123A,HEART,-1,2010-12-01 09:30:00,2.55,17850,UK\n\
             A4,B,Adjust bad debt,1,2010-12-01 09:40:00,-11062.06,,UK\n\
             5,PADS,PADS,1,2010-12-01 09:50:00,0.001,12345,UK\n",
        );
        let codes: Vec<_> =
            book.products.iter().map(|product| (product.code.as_str(), product.kind)).collect();
        let (good, charge) = (Kind::Good, Kind::Charge);
        assert_eq!(
            codes,
            [("85123A", good), ("85123a", good), ("POST", charge), ("B", charge), ("PADS", charge)]
        );
        assert_eq!(book.invoices[0].sold.len(), 3);
        let lost = WriteOff { product: 0, quantity: 3, reason: Reason::Lost };
        assert_eq!(book.invoices[1].written_off, [lost]);
        assert_eq!(book.invoices[2].cancelled, [BookLine { product: 0, quantity: 1, pence: 255 }]);
        assert!(book.invoices[3].sold.is_empty());
        assert_eq!((book.bad_debts, book.rows_ignored, book.rows_rounded, book.rows), (1, 1, 1, 7));
    }

    #[test]
    fn invoices_are_in_time_order_and_those_of_one_second_in_file_order() {
        let book = book(
            "7,A,x,1,2010-12-02 08:00:00,1,,UK\n\
             9,A,x,1,2010-12-01 08:00:00,1,,UK\n\
             8,A,x,1,2010-12-01 08:00:00,1,,UK\n\
             7,A,x,1,2010-12-02 08:01:00,1,,UK\n",
        );
        let numbers: Vec<_> = book.invoices.iter().map(|i| i.number.as_str()).collect();
        assert_eq!(numbers, ["9", "8", "7"]);
        assert_eq!(book.invoices[2].sold.len(), 2, "rows of one invoice need not be together");
    }
}
