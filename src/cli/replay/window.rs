//! Windows: operations that may run in any order, all at once, and come to the same.
//!
//! The problem: which of two orders gets the last unit must not depend on how fast a machine is, and running one order at a time
//! is slow. Two operations compete only when there is not enough for both. So an operation joins a window while the units that
//! are free when the window begins are enough for everything in it, product by product; or else when it is alone on the product
//! that is short, for then nothing can change its refusal. What fits neither rule waits for the next window.

use super::book::ProductIndex;

/// Some of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) product: ProductIndex,
    pub(crate) quantity: u64,
}

/// What one window has to do with one product.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// The window in which it was touched last; what else is here is of that window.
    window: u64,
    asked: u64,
    granted: u64,
    given: u64,
}

/// Free units as the rules say, and the window that is open.
#[derive(Debug)]
pub(crate) struct Windows {
    free: Vec<u64>,
    uses: Vec<Use>,
    touched: Vec<ProductIndex>,
    number: u64,
}

impl Windows {
    pub(crate) fn new(free: Vec<u64>) -> Self {
        Self { uses: vec![Use::default(); free.len()], free, touched: Vec::new(), number: 1 }
    }

    /// The number of the open window.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Units that are free where the open window begins.
    #[cfg(test)]
    pub(crate) fn free(&self, product: ProductIndex) -> u64 {
        self.free[product]
    }

    fn used(&self, product: ProductIndex) -> Use {
        let used = self.uses[product];
        if used.window == self.number { used } else { Use::default() }
    }

    fn touch(&mut self, product: ProductIndex) -> &mut Use {
        let used = &mut self.uses[product];
        if used.window != self.number {
            *used = Use { window: self.number, ..Use::default() };
            self.touched.push(product);
        }
        used
    }

    /// Takes all of `units` or none, if the outcome is certain: `Some(whether)`. `None`: it has to wait for the next window.
    pub(crate) fn take(&mut self, units: &[Units]) -> Option<bool> {
        let mut enough = true;
        for Units { product, quantity } in units {
            let (used, free) = (self.used(*product), self.free[*product]);
            let certain = used.asked + quantity <= free;
            let alone = used.asked == 0 && used.given == 0;
            if !certain && !alone {
                return None;
            }
            enough &= certain;
        }
        for Units { product, quantity } in units {
            let used = self.touch(*product);
            used.asked += quantity;
            used.granted += if enough { *quantity } else { 0 };
        }
        Some(enough)
    }

    /// Gives units back. `false`: somebody in the window may or may not get them, so it has to wait for the next one.
    pub(crate) fn give(&mut self, units: &[Units]) -> bool {
        let undecided = |units: &Units| self.used(units.product).asked > self.free[units.product];
        if units.iter().any(undecided) {
            return false;
        }
        for Units { product, quantity } in units {
            self.touch(*product).given += quantity;
        }
        true
    }

    /// Closes the window and opens the next.
    pub(crate) fn next(&mut self) {
        for product in self.touched.drain(..) {
            let used = self.uses[product];
            self.free[product] = self.free[product] + used.given - used.granted;
        }
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(quantity: u64) -> [Units; 1] {
        [Units { product: 0, quantity }]
    }

    #[test]
    fn those_who_all_get_what_they_ask_share_a_window() {
        let mut windows = Windows::new(vec![10]);
        assert_eq!(windows.take(&units(4)), Some(true));
        assert_eq!(windows.take(&units(6)), Some(true));
        assert_eq!(windows.take(&units(1)), None, "somebody would be refused: who?");
        windows.next();
        assert_eq!(windows.free(0), 0);
        assert_eq!(windows.take(&units(1)), Some(false), "alone, it is refused for certain");
        assert_eq!(windows.take(&units(1)), None);
        assert!(!windows.give(&units(5)), "it could still rescue the refused one");
    }

    #[test]
    fn units_that_come_back_count_from_the_next_window_on() {
        let mut windows = Windows::new(vec![1]);
        assert!(windows.give(&units(5)));
        assert_eq!(windows.take(&units(1)), Some(true));
        assert_eq!(windows.take(&units(2)), None);
        windows.next();
        assert_eq!(windows.take(&units(5)), Some(true));
    }

    #[test]
    fn an_order_that_is_refused_for_one_product_takes_none_of_another() {
        let mut windows = Windows::new(vec![5, 0]);
        let both = [Units { product: 0, quantity: 5 }, Units { product: 1, quantity: 1 }];
        assert_eq!(windows.take(&both), Some(false));
        assert_eq!(windows.take(&units(1)), None, "it may meet the refused one's reservation");
        windows.next();
        assert_eq!(windows.free(0), 5);
    }
}
