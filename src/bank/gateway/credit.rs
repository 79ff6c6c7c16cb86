//! The credit of a payment: one mutation, matched by the payment's number.

use crate::bank::account::rules::BankAccount;
use crate::bank::intent::store::paying::{self as intents, Payable, Wanted};
use crate::bank::mutation::hand::{Matching, match_by_hand};
use crate::bank::mutation::rules::{self as matching, CLOCK_SKEW_MICROS, Candidate, Decision, State};
use crate::bank::mutation::store as mutations;
use crate::bank::mutation::store::arrivals::Arrival;
use crate::bank::mutation::{Outcome, Taken, candidate, take};
use crate::bank::rules::when::When;
use crate::bank::rules::{Direction, Notice};
use crate::bank::webhook::rules::Provider;
use crate::error::{Code, Result};
use crate::ledger::Ledger;
use crate::spi::Session;
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

/// What is reported, in the bank account's terms.
pub struct Payment<'a> {
    pub provider: Provider,
    pub bank: &'a BankAccount,
    pub notice: &'a Notice,
    pub number: &'a str,
}

impl<'a> Payment<'a> {
    fn arrival(&self, amount: Decimal) -> Arrival<'a> {
        Arrival {
            line: 0,
            bank_account_id: self.bank.id,
            source_id: self.provider as i16,
            provider_mutation_id: &self.notice.payment_id,
            direction: Direction::Credit,
            amount,
            balance: None,
            when: self.notice.when,
            description: &self.notice.description,
            number: Some(self.number),
        }
    }
}

/// Takes the payment in. What comes back as rejected is not stored.
pub fn post(session: &Session, ledger: &Ledger, payment: &Payment, amount: Decimal) -> Result<Taken> {
    let arrival = payment.arrival(amount);
    let banks = HashMap::from([(payment.bank.id, payment.bank.clone())]);
    let taken = take(session, ledger, &banks, std::slice::from_ref(&arrival))?
        .pop()
        .unwrap_or_else(|| Taken::rejected("lost"));
    match taken.mutation_id {
        Some(id) if taken.reasons.iter().any(|reason| reason == "other_source") => {
            Ok(match_sighted(session, ledger, &arrival, id)?.unwrap_or(taken))
        }
        _ => Ok(taken),
    }
}

/// A statement has reported the money before, and did not know whose it is; the payment's number says so.
fn match_sighted(
    session: &Session,
    ledger: &Ledger,
    arrival: &Arrival,
    mutation_id: Uuid,
) -> Result<Option<Taken>> {
    let waits = mutations::find(session, ledger.id, mutation_id)
        .is_some_and(|mutation| matches!(mutation.state, State::Suspense | State::Review));
    if !waits {
        return Ok(None);
    }
    let found = lock_intents(session, ledger, arrival.bank_account_id, arrival.number, arrival.when);
    let candidates: Vec<Candidate> = found.iter().map(|intent| candidate(arrival, intent)).collect();
    let Decision::Match(place) = matching::decide(Direction::Credit, &candidates, |_| false, false) else {
        return Ok(None);
    };
    let reason = Some("the payment's notification names the intent");
    match match_by_hand(session, ledger, mutation_id, found[place].id, Matching::ByHand, reason) {
        Ok(matched) => Ok(Some(Taken {
            outcome: Outcome::Matched,
            mutation_id: Some(mutation_id),
            intent_id: matched.intent_id,
            transaction_id: matched.transaction_id(),
            reasons: vec!["other_source".to_owned()],
        })),
        Err(error) if matches!(error.code, Code::TryAgain | Code::BooksInconsistent) => Err(error),
        // The account refuses it, for now: a person has the mutation in the work list.
        Err(_) => Ok(None),
    }
}

/// Locks the intents with a number at a bank account.
pub fn lock_intents(
    session: &Session,
    ledger: &Ledger,
    bank_account_id: i32,
    number: Option<&str>,
    when: When,
) -> Vec<Payable> {
    let wanted = Wanted {
        line: 0,
        bank_account_id,
        total: Decimal::ZERO,
        number,
        occurred_from: when.from,
        occurred_until: when.until,
    };
    let found = intents::lock(session, ledger.id, &[wanted], CLOCK_SKEW_MICROS);
    found.into_iter().map(|(_, intent)| intent).collect()
}
