//! SQL face of triggers.

use super::rules::facts::Finding;
use super::source::Firing;
use super::{check, escrowing, limiting, marking, matching, posting};
use crate::error::{Code, LedgerError, Result, missing};
use crate::report;
use crate::spi::face::{Composite, Regclass, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;

/// A finding in words.
struct TriggerFinding(Finding);

composite_result!(TriggerFinding, "wallet_ledger.trigger_finding");

impl Composite for TriggerFinding {
    const NAME: &'static CStr = c"trigger_finding";

    fn into_values(self) -> Vec<Argument> {
        let finding = &self.0;
        let severity = finding.severity.to_string();
        vec![
            finding.trigger.as_deref().into(),
            (&severity).into(),
            (&finding.problem).into(),
            (&finding.hint).into(),
        ]
    }
}

/// What PostgreSQL asks a C function for: which calling convention it has.
static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

#[unsafe(no_mangle)]
#[doc(hidden)]
pub extern "C" fn pg_finfo_post_on_status_change() -> &'static pg_sys::Pg_finfo_record {
    &VERSION_1
}

#[unsafe(no_mangle)]
#[doc(hidden)]
pub extern "C" fn pg_finfo_escrow_on_status_change() -> &'static pg_sys::Pg_finfo_record {
    &VERSION_1
}

#[unsafe(no_mangle)]
#[doc(hidden)]
pub extern "C" fn pg_finfo_match_on_insert() -> &'static pg_sys::Pg_finfo_record {
    &VERSION_1
}

#[unsafe(no_mangle)]
#[doc(hidden)]
pub extern "C" fn pg_finfo_limit_on_insert() -> &'static pg_sys::Pg_finfo_record {
    &VERSION_1
}

#[unsafe(no_mangle)]
#[doc(hidden)]
pub extern "C" fn pg_finfo_update_on_intent() -> &'static pg_sys::Pg_finfo_record {
    &VERSION_1
}

// The SQL of the five is in `sql/triggers.sql`: pgrx's own trigger wrapper knows neither transition tables
// nor SECURITY DEFINER nor settings. A trigger returns a null pointer and never the null flag.

/// Posts a transfer for every row that comes to the posting status, once per row, and takes it back
/// when the row comes to the reversing status.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
#[doc(hidden)]
#[pg_guard]
pub unsafe extern "C-unwind" fn post_on_status_change(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL's own argument, used during the call only.
    report::run(|| posting::fire(&unsafe { firing(fcinfo, "post_on_status_change") }?));
    pg_sys::Datum::null()
}

/// Opens, ships, releases or refunds the escrow of every row whose status asks for it.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
#[doc(hidden)]
#[pg_guard]
pub unsafe extern "C-unwind" fn escrow_on_status_change(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as above.
    report::run(|| escrowing::fire(&unsafe { firing(fcinfo, "escrow_on_status_change") }?));
    pg_sys::Datum::null()
}

/// Takes in the movement that every inserted row reports.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
#[doc(hidden)]
#[pg_guard]
pub unsafe extern "C-unwind" fn match_on_insert(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as above.
    report::run(|| matching::fire(&unsafe { firing(fcinfo, "match_on_insert") }?));
    pg_sys::Datum::null()
}

/// Refuses a row whose buyer may not spend so much; any other is inserted as it is.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
#[doc(hidden)]
#[pg_guard]
pub unsafe extern "C-unwind" fn limit_on_insert(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    report::run(|| {
        // SAFETY: as above.
        let firing = unsafe { firing(fcinfo, "limit_on_insert") }?;
        limiting::fire(&firing)?;
        Ok(firing.row())
    })
}

/// Marks the application's row whose intent becomes paid.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
#[doc(hidden)]
#[pg_guard]
pub unsafe extern "C-unwind" fn update_on_intent(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    let writing = marking::Writing::default();
    // SAFETY: as above.
    let flow = || marking::fire(&unsafe { firing(fcinfo, "update_on_intent") }?, &writing);
    report::run_over(flow, |refusal| writing.refused(refusal));
    pg_sys::Datum::null()
}

/// # Safety
/// `fcinfo` must be that of the call; the value must not outlive it.
unsafe fn firing<'a>(fcinfo: pg_sys::FunctionCallInfo, function: &str) -> Result<Firing<'a>> {
    // SAFETY: as the caller vouches.
    unsafe { Firing::of(fcinfo) }.ok_or_else(|| {
        LedgerError::new(Code::InvalidTrigger, format!("{function}() can only be called as a trigger"))
    })
}

/// Looks for everything about a table's triggers that would fail when they fire, or that would let a
/// row's money go unposted.
///
/// * `table`: the application's table.
///
/// Returns one row per finding; none means that the triggers are fine. `severity`: `error` (it fails,
/// or never posts), `warning` (it can leave a row unposted) or `note`. Errors: missing_argument,
/// invalid_argument (no such table).
///
/// The SQL is written out because TABLE is a reserved word.
#[pg_extern(sql = r#"
CREATE FUNCTION "check_trigger"("table" regclass) RETURNS SETOF wallet_ledger.trigger_finding
STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn check_trigger(table: Option<Regclass>) -> Table<TriggerFinding> {
    let findings = report::run(|| {
        let session = Session::connect();
        check(&session, table.ok_or_else(|| missing("table"))?.0)
    });
    Table(findings.into_iter().map(TriggerFinding).collect::<Vec<_>>())
}
