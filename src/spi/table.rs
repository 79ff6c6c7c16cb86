//! Returning many rows at once.
//!
//! pgrx hands out a set row by row, and PostgreSQL enters the function anew for each: for a definer
//! function that switches user and search path ten thousand times. A [`Table`] is written into one
//! tuplestore in a single call.

use super::face::{Composite, SetOf};
use pgrx::callconv::{CallCx, RetAbi};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{PgMemoryContexts, pg_sys};

/// The result of a set-returning function.
pub struct Table<T>(pub Vec<T>);

// pgrx's schema generator takes only its own iterators for sets, so the word stands in the type's name.
// SAFETY: the tuplestore below is made of the row's own type.
unsafe impl<T: SqlTranslatable + SetOf> SqlTranslatable for Table<T> {
    const TYPE_IDENT: &'static str = T::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = T::TYPE_ORIGIN;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Err(ArgumentError::SetOf);
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal(T::SQL)));
}

// SAFETY: the whole set is returned in materialize mode by the first and only call.
unsafe impl<T: Composite> RetAbi for Table<T> {
    type Item = Self;
    type Ret = Self;

    fn to_ret(self) -> Self::Ret {
        self
    }

    unsafe fn check_fcinfo_and_prepare(_: pg_sys::FunctionCallInfo) -> CallCx {
        // SAFETY: the current context lives through the call.
        CallCx::WrappedFn(unsafe { pg_sys::CurrentMemoryContext })
    }

    unsafe fn box_ret_in_fcinfo(fcinfo: pg_sys::FunctionCallInfo, ret: Self) -> pg_sys::Datum {
        // SAFETY: InitMaterializedSRF checks that the caller takes a set and makes the tuplestore and its
        // descriptor; every row has as many values as the descriptor has attributes.
        unsafe {
            pg_sys::InitMaterializedSRF(fcinfo, 0);
            let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            let (store, descriptor) = ((*result).setResult, (*result).setDesc);
            // What a row's values take is given back after each row.
            let mut scratch = PgMemoryContexts::new("wallet_ledger row");
            for row in ret.0 {
                scratch.switch_to(|_| {
                    let (mut values, mut nulls): (Vec<pg_sys::Datum>, Vec<bool>) =
                        row.into_values().into_iter().map(super::Argument::parts).unzip();
                    assert_eq!((*descriptor).natts as usize, values.len(), "{:?} has another shape", T::NAME);
                    pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
                });
                scratch.reset();
            }
            (*fcinfo).isnull = true;
        }
        pg_sys::Datum::null()
    }

    unsafe fn move_into_fcinfo_fcx(self, _: pg_sys::FunctionCallInfo) {}

    unsafe fn fill_fcinfo_fcx(&self, _: pg_sys::FunctionCallInfo) {}
}
