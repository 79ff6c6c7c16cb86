//! What a limit says about a spending.

use super::PERIODS;
use crate::error::{Code, LedgerError};
use crate::time;
use rust_decimal::Decimal;

/// Why something may not be spent, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Window,
    Merchant,
    Category,
    PerTransaction,
    /// Which of [`PERIODS`].
    Period(usize),
}

impl Reason {
    /// The token that callers see.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Window => "window",
            Reason::Merchant => "merchant",
            Reason::Category => "category",
            Reason::PerTransaction => "per_transaction",
            Reason::Period(period) => PERIODS[period],
        }
    }
}

/// A bound that counts, with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub reason: Reason,
    /// The limit's name, and what it limits apart from the rest, if anything: `merchants:canteen`.
    pub limit: String,
    pub scope: Option<String>,
    pub cap: Decimal,
    pub spent: Decimal,
    pub held: Decimal,
    /// When it begins anew; `None` for a bound on one transaction.
    pub resets_at: Option<i64>,
}

impl Bound {
    /// What may still be spent; never below zero.
    pub fn room(&self) -> Decimal {
        let mut room = self.cap.saturating_sub(self.spent).saturating_sub(self.held).max(Decimal::ZERO);
        // What comes to nothing has lost its decimals on the way.
        room.rescale(self.cap.scale());
        room
    }
}

/// When a window opens: in how many days, and at which microsecond of that day's clock.
pub type Opening = (i64, i64);

/// What all limits together say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why not; `None` where it is allowed.
    pub reason: Option<Reason>,
    /// The limit that refuses, where none of its bounds does.
    pub limit: Option<String>,
    /// The bound with the least room, among those that refuse if any does.
    pub bound: Option<Bound>,
    /// Where a window is what refuses.
    pub opening: Option<Opening>,
    /// The least room of all; `None` where nothing bounds it.
    pub remaining: Option<Decimal>,
}

/// A spending that passes a limit, with all that its payer is told.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub verdict: Verdict,
    pub account: String,
    pub amount: Decimal,
    pub currency: String,
    /// When it was to be spent.
    pub at: i64,
}

impl Refusal {
    /// The documented error. `opens_at` is when the next window opens, where a window refuses.
    pub fn to_error(&self, opens_at: Option<i64>) -> LedgerError {
        let Verdict { reason, limit, bound, remaining, .. } = &self.verdict;
        let reason = reason.map_or("", Reason::name);
        let (account, amount, currency) = (&self.account, self.amount, &self.currency);
        let message = match bound {
            Some(bound) => format!(
                "account {account} may spend {} of its {reason} limit of {} and wants {amount}",
                bound.room(),
                bound.cap
            ),
            None => format!("account {account} may not spend {amount} now or there ({reason})"),
        };
        let mut error = LedgerError::new(Code::SpendingLimitExceeded, message)
            .with("account", account)
            .with("reason", reason)
            .with("amount", amount)
            .with("currency", currency);
        if let Some(limit) = bound.as_ref().map(|bound| &bound.limit).or(limit.as_ref()) {
            error = error.with("limit", limit);
        }
        if let Some(bound) = bound {
            error = error.with("limit_amount", bound.cap).with("spent", bound.spent).with("held", bound.held);
            if let Some(scope) = &bound.scope {
                error = error.with("scope", scope);
            }
        }
        if let Some(remaining) = remaining {
            error = error.with("remaining", remaining);
        }
        let resets_at = opens_at.or_else(|| bound.as_ref().and_then(|bound| bound.resets_at));
        match resets_at {
            Some(at) => error.with("resets_at", time::to_text(at)),
            None => error,
        }
    }
}
