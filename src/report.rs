//! From a [`LedgerError`] to a PostgreSQL error, and from the aborts of PostgreSQL itself to ours.

use crate::error::{Code, LedgerError, Result};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::AssertUnwindSafe;

/// What PostgreSQL, or code that is not ours, has refused.
pub struct Refusal {
    pub sqlstate: String,
    pub message: String,
}

/// Runs a flow at the SQL boundary: its refusals become SQL errors, and what PostgreSQL has to abort
/// becomes `try_again`. Every `#[pg_extern]` function goes through here, and only these do.
pub fn run<T>(flow: impl FnOnce() -> Result<T>) -> T {
    run_over(flow, |_| None)
}

/// The same for a flow that also writes to tables which are not the ledger's: what they refuse becomes the
/// error that `refused` makes of it.
pub fn run_over<T>(flow: impl FnOnce() -> Result<T>, refused: impl Fn(&Refusal) -> Option<LedgerError>) -> T {
    let refused = AssertUnwindSafe(refused);
    let outcome = PgTryBuilder::new(AssertUnwindSafe(flow))
        .catch_others(move |caught| Err(translate(caught, &*refused)))
        .execute();
    outcome.unwrap_or_else(|error| raise(error))
}

/// PostgREST answers 500 to lock timeouts and deadlocks and repeats 40001 in a tight loop, so these
/// become one 503. An error of ours that comes from a trigger below stays what it is. Anything that is
/// not named here passes through.
fn translate(caught: CaughtError, refused: impl Fn(&Refusal) -> Option<LedgerError>) -> LedgerError {
    let (CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) = &caught else {
        caught.rethrow();
    };
    let code = report.sql_error_code();
    let cause = match code {
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE => "serialization",
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED => "deadlock",
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => "lock_timeout",
        _ => {
            let refusal = Refusal { sqlstate: decode(code as i32), message: report.message().to_owned() };
            let known = ours(report.detail(), &refusal.message)
                .or_else(|| refused(&refusal))
                .or_else(|| of_our_tables(code, &refusal.message));
            return known.unwrap_or_else(|| caught.rethrow());
        }
    };
    LedgerError::new(Code::TryAgain, format!("PostgreSQL aborted this transaction ({cause})"))
        .with("cause", cause)
}

/// An error of the vocabulary, as [`raise`] has sent it out: a trigger in between calls us again. pgrx has
/// lost its SQLSTATE, for it is none of the closed enum.
fn ours(detail: Option<&str>, message: &str) -> Option<LedgerError> {
    let detail: Value = serde_json::from_str(detail?).ok()?;
    Code::from_token(detail["error"].as_str()?)?;
    Some(LedgerError::from_stored(&json!({ "detail": detail, "message": message })))
}

/// What our own statements run into where the tables are not as they should be.
fn of_our_tables(code: PgSqlErrorCode, message: &str) -> Option<LedgerError> {
    match code {
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
        | PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN
        | PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME
            if message.contains("wallet_data") || message.contains("column") =>
        {
            let error = LedgerError::new(Code::NotInstalled, "the ledger's tables are missing or outdated");
            Some(error.with("cause", message))
        }
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => {
            let said = "a constraint refused what the rules had decided";
            Some(LedgerError::new(Code::BooksInconsistent, said).with("cause", message))
        }
        _ => None,
    }
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

/// The inverse of [`encode`].
fn decode(code: c_int) -> String {
    (0..5).map(|place| char::from(b'0' + ((code >> (6 * place)) & 0x3F) as u8)).collect()
}
