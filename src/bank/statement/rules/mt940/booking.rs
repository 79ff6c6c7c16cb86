//! One booking of an MT940 message: its `:61:` and what the `:86:` behind it adds.
//!
//! `:61:` is the value date (YYMMDD), perhaps the entry date (MMDD), the mark (`C`, `D`, and `RC`, `RD` for a
//! booking taken back: a credit taken back is a debit), perhaps a letter of the currency, the amount, a type of
//! four characters, the customer's reference, perhaps `//` and the bank's, and perhaps a second line.

use super::super::balance::Step;
use super::super::entry::{Draft, Entry, collapsed};
use super::super::quoted;
use super::{date, decimal, outcome};
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use jiff::civil::Date;
use rust_decimal::Decimal;

const MARKS: [(&str, Direction); 4] =
    [("RC", Direction::Debit), ("RD", Direction::Credit), ("C", Direction::Credit), ("D", Direction::Debit)];
/// What a bank writes where there is no reference.
const NO_REFERENCE: &str = "NONREF";

/// The text of a booking, not read yet.
pub struct Text<'a> {
    line: usize,
    value: &'a str,
    information: String,
}

/// A reason and a message.
type Fault = (&'static str, String);

impl<'a> Text<'a> {
    pub fn new(line: usize, value: &'a str) -> Self {
        Self { line, value, information: String::new() }
    }

    /// Adds what an `:86:` says.
    pub fn inform(&mut self, value: &str) {
        append(&mut self.information, value);
    }

    pub fn entry(&self, decimals_max: u32) -> Entry {
        let mut step = Step { line: self.line, effect: None, day: None, balance: None, pending: false };
        let read = self.read(decimals_max, &mut step);
        Entry { step, outcome: outcome(read, self.line) }
    }

    fn read(&self, decimals_max: u32, step: &mut Step) -> Result<Draft, Fault> {
        let (first, details) = self.value.split_once(['\n', '\r']).unwrap_or((self.value, ""));
        let first = first.trim_end();
        let invalid =
            || ("invalid_line", format!(":61: {} does not begin with a date of six digits", quoted(first)));
        let (value_date, rest) = first.split_at_checked(6).ok_or_else(invalid)?;
        let (entry_date, rest) = match rest.split_at_checked(4) {
            Some((entry_date, rest)) if all_digits(entry_date) => (Some(entry_date), rest),
            _ => (None, rest),
        };
        let (direction, rest) = MARKS
            .iter()
            .find_map(|(mark, direction)| Some((*direction, rest.strip_prefix(mark)?)))
            .ok_or_else(|| {
                ("invalid_direction", format!(":61: {} has no mark C, D, RC or RD", quoted(first)))
            })?;
        let rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
        let amount = amount(&rest[..end], decimals_max, direction, step)?;
        let references = after_type(&rest[end..]).ok_or_else(|| {
            ("invalid_line", format!(":61: {} has no type behind the amount", quoted(first)))
        })?;
        let when = booked_on(value_date, entry_date).ok_or_else(|| {
            let text = format!("the date {value_date}{} does not exist", entry_date.unwrap_or_default());
            ("invalid_date", text)
        })?;
        let customers = references.split("//").next().unwrap_or_default().trim();
        let mut description = collapsed(&self.information);
        append(&mut description, details);
        if customers != NO_REFERENCE && !description.contains(customers) {
            append(&mut description, customers);
        }
        Ok(Draft {
            direction,
            amount,
            when,
            balance: None,
            reference: references.trim().to_owned(),
            description,
        })
    }
}

/// The amount, and what it does to the balance even where the line is refused for it.
fn amount(text: &str, decimals_max: u32, direction: Direction, step: &mut Step) -> Result<Decimal, Fault> {
    let invalid = |why: &str| ("invalid_amount", format!("the amount {} {why}", quoted(text)));
    let amount = decimal(text).ok_or_else(|| invalid("is not digits with one decimal comma"))?;
    step.effect = Some(if direction == Direction::Credit { amount } else { -amount });
    if amount.is_zero() {
        return Err(invalid("is not above zero"));
    }
    if amount.scale() > decimals_max { Err(invalid("has too many decimals")) } else { Ok(amount) }
}

/// What stands behind the four characters of the type.
fn after_type(text: &str) -> Option<&str> {
    let (kind, rest) = text.split_at_checked(4)?;
    let sound = kind.starts_with(['N', 'F', 'S']) && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then_some(rest)
}

/// The day of the booking: the entry date, in the year that brings it closest to the value date.
fn booked_on(value_date: &str, entry_date: Option<&str>) -> Option<When> {
    let value = date(value_date)?;
    let Some(entry) = entry_date else { return When::on(value) };
    let (month, day) = (entry.get(..2)?.parse().ok()?, entry.get(2..)?.parse().ok()?);
    let distance = |date: &Date| (value.duration_until(*date)).abs();
    let years = [value.year() - 1, value.year(), value.year() + 1];
    let nearest =
        years.into_iter().filter_map(|year| Date::new(year, month, day).ok()).min_by_key(distance)?;
    When::on(nearest)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn append(text: &mut String, more: &str) {
    let more = collapsed(more);
    if !more.is_empty() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&more);
    }
}
