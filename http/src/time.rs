//! Moments on the wire: RFC 3339, UTC, milliseconds.

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};
use stockade_domain::Timestamp;

/// Always three decimals, so that moments sort as texts.
static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// A moment, as clients read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ms = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        let mut text = String::with_capacity(24);
        PRINTER.print_timestamp(&moment, &mut text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// Reads a moment that a client wrote; none before 1970.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_with_milliseconds() {
        let text = |ms| serde_json::to_string(&Time(Timestamp(ms))).unwrap();
        assert_eq!(text(0), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(text(1_700_000_000_120), r#""2023-11-14T22:13:20.120Z""#);
        assert!(text(u64::MAX).starts_with(r#""9999-12-3"#));
    }

    #[test]
    fn moments_are_read_with_any_offset() {
        let ms = |text| parse(text).map(|moment| moment.0);
        assert_eq!(ms("2023-11-14T22:13:20.120Z"), Some(1_700_000_000_120));
        assert_eq!(ms("2023-11-14T23:13:20.12+01:00"), Some(1_700_000_000_120));
        assert_eq!(ms("1969-12-31T23:59:59Z"), None);
        assert_eq!(ms("yesterday"), None);
    }
}
