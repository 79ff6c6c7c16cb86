//! Reversals: the only way to correct what was posted.
//!
//! Reversals of one transfer wait for each other at its row in `reversal_totals`, whose CHECK keeps
//! their sum within the original. Lock order: key, accounts, totals (by transfer id).
//!
//! Statements: 6 for one transfer (find, lock accounts, open and lock the total, write it, append and
//! write back), 1–2 more with a key.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger, rules::REVERSAL};
use crate::posting::batch::rebalancing;
use crate::posting::rules::Book;
use crate::posting::store::{Draft, Receipt};
use crate::posting::{self, Access, Wanted};
use crate::spi::Session;
use rust_decimal::Decimal;
use store::Found;
use uuid::Uuid;

/// Reverses one transfer, in full or in part. `id` is the identity of the reversing transfer.
pub fn reverse_transfer(
    session: &Session,
    ledger: &Ledger,
    transfer_id: Uuid,
    amount: Option<Decimal>,
    reason: Option<&str>,
    id: Uuid,
) -> Result<Receipt> {
    let Some(mut found) = store::transfer(session, ledger.id, transfer_id) else {
        return Err(LedgerError::new(Code::TransferNotFound, format!("there is no transfer {transfer_id}"))
            .with("transfer_id", transfer_id));
    };
    rules::check_kind(&found.original)?;
    let mut wanted = Wanted::default();
    let most = amount.unwrap_or(found.original.amount).min(found.original.amount);
    wanted.transfer(&found.credit_account, &found.debit_account, most);
    let mut book = posting::open_book(session, ledger, &wanted, Access::Lock)?;
    store::lock_totals(session, ledger.id, &mut [&mut found.original]);
    let amount = rules::amount(&found.original, amount)?;
    let receipts = post(session, ledger, &mut book, &[(found, amount, id)], None, reason)?;
    receipts
        .into_iter()
        .next()
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a reversal posted nothing"))
}

/// Reverses what remains of every transfer of a transaction, as one new transaction.
pub fn reverse_transaction(
    session: &Session,
    ledger: &Ledger,
    transaction_id: Uuid,
    reason: Option<&str>,
) -> Result<Vec<Receipt>> {
    let mut all = store::transaction(session, ledger.id, transaction_id);
    if all.is_empty() {
        return Err(LedgerError::new(
            Code::TransactionNotFound,
            format!("there is no transaction {transaction_id}"),
        )
        .with("transaction_id", transaction_id));
    }
    // Rebalancings between stripes ride along with a transaction and are not part of what it did.
    all.retain(|found| found.original.kind_id != ledger::rules::REBALANCE);
    for found in &all {
        rules::check_kind(&found.original)?;
    }
    let mut wanted = Wanted::default();
    for found in &all {
        wanted.transfer(&found.credit_account, &found.debit_account, found.original.amount);
    }
    let mut book = posting::open_book(session, ledger, &wanted, Access::Lock)?;
    let mut originals: Vec<&mut rules::Original> = all.iter_mut().map(|found| &mut found.original).collect();
    store::lock_totals(session, ledger.id, &mut originals);
    let parts: Vec<(Found, Decimal, Uuid)> = all
        .iter()
        .filter_map(|found| {
            let amount = rules::amount(&found.original, None).ok()?;
            Some((found.clone(), amount, Uuid::now_v7()))
        })
        .collect();
    if parts.is_empty() {
        return Err(LedgerError::new(
            Code::ReversalExceedsOriginal,
            format!("transaction {transaction_id} is reversed already"),
        )
        .with("transaction_id", transaction_id)
        .with("remaining", "0"));
    }
    let transaction = (parts.len() > 1).then(Uuid::now_v7);
    post(session, ledger, &mut book, &parts, transaction, reason)
}

/// Posts the opposite of each part and counts it against its original.
fn post(
    session: &Session,
    ledger: &Ledger,
    book: &mut Book,
    parts: &[(Found, Decimal, Uuid)],
    transaction_id: Option<Uuid>,
    reason: Option<&str>,
) -> Result<Vec<Receipt>> {
    posting::request::check_labels(None, reason, None)?;
    book.begin();
    let mut drafts: Vec<Draft> = Vec::with_capacity(parts.len());
    for (found, amount, id) in parts {
        for movement in book.post(&found.credit_account, &found.debit_account, *amount, None)? {
            let draft = Draft {
                id: *id,
                transaction_id,
                reverses_id: Some(found.original.id),
                kind_id: REVERSAL,
                reference: found.reference.as_deref(),
                description: reason,
                metadata: None,
                effective_at: None,
                movement,
            };
            drafts.push(if draft.movement.is_rebalance { rebalancing(draft) } else { draft });
        }
    }
    let now = posting::write(session, ledger, book, &drafts)?;
    for (found, amount, _) in parts {
        store::add_to_total(session, ledger.id, found.original.id, *amount);
    }
    let receipts = drafts
        .iter()
        .filter(|draft| !draft.movement.is_rebalance)
        .map(|draft| posting::receipt(book, draft, now, false))
        .collect();
    Ok(receipts)
}
