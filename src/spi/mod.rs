//! The one door to SQL: kept plans, parameters, rows.
//!
//! pgrx's own SPI client is convenient but boxes every numeric and prepares per call site; a posting
//! runs three statements, so their overhead is the product's speed. This module keeps each plan for
//! the life of the backend and reads rows in place.
//!
//! Rules that the callers rely on:
//! * [`Session::run`] sees the effects of the statements before it and may lock; [`Session::read`]
//!   uses the caller's snapshot and never assigns a transaction id, so it works on a standby.
//! * Every value read is copied out, so nothing outlives the session.
//! * SQL names are schema-qualified: functions run with `search_path = pg_catalog, pg_temp`.

mod argument;
pub mod batch;
pub mod calendar;
pub mod face;
pub mod identity;
pub mod jsonb;
pub mod numeric;
pub mod settings;
pub mod table;

pub use argument::{Argument, TupleId};

use crate::money::Number;
use pgrx::FromDatum;
use pgrx::{PgList, pg_sys};
use rust_decimal::Decimal;
use std::ffi::CString;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use uuid::Uuid;

/// One SQL statement, prepared at its first use and kept.
pub struct Statement {
    sql: &'static str,
    parameters: &'static [pg_sys::Oid],
    plan: AtomicPtr<pg_sys::_SPI_plan>,
    uses: AtomicU32,
    /// How many executions are under way: more than one where a trigger of the user's calls us again.
    running: AtomicU32,
    renewal: AtomicBool,
}

impl Statement {
    pub const fn new(sql: &'static str, parameters: &'static [pg_sys::Oid]) -> Self {
        Self {
            sql,
            parameters,
            plan: AtomicPtr::new(std::ptr::null_mut()),
            uses: AtomicU32::new(0),
            running: AtomicU32::new(0),
            renewal: AtomicBool::new(false),
        }
    }

    /// Has the plan made anew at the next use. For a call with so many rows that planning is nothing beside
    /// it, and a plan from the days of an empty table would be its ruin.
    pub fn renew(&self) {
        self.renewal.store(true, Ordering::Relaxed);
    }

    /// The kept plan. PostgreSQL itself revalidates it after a change of schema or role.
    ///
    /// It does not when a table grows: a plan from the days of an empty table would scan it whole until
    /// the next ANALYZE. So the plan is made anew at the 2nd, 4th, 16th, 64th, 256th … use.
    fn plan(&self) -> pg_sys::SPIPlanPtr {
        let uses = self.uses.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let kept = self.plan.load(Ordering::Relaxed);
        let is_due =
            uses == 2 || uses >= 4 && uses.is_power_of_two() && uses.trailing_zeros().is_multiple_of(2);
        let is_due = self.renewal.swap(false, Ordering::Relaxed) || is_due;
        let may_replace = is_due && self.running.load(Ordering::Relaxed) == 0;
        if !kept.is_null() && !may_replace {
            return kept;
        }
        let plan = prepare(self.sql, self.parameters);
        // SAFETY: `plan` comes from SPI_prepare_cursor; keeping it moves it out of this connection's
        // memory. `kept` was kept the same way, and nothing is running it.
        unsafe {
            let status = pg_sys::SPI_keepplan(plan);
            assert_eq!(status, 0, "SPI_keepplan failed with {status}");
            if !kept.is_null() {
                pg_sys::SPI_freeplan(kept);
            }
        }
        self.plan.store(plan, Ordering::Relaxed);
        plan
    }
}

/// Marks a statement as running for as long as it lives, also while an error unwinds.
struct Running<'a>(&'a AtomicU32);

impl<'a> Running<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn prepare(sql: &str, parameters: &[pg_sys::Oid]) -> pg_sys::SPIPlanPtr {
    let text = CString::new(sql).expect("SQL text has no NUL byte");
    let mut oids = parameters.to_vec();
    let count = i32::try_from(oids.len()).expect("a statement has few parameters");
    // One generic plan for good: PostgreSQL would judge a plan for two addresses cheaper than the generic
    // one and so plan the lock anew at every posting, which takes longer than running it.
    let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as i32;
    // SAFETY: the text and the oids live through the call; errors arrive as Rust panics (pg_guard).
    let plan = unsafe { pg_sys::SPI_prepare_cursor(text.as_ptr(), count, oids.as_mut_ptr(), options) };
    assert!(!plan.is_null(), "SPI_prepare_cursor failed with {}", unsafe { pg_sys::SPI_result });
    plan
}

/// One SPI connection. Everything allocated through it is freed when it is dropped.
pub struct Session(PhantomData<*mut ()>);

impl Session {
    pub fn connect() -> Self {
        // SAFETY: called on the backend's thread; finished by Drop, or by the abort of the transaction.
        let status = unsafe { pg_sys::SPI_connect() };
        assert_eq!(status, pg_sys::SPI_OK_CONNECT as i32, "SPI_connect failed with {status}");
        Self(PhantomData)
    }

    /// Runs a statement that may write or lock, in a snapshot of its own.
    pub fn run(&self, statement: &Statement, arguments: &[Argument]) -> Rows<'_> {
        self.execute(statement, arguments, false)
    }

    /// Runs a statement that only reads, in the caller's snapshot.
    pub fn read(&self, statement: &Statement, arguments: &[Argument]) -> Rows<'_> {
        self.execute(statement, arguments, true)
    }

    /// The same in a snapshot of this moment, whatever the transaction's isolation level.
    pub fn read_latest(&self, statement: &Statement, arguments: &[Argument]) -> Rows<'_> {
        // SAFETY: pushed and popped in pairs; an error on the way resets the stack with the transaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        let rows = self.execute(statement, arguments, true);
        // SAFETY: as above.
        unsafe { pg_sys::PopActiveSnapshot() };
        rows
    }

    /// [`Self::run`] or [`Self::read`], for flows that serve a call and its preview alike.
    pub fn query(&self, statement: &Statement, arguments: &[Argument], read_only: bool) -> Rows<'_> {
        self.execute(statement, arguments, read_only)
    }

    /// Runs a script of several statements without parameters.
    pub fn script(&self, sql: &str) {
        let text = CString::new(sql).expect("SQL text has no NUL byte");
        // SAFETY: as in `prepare`.
        let status = unsafe { pg_sys::SPI_execute(text.as_ptr(), false, 0) };
        assert!(status >= 0, "SPI_execute failed with {status}");
    }

    /// Runs an UPDATE whose text is made for this one time; false, and nothing runs, where its table name means another
    /// table than `table`. The plan that was looked at is the one that runs: PostgreSQL notices renames by other
    /// sessions only where it takes a lock, and this table is locked already.
    pub fn update_once(
        &self,
        table: pg_sys::Oid,
        sql: &str,
        parameters: &[pg_sys::Oid],
        arguments: &[Argument],
    ) -> bool {
        let text = CString::new(sql).expect("SQL text has no NUL byte");
        let mut oids = parameters.to_vec();
        let count = i32::try_from(oids.len()).expect("a statement has few parameters");
        let (mut values, nulls) = split(arguments);
        // SAFETY: as in `prepare` and `execute`; the plan is given up when the session ends.
        let status = unsafe {
            let plan = pg_sys::SPI_prepare(text.as_ptr(), count, oids.as_mut_ptr());
            assert!(!plan.is_null(), "SPI_prepare failed");
            if !updates(plan, table) {
                return false;
            }
            pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), false, 0)
        };
        assert!(status >= 0, "SPI_execute_plan failed with {status}");
        true
    }

    fn execute(&self, statement: &Statement, arguments: &[Argument], read_only: bool) -> Rows<'_> {
        let plan = statement.plan();
        let _running = Running::new(&statement.running);
        let (mut values, nulls) = split(arguments);
        // SAFETY: one value and one null flag per parameter; errors arrive as Rust panics.
        let status =
            unsafe { pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), read_only, 0) };
        assert!(status >= 0, "SPI_execute_plan failed with {status}");
        // SAFETY: SPI sets both after every statement.
        unsafe {
            Rows { table: pg_sys::SPI_tuptable, count: pg_sys::SPI_processed as usize, session: PhantomData }
        }
    }
}

/// Whether a plan updates that very table, directly: a view or a rule would add a second table to the query.
///
/// # Safety
/// The plan is one that SPI has just prepared.
unsafe fn updates(plan: pg_sys::SPIPlanPtr, table: pg_sys::Oid) -> bool {
    // SAFETY: lists of these nodes, which live as long as the plan.
    unsafe {
        let sources = PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan));
        sources.iter_ptr().any(|source| {
            let queries = PgList::<pg_sys::Query>::from_pg((*source).query_list);
            queries.iter_ptr().any(|query| {
                let tables = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
                tables.len() == 1 && tables.get_ptr(0).is_some_and(|entry| (*entry).relid == table)
            })
        })
    }
}

/// Whether one snapshot serves all statements of the transaction: what others commit meanwhile stays unseen.
pub fn has_one_snapshot() -> bool {
    // SAFETY: reads the level of the transaction.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// The arguments as SPI takes them.
fn split(arguments: &[Argument]) -> (Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
    arguments
        .iter()
        .map(|argument| (argument.datum, if argument.null { b'n' } else { b' ' } as std::ffi::c_char))
        .unzip()
}

impl Drop for Session {
    fn drop(&mut self) {
        // While an error unwinds, PostgreSQL's own abort cleans the SPI stack.
        if !std::thread::panicking() {
            // SAFETY: connected by `connect` and not finished since.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

/// The rows that a statement returned, valid while its session lives.
pub struct Rows<'session> {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
    session: PhantomData<&'session Session>,
}

impl Rows<'_> {
    /// How many rows were returned, or affected where none were asked for.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn first(&self) -> Option<Row> {
        (self.count > 0 && !self.table.is_null()).then(|| self.row(0))
    }

    pub fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        let count = if self.table.is_null() { 0 } else { self.count };
        (0..count).map(|index| self.row(index))
    }

    fn row(&self, index: usize) -> Row {
        assert!(index < self.count);
        // SAFETY: SPI keeps `count` tuples of this descriptor until the session is finished.
        unsafe {
            let descriptor = (*self.table).tupdesc;
            let columns = usize::try_from((*descriptor).natts).expect("a column count");
            let mut values = vec![pg_sys::Datum::null(); columns];
            let mut nulls = vec![false; columns];
            let tuple = *(*self.table).vals.add(index);
            pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            Row { values, nulls }
        }
    }
}

/// One row; columns are read by their place in the SELECT list, counted from 0.
pub struct Row {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Row {
    /// The column's value, or `None` where it is NULL. The type must be the column's.
    pub fn get<T: FromDatum>(&self, column: usize) -> Option<T> {
        // SAFETY: every store names the type that its SELECT list yields; values are copied out.
        unsafe { T::from_datum(self.values[column], self.nulls[column]) }
    }

    /// The value of a column that is declared NOT NULL.
    pub fn need<T: FromDatum>(&self, column: usize) -> T {
        self.get(column).unwrap_or_else(|| panic!("column {column} is null"))
    }

    pub fn decimal(&self, column: usize) -> Option<Decimal> {
        if self.nulls[column] {
            return None;
        }
        match self.need_number(column) {
            Number::Finite(value) => Some(value),
            other => panic!("column {column} holds {other:?}, which no CHECK admits"),
        }
    }

    /// A numeric that nothing bounds: a sum, say.
    pub fn need_number(&self, column: usize) -> Number {
        assert!(!self.nulls[column], "column {column} is null");
        // SAFETY: the column is numeric.
        unsafe { numeric::from_datum(self.values[column]) }
    }

    pub fn need_decimal(&self, column: usize) -> Decimal {
        self.decimal(column).unwrap_or_else(|| panic!("column {column} is null"))
    }

    pub fn id(&self, column: usize) -> Option<Uuid> {
        self.get::<pgrx::Uuid>(column).map(|id| Uuid::from_bytes(*id.as_bytes()))
    }

    pub fn need_id(&self, column: usize) -> Uuid {
        self.id(column).unwrap_or_else(|| panic!("column {column} is null"))
    }

    pub fn need_tuple_id(&self, column: usize) -> TupleId {
        TupleId(self.need(column))
    }

    pub fn ids(&self, column: usize) -> Option<Vec<Uuid>> {
        let ids = self.get::<Vec<pgrx::Uuid>>(column)?;
        Some(ids.iter().map(|id| Uuid::from_bytes(*id.as_bytes())).collect())
    }

    /// Microseconds since 2000-01-01 UTC, PostgreSQL's own count.
    pub fn time(&self, column: usize) -> Option<i64> {
        // SAFETY: timestamptz is passed by value as a 64-bit integer.
        (!self.nulls[column]).then(|| self.values[column].value() as i64)
    }

    pub fn need_time(&self, column: usize) -> i64 {
        self.time(column).unwrap_or_else(|| panic!("column {column} is null"))
    }

    pub fn json(&self, column: usize) -> Option<serde_json::Value> {
        self.get::<pgrx::JsonB>(column).map(|json| json.0)
    }

    pub fn document(&self, column: usize) -> Option<jsonb::Document> {
        // SAFETY: the column is jsonb.
        (!self.nulls[column]).then(|| unsafe { jsonb::Document::from_datum(self.values[column]) })
    }
}
