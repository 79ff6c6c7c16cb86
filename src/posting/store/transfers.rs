//! SQL of transfers: appending them and reading them back.

use crate::posting::rules::{Book, Movement};
use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{
    INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDARRAYOID, UUIDOID,
};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

const TRANSFER_COLUMNS: &str = "ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, \
     debit_version, credit_version, position, effective_at, created_at, amount, debit_balance, credit_balance, \
     transaction_id, reverses_id, reference, description, metadata";

static INSERT_TRANSFER: Statement = Statement::new(
    concatcp!(
        "INSERT INTO wallet_data.transfers (",
        TRANSFER_COLUMNS,
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
    ),
    &[
        INT4OID,
        INT2OID,
        UUIDOID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        UUIDOID,
        UUIDOID,
        TEXTOID,
        TEXTOID,
        JSONBOID,
    ],
);

const TRANSFER_BATCH: &[Column] = &[
    (c"ledger_id", INT4OID),
    (c"kind_id", INT2OID),
    (c"transfer_id", UUIDOID),
    (c"debit_account_id", INT8OID),
    (c"credit_account_id", INT8OID),
    (c"debit_version", INT8OID),
    (c"credit_version", INT8OID),
    (c"position", INT8OID),
    (c"effective_at", TIMESTAMPTZOID),
    (c"created_at", TIMESTAMPTZOID),
    (c"amount", NUMERICOID),
    (c"debit_balance", NUMERICOID),
    (c"credit_balance", NUMERICOID),
    (c"transaction_id", UUIDOID),
    (c"reverses_id", UUIDOID),
    (c"reference", TEXTOID),
    (c"description", TEXTOID),
    (c"metadata", JSONBOID),
];

static INSERT_TRANSFERS: Statement = Statement::new(
    concatcp!(
        "INSERT INTO wallet_data.transfers (",
        TRANSFER_COLUMNS,
        ") SELECT ",
        TRANSFER_COLUMNS,
        " FROM wallet_transfers"
    ),
    &[],
);

static RECEIPTS: Statement = Statement::new(
    "SELECT t.transfer_id, coalesce(t.transaction_id, t.transfer_id), d.address, c.address, t.amount, d.currency,
            t.kind_id, t.reference, t.debit_balance, t.credit_balance, t.debit_version, t.credit_version,
            t.effective_at, t.created_at
     FROM wallet_data.transfers t
     JOIN wallet_data.accounts d ON d.ledger_id = t.ledger_id AND d.account_id = t.debit_account_id
     JOIN wallet_data.accounts c ON c.ledger_id = t.ledger_id AND c.account_id = t.credit_account_id
     WHERE t.ledger_id = $1 AND t.transfer_id = ANY ($2)",
    &[INT4OID, UUIDARRAYOID],
);

/// A transfer that is decided and not yet written.
pub struct Draft<'a> {
    pub id: Uuid,
    /// `None` for a transfer that is a transaction of its own.
    pub transaction_id: Option<Uuid>,
    pub reverses_id: Option<Uuid>,
    pub kind_id: i16,
    pub movement: Movement,
    pub reference: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<&'a [u8]>,
    /// `None`: effective when posted.
    pub effective_at: Option<i64>,
}

/// A posted transfer as it is told to the caller. `id` is `None` in a preview.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    pub debit_account: String,
    pub credit_account: String,
    pub amount: Decimal,
    pub currency: String,
    pub kind_id: i16,
    pub reference: Option<String>,
    pub debit_balance: Decimal,
    pub credit_balance: Decimal,
    pub debit_version: i64,
    pub credit_version: i64,
    pub effective_at: i64,
    pub created_at: i64,
    /// What the payer's spending limits leave, where the transfer was counted just now.
    pub remaining: Option<Decimal>,
}

/// Appends transfers: one INSERT, however many.
pub fn insert_transfers(
    session: &Session,
    ledger_id: i32,
    book: &Book,
    drafts: &[Draft],
    position: i64,
    now: i64,
) {
    if let [draft] = drafts {
        session.run(&INSERT_TRANSFER, &transfer_row(ledger_id, book, draft, position, now));
        return;
    }
    let mut batch = Batch::new(c"wallet_transfers", TRANSFER_BATCH);
    for draft in drafts {
        batch.push(&transfer_row(ledger_id, book, draft, position, now));
    }
    let _registered = batch.register();
    session.run(&INSERT_TRANSFERS, &[]);
}

fn transfer_row(ledger_id: i32, book: &Book, draft: &Draft, position: i64, now: i64) -> [Argument; 18] {
    let movement = &draft.movement;
    let metadata = draft.metadata.map(|bytes| Document::from_bytes(bytes.to_vec()));
    [
        ledger_id.into(),
        draft.kind_id.into(),
        draft.id.into(),
        book.row(movement.debit).id.into(),
        book.row(movement.credit).id.into(),
        movement.debit_version.into(),
        movement.credit_version.into(),
        position.into(),
        draft.effective_at.unwrap_or(now).into(),
        now.into(),
        movement.amount.into(),
        movement.debit_balance.into(),
        movement.credit_balance.into(),
        draft.transaction_id.into(),
        draft.reverses_id.into(),
        draft.reference.into(),
        draft.description.into(),
        metadata.as_ref().into(),
    ]
}

/// Reads transfers back as they were told when they were posted.
pub fn receipts(session: &Session, ledger_id: i32, ids: &[Uuid], look: bool) -> HashMap<Uuid, Receipt> {
    let arguments = [ledger_id.into(), Argument::ids(ids.iter().copied())];
    let rows = session.query(&RECEIPTS, &arguments, look);
    rows.iter()
        .map(|row| {
            let id = row.need_id(0);
            let receipt = Receipt {
                id: Some(id),
                transaction_id: row.id(1),
                debit_account: row.need(2),
                credit_account: row.need(3),
                amount: row.need_decimal(4),
                currency: row.need(5),
                kind_id: row.need(6),
                reference: row.get(7),
                debit_balance: row.need_decimal(8),
                credit_balance: row.need_decimal(9),
                debit_version: row.need(10),
                credit_version: row.need(11),
                effective_at: row.need_time(12),
                created_at: row.need_time(13),
                remaining: None,
            };
            (id, receipt)
        })
        .collect()
}
