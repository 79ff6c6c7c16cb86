//! SQL of `wallet_data.idempotency_keys`.

use super::rules::Fingerprint;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{
    BYTEAOID, INT2OID, INT4OID, INT8OID, JSONBOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, UUIDARRAYOID,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What a key that was used before stands for.
pub struct Stored {
    pub operation_id: i16,
    pub request: Vec<u8>,
    pub transfer_ids: Vec<Uuid>,
    pub result: Option<Value>,
    pub error: Option<Value>,
}

/// A key about to be claimed, with the outcome that it will have if nothing goes wrong.
pub struct Claim<'a> {
    pub key: &'a str,
    pub fingerprint: &'a Fingerprint,
    pub transfer_ids: Vec<Uuid>,
}

static CLAIM_ONE: Statement = Statement::new(
    "INSERT INTO wallet_data.idempotency_keys (ledger_id, operation_id, created_at, key, request, transfer_ids)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (ledger_id, key) DO NOTHING",
    &[INT4OID, INT2OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID, UUIDARRAYOID],
);

const CLAIM_COLUMNS: &[Column] =
    &[(c"operation_id", INT2OID), (c"key", TEXTOID), (c"request", BYTEAOID), (c"transfer_ids", UUIDARRAYOID)];

static CLAIM_MANY: Statement = Statement::new(
    "INSERT INTO wallet_data.idempotency_keys (ledger_id, operation_id, created_at, key, request, transfer_ids)
     SELECT $1, operation_id, $2, key, request, transfer_ids FROM wallet_claims
     ON CONFLICT (ledger_id, key) DO NOTHING
     RETURNING key",
    &[INT4OID, TIMESTAMPTZOID],
);

static FIND: Statement = Statement::new(
    "SELECT key, operation_id, request, transfer_ids, result, error
     FROM wallet_data.idempotency_keys WHERE ledger_id = $1 AND key = ANY ($2)",
    &[INT4OID, TEXTARRAYOID],
);

static GIVE_BACK: Statement = Statement::new(
    "DELETE FROM wallet_data.idempotency_keys WHERE ledger_id = $1 AND key = ANY ($2)",
    &[INT4OID, TEXTARRAYOID],
);

static SET_RESULT: Statement = Statement::new(
    "UPDATE wallet_data.idempotency_keys SET result = $3 WHERE ledger_id = $1 AND key = $2",
    &[INT4OID, TEXTOID, JSONBOID],
);

const ERROR_COLUMNS: &[Column] = &[(c"key", TEXTOID), (c"error", JSONBOID)];

static SET_ERRORS: Statement = Statement::new(
    "UPDATE wallet_data.idempotency_keys k SET error = n.error, transfer_ids = NULL
     FROM wallet_rejections n WHERE k.ledger_id = $1 AND k.key = n.key",
    &[INT4OID],
);

// The keys of triggers stay: a row of an application posts once, however long ago that was.
static FORGET: Statement = Statement::new(
    "WITH old AS (
         SELECT key FROM wallet_data.idempotency_keys
         WHERE ledger_id = $1 AND created_at < $2
           AND NOT starts_with(key, 'trigger:')
         ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     DELETE FROM wallet_data.idempotency_keys k USING old WHERE k.ledger_id = $1 AND k.key = old.key",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

/// Claims one key; false where it was claimed before. Waits for a session that is claiming it.
pub fn claim_one(session: &Session, ledger_id: i32, claim: &Claim, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        (claim.fingerprint.operation as i16).into(),
        now.into(),
        claim.key.into(),
        Argument::bytes(claim.fingerprint.bytes()),
        Argument::ids(claim.transfer_ids.iter().copied()),
    ];
    session.run(&CLAIM_ONE, &arguments).count() == 1
}

/// Claims many keys, which must be sorted: the order is the lock order. Returns those that were free.
pub fn claim_many(session: &Session, ledger_id: i32, claims: &[Claim], now: i64) -> HashSet<String> {
    let mut batch = Batch::new(c"wallet_claims", CLAIM_COLUMNS);
    for claim in claims {
        batch.push(&[
            (claim.fingerprint.operation as i16).into(),
            claim.key.into(),
            Argument::bytes(claim.fingerprint.bytes()),
            Argument::ids(claim.transfer_ids.iter().copied()),
        ]);
    }
    let _registered = batch.register();
    let rows = session.run(&CLAIM_MANY, &[ledger_id.into(), now.into()]);
    rows.iter().map(|row| row.need(0)).collect()
}

/// What the keys that were used before stand for.
pub fn find(session: &Session, ledger_id: i32, keys: &[&str], read_only: bool) -> HashMap<String, Stored> {
    let rows = session.query(&FIND, &[ledger_id.into(), Argument::texts(keys.iter().copied())], read_only);
    rows.iter()
        .map(|row| {
            let stored = Stored {
                operation_id: row.need(1),
                request: row.need(2),
                transfer_ids: row.ids(3).unwrap_or_default(),
                result: row.json(4),
                error: row.json(5),
            };
            (row.need(0), stored)
        })
        .collect()
}

/// Gives back keys that this transaction has claimed and posts nothing under.
pub fn give_back<'a>(session: &Session, ledger_id: i32, keys: impl Iterator<Item = &'a str>) {
    session.run(&GIVE_BACK, &[ledger_id.into(), Argument::texts(keys)]);
}

pub fn set_result(session: &Session, ledger_id: i32, key: &str, result: &Value) {
    session.run(&SET_RESULT, &[ledger_id.into(), key.into(), Argument::json_value(result)]);
}

/// Remembers that the requests under these keys were rejected, and why.
pub fn set_errors(session: &Session, ledger_id: i32, rejections: &[(&str, Value)]) {
    let mut batch = Batch::new(c"wallet_rejections", ERROR_COLUMNS);
    for (key, error) in rejections {
        batch.push(&[(*key).into(), Argument::json_value(error)]);
    }
    let _registered = batch.register();
    session.run(&SET_ERRORS, &[ledger_id.into()]);
}

/// Deletes up to `max_count` keys made before that moment, the oldest first; returns how many.
pub fn forget(session: &Session, ledger_id: i32, before: i64, max_count: i64) -> i64 {
    session.run(&FORGET, &[ledger_id.into(), before.into(), max_count.into()]).count() as i64
}
