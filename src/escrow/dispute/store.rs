//! SQL of disputes. Rows are written under the row lock of their escrow.

use crate::spi::{Row, Session, Statement, jsonb::Document};
use pgrx::pg_sys::{INT4OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.disputes (ledger_id, dispute_id, escrow_id, opened_at, opened_by, reason, evidence)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    &[INT4OID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID],
);

static FIND: Statement = Statement::new(
    "SELECT dispute_id, escrow_id, opened_at, opened_by, reason, evidence, resolved_at, refunded_amount,
            released_amount, resolved_by, resolution, transaction_id
     FROM wallet_data.disputes WHERE ledger_id = $1 AND dispute_id = $2",
    &[INT4OID, UUIDOID],
);

static RESOLVE: Statement = Statement::new(
    "UPDATE wallet_data.disputes
     SET resolved_at = $3, refunded_amount = $4, released_amount = $5, resolved_by = $6, resolution = $7,
         transaction_id = $8
     WHERE ledger_id = $1 AND dispute_id = $2 AND resolved_at IS NULL",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID, NUMERICOID, NUMERICOID, TEXTOID, TEXTOID, UUIDOID],
);

static INSERT_NOTE: Statement = Statement::new(
    "INSERT INTO wallet_data.dispute_notes (ledger_id, note_id, dispute_id, created_at, author, note, evidence)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    &[INT4OID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID],
);

#[derive(Clone, Debug)]
pub struct Dispute {
    pub id: Uuid,
    pub escrow_id: Uuid,
    pub opened_at: i64,
    pub opened_by: String,
    pub reason: String,
    pub evidence: Option<Document>,
    pub resolution: Option<Resolution>,
}

/// How a dispute was decided.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub at: i64,
    pub refunded: Decimal,
    pub released: Decimal,
    pub by: String,
    pub reason: String,
    pub transaction_id: Option<Uuid>,
}

fn dispute(row: Row) -> Dispute {
    Dispute {
        id: row.need_id(0),
        escrow_id: row.need_id(1),
        opened_at: row.need_time(2),
        opened_by: row.need(3),
        reason: row.need(4),
        evidence: row.document(5),
        resolution: row.time(6).map(|at| Resolution {
            at,
            refunded: row.need_decimal(7),
            released: row.need_decimal(8),
            by: row.need(9),
            reason: row.need(10),
            transaction_id: row.id(11),
        }),
    }
}

pub fn insert(session: &Session, ledger_id: i32, new: &Dispute) {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.escrow_id.into(),
        new.opened_at.into(),
        (&new.opened_by).into(),
        (&new.reason).into(),
        new.evidence.as_ref().into(),
    ];
    session.run(&INSERT, &arguments);
}

pub fn find(session: &Session, ledger_id: i32, id: Uuid) -> Option<Dispute> {
    session.run(&FIND, &[ledger_id.into(), id.into()]).first().map(dispute)
}

/// Writes the decision; false where there is one already.
pub fn resolve(session: &Session, ledger_id: i32, id: Uuid, resolution: &Resolution) -> bool {
    let arguments = [
        ledger_id.into(),
        id.into(),
        resolution.at.into(),
        resolution.refunded.into(),
        resolution.released.into(),
        (&resolution.by).into(),
        (&resolution.reason).into(),
        resolution.transaction_id.into(),
    ];
    session.run(&RESOLVE, &arguments).count() == 1
}

pub fn insert_note(
    session: &Session,
    ledger_id: i32,
    dispute_id: Uuid,
    at: i64,
    author: &str,
    note: &str,
    evidence: Option<&Document>,
) -> Uuid {
    let id = Uuid::now_v7();
    let arguments = [
        ledger_id.into(),
        id.into(),
        dispute_id.into(),
        at.into(),
        author.into(),
        note.into(),
        evidence.into(),
    ];
    session.run(&INSERT_NOTE, &arguments);
    id
}
