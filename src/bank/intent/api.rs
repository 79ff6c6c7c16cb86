//! SQL face of intents.

use super::rules::{Method, Purpose, State};
use super::store::Intent;
use super::{Request, cancel, create, expire, find, reject_proof, submit_proof};
use crate::error::{Code, LedgerError, Result, missing};
use crate::form::{self, label};
use crate::idempotency;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, JsonIn, NumericIn, composite_result, micros, needed_id};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use serde_json::json;
use std::ffi::CStr;

/// An intent in words.
pub struct IntentRow {
    ledger: String,
    intent: Intent,
    status: &'static str,
    replayed: bool,
}

composite_result!(IntentRow, "wallet_ledger.intent_row");

impl IntentRow {
    pub fn new(ledger: &Ledger, intent: Intent, replayed: bool) -> Self {
        let status = intent.state.at(intent.expires_at, ledger::now()).name();
        Self { ledger: ledger.name.clone(), intent, status, replayed }
    }
}

impl Composite for IntentRow {
    const NAME: &'static CStr = c"intent_row";

    fn into_values(self) -> Vec<Argument> {
        let intent = &self.intent;
        vec![
            intent.id.into(),
            (&self.ledger).into(),
            intent.purpose.name().into(),
            intent.method.name().into(),
            self.status.into(),
            (&intent.credit_account).into(),
            (&intent.bank_account).into(),
            intent.bank.as_deref().into(),
            intent.account_number.as_deref().into(),
            intent.holder_name.as_deref().into(),
            intent.amount.into(),
            intent.unique_code.map(i32::from).into(),
            intent.total.into(),
            (&intent.currency).into(),
            intent.number.as_deref().into(),
            intent.reference.as_deref().into(),
            intent.payer_name.as_deref().into(),
            intent.proof_reference.as_deref().into(),
            intent.reason.as_deref().into(),
            intent.paid_amount.into(),
            intent.mutation_id.into(),
            intent.transaction_id.into(),
            intent.expires_at.into(),
            intent.created_at.into(),
            intent.closed_at.into(),
            self.replayed.into(),
        ]
    }
}

/// Expects a payment, and says by what it will be known.
///
/// * `purpose`: topup, order, subscription or other. Top-ups have bounds (settings topup_minimum and
///   topup_maximum); an order has at most one live intent.
/// * `credit_account`: whom the money is for, a wallet, say; in the bank account's currency.
/// * `amount`: what is to arrive there.
/// * `bank_account`: where the payer pays to, as registered with `register_bank_account`; for a gateway,
///   the account that stands for it.
/// * `reference`: the application's own name for it, an order number, say.
/// * `expires_in`: how long it stays open. A transfer that the bank dates up to the setting intent_grace
///   later still pays it.
/// * `method`: transfer (known by its total: the amount and a unique code of 1 to 999), virtual_account or
///   gateway (known by `number`, the virtual account number or the gateway's order id).
/// * `payer_name`: helps a person to find the payment.
/// * `idempotency_key`, `description`, `metadata`, `ledger`: as for `post_transfer`.
///
/// Returns the intent; `total` is what the payer must transfer, to the rupiah. Errors: missing_argument,
/// invalid_argument, invalid_amount, amount_out_of_range, bank_account_not_found, account_not_found,
/// account_closed, currency_mismatch, amount_not_allowed, codes_exhausted, already_exists (a live intent
/// for that number or order), idempotency_conflict.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn create_intent(
    purpose: Option<&str>,
    credit_account: Option<&str>,
    amount: Option<NumericIn>,
    bank_account: Option<&str>,
    reference: default!(Option<&str>, "NULL"),
    expires_in: default!(Option<Interval>, "'24 hours'"),
    idempotency_key: default!(Option<&str>, "NULL"),
    method: default!(Option<&str>, "'transfer'"),
    number: default!(Option<&str>, "NULL"),
    payer_name: default!(Option<&str>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> IntentRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let method = method.ok_or_else(|| missing("method"))?;
        let micros = expires_in.map(micros);
        let document = metadata.as_ref().map(|metadata| &metadata.0);
        let fingerprint = Fingerprint::new(Operation::CreateIntent)
            .text("purpose", purpose)
            .text("credit_account", credit_account)
            .amount("amount", amount.map(|amount| amount.0))
            .text("bank_account", bank_account)
            .text("reference", reference)
            .integer("expires_in", micros)
            .text("method", Some(method))
            .text("number", number)
            .text("payer_name", payer_name)
            .text("description", description)
            .raw("metadata", document.map(|document| document.as_bytes()));
        let work = || {
            let request = Request {
                purpose: Purpose::from_name(purpose.ok_or_else(|| missing("purpose"))?)?,
                method: Method::from_name(method)?,
                credit_account: credit_account.ok_or_else(|| missing("credit_account"))?,
                amount: amount.ok_or_else(|| missing("amount"))?.0,
                bank_account: bank_account.ok_or_else(|| missing("bank_account"))?,
                reference,
                expires_in_micros: micros.ok_or_else(|| missing("expires_in"))?,
                number,
                payer_name,
                description,
                metadata: document,
            };
            create(&session, &ledger, &request)
        };
        once(&session, &ledger, idempotency_key, &fingerprint, work)
    })
}

/// Runs `work` once per key; a replay shows the intent as it was created.
fn once(
    session: &Session,
    ledger: &Ledger,
    key: Option<&str>,
    fingerprint: &Fingerprint,
    work: impl FnOnce() -> Result<Intent>,
) -> Result<IntentRow> {
    let mut fresh = None;
    let (result, replayed) = idempotency::once(session, ledger.id, key, fingerprint, ledger::now(), || {
        let intent = work()?;
        let result = json!({ "intent_id": intent.id.to_string() });
        fresh = Some(intent);
        Ok(result)
    })?;
    if let Some(intent) = fresh {
        return Ok(IntentRow::new(ledger, intent, replayed));
    }
    let id = result["intent_id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, "the stored result of an intent is unreadable")
    })?;
    let intent = as_it_was(find(session, ledger, id, false)?);
    let status = intent.state.name();
    Ok(IntentRow { ledger: ledger.name.clone(), intent, status, replayed })
}

/// Undoes what happened to the intent after the call that is replayed.
fn as_it_was(intent: Intent) -> Intent {
    Intent {
        state: State::Open,
        paid_amount: None,
        proof_reference: None,
        reason: None,
        mutation_id: None,
        transaction_id: None,
        closed_at: None,
        ..intent
    }
}

/// Closes a live intent that is not wanted any more. A transfer that comes nevertheless goes to review.
///
/// * `intent_id`: from `create_intent`.
/// * `reason`: kept with who did it.
///
/// Returns the intent. Errors: missing_argument, invalid_argument, intent_not_found, already_resolved
/// (paid or cancelled before), intent_expired.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn cancel_intent(
    intent_id: Option<pgrx::Uuid>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> IntentRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?;
        let intent = cancel(&session, &ledger, needed_id(intent_id, "intent_id")?, reason)?;
        Ok(IntentRow::new(&ledger, intent, false))
    })
}

/// Writes down intents whose time is over. They count as expired without it; this keeps the table tidy
/// and the events timely. Safe to run from anywhere, as often as wanted.
///
/// * `max_count`: most intents of one call, 1 to 10,000.
///
/// Returns how many were written down.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn expire_intents(max_count: default!(Option<i32>, 1000), ledger: default!(Option<&str>, "NULL")) -> i64 {
    report::run(|| {
        let session = Session::connect();
        let max_count = form::max_count(max_count, 10_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        Ok(expire(&session, &ledger, max_count))
    })
}

/// Records that the payer says to have paid, with a reference to the proof. The intent waits for
/// `verify_payment` or `reject_payment` and does not expire meanwhile; a matching mutation still pays it.
///
/// * `intent_id`: a live intent.
/// * `proof_reference`: where the application keeps the file, 1 to 1000 bytes. The file itself stays there.
///
/// Returns the intent. Errors: missing_argument, invalid_argument, intent_not_found, already_resolved,
/// intent_expired.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn submit_payment_proof(
    intent_id: Option<pgrx::Uuid>,
    proof_reference: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> IntentRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let proof = label(proof_reference, "proof_reference", 1000)?;
        let proof = proof.ok_or_else(|| missing("proof_reference"))?;
        let intent = submit_proof(&session, &ledger, needed_id(intent_id, "intent_id")?, proof)?;
        Ok(IntentRow::new(&ledger, intent, false))
    })
}

/// Rejects the proof of a payment. The payer may send another until the intent expires.
///
/// * `intent_id`: an intent in pending_verification.
/// * `reason`: for the payer, and kept with who did it.
///
/// Returns the intent. Errors: missing_argument, invalid_argument, intent_not_found, intent_not_pending,
/// already_resolved, intent_expired.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn reject_payment(
    intent_id: Option<pgrx::Uuid>,
    reason: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> IntentRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?.ok_or_else(|| missing("reason"))?;
        let intent = reject_proof(&session, &ledger, needed_id(intent_id, "intent_id")?, reason)?;
        Ok(IntentRow::new(&ledger, intent, false))
    })
}
