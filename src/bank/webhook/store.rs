//! SQL of webhooks: their secrets, the stored bodies and answers, the lines that were not understood.

use crate::spi::batch::{Batch, Column};
use crate::spi::jsonb::Document;
use crate::spi::settings::with_fast_compression;
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{
    BOOLOID, BYTEAOID, DATEOID, INT2OID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID, UUIDOID,
};
use serde_json::Value;
use uuid::Uuid;

static LIVE_SECRETS: Statement = Statement::new(
    "SELECT secret FROM wallet_data.webhook_secrets
     WHERE ledger_id = $1 AND provider_id = $2 AND valid_until > $3 ORDER BY slot",
    &[INT4OID, INT2OID, TIMESTAMPTZOID],
);

static LOCK_SECRETS: Statement = Statement::new(
    "SELECT slot, secret, valid_until FROM wallet_data.webhook_secrets
     WHERE ledger_id = $1 AND provider_id = $2 ORDER BY slot FOR UPDATE",
    &[INT4OID, INT2OID],
);

static PUT_SECRET: Statement = Statement::new(
    "INSERT INTO wallet_data.webhook_secrets
         (ledger_id, provider_id, slot, secret, valid_until, created_at, set_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (ledger_id, provider_id, slot) DO UPDATE
     SET secret = excluded.secret, valid_until = excluded.valid_until, created_at = excluded.created_at,
         set_by = excluded.set_by",
    &[INT4OID, INT2OID, INT2OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
);

static DROP_PREVIOUS: Statement = Statement::new(
    "DELETE FROM wallet_data.webhook_secrets WHERE ledger_id = $1 AND provider_id = $2 AND slot = 2",
    &[INT4OID, INT2OID],
);

// The unique indexes decide: the same body again, or another body under an external id of the day,
// inserts nothing. A session that brings the same body at the same time waits here for the first.
static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.webhooks
         (ledger_id, webhook_id, provider_id, confirmed, line_count, received_at, body_digest, external_id,
          external_on, body)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT DO NOTHING",
    &[INT4OID, UUIDOID, INT2OID, BOOLOID, INT4OID, TIMESTAMPTZOID, BYTEAOID, TEXTOID, DATEOID, JSONBOID],
);

static BY_DIGEST: Statement = Statement::new(
    "SELECT webhook_id, answer, lines FROM wallet_data.webhooks
     WHERE ledger_id = $1 AND provider_id = $2 AND body_digest = $3",
    &[INT4OID, INT2OID, BYTEAOID],
);

static BY_ID: Statement = Statement::new(
    "SELECT provider_id, confirmed, body::text FROM wallet_data.webhooks
     WHERE ledger_id = $1 AND webhook_id = $2 FOR UPDATE",
    &[INT4OID, UUIDOID],
);

static SET_ANSWER: Statement = Statement::new(
    "UPDATE wallet_data.webhooks SET answer = $3, lines = $4, line_count = $5
     WHERE ledger_id = $1 AND webhook_id = $2",
    &[INT4OID, UUIDOID, JSONBOID, JSONBOID, INT4OID],
);

const LINE_COLUMNS: &[Column] = &[(c"line", INT4OID), (c"reason", TEXTOID), (c"message", TEXTOID)];

static INSERT_LINES: Statement = Statement::new(
    "INSERT INTO wallet_data.webhook_lines (ledger_id, webhook_id, line, reason, message)
     SELECT $1, $2, line, reason, message FROM wallet_lines",
    &[INT4OID, UUIDOID],
);

static SOLVE_LINES: Statement = Statement::new(
    "UPDATE wallet_data.webhook_lines w SET solved_at = $3
     WHERE w.ledger_id = $1 AND w.webhook_id = $2 AND w.solved_at IS NULL
       AND NOT EXISTS (SELECT FROM wallet_lines n WHERE n.line = w.line)",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID],
);

static REFUSE: Statement = Statement::new(
    "INSERT INTO wallet_data.webhook_refusals
         (ledger_id, refusal_id, provider_id, body_bytes, received_at, body_digest, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    &[INT4OID, UUIDOID, INT2OID, INT4OID, TIMESTAMPTZOID, BYTEAOID, TEXTOID],
);

static FORGET: Statement = Statement::new(
    "WITH old AS (
         SELECT refusal_id FROM wallet_data.webhook_refusals
         WHERE ledger_id = $1 AND received_at < $2
         ORDER BY received_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     DELETE FROM wallet_data.webhook_refusals r USING old WHERE r.ledger_id = $1 AND r.refusal_id = old.refusal_id",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

/// The secrets that may verify a webhook at this moment, the current one first.
pub fn live_secrets(session: &Session, ledger_id: i32, provider_id: i16, now: i64) -> Vec<String> {
    let rows = session.read(&LIVE_SECRETS, &[ledger_id.into(), provider_id.into(), now.into()]);
    rows.iter().map(|row| row.need(0)).collect()
}

/// The stored secrets by slot, locked: secret and until when it is valid.
pub fn lock_secrets(session: &Session, ledger_id: i32, provider_id: i16) -> Vec<(i16, String, i64)> {
    let rows = session.run(&LOCK_SECRETS, &[ledger_id.into(), provider_id.into()]);
    rows.iter().map(|row| (row.need(0), row.need(1), row.need_time(2))).collect()
}

/// A secret about to be stored.
pub struct NewSecret<'a> {
    pub slot: i16,
    pub secret: &'a str,
    pub valid_until: i64,
    pub set_by: &'a str,
}

pub fn put_secret(session: &Session, ledger_id: i32, provider_id: i16, new: &NewSecret, now: i64) {
    let arguments = [
        ledger_id.into(),
        provider_id.into(),
        new.slot.into(),
        new.secret.into(),
        new.valid_until.into(),
        now.into(),
        new.set_by.into(),
    ];
    session.run(&PUT_SECRET, &arguments);
}

pub fn drop_previous_secret(session: &Session, ledger_id: i32, provider_id: i16) {
    session.run(&DROP_PREVIOUS, &[ledger_id.into(), provider_id.into()]);
}

/// A verified webhook about to be stored.
pub struct NewWebhook<'a> {
    pub id: Uuid,
    pub provider_id: i16,
    pub confirmed: bool,
    pub line_count: i32,
    pub digest: &'a [u8],
    pub external_id: Option<&'a str>,
    /// Days since 2000-01-01.
    pub external_on: Option<i32>,
    pub body: Value,
}

/// False where the same body, or another one under its external id, is there.
pub fn insert(session: &Session, ledger_id: i32, new: NewWebhook, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.provider_id.into(),
        new.confirmed.into(),
        new.line_count.into(),
        now.into(),
        Argument::bytes(new.digest),
        new.external_id.into(),
        new.external_on.into(),
        Argument::json_value(&new.body),
    ];
    with_fast_compression(|| session.run(&INSERT, &arguments).count() == 1)
}

/// A stored webhook, and what it got for an answer: its head and its lines.
pub struct Stored {
    pub id: Uuid,
    pub answer: Option<(Value, Document)>,
}

/// The webhook with this body.
pub fn by_digest(session: &Session, ledger_id: i32, provider_id: i16, digest: &[u8]) -> Option<Stored> {
    let rows = session.run(&BY_DIGEST, &[ledger_id.into(), provider_id.into(), Argument::bytes(digest)]);
    rows.first().map(|row| Stored { id: row.need_id(0), answer: row.json(1).zip(row.document(2)) })
}

/// Provider, whether it was confirmed, and the stored body as text; locks the row.
pub fn lock(session: &Session, ledger_id: i32, id: Uuid) -> Option<(i16, bool, String)> {
    let rows = session.run(&BY_ID, &[ledger_id.into(), id.into()]);
    rows.first().map(|row| (row.need(0), row.need(1), row.need(2)))
}

pub fn set_answer(
    session: &Session,
    ledger_id: i32,
    id: Uuid,
    head: &Value,
    lines: &Document,
    line_count: i32,
) {
    let arguments =
        [ledger_id.into(), id.into(), Argument::json_value(head), lines.into(), line_count.into()];
    with_fast_compression(|| session.run(&SET_ANSWER, &arguments));
}

/// A line that was stored as bad.
pub struct BadLine {
    pub line: i32,
    pub reason: String,
    pub message: String,
}

fn register(lines: &[BadLine]) -> crate::spi::batch::Registered {
    let mut batch = Batch::new(c"wallet_lines", LINE_COLUMNS);
    for line in lines {
        batch.push(&[line.line.into(), (&line.reason).into(), (&line.message).into()]);
    }
    batch.register()
}

pub fn insert_lines(session: &Session, ledger_id: i32, id: Uuid, lines: &[BadLine]) {
    if lines.is_empty() {
        return;
    }
    let _registered = register(lines);
    session.run(&INSERT_LINES, &[ledger_id.into(), id.into()]);
}

/// Marks every bad line of a webhook as solved that is not among `still_bad`.
pub fn solve_lines(session: &Session, ledger_id: i32, id: Uuid, still_bad: &[BadLine], now: i64) {
    let _registered = register(still_bad);
    session.run(&SOLVE_LINES, &[ledger_id.into(), id.into(), now.into()]);
}

/// Writes down a webhook that was refused, without its body.
pub fn refuse(
    session: &Session,
    ledger_id: i32,
    provider_id: i16,
    body_bytes: usize,
    digest: &[u8],
    reason: &str,
    now: i64,
) {
    let arguments = [
        ledger_id.into(),
        Uuid::now_v7().into(),
        provider_id.into(),
        i32::try_from(body_bytes).unwrap_or(i32::MAX).into(),
        now.into(),
        Argument::bytes(digest),
        reason.into(),
    ];
    session.run(&REFUSE, &arguments);
}

/// Deletes what was written down of refusals before that moment, the oldest first; how many they were.
pub fn forget(session: &Session, ledger_id: i32, before: i64, max_count: i64) -> i64 {
    session.run(&FORGET, &[ledger_id.into(), before.into(), max_count.into()]).count() as i64
}
