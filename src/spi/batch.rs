//! Handing many rows to one statement.
//!
//! The rows go into a tuplestore that the statement reads by name, exactly as PL/pgSQL reads a
//! trigger's transition table. Against `unnest` of an array per column that saves a tuplestore per
//! column and all of the array building; against composite arrays it saves a catalogue type.

use super::Argument;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A column of a batch: its name and type.
pub type Column = (&'static CStr, pg_sys::Oid);

/// Rows that the next statements of the session can read as a table called `name`.
pub struct Batch {
    name: &'static CStr,
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    columns: usize,
}

/// What the planner is told, whatever the real count is. The plan is kept for the life of the
/// backend: a small constant makes it a nested loop over the primary key, right for 2 rows and
/// for 10,000, where a large first batch would freeze in a scan of the whole table.
const ROWS_PLANNED: f64 = 10.0;

impl Batch {
    /// An empty batch in the memory of the current SPI connection.
    pub fn new(name: &'static CStr, columns: &[Column]) -> Self {
        let count = i32::try_from(columns.len()).expect("few columns");
        // SAFETY: descriptor and tuplestore live in the connection's memory, as does the registration.
        unsafe {
            let descriptor = pg_sys::CreateTemplateTupleDesc(count);
            for (index, (column, oid)) in columns.iter().enumerate() {
                pg_sys::TupleDescInitEntry(descriptor, index as i16 + 1, column.as_ptr(), *oid, -1, 0);
            }
            let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            Self { name, store, descriptor, values: Vec::new(), nulls: Vec::new(), columns: columns.len() }
        }
    }

    pub fn push(&mut self, row: &[Argument]) {
        assert_eq!(row.len(), self.columns);
        self.values.clear();
        self.nulls.clear();
        for argument in row {
            let (datum, null) = argument.parts();
            self.values.push(datum);
            self.nulls.push(null);
        }
        // SAFETY: one value and one flag per column of the descriptor.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.descriptor,
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            )
        }
    }

    /// Makes the rows readable as a table until the returned guard is dropped.
    pub fn register(self) -> Registered {
        // SAFETY: PostgreSQL keeps the pointer until SPI_unregister_relation or SPI_finish; both come
        // before the connection's memory, which holds all of it, goes away.
        unsafe {
            let relation = pg_sys::palloc0(size_of::<pg_sys::EphemeralNamedRelationData>())
                .cast::<pg_sys::EphemeralNamedRelationData>();
            (*relation).md.name = self.name.as_ptr().cast_mut();
            (*relation).md.reliddesc = pg_sys::InvalidOid;
            (*relation).md.tupdesc = self.descriptor;
            (*relation).md.enrtype = pg_sys::EphemeralNameRelationType::ENR_NAMED_TUPLESTORE;
            (*relation).md.enrtuples = ROWS_PLANNED;
            (*relation).reldata = self.store.cast();
            let status = pg_sys::SPI_register_relation(relation);
            assert_eq!(
                status,
                pg_sys::SPI_OK_REL_REGISTER as i32,
                "SPI_register_relation failed with {status}"
            );
        }
        Registered { name: self.name, store: self.store }
    }
}

/// A batch that statements can read by name.
pub struct Registered {
    name: &'static CStr,
    store: *mut pg_sys::Tuplestorestate,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: registered under this name on this connection, and no statement is running.
            unsafe {
                pg_sys::SPI_unregister_relation(self.name.as_ptr());
                pg_sys::tuplestore_end(self.store);
            }
        }
    }
}
