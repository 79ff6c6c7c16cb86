//! What people do to mutations: match, assign, return, unmatch, mark as a duplicate. Each is written
//! down with who and why, moves the money in the same transaction, and can be undone by unmatching.

use super::rules::{self, Action, State};
use super::store::{self, Mutation};
use super::{events, lock, pay};
use crate::bank::account::{self as accounts, rules::BankAccount};
use crate::bank::actions;
use crate::bank::intent::rules::{self as intent_rules, State as IntentState};
use crate::bank::intent::store::Intent;
use crate::bank::intent::store::paying::Payment;
use crate::bank::intent::{self};
use crate::bank::rules::Direction;
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::posting::request::Request;
use crate::posting::{self, Wanted};
use crate::spi::Session;
use crate::{event, reversal};
use serde_json::json;
use uuid::Uuid;

/// Who pays an intent by hand: anybody who matches, or the finance office that verifies a proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    ByHand,
    Verification,
}

/// Locks a mutation through its bank account and checks that the action may be done to it.
fn find_for(session: &Session, ledger: &Ledger, id: Uuid, action: Action) -> Result<(Mutation, BankAccount)> {
    let find = || {
        store::find(session, ledger.id, id).ok_or_else(|| {
            LedgerError::new(Code::MutationNotFound, format!("there is no mutation {id}"))
                .with("mutation_id", id)
        })
    };
    ledger::enter_period(ledger);
    let bank_account_id = find()?.bank_account_id;
    lock(session, ledger, std::iter::once(bank_account_id));
    let mutation = find()?;
    rules::check(id, mutation.direction, mutation.state, action)?;
    rules::check_taken_back(id, mutation.taken_back, mutation.left, action)?;
    let bank = accounts::find_by_id(session, ledger, bank_account_id)?;
    Ok((mutation, bank))
}

/// Pays an intent with a mutation that waits. All of the money goes to the intent's account; the unique
/// code's rupiah go their own way only where the total is exact.
pub fn match_by_hand(
    session: &Session,
    ledger: &Ledger,
    mutation_id: Uuid,
    intent_id: Uuid,
    matching: Matching,
    reason: Option<&str>,
) -> Result<Mutation> {
    let (mut mutation, bank) = find_for(session, ledger, mutation_id, Action::MatchByHand)?;
    let intent = intent::find(session, ledger, intent_id, true)?;
    let state = intent.state.at(intent.expires_at, ledger::now());
    intent_rules::check(intent_id, state, intent_rules::Action::PayByHand)?;
    if matching == Matching::Verification && state != IntentState::PendingVerification {
        return Err(LedgerError::new(
            Code::IntentNotPending,
            format!("intent {intent_id} is {}: it has no proof that waits for verification", state.name()),
        )
        .with("intent_id", intent_id)
        .with("status", state.name()));
    }
    let transaction_id = post_all(session, ledger, payments(&mutation, &bank, &intent))?;
    let payment =
        Payment { intent_id, tuple_id: None, mutation_id, transaction_id, paid_amount: mutation.left };
    pay(session, ledger, &[payment])?;
    mutation.intent_id = Some(intent_id);
    mutation.applied_transaction_id = Some(transaction_id);
    let action = match matching {
        Matching::ByHand => "match_mutation_by_hand",
        Matching::Verification => "verify_payment",
    };
    let payload = events::paid(intent::Payload::of(&intent), mutation_id, transaction_id, mutation.left);
    event::write(session, ledger, "intent.paid", &intent_id.to_string(), payload);
    settle(session, ledger, mutation, State::Matched, action, reason)
}

fn payments<'a>(mutation: &Mutation, bank: &'a BankAccount, intent: &'a Intent) -> Vec<Request<'a>> {
    let transfer = |credit: &'a str, amount, kind: &'a str| Request {
        debit_account: Some(&bank.suspense_account),
        credit_account: Some(credit),
        amount: Some(Number::Finite(amount)),
        kind: Some(kind),
        reference: intent.reference.as_deref(),
        transaction: Some("payment"),
        ..Request::default()
    };
    let kind = intent.purpose.kind();
    let code = money::subtract(intent.total, intent.amount).filter(|code| !code.is_zero());
    match (&intent.code_account, code) {
        (Some(account), Some(code)) if mutation.left == intent.total && *account != intent.credit_account => {
            vec![
                transfer(&intent.credit_account, intent.amount, kind),
                transfer(account, code, "unique_code"),
            ]
        }
        _ => vec![transfer(&intent.credit_account, mutation.left, kind)],
    }
}

/// Gives a mutation's money to an account, or says what a debit was for.
pub fn assign(
    session: &Session,
    ledger: &Ledger,
    mutation_id: Uuid,
    account: &str,
    kind: Option<&str>,
    reason: Option<&str>,
) -> Result<Mutation> {
    let (mut mutation, bank) = find_for(session, ledger, mutation_id, Action::Assign)?;
    let account = crate::address::checked(account, "account")?;
    // Another bank account's outgoing account is where a transfer between the two meets.
    if account == bank.outgoing_account || accounts::store::is_reserved(session, ledger.id, account) {
        return Err(crate::account::rules::bank_accounts_own("account", account));
    }
    let (debit, credit, kind) = match mutation.direction {
        Direction::Credit => (bank.suspense_account.as_str(), account, kind.unwrap_or("deposit")),
        Direction::Debit => (account, bank.outgoing_account.as_str(), kind.unwrap_or("fee")),
    };
    let transaction_id = post_all(session, ledger, vec![whole(&mutation, debit, credit, kind)])?;
    mutation.assigned_account = Some(account.to_owned());
    mutation.applied_transaction_id = Some(transaction_id);
    settle(session, ledger, mutation, State::Assigned, "assign_mutation", reason)
}

/// Marks money as going back to whoever sent it; the bank's debit will meet it in the outgoing account.
pub fn give_back(
    session: &Session,
    ledger: &Ledger,
    mutation_id: Uuid,
    reason: Option<&str>,
) -> Result<Mutation> {
    let (mut mutation, bank) = find_for(session, ledger, mutation_id, Action::Return)?;
    let request = whole(&mutation, &bank.suspense_account, &bank.outgoing_account, "return");
    let transaction_id = post_all(session, ledger, vec![request])?;
    mutation.applied_transaction_id = Some(transaction_id);
    settle(session, ledger, mutation, State::Returned, "return_mutation", reason)
}

/// Takes a mutation out of the books: it is another one, reported twice.
pub fn mark_duplicate(
    session: &Session,
    ledger: &Ledger,
    mutation_id: Uuid,
    original_id: Uuid,
    reason: Option<&str>,
) -> Result<Mutation> {
    let (mut mutation, _) = find_for(session, ledger, mutation_id, Action::MarkDuplicate)?;
    let original = store::find(session, ledger.id, original_id).filter(|original| {
        original.id != mutation_id
            && original.state != State::Duplicate
            && original.bank_account_id == mutation.bank_account_id
            && original.direction == mutation.direction
            && original.amount == mutation.amount
    });
    if original.is_none() {
        let must = "be another mutation of the same bank account, direction and amount";
        return Err(invalid("original_id", must).with("original_id", original_id));
    }
    let undone = mutation.received_transaction_id.take();
    undo(session, ledger, &mutation, undone, reason)?;
    mutation.original_id = Some(original_id);
    let action = actions::Action {
        action: "mark_mutation_duplicate",
        mutation_id: Some(mutation_id),
        undone_transaction_id: undone,
        reason,
        ..actions::Action::default()
    };
    write(session, ledger, mutation, State::Duplicate, &action)
}

/// Takes back what was done with a mutation's money: it waits in suspense again, and the intent that it
/// paid is open again, or expired. What was taken for a repetition is in the books again.
pub fn unmatch(session: &Session, ledger: &Ledger, mutation_id: Uuid, reason: &str) -> Result<Mutation> {
    let (mut mutation, bank) = find_for(session, ledger, mutation_id, Action::Unmatch)?;
    let intent = match mutation.intent_id.take() {
        Some(id) => Some(intent::reopen::lock(session, ledger, id)?),
        None => None,
    };
    let undone = mutation.transaction_id();
    // A duplicate has no posting.
    if mutation.state != State::Duplicate {
        if mutation.applied_transaction_id.is_none() {
            lock_both(session, ledger, undone, &mutation, &bank)?;
        }
        undo(session, ledger, &mutation, undone, Some(reason))?;
    }
    if mutation.applied_transaction_id.take().is_none() {
        let (debit, credit, kind) = bank.waiting(mutation.direction);
        let request = whole(&mutation, debit, credit, kind);
        mutation.received_transaction_id = Some(post_all(session, ledger, vec![request])?);
    }
    mutation.assigned_account = None;
    if let Some(intent) = &intent {
        intent_rules::check(intent.id, intent.state, intent_rules::Action::Unmatch)?;
        intent::reopen::reopen(session, ledger, intent, reason);
        let mut payload = intent::payload(intent);
        payload["mutation_id"] = json!(mutation_id.to_string());
        payload["reason"] = json!(reason);
        event::write(session, ledger, "intent.payment_undone", &intent.id.to_string(), payload);
    }
    let state = if mutation.direction == Direction::Debit { State::Ignored } else { State::Review };
    if state == State::Review && !mutation.reasons.iter().any(|reason| reason == "unmatched") {
        mutation.reasons.push("unmatched".to_owned());
    }
    let action = actions::Action {
        action: "unmatch_mutation",
        mutation_id: Some(mutation_id),
        intent_id: intent.map(|intent| intent.id),
        transaction_id: mutation.transaction_id(),
        undone_transaction_id: undone,
        reason: Some(reason),
    };
    write(session, ledger, mutation, state, &action)
}

/// Locks the accounts of a posting that is to be undone and of what follows it, where the money waits: locked one after
/// the other they would not be in the one order.
fn lock_both(
    session: &Session,
    ledger: &Ledger,
    undone: Option<Uuid>,
    mutation: &Mutation,
    bank: &BankAccount,
) -> Result<()> {
    let transfers = undone.map_or_else(Vec::new, |id| reversal::store::transaction(session, ledger.id, id));
    let mut wanted = Wanted::default();
    for found in &transfers {
        wanted.transfer(&found.credit_account, &found.debit_account, found.original.amount);
    }
    let (debit, credit, _) = bank.waiting(mutation.direction);
    wanted.transfer(debit, credit, mutation.left);
    posting::lock(session, ledger, &wanted).map(drop)
}

/// All of a mutation's money that is still here.
fn whole<'a>(mutation: &Mutation, debit: &'a str, credit: &'a str, kind: &'a str) -> Request<'a> {
    Request {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(mutation.left)),
        kind: Some(kind),
        ..Request::default()
    }
}

/// Takes a posting of a mutation back. Where all of it is reversed already, somebody did that with
/// reverse_transaction(), and nothing is left to do; or, where `left` is less than `amount`, a gateway took it, and the
/// refusal stands.
fn undo(
    session: &Session,
    ledger: &Ledger,
    mutation: &Mutation,
    transaction: Option<Uuid>,
    reason: Option<&str>,
) -> Result<()> {
    let transaction = transaction
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a mutation has no posting to take back"))?;
    match reversal::reverse_transaction(session, ledger, transaction, reason) {
        Err(error) if error.code == Code::ReversalExceedsOriginal && mutation.left == mutation.amount => {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Writes the new state, and who brought it about.
fn settle(
    session: &Session,
    ledger: &Ledger,
    mutation: Mutation,
    state: State,
    action: &str,
    reason: Option<&str>,
) -> Result<Mutation> {
    let done = actions::Action {
        action,
        mutation_id: Some(mutation.id),
        intent_id: mutation.intent_id,
        transaction_id: mutation.applied_transaction_id,
        undone_transaction_id: None,
        reason,
    };
    write(session, ledger, mutation, state, &done)
}

fn write(
    session: &Session,
    ledger: &Ledger,
    mut mutation: Mutation,
    state: State,
    action: &actions::Action,
) -> Result<Mutation> {
    let before = mutation.state;
    mutation.state = state;
    if !store::change(session, ledger.id, &mutation, before) {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "a mutation changed although its bank account was locked",
        )
        .with("mutation_id", mutation.id));
    }
    actions::record(session, ledger, action);
    let payload = json!({
        "mutation_id": mutation.id.to_string(),
        "bank_account": mutation.bank_account,
        "amount": mutation.amount.to_string(),
        "status": state.name(),
        "action": action.action,
        "actor": ledger::settings::actor(),
        "reason": action.reason,
    });
    event::write(session, ledger, "mutation.decided", &mutation.id.to_string(), payload);
    store::find(session, ledger.id, mutation.id)
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a mutation is missing"))
}
