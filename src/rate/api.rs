//! SQL face of rates.

use super::rules::{Change, REASON_BYTES_MAX, Rate, Wanted, check_name, default_account};
use super::{list, set};
use crate::address;
use crate::error::missing;
use crate::form::label;
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, NumericIn, Timestamp, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// A rate in words.
pub struct RateRow {
    ledger: String,
    change: Change,
}

composite_result!(RateRow, "wallet_ledger.rate_row");

impl RateRow {
    fn new(ledger: &Ledger, change: Change) -> Self {
        Self { ledger: ledger.name.clone(), change }
    }
}

impl Composite for RateRow {
    const NAME: &'static CStr = c"rate_row";

    fn into_values(self) -> Vec<Argument> {
        let change = &self.change;
        let is_default = change.revision == 0;
        let since = |at: i64| (!is_default).then_some(at);
        vec![
            (&self.ledger).into(),
            (&change.name).into(),
            change.rate.to_decimal().into(),
            (&change.account).into(),
            since(change.effective_from).into(),
            (!is_default).then_some(change.set_by.as_str()).into(),
            change.reason.as_deref().into(),
            since(change.created_at).into(),
        ]
    }
}

/// Sets a rate of a ledger, from a moment on. An escrow keeps the rates that counted when it was opened.
///
/// * `name`: lower-case words, such as `merchant_commission`; a new name is a new rate.
/// * `rate`: a share between 0 and 1, with at most six decimals: 0.15 is 15 %.
/// * `effective_from`: from when on it counts, not in the past; NULL is now.
/// * `account`: the account that the share goes to; NULL is `platform:revenue:` and the name. It is made
///   as a revenue account where it is missing.
/// * `reason`: for the history, 1 to 255 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the rate as it counts from that moment. The same rate again changes nothing and returns what is
/// there. Who changed what is kept: see the view `rates`. Writes the event `rate.changed`. Errors:
/// missing_argument, invalid_argument, invalid_amount, invalid_address, ledger_not_found, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_rate(
    name: Option<&str>,
    rate: Option<NumericIn>,
    effective_from: default!(Option<Timestamp>, "NULL"),
    account: default!(Option<&str>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> RateRow {
    report::run(|| {
        let session = Session::connect();
        let name = check_name(name.ok_or_else(|| missing("name"))?)?;
        let rate = Rate::new(rate.ok_or_else(|| missing("rate"))?.0, "rate")?;
        let account = account.map_or_else(|| default_account(name), str::to_owned);
        let account = address::checked(&account, "account")?;
        let reason = label(reason, "reason", REASON_BYTES_MAX)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let effective_from = effective_from.map(|at| at.0);
        let set_by = ledger::settings::actor();
        let change = set(&session, &ledger, Wanted { name, rate, account, effective_from, set_by, reason })?;
        Ok(RateRow::new(&ledger, change))
    })
}

/// Every rate of a ledger that counts at a moment.
///
/// * `at`: the moment, past or to come; NULL is now.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row per rate, by name; since when, by whom and why are NULL where the default counts. Errors:
/// ledger_required, ledger_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn list_rates(
    at: default!(Option<Timestamp>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<RateRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let at = at.map_or_else(ledger::now, |at| at.0);
        let row = |change| RateRow::new(&ledger, change);
        Ok(list(&session, &ledger, at).into_iter().map(row).collect())
    });
    Table(rows)
}
