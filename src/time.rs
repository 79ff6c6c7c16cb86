//! Moments as PostgreSQL counts them: microseconds since 2000-01-01 UTC.

use crate::error::{LedgerError, Result, invalid};
use jiff::Timestamp;

/// Microseconds between the Unix epoch and PostgreSQL's.
pub const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// How `infinity` and `-infinity` are stored.
pub const INFINITY: i64 = i64::MAX;
pub const MINUS_INFINITY: i64 = i64::MIN;
/// The years 1 to 9999, as the domain `finite_time` has them. PostgreSQL cannot print what lies before 4714 BC, nor
/// tell the local day of its last moments, and most clients read no year of five digits: such a row could never be
/// read again, and rows of money are never deleted.
const FIRST_MICROS: i64 = -62_135_596_800_000_000 - POSTGRES_EPOCH_MICROS;
const END_MICROS: i64 = 253_402_300_800_000_000 - POSTGRES_EPOCH_MICROS;

/// `2026-11-21T03:00:00Z`, or `infinity`.
pub fn to_text(micros: i64) -> String {
    match micros {
        INFINITY => return "infinity".to_owned(),
        MINUS_INFINITY => return "-infinity".to_owned(),
        _ => {}
    }
    micros
        .checked_add(POSTGRES_EPOCH_MICROS)
        .and_then(|unix| Timestamp::from_microsecond(unix).ok())
        .map_or_else(|| micros.to_string(), |timestamp| timestamp.to_string())
}

/// Reads an ISO 8601 moment with an offset. Without one it would mean another moment in each session.
pub fn from_text(text: &str, name: &str) -> Result<i64> {
    let malformed = || -> LedgerError {
        invalid(name, "be a time with an offset, such as 2026-11-21T10:00:00+07:00").with("value", text)
    };
    let timestamp: Timestamp = text.parse().map_err(|_| malformed())?;
    finite(timestamp.as_microsecond() - POSTGRES_EPOCH_MICROS, name)
}

/// The moment itself where it is one of the years 1 to 9999; `name` is the argument it came from.
pub fn finite(micros: i64, name: &str) -> Result<i64> {
    if !(FIRST_MICROS..END_MICROS).contains(&micros) {
        return Err(invalid(name, "be a finite time of the years 1 to 9999"));
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_micros_agree() {
        assert_eq!(to_text(0), "2000-01-01T00:00:00Z");
        assert_eq!(from_text("2000-01-01T07:00:00+07:00", "at"), Ok(0));
        assert_eq!(from_text(&to_text(812_345_678_901_234), "at"), Ok(812_345_678_901_234));
        assert_eq!(to_text(INFINITY), "infinity");
    }

    #[test]
    fn a_moment_is_of_the_years_1_to_9999() {
        for (text, ok) in [
            ("0001-01-01T00:00:00Z", true),
            ("0000-12-31T23:59:59.999999Z", false),
            ("-005000-01-01T00:00:00Z", false),
            ("9999-12-30T22:00:00Z", true),
        ] {
            assert_eq!(from_text(text, "at").is_ok(), ok, "{text}");
        }
        assert_eq!(finite(END_MICROS - 1, "at"), Ok(END_MICROS - 1));
        for micros in [END_MICROS, FIRST_MICROS - 1, INFINITY, MINUS_INFINITY] {
            assert!(finite(micros, "at").is_err(), "{micros}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        for text in ["2026-11-21 10:00:00", "yesterday", "", "2026-02-30T00:00:00Z", "infinity"] {
            assert!(from_text(text, "at").is_err(), "{text:?}");
        }
    }
}
