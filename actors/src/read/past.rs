//! What things were before: where in the journal each changed, and to which counts.
//!
//! A hot stock changes millions of times, and what it was at some moment must not cost reading what happened since. So every change
//! is kept as what it is: a few bytes of difference to the one before, in pieces of [`PIECE_BYTES`] that begin with whole counts.
//! What was at a position is one search among pieces and a look through one of them, however long the history is.

#[cfg(test)]
mod tests;

use std::hash::Hash;

use dashmap::DashMap;
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Deserialize, Serialize};
use stockade_domain::{
    ProductId, Sequence, StockKey, WarehouseId, catalogue::CatalogueEvent, stock::Stock,
};

/// Bytes of changes in a piece, and so the most that a look at the past goes through.
const PIECE_BYTES: usize = 512;

/// Changes of one thing that are looked at in one go.
const LOOK_MAX: usize = 10_000;

/// The most that one change takes: a sequence, which counts changed, and six counts.
const CHANGE_BYTES_MAX: usize = 10 + 1 + 6 * 10;

/// What happened to the counts of stocks, to the status of warehouses, and when products changed.
#[derive(Default)]
pub(crate) struct PastSide {
    pub(crate) stocks: Past<StockKey, 6>,
    /// 1 while it is active.
    pub(crate) warehouses: Past<WarehouseId, 1>,
    /// Only where: each event has the whole product.
    pub(crate) products: Past<ProductId, 0>,
}

impl PastSide {
    /// Remembers the counts that a stock came to.
    pub(super) fn note_stock(&self, key: StockKey, at: Sequence, stock: &Stock) {
        let Stock { on_hand, reserved, safety_stock, incoming, backorder_limit, version, .. } =
            *stock;
        let version = u64::from(version);
        let counts = [on_hand, reserved, safety_stock, incoming, backorder_limit, version];
        self.stocks.note(key, at, counts);
    }

    pub(super) fn note_catalogue(&self, at: Sequence, event: &CatalogueEvent) {
        match event {
            CatalogueEvent::ProductCreated { product, .. }
            | CatalogueEvent::ProductUpdated { product, .. }
            | CatalogueEvent::ProductArchived { product } => self.products.note(product.id, at, []),
            CatalogueEvent::WarehouseCreated(place)
            | CatalogueEvent::WarehouseUpdated(place)
            | CatalogueEvent::WarehouseStatusChanged(place) => {
                self.warehouses.note(place.id, at, [u64::from(place.active)]);
            }
            CatalogueEvent::ShopCreated(_) | CatalogueEvent::ShopUpdated(_) => {}
        }
    }

    /// Where a stock's units on hand changed behind a position, oldest first, up to `limit`; and after which to look further, if
    /// there may be more.
    pub(crate) fn on_hand_changes(
        &self,
        key: StockKey,
        after: Sequence,
        limit: usize,
    ) -> (Vec<Sequence>, Option<Sequence>) {
        let mut found = Vec::new();
        let more = self.stocks.changes(key, after, |at, [before, ..], [now, ..]| {
            found.extend((before != now).then_some(at));
            found.len() < limit
        });
        (found, more)
    }

    /// All of a checkpoint was put back.
    pub(crate) fn settle(&self) {
        self.stocks.settle();
        self.warehouses.settle();
        self.products.settle();
    }

    /// A stock as it was, without who had its reserved units; nothing before anything happened to it.
    pub(crate) fn stock(&self, key: StockKey, at: Sequence) -> Option<Stock> {
        let (_, counts) = self.stocks.at(key, at)?;
        let [on_hand, reserved, safety_stock, incoming, backorder_limit, version] = counts;
        let version = version as u32;
        let entries = Default::default();
        Some(Stock { on_hand, reserved, safety_stock, incoming, backorder_limit, version, entries })
    }

    /// Whether a warehouse was active, if it was there.
    pub(crate) fn is_active(&self, warehouse: WarehouseId, at: Sequence) -> Option<bool> {
        self.warehouses.at(warehouse, at).map(|(_, [active])| active == 1)
    }
}

/// The past of all things of a kind, as `N` counts each.
pub(crate) struct Past<K, const N: usize> {
    things: DashMap<K, History<N>, FxBuildHasher>,
    /// Things that changed since the last checkpoint.
    dirty: Mutex<FxHashSet<K>>,
}

/// The past of one thing.
#[derive(Clone, Debug, PartialEq)]
struct History<const N: usize> {
    /// By their first change.
    pieces: Vec<Piece<N>>,
    last: Sequence,
    counts: [u64; N],
    /// Pieces that are whole and in a checkpoint.
    written: usize,
    dirty: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece<const N: usize> {
    first: Sequence,
    /// Right after the first change.
    counts: [u64; N],
    /// The later ones, each as its difference to the one before.
    later: Vec<u8>,
}

impl<const N: usize> Piece<N> {
    /// All of it.
    pub(super) fn parts(&self) -> (Sequence, &[u64], &[u8]) {
        (self.first, &self.counts, &self.later)
    }
}

/// A piece in a checkpoint. Its page's number is the sequence of its first change, which no other piece has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored<K> {
    thing: K,
    counts: Vec<u64>,
    later: Vec<u8>,
}

/// Pieces for a checkpoint.
pub(crate) type Pieces<K> = Vec<(u64, Stored<K>)>;

impl<K: Eq + Hash, const N: usize> Default for Past<K, N> {
    fn default() -> Self {
        Self { things: DashMap::default(), dirty: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash, const N: usize> Past<K, N> {
    /// Remembers what a thing came to, later than all before.
    fn note(&self, thing: K, at: Sequence, counts: [u64; N]) {
        let mut history = self.things.entry(thing).or_default();
        history.push(at, counts);
        if !std::mem::replace(&mut history.dirty, true) {
            self.dirty.lock().insert(thing);
        }
    }

    /// The last change of a thing up to a position, and what it came to; nothing before its first.
    pub(crate) fn at(&self, thing: K, at: Sequence) -> Option<(Sequence, [u64; N])> {
        self.things.get(&thing)?.at(at)
    }

    /// Shows the changes of a thing behind a position, oldest first, each with the counts before it and after it, until `visit` has
    /// had enough or [`LOOK_MAX`] were shown: the thing cannot change meanwhile. After which to go on; nothing when that was all.
    pub(crate) fn changes(
        &self,
        thing: K,
        after: Sequence,
        visit: impl FnMut(Sequence, &[u64; N], &[u64; N]) -> bool,
    ) -> Option<Sequence> {
        self.things.get(&thing)?.changes(after, visit)
    }

    /// The last change of a thing.
    pub(crate) fn last(&self, thing: K) -> Option<Sequence> {
        self.things.get(&thing).map(|history| history.last)
    }

    /// The pieces that changed since this was last asked.
    pub(crate) fn take_dirty(&self) -> Pieces<K> {
        let mut pieces = Vec::new();
        let dirty = std::mem::take(&mut *self.dirty.lock());
        for thing in dirty {
            let Some(mut history) = self.things.get_mut(&thing) else { continue };
            let changed = history.pieces[history.written..].iter();
            pieces.extend(changed.map(|piece| {
                let (counts, later) = (piece.counts.to_vec(), piece.later.clone());
                (piece.first, Stored { thing, counts, later })
            }));
            history.written = history.pieces.len() - 1;
            history.dirty = false;
        }
        pieces
    }

    /// Puts back a piece of a checkpoint. They come in no particular order: see [`Past::settle`].
    pub(crate) fn restore(&self, first: u64, stored: Stored<K>) -> Result<(), String> {
        let counts =
            stored.counts.try_into().map_err(|_| "a piece of the past is of another kind")?;
        let piece = Piece { first, counts, later: stored.later };
        self.things.entry(stored.thing).or_default().pieces.push(piece);
        Ok(())
    }

    /// All pieces were put back.
    fn settle(&self) {
        for mut history in self.things.iter_mut() {
            history.pieces.sort_by_key(|piece| piece.first);
            history.written = history.pieces.len() - 1;
            if let Some((last, counts)) = history.at(Sequence::MAX) {
                (history.last, history.counts) = (last, counts);
            }
        }
    }

    /// Each thing with the pieces of its past.
    pub(super) fn visit(&self, mut visit: impl FnMut(&K, &[Piece<N>])) {
        self.things.iter().for_each(|thing| visit(thing.key(), &thing.pieces));
    }
}

impl<const N: usize> Default for History<N> {
    fn default() -> Self {
        // Most things never have a second piece.
        Self { pieces: Vec::with_capacity(1), last: 0, counts: [0; N], written: 0, dirty: false }
    }
}

impl<const N: usize> History<N> {
    fn push(&mut self, at: Sequence, counts: [u64; N]) {
        match self.pieces.last_mut() {
            Some(piece) if piece.later.len() + CHANGE_BYTES_MAX <= PIECE_BYTES => {
                write(&mut piece.later, at - self.last, &self.counts, &counts);
            }
            _ => self.pieces.push(Piece { first: at, counts, later: Vec::new() }),
        }
        (self.last, self.counts) = (at, counts);
    }

    fn changes(
        &self,
        after: Sequence,
        mut visit: impl FnMut(Sequence, &[u64; N], &[u64; N]) -> bool,
    ) -> Option<Sequence> {
        let next = self.pieces.partition_point(|piece| piece.first <= after);
        let mut before = [0; N];
        let mut left = LOOK_MAX;
        for piece in &self.pieces[next.saturating_sub(1)..] {
            let (mut sequence, mut counts) = (piece.first, piece.counts);
            let mut later = piece.later.as_slice();
            loop {
                if sequence > after {
                    left -= 1;
                    if !visit(sequence, &before, &counts) || left == 0 {
                        return Some(sequence);
                    }
                }
                before = counts;
                let Some((step, changed)) = read(&mut later, &counts) else { break };
                (sequence, counts) = (sequence + step, changed);
            }
        }
        None
    }

    fn at(&self, at: Sequence) -> Option<(Sequence, [u64; N])> {
        let next = self.pieces.partition_point(|piece| piece.first <= at);
        let piece = &self.pieces[next.checked_sub(1)?];
        let (mut sequence, mut counts) = (piece.first, piece.counts);
        let mut later = piece.later.as_slice();
        while let Some((step, changed)) = read(&mut later, &counts)
            && sequence + step <= at
        {
            (sequence, counts) = (sequence + step, changed);
        }
        Some((sequence, counts))
    }
}

/// Writes a change: how far on it is, which counts it changed, and by how much.
fn write<const N: usize>(bytes: &mut Vec<u8>, step: u64, before: &[u64; N], after: &[u64; N]) {
    write_number(bytes, step);
    if N == 0 {
        return;
    }
    let place = bytes.len();
    bytes.push(0);
    for (bit, (before, after)) in before.iter().zip(after).enumerate() {
        if before != after {
            bytes[place] |= 1 << bit;
            let change = after.wrapping_sub(*before) as i64;
            // Small changes in either direction are small numbers.
            write_number(bytes, (change << 1 ^ change >> 63) as u64);
        }
    }
}

/// Reads the next change, if there is one.
fn read<const N: usize>(bytes: &mut &[u8], before: &[u64; N]) -> Option<(u64, [u64; N])> {
    let step = read_number(bytes)?;
    let mut counts = *before;
    if N == 0 {
        return Some((step, counts));
    }
    let (changed, rest) = bytes.split_first()?;
    *bytes = rest;
    for (bit, count) in counts.iter_mut().enumerate() {
        if changed & 1 << bit != 0 {
            let change = read_number(bytes)?;
            *count = count.wrapping_add((change >> 1) ^ (change & 1).wrapping_neg());
        }
    }
    Some((step, counts))
}

/// Seven bits a byte, the lowest first.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
