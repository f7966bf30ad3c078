//! Moments on the wire: RFC 3339, UTC, milliseconds.

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};
use stockade_domain::Timestamp;

use crate::query::digits;

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

/// Reads a moment that a client wrote, exactly as RFC 3339 says; none before 1970. A second that was inserted is the one before it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_at_checked(10)?;
    let clock = rest.strip_prefix(['T', 't'])?;
    let (time, rest) = clock.split_at_checked(8)?;
    let days = days(day)?;
    let [hour, minute, second] = numbers(time, [2, 2, 2], ':')?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("0", rest),
    };
    let millis = millis(fraction)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second.min(59) - ahead(offset)?;
    u64::try_from(seconds * 1_000 + millis).ok().map(Timestamp)
}

/// The days of `2026-01-31` since 1970.
fn days(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, [4, 2, 2], '-')?;
    let part = |number: i64| i8::try_from(number).ok();
    let date = jiff::civil::Date::new(i16::try_from(year).ok()?, part(month)?, part(day)?).ok()?;
    let since = date.duration_since(jiff::civil::date(1970, 1, 1));
    Some(since.as_hours() / 24)
}

/// Three numbers of so many digits each.
fn numbers(text: &str, widths: [usize; 3], between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let numbers = widths.map(|width| {
        let part = parts.next().filter(|part| part.len() == width)?;
        digits(part)?.parse().ok()
    });
    let [Some(first), Some(second), Some(third)] = numbers else { return None };
    parts.next().is_none().then_some([first, second, third])
}

/// The first three decimals of a second.
fn millis(fraction: &str) -> Option<i64> {
    let shown = digits(fraction)?.bytes().chain(*b"00").take(3);
    Some(shown.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// The seconds by which a clock of this offset is ahead: `Z`, `+01:00`.
fn ahead(offset: &str) -> Option<i64> {
    if matches!(offset, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match offset.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hour, minute) = rest.split_once(':').filter(|(hour, _)| hour.len() == 2)?;
    let (hour, minute): (i64, i64) = (digits(hour)?.parse().ok()?, digits(minute)?.parse().ok()?);
    (rest.len() == 5 && hour <= 23 && minute <= 59).then_some(sign * (hour * 3_600 + minute * 60))
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
        assert_eq!(ms("1970-01-01T01:00:00+01:00"), Some(0));
    }

    /// The other reader agrees where it reads at all.
    #[test]
    fn moments_are_read_as_rfc_3339_has_them_and_no_other_way() {
        let ms = |text| parse(text).map(|moment| moment.0);
        for text in [
            "2024-02-29T23:59:59.999999999Z",
            "2000-02-29t00:00:00z",
            "2026-11-21T13:00:00-23:59",
            "9999-12-30T00:00:00.5+00:00",
            "2026-11-21T13:00:00.0001Z",
        ] {
            let other: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(ms(text), u64::try_from(other.as_millisecond()).ok(), "{text}");
        }
        assert_eq!(ms("9999-12-31T23:59:59Z"), Some(253_402_300_799_000));
        assert_eq!(ms("9999-12-31T23:59:59.999-23:59"), Some(253_402_300_799_999 + 86_340_000));
        assert_eq!(ms("2016-12-31T23:59:60Z"), ms("2016-12-31T23:59:59Z"));
        for wrong in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21T13:00:00",
            "20261121T130000Z",
            "2026-11-21T13Z",
            "2026-11-21T13:00Z",
            "2026-11-21 13:00:00Z",
            "2026-11-21T13:00:00Z[Europe/Berlin]",
            "2026-11-21T13:00:00+01:00[Europe/Berlin]",
            "2026-11-21T13:00:00,5Z",
            "2026-11-21T13:00:00.Z",
            "2026-11-21T13:00:00+01",
            "2026-11-21T13:00:00+0100",
            "2026-11-21T13:00:00+1:000",
            "2026-11-21T13:00:00+24:00",
            "2026-11-21T13:00:00Z ",
            "2026-02-29T13:00:00Z",
            "2026-13-01T13:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T13:60:00Z",
            "2026-11-21T13:00:61Z",
            "+002026-11-21T13:00:00Z",
            "2026-1-021T13:00:00Z",
            "2026-11-21T+1:00:00Z",
            "\u{662}026-11-21T13:00:00Z",
        ] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }
}
