use std::{collections::BTreeMap, sync::Arc};

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashSet;

/// Things numbered from 1, in pages.
///
/// Only the fold writes. A page is shared with whoever took a snapshot of it and copied when it is next written
/// (copy-on-write), so that a checkpoint of any size costs the fold no more than a list of pages.
pub(crate) struct Table<T> {
    pages: RwLock<BTreeMap<u64, Page<T>>>,
    /// Pages written since the last checkpoint.
    dirty: Mutex<FxHashSet<u64>>,
}

/// A page: [`PAGE_IDS`] places.
pub(crate) type Page<T> = Arc<Vec<Option<T>>>;

/// Ids on a page. An order of one line takes about 100 bytes in a checkpoint, and values of 4 KB suit sled best.
pub(crate) const PAGE_IDS: u64 = 32;

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { pages: RwLock::default(), dirty: Mutex::default() }
    }
}

impl<T: Clone> Table<T> {
    /// Looks at a thing without copying it.
    pub(crate) fn with<R>(&self, id: u64, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.look(id, |thing| thing.map(look))
    }

    /// The same for a thing that may not be there.
    pub(crate) fn look<R>(&self, id: u64, look: impl FnOnce(Option<&T>) -> R) -> R {
        let pages = self.pages.read();
        let page = pages.get(&(id / PAGE_IDS));
        look(page.and_then(|page| page.get((id % PAGE_IDS) as usize)?.as_ref()))
    }

    /// Makes or changes a thing.
    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Option<T>)) {
        let number = id / PAGE_IDS;
        let mut pages = self.pages.write();
        let page = pages.entry(number).or_insert_with(|| Arc::new(vec![None; PAGE_IDS as usize]));
        change(&mut Arc::make_mut(page)[(id % PAGE_IDS) as usize]);
        drop(pages);
        self.dirty.lock().insert(number);
    }

    /// Puts back a page from a checkpoint.
    pub(crate) fn restore(&self, number: u64, page: Vec<Option<T>>) {
        self.pages.write().insert(number, Arc::new(page));
    }

    /// The pages written since this was last asked.
    pub(crate) fn take_dirty(&self) -> Vec<(u64, Page<T>)> {
        let dirty = std::mem::take(&mut *self.dirty.lock());
        let pages = self.pages.read();
        dirty.into_iter().filter_map(|number| Some((number, pages.get(&number)?.clone()))).collect()
    }

    /// Things with an id above `after`, by id, until `visit` has had enough and says `false`. No lock is held meanwhile.
    pub(crate) fn visit(&self, after: u64, mut visit: impl FnMut(u64, &T) -> bool) {
        let mut next = after.saturating_add(1);
        loop {
            let found = {
                let pages = self.pages.read();
                pages.range(next / PAGE_IDS..).next().map(|(number, page)| (*number, page.clone()))
            };
            let Some((number, page)) = found else {
                return;
            };
            for (id, thing) in (number * PAGE_IDS..).zip(page.iter()) {
                if let Some(thing) = thing
                    && id >= next
                    && !visit(id, thing)
                {
                    return;
                }
            }
            next = (number + 1) * PAGE_IDS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_keeps_what_it_saw() {
        let table = Table::default();
        table.update(7, |thing| *thing = Some("before"));
        let snapshot = table.take_dirty();
        table.update(7, |thing| *thing = Some("after"));
        assert_eq!(snapshot[0].1[7], Some("before"));
        assert_eq!(table.with(7, |thing| *thing), Some("after"));
        assert_eq!(table.take_dirty().len(), 1);
        assert!(table.take_dirty().is_empty());
    }

    #[test]
    fn things_are_visited_by_id_across_gaps() {
        let table = Table::default();
        for id in [1, 31, 32, 5_000, 90_000] {
            table.update(id, |thing| *thing = Some(id));
        }
        let mut seen = Vec::new();
        table.visit(1, |id, _| {
            seen.push(id);
            id < 5_000
        });
        assert_eq!(seen, [31, 32, 5_000]);
    }
}
