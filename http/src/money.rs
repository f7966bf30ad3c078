//! Money on the wire: exact decimals, never a float.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use stockade_domain::{Amount, Currency, MoneyError};

use crate::problem::Problem;

/// An amount, as clients read it: a text with exactly the currency's decimals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money(pub(crate) Amount, pub(crate) Currency);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1.format(self.0))
    }
}

/// The digits that a client wrote, in a JSON string or as a JSON number, before anybody knows the currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal(String);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let wrong = || de::Error::custom("must be an amount such as \"3.50\" or 3.50");
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(Self).map_err(|_| wrong()),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl Decimal {
    /// The amount in minor units.
    pub(crate) fn amount(&self, currency: Currency, pointer: &str) -> Result<Amount, Problem> {
        amount(&self.0, currency).map_err(|detail| Problem::field(pointer, detail))
    }
}

/// Reads an amount; or says what would be one.
pub(crate) fn amount(text: &str, currency: Currency) -> Result<Amount, String> {
    currency.parse(text).map_err(|error| match error {
        MoneyError::TooManyDecimals { decimals: 0, .. } => {
            format!("{currency} has no decimals")
        }
        error => error.to_string(),
    })
}

/// A currency, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) Currency);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        code.parse().map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    #[test]
    fn digits_are_kept_as_they_were_written() {
        let read = |json: &str| serde_json::from_str::<Decimal>(json).map(|decimal| decimal.0).ok();
        for digits in ["3.50", "0.1", "9007199254740993.01", "-0"] {
            assert_eq!(read(digits).as_deref(), Some(digits));
            assert_eq!(read(&format!("\"{digits}\"")).as_deref(), Some(digits));
        }
        for wrong in ["null", "true", "[]", "{}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    /// Every currency that there is: all three letters are tried.
    fn currencies() -> Vec<Currency> {
        let letters = || 'A'..='Z';
        let pairs = letters().flat_map(|a| letters().map(move |b| (a, b)));
        let codes = pairs.flat_map(|(a, b)| letters().map(move |c| format!("{a}{b}{c}")));
        codes.filter_map(|code| code.parse().ok()).collect()
    }

    #[test]
    fn currencies_have_zero_to_four_decimals() {
        let all = currencies();
        assert!(all.len() > 150, "{}", all.len());
        for decimals in [0, 2, 3, 4] {
            assert!(all.iter().any(|currency| currency.decimals() == decimals), "{decimals}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same_from_a_text_and_from_a_number(
            minor in prop_oneof![0..=1_000_000_000_000_i64, any::<i64>().prop_map(|n| n.max(-i64::MAX))],
            currency in select(currencies()),
        ) {
            let written = Money(minor, currency).to_string();
            let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            prop_assert_eq!(decimals, currency.decimals() as usize);
            let short = match written.contains('.') {
                true => written.trim_end_matches('0').trim_end_matches('.'),
                false => &written,
            };
            for digits in [&*written, short] {
                for json in [digits.to_owned(), format!("\"{digits}\"")] {
                    let read: Decimal = serde_json::from_str(&json).unwrap();
                    prop_assert_eq!(read.amount(currency, "/p").ok(), Some(minor), "{}", json);
                }
            }
            let point = if written.contains('.') { "" } else { "." };
            let finer: Decimal = serde_json::from_str(&format!("{written}{point}1")).unwrap();
            prop_assert!(finer.amount(currency, "/p").is_err(), "one decimal too many");
        }

        #[test]
        fn any_text_is_an_exact_amount_or_refused(text in "[-+0-9.eE ]{0,24}", currency in select(currencies())) {
            let quoted = serde_json::to_string(&text).unwrap();
            let read: Decimal = serde_json::from_str(&quoted).unwrap();
            if let Ok(minor) = read.amount(currency, "/p") {
                // What is written again differs in zeros at most.
                let written = Money(minor, currency).to_string();
                let bare = |text: &str| {
                    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
                    let whole = whole.trim_start_matches('-').trim_start_matches('0').to_owned();
                    (text.starts_with('-') && minor != 0, whole, decimals.trim_end_matches('0').to_owned())
                };
                prop_assert_eq!(bare(&written), bare(&text));
            }
        }
    }
}
