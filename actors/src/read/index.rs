use std::{collections::BTreeSet, hash::Hasher};

use parking_lot::RwLock;
use rustc_hash::FxHasher;
use stockade_domain::{CustomerId, OrderId, holder::HolderKey, order::Placed};

/// Orders by what never changes about them and most lists ask for: whose they are, and the caller's own name for them.
///
/// An entry is two words. It is built from the orders and holds, live and at every start, and kept nowhere else.
#[derive(Default)]
pub(crate) struct OrderIndex {
    by_customer: RwLock<BTreeSet<(u64, u64)>>,
    /// Customers whose holds there ever were.
    holders: RwLock<BTreeSet<u64>>,
    /// By a hash: whoever looks compares the reference itself.
    by_reference: RwLock<BTreeSet<(u64, u64)>>,
}

impl OrderIndex {
    pub(crate) fn add(&self, placed: &Placed) {
        if let Some(customer) = placed.customer {
            self.by_customer.write().insert((customer.0, placed.id.0));
        }
        let reference = placed.details.as_ref().and_then(|details| details.reference.as_deref());
        if let Some(reference) = reference {
            self.by_reference.write().insert((hash(reference), placed.id.0));
        }
    }

    /// Notes whose a hold is.
    pub(crate) fn add_holder(&self, holder: &HolderKey) {
        if let HolderKey::Customer(customer) = holder {
            self.holders.write().insert(customer.0);
        }
    }

    /// The first number above `after` by which no order and no hold names a customer.
    pub(crate) fn unnamed_after(&self, after: u64) -> u64 {
        let (orders, holders) = (self.by_customer.read(), self.holders.read());
        let is_named = |id: &u64| {
            holders.contains(id) || orders.range((*id, 0)..=(*id, u64::MAX)).next().is_some()
        };
        (after + 1..).find(|id| !is_named(id)).unwrap_or(u64::MAX)
    }

    /// The next order of a customer, by id.
    pub(crate) fn next_of_customer(&self, customer: CustomerId, after: u64) -> Option<OrderId> {
        next(&self.by_customer, customer.0, after)
    }

    /// The next order that may have this reference, by id.
    pub(crate) fn next_with_reference(&self, reference: &str, after: u64) -> Option<OrderId> {
        next(&self.by_reference, hash(reference), after)
    }
}

/// One step at a time, so that a long list never holds the fold up.
fn next(index: &RwLock<BTreeSet<(u64, u64)>>, key: u64, after: u64) -> Option<OrderId> {
    let first = (key, after.checked_add(1)?);
    index.read().range(first..=(key, u64::MAX)).next().map(|(_, id)| OrderId(*id))
}

fn hash(reference: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(reference.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_of_one_customer_are_found_by_id_and_no_others() {
        let index = OrderIndex::default();
        for (customer, order) in [(7, 30), (7, 2), (8, 3), (7, 9)] {
            index.by_customer.write().insert((customer, order));
        }
        let all = |customer| {
            let next = |after: &u64| Some(index.next_of_customer(CustomerId(customer), *after)?.0);
            std::iter::successors(next(&0), next).collect::<Vec<_>>()
        };
        assert_eq!(all(7), [2, 9, 30]);
        assert_eq!(all(8), [3]);
        assert!(all(6).is_empty());
        index.add_holder(&HolderKey::Customer(CustomerId(9)));
        assert_eq!([0, 6, 7, 9].map(|after| index.unnamed_after(after)), [1, 10, 10, 10]);
    }
}
