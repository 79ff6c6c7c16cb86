//! SQL of imported statements.

use crate::spi::jsonb::Document;
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{BYTEAOID, DATEOID, INT4OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// The unique digest decides: the same content again inserts nothing. A session that brings it at the same
// time waits here for the first.
static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.bank_statements
         (ledger_id, statement_id, bank_account_id, imported_at, format, imported_by, content_digest)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (ledger_id, bank_account_id, content_digest) DO NOTHING",
    &[INT4OID, UUIDOID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, BYTEAOID],
);

static FINISH: Statement = Statement::new(
    "UPDATE wallet_data.bank_statements
     SET from_day = $3, until_day = $4, opening_balance = $5, closing_balance = $6, answer = $7, imported_at = $8
     WHERE ledger_id = $1 AND statement_id = $2",
    &[INT4OID, UUIDOID, DATEOID, DATEOID, NUMERICOID, NUMERICOID, JSONBOID, TIMESTAMPTZOID],
);

static BY_DIGEST: Statement = Statement::new(
    "SELECT statement_id, from_day, until_day, opening_balance, closing_balance, answer
     FROM wallet_data.bank_statements
     WHERE ledger_id = $1 AND bank_account_id = $2 AND content_digest = $3",
    &[INT4OID, INT4OID, BYTEAOID],
);

/// A file about to be imported.
pub struct NewStatement<'a> {
    pub id: Uuid,
    pub bank_account_id: i32,
    pub format: &'a str,
    pub digest: &'a [u8],
}

/// What an import stores when it is done.
pub struct Finished {
    pub opening_balance: Option<Decimal>,
    pub closing_balance: Option<Decimal>,
    pub from_day: Option<i32>,
    pub until_day: Option<i32>,
    /// The outcomes of the lines.
    pub lines: Document,
}

/// False where the content was imported before.
pub fn insert(session: &Session, ledger_id: i32, new: &NewStatement, actor: &str, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.bank_account_id.into(),
        now.into(),
        new.format.into(),
        actor.into(),
        Argument::bytes(new.digest),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

pub fn finish(session: &Session, ledger_id: i32, id: Uuid, finished: &Finished, now: i64) {
    let arguments = [
        ledger_id.into(),
        id.into(),
        finished.from_day.into(),
        finished.until_day.into(),
        finished.opening_balance.into(),
        finished.closing_balance.into(),
        (&finished.lines).into(),
        now.into(),
    ];
    session.run(&FINISH, &arguments);
}

/// The import of this content, and what it came to.
pub fn by_digest(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    digest: &[u8],
) -> Option<(Uuid, Option<Finished>)> {
    let rows = session.run(&BY_DIGEST, &[ledger_id.into(), bank_account_id.into(), Argument::bytes(digest)]);
    let row = rows.first()?;
    let finished = row.document(5).map(|lines| Finished {
        opening_balance: row.decimal(3),
        closing_balance: row.decimal(4),
        from_day: row.get(1),
        until_day: row.get(2),
        lines,
    });
    Some((row.need_id(0), finished))
}
