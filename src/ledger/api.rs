//! SQL face of ledgers, currencies, kinds and periods.

use super::store::Definition;
use super::{add_kind, close_period as close, create, resolve, rules, store};
use crate::error::{Code, LedgerError, Result, missing};
use crate::event;
use crate::report;
use crate::spi::face::{Composite, JsonIn, Timestamp, composite_result};
use crate::spi::{Argument, Session};
use crate::time;
use pgrx::prelude::*;
use serde_json::json;
use std::ffi::CStr;

/// A ledger in words.
struct LedgerRow(Definition);

composite_result!(LedgerRow, "wallet_ledger.ledger_row");

impl Composite for LedgerRow {
    const NAME: &'static CStr = c"ledger_row";

    fn into_values(self) -> Vec<Argument> {
        vec![
            (&self.0.name).into(),
            (&self.0.currency).into(),
            (&self.0.timezone).into(),
            self.0.closed_until.into(),
        ]
    }
}

/// Creates a ledger: one organisation's books. The same call again returns the ledger that is there.
///
/// * `ledger`: its name, 1 to 63 characters of A-Z a-z 0-9 _ . -
/// * `currency`: the default of its accounts.
/// * `timezone`: decides which day a moment belongs to.
/// * `metadata`: the caller's own JSON.
///
/// Returns the ledger. Errors: missing_argument, invalid_argument, currency_not_found, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_ledger(
    ledger: Option<&str>,
    currency: default!(Option<&str>, "'IDR'"),
    timezone: default!(Option<&str>, "'Asia/Jakarta'"),
    metadata: default!(Option<JsonIn>, "NULL"),
) -> LedgerRow {
    report::run(|| {
        let session = Session::connect();
        let name = ledger.ok_or_else(|| missing("ledger"))?;
        let currency = currency.ok_or_else(|| missing("currency"))?;
        let timezone = timezone.ok_or_else(|| missing("timezone"))?;
        let metadata = metadata.as_ref().map(|metadata| &metadata.0);
        let (_, definition) = create(&session, name, currency, timezone, metadata)?;
        Ok(LedgerRow(definition))
    })
}

/// Adds a currency, for all ledgers. The same call again is harmless.
///
/// * `code`: 3 to 12 upper-case letters or digits, such as IDR.
/// * `scale`: how many decimals its amounts have, 0 to 18.
///
/// Returns the code. Errors: missing_argument, invalid_argument, already_exists (with another scale).
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_currency(code: Option<&str>, scale: Option<i32>) -> String {
    report::run(|| {
        let session = Session::connect();
        let code = code.ok_or_else(|| missing("code"))?;
        let scale = rules::check_currency(code, scale.ok_or_else(|| missing("scale"))?)?;
        if !store::insert_currency(&session, code, scale)
            && store::find_currency(&session, code) != Some(scale)
        {
            return Err(LedgerError::new(
                Code::AlreadyExists,
                format!("currency {code} exists with another scale"),
            )
            .with("currency", code)
            .with("field", "scale"));
        }
        Ok(code.to_owned())
    })
}

/// Adds a kind to a ledger's vocabulary. The same call again is harmless.
///
/// * `kind`: lower-case words such as `top_up`.
///
/// Returns the kind. Errors: missing_argument, invalid_argument, reserved_kind.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_kind(kind: Option<&str>, ledger: default!(Option<&str>, "NULL")) -> String {
    report::run(|| {
        let session = Session::connect();
        let kind = kind.ok_or_else(|| missing("kind"))?;
        rules::check_kind_name(kind)?;
        let ledger = resolve(&session, ledger)?;
        if rules::built_in_kind(kind)?.is_none() {
            add_kind(&session, &ledger, kind);
        }
        Ok(kind.to_owned())
    })
}

/// Closes the books up to a moment: nothing may become effective before it any more. Waits for
/// postings under way; a closed period does not open again.
///
/// * `ledger`: whose books; NULL is the session's ledger.
/// * `until`: the end of the period, not in the future.
///
/// Returns the ledger and writes the event `period.closed`. Errors: missing_argument,
/// invalid_argument, period_closed (a later end is set already), try_again (lock timeout).
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn close_period(ledger: Option<&str>, until: Option<Timestamp>) -> LedgerRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = resolve(&session, ledger)?;
        let until = until.ok_or_else(|| missing("until"))?.0;
        let before = definition(&session, ledger.id)?.closed_until;
        let closed = close(&session, &ledger, until, &super::settings::session_user())?;
        if before != Some(closed) {
            let payload = json!({ "closed_until": time::to_text(closed) });
            event::write(&session, &ledger, "period.closed", &ledger.name, payload);
        }
        Ok(LedgerRow(definition(&session, ledger.id)?))
    })
}

fn definition(session: &Session, ledger_id: i32) -> Result<Definition> {
    store::definition(session, ledger_id)
        .ok_or_else(|| LedgerError::new(Code::LedgerNotFound, "the ledger is gone"))
}
