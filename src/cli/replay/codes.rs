//! What a stock code is: a good, or a charge that only looks like one.

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Units on a shelf.
    Good,
    /// Money for something without a shelf: postage, fees, discounts, vouchers. Its quantity in an order is pence.
    Charge,
}

/// Codes of charges, compared without regard to case: the data has both `M` and `m` for "manual".
const CHARGES: [&str; 11] =
    ["POST", "DOT", "M", "D", "S", "C2", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"];

/// Gift vouchers: `gift_0001_20` is one of 20 pounds.
const VOUCHER_PREFIX: &str = "gift_";

impl Kind {
    /// What `code` stands for. A code of no known shape is a good: then its stock is watched, which errs on the strict side.
    pub(crate) fn of(code: &str) -> Self {
        let named = CHARGES.iter().any(|charge| charge.eq_ignore_ascii_case(code));
        let prefix = code.get(..VOUCHER_PREFIX.len());
        let voucher = prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(VOUCHER_PREFIX));
        if named || voucher { Self::Charge } else { Self::Good }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_not_goods_in_either_case() {
        for code in ["POST", "m", "M", "BANK CHARGES", "gift_0001_10", "PADS", "B"] {
            assert_eq!(Kind::of(code), Kind::Charge, "{code}");
        }
        for code in ["85123A", "85123a", "DCGSSBOY", "22423", "POSTER", "BX"] {
            assert_eq!(Kind::of(code), Kind::Good, "{code}");
        }
    }
}
