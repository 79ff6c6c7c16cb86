//! Payments to virtual accounts, as a bank notifies them: each is paid when it is notified, and the answer
//! tells the bank whether it is accepted.
//!
//! What is refused stores nothing: the bank keeps the money, or gives it back to the payer.

use super::credit::{self, Payment};
use super::place::Placed;
use super::rules::choice::{self, Bill};
use super::rules::{Payment as Facts, State};
use super::store::{self, Stored};
use super::{Applied, money_of, repeated};
use crate::bank::intent::store::paying::Payable;
use crate::bank::mutation::Outcome;
use crate::bank::rules::{Direction, Fact};
use crate::bank::webhook::rules::snap::SnapCase;
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::spi::Session;

/// Applies one notification.
pub fn apply(
    session: &Session,
    ledger: &Ledger,
    placed: &Placed,
    payment: &Payment,
    confirmed: bool,
) -> Result<Applied> {
    let (bank, notice) = (payment.bank, payment.notice);
    let refused = |case, reason| Ok(Applied::refused(case, reason).at(bank, notice.amount));
    let amount = match money_of(bank, notice.amount) {
        Ok(amount) => amount,
        Err(error) => return refused(SnapCase::BadRequest, error.token()),
    };
    if let Some(stored) = store::lock(session, ledger.id, bank.id, &notice.payment_id)? {
        if stored.number != payment.number || amount.is_some_and(|amount| amount != stored.credited) {
            return refused(SnapCase::InconsistentRequest, "conflicting_duplicate");
        }
        let taken = repeated(session, ledger, &stored);
        return Ok(Applied::done(taken, bank, Direction::Credit, stored.credited));
    }
    if bank.opened_on.is_some_and(|day| notice.when.day < day) {
        return refused(SnapCase::BadRequest, "before_opening");
    }
    // Nobody cancels an intent between this check and its payment.
    let bills = lock_bills(session, ledger, placed, payment);
    let Some(bill) = choice::bill(&bills, ledger::now(), notice.when) else {
        return refused(SnapCase::BillNotFound, "bill_not_found");
    };
    if let Some((case, reason)) = choice::refusal(bill, amount, notice.when) {
        return refused(case, reason);
    }
    let amount = amount.unwrap_or(bill.total);
    let taken = credit::post(session, ledger, payment, amount)?;
    if taken.outcome == Outcome::Rejected {
        return Ok(Applied {
            case: SnapCase::BadRequest,
            ..Applied::done(taken, bank, Direction::Credit, amount)
        });
    }
    let mut facts = Facts::new(Some(amount));
    facts.merge(&Fact::Settled);
    let stored = Stored {
        number: payment.number.to_owned(),
        confirmed,
        credited: amount,
        reversed: crate::money::zero(bank.scale),
        mutation_id: taken.mutation_id,
        payment: facts,
    };
    store::put(session, ledger.id, bank.id, &notice.payment_id, &stored, State::Settled, ledger::now());
    Ok(Applied::done(taken, bank, Direction::Credit, amount))
}

fn lock_bills(session: &Session, ledger: &Ledger, placed: &Placed, payment: &Payment) -> Vec<Bill> {
    let intents =
        credit::lock_intents(session, ledger, placed.bank.id, Some(payment.number), payment.notice.when);
    intents.iter().map(bill).collect()
}

fn bill(intent: &Payable) -> Bill {
    Bill {
        intent_id: intent.id,
        bank_account_id: intent.bank_account_id,
        state: intent.state,
        total: intent.total,
        created_at: intent.created_at,
        expires_at: intent.expires_at,
        accepts_until: intent.accepts_until,
    }
}
