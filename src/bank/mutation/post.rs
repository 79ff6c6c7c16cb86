//! From decisions to postings. An account that refuses (frozen, closed, over its ceiling) loses nothing:
//! the money waits in suspense for a person.

use super::Draft;
use super::rules::Decision;
use crate::bank::account::rules::BankAccount;
use crate::bank::rules::when::When;
use crate::error::Result;
use crate::idempotency::rules::Operation;
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::Access;
use crate::posting::batch::{self, Call, Limits, OnError, Outcome};
use crate::posting::request::Request;
use crate::spi::Session;
use std::collections::HashMap;
use uuid::Uuid;

/// Posts every draft. What is refused goes to suspense under review; where even that is refused, because
/// the bank's own account is closed, say, the draft stays without a transaction.
pub fn all(
    session: &Session,
    ledger: &Ledger,
    banks: &HashMap<i32, BankAccount>,
    drafts: &mut [Draft],
) -> Result<()> {
    let everything: Vec<usize> = (0..drafts.len()).collect();
    let refused = post(session, ledger, banks, drafts, &everything)?;
    for (place, token) in &refused {
        let draft = &mut drafts[*place];
        if draft.decision == Decision::Ignored {
            draft.decision = Decision::Review(vec![token]);
            continue;
        }
        draft.decision = Decision::Review(vec!["posting_refused", token]);
        draft.intent = None;
    }
    let again: Vec<usize> = refused
        .iter()
        .map(|(place, _)| *place)
        .filter(|place| drafts[*place].arrival.direction == crate::bank::rules::Direction::Credit)
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    for (place, token) in post(session, ledger, banks, drafts, &again)? {
        drafts[place].decision = Decision::Review(vec!["posting_refused", token]);
    }
    Ok(())
}

/// Posts these drafts in one call of the engine; returns those that were refused, with the error's token.
fn post(
    session: &Session,
    ledger: &Ledger,
    banks: &HashMap<i32, BankAccount>,
    drafts: &mut [Draft],
    places: &[usize],
) -> Result<Vec<(usize, &'static str)>> {
    let today = When::at(ledger::now()).day;
    let is_dated = places.iter().any(|place| drafts[*place].arrival.when.day < today);
    let closed_until = is_dated.then(|| ledger::store::closed_until(session, ledger.id, false)).flatten();
    let labels: Vec<String> = places.iter().map(|place| place.to_string()).collect();
    let mut requests: Vec<Request> = Vec::with_capacity(places.len() * 2);
    let mut owners: Vec<usize> = Vec::with_capacity(places.len() * 2);
    for (index, place) in places.iter().enumerate() {
        let draft = &drafts[*place];
        let Some(bank) = banks.get(&draft.arrival.bank_account_id) else { continue };
        let when = draft.arrival.when;
        // What the bank dates today counts from now, as any posting: that keeps two indexes of transfers
        // small. What it dates earlier counts from then, unless the books of that time are closed.
        let is_earlier = when.day < today && closed_until.is_none_or(|until| when.from >= until);
        let effective_at = is_earlier.then_some(when.from);
        // Where the money of a matched one waits if its posting is refused.
        let (_, waiting, _) = bank.waiting(draft.arrival.direction);
        let otherwise = draft.intent.as_ref().map(|_| waiting);
        for request in movements(draft, bank, &labels[index]) {
            requests.push(Request { effective_at, otherwise, ..request });
            owners.push(*place);
        }
    }
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call {
        requests,
        operation: Operation::PostTransfers,
        on_error: OnError::Report,
        access: Access::Lock,
        limits: Limits::Enforce,
    };
    let outcomes = batch::post(session, ledger, call)?;
    let mut refused: HashMap<usize, &'static str> = HashMap::new();
    let mut posted: HashMap<usize, Uuid> = HashMap::new();
    for (place, outcome) in owners.iter().zip(&outcomes) {
        match outcome {
            Outcome::Posted(receipt) | Outcome::Replayed(receipt) => {
                posted.extend(receipt.transaction_id.map(|id| (*place, id)));
            }
            // The culprit's own error says more than that of the item linked to it.
            Outcome::Rejected { error, .. } if error.token() == "linked_item_failed" => {
                refused.entry(*place).or_insert(error.token());
            }
            Outcome::Rejected { error, .. } => {
                refused.insert(*place, error.token());
            }
        }
    }
    for (place, id) in posted {
        drafts[place].transaction_id = Some(id);
    }
    let mut refused: Vec<(usize, &'static str)> = refused.into_iter().collect();
    refused.sort_unstable();
    Ok(refused)
}

/// The transfers of one mutation: one, or two where the unique code goes to another account.
fn movements<'a>(draft: &'a Draft, bank: &'a BankAccount, label: &'a str) -> Vec<Request<'a>> {
    let plain = |debit: &'a str, credit: &'a str, kind: &'a str| Request {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(draft.arrival.amount)),
        kind: Some(kind),
        ..Request::default()
    };
    let Some(intent) = &draft.intent else {
        let (debit, credit, kind) = bank.waiting(draft.arrival.direction);
        return vec![plain(debit, credit, kind)];
    };
    let mut whole = plain(&bank.account, &intent.credit_account, intent.purpose.kind());
    whole.reference = intent.reference.as_deref();
    let code = money::subtract(intent.total, intent.amount).filter(|code| !code.is_zero());
    match (&intent.code_account, code) {
        (Some(code_account), Some(code)) if *code_account != intent.credit_account => {
            whole.amount = Some(Number::Finite(intent.amount));
            whole.transaction = Some(label);
            let mut rest = plain(&bank.account, code_account, "unique_code");
            rest.amount = Some(Number::Finite(code));
            rest.transaction = Some(label);
            vec![whole, rest]
        }
        _ => vec![whole],
    }
}
