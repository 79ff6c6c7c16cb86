//! Bank statements as files: what a bank's export says, line by line.
//!
//! A line that is not understood is a [`BadLine`](crate::bank::rules::BadLine) and loses no other; a file whose
//! balances do not follow from its lines is refused as a whole, for then something is missing or changed.
//! Reasons of lines: `invalid_date`, `invalid_amount`, `ambiguous_amount`, `invalid_direction`,
//! `invalid_balance`, `too_few_fields`, `too_many_fields`, `malformed_quotes`, `line_too_long`,
//! `truncated_line`, `invalid_line`. Reasons of files are in [`BadStatement`].

mod amount;
mod balance;
mod columns;
mod csv;
mod day;
mod entry;
mod facts;
mod mt940;
pub mod order;
mod row;
mod table;

use crate::bank::rules::Line;
use crate::error::{LedgerError, Result, invalid};
use rust_decimal::Decimal;

/// A statement is one call's argument: a month of a busy account.
pub const CONTENT_BYTES_MAX: usize = 8 * 1024 * 1024;
pub const LINES_MAX: usize = 100_000;

/// What wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// KlikBCA, both the personal and the business form.
    Bca,
    /// Mandiri, both forms of its cash management (MCM, Kopra).
    Mandiri,
    Bri,
    Bni,
    /// Any table with a header of known names.
    Csv,
    /// SWIFT's statement message, as banks give it to companies.
    Mt940,
}

impl Format {
    pub const ALL: [Format; 6] =
        [Format::Bca, Format::Mandiri, Format::Bri, Format::Bni, Format::Csv, Format::Mt940];

    pub fn name(self) -> &'static str {
        match self {
            Format::Bca => "csv:bca",
            Format::Mandiri => "csv:mandiri",
            Format::Bri => "csv:bri",
            Format::Bni => "csv:bni",
            Format::Csv => "csv",
            Format::Mt940 => "mt940",
        }
    }

    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| Self::unknown(name))
    }

    fn unknown(name: &str) -> LedgerError {
        let known = Self::ALL.map(Format::name).join(", ");
        invalid("format", &format!("be one of {known}")).with("format", name).with("known", known)
    }
}

/// A balance that the bank states, or that follows from those it states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// In days since 2000-01-01. MT940 dates its balances itself; a table's opening balance has the day of the
    /// first booked line, its closing balance that of the last (without lines, those of the period).
    pub day: i32,
    pub amount: Decimal,
}

/// A statement that was understood, but for the lines that say otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    pub lines: Vec<Line>,
    /// Before the first booked line and after the last. Lines that are only announced are in neither.
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    /// The bank's number of the account, digits only.
    pub account_number: Option<String>,
    /// Three capital letters.
    pub currency: Option<String>,
    /// The period that the file states, in days since 2000-01-01.
    pub from_day: Option<i32>,
    pub until_day: Option<i32>,
}

/// Why a file is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadStatement {
    /// A token: `empty_content`, `content_too_large`, `too_many_lines`, `missing_columns`, `duplicate_column`,
    /// `mixed_accounts`, `mixed_currencies`, `invalid_balance`, `unbalanced`, and of MT940 `not_mt940`,
    /// `malformed_message`, `repeated_message`, `missing_balance`.
    pub reason: &'static str,
    /// One sentence, with the line where there is one.
    pub message: String,
}

impl BadStatement {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Reads a file. Whatever it holds, the answer is a statement or the reason why it is none.
pub fn parse(format: Format, content: &str) -> std::result::Result<Statement, BadStatement> {
    if content.len() > CONTENT_BYTES_MAX {
        return Err(BadStatement::new(
            "content_too_large",
            format!("the content has {} bytes, more than {CONTENT_BYTES_MAX}", content.len()),
        ));
    }
    let text = content.strip_prefix('\u{feff}').unwrap_or(content);
    if text.trim().is_empty() {
        return Err(BadStatement::new("empty_content", "the content has nothing but blanks"));
    }
    match format {
        Format::Mt940 => mt940::parse(text),
        _ => csv::parse(format, text),
    }
}

fn too_many_lines() -> BadStatement {
    BadStatement::new("too_many_lines", format!("the content has more than {LINES_MAX} lines"))
}

/// What a message quotes of a file: enough to find it.
fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut short: String =
        text.trim().chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    format!("\"{short}\"")
}

/// The digits of an account number, if the text is one and not hidden behind asterisks.
fn account_number(text: &str) -> Option<String> {
    const DIGITS_MAX: usize = 34;
    let is = text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '\'' | '/'));
    let digits = crate::bank::rules::digits(text);
    (is && (4..=DIGITS_MAX).contains(&digits.len())).then_some(digits)
}

#[cfg(test)]
mod tests;
