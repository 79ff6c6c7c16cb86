//! SQL of reversals: the originals, and how much of each has been reversed.

use super::rules::Original;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, NUMERICOID, UUIDARRAYOID, UUIDOID};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

const ORIGINAL: &str =
    "SELECT t.transfer_id, t.kind_id, t.amount, d.scale, d.currency, d.address, c.address, t.reference,
            t.effective_at, t.metadata
     FROM wallet_data.transfers t
     JOIN wallet_data.accounts d ON d.ledger_id = t.ledger_id AND d.account_id = t.debit_account_id
     JOIN wallet_data.accounts c ON c.ledger_id = t.ledger_id AND c.account_id = t.credit_account_id
     WHERE t.ledger_id = $1 AND ";

static ONE: Statement = Statement::new(concatcp!(ORIGINAL, "t.transfer_id = $2"), &[INT4OID, UUIDOID]);

// A transfer without a transaction_id is a transaction of its own.
static TRANSACTION: Statement = Statement::new(
    concatcp!(
        ORIGINAL,
        "(t.transaction_id = $2 OR (t.transfer_id = $2 AND t.transaction_id IS NULL)) ORDER BY t.transfer_id DESC"
    ),
    &[INT4OID, UUIDOID],
);

// What was reversed is only looked at: whoever means to reverse locks it afterwards.
static MANY: Statement = Statement::new(
    "SELECT t.transfer_id, t.kind_id, t.amount, d.scale, d.currency, d.address, c.address, t.reference,
            t.effective_at, t.metadata, coalesce(r.reversed_amount, 0)
     FROM wallet_data.transfers t
     JOIN wallet_data.accounts d ON d.ledger_id = t.ledger_id AND d.account_id = t.debit_account_id
     JOIN wallet_data.accounts c ON c.ledger_id = t.ledger_id AND c.account_id = t.credit_account_id
     LEFT JOIN wallet_data.reversal_totals r ON r.ledger_id = t.ledger_id AND r.transfer_id = t.transfer_id
     WHERE t.ledger_id = $1 AND t.transfer_id = ANY ($2)",
    &[INT4OID, UUIDARRAYOID],
);

static OPEN_TOTALS: Statement = Statement::new(
    "INSERT INTO wallet_data.reversal_totals (ledger_id, transfer_id, original_amount, reversed_amount)
     SELECT $1, t.transfer_id, t.amount, 0 FROM wallet_data.transfers t
     WHERE t.ledger_id = $1 AND t.transfer_id = ANY ($2) ORDER BY t.transfer_id
     ON CONFLICT (ledger_id, transfer_id) DO NOTHING",
    &[INT4OID, UUIDARRAYOID],
);

static LOCK_TOTALS: Statement = Statement::new(
    "SELECT transfer_id, reversed_amount FROM wallet_data.reversal_totals
     WHERE ledger_id = $1 AND transfer_id = ANY ($2) ORDER BY transfer_id FOR NO KEY UPDATE",
    &[INT4OID, UUIDARRAYOID],
);

static ADD_TO_TOTAL: Statement = Statement::new(
    "UPDATE wallet_data.reversal_totals SET reversed_amount = reversed_amount + $3
     WHERE ledger_id = $1 AND transfer_id = $2",
    &[INT4OID, UUIDOID, NUMERICOID],
);

const REVERSED_BATCH: &[Column] = &[(c"transfer_id", UUIDOID), (c"amount", NUMERICOID)];

static ADD_TO_TOTALS: Statement = Statement::new(
    "UPDATE wallet_data.reversal_totals r SET reversed_amount = r.reversed_amount + n.amount
     FROM wallet_reversed n WHERE r.ledger_id = $1 AND r.transfer_id = n.transfer_id",
    &[INT4OID],
);

/// A transfer to reverse, with its two sides.
#[derive(Clone, Debug)]
pub struct Found {
    pub original: Original,
    pub debit_account: String,
    pub credit_account: String,
    pub reference: Option<String>,
    pub effective_at: i64,
    pub metadata: Option<Document>,
}

fn found(row: &Row) -> Found {
    let scale = u32::from(row.need::<i16>(3).unsigned_abs());
    let mut amount = row.need_decimal(2);
    amount.rescale(scale);
    Found {
        original: Original {
            id: row.need_id(0),
            kind_id: row.need(1),
            amount,
            reversed: Decimal::new(0, scale),
            scale,
            currency: row.need(4),
        },
        debit_account: row.need(5),
        credit_account: row.need(6),
        reference: row.get(7),
        effective_at: row.need_time(8),
        metadata: row.document(9),
    }
}

pub fn transfer(session: &Session, ledger_id: i32, id: Uuid) -> Option<Found> {
    session.run(&ONE, &[ledger_id.into(), id.into()]).first().map(|row| found(&row))
}

/// The transfers of a transaction, the last one first: money goes back the way it came.
pub fn transaction(session: &Session, ledger_id: i32, id: Uuid) -> Vec<Found> {
    session.run(&TRANSACTION, &[ledger_id.into(), id.into()]).iter().map(|row| found(&row)).collect()
}

/// Transfers with what was reversed of each until now. Locks nothing.
pub fn transfers(session: &Session, ledger_id: i32, ids: impl Iterator<Item = Uuid>) -> HashMap<Uuid, Found> {
    let rows = session.run(&MANY, &[ledger_id.into(), Argument::ids(ids)]);
    rows.iter()
        .map(|row| {
            let mut found = found(&row);
            found.original.reversed = row.need_decimal(10);
            found.original.reversed.rescale(found.original.scale);
            (found.original.id, found)
        })
        .collect()
}

/// Locks the totals of the given transfers, in order of their ids, and fills in what was reversed.
/// Comes after the accounts in the lock order.
pub fn lock_totals(session: &Session, ledger_id: i32, originals: &mut [&mut Original]) {
    let ids: Vec<Uuid> = originals.iter().map(|original| original.id).collect();
    let arguments = [ledger_id.into(), Argument::ids(ids.iter().copied())];
    session.run(&OPEN_TOTALS, &arguments);
    let mut by_id: HashMap<Uuid, &mut Original> =
        originals.iter_mut().map(|original| (original.id, &mut **original)).collect();
    for row in session.run(&LOCK_TOTALS, &arguments).iter() {
        if let Some(original) = by_id.get_mut(&row.need_id(0)) {
            let mut reversed = row.need_decimal(1);
            reversed.rescale(original.scale);
            original.reversed = reversed;
        }
    }
}

/// Adds to what was reversed, with one statement. The table's CHECK refuses more than the original.
pub fn add_to_totals(
    session: &Session,
    ledger_id: i32,
    amounts: impl ExactSizeIterator<Item = (Uuid, Decimal)>,
) {
    let mut amounts = amounts;
    if amounts.len() == 1
        && let Some((id, amount)) = amounts.next()
    {
        session.run(&ADD_TO_TOTAL, &[ledger_id.into(), id.into(), amount.into()]);
        return;
    }
    let mut batch = Batch::new(c"wallet_reversed", REVERSED_BATCH);
    for (id, amount) in amounts {
        batch.push(&[id.into(), amount.into()]);
    }
    let _registered = batch.register();
    session.run(&ADD_TO_TOTALS, &[ledger_id.into()]);
}
