//! SQL of settings.

use super::rules::timeline::Change;
use crate::spi::{Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

const COLUMNS: &str = "revision, name, value, effective_from, set_by, reason, created_at";

// Backwards along the index: per name the change that counts at the moment.
static COUNTING: Statement = Statement::new(
    concatcp!(
        "SELECT DISTINCT ON (name) ",
        COLUMNS,
        " FROM wallet_data.settings WHERE ledger_id = $1 AND effective_from <= $2
          ORDER BY name DESC, effective_from DESC, revision DESC"
    ),
    &[INT4OID, TIMESTAMPTZOID],
);

static HISTORY: Statement = Statement::new(
    concatcp!("SELECT ", COLUMNS, " FROM wallet_data.settings WHERE ledger_id = $1 ORDER BY revision"),
    &[INT4OID],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.settings (ledger_id, revision, name, value, effective_from, set_by, reason, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (ledger_id, revision) DO NOTHING",
    &[INT4OID, INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

fn change(row: Row) -> Change {
    Change {
        revision: row.need(0),
        name: row.need(1),
        value: row.need(2),
        effective_from: row.need_time(3),
        set_by: row.need(4),
        reason: row.get(5),
        created_at: row.need_time(6),
    }
}

/// Of each setting that was ever changed, the change that counts at a moment. `fresh` looks at what is committed now,
/// otherwise at the caller's snapshot.
pub fn counting(session: &Session, ledger_id: i32, at: i64, fresh: bool) -> Vec<Change> {
    session.query(&COUNTING, &[ledger_id.into(), at.into()], !fresh).iter().map(change).collect()
}

/// All changes, those included that were committed while this session waited for the lock.
pub fn history(session: &Session, ledger_id: i32) -> Vec<Change> {
    session.run(&HISTORY, &[ledger_id.into()]).iter().map(change).collect()
}

/// Adds a change; false where another session was first with this revision.
pub fn insert(session: &Session, ledger_id: i32, change: &Change) -> bool {
    let arguments = [
        ledger_id.into(),
        change.revision.into(),
        (&change.name).into(),
        (&change.value).into(),
        change.effective_from.into(),
        (&change.set_by).into(),
        change.reason.as_deref().into(),
        change.created_at.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}
