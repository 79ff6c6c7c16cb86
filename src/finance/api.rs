//! SQL face of the finance overview.

use super::rules::{Bucket, Period};
use super::store::{Now, Part, Turnover};
use super::{overview, trend};
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, Timestamp, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;
use std::rc::Rc;

/// A currency's overview in words.
pub struct OverviewRow {
    ledger: Rc<str>,
    turnover: Turnover,
    now: Now,
}

composite_result!(OverviewRow, "wallet_ledger.finance_overview_row");

impl Composite for OverviewRow {
    const NAME: &'static CStr = c"finance_overview_row";

    fn into_values(self) -> Vec<Argument> {
        let now = &self.now;
        let mut values = vec![(&*self.ledger).into(), (&self.turnover.currency).into()];
        values.extend(turnover(&self.turnover));
        values.extend::<[Argument; 9]>([
            now.held.into(),
            now.due.0.into(),
            now.due.1.into(),
            now.disputed.0.into(),
            now.disputed.1.into(),
            now.unverified.0.into(),
            now.unverified.1.into(),
            now.float.into(),
            now.float_available.into(),
        ]);
        values
    }
}

/// A bucket of a trend in words.
pub struct TrendRow {
    ledger: Rc<str>,
    bucket: Bucket,
    part: Part,
}

composite_result!(TrendRow, "wallet_ledger.finance_trend_row");

impl Composite for TrendRow {
    const NAME: &'static CStr = c"finance_trend_row";

    fn into_values(self) -> Vec<Argument> {
        let part = &self.part;
        let mut values = vec![
            (&*self.ledger).into(),
            self.bucket.name().into(),
            part.begins.into(),
            part.ends.into(),
            (&part.turnover.currency).into(),
        ];
        values.extend(turnover(&part.turnover));
        values
    }
}

fn turnover(turnover: &Turnover) -> [Argument; 8] {
    [
        turnover.escrows.into(),
        turnover.gmv.into(),
        turnover.released.into(),
        turnover.fees.into(),
        turnover.refunded.into(),
        turnover.topups.into(),
        turnover.topped_up.into(),
        turnover.revenue.into(),
    ]
}

/// The finance office's figures of a period, and how it stands now.
///
/// * `from`, `to`: the period: at or after `from` and before `to`; NULL is open. Both are SQL keywords: write
///   `"from" => …, "to" => …`.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row per currency. Of the period: escrows opened and their sum (gmv), released (fees included),
/// fees less what was given back of them, refunded, top-ups less reversals, and what revenue accounts earned.
/// Of now, whatever the period: money in escrow, releases due, open disputes, payments to verify, and what all
/// wallets have. Runs with the caller's rights. Errors: invalid_argument, ledger_required, ledger_not_found,
/// amount_out_of_range.
#[pg_extern(stable)]
#[search_path(pg_catalog, pg_temp)]
fn finance_overview(
    from: default!(Option<Timestamp>, "NULL"),
    to: default!(Option<Timestamp>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<OverviewRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let period = Period::new(from.map(|from| from.0), to.map(|to| to.0))?;
        let ledger = ledger::resolve(&session, ledger)?;
        let found = overview(&session, &ledger, period)?;
        let name: Rc<str> = ledger.name.into();
        let row = |(turnover, now)| OverviewRow { ledger: name.clone(), turnover, now };
        Ok(found.into_iter().map(row).collect())
    });
    Table(rows)
}

/// The same figures of a period, day by day, week by week or month by month.
///
/// * `from`, `to`: the period, as for `finance_overview`. The first and the last bucket may be cut by it. An
///   open period begins with what happened first, and ends now.
/// * `bucket`: `day`, `week` (from Monday) or `month`, in the ledger's time zone.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row per bucket and currency, those in which nothing happened included, in order; at most 1000
/// buckets. Runs with the caller's rights. Errors: missing_argument, invalid_argument, ledger_required,
/// ledger_not_found, amount_out_of_range.
#[pg_extern(stable)]
#[search_path(pg_catalog, pg_temp)]
fn finance_trend(
    from: default!(Option<Timestamp>, "NULL"),
    to: default!(Option<Timestamp>, "NULL"),
    bucket: default!(Option<&str>, "'day'"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<TrendRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let period = Period::new(from.map(|from| from.0), to.map(|to| to.0))?;
        let bucket = Bucket::from_name(bucket.ok_or_else(|| missing("bucket"))?)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let found = trend(&session, &ledger, period, bucket)?;
        let name: Rc<str> = ledger.name.into();
        let row = |part| TrendRow { ledger: name.clone(), bucket, part };
        Ok(found.into_iter().map(row).collect())
    });
    Table(rows)
}
