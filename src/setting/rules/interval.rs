//! Lengths of time as text, exact to the microsecond.
//!
//! A day is 24 hours. Months and years have no length of their own and are refused.

use jiff::Span;

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// `48 hours`, `1 day 12 hours`, `90 minutes`, ISO 8601 `PT48H`, or `1 day 02:30:00` as PostgreSQL prints
/// an interval. `None` for anything else, for less than nothing, and for parts of a microsecond.
pub fn parse(text: &str) -> Option<i64> {
    // The clock's form alone is read behind a number of days.
    let is_clock = text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b":.".contains(&byte))
        && text.contains(':');
    let span: Span = if is_clock { format!("0 days {text}").parse() } else { text.parse() }.ok()?;
    if span.is_negative() || span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let nanos = i128::from(span.get_weeks()) * i128::from(7 * DAY) * 1_000
        + i128::from(span.get_days()) * i128::from(DAY) * 1_000
        + i128::from(span.get_hours()) * i128::from(HOUR) * 1_000
        + i128::from(span.get_minutes()) * i128::from(MINUTE) * 1_000
        + i128::from(span.get_seconds()) * i128::from(SECOND) * 1_000
        + i128::from(span.get_milliseconds()) * 1_000_000
        + i128::from(span.get_microseconds()) * 1_000
        + i128::from(span.get_nanoseconds());
    if nanos % 1_000 != 0 {
        return None;
    }
    i64::try_from(nanos / 1_000).ok()
}

/// The one way to write a length of time that is not negative, in the largest unit that divides it. Up to
/// three days that is hours, as people say it.
pub fn to_text(micros: i64) -> String {
    let (unit, name) = match micros {
        0 => (SECOND, "second"),
        _ if micros % DAY == 0 && micros > 3 * DAY => (DAY, "day"),
        _ if micros % HOUR == 0 => (HOUR, "hour"),
        _ if micros % MINUTE == 0 => (MINUTE, "minute"),
        _ if micros % SECOND == 0 => (SECOND, "second"),
        _ => (1, "microsecond"),
    };
    let count = micros / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_in_use() {
        for (text, micros) in [
            ("48 hours", 48 * HOUR),
            ("2 days", 2 * DAY),
            ("1 week", 7 * DAY),
            ("90 minutes", 90 * MINUTE),
            ("1 day 12 hours", 36 * HOUR),
            ("1 hour", HOUR),
            ("1.5 hours", 90 * MINUTE),
            ("1500 milliseconds", 1_500_000),
            ("7 microseconds", 7),
            ("0 seconds", 0),
            ("PT48H", 48 * HOUR),
            ("P2D", 2 * DAY),
            ("P1DT12H30M", 36 * HOUR + 30 * MINUTE),
            ("PT0.000001S", 1),
            ("48:00:00", 48 * HOUR),
            ("01:30:00", 90 * MINUTE),
            ("00:00:01.5", 1_500_000),
            ("1 day 02:30:00", DAY + 2 * HOUR + 30 * MINUTE),
        ] {
            assert_eq!(parse(text), Some(micros), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_exact_length_is_refused() {
        for text in [
            "",
            " ",
            "1",
            "48",
            "hours",
            "1 month",
            "1 mon",
            "P1M",
            "P1Y",
            "1 year",
            "-1 hour",
            "1 hour ago",
            "-PT1H",
            "PT-1H",
            "PT0.0000001S",
            "1 nanosecond",
            "0.5 days",
            "1:2:3:4",
            "::",
            "P",
            "PT",
            "💸",
            "１ hour",
            "1 hour\0",
            "infinity",
            "99999999999999999999 hours",
            "now",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn text_reads_back_the_same() {
        for (micros, text) in [
            (0, "0 seconds"),
            (1, "1 microsecond"),
            (SECOND, "1 second"),
            (90 * SECOND, "90 seconds"),
            (90 * MINUTE, "90 minutes"),
            (HOUR, "1 hour"),
            (2 * DAY, "48 hours"),
            (3 * DAY, "72 hours"),
            (4 * DAY, "4 days"),
            (4 * DAY + HOUR, "97 hours"),
            (1_500_000, "1500000 microseconds"),
        ] {
            assert_eq!(to_text(micros), text);
            assert_eq!(parse(text), Some(micros), "{text}");
        }
    }
}
