//! Intents: payments that are expected, and how each will be known when it comes.
//!
//! A transfer is known by its total: the amount and a code of 1 to 999 rupiah that no other live intent
//! has for that total on that bank account, nor one that has closed within the cool-down. The primary
//! key of `intent_codes` decides; codes are tried in an order that nobody can predict. Sessions that want
//! codes at the same time only meet where they try the same one.
//!
//! What a live intent holds beside its total (its number, its order, its turn to expire) is a row of
//! `live_intents`, which comes with the intent and goes when it closes, under the lock of the intent's row. So
//! what a payment changes of an intent is in no index, and PostgreSQL writes the new row beside the old.
//!
//! Statements: create_intent 6 for a transfer (bank account, credit account, settings, taken codes, code,
//! intent), one more for every code that another session took meanwhile; cancel 4.

pub mod api;
pub mod reopen;
pub mod rules;
pub mod store;

use crate::account;
use crate::account::rules::{State as AccountState, Type};
use crate::bank::account::rules::BankAccount;
use crate::bank::{self, actions};
use crate::error::{Code, LedgerError, Result};
use crate::form::label;
use crate::json::Shown;
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::request::check_labels;
use crate::setting;
use crate::setting::rules::Setting;
use crate::setting::rules::timeline::Settings;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{event, time};
use rand::Rng;
use rules::{Action, Method, Purpose, State};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use store::paying::Payable;
use store::{Intent, NewIntent};
use uuid::Uuid;

/// Arguments of `create_intent` once they are known not to be NULL.
pub struct Request<'a> {
    pub purpose: Purpose,
    pub method: Method,
    pub credit_account: &'a str,
    pub amount: Number,
    pub bank_account: &'a str,
    pub reference: Option<&'a str>,
    pub expires_in_micros: i64,
    pub number: Option<&'a str>,
    pub payer_name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// Creates an intent and returns it.
pub fn create(session: &Session, ledger: &Ledger, request: &Request) -> Result<Intent> {
    let amount = money::positive(request.amount, "amount")?;
    check_labels(request.reference, request.description, request.metadata.map(Document::as_bytes))?;
    let payer_name = label(request.payer_name, "payer_name", 255)?;
    let number = rules::number(request.method, request.number)?;
    let at = bank::account::find(session, ledger, request.bank_account)?;
    let amount = money::to_scale(amount, at.scale, &at.currency, "amount")?;
    check_credit_account(session, ledger, request.credit_account, &at)?;
    let now = ledger::now();
    let expires_at = rules::expires_at(now, request.expires_in_micros)?;
    let settings = setting::read(session, ledger, now)?;
    if request.purpose == Purpose::Topup {
        let bound = |setting| settings.amount(setting);
        rules::check_topup(amount, bound(Setting::TopupMinimum), bound(Setting::TopupMaximum))?;
    }
    let order = request.reference.filter(|_| request.purpose == Purpose::Order);
    clear_the_way(session, ledger, at.id, number.as_deref(), order, now)?;
    let id = Uuid::now_v7();
    let accepts_until = expires_at.saturating_add(settings.micros(Setting::IntentGrace));
    let cooldown_micros = settings.micros(Setting::UniqueCodeCooldown);
    let (unique_code, total, code_account) = match request.method {
        Method::Transfer => {
            let free_at = accepts_until.max(expires_at.saturating_add(cooldown_micros));
            let (code, total) = take_code(session, ledger, &at, amount, id, free_at, now)?;
            (Some(code), total, code_account(session, ledger, &settings, &at)?)
        }
        _ => (None, amount, None),
    };
    let new = NewIntent {
        id,
        method: request.method,
        purpose: request.purpose,
        unique_code,
        bank_account_id: at.id,
        credit_account: request.credit_account,
        code_account: code_account.as_deref(),
        created_at: now,
        expires_at,
        accepts_until,
        cooldown_micros,
        amount,
        total,
        number: number.as_deref(),
        reference: request.reference,
        payer_name,
        description: request.description,
        metadata: request.metadata,
    };
    if !store::insert(session, ledger.id, &new) {
        check_not_a_banks(session, ledger, &new)?;
        return Err(not_inserted(session, ledger, at.id, number.as_deref(), order));
    }
    find(session, ledger, id, false)
}

/// Money can only go to an account that is there, open, and in the bank account's currency.
fn check_credit_account(session: &Session, ledger: &Ledger, account: &str, at: &BankAccount) -> Result<()> {
    crate::address::checked(account, "credit_account")?;
    let stored = account::find(session, ledger, account, true)?;
    if stored.currency != at.currency {
        return Err(LedgerError::new(
            Code::CurrencyMismatch,
            format!("{account} is in {}, {} in {}", stored.currency, at.account, at.currency),
        )
        .with("debit_currency", &at.currency)
        .with("credit_currency", &stored.currency));
    }
    if account == at.account {
        return Err(LedgerError::new(Code::SameAccount, "the credit account is the bank account itself")
            .with("account", account));
    }
    if account == at.suspense_account || account == at.outgoing_account {
        return Err(account::rules::bank_accounts_own("credit_account", account));
    }
    if stored.state == AccountState::Closed {
        return Err(LedgerError::new(Code::AccountClosed, format!("account {account} is closed"))
            .with("account", account));
    }
    Ok(())
}

/// Why an intent was not inserted, if it would have been paid out to what mutations alone move: an account of any
/// bank account. The INSERT itself looks, so that a call that succeeds needs no statement for it.
fn check_not_a_banks(session: &Session, ledger: &Ledger, new: &NewIntent) -> Result<()> {
    let is_a_banks = |account: &&str| account::store::is_a_banks(session, ledger.id, account);
    if let Some(account) = Some(new.credit_account).filter(is_a_banks) {
        return Err(account::rules::bank_accounts_own("credit_account", account));
    }
    match new.code_account.filter(is_a_banks) {
        Some(account) => {
            let setting = Setting::UniqueCodeAccount.name();
            Err(account::rules::bank_accounts_own(setting, account).with("setting", setting))
        }
        None => Ok(()),
    }
}

/// Writes down what is over and holds the number or the order, and refuses if something live does.
fn clear_the_way(
    session: &Session,
    ledger: &Ledger,
    bank_account_id: i32,
    number: Option<&str>,
    order: Option<&str>,
    now: i64,
) -> Result<()> {
    if number.is_none() && order.is_none() {
        return Ok(());
    }
    let expired = store::expiry::expire_in_the_way(session, ledger.id, now, bank_account_id, number, order);
    write_expired(session, ledger, &expired);
    match store::expiry::in_the_way(session, ledger.id, bank_account_id, number, order) {
        None => Ok(()),
        Some((id, expires_at, is_number)) => {
            let (what, value) = if is_number { ("number", number) } else { ("reference", order) };
            Err(rules::in_the_way(what, value.unwrap_or_default(), id, expires_at))
        }
    }
}

/// Another session was faster, or the credit account went away.
fn not_inserted(
    session: &Session,
    ledger: &Ledger,
    bank_account_id: i32,
    number: Option<&str>,
    order: Option<&str>,
) -> LedgerError {
    let now = ledger::now();
    match clear_the_way(session, ledger, bank_account_id, number, order, now) {
        Err(error) => error,
        Ok(()) => LedgerError::new(Code::TryAgain, "another session was changing the same intent")
            .with("cause", "concurrent_change"),
    }
}

/// Takes a free code for the amount, a random one.
fn take_code(
    session: &Session,
    ledger: &Ledger,
    at: &BankAccount,
    amount: Decimal,
    id: Uuid,
    free_at: i64,
    now: i64,
) -> Result<(i16, Decimal)> {
    let largest = money::add(amount, rules::code_value(rules::CODE_MAX, at.scale, &at.currency))
        .ok_or_else(|| money::out_of_range("amount"))?;
    let mut random = rand::rng();
    let mut attempt = || {
        let taken = store::codes::taken(session, ledger.id, at.id, amount, largest, now);
        let draw = |below| random.random_range(0..below);
        rules::free_totals(amount, at.scale, &at.currency, &taken, draw)
            .into_iter()
            .find(|(_, total)| store::codes::take(session, ledger.id, at.id, *total, id, free_at, now))
    };
    if let Some(found) = attempt() {
        return Ok(found);
    }
    store::codes::reclaim(session, ledger.id, at.id, amount, largest, now);
    attempt().ok_or_else(|| rules::exhausted(&at.account, amount))
}

/// Where the code's rupiah go; `None` is to the payer, with the rest.
fn code_account(
    session: &Session,
    ledger: &Ledger,
    settings: &Settings,
    at: &BankAccount,
) -> Result<Option<String>> {
    if settings.text(Setting::UniqueCodeBeneficiary) == "payer" {
        return Ok(None);
    }
    let account = settings.text(Setting::UniqueCodeAccount);
    account::of_platform(session, ledger, account, Type::Revenue, &at.currency).map(Some)
}

/// The intent, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, id: Uuid, lock: bool) -> Result<Intent> {
    store::find(session, ledger.id, id, lock).ok_or_else(|| {
        LedgerError::new(Code::IntentNotFound, format!("there is no intent {id}")).with("intent_id", id)
    })
}

/// Locks an intent and checks that the action may be done to it now.
fn find_for(session: &Session, ledger: &Ledger, id: Uuid, action: Action) -> Result<(Intent, i64)> {
    let intent = find(session, ledger, id, true)?;
    let now = ledger::now();
    rules::check(id, intent.state.at(intent.expires_at, now), action)?;
    Ok((intent, now))
}

/// Closes a live intent that is not wanted any more.
pub fn cancel(session: &Session, ledger: &Ledger, id: Uuid, reason: Option<&str>) -> Result<Intent> {
    let (intent, now) = find_for(session, ledger, id, Action::Cancel)?;
    change(session, ledger, &intent, State::Cancelled, Some(now), None, reason);
    free_later(session, ledger, &intent, now);
    record(session, ledger, "cancel_intent", "intent.cancelled", id, reason)
}

/// Keeps a live intent open until a person has looked at the proof.
pub fn submit_proof(session: &Session, ledger: &Ledger, id: Uuid, proof_reference: &str) -> Result<Intent> {
    let (intent, _) = find_for(session, ledger, id, Action::SubmitProof)?;
    change(session, ledger, &intent, State::PendingVerification, None, Some(proof_reference), None);
    free_later(session, ledger, &intent, time::INFINITY);
    record(session, ledger, "submit_payment_proof", "intent.proof_submitted", id, None)
}

/// Rejects a proof; another may be sent until the intent expires.
pub fn reject_proof(session: &Session, ledger: &Ledger, id: Uuid, reason: &str) -> Result<Intent> {
    let (intent, now) = find_for(session, ledger, id, Action::RejectProof)?;
    change(session, ledger, &intent, State::Rejected, None, None, Some(reason));
    free_later(session, ledger, &intent, intent.accepts_until.max(now));
    record(session, ledger, "reject_payment", "intent.proof_rejected", id, Some(reason))
}

fn change(
    session: &Session,
    ledger: &Ledger,
    intent: &Intent,
    state: State,
    closed_at: Option<i64>,
    proof_reference: Option<&str>,
    reason: Option<&str>,
) {
    store::set_state(session, ledger.id, intent.id, state, closed_at, proof_reference, reason);
}

/// The total may be given to another intent a cool-down after this moment.
fn free_later(session: &Session, ledger: &Ledger, intent: &Intent, from: i64) {
    if intent.unique_code.is_some() {
        store::codes::free(session, ledger.id, intent, from.saturating_add(intent.cooldown_micros));
    }
}

/// Writes down who did what to an intent, and tells those whom it concerns.
fn record(
    session: &Session,
    ledger: &Ledger,
    action: &str,
    topic: &str,
    id: Uuid,
    reason: Option<&str>,
) -> Result<Intent> {
    let done = actions::Action { action, intent_id: Some(id), reason, ..actions::Action::default() };
    actions::record(session, ledger, &done);
    let intent = find(session, ledger, id, false)?;
    let mut payload = payload(&intent);
    payload["reason"] = json!(reason);
    payload["actor"] = json!(ledger::settings::actor());
    event::write(session, ledger, topic, &id.to_string(), payload);
    Ok(intent)
}

/// What every event about an intent says.
#[derive(Serialize)]
pub struct Payload<'a> {
    intent_id: Shown<Uuid>,
    purpose: &'static str,
    reference: Option<&'a str>,
    bank_account: &'a str,
    credit_account: &'a str,
    amount: Shown<Decimal>,
    total: Shown<Decimal>,
}

impl<'a> Payload<'a> {
    pub fn of(intent: &'a Intent) -> Self {
        Self {
            intent_id: Shown(intent.id),
            purpose: intent.purpose.name(),
            reference: intent.reference.as_deref(),
            bank_account: &intent.bank_account,
            credit_account: &intent.credit_account,
            amount: Shown(intent.amount),
            total: Shown(intent.total),
        }
    }

    pub fn of_payable(intent: &'a Payable, bank_account: &'a str) -> Self {
        Self {
            intent_id: Shown(intent.id),
            purpose: intent.purpose.name(),
            reference: intent.reference.as_deref(),
            bank_account,
            credit_account: &intent.credit_account,
            amount: Shown(intent.amount),
            total: Shown(intent.total),
        }
    }
}

/// The same, for adding to.
pub fn payload(intent: &Intent) -> Value {
    json!(Payload::of(intent))
}

/// Writes down intents whose time is over: for the record, since they count as expired anyway.
pub fn expire(session: &Session, ledger: &Ledger, max_count: i64) -> i64 {
    let expired = store::expiry::expire(session, ledger.id, ledger::now(), max_count);
    write_expired(session, ledger, &expired);
    expired.len() as i64
}

fn write_expired(session: &Session, ledger: &Ledger, expired: &[store::expiry::Expired]) {
    let events: Vec<(&str, String, Value)> = expired
        .iter()
        .map(|expired| {
            let payload = json!({
                "intent_id": expired.id.to_string(),
                "reference": expired.reference,
                "total": expired.total.to_string(),
            });
            ("intent.expired", expired.id.to_string(), payload)
        })
        .collect();
    event::write_many(session, ledger, events);
}
