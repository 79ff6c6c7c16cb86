//! SQL of holds. Rows are written under the row lock of their account only.

use super::rules::{Hold, State};
use crate::account::rules::Type;
use crate::spi::{Argument, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.holds (ledger_id, kind_id, hold_id, account_id, expires_at, created_at, amount,
                                    destination, reference, description, metadata)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    &[
        INT4OID,
        INT2OID,
        UUIDOID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        NUMERICOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        JSONBOID,
    ],
);

const READ: &str =
    "SELECT h.account_id, a.address, a.currency, a.scale, h.kind_id, h.state_id, h.amount, h.captured_amount,
            h.destination, h.reference, h.description, h.metadata, h.transfer_id, h.expires_at, h.created_at,
            h.resolved_at, a.stripe_count, a.type_id
     FROM wallet_data.holds h
     JOIN wallet_data.accounts a ON a.ledger_id = h.ledger_id AND a.account_id = h.account_id
     WHERE h.ledger_id = $1 AND h.hold_id = $2";
static FIND: Statement = Statement::new(READ, &[INT4OID, UUIDOID]);
static LOCK: Statement = Statement::new(concatcp!(READ, " FOR UPDATE OF h"), &[INT4OID, UUIDOID]);

// The state is compared in a form that no partial index offers itself for: a plan kept from the days of an
// empty table would read every open hold of the ledger instead of one row of the primary key.
static RESOLVE: Statement = Statement::new(
    "UPDATE wallet_data.holds SET state_id = $3, resolved_at = $4, captured_amount = $5, transfer_id = $6
     WHERE ledger_id = $1 AND hold_id = $2 AND (state_id = 1) IS NOT DISTINCT FROM true",
    &[INT4OID, UUIDOID, INT2OID, TIMESTAMPTZOID, NUMERICOID, UUIDOID],
);

// Accounts, not holds: expiring happens under the account's lock, and takes all of its due holds.
static DUE_ACCOUNTS: Statement = Statement::new(
    "SELECT a.account_id FROM wallet_data.accounts a
     WHERE a.ledger_id = $1 AND a.account_id IN (
         SELECT due.account_id FROM (
             SELECT account_id FROM wallet_data.holds
             WHERE ledger_id = $1 AND state_id = 1 AND expires_at <= $2 AND expires_at < 'infinity'
             ORDER BY expires_at LIMIT $3) due)
     ORDER BY a.address, a.stripe FOR NO KEY UPDATE SKIP LOCKED",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

/// A hold about to be written.
pub struct NewHold<'a> {
    pub id: Uuid,
    pub kind_id: i16,
    pub account_id: i64,
    pub amount: Decimal,
    pub destination: Option<&'a str>,
    pub expires_at: i64,
    pub created_at: i64,
    pub reference: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// A hold as it is stored, with its account.
#[derive(Clone, Debug)]
pub struct Stored {
    pub hold: Hold,
    pub account_id: i64,
    pub account: String,
    pub account_type: Type,
    pub is_striped: bool,
    pub currency: String,
    pub scale: u32,
    pub kind_id: i16,
    pub captured_amount: Decimal,
    pub reference: Option<String>,
    pub description: Option<String>,
    pub metadata: Option<Document>,
    pub transfer_id: Option<Uuid>,
    pub created_at: i64,
    pub resolved_at: Option<i64>,
}

pub fn insert(session: &Session, ledger_id: i32, hold: &NewHold) {
    let arguments = [
        ledger_id.into(),
        hold.kind_id.into(),
        hold.id.into(),
        hold.account_id.into(),
        hold.expires_at.into(),
        hold.created_at.into(),
        hold.amount.into(),
        hold.destination.into(),
        hold.reference.into(),
        hold.description.into(),
        hold.metadata.into(),
    ];
    session.run(&INSERT, &arguments);
}

/// Reads a hold; with `lock` its row is locked, which needs its account to be locked before.
pub fn find(session: &Session, ledger_id: i32, hold_id: Uuid, lock: bool) -> Option<Stored> {
    let statement = if lock { &LOCK } else { &FIND };
    let rows = session.run(statement, &[ledger_id.into(), hold_id.into()]);
    let row = rows.first()?;
    let scale = u32::from(row.need::<i16>(3).unsigned_abs());
    let scaled = |mut value: Decimal| {
        value.rescale(scale);
        value
    };
    Some(Stored {
        hold: Hold {
            id: hold_id,
            state: State::from_id(row.need(5)),
            amount: scaled(row.need_decimal(6)),
            expires_at: row.need_time(13),
            destination: row.get(8),
        },
        account_id: row.need(0),
        account: row.need(1),
        account_type: Type::from_id(row.need(17)),
        is_striped: row.need::<i16>(16) > 1,
        currency: row.need(2),
        scale,
        kind_id: row.need(4),
        captured_amount: scaled(row.need_decimal(7)),
        reference: row.get(9),
        description: row.get(10),
        metadata: row.document(11),
        transfer_id: row.id(12),
        created_at: row.need_time(14),
        resolved_at: row.time(15),
    })
}

/// Resolves an open hold; false where it is not open, which the caller has just ruled out.
pub fn resolve(
    session: &Session,
    ledger_id: i32,
    hold_id: Uuid,
    state: State,
    now: i64,
    captured: Decimal,
    transfer_id: Option<Uuid>,
) -> bool {
    let arguments = [
        ledger_id.into(),
        hold_id.into(),
        (state as i16).into(),
        now.into(),
        captured.into(),
        Argument::from(transfer_id),
    ];
    session.run(&RESOLVE, &arguments).count() == 1
}

/// Locks accounts that have due holds, skipping those that somebody else works on.
pub fn due_accounts(session: &Session, ledger_id: i32, now: i64, max_count: i64) -> Vec<i64> {
    let rows = session.run(&DUE_ACCOUNTS, &[ledger_id.into(), now.into(), max_count.into()]);
    rows.iter().map(|row| row.need(0)).collect()
}
