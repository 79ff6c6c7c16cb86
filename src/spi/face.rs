//! The types of the SQL face: `numeric`, `timestamptz` and `jsonb` as functions take and return them.

use super::jsonb::{Document, Items};
use super::{Argument, numeric};
use crate::error::{LedgerError, missing};
use crate::money::Number;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, Interval};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use rust_decimal::Decimal;
use std::ffi::CStr;
use uuid::Uuid;

/// A `numeric` argument. Nothing is decided about it yet: it may be NaN.
#[derive(Clone, Copy, Debug)]
pub struct NumericIn(pub Number);

/// A `numeric` result.
#[derive(Clone, Copy, Debug)]
pub struct NumericOut(pub Decimal);

/// A `timestamptz`: microseconds since 2000-01-01 UTC, PostgreSQL's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A `jsonb` argument that the ledger stores as it is.
#[derive(Clone, Debug)]
pub struct JsonIn(pub Document);

/// A `jsonb` result, byte for byte: `pgrx::JsonB` would parse it into floats, which lose digits, and refuses numbers
/// such as 1e400.
pub struct JsonOut(pub Document);

/// A `jsonb` argument that is an array of objects.
pub struct JsonItems(pub Items);

/// A `regclass` argument: the oid of a table that exists, or did when it was written.
#[derive(Clone, Copy, Debug)]
pub struct Regclass(pub pg_sys::Oid);

/// A `uuid` argument.
pub fn uuid(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// A `uuid` argument that must not be NULL.
pub fn needed_id(id: Option<pgrx::Uuid>, name: &str) -> Result<Uuid, LedgerError> {
    id.map(uuid).ok_or_else(|| missing(name))
}

/// An `interval` argument in microseconds; a day has 24 hours and a month 30 days.
pub fn micros(interval: Interval) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

/// Tells pgrx which SQL type a Rust type stands for.
macro_rules! sql_type {
    ($type:ty, $sql:literal) => {
        // SAFETY: the conversions below read and write exactly this SQL type.
        unsafe impl SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($type);
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal($sql));
            const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
                Ok(ReturnsRef::One(SqlMappingRef::literal($sql)));
        }
    };
}

/// Reads an argument through `FromDatum`; NULL is `None` of the surrounding `Option`.
macro_rules! argument {
    ($type:ty) => {
        // SAFETY: pgrx calls this with an argument of the SQL type declared by `sql_type!`.
        unsafe impl<'fcx> ArgAbi<'fcx> for $type {
            unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
                let index = arg.index();
                unsafe { arg.unbox_arg_using_from_datum() }
                    .unwrap_or_else(|| panic!("argument {index} must not be null"))
            }

            unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
                unsafe { arg.unbox_arg_using_from_datum() }.into()
            }
        }
    };
}

/// Returns a value through `IntoDatum`.
macro_rules! result {
    ($type:ty) => {
        // SAFETY: `into_datum` yields a datum of the SQL type declared by `sql_type!`.
        unsafe impl BoxRet for $type {
            unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
                match self.into_datum() {
                    Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
                    None => fcinfo.return_null(),
                }
            }
        }
    };
}

sql_type!(NumericIn, "numeric");
sql_type!(NumericOut, "numeric");
sql_type!(Timestamp, "timestamp with time zone");
sql_type!(JsonIn, "jsonb");
sql_type!(JsonOut, "jsonb");
sql_type!(JsonItems, "jsonb");
sql_type!(Regclass, "regclass");
argument!(NumericIn);
argument!(Timestamp);
argument!(JsonIn);
argument!(JsonItems);
argument!(Regclass);
result!(NumericOut);
result!(Timestamp);
result!(JsonOut);

impl FromDatum for NumericIn {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: declared as numeric.
        (!is_null).then(|| Self(unsafe { numeric::from_datum(datum) }))
    }
}

impl IntoDatum for NumericOut {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(numeric::to_datum(self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::NUMERICOID
    }
}

impl FromDatum for Timestamp {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        (!is_null).then(|| Self(datum.value() as i64))
    }
}

impl IntoDatum for Timestamp {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TIMESTAMPTZOID
    }
}

impl FromDatum for JsonIn {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: declared as jsonb.
        (!is_null).then(|| Self(unsafe { Document::from_datum(datum) }))
    }
}

impl IntoDatum for JsonOut {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0.to_datum())
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for JsonItems {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: declared as jsonb; the argument outlives the call.
        (!is_null).then(|| Self(unsafe { Items::from_datum(datum) }))
    }
}

impl FromDatum for Regclass {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: a regclass is an oid.
        unsafe { pg_sys::Oid::from_datum(datum, is_null) }.map(Self)
    }
}

/// A row of a composite type that the extension owns. Results are composites rather than `TABLE (…)`
/// so that PostgREST returns an object for a function that returns one row, and so that several
/// functions share one shape.
pub trait Composite: Sized {
    /// The type's name in schema `wallet_ledger`; its definition stands in `sql/types.sql`.
    const NAME: &'static CStr;

    /// One value per attribute, in the order of the definition.
    fn into_values(self) -> Vec<Argument>;

    /// The row as a datum of its type.
    fn into_composite(self) -> pg_sys::Datum {
        let arguments = self.into_values();
        let mut values = Vec::with_capacity(arguments.len());
        let mut nulls = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (datum, null) = argument.parts();
            values.push(datum);
            nulls.push(null);
        }
        // SAFETY: the descriptor is the type's own, and the count of values is checked against it.
        unsafe {
            let descriptor = pg_sys::lookup_rowtype_tupdesc(type_oid(Self::NAME), -1);
            assert_eq!((*descriptor).natts as usize, values.len(), "{:?} has another shape", Self::NAME);
            let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            if (*descriptor).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(descriptor);
            }
            pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
        }
    }
}

/// The oid of a type in schema `wallet_ledger`. Looked up anew: after DROP and CREATE EXTENSION it is
/// another one.
fn type_oid(name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalogue look-ups; the datums are a valid name and oid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"wallet_ledger".as_ptr(), false);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as i16,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

/// How a set of a composite type is declared.
pub trait SetOf {
    const SQL: &'static str;
}

/// Makes a [`Composite`] returnable from a `#[pg_extern]` function, alone or in a `Table`.
macro_rules! composite_result {
    ($type:ty, $sql:literal) => {
        // SAFETY: the datum is of the composite type named here.
        unsafe impl pgrx::pgrx_sql_entity_graph::metadata::SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($type);
            const TYPE_ORIGIN: pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin =
                pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin::External;
            const ARGUMENT_SQL: std::result::Result<
                pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef,
                pgrx::pgrx_sql_entity_graph::metadata::ArgumentError,
            > = Ok(pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal($sql));
            const RETURN_SQL: std::result::Result<
                pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef,
                pgrx::pgrx_sql_entity_graph::metadata::ReturnsError,
            > = Ok(pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef::One(
                pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal($sql),
            ));
        }

        impl $crate::spi::face::SetOf for $type {
            const SQL: &'static str = concat!("SETOF ", $sql);
        }

        // SAFETY: as above.
        unsafe impl pgrx::callconv::BoxRet for $type {
            unsafe fn box_into<'fcx>(
                self,
                fcinfo: &mut pgrx::callconv::FcInfo<'fcx>,
            ) -> pgrx::datum::Datum<'fcx> {
                let datum = $crate::spi::face::Composite::into_composite(self);
                unsafe { fcinfo.return_raw_datum(datum) }
            }
        }
    };
}
pub(crate) use composite_result;
