//! Ledger errors, taken apart as a caller would.

use std::fmt::Debug;

use serde_json::Value;

#[derive(Debug, Clone)]
pub struct LedgerError {
    pub sqlstate: String,
    pub message: String,
    /// The DETAIL as JSON; a string when it is none, null when there is none.
    pub detail: Value,
    pub hint: Option<String>,
}

impl LedgerError {
    /// The word of the vocabulary: `insufficient_funds`, ….
    pub fn token(&self) -> &str {
        self.detail["error"].as_str().unwrap_or("")
    }
}

/// What the server said. Panics for an error that did not come from the server.
pub fn sql_error(error: &tokio_postgres::Error) -> LedgerError {
    let db = error.as_db_error().unwrap_or_else(|| panic!("not an error of the server: {error:?}"));
    let detail = match db.detail() {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    };
    LedgerError {
        sqlstate: db.code().code().to_owned(),
        message: db.message().to_owned(),
        detail,
        hint: db.hint().map(str::to_owned),
    }
}

/// Asserts that a call was refused with this word and SQLSTATE, in the form that every error of
/// the vocabulary has: one line of message, a JSON detail, a hint.
#[track_caller]
pub fn assert_error<T: Debug>(
    result: Result<T, tokio_postgres::Error>,
    token: &str,
    sqlstate: &str,
) -> LedgerError {
    let error = match result {
        Ok(value) => panic!("expected {token} ({sqlstate}), got {value:?}"),
        Err(error) => sql_error(&error),
    };
    assert_eq!((error.token(), error.sqlstate.as_str()), (token, sqlstate), "{error:#?}");
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:#?}");
    assert!(error.hint.as_deref().is_some_and(|h| !h.is_empty()), "no hint: {error:#?}");
    error
}
