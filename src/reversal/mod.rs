//! Reversals: the only way to correct what was posted.
//!
//! Reversals of one transfer wait for each other at its row in `reversal_totals`, whose CHECK keeps
//! their sum within the original. Lock order: key, accounts, totals (by transfer id).
//!
//! Statements: 6 for one transfer or for many (find, lock accounts, open and lock the totals, write
//! them, append and write back), 1–2 more with keys.

pub mod api;
pub mod rules;
pub mod store;

use crate::account::rules::Side;
use crate::error::{Code, LedgerError, Result};
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::idempotency::{self, store::Claim};
use crate::ledger::{self, Ledger, rules::REVERSAL};
use crate::posting::batch::rebalancing;
use crate::posting::limiting::{self, TakenBack};
use crate::posting::rules::Book;
use crate::posting::store::{Draft, Receipt};
use crate::posting::{self, Access, Wanted};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use rust_decimal::Decimal;
use std::collections::HashMap;
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
    let receipts = post(session, ledger, &mut book, &[(found, amount, id)], None, reason, |error, _| error)?;
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
    post(session, ledger, &mut book, &parts, transaction, reason, |error, _| error)
}

/// Reverses stated parts of several transfers, in that order, as one transaction. What a later part takes may be
/// what an earlier one has brought.
pub fn reverse_parts(
    session: &Session,
    ledger: &Ledger,
    wanted: &[(Uuid, Decimal)],
    reason: Option<&str>,
) -> Result<Vec<Receipt>> {
    ledger::enter_period(ledger);
    let mut originals = store::transfers(session, ledger.id, wanted.iter().map(|(id, _)| *id));
    let mut all: Vec<(Found, Decimal)> = Vec::with_capacity(wanted.len());
    for (id, amount) in wanted {
        let found = originals.remove(id).ok_or_else(|| {
            LedgerError::new(Code::TransferNotFound, format!("there is no transfer {id}"))
                .with("transfer_id", id)
        })?;
        rules::check_kind(&found.original)?;
        all.push((found, *amount));
    }
    let mut accounts = Wanted::default();
    for (found, amount) in &all {
        accounts.transfer(&found.credit_account, &found.debit_account, *amount);
    }
    let mut book = posting::open_book(session, ledger, &accounts, Access::Lock)?;
    let mut totals: Vec<&mut rules::Original> =
        all.iter_mut().map(|(found, _)| &mut found.original).collect();
    store::lock_totals(session, ledger.id, &mut totals);
    let mut parts = Vec::with_capacity(all.len());
    for (found, amount) in all {
        let amount = rules::amount(&found.original, Some(amount))?;
        parts.push((found, amount, Uuid::now_v7()));
    }
    let transaction = (parts.len() > 1).then(Uuid::now_v7);
    post(session, ledger, &mut book, &parts, transaction, reason, |error, _| error)
}

/// A transfer of which all that remains is to be reversed, under a key of its own.
pub struct Keyed<'a> {
    pub transfer_id: Uuid,
    pub key: &'a str,
}

/// Reverses what remains of many transfers, each once: a key that was used before, or a transfer of
/// which nothing remains, is passed over. An error names the position among `wanted`.
pub fn reverse_remaining(
    session: &Session,
    ledger: &Ledger,
    wanted: &[Keyed],
    reason: Option<&str>,
) -> Result<()> {
    ledger::enter_period(ledger);
    let mut originals = store::transfers(session, ledger.id, wanted.iter().map(|keyed| keyed.transfer_id));
    originals.retain(|_, found| found.original.reversed < found.original.amount);
    let due: Vec<usize> =
        (0..wanted.len()).filter(|index| originals.contains_key(&wanted[*index].transfer_id)).collect();
    let free = claim_all(session, ledger, wanted, &due, reason);
    let mut all: Vec<(usize, Uuid, Found)> = due
        .into_iter()
        .filter_map(|index| {
            let id = free.get(wanted[index].key)?;
            Some((index, *id, originals.remove(&wanted[index].transfer_id)?))
        })
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    let mut accounts = Wanted::default();
    for (index, _, found) in &all {
        rules::check_kind(&found.original).map_err(|error| error.at_item(*index))?;
        accounts.transfer(&found.credit_account, &found.debit_account, found.original.amount);
    }
    let mut book = posting::open_book(session, ledger, &accounts, Access::Lock)?;
    let mut totals: Vec<&mut rules::Original> =
        all.iter_mut().map(|(_, _, found)| &mut found.original).collect();
    store::lock_totals(session, ledger.id, &mut totals);
    let positions: Vec<usize> = all.iter().map(|(index, ..)| *index).collect();
    let mut parts = Vec::with_capacity(all.len());
    for (_, id, found) in all {
        // Reversed by somebody else since it was read: the claim of its key must not stay behind.
        let amount = rules::amount(&found.original, None).map_err(|error| {
            LedgerError::new(Code::TryAgain, error.message).with("cause", "reversed_meanwhile")
        })?;
        parts.push((found, amount, id));
    }
    let locate = |error: LedgerError, part: usize| error.at_item(positions[part]);
    post(session, ledger, &mut book, &parts, None, reason, locate)?;
    Ok(())
}

/// Claims the keys of the transfers that are due; returns the free ones with the reversal's identity.
fn claim_all<'a>(
    session: &Session,
    ledger: &Ledger,
    wanted: &[Keyed<'a>],
    due: &[usize],
    reason: Option<&str>,
) -> HashMap<&'a str, Uuid> {
    let mut keys: Vec<(&'a str, Fingerprint, Uuid)> = due
        .iter()
        .map(|index| {
            let Keyed { transfer_id, key } = &wanted[*index];
            let fingerprint = Fingerprint::new(Operation::ReverseTransfer)
                .raw("transfer_id", Some(transfer_id.as_bytes()))
                .amount("amount", None)
                .text("reason", reason);
            (*key, fingerprint, Uuid::now_v7())
        })
        .collect();
    keys.sort_unstable_by_key(|(key, ..)| *key);
    keys.dedup_by_key(|(key, ..)| *key);
    if keys.is_empty() {
        return HashMap::new();
    }
    let claims: Vec<Claim> = keys
        .iter()
        .map(|(key, fingerprint, id)| Claim { key, fingerprint, transfer_ids: vec![*id] })
        .collect();
    let free = idempotency::store::claim_many(session, ledger.id, &claims, ledger::now());
    keys.iter().filter(|(key, ..)| free.contains(*key)).map(|(key, _, id)| (*key, *id)).collect()
}

/// What was spent of a limited account's allowance comes back with the money. `debit` and `credit` are the rows of
/// the reversing movement: the payer is on the side on which its balance grows.
fn give_allowance_back(
    book: &mut Book,
    found: &Found,
    debit: usize,
    credit: usize,
    amount: Decimal,
) -> Result<()> {
    for (payer, receiver, side) in [(credit, debit, Side::Credit), (debit, credit, Side::Debit)] {
        if book.row(payer).decreases(side) {
            continue;
        }
        let taken = TakenBack {
            payer,
            receiver,
            amount,
            kind_id: found.original.kind_id,
            spent_at: found.effective_at,
            metadata: found.metadata.as_ref().map(Document::as_bytes),
        };
        limiting::take_back(book, &taken)?;
    }
    Ok(())
}

/// Posts the opposite of each part and counts it against its original. `locate` adds to an error which
/// part it is about.
fn post(
    session: &Session,
    ledger: &Ledger,
    book: &mut Book,
    parts: &[(Found, Decimal, Uuid)],
    transaction_id: Option<Uuid>,
    reason: Option<&str>,
    locate: impl Fn(LedgerError, usize) -> LedgerError,
) -> Result<Vec<Receipt>> {
    posting::request::check_labels(None, reason, None)?;
    book.begin();
    let mut drafts: Vec<Draft> = Vec::with_capacity(parts.len());
    for (index, (found, amount, id)) in parts.iter().enumerate() {
        let movements = book
            .post(&found.credit_account, &found.debit_account, *amount, None)
            .map_err(|error| locate(error, index))?;
        if let Some(movement) = movements.last() {
            give_allowance_back(book, found, movement.debit, movement.credit, *amount)?;
        }
        for movement in movements {
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
    store::add_to_totals(
        session,
        ledger.id,
        parts.iter().map(|(found, amount, _)| (found.original.id, *amount)),
    );
    let receipts = drafts
        .iter()
        .filter(|draft| !draft.movement.is_rebalance)
        .map(|draft| posting::receipt(book, draft, now, false))
        .collect();
    Ok(receipts)
}
