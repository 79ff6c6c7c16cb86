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

/// Why an attempt came to nothing.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A token of the vocabulary, or the SQLSTATE of an error that is not ours.
    pub token: String,
    pub message: String,
}

/// Runs a flow in a subtransaction. What it refuses, or what anybody's trigger below it refuses, is undone and
/// handed back; the rest of the transaction goes on. The flow connects a session of its own.
///
/// A conflict of isolation concerns the whole transaction, and so does a cancelled query.
pub fn attempt<T>(flow: impl FnOnce() -> Result<T>) -> Result<std::result::Result<T, Failure>> {
    // SAFETY: the backend's own state, put back below as PL/pgSQL does around its blocks.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| flow().map_err(Ok)))
        .catch_others(|caught| match foreign(&caught) {
            Some(failure) => Err(Err(failure)),
            None => Err(Ok(translate(caught, |_| None))),
        })
        .execute();
    // SAFETY: as above; the subtransaction begun here is the current one again, whatever the flow did.
    unsafe {
        match outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Err(failure)) => Ok(Err(failure)),
        Err(Ok(error)) if error.code == Code::TryAgain => Err(error),
        Err(Ok(error)) => Ok(Err(Failure { token: error.token().to_owned(), message: error.message })),
    }
}

/// An error that somebody else's code below us has raised, a trigger of the user's, say.
fn foreign(caught: &CaughtError) -> Option<Failure> {
    let (CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) = caught else {
        return None;
    };
    let code = report.sql_error_code();
    let sqlstate = decode(code as i32);
    let ours = ours(report.detail(), report.message()).or_else(|| {
        // No row is shown here: a table of theirs may have the name of one of ours, and what it refuses is their rule.
        of_our_tables(code, report.message(), names_our_constraint)
    });
    // Classes 40 (rollback), 53 (resources), 55 (locks), 57 (cancelled), 58 and XX (broken) are nobody's rule.
    let is_rule = !["40", "53", "55", "57", "58", "XX"].contains(&&sqlstate[..2]);
    (is_rule && ours.is_none()).then(|| Failure { token: sqlstate, message: report.message().to_owned() })
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
                .or_else(|| of_our_tables(code, &refusal.message, names_our_object));
            return known.unwrap_or_else(|| caught.rethrow());
        }
    };
    let error = LedgerError::new(Code::TryAgain, format!("PostgreSQL aborted this transaction ({cause})"))
        .with("cause", cause);
    // The detail of these three errors never shows a row; that of a deadlock says which processes waited for which.
    match report.detail() {
        Some(detail) => error.with("postgres_detail", detail),
        None => error,
    }
}

/// An error of the vocabulary, as [`raise`] has sent it out: a trigger in between calls us again. pgrx has
/// lost its SQLSTATE, for it is none of the closed enum.
fn ours(detail: Option<&str>, message: &str) -> Option<LedgerError> {
    let detail: Value = serde_json::from_str(detail?).ok()?;
    Code::from_token(detail["error"].as_str()?)?;
    Some(LedgerError::from_stored(&json!({ "detail": detail, "message": message })))
}

/// What our own statements run into where the tables are not as they should be.
fn of_our_tables(code: PgSqlErrorCode, message: &str, is_ours: fn(&str) -> bool) -> Option<LedgerError> {
    match code {
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
        | PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN
        | PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME
            if message.contains("wallet_data") || message.contains("column") =>
        {
            let error = LedgerError::new(Code::NotInstalled, "the ledger's tables are missing or outdated");
            Some(error.with("cause", message))
        }
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
            if is_ours(message) =>
        {
            let said = "a constraint refused what the rules had decided";
            Some(LedgerError::new(Code::BooksInconsistent, said).with("cause", message))
        }
        _ => None,
    }
}

/// What a fresh installation consists of, an object a line.
const OBJECTS: &str = include_str!("../sql/expected.sql");

/// Whether a message may be about a table of ours: it names one, or one of our constraints. An error of ours hides the
/// row, which can hold a secret.
fn names_our_object(message: &str) -> bool {
    let is_ours = |name: &str| {
        let table = format!("('table', 'wallet_data.{name}', '");
        OBJECTS.lines().any(|line| line.contains(&table))
    };
    names_our_constraint(message) || quoted(message).any(is_ours)
}

/// Whether a violated constraint is one of ours: a table that somebody's trigger writes to has constraints too. pgrx
/// does not keep the constraint's schema, so the quoted names in the message decide; a domain is named with its schema.
fn names_our_constraint(message: &str) -> bool {
    let is_ours = |name: &str| {
        let (index, constraint) = (format!("('index', 'wallet_data.{name}', '"), format!(" {name}', '"));
        let is_constraint =
            |line: &str| line.contains("('constraint', 'wallet_data.") && line.contains(&constraint);
        OBJECTS.lines().any(|line| line.contains(&index) || is_constraint(line))
    };
    message.contains("wallet_data.") || quoted(message).any(is_ours)
}

/// What stands behind quotation marks, in any language of the server.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split(['"', '«', '»', '„', '“', '”', '\'']).skip(1).filter(|name| !name.is_empty())
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
