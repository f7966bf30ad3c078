use std::sync::{Arc, atomic::Ordering};

use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use stockade_domain::{
    OwnerKind, Sequence,
    adjustment::AdjustmentEvent,
    catalogue::{Catalogue, CatalogueEvent, Product, Shop, Warehouse},
    holder::Hold,
    invariants::Reasons,
    open::OpenTable,
    order::Order,
    stock::Stock,
    transfer::Transfer,
};
use stockade_storage::StateStore;

use super::{Counts, Kind, accounts::LoadedAccounts};
use crate::{
    keys::{Keys, Run},
    read::{ReadSide, Recorded},
};

/// Reads a checkpoint back into an empty read side.
///
/// # Errors
/// Anything that cannot be read: the caller then forgets the checkpoint and replays the journal.
pub(crate) fn load(store: &StateStore, read: &ReadSide, keys: &Keys) -> Result<(), String> {
    let mut catalogue = CataloguePages::default();
    let mut accounts = LoadedAccounts::default();
    let mut runs = Vec::new();
    let mut failed = None;
    let mut page = |key: &[u8], value: &[u8]| {
        if failed.is_none() {
            failed = load_page(read, &mut catalogue, &mut accounts, &mut runs, key, value).err();
        }
    };
    store.for_each(&mut page).map_err(|error| error.to_string())?;
    if let Some(error) = failed {
        return Err(error);
    }
    catalogue.put_into(&mut read.catalogue.write());
    accounts.put_into(&mut read.accounts.write());
    restore_entries(read);
    read.past.settle();
    keys.restore(runs);
    read.applied.store(store.position(), Ordering::Release);
    read.snapshot_at.store(store.position(), Ordering::Release);
    Ok(())
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, String> {
    stockade_storage::decode_page(value).map_err(|error| error.to_string())
}

/// Catalogue pages come in any order; the catalogue numbers its things from 1 in theirs.
#[derive(Default)]
struct CataloguePages {
    products: Vec<Arc<Product>>,
    shops: Vec<Arc<Shop>>,
    warehouses: Vec<Arc<Warehouse>>,
}

impl CataloguePages {
    fn put_into(mut self, catalogue: &mut Catalogue) {
        self.products.sort_by_key(|product| product.id);
        for warehouse in self.warehouses {
            catalogue.evolve(&CatalogueEvent::WarehouseUpdated(warehouse));
        }
        for shop in self.shops {
            catalogue.evolve(&CatalogueEvent::ShopUpdated(shop));
        }
        for product in self.products {
            catalogue.evolve(&CatalogueEvent::ProductUpdated { product, recount: None });
        }
    }
}

fn load_page(
    read: &ReadSide,
    catalogue: &mut CataloguePages,
    accounts: &mut LoadedAccounts,
    runs: &mut Vec<Run>,
    key: &[u8],
    value: &[u8],
) -> Result<(), String> {
    let (kind, number) = Kind::of(key).ok_or_else(|| format!("unknown page {key:?}"))?;
    match kind {
        Kind::Orders => read.orders.restore(number, decode::<Vec<Option<Recorded<Order>>>>(value)?),
        Kind::Holds => {
            let holds: Vec<Option<Recorded<Hold>>> = decode(value)?;
            let live = holds.iter().flatten().map(|hold| &hold.now).filter(|hold| hold.is_active());
            for hold in live {
                read.holders.entry(hold.key.clone()).or_default().insert(hold.id);
            }
            read.holds.restore(number, holds);
        }
        Kind::Transfers => {
            read.transfers.restore(number, decode::<Vec<Option<Recorded<Transfer>>>>(value)?);
        }
        Kind::Adjustments => {
            read.adjustments.restore(number, decode::<Vec<Option<AdjustmentEvent>>>(value)?);
        }
        Kind::Stocks => decode::<Vec<Counts>>(value)?.into_iter().for_each(|counts| {
            read.new_stock(counts.key);
            let mut stock = read.stocks.entry(counts.key).or_default();
            *stock = Stock {
                on_hand: counts.on_hand,
                reserved: 0,
                safety_stock: counts.safety_stock,
                incoming: counts.incoming,
                backorder_limit: counts.backorder_limit,
                version: counts.version,
                entries: FxHashMap::default(),
            };
        }),
        Kind::PastStocks => read.past.stocks.restore(number, decode(value)?)?,
        Kind::PastWarehouses => read.past.warehouses.restore(number, decode(value)?)?,
        Kind::PastProducts => read.past.products.restore(number, decode(value)?)?,
        Kind::Products => catalogue.products.extend(decode::<Vec<Arc<Product>>>(value)?),
        Kind::Shops => catalogue.shops = decode(value)?,
        Kind::Warehouses => catalogue.warehouses = decode(value)?,
        Kind::Customers | Kind::Accounts => accounts.rows.append(&mut decode(value)?),
        Kind::AccountsRest => accounts.rest = Some(decode(value)?),
        Kind::Clock => *read.clock.lock() = decode(value)?,
        Kind::Keys => runs.push(decode(value)?),
        Kind::Rest => {
            let (open, leased, catalogue_at): (OpenTable, FxHashMap<OwnerKind, u64>, Sequence) =
                decode(value)?;
            *read.open.lock() = open;
            *read.leased.lock() = leased;
            read.set_catalogue_at(catalogue_at);
        }
    }
    Ok(())
}

/// Adds up who holds what, from the owners, and finds orders by their indexes again.
fn restore_entries(read: &ReadSide) {
    let mut reasons = Reasons::default();
    read.orders.visit(0, |_, order| {
        read.order_index.add(&order.now.placed);
        read.take_over_order(&order.now);
        reasons.order(&order.now);
        true
    });
    read.holds.visit(0, |_, hold| {
        read.take_over_hold(&hold.now);
        read.order_index.add_holder(&hold.now.key);
        reasons.hold(&hold.now);
        true
    });
    reasons.open(&read.open.lock());
    for (key, entry, quantity) in reasons.entries() {
        let mut stock = read.stocks.entry(key).or_default();
        stock.entries.insert(entry, quantity);
        stock.reserved += quantity;
    }
}
