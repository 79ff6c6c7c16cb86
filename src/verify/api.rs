//! SQL face of the verifier.

use super::{rules::definition, verify};
use crate::spi::Session;
use crate::{ledger, report};
use pgrx::prelude::*;

/// Recomputes balances, versions, holds, stripes, reversals and idempotency outcomes from the transfers
/// alone, and returns what differs. No row means that the ledger is sound.
///
/// * `ledger`: the session's ledger by default.
///
/// Each row has the `finding` (one word of a closed list), its `subject` (an account, `account#stripe`, a transfer, a
/// hold, a key or a currency), what was `expected` and what is `actual`, more in `detail`, and what the finding means.
/// It reads one snapshot, so it may run while postings go on, in a read-only transaction, and on a standby. A group of
/// checks shows 1,000 findings at most and says so with `more_findings`. Errors: ledger_required, ledger_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn verify_ledger(
    ledger: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(finding, String),
        name!(subject, String),
        name!(expected, Option<String>),
        name!(actual, Option<String>),
        name!(detail, pgrx::JsonB),
        name!(meaning, Option<&'static str>),
    ),
> {
    let findings = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        Ok(verify(&session, &ledger))
    });
    TableIterator::new(findings.into_iter().map(|found| {
        let meaning = definition(&found.finding).map(|definition| definition.meaning);
        (found.finding, found.subject, found.expected, found.actual, pgrx::JsonB(found.detail), meaning)
    }))
}
