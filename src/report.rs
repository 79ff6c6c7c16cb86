//! From a [`LedgerError`] to a PostgreSQL error, and from the aborts of PostgreSQL itself to ours.

use crate::error::{Code, LedgerError, Result};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder};
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::AssertUnwindSafe;

/// Runs a flow at the SQL boundary: its refusals become SQL errors, and what PostgreSQL has to abort
/// becomes `try_again`. Every `#[pg_extern]` function goes through here, and only these do.
pub fn run<T>(flow: impl FnOnce() -> Result<T>) -> T {
    let outcome =
        PgTryBuilder::new(AssertUnwindSafe(flow)).catch_others(|caught| Err(translate(caught))).execute();
    outcome.unwrap_or_else(|error| raise(error))
}

/// PostgREST answers 500 to lock timeouts and deadlocks and repeats 40001 in a tight loop, so these
/// become one 503. Anything that is not named here passes through as it is.
fn translate(caught: CaughtError) -> LedgerError {
    let (CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) = &caught else {
        caught.rethrow();
    };
    let cause = match report.sql_error_code() {
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE => "serialization",
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED => "deadlock",
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => "lock_timeout",
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
        | PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN
        | PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME
            if report.message().contains("wallet_data") || report.message().contains("column") =>
        {
            return LedgerError::new(Code::NotInstalled, "the ledger's tables are missing or outdated")
                .with("cause", report.message());
        }
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => {
            return LedgerError::new(
                Code::BooksInconsistent,
                "a constraint refused what the rules had decided",
            )
            .with("cause", report.message());
        }
        _ => caught.rethrow(),
    };
    LedgerError::new(Code::TryAgain, format!("PostgreSQL aborted this transaction ({cause})"))
        .with("cause", cause)
}

unsafe extern "C-unwind" {
    fn errcode(sqlerrcode: c_int) -> c_int;
    fn errdetail(format: *const c_char, ...) -> c_int;
}

thread_local! {
    /// SQLSTATE and DETAIL of the error that is on its way out.
    static RAISED: RefCell<Option<(c_int, CString)>> = const { RefCell::new(None) };
}

static mut CONTEXT: pg_sys::ErrorContextCallback = pg_sys::ErrorContextCallback {
    previous: std::ptr::null_mut(),
    callback: Some(complete),
    arg: std::ptr::null_mut(),
};

/// Raises the error. pgrx can only name SQLSTATEs of its closed enum, so the report goes out as an
/// ordinary exception and an error-context callback gives it its own SQLSTATE and a DETAIL that is
/// pure JSON (pgrx would append a backtrace where the server runs with RUST_BACKTRACE).
pub fn raise(error: LedgerError) -> ! {
    let detail = CString::new(error.detail().to_string()).unwrap_or_default();
    RAISED.with_borrow_mut(|raised| *raised = Some((encode(&error.sqlstate()), detail)));
    // SAFETY: a backend has one thread; the callback unlinks itself when the report is finished, and
    // nothing between here and pgrx's outermost frame reports anything else.
    unsafe {
        CONTEXT.previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = &raw mut CONTEXT;
    }
    ErrorReport::new(PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION, error.message.clone(), "wallet_ledger")
        .set_hint(error.hint())
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

unsafe extern "C-unwind" fn complete(_: *mut c_void) {
    // SAFETY: PostgreSQL calls this while it finishes the report; both functions act on that report.
    unsafe {
        pg_sys::error_context_stack = CONTEXT.previous;
        if let Some((sqlstate, detail)) = RAISED.with_borrow_mut(Option::take) {
            errcode(sqlstate);
            errdetail(c"%s".as_ptr(), detail.as_ptr());
        }
    }
}

/// PostgreSQL's MAKE_SQLSTATE: six bits a character.
fn encode(sqlstate: &str) -> c_int {
    sqlstate
        .bytes()
        .enumerate()
        .map(|(place, byte)| c_int::from(byte.wrapping_sub(b'0') & 0x3F) << (6 * place))
        .sum()
}
