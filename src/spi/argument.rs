//! Parameters of statements, and values of results.

use super::{jsonb, numeric};
use pgrx::IntoDatum;
use pgrx::pg_sys;
use rust_decimal::Decimal;
use uuid::Uuid;

/// One parameter of a statement.
#[derive(Clone, Copy)]
pub struct Argument {
    pub(super) datum: pg_sys::Datum,
    pub(super) null: bool,
}

impl Argument {
    pub fn datum(datum: Option<pg_sys::Datum>) -> Self {
        Self { datum: datum.unwrap_or(pg_sys::Datum::null()), null: datum.is_none() }
    }

    pub fn bytes(value: &[u8]) -> Self {
        Self::datum(value.into_datum())
    }

    pub fn texts<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        Self::datum(values.collect::<Vec<&str>>().into_datum())
    }

    pub fn ids(values: impl Iterator<Item = Uuid>) -> Self {
        Self::datum(values.map(|id| pgrx::Uuid::from_bytes(*id.as_bytes())).collect::<Vec<_>>().into_datum())
    }

    pub fn numbers(values: impl Iterator<Item = i64>) -> Self {
        Self::datum(values.collect::<Vec<i64>>().into_datum())
    }

    pub fn times(values: impl Iterator<Item = i64>) -> Self {
        Self::datum(values.map(super::face::Timestamp).collect::<Vec<_>>().into_datum())
    }

    /// A jsonb value of what serde can serialize.
    pub fn json(value: &(impl serde::Serialize + ?Sized)) -> Self {
        Self::datum(Some(jsonb::build(value)))
    }

    /// A jsonb value of JSON.
    pub fn json_value(value: &serde_json::Value) -> Self {
        Self::datum(Some(jsonb::build_value(value)))
    }

    pub(crate) fn parts(self) -> (pg_sys::Datum, bool) {
        (self.datum, self.null)
    }
}

/// Where a row lies: its `ctid`, good until somebody changes the row. Under the row's lock that is only this transaction.
#[derive(Clone, Copy, Debug)]
pub struct TupleId(pub(super) pg_sys::ItemPointerData);

impl From<TupleId> for Argument {
    fn from(tuple_id: TupleId) -> Self {
        Self::datum(tuple_id.0.into_datum())
    }
}

impl From<i16> for Argument {
    fn from(value: i16) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<pg_sys::Oid> for Argument {
    fn from(value: pg_sys::Oid) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::datum(value.into_datum())
    }
}

impl From<&String> for Argument {
    fn from(value: &String) -> Self {
        value.as_str().into()
    }
}

impl From<Uuid> for Argument {
    fn from(value: Uuid) -> Self {
        Self::datum(pgrx::Uuid::from_bytes(*value.as_bytes()).into_datum())
    }
}

impl From<Decimal> for Argument {
    fn from(value: Decimal) -> Self {
        Self::datum(Some(numeric::to_datum(value)))
    }
}

impl From<&jsonb::Document> for Argument {
    fn from(value: &jsonb::Document) -> Self {
        Self::datum(Some(value.to_datum()))
    }
}

impl<T> From<Option<T>> for Argument
where
    Argument: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::datum(None), Argument::from)
    }
}
