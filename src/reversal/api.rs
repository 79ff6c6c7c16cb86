//! SQL face of reversals.

use super::{reverse_transaction as reverse_all, reverse_transfer as reverse_one};
use crate::error::{Result, missing};
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::idempotency::store::Claim;
use crate::idempotency::{self, Claimed};
use crate::ledger::{self, Ledger};
use crate::money;
use crate::posting::api::TransferReceipt;
use crate::posting::stored_receipt;
use crate::report;
use crate::spi::Session;
use crate::spi::face::{NumericIn, needed_id};
use crate::spi::table::Table;
use pgrx::prelude::*;
use serde_json::json;
use uuid::Uuid;

/// Takes back a transfer, whole or in part, with a transfer in the other direction.
///
/// * `transfer_id`: the transfer to reverse; not a reversal.
/// * `amount`: at most what remains of it; NULL is all that remains.
/// * `reason`: why; becomes the description.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
///
/// Returns the reversing transfer, of kind `reversal`. The sum of all reversals never exceeds the
/// original. Errors: transfer_not_found, not_reversible, reversal_exceeds_original, and those of
/// `post_transfer` (the money must still be there).
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn reverse_transfer(
    transfer_id: Option<pgrx::Uuid>,
    amount: default!(Option<NumericIn>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> TransferReceipt {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let transfer_id = needed_id(transfer_id, "transfer_id")?;
        let amount = amount.map(|amount| amount.0);
        ledger::enter_period(&ledger);
        let reversal_id = Uuid::now_v7();
        let fingerprint = Fingerprint::new(Operation::ReverseTransfer)
            .raw("transfer_id", Some(transfer_id.as_bytes()))
            .amount("amount", amount)
            .text("reason", reason);
        if let Some(key) = idempotency_key {
            let claim = Claim { key, fingerprint: &fingerprint, transfer_ids: vec![reversal_id] };
            if let Claimed::Before(stored) =
                idempotency::claim(&session, ledger.id, &claim, ledger::now(), false)?
            {
                let id = stored.transfer_ids.first().copied().ok_or_else(|| missing("transfer_id"))?;
                let receipt = stored_receipt(&session, &ledger, id, false)?;
                return Ok(TransferReceipt::new(&session, &ledger, receipt, true));
            }
        }
        let amount = amount.map(|amount| money::positive(amount, "amount")).transpose()?;
        let receipt = reverse_one(&session, &ledger, transfer_id, amount, reason, reversal_id)?;
        Ok(TransferReceipt::new(&session, &ledger, receipt, false))
    })
}

/// Takes back all that remains of a transaction: every transfer that shares the id, in one new transaction.
///
/// * `transaction_id`: as in every receipt; a single transfer is a transaction of its own.
/// * `reason`, `idempotency_key`, `ledger`: as for `reverse_transfer`.
///
/// Returns one row per reversing transfer, the last original first. Errors: transaction_not_found,
/// not_reversible, reversal_exceeds_original (nothing remains), and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn reverse_transaction(
    transaction_id: Option<pgrx::Uuid>,
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<TransferReceipt> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let transaction_id = needed_id(transaction_id, "transaction_id")?;
        ledger::enter_period(&ledger);
        let fingerprint = Fingerprint::new(Operation::ReverseTransaction)
            .raw("transaction_id", Some(transaction_id.as_bytes()))
            .text("reason", reason);
        let mut fresh = Vec::new();
        let (result, replayed) =
            idempotency::once(&session, ledger.id, idempotency_key, &fingerprint, ledger::now(), || {
                fresh = reverse_all(&session, &ledger, transaction_id, reason)?;
                Ok(json!(
                    fresh
                        .iter()
                        .filter_map(|receipt| receipt.id)
                        .map(|id| id.to_string())
                        .collect::<Vec<_>>()
                ))
            })?;
        let receipts = if replayed { stored(&session, &ledger, &result)? } else { fresh };
        Ok(receipts
            .into_iter()
            .map(|receipt| TransferReceipt::new(&session, &ledger, receipt, replayed))
            .collect::<Vec<_>>())
    });
    Table(rows)
}

fn stored(
    session: &Session,
    ledger: &Ledger,
    result: &serde_json::Value,
) -> Result<Vec<crate::posting::store::Receipt>> {
    let ids = result.as_array().map(Vec::as_slice).unwrap_or_default();
    let id = |value: &serde_json::Value| value.as_str()?.parse::<Uuid>().ok();
    ids.iter().filter_map(id).map(|id| stored_receipt(session, ledger, id, false)).collect()
}
