//! When a bank says that money moved.

use crate::time::{self, POSTGRES_EPOCH_MICROS};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Banks and gateways in Indonesia report Western Indonesian Time where they name no zone.
const WIB_SECONDS: i32 = 7 * 3600;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A moment, or a whole day where the bank says only the date.
///
/// `from` and `until` are the first and the last microsecond that it can mean, counted as PostgreSQL
/// counts; `day` is the bank's own booking day, in days since 2000-01-01, PostgreSQL's count of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct When {
    pub from: i64,
    pub until: i64,
    pub day: i32,
}

impl When {
    /// `2026-11-21 10:25:16` in WIB, `2026-11-21T10:25:16+07:00` or `…Z`, with or without fractions of a
    /// second, or a date alone. Midnight sharp without a zone is a date alone: banks that know only the
    /// day are reported so. `None` for anything else, and for dates that do not exist or that the books have not.
    pub fn parse(text: &str) -> Option<Self> {
        let when = Self::read(text)?;
        [when.from, when.until].iter().all(|at| time::finite(*at, "date").is_ok()).then_some(when)
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 40 || !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self::at(timestamp.as_microsecond().checked_sub(POSTGRES_EPOCH_MICROS)?));
        }
        if text.len() == 10 {
            return Self::on(text.parse::<Date>().ok()?);
        }
        let civil: DateTime = text.parse().ok()?;
        if civil.time() == jiff::civil::Time::midnight() {
            return Self::on(civil.date());
        }
        let timestamp = wib()?.to_timestamp(civil).ok()?;
        Some(Self::at(timestamp.as_microsecond().checked_sub(POSTGRES_EPOCH_MICROS)?))
    }

    /// A moment, in microseconds since 2000-01-01 UTC. Its day is that of WIB.
    pub fn at(micros: i64) -> Self {
        let local = micros.saturating_add(i64::from(WIB_SECONDS) * MICROS_PER_SECOND);
        let day = local.div_euclid(24 * 3600 * MICROS_PER_SECOND);
        Self { from: micros, until: micros, day: i32::try_from(day).unwrap_or(i32::MAX) }
    }

    /// A whole day in WIB.
    pub fn on(date: Date) -> Option<Self> {
        let start = wib()?.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        let from = start.as_microsecond().checked_sub(POSTGRES_EPOCH_MICROS)?;
        let day = Self::at(from).day;
        Some(Self { from, until: from + 24 * 3600 * MICROS_PER_SECOND - 1, day })
    }
}

fn wib() -> Option<Offset> {
    Offset::from_seconds(WIB_SECONDS).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond() - POSTGRES_EPOCH_MICROS
    }

    #[test]
    fn the_forms_of_the_providers() {
        let moota = When::parse("2021-10-05 10:25:16").unwrap();
        assert_eq!(moota.from, micros("2021-10-05T03:25:16Z"));
        assert_eq!(moota.from, moota.until);
        assert_eq!(When::parse("2021-10-05T10:25:16+07:00"), Some(moota));
        assert_eq!(When::parse("2021-10-05T03:25:16Z"), Some(moota));
        let day = When::parse("2021-10-05").unwrap();
        assert_eq!((day.from, day.day), (micros("2021-10-04T17:00:00Z"), moota.day));
        assert!(day.from != day.until && day.until == micros("2021-10-05T17:00:00Z") - 1);
        assert_eq!(When::parse("2021-10-05 00:00:00"), Some(day));
    }

    #[test]
    fn the_day_is_the_banks() {
        let day = |text: &str| When::parse(text).unwrap().day;
        assert_eq!(day("2000-01-01 00:00:01"), 0);
        assert_eq!(day("1999-12-31 23:59:59"), -1);
        assert_eq!(day("2026-11-20T17:00:00Z"), day("2026-11-21 12:00:00"));
    }

    #[test]
    fn what_does_not_exist_is_not_a_time() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-02-30 10:00:00",
            "2026-13-01",
            "2026-11-21 25:00:00",
            "infinity",
            "now",
            "21/11/2026",
            "💸",
            "9999999-01-01",
            "0000-06-01",
            "0001-01-01",
            "2026-11-21 10:00:00 Asia/Jakarta",
            "-1",
            "0000-00-00 00:00:00",
        ] {
            assert_eq!(When::parse(text), None, "{text:?}");
        }
    }
}
