//! Finance: what the platform has turned over, earned and given back, and what waits, in one look.
//!
//! The numbers are those of the views, which anybody may filter and export; here they are put side by side.
//! Nothing is locked or written. Unlike the other functions these run with their caller's rights, so that what
//! a caller may not see is not in the sums either.
//!
//! | call | statements |
//! |---|---|
//! | overview | 1 |
//! | trend | 2: which buckets there are, and what is in them |

pub mod api;
pub mod rules;
pub mod store;

use crate::error::Result;
use crate::ledger::Ledger;
use crate::spi::Session;
use rules::{Bucket, Period};
use store::{Now, Part, Turnover};

/// What has moved in a period and how it stands now, one for each currency.
pub fn overview(session: &Session, ledger: &Ledger, period: Period) -> Result<Vec<(Turnover, Now)>> {
    store::overview(session, &ledger.name, period)
}

/// What has moved in each bucket of a period, one for each bucket and currency, empty ones included.
pub fn trend(session: &Session, ledger: &Ledger, period: Period, bucket: Bucket) -> Result<Vec<Part>> {
    if period.from == period.to {
        return Ok(Vec::new());
    }
    let span = store::span(session, &ledger.name, period, bucket);
    rules::check_count(span.count)?;
    store::trend(session, &ledger.name, period, bucket, &span)
}
