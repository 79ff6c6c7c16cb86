//! What a clock and a calendar in a time zone show at a moment: PostgreSQL's own arithmetic, without a statement.

use pgrx::pg_sys;
use std::ffi::{CString, c_int};
use std::ptr;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// A time zone that PostgreSQL knows.
#[derive(Clone, Copy)]
pub struct Zone(*mut pg_sys::pg_tz);

/// A day of the calendar, counted as PostgreSQL counts Julian days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(c_int);

/// What the clock and the calendar show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    pub day: Day,
    /// The first day of its month, and of the next one.
    pub month: (Day, Day),
    /// Microseconds since midnight, by the clock.
    pub clock: i64,
}

impl Day {
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(c_int::try_from(days).unwrap_or_default()))
    }

    /// Days since Monday.
    pub fn weekday(self) -> i64 {
        // SAFETY: arithmetic only. PostgreSQL counts from Sunday.
        (i64::from(unsafe { pg_sys::j2day(self.0) }) + 6) % 7
    }
}

impl Zone {
    /// `None` for a name that PostgreSQL does not know (any more).
    pub fn find(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name lives through the call; zones are cached for the life of the backend.
        let zone = unsafe { pg_sys::pg_tzset(name.as_ptr()) };
        (!zone.is_null()).then_some(Self(zone))
    }

    /// What is shown at a moment; `None` beyond PostgreSQL's calendar.
    pub fn local(self, at: i64) -> Option<Local> {
        let (mut fields, mut offset, mut micros) = (pg_sys::pg_tm::default(), 0, 0);
        // SAFETY: out parameters that live through the call, and a zone of PostgreSQL's own.
        let status = unsafe {
            pg_sys::timestamp2tm(at, &mut offset, &mut fields, &mut micros, ptr::null_mut(), self.0)
        };
        if status != 0 {
            return None;
        }
        let (year, month) = (fields.tm_year, fields.tm_mon);
        let following = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        // SAFETY: arithmetic only.
        let day = |year, month, day| Day(unsafe { pg_sys::date2j(year, month, day) });
        let seconds = fields.tm_hour * 3_600 + fields.tm_min * 60 + fields.tm_sec;
        Some(Local {
            day: day(year, month, fields.tm_mday),
            month: (day(year, month, 1), day(following.0, following.1, 1)),
            clock: i64::from(seconds) * SECOND + i64::from(micros),
        })
    }

    /// The moment at which a clock shows a time of a day. A time that a day leaves out is shown by the clock as if
    /// it had not been set forward; one that comes twice is meant as PostgreSQL means it.
    pub fn moment(self, day: Day, clock: i64) -> Option<i64> {
        let mut fields = pg_sys::pg_tm::default();
        let seconds = c_int::try_from(clock / SECOND).ok()?;
        let micros = i32::try_from(clock % SECOND).ok()?;
        // SAFETY: out parameters that live through the calls, and a zone of PostgreSQL's own.
        unsafe {
            pg_sys::j2date(day.0, &mut fields.tm_year, &mut fields.tm_mon, &mut fields.tm_mday);
            fields.tm_hour = seconds / 3_600;
            fields.tm_min = seconds / 60 % 60;
            fields.tm_sec = seconds % 60;
            let mut offset = pg_sys::DetermineTimeZoneOffset(&mut fields, self.0);
            let mut at = 0;
            let status = pg_sys::tm2timestamp(&mut fields, micros, &mut offset, &mut at);
            (status == 0).then_some(at)
        }
    }

    /// The midnight that a day begins with.
    pub fn midnight(self, day: Day) -> Option<i64> {
        self.moment(day, 0)
    }
}
