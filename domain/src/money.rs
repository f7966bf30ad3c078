use std::{fmt, str::FromStr};

use iso_currency::Currency as Iso;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An amount of money in minor units of its currency (cents for USD, yen for JPY).
#[doc = include_str!("../docs/amount.md")]
pub type Amount = i64;

/// A currency of ISO 4217.
#[doc = include_str!("../docs/currency.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(Iso);

/// Why a text is no amount of a currency.
#[doc = include_str!("../docs/money_error.md")]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The code is none of ISO 4217, or has no minor unit (precious metals, test codes).
    #[error("{0:?} is no currency of ISO 4217")]
    UnknownCurrency(String),
    /// The text is no plain decimal: only digits, one point and a leading minus.
    #[error("{0:?} is no plain decimal such as 3.50")]
    NotDecimal(String),
    /// More decimals than the currency has.
    #[error("{text:?} has more than the {decimals} decimals of {currency}")]
    TooManyDecimals {
        /// What was given.
        text: String,
        /// The currency.
        currency: Currency,
        /// How many decimals it has.
        decimals: u32,
    },
    /// The amount does not fit.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

impl Currency {
    /// US dollar, the currency of the shop that a new engine has.
    #[doc = include_str!("../docs/currency_usd.md")]
    pub const USD: Self = Self(Iso::USD);
    /// Pound sterling.
    #[doc = include_str!("../docs/currency_gbp.md")]
    pub const GBP: Self = Self(Iso::GBP);
    /// Euro.
    #[doc = include_str!("../docs/currency_eur.md")]
    pub const EUR: Self = Self(Iso::EUR);
    /// Yen, which has no decimals.
    #[doc = include_str!("../docs/currency_jpy.md")]
    pub const JPY: Self = Self(Iso::JPY);

    /// The ISO 4217 letters.
    #[doc = include_str!("../docs/currency_code.md")]
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals its amounts have.
    #[doc = include_str!("../docs/currency_decimals.md")]
    #[must_use]
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }

    /// Reads an exact decimal (`3`, `3.5`, `3.50`, `-1.00`) into minor units. It never passes through a float.
    ///
    /// # Errors
    /// An exponent, a plus, blanks, more decimals than the currency has, or an amount beyond 64 bits.
    #[doc = include_str!("../docs/currency_parse.md")]
    pub fn parse(self, text: &str) -> Result<Amount, MoneyError> {
        let not_decimal = || MoneyError::NotDecimal(text.chars().take(40).collect());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let point_alone = digits.contains('.') && fraction.is_empty();
        if whole.is_empty() || point_alone || !plain(whole) || !plain(fraction) {
            return Err(not_decimal());
        }
        let decimals = self.decimals();
        let too_large = || MoneyError::TooLarge(text.chars().take(40).collect());
        if fraction.len() > decimals as usize {
            let text = text.chars().take(40).collect();
            return Err(MoneyError::TooManyDecimals { text, currency: self, decimals });
        }
        let missing = decimals - fraction.len() as u32;
        let digits = whole.bytes().chain(fraction.bytes()).map(|b| i64::from(b - b'0'));
        let mut amount: Amount = 0;
        for digit in digits.chain((0..missing).map(|_| 0)) {
            amount =
                amount.checked_mul(10).and_then(|a| a.checked_add(digit)).ok_or_else(too_large)?;
        }
        Ok(if negative { -amount } else { amount })
    }

    /// Writes minor units with exactly the currency's decimals.
    #[doc = include_str!("../docs/currency_format.md")]
    #[must_use]
    pub fn format(self, amount: Amount) -> String {
        let decimals = self.decimals();
        if decimals == 0 {
            return amount.to_string();
        }
        let scale = 10_u64.pow(decimals);
        let sign = if amount < 0 { "-" } else { "" };
        let minor = amount.unsigned_abs();
        format!("{sign}{}.{:0width$}", minor / scale, minor % scale, width = decimals as usize)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Iso::from_code(code)
            .filter(|iso| iso.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(10).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

// In the journal a currency is its ISO 4217 number: two or three bytes, and stable whatever order a library lists them in.
impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0.numeric())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Iso::from_numeric(number)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{number} is no currency of ISO 4217")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        for (text, minor) in
            [("3", 300), ("3.5", 350), ("3.50", 350), ("0.01", 1), ("-1.00", -100), ("0", 0)]
        {
            assert_eq!(Currency::USD.parse(text), Ok(minor), "{text}");
        }
        for text in ["", ".", "3.", ".5", "+1", "1e3", " 1", "1 ", "1,5", "--1", "0x1", "NaN", "٣"]
        {
            assert!(matches!(Currency::USD.parse(text), Err(MoneyError::NotDecimal(_))), "{text}");
        }
        assert!(matches!(Currency::USD.parse("1.005"), Err(MoneyError::TooManyDecimals { .. })));
        assert!(matches!(Currency::JPY.parse("1.0"), Err(MoneyError::TooManyDecimals { .. })));
        assert!(matches!(
            Currency::USD.parse("99999999999999999999"),
            Err(MoneyError::TooLarge(_))
        ));
    }

    #[test]
    fn amounts_are_written_with_the_currencys_decimals() {
        assert_eq!(Currency::USD.format(350), "3.50");
        assert_eq!(Currency::USD.format(-5), "-0.05");
        assert_eq!(Currency::USD.format(0), "0.00", "nothing has no sign");
        assert_eq!(Currency::JPY.format(350), "350");
        let dinar: Currency = "KWD".parse().unwrap();
        assert_eq!(dinar.format(1), "0.001");
    }

    #[test]
    fn codes_without_a_minor_unit_are_no_currency() {
        assert!("XAU".parse::<Currency>().is_err());
        assert!("usd".parse::<Currency>().is_err());
        assert!("EUR".parse::<Currency>().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in -9_000_000_000_000_000_i64..=9_000_000_000_000_000) {
            for currency in [Currency::USD, Currency::JPY, "KWD".parse().unwrap()] {
                proptest::prop_assert_eq!(currency.parse(&currency.format(amount)), Ok(amount));
            }
        }
    }

    #[test]
    fn a_currency_is_written_as_its_letters() {
        for (currency, code) in [(Currency::USD, "USD"), (Currency::JPY, "JPY")] {
            assert_eq!((currency.code(), currency.to_string().as_str()), (code, code));
            assert_eq!(code.parse(), Ok(currency));
        }
    }
}
