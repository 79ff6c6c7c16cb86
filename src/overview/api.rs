//! SQL face of a member's overview.

use super::of_member;
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::Session;
use pgrx::JsonB;
use pgrx::prelude::*;

/// One look at a member, for a guardian or the member.
///
/// * `member`: who.
/// * `ledger`: the session's ledger by default.
///
/// Returns JSON: member, account, currency; `balance` (posted, held, available, owed); `spent` (today, this_week,
/// this_month, less what was given back); `last_purchase`; `limits` that count now, the organisation's marked with
/// `is_default`; `spending` of 30 days by day and category; the last 50 `refusals` of 30 days with error and reason.
/// Amounts are strings, days are the ledger's. Errors: missing_argument, member_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn member_overview(member: Option<&str>, ledger: default!(Option<&str>, "NULL")) -> JsonB {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member.ok_or_else(|| missing("member"))?;
        of_member(&session, &ledger, member).map(JsonB)
    })
}
