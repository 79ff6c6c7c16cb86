//! Dates as statements print them. The day stands before the month, always: `04/03/2026` is the 4th of March.
//!
//! `21/11/2026`, `21/11/26`, `21-11-2026`, `2026-11-21`, `2026/11/21`, `21-Nov-2026`, `21 November 2026`, with
//! month names in English or Indonesian, and with a time behind (`10:25:16`, `10.25.16`, `10:25`), which is
//! Western Indonesian Time. `21/11` gets its year from the period that the file states.

use crate::bank::rules::when::When;
use jiff::civil::Date;

/// The first and the last day that a statement says it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Date,
    pub until: Date,
}

const MONTHS: [&[&str]; 12] = [
    &["jan", "january", "januari"],
    &["feb", "february", "februari", "peb", "pebruari"],
    &["mar", "march", "maret"],
    &["apr", "april"],
    &["may", "mei"],
    &["jun", "june", "juni"],
    &["jul", "july", "juli"],
    &["aug", "august", "agu", "ags", "agt", "agust", "agustus"],
    &["sep", "sept", "september"],
    &["oct", "october", "okt", "oktober"],
    &["nov", "november", "nop", "nopember"],
    &["dec", "december", "des", "desember"],
];

/// No bank's export is older than the ledger's own calendar, and a year far ahead is a typing error.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2099;

/// A date, or a date with a time. The error completes the sentence "the date … ".
pub fn read(text: &str, period: Option<Period>) -> Result<When, &'static str> {
    const UNKNOWN: &str = "does not exist, or is written in no form that is known";
    let text = text.trim().trim_start_matches('\'').trim();
    if text.len() > 40 || !text.is_ascii() {
        return Err(UNKNOWN);
    }
    if is_iso(text) {
        // Read twice: the moment by its own zone, the date for its year.
        date(&text[..10]).ok_or(UNKNOWN)?;
        return When::parse(text).ok_or(UNKNOWN);
    }
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let spelled = words.first().is_some_and(|word| number(word, 2).is_some());
    let (day, time) = words.split_at(words.len().min(if spelled { 3 } else { 1 }));
    let day = day.join(" ");
    let date = match date(&day) {
        Some(date) => date,
        None if without_year(&day).is_none() => return Err(UNKNOWN),
        None => in_period(&day, period).ok_or(
            "has no year, and the file states no period that gives it one; a line \
             'Periode : DD/MM/YYYY - DD/MM/YYYY' before the header does",
        )?,
    };
    let time = match time {
        [] => return When::on(date).ok_or(UNKNOWN),
        [time] => clock(time).ok_or(UNKNOWN)?,
        _ => return Err(UNKNOWN),
    };
    When::parse(&format!("{date} {time}")).ok_or(UNKNOWN)
}

/// `01/09/2026 - 30/09/2026` and its kin.
pub fn period(text: &str) -> Option<Period> {
    let lower = text.trim().to_lowercase();
    let (from, until) = [" - ", " s/d ", " sd ", " to ", " until ", " sampai "]
        .iter()
        .find_map(|between| lower.split_once(between))
        .or_else(|| lower.split_once('-').filter(|(from, _)| from.contains('/')))?;
    let period = Period { from: date(from.trim())?, until: date(until.trim())? };
    (period.from <= period.until).then_some(period)
}

/// A date alone, with its year.
pub fn date(text: &str) -> Option<Date> {
    let (first, month, last) = parts(text)?;
    match first.len() {
        // Both digits, or the end of it may be missing.
        4 if last.len() == 2 => civil(number(first, 4)?, month_number(month)?, number(last, 2)?),
        _ => {
            let year = match last.len() {
                4 => number(last, 4)?,
                2 => 2000 + number(last, 2)?,
                _ => return None,
            };
            civil(year, month_number(month)?, number(first, 2)?)
        }
    }
}

/// The three parts of a date with one sign, or one blank, between them.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let sign =
        text.chars().find(|c| !c.is_ascii_alphanumeric()).filter(|c| matches!(c, '/' | '-' | '.' | ' '))?;
    let mut parts = text.split(sign);
    let found = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(found)
}

/// Day and month of a date that has only these.
fn without_year(text: &str) -> Option<(i16, i16)> {
    let (day, month) = text.split_once(['/', '-'])?;
    Some((number(day, 2)?, month_number(month)?))
}

/// The one date in the period that has this day and month.
fn in_period(text: &str, period: Option<Period>) -> Option<Date> {
    let (period, (day, month)) = (period?, without_year(text)?);
    let mut found = (period.from.year()..=period.until.year())
        .filter_map(|year| civil(year, month, day))
        .filter(|date| (period.from..=period.until).contains(date));
    let date = found.next()?;
    found.next().is_none().then_some(date)
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    YEARS.contains(&date.year()).then_some(date)
}

fn month_number(text: &str) -> Option<i16> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return number(text, 2);
    }
    let found = MONTHS.iter().position(|names| names.iter().any(|name| text.eq_ignore_ascii_case(name)))?;
    i16::try_from(found + 1).ok()
}

/// One to `digits_max` ASCII digits.
fn number(text: &str, digits_max: usize) -> Option<i16> {
    let is = (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is { text.parse().ok() } else { None }
}

/// `10:25:16`, `10.25.16` or `10:25`, as [`When::parse`] wants it.
fn clock(text: &str) -> Option<String> {
    let sign = if text.contains(':') { ':' } else { '.' };
    let mut parts = text.split(sign);
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("00");
    let two = |part: &str| part.len() == 2 && number(part, 2).is_some();
    if parts.next().is_some() || number(hour, 2).is_none() || !two(minute) || !two(second) {
        return None;
    }
    Some(format!("{hour:0>2}:{minute}:{second}"))
}

fn is_iso(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[7] == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> When {
        When::parse(text).unwrap()
    }

    #[test]
    fn the_forms_of_the_banks() {
        for text in [
            "21/11/2026",
            "'21/11/2026",
            " 21/11/26 ",
            "21-11-2026",
            "2026-11-21",
            "2026/11/21",
            "21.11.2026",
            "21-Nov-2026",
            "21-NOP-26",
            "21 November 2026",
            "21/11/2026 00:00:00",
        ] {
            assert_eq!(read(text, None), Ok(whole("2026-11-21")), "{text:?}");
        }
        for text in [
            "2026-11-21 07:40:58",
            "21/11/26 07.40.58",
            "21/11/2026 7:40:58",
            "21 November 2026 07:40:58",
            "21-Nov-2026 07:40:58",
            "2026-11-21T07:40:58+07:00",
            "2026-11-21T00:40:58Z",
        ] {
            assert_eq!(read(text, None), Ok(whole("2026-11-21 07:40:58")), "{text:?}");
        }
        for (month, names) in MONTHS.iter().enumerate() {
            for name in *names {
                let text = format!("01 {} 2026", name.to_uppercase());
                assert_eq!(read(&text, None), Ok(whole(&format!("2026-{:02}-01", month + 1))), "{text}");
            }
        }
    }

    #[test]
    fn what_does_not_exist_is_no_date() {
        for text in [
            "",
            "31/02/2026",
            "29/02/2026",
            "00/01/2026",
            "01/13/2026",
            "11/21/2026",
            "32/01/2026",
            "2026-02-30",
            "1/1/202",
            "01/01/20266",
            "01/01/1999",
            "2126-01-01",
            "0026-01-01",
            "01/09",
            "9/2026",
            "today",
            "PENDING",
            "💸",
            "21/11/2026 25:00",
            "21/11/2026 10:60",
            "21/11/2026 10:00 pagi",
            "21/11-2026",
            "21//2026",
            "२१/११/२०२६",
            "46347",
            "20261121",
            "21/Foo/2026",
            "2026-11-2",
            "2026-11-21x",
        ] {
            assert!(read(text, None).is_err(), "{text:?}");
        }
        assert!(read(&"1".repeat(9_000), None).is_err());
        assert!(read("29/02/2028", None).is_ok());
    }

    #[test]
    fn a_date_without_a_year_gets_the_periods() {
        let over = period("15/12/2025 - 14/01/2026").unwrap();
        assert_eq!(read("'31/12", Some(over)), Ok(whole("2025-12-31")));
        assert_eq!(read("01/01", Some(over)), Ok(whole("2026-01-01")));
        assert!(read("01/02", Some(over)).is_err(), "outside of the period");
        assert!(read("29/02", Some(period("01/02/2026 - 28/02/2026").unwrap())).is_err());
        let long = period("01/01/2025 - 31/01/2026").unwrap();
        assert!(read("15/01", Some(long)).is_err(), "two years are possible");
        assert!(read("15/01", None).unwrap_err().contains("no year"));
    }

    #[test]
    fn periods() {
        let september = Period { from: date("2026-09-01").unwrap(), until: date("2026-09-30").unwrap() };
        for text in [
            "01/09/2026 - 30/09/2026",
            "01/09/2026-30/09/2026",
            "01 Sep 2026 s/d 30 Sep 2026",
            "1-9-2026 to 30-9-2026",
        ] {
            assert_eq!(period(text), Some(september), "{text}");
        }
        for text in
            ["", "30/09/2026 - 01/09/2026", "31/09/2026 - 01/10/2026", "September 2026", "01/09 - 30/09"]
        {
            assert_eq!(period(text), None, "{text}");
        }
    }
}
