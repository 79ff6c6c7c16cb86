//! One value of a JSON object, as far as the ledger looks into it. Filled by `spi::jsonb`.

use crate::money::Number;

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
