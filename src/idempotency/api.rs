//! SQL face of idempotency: retention.

use crate::form;
use crate::spi::Session;
use crate::{ledger, report};
use pgrx::prelude::*;

/// Deletes idempotency keys older than `older_than`, at most `max_count`, the oldest first.
///
/// A forgotten key no longer protects: the same request sent again would post again. Keep keys for
/// longer than any client, queue or person may still retry. The keys that triggers make (they begin
/// with `trigger:`) are never forgotten.
///
/// * `older_than`: age as an interval, at least one hour.
/// * `max_count`: upper bound of the work of one call, 1 to 1,000,000.
///
/// Returns how many keys were deleted. Call again until it returns less than `max_count`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn forget_idempotency_keys(
    older_than: default!(Option<Interval>, "'90 days'"),
    max_count: default!(Option<i32>, 10000),
    ledger: default!(Option<&str>, "NULL"),
) -> i64 {
    report::run(|| {
        let session = Session::connect();
        let age = form::age(older_than.map(|age| age.as_micros()))?;
        let max_count = form::max_count(max_count, 1_000_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        Ok(super::store::forget(&session, ledger.id, ledger::now() - age, max_count))
    })
}
