//! SWIFT MT940, the customer statement message: `:20: :25: :28C: :60F: (:61: :86:)* :62F:`, several in a file.
//!
//! A parser of our own, because the one crate there is (`mt940`) refuses a whole file for one bad line or one
//! character outside of SWIFT's set (banks here write `&`, `*` and `_`), and brings in `clap`, `pest` and `chrono`.
//!
//! Strict where money is concerned: each message must have its balances and add up, and the messages of a file
//! must follow from one another, oldest first or newest first. Tags that do not matter here are passed over,
//! and so is what stands around the messages (SWIFT's blocks, `-` lines).

mod booking;

use super::balance::{self, Stated, Step, unbalanced};
use super::entry::{self, Entry, Outcome};
use super::table;
use super::{BadStatement, Balance, LINES_MAX, Statement, quoted, too_many_lines};
use crate::bank::rules::digits;
use crate::bank::rules::when::When;
use jiff::civil::Date;
use rust_decimal::Decimal;
use std::collections::HashSet;

/// Most messages have seven fields and one booking.
const FIELDS_MAX: usize = 8 * LINES_MAX;
/// The currencies that have three decimals. All others have two or none.
const THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

pub fn parse(text: &str) -> Result<Statement, BadStatement> {
    let fields = fields(text)?;
    if !fields.iter().any(|field| field.tag == "20") {
        return Err(BadStatement::new(
            "not_mt940",
            "the content has no field :20:, with which a message begins",
        ));
    }
    let mut file = File { text, ..File::default() };
    for field in &fields {
        file.take(field)?;
    }
    file.finish()
}

/// A tag and all that stands before the next one.
struct Field<'a> {
    line: usize,
    tag: &'a str,
    start: usize,
    value: &'a str,
}

/// One message as far as it has been read.
#[derive(Default)]
struct Message<'a> {
    start: usize,
    line: usize,
    opening: Option<Balance>,
    closing: Option<Balance>,
    bookings: Vec<booking::Text<'a>>,
    /// Whether an `:86:` that comes now is about the last booking.
    informs: bool,
}

#[derive(Default)]
struct File<'a> {
    text: &'a str,
    account_number: Option<String>,
    currency: Option<String>,
    current: Option<Message<'a>>,
    /// Opening and closing balance of each message, and its line.
    done: Vec<(Balance, Balance, usize)>,
    seen: HashSet<&'a str>,
    entries: Vec<Entry>,
    bookings: usize,
}

impl<'a> File<'a> {
    fn take(&mut self, field: &Field<'a>) -> Result<(), BadStatement> {
        if field.tag == "20" {
            self.end_message(field.start)?;
            self.current = Some(Message { start: field.start, line: field.line, ..Message::default() });
            return Ok(());
        }
        let misplaced = |why: &str| {
            BadStatement::new("malformed_message", format!("line {}: :{}: {why}", field.line, field.tag))
        };
        let Some(message) = &mut self.current else { return Err(misplaced("stands before the first :20:")) };
        match field.tag {
            "25" | "25P" => {
                let number = field.value.lines().next().unwrap_or_default();
                let number = digits(number.rsplit('/').next().unwrap_or_default());
                if (4..=34).contains(&number.len()) {
                    same(&mut self.account_number, number, "mixed_accounts", field.line)?;
                }
            }
            "60F" | "60M" | "62F" | "62M" => {
                let (balance, currency) = stated(field)?;
                same(&mut self.currency, currency, "mixed_currencies", field.line)?;
                let place = match (field.tag.starts_with("60"), message.opening, message.closing) {
                    (true, None, None) => &mut message.opening,
                    (false, Some(_), None) => &mut message.closing,
                    _ => return Err(misplaced("is not where it belongs")),
                };
                *place = Some(balance);
            }
            "61" if message.opening.is_none() || message.closing.is_some() => {
                return Err(misplaced("does not stand between the balances"));
            }
            "61" => {
                self.bookings += 1;
                if self.bookings > LINES_MAX {
                    return Err(too_many_lines());
                }
                message.bookings.push(booking::Text::new(field.line, field.value));
            }
            "86" if message.informs => {
                if let Some(booking) = message.bookings.last_mut() {
                    booking.inform(field.value);
                }
            }
            _ => {}
        }
        message.informs = field.tag == "61" || (field.tag == "86" && message.informs);
        Ok(())
    }

    /// Closes the message that was being read: it must be whole, and add up.
    fn end_message(&mut self, end: usize) -> Result<(), BadStatement> {
        let Some(message) = self.current.take() else { return Ok(()) };
        let (Some(opening), Some(closing)) = (message.opening, message.closing) else {
            let lacks = if message.opening.is_none() { "opening (:60F:)" } else { "closing (:62F:)" };
            let text = format!("line {}: the message that begins here has no {lacks} balance", message.line);
            return Err(BadStatement::new("missing_balance", text));
        };
        let body = self.text.get(message.start..end).unwrap_or_default().trim();
        if !message.bookings.is_empty() && !self.seen.insert(body) {
            let text = format!("line {}: the message that begins here is in the file twice", message.line);
            return Err(BadStatement::new("repeated_message", text));
        }
        let currency = self.currency.as_deref().unwrap_or_default();
        let decimals_max = if THREE_DECIMALS.contains(&currency) { 3 } else { 2 };
        let entries: Vec<Entry> = message.bookings.iter().map(|text| text.entry(decimals_max)).collect();
        let steps: Vec<Step> = entries.iter().map(|entry| entry.step).collect();
        let stated =
            Stated { opening: Some(opening.amount), closing: Some(closing.amount), ..Stated::default() };
        balance::prove(&steps, stated).map_err(|fault| {
            unbalanced(format!("the message that begins in line {}: {}", message.line, fault.message))
        })?;
        self.entries.extend(entries);
        self.done.push((opening, closing, message.line));
        if self.done.len() > LINES_MAX { Err(too_many_lines()) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Statement, BadStatement> {
        self.end_message(self.text.len())?;
        let breaks = |newest_first: bool| {
            self.done.windows(2).find(|pair| {
                let (earlier, later) = if newest_first { (&pair[1], &pair[0]) } else { (&pair[0], &pair[1]) };
                earlier.1.amount != later.0.amount
            })
        };
        let newest_first = match breaks(false) {
            Some(pair) if breaks(true).is_some() => {
                let (closing, opening, line) = (pair[0].1.amount, pair[1].0.amount, pair[1].2);
                return Err(unbalanced(format!(
                    "line {line}: the message that begins here opens with {opening}, the one before closed with {closing}"
                )));
            }
            found => found.is_some(),
        };
        let (mut first, mut last) = (self.done.first(), self.done.last());
        if newest_first {
            (first, last) = (last, first);
        }
        let (opening, closing) = (first.map(|message| message.0), last.map(|message| message.1));
        Ok(Statement {
            lines: entry::lines(self.entries, self.account_number.as_ref()),
            opening,
            closing,
            account_number: self.account_number,
            currency: self.currency,
            from_day: opening.map(|balance| balance.day),
            until_day: closing.map(|balance| balance.day),
        })
    }
}

/// Keeps the one value that all messages must share.
fn same(
    kept: &mut Option<String>,
    value: String,
    reason: &'static str,
    line: usize,
) -> Result<(), BadStatement> {
    match kept {
        Some(kept) if *kept != value => {
            Err(BadStatement::new(reason, format!("line {line}: {value}, where a message before has {kept}")))
        }
        _ => {
            *kept = Some(value);
            Ok(())
        }
    }
}

/// `C260930IDR1234567,89`: below zero with a `D`.
fn stated(field: &Field<'_>) -> Result<(Balance, String), BadStatement> {
    let text = field.value.lines().next().unwrap_or_default().trim();
    let read = || {
        let (mark, rest) = (text.get(..1)?, text.get(1..)?);
        let (day, currency, amount) = (rest.get(..6)?, rest.get(6..9)?, rest.get(9..)?);
        let amount = decimal(amount)?;
        let amount = match mark {
            "C" => amount,
            "D" => -amount,
            _ => return None,
        };
        let decimals_max = if THREE_DECIMALS.contains(&currency) { 3 } else { 2 };
        let sound = currency.bytes().all(|byte| byte.is_ascii_uppercase()) && amount.scale() <= decimals_max;
        let balance = Balance { day: When::on(date(day)?)?.day, amount };
        sound.then(|| (balance, currency.to_owned()))
    };
    read().ok_or_else(|| {
        let text = format!("line {}: :{}: {} is no balance", field.line, field.tag, quoted(text));
        BadStatement::new("invalid_balance", text)
    })
}

/// An amount with the decimal comma that the standard demands.
fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once(',')?;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > super::amount::WHOLE_DIGITS_MAX || fraction.len() > 3 {
        return None;
    }
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    Decimal::from_str_exact(&if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
    .ok()
}

/// `YYMMDD`, of this century.
fn date(text: &str) -> Option<Date> {
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(2000 + text[..2].parse::<i16>().ok()?, text[2..4].parse().ok()?, text[4..].parse().ok()?).ok()
}

fn fields(text: &str) -> Result<Vec<Field<'_>>, BadStatement> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut inside = false;
    for line in table::lines(text) {
        // SWIFT's block 4 holds the message, and may begin in the line of the blocks before it.
        let blocks = line.text.starts_with("{1:");
        let skip = if blocks { line.text.find("{4:").map_or(line.text.len(), |at| at + 3) } else { 0 };
        let (start, end) = (line.start + skip, line.start + line.text.len());
        let rest = line.text[skip..].trim_end();
        if let Some(tag) = tag(rest) {
            fields.push(Field { line: line.number, tag, start, value: &rest[tag.len() + 2..] });
            inside = true;
        } else if blocks || rest == "-" || rest.starts_with("-}") {
            inside = false;
        } else if inside
            && !rest.is_empty()
            && let Some(field) = fields.last_mut()
        {
            field.value = &text[field.start + field.tag.len() + 2..end];
        }
        if fields.len() > FIELDS_MAX {
            return Err(too_many_lines());
        }
    }
    Ok(fields)
}

/// The tag that a line begins with: two digits and perhaps a capital letter, between colons.
fn tag(line: &str) -> Option<&str> {
    let (tag, _) = line.strip_prefix(':')?.split_once(':')?;
    let bytes = tag.as_bytes();
    let number = bytes.len() >= 2 && bytes[..2].iter().all(u8::is_ascii_digit);
    let letter = bytes.len() == 2 || (bytes.len() == 3 && bytes[2].is_ascii_uppercase());
    (tag == "NS" || (number && letter)).then_some(tag)
}

/// What [`booking`] makes of a line that it does not understand.
fn outcome(read: Result<entry::Draft, (&'static str, String)>, line: usize) -> Outcome {
    match read {
        Ok(draft) => Outcome::Booked(draft),
        Err((reason, message)) => {
            Outcome::Bad(crate::bank::rules::BadLine::new(reason, format!("line {line}: {message}")))
        }
    }
}

#[cfg(test)]
mod tests;
