//! JSON: one value of an object, as far as the ledger looks into it (filled by `spi::jsonb`), and values that
//! are written as strings.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::money::Number;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// Written as a string of what it displays. Amounts are strings: JavaScript would round numbers.
pub struct Shown<T>(pub T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Clone, Debug)]
pub enum Field<'a> {
    Null,
    Bool,
    Number(Number),
    Text(&'a str),
    /// An object or an array, as the bytes of its jsonb form: equal values have equal bytes.
    Nested(Vec<u8>),
}

impl<'a> Field<'a> {
    /// What JSON calls it, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Field::Null => "null",
            Field::Bool => "a boolean",
            Field::Number(_) => "a number",
            Field::Text(_) => "a string",
            Field::Nested(_) => "an object or array",
        }
    }

    /// The error that this is not what the key `name` takes.
    pub fn wrong_type(&self, name: &str, must: &str) -> LedgerError {
        invalid(name, &format!("be {must}, not {}", self.type_name()))
    }

    pub fn into_text(self, name: &str) -> Result<Option<&'a str>> {
        match self {
            Field::Null => Ok(None),
            Field::Text(text) => Ok(Some(text)),
            other => Err(other.wrong_type(name, "a string")),
        }
    }

    /// A number, or a string that holds one: JavaScript cannot carry large numbers.
    pub fn into_number(self, name: &str) -> Result<Option<Number>> {
        match self {
            Field::Null => Ok(None),
            Field::Number(number) => Ok(Some(number)),
            Field::Text(text) => parse_number(name, text).map(Some),
            other => Err(other.wrong_type(name, "a number")),
        }
    }

    pub fn into_integer(self, name: &str) -> Result<Option<i64>> {
        let malformed = || invalid(name, "be a whole number");
        match self.into_number(name).map_err(|_| malformed())? {
            None => Ok(None),
            Some(Number::Finite(value)) if value.is_integer() => {
                i64::try_from(value).map(Some).map_err(|_| malformed())
            }
            Some(_) => Err(malformed()),
        }
    }
}

/// Reads a plain decimal number: digits, at most one point, at most one sign.
pub fn parse_number(name: &str, text: &str) -> Result<Number> {
    match text {
        "NaN" => return Ok(Number::Nan),
        "Infinity" | "-Infinity" => return Ok(Number::Infinite),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(LedgerError::new(Code::InvalidAmount, format!("{name} must be a plain decimal number"))
            .with("argument", name)
            .with("value", text.chars().take(64).collect::<String>())
            .with("reason", "malformed"));
    }
    Ok(Decimal::from_str_exact(text).map_or(Number::OutOfRange, Number::Finite))
}
