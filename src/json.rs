//! JSON: one value of an object, as far as the ledger looks into it (filled by `spi::jsonb`), and values that
//! are written as strings.

use crate::money::Number;
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// Written as a string of what it displays. Amounts are strings: JavaScript would round numbers.
pub struct Shown<T>(pub T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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

impl Field<'_> {
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
}
