use std::hash::Hasher;

use rustc_hash::FxHasher;
use serde::Serialize;
use stockade_domain::StockKey;

use super::{ReadSide, past::Piece};

impl ReadSide {
    /// A hash of everything that is committed, the same however it came to be: live, by full replay, or from a checkpoint.
    ///
    /// Each thing is hashed with its id and the hashes are added up, so that no order matters.
    pub(crate) fn digest(&self) -> u64 {
        let mut sum = Sum::default();
        let catalogue = self.catalogue.read();
        catalogue.products_after(0).for_each(|product| sum.add("product", product.id.0, product));
        catalogue.shops_after(0).for_each(|shop| sum.add("shop", shop.id.0, shop));
        catalogue.warehouses_after(0).for_each(|place| sum.add("warehouse", place.id.0, place));
        self.orders.visit(0, |id, order| sum.add_and_go_on("order", id, order));
        self.holds.visit(0, |id, hold| sum.add_and_go_on("hold", id, hold));
        self.transfers.visit(0, |id, transfer| sum.add_and_go_on("transfer", id, transfer));
        self.adjustments.visit(0, |id, adjusted| sum.add_and_go_on("adjustment", id, adjusted));
        for stock in &self.stocks {
            let StockKey { product, warehouse } = *stock.key();
            let mut entries: Vec<_> = stock.entries.iter().collect();
            entries.sort();
            let counts =
                (stock.on_hand, stock.reserved, stock.safety_stock, stock.incoming, stock.version);
            sum.add("stock", product.0, &(warehouse, counts, stock.backorder_limit, entries));
        }
        self.past.stocks.visit(|StockKey { product, warehouse }, pieces| {
            let pieces: Vec<_> = pieces.iter().map(Piece::parts).collect();
            sum.add("past of a stock", product.0, &(warehouse, pieces));
        });
        self.past.warehouses.visit(|warehouse, pieces| {
            let pieces: Vec<_> = pieces.iter().map(Piece::parts).collect();
            sum.add("past of a warehouse", warehouse.0, &pieces);
        });
        self.past.products.visit(|product, pieces| {
            let pieces: Vec<_> = pieces.iter().map(Piece::parts).collect();
            sum.add("past of a product", product.0, &pieces);
        });
        let accounts = self.accounts.read();
        for account in accounts.customers_after(0).chain(accounts.accounts_after(0)) {
            let sessions = accounts.sessions(account.id);
            let login = accounts.login_version(account.id);
            sum.add(account.id.kind(), account.id.number(), &(account, login, sessions));
        }
        accounts.api_keys().for_each(|key| sum.add("api key", key.id.0, key));
        sum.add("accounts", 0, &accounts.counts());
        for (kind, up_to) in &*self.leased.lock() {
            sum.add("leased", *up_to, kind);
        }
        sum.add("clock", 0, &*self.clock.lock());
        sum.0
    }
}

#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, kind: &str, id: u64, thing: &impl Serialize) {
        let mut bytes = Vec::new();
        stockade_storage::encode(thing, &mut bytes);
        let mut hasher = FxHasher::default();
        hasher.write(kind.as_bytes());
        hasher.write_u64(id);
        hasher.write(&bytes);
        self.0 = self.0.wrapping_add(hasher.finish());
    }

    fn add_and_go_on(&mut self, kind: &str, id: u64, thing: &impl Serialize) -> bool {
        self.add(kind, id, thing);
        true
    }
}
