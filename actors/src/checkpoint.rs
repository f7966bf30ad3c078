//! Checkpoints: what makes a start fast, written to sled behind the fold's back.
//!
//! A snapshot is all that changed since the last one, at one position. Taking it costs the fold a list of shared pages;
//! encoding and writing happen on a thread of their own. Stocks are kept without their entries: who holds what is what live
//! orders, holds and open workflows say, and is added up again when it is read back.

mod accounts;
mod load;
mod write;

pub(crate) use load::load;
pub(crate) use write::{Checkpointer, Snapshot};

use serde::{Deserialize, Serialize};
use stockade_domain::{Quantity, StockKey, stock::Stock};

/// What a page is about: the first byte of its key, then a number, big endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Orders = b'o',
    Holds = b'h',
    /// With where their events are. Pages without were `t`: a state that has those is built anew.
    Transfers = b'T',
    /// As the event that decided each. Pages of what the first of its variants held were `a`.
    Adjustments = b'A',
    Stocks = b's',
    Products = b'p',
    Shops = b'S',
    Warehouses = b'W',
    /// With the versions of their logins, as the next. Pages without were `c` and `U`.
    Customers = b'P',
    Accounts = b'V',
    /// The steps of the clock: one page.
    Clock = b'C',
    /// API keys and counts: one page.
    AccountsRest = b'n',
    /// Idempotency keys, a page a run.
    Keys = b'k',
    /// The past of a stock, a piece a page.
    PastStocks = b'x',
    /// Of a warehouse.
    PastWarehouses = b'y',
    /// Of a product.
    PastProducts = b'z',
    /// The open table, leases and the catalogue's position: one page. Pages of another layout than today's have another letter
    /// here (`r` was the first, `R` the last without a past), so that they are not misread.
    Rest = b'E',
}

impl Kind {
    fn key(self, number: u64) -> Vec<u8> {
        let mut key = vec![self as u8];
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    fn of(key: &[u8]) -> Option<(Self, u64)> {
        let (kind, number) = key.split_first()?;
        let all = [
            Self::Orders,
            Self::Holds,
            Self::Transfers,
            Self::Adjustments,
            Self::Stocks,
            Self::Products,
            Self::Shops,
            Self::Warehouses,
            Self::Customers,
            Self::Accounts,
            Self::AccountsRest,
            Self::Clock,
            Self::Keys,
            Self::PastStocks,
            Self::PastWarehouses,
            Self::PastProducts,
            Self::Rest,
        ];
        let kind = all.into_iter().find(|known| *known as u8 == *kind)?;
        Some((kind, u64::from_be_bytes(number.try_into().ok()?)))
    }
}

/// Products whose stocks share a page.
const STOCK_PAGE_PRODUCTS: u64 = 16;

/// A stock without its entries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Counts {
    key: StockKey,
    on_hand: Quantity,
    safety_stock: Quantity,
    incoming: Quantity,
    backorder_limit: Quantity,
    version: u32,
}

impl Counts {
    fn new(key: StockKey, stock: &Stock) -> Self {
        Self {
            key,
            on_hand: stock.on_hand,
            safety_stock: stock.safety_stock,
            incoming: stock.incoming,
            backorder_limit: stock.backorder_limit,
            version: stock.version,
        }
    }
}
