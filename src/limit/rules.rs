//! Spending limits: what a limit says, and whether a spending keeps to it.
//!
//! Spending is gross: what is paid counts, whatever comes in. A refund gives the allowance back to the periods in
//! which the money was spent, for as long as they last. An open hold counts in every period until it is resolved:
//! what is captured of it counts on the day of the capture, what is not is given back. All limits of an account
//! apply; the smallest room decides.
//!
//! | module | what it is about |
//! |---|---|
//! | `window` | times of the week in which may be spent |
//! | `list` | merchants and categories: allowed, denied, limited |
//! | `spending` | what an account has spent in the periods that are running |
//! | `timeline` | which limits count when |
//! | `meter` | one account that pays, against its limits |
//! | `gauge` | the decision, for all the spendings of a call |
//! | `verdict` | what the decision says |
//! | `change` | a change of a limit, as it was asked for |

pub mod change;
pub mod gauge;
pub mod list;
pub mod meter;
pub mod spending;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod verdict;
pub mod window;

use list::List;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use window::Windows;

/// The periods that limits are counted in, the shortest first.
pub const PERIODS: [&str; 3] = ["daily", "weekly", "monthly"];

/// The most that may be spent; zero is nothing, `None` is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_transaction: Option<Decimal>,
    /// In the order of [`PERIODS`].
    pub periods: [Option<Decimal>; 3],
}

impl Caps {
    pub fn is_empty(&self) -> bool {
        self.per_transaction.is_none() && self.periods.iter().all(Option::is_none)
    }
}

/// One limit, as it counts at a moment. In this form it stands beside the counter, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub name: String,
    /// Which change of the limit it is.
    pub revision: i64,
    /// The organisation's, for every member's wallet in the limit's currency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
    /// The organisation's defaults do not count beside it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces_default: bool,
    pub currency: String,
    /// Only for what is paid by somebody who was identified this way, and only that is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Caps::is_empty")]
    pub caps: Caps,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchants: Option<List>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<List>,
}

impl Limit {
    /// Whether it limits anything: a limit that was lifted does not.
    pub fn limits(&self) -> bool {
        !self.caps.is_empty()
            || self.windows.is_some()
            || self.merchants.is_some()
            || self.categories.is_some()
    }
}

/// Of an account's limits and the organisation's, those that count for a wallet in a currency.
pub fn counting(mut limits: Vec<Limit>, currency: &str) -> Vec<Limit> {
    let replaced = limits.iter().any(|limit| !limit.is_default && limit.replaces_default);
    limits.retain(|limit| limit.limits() && !(limit.is_default && (replaced || limit.currency != currency)));
    limits
}

/// One period: it begins with `start` and ends before `end`, both in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub start: i64,
    pub end: i64,
}

impl Period {
    pub fn contains(&self, at: i64) -> bool {
        self.start <= at && at < self.end
    }
}

/// A moment, as the ledger's clock and calendar show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: i64,
    /// Days since Monday.
    pub weekday: i64,
    /// Microseconds since midnight on the clock.
    pub clock: i64,
    /// The day, the week and the month that it lies in.
    pub periods: [Period; 3],
}

/// Money that leaves an account for something that limits count, or a hold that promises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    pub amount: Decimal,
    /// The account that receives it; a hold may not know it yet.
    pub merchant: Option<String>,
    pub category: Option<String>,
    /// How the payer was identified.
    pub method: Option<String>,
}

impl Spend {
    /// Everything that it counts in, beside the total.
    pub fn scopes(&self) -> impl Iterator<Item = String> {
        let of = |kind: fn(&str) -> String, name: &Option<String>| name.as_deref().map(kind);
        [of(merchant, &self.merchant), of(category, &self.category), of(method, &self.method)]
            .into_iter()
            .flatten()
    }
}

/// What is counted apart from the rest. The total has no name.
pub const TOTAL: &str = "";

pub fn merchant(account: &str) -> String {
    format!("m:{account}")
}

pub fn category(name: &str) -> String {
    format!("c:{name}")
}

pub fn method(name: &str) -> String {
    format!("a:{name}")
}

/// Everything that limits count apart: without it a limit could not be judged.
pub fn scopes_of<'a>(limits: impl IntoIterator<Item = &'a Limit>) -> Vec<String> {
    let mut scopes = vec![TOTAL.to_owned()];
    for limit in limits {
        scopes.extend(limit.method.as_deref().map(method));
        scopes.extend(limit.merchants.iter().flat_map(List::limited).map(|name| merchant(name)));
        scopes.extend(limit.categories.iter().flat_map(List::limited).map(|name| category(name)));
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// The account that a merchant's name stands for: an address is itself, a name is `merchants:<name>`.
pub fn merchant_account(name: &str) -> String {
    if name.contains(':') { name.to_owned() } else { format!("merchants:{name}") }
}
