//! Which bank account a payment's number means, and which of the intents that ever had it.
//!
//! A virtual account number is often a customer's for good: one intent after another has it. The live one
//! counts, then one whose window the payment was made in, then the newest.

use crate::bank::intent::rules::{self as intent, State};
use crate::bank::rules::when::When;
use crate::bank::webhook::rules::snap::SnapCase;
use rust_decimal::Decimal;
use uuid::Uuid;

/// An intent with the number of a payment.
#[derive(Clone, Debug)]
pub struct Bill {
    pub intent_id: Uuid,
    pub bank_account_id: i32,
    /// As stored.
    pub state: State,
    pub total: Decimal,
    pub created_at: i64,
    pub expires_at: i64,
    pub accepts_until: i64,
}

/// How good a claim a bill has on a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Paid, cancelled, or the payment was made after its window.
    Over,
    /// Expired, but the payment was made in its window.
    InWindow,
    Live,
}

/// Where a payment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    BankAccount(i32),
    /// No bill has the number.
    Unknown,
    /// Bills of several bank accounts claim it equally.
    Several,
}

impl Bill {
    pub fn standing(&self, now: i64, paid_at: When) -> Standing {
        let is_payable = intent::check(self.intent_id, self.state, intent::Action::Pay).is_ok();
        match self.state.at(self.expires_at, now) {
            _ if !is_payable || self.is_late(paid_at) => Standing::Over,
            State::Expired => Standing::InWindow,
            _ => Standing::Live,
        }
    }

    fn is_late(&self, paid_at: When) -> bool {
        self.accepts_until < paid_at.from
    }
}

/// The bank account whose bill has the best claim.
pub fn place(bills: &[Bill], now: i64, paid_at: When) -> Place {
    let Some(best) = bill(bills, now, paid_at) else { return Place::Unknown };
    let standing = best.standing(now, paid_at);
    let rival = |other: &&Bill| {
        other.bank_account_id != best.bank_account_id && other.standing(now, paid_at) == standing
    };
    match bills.iter().find(rival) {
        Some(_) if standing != Standing::Over => Place::Several,
        _ => Place::BankAccount(best.bank_account_id),
    }
}

/// The bill with the best claim, of equal ones the newest.
pub fn bill(bills: &[Bill], now: i64, paid_at: When) -> Option<&Bill> {
    bills.iter().max_by_key(|bill| (bill.standing(now, paid_at), bill.created_at, bill.intent_id))
}

/// Why a bank is told that a payment to this bill is not accepted: the case, and its token.
pub fn refusal(bill: &Bill, amount: Option<Decimal>, paid_at: When) -> Option<(SnapCase, &'static str)> {
    if amount.is_some_and(|amount| amount != bill.total) {
        return Some((SnapCase::WrongAmount, "wrong_amount"));
    }
    match bill.state {
        State::Paid => Some((SnapCase::AlreadyPaid, "already_paid")),
        State::Cancelled => Some((SnapCase::BillNotFound, "intent_cancelled")),
        _ if bill.is_late(paid_at) => Some((SnapCase::Expired, "late")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// Made at `hour`, open for an hour, with another hour of grace.
    fn made(id: u128, bank_account_id: i32, state: State, hour: i64) -> Bill {
        Bill {
            intent_id: Uuid::from_u128(id),
            bank_account_id,
            state,
            total: Decimal::from(50_123),
            created_at: hour * HOUR,
            expires_at: (hour + 1) * HOUR,
            accepts_until: (hour + 2) * HOUR,
        }
    }

    fn at(hour: i64) -> When {
        When::at(hour * HOUR)
    }

    #[test]
    fn the_clock_and_the_window_decide_what_a_bill_may_claim() {
        use State::{Cancelled, Expired, Open, Paid, PendingVerification};
        for (state, now, paid_at, expected) in [
            (Open, 0, 0, Standing::Live),
            (Open, 1, 1, Standing::InWindow),
            (Expired, 9, 2, Standing::InWindow),
            (Open, 9, 3, Standing::Over),
            (PendingVerification, 9, 0, Standing::Live),
            (Paid, 0, 0, Standing::Over),
            (Cancelled, 0, 0, Standing::Over),
        ] {
            assert_eq!(made(1, 1, state, 0).standing(now * HOUR, at(paid_at)), expected, "{state:?} {now}");
        }
    }

    #[test]
    fn the_live_bill_comes_before_older_ones() {
        use State::{Cancelled, Expired, Open, Paid};
        let bills =
            [made(1, 1, Paid, 0), made(2, 1, Expired, 2), made(3, 1, Open, 3), made(4, 1, Cancelled, 4)];
        let chosen = |bills: &[Bill]| bill(bills, 3 * HOUR, at(3)).map(|bill| bill.intent_id.as_u128());
        assert_eq!(chosen(&bills), Some(3));
        assert_eq!(chosen(&bills[..2]), Some(2));
        assert_eq!(chosen(&[bills[0].clone(), bills[3].clone()]), Some(4));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn the_bank_account_is_that_of_the_best_claim() {
        use State::{Expired, Open, Paid};
        let placed = |bills: &[Bill]| place(bills, 3 * HOUR, at(3));
        assert_eq!(placed(&[]), Place::Unknown);
        assert_eq!(placed(&[made(1, 7, Paid, 0)]), Place::BankAccount(7));
        assert_eq!(placed(&[made(1, 7, Paid, 0), made(2, 8, Paid, 1)]), Place::BankAccount(8));
        assert_eq!(placed(&[made(1, 7, Open, 3), made(2, 8, Expired, 2)]), Place::BankAccount(7));
        assert_eq!(placed(&[made(1, 7, Open, 3), made(2, 7, Expired, 2)]), Place::BankAccount(7));
        assert_eq!(placed(&[made(1, 7, Open, 3), made(2, 8, Open, 3)]), Place::Several);
        assert_eq!(placed(&[made(1, 7, Expired, 2), made(2, 8, Expired, 2)]), Place::Several);
    }

    #[test]
    fn refusals_come_in_their_order() {
        use State::{Cancelled, Expired, Open, Paid, Rejected};
        let right = Some(Decimal::new(5_012_300, 2));
        for (state, amount, hour, expected) in [
            (Open, right, 2, None),
            (Expired, None, 2, None),
            (Rejected, right, 0, None),
            (Open, right, 3, Some((SnapCase::Expired, "late"))),
            (Paid, right, 3, Some((SnapCase::AlreadyPaid, "already_paid"))),
            (Cancelled, None, 0, Some((SnapCase::BillNotFound, "intent_cancelled"))),
            (Paid, Some(Decimal::ONE), 3, Some((SnapCase::WrongAmount, "wrong_amount"))),
        ] {
            assert_eq!(refusal(&made(1, 1, state, 0), amount, at(hour)), expected, "{state:?}");
        }
    }
}
