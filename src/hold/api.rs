//! SQL face of holds.

use super::rules::State;
use super::store::Stored;
use super::{Request, Reserved, capture, expire, hold, release};
use crate::error::{Code, LedgerError, Result, missing};
use crate::form;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::idempotency::store::Claim;
use crate::idempotency::{self, Claimed};
use crate::ledger::{self, Ledger};
use crate::posting::api::TransferReceipt;
use crate::posting::stored_receipt;
use crate::spi::face::{Composite, JsonIn, NumericIn, Timestamp, composite_result, needed_id};
use crate::spi::{Argument, Session};
use crate::{money, report};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::ffi::CStr;

/// A hold in words.
pub struct HoldRow {
    ledger: String,
    kind: String,
    reserved: Reserved,
    replayed: bool,
}

composite_result!(HoldRow, "wallet_ledger.hold_row");

impl Composite for HoldRow {
    const NAME: &'static CStr = c"hold_row";

    fn into_values(self) -> Vec<Argument> {
        let stored = &self.reserved.stored;
        vec![
            stored.hold.id.into(),
            (&self.ledger).into(),
            (&stored.account).into(),
            stored.hold.destination.as_deref().into(),
            stored.hold.amount.into(),
            stored.captured_amount.into(),
            (&stored.currency).into(),
            (&self.kind).into(),
            stored.hold.state.name().into(),
            stored.reference.as_deref().into(),
            stored.transfer_id.into(),
            self.reserved.held.into(),
            self.reserved.available.into(),
            stored.hold.expires_at.into(),
            stored.created_at.into(),
            stored.resolved_at.into(),
            self.replayed.into(),
        ]
    }
}

/// Reserves available balance for a later capture.
///
/// * `account`: whose available balance shrinks.
/// * `amount`: above zero, with no more decimals than the currency has.
/// * `destination`: where a capture moves the money; NULL leaves it to the capture, and what spending limits say of
///   merchants as well.
/// * `expires_at`: from then on the hold counts as released; NULL never expires.
/// * `kind`: the kind of the transfer that a capture posts.
/// * `idempotency_key`, `reference`, `description`, `metadata`, `ledger`: as for `post_transfer`.
///
/// Returns the hold, with the account's held and available balance after it. Errors as for
/// `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn hold_funds(
    account: Option<&str>,
    amount: Option<NumericIn>,
    destination: default!(Option<&str>, "NULL"),
    expires_at: default!(Option<Timestamp>, "NULL"),
    kind: default!(Option<&str>, "'capture'"),
    idempotency_key: default!(Option<&str>, "NULL"),
    reference: default!(Option<&str>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> HoldRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let kind = kind.unwrap_or("capture");
        let document = metadata.as_ref().map(|metadata| &metadata.0);
        let fingerprint = Fingerprint::new(Operation::HoldFunds)
            .text("account", account)
            .amount("amount", amount.map(|amount| amount.0))
            .text("destination", destination)
            .integer("expires_at", expires_at.map(|at| at.0))
            .text("kind", Some(kind))
            .text("reference", reference)
            .text("description", description)
            .raw("metadata", document.map(|document| document.as_bytes()));
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let amount = amount.ok_or_else(|| missing("amount"))?.0;
            let request = Request {
                account: account.ok_or_else(|| missing("account"))?,
                amount: money::positive(amount, "amount")?,
                destination,
                expires_at: expires_at.map(|at| at.0),
                kind,
                reference,
                description,
                metadata: document,
            };
            hold(&session, &ledger, &request)
        })
    })
}

/// Moves held money to its destination.
///
/// * `hold_id`: from `hold_funds`.
/// * `amount`: at most the hold's; NULL is all of it. What is not captured is released.
/// * `destination`: needed where the hold named none; otherwise NULL or the same.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
///
/// Returns the transfer. Errors: hold_not_found, hold_expired, already_resolved, capture_exceeds_hold,
/// destination_required, and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn capture_hold(
    hold_id: Option<pgrx::Uuid>,
    amount: default!(Option<NumericIn>, "NULL"),
    destination: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> TransferReceipt {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let hold_id = needed_id(hold_id, "hold_id")?;
        let amount = amount.map(|amount| amount.0);
        // Before the key: who waits for the period to be closed must not keep others waiting for a key.
        ledger::enter_period(&ledger);
        let fingerprint = Fingerprint::new(Operation::CaptureHold)
            .raw("hold_id", Some(hold_id.as_bytes()))
            .amount("amount", amount)
            .text("destination", destination);
        let work = || -> Result<TransferReceipt> {
            let amount = amount.map(|amount| money::positive(amount, "amount")).transpose()?;
            let (receipt, _) = capture(&session, &ledger, hold_id, amount, destination)?;
            Ok(TransferReceipt::new(&session, &ledger, receipt, false))
        };
        let Some(key) = idempotency_key else { return work() };
        let claim = Claim { key, fingerprint: &fingerprint, transfer_ids: Vec::new() };
        match idempotency::claim(&session, ledger.id, &claim, ledger::now(), false)? {
            Claimed::New => {
                let receipt = work()?;
                let stored = json!({ "transfer_id": receipt.id().map(|id| id.to_string()) });
                idempotency::store::set_result(&session, ledger.id, key, &stored);
                Ok(receipt)
            }
            Claimed::Before(stored) => {
                let result = stored.result.unwrap_or_default();
                let id = result["transfer_id"]
                    .as_str()
                    .and_then(|id| id.parse().ok())
                    .ok_or_else(|| no_result(key))?;
                let receipt = stored_receipt(&session, &ledger, id, false)?;
                Ok(TransferReceipt::new(&session, &ledger, receipt, true))
            }
        }
    })
}

/// Gives held money back to the available balance.
///
/// * `hold_id`: from `hold_funds`.
/// * `reason`: for the event.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
///
/// Returns the hold. Errors: hold_not_found, already_resolved.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn release_hold(
    hold_id: Option<pgrx::Uuid>,
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> HoldRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let hold_id = needed_id(hold_id, "hold_id")?;
        let fingerprint = Fingerprint::new(Operation::ReleaseHold)
            .raw("hold_id", Some(hold_id.as_bytes()))
            .text("reason", reason);
        once(&session, &ledger, idempotency_key, &fingerprint, || release(&session, &ledger, hold_id, reason))
    })
}

/// Writes down holds whose time is over. They count as released without it; this keeps the table tidy
/// and the events timely. Safe to run from anywhere, as often as wanted.
///
/// * `max_count`: most holds whose accounts are gone through, 1 to 10,000.
///
/// Returns how many holds were marked expired.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn expire_holds(max_count: default!(Option<i32>, 1000), ledger: default!(Option<&str>, "NULL")) -> i64 {
    report::run(|| {
        let session = Session::connect();
        let max_count = form::max_count(max_count, 10_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        expire(&session, &ledger, max_count)
    })
}

fn no_result(key: &str) -> LedgerError {
    LedgerError::new(Code::BooksInconsistent, format!("idempotency key {key} has no stored result"))
}

/// Runs `work` once per key; a replay shows the hold as the first call did.
fn once(
    session: &Session,
    ledger: &Ledger,
    key: Option<&str>,
    fingerprint: &Fingerprint,
    work: impl FnOnce() -> Result<Reserved>,
) -> Result<HoldRow> {
    let mut fresh = None;
    let (result, replayed) = idempotency::once(session, ledger.id, key, fingerprint, ledger::now(), || {
        let reserved = work()?;
        let result = to_result(&reserved);
        fresh = Some(reserved);
        Ok(result)
    })?;
    let reserved = match fresh {
        Some(reserved) => reserved,
        None => from_result(session, ledger, &result)?,
    };
    let kind = ledger::kind_name(session, ledger, reserved.stored.kind_id);
    Ok(HoldRow { ledger: ledger.name.clone(), kind, reserved, replayed })
}

/// What changes in a hold's life is stored with the key; what does not is read from the hold.
fn to_result(reserved: &Reserved) -> Value {
    json!({
        "hold_id": reserved.stored.hold.id.to_string(),
        "state": reserved.stored.hold.state as i16,
        "held": reserved.held.to_string(),
        "available": reserved.available.to_string(),
    })
}

fn from_result(session: &Session, ledger: &Ledger, result: &Value) -> Result<Reserved> {
    let decimal = |name: &str| result[name].as_str().and_then(|text| text.parse::<Decimal>().ok());
    let found = result["hold_id"].as_str().and_then(|id| id.parse().ok());
    let stored = found.and_then(|id| super::store::find(session, ledger.id, id, false));
    let (Some(mut stored), Some(held), Some(available)) = (stored, decimal("held"), decimal("available"))
    else {
        return Err(LedgerError::new(Code::BooksInconsistent, "the stored result of a hold is unreadable"));
    };
    as_it_was(&mut stored, State::from_id(result["state"].as_i64().unwrap_or_default() as i16));
    Ok(Reserved { stored, held, available })
}

/// Undoes what happened to the hold after the call that is replayed.
fn as_it_was(stored: &mut Stored, state: State) {
    if state == State::Open {
        stored.captured_amount = money::zero(stored.scale);
        stored.transfer_id = None;
        stored.resolved_at = None;
    }
    stored.hold.state = state;
}
