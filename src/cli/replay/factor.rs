//! The stock factor: an exact decimal, because a float's last bit would decide about the last unit.

use std::str::FromStr;

/// A decimal from 0 to 1,000 with at most six places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor {
    millionths: u64,
}

const MILLION: u64 = 1_000_000;

impl Factor {
    /// `factor × quantity`, rounded up.
    pub(crate) fn of(self, quantity: u64) -> u64 {
        let product = u128::from(quantity) * u128::from(self.millionths);
        product.div_ceil(u128::from(MILLION)) as u64
    }
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a decimal from 0 to 1000 with at most 6 places".to_owned();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 4
            || fraction.len() > 6
            || !plain(whole)
            || !plain(fraction)
        {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
        let millionths = whole * MILLION + fraction;
        if millionths > 1_000 * MILLION { Err(wrong()) } else { Ok(Self { millionths }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rounds_up_exactly() {
        let of = |factor: &str, quantity| factor.parse::<Factor>().unwrap().of(quantity);
        assert_eq!(of("0.9", 10), 9);
        assert_eq!(of("0.9", 11), 10);
        assert_eq!(of("1.1", 10), 11, "a float makes it 12");
        assert_eq!(of("0", 5), 0);
        for text in ["", ".5", "-1", "1e3", "0.1234567", "1001"] {
            assert!(text.parse::<Factor>().is_err(), "{text}");
        }
    }
}
