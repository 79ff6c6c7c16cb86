//! Reading an application's rows: the primary key, the status, the amount and what templates name.
//!
//! Values are read with the output functions of their types and never by SQL over the application's
//! columns: the trigger runs as `wallet_owner`, and a cast or an operator that the table's owner has
//! defined must not run with that role's rights. It also costs no plan and no second look at the rows.
//! The function's own settings (time zone, date style, …) make a value's text the same in every session.

use super::rules::definition::{Column, Holds, Places};
use super::rules::{Phase, Snapshot};
use super::source::{Attribute, Slot};
use crate::error::Result;
use crate::money::Number;
use crate::posting::request::parse_number;
use crate::spi::numeric;
use pgrx::{PgMemoryContexts, pg_sys};
use rust_decimal::Decimal;
use std::ffi::CStr;

/// Rows between two clean-ups of what the output functions have allocated.
const ROWS_PER_CLEANUP: u32 = 256;

/// A column that is read as text.
struct Field {
    number: i16,
    output: pg_sys::FmgrInfo,
}

impl Field {
    fn of(attribute: Attribute) -> Self {
        let mut output = pg_sys::FmgrInfo::default();
        // SAFETY: the type exists, since a column has it; the look-up lives in the call's memory.
        unsafe {
            let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeOutputInfo(attribute.type_oid, &mut function, &mut is_varlena);
            pg_sys::fmgr_info(function, &mut output);
        }
        Self { number: attribute.number, output }
    }

    fn read(&mut self, slot: Slot) -> Option<&CStr> {
        let value = slot.value(self.number)?;
        // SAFETY: the function is the output function of the column's type.
        Some(unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(&mut self.output, value)) })
    }

    fn text(&mut self, slot: Slot) -> Option<String> {
        self.read(slot).map(|value| value.to_string_lossy().into_owned())
    }
}

/// Reads what the definition names out of rows.
pub struct Reader {
    key: Vec<Field>,
    status: Field,
    status_is_padded: bool,
    amount: Field,
    amount_type: pg_sys::Oid,
    placeholders: Vec<Field>,
    posts_at: String,
    reverses_at: Option<String>,
    memory: PgMemoryContexts,
    rows: u32,
}

impl Reader {
    /// `key` are column numbers; `posts_at` and `reverses_at` are the values as the column shows them.
    pub fn new(
        attributes: &[Attribute],
        columns: &[Column],
        places: &Places,
        key: &[i16],
        posts_at: String,
        reverses_at: Option<String>,
    ) -> Self {
        let of_number = |number: &i16| attributes.iter().find(|attribute| attribute.number == *number);
        Self {
            key: key.iter().filter_map(of_number).map(|attribute| Field::of(*attribute)).collect(),
            status: Field::of(attributes[places.status]),
            status_is_padded: columns[places.status].holds == Holds::Padded,
            amount: Field::of(attributes[places.amount]),
            amount_type: attributes[places.amount].base_type,
            placeholders: places.placeholders.iter().map(|place| Field::of(attributes[*place])).collect(),
            posts_at,
            reverses_at,
            memory: PgMemoryContexts::new("wallet_ledger trigger rows"),
            rows: 0,
        }
    }

    /// Runs `read` in memory that is cleaned up now and then.
    fn in_memory<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_CLEANUP) {
            // SAFETY: every value read is copied out.
            unsafe { self.memory.reset() };
        }
        // SAFETY: the context lives as long as the reader; an error resets the current context anyhow.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.memory.value());
            let result = read(self);
            pg_sys::MemoryContextSwitchTo(before);
            result
        }
    }

    pub fn phase(&mut self, slot: Slot) -> Phase {
        self.in_memory(|reader| {
            let Some(status) = reader.status.read(slot) else { return Phase::Other };
            let mut status = status.to_bytes();
            if reader.status_is_padded {
                status = status.trim_ascii_end();
            }
            if status == reader.posts_at.as_bytes() {
                Phase::Posting
            } else if reader.reverses_at.as_ref().is_some_and(|value| status == value.as_bytes()) {
                Phase::Reversing
            } else {
                Phase::Other
            }
        })
    }

    pub fn snapshot(&mut self, slot: Slot) -> Snapshot {
        self.in_memory(|reader| Snapshot {
            key: reader.key.iter_mut().map(|field| field.text(slot).unwrap_or_default()).collect(),
            amount: reader.amount(slot),
            values: reader.placeholders.iter_mut().map(|field| field.text(slot)).collect(),
        })
    }

    fn amount(&mut self, slot: Slot) -> Option<Result<Number>> {
        let value = slot.value(self.amount.number)?;
        // SAFETY: the column has this base type; integers up to eight bytes are passed by value.
        Some(Ok(match self.amount_type {
            pg_sys::NUMERICOID => unsafe { numeric::from_datum(value) },
            pg_sys::INT2OID => Number::Finite(Decimal::from(value.value() as i16)),
            pg_sys::INT4OID => Number::Finite(Decimal::from(value.value() as i32)),
            pg_sys::INT8OID => Number::Finite(Decimal::from(value.value() as i64)),
            _ => {
                let text = self.amount.text(slot)?;
                return Some(parse_number("amount", text.trim()));
            }
        }))
    }
}
