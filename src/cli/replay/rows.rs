//! The rows of the file: read exactly or refused with their line number.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::cli::Failure;

/// The columns, as UCI "Online Retail" names them.
const COLUMNS: [&str; 7] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"];

/// Read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// When an invoice was written, to the second. Only its order and its days matter, so it is no point of real time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// The day, as yyyymmdd.
    pub(crate) day: u32,
    second: u32,
}

/// One line of an invoice, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) invoice: String,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) quantity: i64,
    pub(crate) at: Moment,
    /// Of one unit, rounded to pence.
    pub(crate) pence: i64,
    /// Whether rounding changed the price.
    pub(crate) rounded: bool,
    pub(crate) customer: Option<u64>,
}

/// Opens `path`: plain or gzip, told apart by their first bytes, and `-` for standard input.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path)?),
    };
    let mut magic = Vec::with_capacity(2);
    source.by_ref().take(2).read_to_end(&mut magic)?;
    let gzip = magic == [0x1f, 0x8b];
    let whole = BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(magic).chain(source));
    Ok(if gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Reads every row and hands it on, in the order of the file.
pub(crate) fn read(
    name: &str,
    source: impl Read,
    mut each: impl FnMut(Row),
) -> Result<(), Failure> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let places = places(name, reader.byte_headers().map_err(|error| unreadable(name, &error))?)?;
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(name, &error))? {
        let row = row(&record, &places).map_err(|what| {
            let line = record.position().map_or(0, csv::Position::line);
            Failure::work(format!("{name}:{line}: {what}"))
        })?;
        each(row);
    }
    Ok(())
}

fn unreadable(name: &str, error: &csv::Error) -> Failure {
    Failure::work(format!("{name}: {error}"))
}

/// Where each of [`COLUMNS`] is.
fn places(name: &str, header: &csv::ByteRecord) -> Result<[usize; COLUMNS.len()], Failure> {
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|field| {
            let field = field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field);
            field.eq_ignore_ascii_case(column.as_bytes())
        });
        *place = found.ok_or_else(|| {
            Failure::work(format!("{name}:1: there is no column {column}; {COLUMNS:?} are needed"))
        })?;
    }
    Ok(places)
}

fn row(record: &csv::ByteRecord, places: &[usize; COLUMNS.len()]) -> Result<Row, String> {
    let field = |column: usize| record.get(places[column]).map(text).unwrap_or_default();
    let (invoice, code) = (field(0), field(1));
    if invoice.is_empty() || code.is_empty() {
        return Err("InvoiceNo and StockCode must not be empty".into());
    }
    let (quantity, date, price, customer) = (field(3), field(4), field(5), field(6));
    let (pence, rounded) = pence(&price).ok_or_else(|| wrong(5, &price, "a decimal"))?;
    Ok(Row {
        quantity: quantity.parse().map_err(|_| wrong(3, &quantity, "a whole number"))?,
        at: Moment::parse(&date)
            .ok_or_else(|| wrong(4, &date, "a date such as 2010-12-01 08:26:00"))?,
        pence,
        rounded,
        customer: parse_customer(&customer).map_err(|()| wrong(6, &customer, "a number"))?,
        description: field(2),
        invoice,
        code,
    })
}

fn wrong(column: usize, found: &str, wanted: &str) -> String {
    format!("{} is {found:?}, not {wanted}", COLUMNS[column])
}

/// UTF-8, or else Latin-1, which is how this data set is handed around most.
fn text(field: &[u8]) -> String {
    match std::str::from_utf8(field) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => field.iter().map(|byte| char::from(*byte)).collect::<String>().trim().to_owned(),
    }
}

/// Spreadsheets write customers as `17850.0`.
fn parse_customer(text: &str) -> Result<Option<u64>, ()> {
    match text.strip_suffix(".0").unwrap_or(text) {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(drop),
    }
}

/// An exact decimal as pence, half a penny rounded away from zero, and whether it had to be rounded.
fn pence(text: &str) -> Option<(i64, bool)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { parse_digits(whole)? };
    let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |b| i64::from(b - b'0'));
    let beyond = fraction.bytes().skip(2).any(|b| b != b'0');
    let up = i64::from(digit(2) >= 5);
    let pence = whole.checked_mul(100)?.checked_add(digit(0) * 10 + digit(1) + up)?;
    Some((if negative { -pence } else { pence }, beyond))
}

fn parse_digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Moment {
    /// Reads `2010-12-01 08:26:00` and `12/1/2010 8:26`, with or without seconds.
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once([' ', 'T'])?;
        let (year, month, day) = match date.contains('/') {
            true => {
                let [month, day, year] = numbers(date, '/')?;
                (year, month, day)
            }
            false => numbers(date, '-').map(|[year, month, day]| (year, month, day))?,
        };
        let time = if time.matches(':').count() == 1 { format!("{time}:0") } else { time.into() };
        let [hour, minute, second] = numbers(&time, ':')?;
        let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && year <= 9_999;
        let fits = fits && hour < 24 && minute < 60 && second < 60;
        let day = year * 10_000 + month * 100 + day;
        fits.then_some(Self { day, second: (hour * 60 + minute) * 60 + second })
    }
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut next = || {
        let part = parts.next()?;
        (part.len() <= 4).then(|| parse_digits(part)).flatten().map(|number| number as u32)
    };
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_and_rounded_by_rule() {
        for (text, expected) in [
            ("2.55", Some((255, false))),
            ("18", Some((1_800, false))),
            ("0.001", Some((0, true))),
            ("0.005", Some((1, true))),
            ("0.290", Some((29, false))),
            ("-11062.06", Some((-1_106_206, false))),
            (".5", Some((50, false))),
            ("", None),
            ("1,5", None),
            ("1e3", None),
            ("+1", None),
        ] {
            assert_eq!(pence(text), expected, "{text}");
        }
    }

    #[test]
    fn both_ways_of_writing_a_date_come_to_the_same() {
        let moment = Moment::parse("2010-12-01 08:26:00");
        assert_eq!(moment.map(|moment| moment.day), Some(20_101_201));
        assert_eq!(moment, Moment::parse("12/1/2010 8:26"));
        assert!(moment < Moment::parse("2010-12-01 08:26:01"));
        for text in ["", "2010-12-01", "2010-13-01 00:00", "2010-12-01 24:00", "x-12-01 00:00"] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        let file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n\
                    1,A,x,1,2010-12-01 08:26:00,1.00,\n1,A,x,many,2010-12-01 08:26:00,1.00,\n";
        let error = read("f.csv", file.as_bytes(), drop).unwrap_err();
        assert_eq!(error.to_string(), "f.csv:3: Quantity is \"many\", not a whole number");
    }
}
