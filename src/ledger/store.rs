//! SQL of ledgers, currencies, kinds, closed periods and the timeline.

use crate::spi::{Argument, Session, Statement, has_one_snapshot, jsonb::Document};
use pgrx::pg_sys::{INT2OID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};

static FIND_LEDGER: Statement =
    Statement::new("SELECT ledger_id FROM wallet_data.ledgers WHERE name = $1", &[TEXTOID]);

static FIRST_TWO: Statement = Statement::new("SELECT ledger_id, name FROM wallet_data.ledgers LIMIT 2", &[]);

static DEFINITION: Statement = Statement::new(
    "SELECT name, currency, timezone, closed_until FROM wallet_data.ledgers WHERE ledger_id = $1",
    &[INT4OID],
);

static LOCK: Statement =
    Statement::new("SELECT FROM wallet_data.ledgers WHERE ledger_id = $1 FOR NO KEY UPDATE", &[INT4OID]);

static INSERT_LEDGER: Statement = Statement::new(
    "INSERT INTO wallet_data.ledgers (name, currency, timezone, metadata) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO NOTHING RETURNING ledger_id",
    &[TEXTOID, TEXTOID, TEXTOID, JSONBOID],
);

static IS_TIMEZONE: Statement =
    Statement::new("SELECT EXISTS (SELECT FROM pg_catalog.pg_timezone_names WHERE name = $1)", &[TEXTOID]);

static INSERT_KIND: Statement = Statement::new(
    "INSERT INTO wallet_data.kinds (ledger_id, kind_id, name) VALUES ($1, $2, $3)",
    &[INT4OID, INT2OID, TEXTOID],
);

// Under the lock of the ledger's row, so that nobody else takes the number. Who looks at an old state meets the taken
// number, and gets the error of a conflict.
static INSERT_OWN_KIND: Statement = Statement::new(
    "INSERT INTO wallet_data.kinds (ledger_id, kind_id, name)
     SELECT $1, greatest($3::int, 1 + max(kind_id)), $2 FROM wallet_data.kinds WHERE ledger_id = $1
     ON CONFLICT DO NOTHING",
    &[INT4OID, TEXTOID, INT2OID],
);

static FIND_KIND: Statement = Statement::new(
    "SELECT kind_id FROM wallet_data.kinds WHERE ledger_id = $1 AND name = $2",
    &[INT4OID, TEXTOID],
);

static KIND_NAME: Statement = Statement::new(
    "SELECT name FROM wallet_data.kinds WHERE ledger_id = $1 AND kind_id = $2",
    &[INT4OID, INT2OID],
);

static FIND_CURRENCY: Statement =
    Statement::new("SELECT scale FROM wallet_data.currencies WHERE code = $1", &[TEXTOID]);

static INSERT_CURRENCY: Statement = Statement::new(
    "INSERT INTO wallet_data.currencies (code, scale) VALUES ($1, $2) ON CONFLICT (code) DO NOTHING",
    &[TEXTOID, INT2OID],
);

static CLOSED_UNTIL: Statement =
    Statement::new("SELECT closed_until FROM wallet_data.ledgers WHERE ledger_id = $1", &[INT4OID]);

static CLOSED_UNTIL_SHARED: Statement =
    Statement::new("SELECT closed_until FROM wallet_data.ledgers WHERE ledger_id = $1 FOR SHARE", &[INT4OID]);

static CLOSE_PERIOD: Statement = Statement::new(
    "UPDATE wallet_data.ledgers SET closed_until = $2 WHERE ledger_id = $1",
    &[INT4OID, TIMESTAMPTZOID],
);

static INSERT_CLOSED_PERIOD: Statement = Statement::new(
    "INSERT INTO wallet_data.closed_periods (ledger_id, closed_until, closed_by) VALUES ($1, $2, $3)",
    &[INT4OID, TIMESTAMPTZOID, TEXTOID],
);

static TIMELINE: Statement =
    Statement::new("SELECT system_identifier, position_offset FROM wallet_data.timeline", &[]);

static TIMELINE_LOCKED: Statement =
    Statement::new("SELECT system_identifier, position_offset FROM wallet_data.timeline FOR UPDATE", &[]);

static LAST_POSITION: Statement = Statement::new(
    "SELECT coalesce(max(greatest(
         (SELECT max(t.position) FROM wallet_data.transfers t WHERE t.ledger_id = l.ledger_id),
         (SELECT max(e.position) FROM wallet_data.events e WHERE e.ledger_id = l.ledger_id))), 0)
     FROM wallet_data.ledgers l",
    &[],
);

static SET_TIMELINE: Statement = Statement::new(
    "UPDATE wallet_data.timeline SET system_identifier = $1, position_offset = $2",
    &[INT8OID, INT8OID],
);

static NOTIFY: Statement = Statement::new("SELECT pg_catalog.pg_notify($1, $2)", &[TEXTOID, TEXTOID]);

/// What a ledger is, apart from its books.
pub struct Definition {
    pub name: String,
    pub currency: String,
    pub timezone: String,
    pub closed_until: Option<i64>,
}

pub fn find_ledger(session: &Session, name: &str) -> Option<i32> {
    session.run(&FIND_LEDGER, &[name.into()]).first().map(|row| row.need(0))
}

/// Up to two ledgers: enough to know whether there is exactly one.
pub fn first_two(session: &Session) -> Vec<(i32, String)> {
    session.run(&FIRST_TWO, &[]).iter().map(|row| (row.need(0), row.need(1))).collect()
}

/// Makes changes of what a ledger is and counts by (settings, rates, kinds, limits, webhook secrets) wait for each
/// other. Postings do not wait.
pub fn lock(session: &Session, ledger_id: i32) {
    session.run(&LOCK, &[ledger_id.into()]);
}

pub fn definition(session: &Session, ledger_id: i32) -> Option<Definition> {
    session.run(&DEFINITION, &[ledger_id.into()]).first().map(|row| Definition {
        name: row.need(0),
        currency: row.need(1),
        timezone: row.need(2),
        closed_until: row.time(3),
    })
}

/// The new ledger's id, or `None` where the name is taken.
pub fn insert_ledger(
    session: &Session,
    name: &str,
    currency: &str,
    timezone: &str,
    metadata: Option<&Document>,
) -> Option<i32> {
    let arguments = [name.into(), currency.into(), timezone.into(), metadata.into()];
    session.run(&INSERT_LEDGER, &arguments).first().map(|row| row.need(0))
}

pub fn is_timezone(session: &Session, name: &str) -> bool {
    session.run(&IS_TIMEZONE, &[name.into()]).first().is_some_and(|row| row.need(0))
}

pub fn insert_kind(session: &Session, ledger_id: i32, kind_id: i16, name: &str) {
    session.run(&INSERT_KIND, &[ledger_id.into(), kind_id.into(), name.into()]);
}

/// Adds a kind of the ledger's own; false where the name exists.
pub fn insert_own_kind(session: &Session, ledger_id: i32, name: &str, first_id: i16) -> bool {
    session.run(&INSERT_OWN_KIND, &[ledger_id.into(), name.into(), first_id.into()]).count() == 1
}

pub fn find_kind(session: &Session, ledger_id: i32, name: &str) -> Option<i16> {
    session.run(&FIND_KIND, &[ledger_id.into(), name.into()]).first().map(|row| row.need(0))
}

pub fn kind_name(session: &Session, ledger_id: i32, kind_id: i16) -> Option<String> {
    session.run(&KIND_NAME, &[ledger_id.into(), kind_id.into()]).first().map(|row| row.need(0))
}

pub fn find_currency(session: &Session, code: &str) -> Option<i16> {
    session.run(&FIND_CURRENCY, &[code.into()]).first().map(|row| row.need(0))
}

/// Adds a currency; false where the code exists.
pub fn insert_currency(session: &Session, code: &str, scale: i16) -> bool {
    session.run(&INSERT_CURRENCY, &[code.into(), scale.into()]).count() == 1
}

/// The end of the closed period. Outside READ COMMITTED the row is locked, because the snapshot may
/// be older than the last closing; a closing since then surfaces as a serialization failure.
pub fn closed_until(session: &Session, ledger_id: i32, read_only: bool) -> Option<i64> {
    let statement = if read_only || !has_one_snapshot() { &CLOSED_UNTIL } else { &CLOSED_UNTIL_SHARED };
    session.query(statement, &[ledger_id.into()], read_only).first().and_then(|row| row.time(0))
}

pub fn close_period(session: &Session, ledger_id: i32, until: i64, closed_by: &str) {
    session.run(&CLOSE_PERIOD, &[ledger_id.into(), until.into()]);
    session.run(&INSERT_CLOSED_PERIOD, &[ledger_id.into(), until.into(), closed_by.into()]);
}

/// System identifier and position offset, as stored.
pub fn timeline(session: &Session, lock: bool) -> (i64, i64) {
    let rows = if lock { session.run(&TIMELINE_LOCKED, &[]) } else { session.run(&TIMELINE, &[]) };
    let row = rows.first().expect("install() writes the timeline");
    (row.need(0), row.need(1))
}

/// The highest position that any transfer or event has.
pub fn last_position(session: &Session) -> i64 {
    session.run(&LAST_POSITION, &[]).first().map_or(0, |row| row.need(0))
}

pub fn set_timeline(session: &Session, system_identifier: i64, offset: i64) {
    session.run(&SET_TIMELINE, &[system_identifier.into(), offset.into()]);
}

pub fn notify(session: &Session, channel: &str, payload: &str) {
    session.run(&NOTIFY, &[channel.into(), Argument::from(payload)]);
}
