//! SQL face of the installation, and the table of errors.

use super::{install as run_install, library_version};
use crate::error::ALL;
use crate::report;
use crate::spi::Session;
use pgrx::prelude::*;

/// Creates or migrates the data schema: tables in `wallet_data`, views in `wallet_ledger`. Idempotent;
/// run it after CREATE EXTENSION and after every ALTER EXTENSION … UPDATE.
///
/// Needs a superuser, or a role with CREATEROLE that owns the database; otherwise the error names what
/// is lacking. Returns a sentence that says from which version to which. Errors: privilege_missing,
/// not_installed (the data schema is newer than the library).
#[pg_extern]
fn install() -> String {
    report::run(|| {
        let session = Session::connect();
        let (before, after) = run_install(&session)?;
        Ok(match before {
            0 => format!("wallet_data installed, version {after}"),
            _ if before == after => format!("wallet_data is up to date, version {after}"),
            _ => format!("wallet_data migrated from version {before} to {after}"),
        })
    })
}

/// The version of the data schema that the loaded library works with. For doctor().
#[pg_extern(immutable, parallel_safe)]
fn _library_data_version() -> i32 {
    library_version()
}

/// The version of the loaded library. For doctor().
#[pg_extern(immutable, parallel_safe)]
fn _library_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Every error that the functions can raise: token, SQLSTATE, HTTP status, meaning, hint.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity)]
fn errors() -> TableIterator<
    'static,
    (
        name!(error, &'static str),
        name!(sqlstate, String),
        name!(status, i32),
        name!(meaning, &'static str),
        name!(hint, &'static str),
    ),
> {
    TableIterator::new(ALL.iter().map(|definition| {
        let status = definition.status;
        (definition.token, format!("PT{status}"), i32::from(status), definition.meaning, definition.hint)
    }))
}
