//! SQL of the events outbox and of the two logs that consumers poll.

use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Row, Session, Statement};
use pgrx::pg_sys::{INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use uuid::Uuid;

/// Writes one event. Public for a statement that writes it beside something else: its parameters come first there.
pub const INSERT_ONE: &str =
    "INSERT INTO wallet_data.events (ledger_id, event_id, position, created_at, topic, subject, payload)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

static INSERT: Statement =
    Statement::new(INSERT_ONE, &[INT4OID, UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID]);

const COLUMNS: &[Column] =
    &[(c"event_id", UUIDOID), (c"topic", TEXTOID), (c"subject", TEXTOID), (c"payload", JSONBOID)];

static INSERT_MANY: Statement = Statement::new(
    "INSERT INTO wallet_data.events (ledger_id, event_id, position, created_at, topic, subject, payload)
     SELECT $1, event_id, $2, $3, topic, subject, payload FROM wallet_events",
    &[INT4OID, INT8OID, TIMESTAMPTZOID],
);

// Every transaction below the snapshot's xmin has ended, so nothing can appear behind the cursor.
static HORIZON: Statement =
    Statement::new("SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint", &[]);

static POLL_EVENTS: Statement = Statement::new(
    "SELECT position, event_id, topic, subject, payload, created_at
     FROM wallet_data.events
     WHERE ledger_id = $1 AND position >= $2 AND (position, event_id) > ($2, $3) AND position < $4
     ORDER BY position, event_id LIMIT $5",
    &[INT4OID, INT8OID, UUIDOID, INT8OID, INT8OID],
);

static POLL_TRANSFERS: Statement = Statement::new(
    "SELECT t.position, t.transfer_id, coalesce(t.transaction_id, t.transfer_id), d.address, c.address, t.amount,
            d.currency, t.kind_id, t.reference, t.description, t.metadata, t.reverses_id, t.debit_balance,
            t.credit_balance, t.debit_version, t.credit_version, t.effective_at, t.created_at
     FROM (SELECT * FROM wallet_data.transfers
           WHERE ledger_id = $1 AND position >= $2 AND (position, transfer_id) > ($2, $3) AND position < $4
           ORDER BY position, transfer_id LIMIT $5) t
     JOIN wallet_data.accounts d ON d.ledger_id = t.ledger_id AND d.account_id = t.debit_account_id
     JOIN wallet_data.accounts c ON c.ledger_id = t.ledger_id AND c.account_id = t.credit_account_id
     ORDER BY t.position, t.transfer_id",
    &[INT4OID, INT8OID, UUIDOID, INT8OID, INT8OID],
);

/// A state change about to be written.
pub struct Event<'a> {
    pub id: Uuid,
    pub topic: &'a str,
    pub subject: &'a str,
    /// A jsonb.
    pub payload: Argument,
}

/// Where a consumer stands: the last row that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub position: i64,
    pub id: Uuid,
}

pub fn insert(session: &Session, ledger_id: i32, event: Event, position: i64, now: i64) {
    session.run(&INSERT, &arguments(ledger_id, event, position, now));
}

/// The parameters of [`INSERT_ONE`].
pub fn arguments(ledger_id: i32, event: Event, position: i64, now: i64) -> [Argument; 7] {
    [
        ledger_id.into(),
        event.id.into(),
        position.into(),
        now.into(),
        event.topic.into(),
        event.subject.into(),
        event.payload,
    ]
}

/// Writes events: one INSERT, however many.
pub fn insert_many(session: &Session, ledger_id: i32, events: Vec<Event>, position: i64, now: i64) {
    let mut batch = Batch::new(c"wallet_events", COLUMNS);
    for event in events {
        batch.push(&[event.id.into(), event.topic.into(), event.subject.into(), event.payload]);
    }
    let _registered = batch.register();
    session.run(&INSERT_MANY, &[ledger_id.into(), position.into(), now.into()]);
}

/// The oldest transaction that may still be running, as this snapshot sees it.
pub fn horizon(session: &Session) -> i64 {
    session.read(&HORIZON, &[]).first().map_or(0, |row| row.need(0))
}

/// What a consumer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    Events,
    Transfers,
}

/// Visits the next rows of a log behind `after`, as far as `horizon`.
pub fn poll<T>(
    session: &Session,
    log: Log,
    ledger_id: i32,
    after: Place,
    horizon: i64,
    count: i64,
    visit: impl Fn(Row) -> T,
) -> Vec<T> {
    let statement = match log {
        Log::Events => &POLL_EVENTS,
        Log::Transfers => &POLL_TRANSFERS,
    };
    let arguments = [ledger_id.into(), after.position.into(), after.id.into(), horizon.into(), count.into()];
    session.read(statement, &arguments).iter().map(visit).collect()
}
