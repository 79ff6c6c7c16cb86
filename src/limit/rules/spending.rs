//! What an account has spent in the periods that are running, and the limits that count for it: beside its balance,
//! so that one row lock guards the money and the allowance, and a payment has to read nothing else.
//!
//! Whatever changes an account's limits makes its counter unknown, under the same lock.

use super::{Limit, PERIODS, Period, Spend, TOTAL};
use crate::error::{Code, LedgerError, Result};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Spent in each of the three periods.
pub type Sums = [Decimal; 3];

/// A counter that knows nothing: the next spending counts anew from the transfers.
pub const UNKNOWN: &str = "{}";

/// The counter as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// The kinds that were counted.
    pub kinds: Vec<i16>,
    /// Microseconds of PostgreSQL's count, for the day, the week and the month.
    pub starts: [i64; 3],
    pub ends: [i64; 3],
    /// Something is dated after the end of a period: the next one does not begin with nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_dated: bool,
    /// By scope; the total has no name. Without limits nothing is counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spent: BTreeMap<String, Sums>,
    /// The limits that count since it was made anew, up to `until`: then a change that was made ahead begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    pub until: i64,
}

impl Spending {
    /// Reads a stored counter; `None` where it knows nothing.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        if text == UNKNOWN {
            return Ok(None);
        }
        serde_json::from_str(text).map(Some).map_err(|error| {
            LedgerError::new(Code::BooksInconsistent, format!("a counter of spending is unreadable: {error}"))
        })
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("keys of text and nothing that can fail")
    }

    /// Whether the limits beside it are those that count now.
    pub fn serves(&self, now: i64) -> bool {
        now < self.until
    }

    pub fn period(&self, period: usize) -> Period {
        Period { start: self.starts[period], end: self.ends[period] }
    }
}

/// The counter after a spending was taken back, in whole or in part: the allowance returns to the periods in
/// which it was spent and that still run. `at` is when it was spent.
pub fn give_back(stored: &str, kind_id: i16, at: i64, spend: &Spend) -> Result<String> {
    let Some(mut spending) = Spending::parse(stored)? else { return Ok(stored.to_owned()) };
    if !spending.kinds.contains(&kind_id) {
        return Ok(stored.to_owned());
    }
    let scopes: Vec<String> = std::iter::once(TOTAL.to_owned()).chain(spend.scopes()).collect();
    let running: Vec<usize> =
        (0..PERIODS.len()).filter(|period| spending.period(*period).contains(at)).collect();
    for period in running {
        for scope in &scopes {
            let Some(sums) = spending.spent.get_mut(scope) else { continue };
            sums[period] -= spend.amount;
            if sums[period] < Decimal::ZERO {
                // Never counted here: count anew rather than allow too much.
                return Ok(UNKNOWN.to_owned());
            }
        }
    }
    Ok(spending.to_text())
}
