//! Columns of an application's rows, as text.
//!
//! Values are read with the output functions of their types and never by SQL over the application's
//! columns: the triggers run as `wallet_owner`, and a cast or an operator that the table's owner has
//! defined must not run with that role's rights. It also costs no plan and no second look at the rows.
//! The functions' own settings (time zone, date style, …) make a value's text the same in every session.

use super::rules::column::{Column, Holds};
use super::source::{Attribute, Slot};
use crate::error::Result;
use crate::json::parse_number;
use crate::money::Number;
use crate::spi::numeric;
use pgrx::{PgMemoryContexts, pg_sys};
use rust_decimal::Decimal;
use std::ffi::CStr;

/// Rows between two clean-ups of what the output functions have allocated.
const ROWS_PER_CLEANUP: u32 = 256;

/// A column that is read as text.
pub struct Field {
    number: i16,
    is_trimmed: bool,
    output: pg_sys::FmgrInfo,
}

impl Field {
    pub fn of(attribute: Attribute) -> Self {
        let mut output = pg_sys::FmgrInfo::default();
        // SAFETY: the type exists, since a column has it; the look-up lives in the call's memory.
        unsafe {
            let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeOutputInfo(attribute.type_oid, &mut function, &mut is_varlena);
            pg_sys::fmgr_info(function, &mut output);
        }
        Self { number: attribute.number, is_trimmed: false, output }
    }

    /// The same, without the blanks that fill up a `character(n)`.
    pub fn trimmed(attribute: Attribute, column: &Column) -> Self {
        Self { is_trimmed: column.holds == Holds::Padded, ..Self::of(attribute) }
    }

    /// The fields of the columns with these numbers, in their order.
    pub fn of_numbers(attributes: &[Attribute], numbers: &[i16]) -> Vec<Self> {
        let of_number = |number: &i16| attributes.iter().find(|attribute| attribute.number == *number);
        numbers.iter().filter_map(of_number).map(|attribute| Self::of(*attribute)).collect()
    }

    /// The value's text; `None` where it is NULL.
    pub fn read(&mut self, slot: Slot) -> Option<&[u8]> {
        let value = slot.value(self.number)?;
        // SAFETY: the function is the output function of the column's type.
        let text = unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(&mut self.output, value)) };
        let bytes = text.to_bytes();
        Some(if self.is_trimmed { bytes.trim_ascii_end() } else { bytes })
    }

    pub fn text(&mut self, slot: Slot) -> Option<String> {
        self.read(slot).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// The texts of several fields of a row.
pub fn texts(fields: &mut [Field], slot: Slot) -> Vec<Option<String>> {
    fields.iter_mut().map(|field| field.text(slot)).collect()
}

/// A column that is read as an amount.
pub struct Amount {
    field: Field,
    base_type: pg_sys::Oid,
}

impl Amount {
    pub fn of(attribute: Attribute) -> Self {
        Self { field: Field::of(attribute), base_type: attribute.base_type }
    }

    /// The number; `None` where it is NULL, an error where the column is text and holds none.
    pub fn read(&mut self, slot: Slot) -> Option<Result<Number>> {
        let value = slot.value(self.field.number)?;
        // SAFETY: the column has this base type; integers up to eight bytes are passed by value.
        Some(Ok(match self.base_type {
            pg_sys::NUMERICOID => unsafe { numeric::from_datum(value) },
            pg_sys::INT2OID => Number::Finite(Decimal::from(value.value() as i16)),
            pg_sys::INT4OID => Number::Finite(Decimal::from(value.value() as i32)),
            pg_sys::INT8OID => Number::Finite(Decimal::from(value.value() as i64)),
            _ => {
                let text = self.field.text(slot)?;
                return Some(parse_number("amount", text.trim()));
            }
        }))
    }
}

/// Memory that is cleaned up now and then, for what reading a row allocates.
pub struct RowMemory {
    memory: PgMemoryContexts,
    rows: u32,
}

impl RowMemory {
    pub fn new() -> Self {
        Self { memory: PgMemoryContexts::new("wallet_ledger trigger rows"), rows: 0 }
    }

    pub fn within<T>(&mut self, read: impl FnOnce() -> T) -> T {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_CLEANUP) {
            // SAFETY: every value read is copied out.
            unsafe { self.memory.reset() };
        }
        // SAFETY: the context lives as long as this value.
        let _before = Before(unsafe { pg_sys::MemoryContextSwitchTo(self.memory.value()) });
        read()
    }
}

/// Puts the memory context back that was current, also while an error unwinds: the one that is current now may be freed
/// by what is unwound next.
struct Before(pg_sys::MemoryContext);

impl Drop for Before {
    fn drop(&mut self) {
        // SAFETY: the context of a caller, which outlives this call.
        unsafe { pg_sys::MemoryContextSwitchTo(self.0) };
    }
}
