//! The life of a subscription: paid period after period, late, and over.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::form::word;
use crate::money;
use crate::time;
use rust_decimal::Decimal;
use uuid::Uuid;

/// Longest grace, in days.
const GRACE_DAYS_MAX: i64 = 90;
const DAY: i64 = 86_400_000_000;
/// How long after a failed charge the next one is tried.
pub const RETRY_AFTER: i64 = DAY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active = 1,
    /// The wallet could not pay for the period that has begun; the grace runs.
    PastDue = 2,
    /// The grace is over.
    Expired = 3,
    Cancelled = 4,
}

impl State {
    pub const ALL: [State; 4] = [State::Active, State::PastDue, State::Expired, State::Cancelled];

    pub fn from_id(id: i16) -> Self {
        *Self::ALL.get((id - 1) as usize).unwrap_or(&State::Cancelled)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::PastDue => "past_due",
            State::Expired => "expired",
            State::Cancelled => "cancelled",
        }
    }
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Monthly,
    Yearly,
}

impl Period {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "monthly" => Ok(Period::Monthly),
            "yearly" => Ok(Period::Yearly),
            _ => Err(invalid("period", "be monthly or yearly").with("value", name)),
        }
    }

    pub fn from_months(months: i16) -> Self {
        if months == 1 { Period::Monthly } else { Period::Yearly }
    }

    pub fn months(self) -> i16 {
        match self {
            Period::Monthly => 1,
            Period::Yearly => 12,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Period::Monthly => "monthly",
            Period::Yearly => "yearly",
        }
    }
}

/// At most how many periods are due at `now`, the last paid one having ended at `period_end` (both in microseconds):
/// n months in a row are never shorter than n × 27 days, also where the clocks change.
pub fn periods_at_most(period_end: i64, length: Period, now: i64) -> u32 {
    let shortest = 27 * DAY * i64::from(length.months());
    u32::try_from(now.saturating_sub(period_end).max(0) / shortest + 1).unwrap_or(u32::MAX)
}

/// What is given back when a subscription is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    /// Nothing; it goes on to the end of the period that is paid.
    None,
    /// The part of the period that is left; it ends at once.
    Prorated,
}

impl Refund {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "none" => Ok(Refund::None),
            "prorated" => Ok(Refund::Prorated),
            _ => Err(invalid("refund", "be none or prorated").with("value", name)),
        }
    }
}

/// What a failed charge leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It is tried again at this moment.
    PastDue {
        since: i64,
        attempt_at: i64,
    },
    Expired,
}

/// Grace counts from the first charge that failed: a job that did not run is not the subscriber's fault.
pub fn late(past_due_since: Option<i64>, grace_micros: i64, now: i64) -> Late {
    let since = past_due_since.unwrap_or(now);
    let until = since.saturating_add(grace_micros);
    match past_due_since.is_some() && now >= until || grace_micros == 0 {
        true => Late::Expired,
        false => Late::PastDue { since, attempt_at: now.saturating_add(RETRY_AFTER).min(until) },
    }
}

/// May it be cancelled?
pub fn check_live(id: Uuid, state: State) -> Result<()> {
    match state {
        State::Active | State::PastDue => Ok(()),
        state => {
            Err(LedgerError::new(Code::AlreadyResolved, format!("subscription {id} is {}", state.name()))
                .with("subscription_id", id)
                .with("status", state.name()))
        }
    }
}

/// What of a price belongs to the part of its period that is left, rounded down to the smallest unit. The price
/// has its currency's scale.
pub fn unused(price: Decimal, start: i64, end: i64, now: i64) -> Decimal {
    let left = u128::from(end.saturating_sub(now.max(start)).max(0) as u64);
    let whole = u128::from(end.saturating_sub(start).max(1) as u64);
    let units = price.mantissa().unsigned_abs();
    // A time has at most 63 bits and a price 96: the fraction is taken in parts per 2^32, rounded down.
    let part = match units.checked_mul(left) {
        Some(product) => product / whole,
        None => (units >> 32) * ((left << 32) / whole),
    };
    Decimal::from_i128_with_scale(part as i128, price.scale())
}

/// A plan's name: lower-case words.
pub fn check_name(name: &str) -> Result<&str> {
    word(name, "name", "seller_pro")
}

pub fn check_grace(micros: i64) -> Result<i64> {
    match (0..=GRACE_DAYS_MAX * DAY).contains(&micros) {
        true => Ok(micros),
        false => Err(invalid("grace", "be between nothing and 90 days")),
    }
}

/// The error that an account subscribes twice.
pub fn subscribed(id: Uuid, plan: &str, account: &str, until: i64) -> LedgerError {
    LedgerError::new(Code::AlreadyExists, format!("{account} has subscribed to {plan} already"))
        .with("subscription_id", id)
        .with("account", account)
        .with("period_end", time::to_text(until))
}

/// A price in its currency's scale.
pub fn price(number: money::Number, scale: u32, currency: &str) -> Result<Decimal> {
    money::to_scale(money::positive(number, "price")?, scale, currency, "price")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_begins_with_the_first_charge_that_failed() {
        let late_at = |since, now| late(since, 7 * DAY, now);
        assert_eq!(late_at(None, 100), Late::PastDue { since: 100, attempt_at: 100 + DAY });
        assert_eq!(late_at(Some(0), DAY), Late::PastDue { since: 0, attempt_at: 2 * DAY });
        assert_eq!(late_at(Some(0), 6 * DAY + 5), Late::PastDue { since: 0, attempt_at: 7 * DAY });
        assert_eq!(late_at(Some(0), 7 * DAY), Late::Expired);
        assert_eq!(late(None, 0, 100), Late::Expired);
    }

    #[test]
    fn no_more_periods_are_due_than_that() {
        let due = |length, days| periods_at_most(0, length, days * DAY);
        assert_eq!([0, 26, 28, 31, 59].map(|days| due(Period::Monthly, days)), [1, 1, 2, 2, 3]);
        assert_eq!([0, 323, 365, 730].map(|days| due(Period::Yearly, days)), [1, 1, 2, 3]);
        // Twelve months on are twelve more, in the shortest of years too.
        assert!(due(Period::Monthly, 365) >= 13);
        assert_eq!(periods_at_most(0, Period::Monthly, i64::MAX).min(120), 120);
        assert_eq!(periods_at_most(10, Period::Monthly, 0), 1);
    }

    #[test]
    fn what_is_left_of_a_period_is_worth_its_part() {
        let price = Decimal::new(9_900_000, 2);
        assert_eq!(unused(price, 0, 30 * DAY, 0), price);
        assert_eq!(unused(price, 0, 30 * DAY, 10 * DAY), Decimal::new(6_600_000, 2));
        assert_eq!(unused(price, 0, 30 * DAY, 30 * DAY), Decimal::new(0, 2));
        assert_eq!(unused(price, 0, 30 * DAY, 31 * DAY), Decimal::new(0, 2));
        assert_eq!(unused(Decimal::new(100, 2), 0, 3, 1), Decimal::new(66, 2));
        let most = Decimal::from_i128_with_scale((1 << 96) - 1, 0);
        let half = unused(most, 0, 30 * DAY, 15 * DAY);
        assert!(half <= most / Decimal::TWO && half > most / Decimal::from(3));
    }

    #[test]
    fn what_is_over_cannot_be_cancelled() {
        for state in State::ALL {
            let is_live = matches!(state, State::Active | State::PastDue);
            assert_eq!(check_live(Uuid::nil(), state).is_ok(), is_live, "{state:?}");
            assert_eq!(State::from_id(state as i16), state);
        }
        assert!(Period::from_name("weekly").is_err() && Refund::from_name("all").is_err());
        assert!(
            check_name("Seller Pro").is_err() && check_grace(-1).is_err() && check_grace(91 * DAY).is_err()
        );
    }
}
