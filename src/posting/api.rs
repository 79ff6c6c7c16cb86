//! SQL face of posting.

use super::batch::{self, Call, Limits, OnError, Once, Outcome};
use super::request::{DEFAULT_KIND, Request};
use super::store::Receipt;
use super::{Access, stored_receipt};
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::idempotency::{self, store::Claim};
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, JsonIn, JsonItems, NumericIn, Timestamp, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use serde_json::{Value, json};
use std::ffi::CStr;

/// Most items of one call. Bounds memory and the time that locks are held.
pub const ITEMS_MAX: usize = 10_000;

/// A receipt in words.
pub struct TransferReceipt {
    receipt: Receipt,
    ledger: String,
    kind: String,
    replayed: bool,
}

composite_result!(TransferReceipt, "wallet_ledger.transfer_receipt");

impl TransferReceipt {
    pub fn id(&self) -> Option<uuid::Uuid> {
        self.receipt.id
    }

    pub fn new(session: &Session, ledger: &Ledger, receipt: Receipt, replayed: bool) -> Self {
        let kind = ledger::kind_name(session, ledger, receipt.kind_id);
        Self { receipt, ledger: ledger.name.clone(), kind, replayed }
    }
}

impl Composite for TransferReceipt {
    const NAME: &'static CStr = c"transfer_receipt";

    fn into_values(self) -> Vec<Argument> {
        let receipt = &self.receipt;
        vec![
            receipt.id.into(),
            receipt.transaction_id.into(),
            (&self.ledger).into(),
            (&receipt.debit_account).into(),
            (&receipt.credit_account).into(),
            receipt.amount.into(),
            (&receipt.currency).into(),
            (&self.kind).into(),
            receipt.reference.as_deref().into(),
            receipt.debit_balance.into(),
            receipt.credit_balance.into(),
            receipt.debit_version.into(),
            receipt.credit_version.into(),
            receipt.effective_at.into(),
            receipt.created_at.into(),
            self.replayed.into(),
        ]
    }
}

/// An item's outcome in words.
pub struct TransferOutcome {
    position: i32,
    result: std::result::Result<TransferReceipt, (LedgerError, bool)>,
}

composite_result!(TransferOutcome, "wallet_ledger.transfer_outcome");

impl Composite for TransferOutcome {
    const NAME: &'static CStr = c"transfer_outcome";

    fn into_values(self) -> Vec<Argument> {
        match self.result {
            Ok(receipt) => {
                let outcome = if receipt.replayed { "replayed" } else { "posted" };
                let mut values = vec![self.position.into(), outcome.into()];
                values.extend([Argument::datum(None); 3]);
                values.extend(receipt.into_values());
                values
            }
            Err((error, replayed)) => {
                let mut values = vec![
                    self.position.into(),
                    "rejected".into(),
                    error.token().into(),
                    (&error.message).into(),
                    Argument::json_value(&error.detail()),
                ];
                values.extend([Argument::datum(None); 15]);
                values.push(replayed.into());
                values
            }
        }
    }
}

/// Moves money from the debit account to the credit account, in the caller's transaction.
///
/// * `debit_account`, `credit_account`: addresses, in one ledger and one currency.
/// * `amount`: above zero, with no more decimals than the currency has.
/// * `kind`: what it is for, one of the view `kinds`.
/// * `idempotency_key`: the caller's name for this intention, 1 to 255 bytes. The same request again
///   returns the first result with `replayed` set; another request is `idempotency_conflict`.
/// * `reference`, `description`, `metadata`: the caller's own words (255 and 2,000 bytes, 64 KiB).
/// * `effective_at`: when it counts for reports by effective time; now by default; not inside a closed period.
/// * `expected_version`: refuse unless the debit account is at this version.
/// * `ledger`: see the README; the session's ledger by default.
///
/// Returns the transfer with the balances and versions it left behind. Errors, in order of checking:
/// idempotency_conflict, missing_argument, invalid_amount, amount_out_of_range, invalid_address,
/// same_account, invalid_argument, kind_not_found, reserved_kind, period_closed, account_not_found,
/// currency_mismatch, account_closed, account_frozen, version_conflict, insufficient_funds,
/// balance_limit_exceeded, spending_limit_exceeded; try_again where PostgreSQL aborts.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn post_transfer(
    debit_account: Option<&str>,
    credit_account: Option<&str>,
    amount: Option<NumericIn>,
    kind: default!(Option<&str>, "'transfer'"),
    idempotency_key: default!(Option<&str>, "NULL"),
    reference: default!(Option<&str>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    effective_at: default!(Option<Timestamp>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> TransferReceipt {
    report::run(|| {
        let request = Request {
            debit_account,
            credit_account,
            amount: amount.map(|amount| amount.0),
            kind: kind.or(Some(DEFAULT_KIND)),
            idempotency_key,
            reference,
            description,
            metadata: metadata.map(|metadata| metadata.0.into_bytes()),
            effective_at: effective_at.map(|at| at.0),
            expected_version,
            ..Request::default()
        };
        post_one(request, ledger, Access::Lock)
    })
}

/// Exactly what `post_transfer` with the same arguments would return or raise, with nothing written
/// and nothing locked. `id` and `transaction_id` are NULL, unless the key was used before.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn preview_transfer(
    debit_account: Option<&str>,
    credit_account: Option<&str>,
    amount: Option<NumericIn>,
    kind: default!(Option<&str>, "'transfer'"),
    idempotency_key: default!(Option<&str>, "NULL"),
    reference: default!(Option<&str>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    effective_at: default!(Option<Timestamp>, "NULL"),
    expected_version: default!(Option<i64>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> TransferReceipt {
    report::run(|| {
        let request = Request {
            debit_account,
            credit_account,
            amount: amount.map(|amount| amount.0),
            kind: kind.or(Some(DEFAULT_KIND)),
            idempotency_key,
            reference,
            description,
            metadata: metadata.map(|metadata| metadata.0.into_bytes()),
            effective_at: effective_at.map(|at| at.0),
            expected_version,
            ..Request::default()
        };
        post_one(request, ledger, Access::Look)
    })
}

fn post_one(request: Request, ledger: Option<&str>, access: Access) -> Result<TransferReceipt> {
    let session = Session::connect();
    let ledger = ledger::resolve(&session, ledger)?;
    let call = Call {
        requests: vec![request],
        operation: Operation::PostTransfer,
        on_error: OnError::Raise,
        access,
        limits: Limits::Enforce,
    };
    match batch::post(&session, &ledger, call)?.pop() {
        Some(Outcome::Posted(receipt)) => Ok(TransferReceipt::new(&session, &ledger, receipt, false)),
        Some(Outcome::Replayed(receipt)) => Ok(TransferReceipt::new(&session, &ledger, receipt, true)),
        Some(Outcome::Rejected { error, .. }) => Err(error),
        None => Err(LedgerError::new(Code::BooksInconsistent, "the engine returned no outcome")),
    }
}

/// Posts up to 10,000 transfers in one call; `post_transfer` is the case of one.
///
/// * `transfers`: a JSON array of objects with the arguments of `post_transfer` as keys (amounts as
///   numbers or strings, times as ISO 8601 with an offset) and optionally `transaction`: adjacent items
///   with the same label share a transaction_id and happen together or not at all.
/// * `idempotency_key`: names the whole call; items may have keys of their own besides.
/// * `on_error`: `raise`: all or nothing, the error has the item's position. `report`: every item gets
///   its own outcome, and the key of a rejected item is remembered as rejected.
///
/// Returns one row per item, in their order. Errors as for `post_transfer`, and invalid_json,
/// unknown_field, too_many_items, linked_item_failed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn post_transfers(
    transfers: Option<JsonItems>,
    idempotency_key: default!(Option<&str>, "NULL"),
    on_error: default!(Option<&str>, "'raise'"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<TransferOutcome> {
    let rows = report::run(|| {
        let session = Session::connect();
        let transfers = transfers.ok_or_else(|| missing("transfers"))?;
        let on_error = match on_error {
            Some("raise") => OnError::Raise,
            Some("report") => OnError::Report,
            _ => return Err(invalid("on_error", "be raise or report")),
        };
        let count = transfers.0.count("transfers")?;
        if count > ITEMS_MAX {
            return Err(LedgerError::new(
                Code::TooManyItems,
                format!("{count} items are more than {ITEMS_MAX}"),
            )
            .with_count("count", count as i64)
            .with_count("max_count", ITEMS_MAX as i64));
        }
        let requests = requests(&transfers, count)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let outcomes = match idempotency_key {
            Some(key) => post_keyed(&session, &ledger, key, requests, on_error)?,
            None => batch::post(&session, &ledger, call(requests, on_error))?,
        };
        Ok(to_rows(&session, &ledger, outcomes))
    });
    Table(rows)
}

/// The items as requests. A malformed item fails the whole call: nobody can say what it meant.
fn requests<'a>(transfers: &'a JsonItems, count: usize) -> Result<Vec<Request<'a>>> {
    let mut requests: Vec<Request> = Vec::with_capacity(count);
    requests.resize_with(count, Request::default);
    transfers.0.walk(
        "transfers",
        |index, key, field| requests[index].set(key, field).map_err(|error| error.at_item(index)),
        |_| Ok(()),
    )?;
    Ok(requests)
}

fn call(requests: Vec<Request>, on_error: OnError) -> Call {
    let (operation, access, limits) = (Operation::PostTransfers, Access::Lock, Limits::Enforce);
    Call { requests, operation, on_error, access, limits }
}

/// The whole call under one key. Its outcomes are stored as a list: the id of a posted transfer, or
/// the error of a rejected one.
fn post_keyed(
    session: &Session,
    ledger: &Ledger,
    key: &str,
    requests: Vec<Request>,
    on_error: OnError,
) -> Result<Vec<Outcome>> {
    let mut fields = Vec::new();
    for request in &requests {
        fields.extend_from_slice(request.fingerprint(Operation::PostTransfer).bytes());
        fields.extend_from_slice(request.idempotency_key.unwrap_or_default().as_bytes());
        fields.push(0);
    }
    let mode = if on_error == OnError::Raise { "raise" } else { "report" };
    let fingerprint = Fingerprint::new(Operation::PostTransfers)
        .raw("transfers", Some(&fields))
        .text("on_error", Some(mode));
    let claim = Claim { key, fingerprint: &fingerprint, transfer_ids: Vec::new() };
    let before = match batch::post_once(session, ledger, call(requests, on_error), &claim)? {
        Once::Before(stored) => stored.result.unwrap_or_default(),
        Once::Now(outcomes) => {
            let stored: Vec<Value> = outcomes
                .iter()
                .map(|outcome| match outcome {
                    Outcome::Posted(receipt) | Outcome::Replayed(receipt) => {
                        json!(receipt.id.map(|id| id.to_string()))
                    }
                    Outcome::Rejected { error, .. } => error.to_stored(),
                })
                .collect();
            idempotency::store::set_result(session, ledger.id, key, &Value::Array(stored));
            return Ok(outcomes);
        }
    };
    replay_call(session, ledger, &before)
}

fn replay_call(session: &Session, ledger: &Ledger, stored: &Value) -> Result<Vec<Outcome>> {
    let entries = stored.as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<uuid::Uuid> = entries.iter().filter_map(|entry| entry.as_str()?.parse().ok()).collect();
    let receipts = super::store::receipts(session, ledger.id, &ids, false);
    let outcome = |entry: &Value| match entry.as_str().and_then(|id| id.parse().ok()) {
        Some(id) => match receipts.get(&id) {
            Some(receipt) => Ok(Outcome::Replayed(receipt.clone())),
            None => stored_receipt(session, ledger, id, false).map(Outcome::Replayed),
        },
        None => Ok(Outcome::Rejected { error: LedgerError::from_stored(entry), replayed: true }),
    };
    entries.iter().map(outcome).collect()
}

fn to_rows(session: &Session, ledger: &Ledger, outcomes: Vec<Outcome>) -> Vec<TransferOutcome> {
    let result = |outcome| match outcome {
        Outcome::Posted(receipt) => Ok(TransferReceipt::new(session, ledger, receipt, false)),
        Outcome::Replayed(receipt) => Ok(TransferReceipt::new(session, ledger, receipt, true)),
        Outcome::Rejected { error, replayed } => Err((error, replayed)),
    };
    outcomes
        .into_iter()
        .enumerate()
        .map(|(index, outcome)| TransferOutcome { position: index as i32 + 1, result: result(outcome) })
        .collect()
}
