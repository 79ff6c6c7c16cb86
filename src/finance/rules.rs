//! What the reports may be asked for.

use crate::error::{LedgerError, Result, invalid};
use crate::time::{self, INFINITY, MINUS_INFINITY};

/// Most buckets of one trend.
pub const BUCKETS_MAX: i64 = 1000;

/// The moments `from` <= t < `to`. An open end is an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: i64,
    pub to: i64,
}

impl Period {
    /// The period between two arguments, of which NULL is open.
    pub fn new(from: Option<i64>, to: Option<i64>) -> Result<Self> {
        let from = from.map_or(Ok(MINUS_INFINITY), |from| time::finite(from, "from"))?;
        let to = to.map_or(Ok(INFINITY), |to| time::finite(to, "to"))?;
        if from > to {
            return Err(invalid("to", "not lie before from"));
        }
        Ok(Self { from, to })
    }
}

/// What a trend is divided into, in the ledger's time zone. A week begins on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    Day,
    Week,
    Month,
}

impl Bucket {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "day" => Ok(Bucket::Day),
            "week" => Ok(Bucket::Week),
            "month" => Ok(Bucket::Month),
            _ => Err(invalid("bucket", "be day, week or month").with("value", name)),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Bucket::Day => "day",
            Bucket::Week => "week",
            Bucket::Month => "month",
        }
    }
}

/// A trend has at most so many buckets.
pub fn check_count(count: i64) -> Result<()> {
    if count <= BUCKETS_MAX {
        return Ok(());
    }
    let must = format!("divide the period into at most {BUCKETS_MAX} parts, not {count}");
    Err::<(), LedgerError>(invalid("bucket", &must).with_count("buckets", count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_period_is_open_where_nothing_is_said() {
        assert_eq!(Period::new(None, None), Ok(Period { from: MINUS_INFINITY, to: INFINITY }));
        assert_eq!(Period::new(Some(1), Some(1)), Ok(Period { from: 1, to: 1 }));
        for (from, to) in [(Some(2), Some(1)), (Some(INFINITY), None), (None, Some(MINUS_INFINITY))] {
            assert_eq!(Period::new(from, to).unwrap_err().code, Code::InvalidArgument, "{from:?} {to:?}");
        }
    }

    #[test]
    fn buckets_have_names() {
        for bucket in [Bucket::Day, Bucket::Week, Bucket::Month] {
            assert_eq!(Bucket::from_name(bucket.name()), Ok(bucket));
        }
        for name in ["", "Day", "year", "hour", "day; DROP"] {
            assert!(Bucket::from_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn there_are_not_too_many() {
        assert_eq!(check_count(-1), Ok(()));
        assert_eq!(check_count(1000), Ok(()));
        assert_eq!(check_count(1001).unwrap_err().code, Code::InvalidArgument);
    }
}
