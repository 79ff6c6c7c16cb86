//! SQL of syncing tills. A till's numbers are decided under the lock of its row.

use crate::people::rules::{ConflictPolicy, GapPolicy};
use crate::purchase::rules::line::Item;
use crate::purchase::rules::sequence::Digest;
use crate::purchase::store::{self, Member, Refusal, is_active, item};
use crate::spi::batch::{Batch, Column};
use crate::spi::jsonb::Document;
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{
    BYTEAOID, INT2OID, INT4OID, INT8ARRAYOID, INT8OID, JSONBOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
    UUIDOID,
};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

// The merchant too, so that who waited for the till sees whether it was put to rest meanwhile, and so that putting it
// to rest waits for the tills under way.
static DEVICE: Statement = Statement::new(
    "SELECT d.merchant, a.address, d.state_id, m.state_id, d.gap_policy_id, d.conflict_policy_id, d.overdraft_limit,
            d.last_sequence
     FROM wallet_data.devices d
     JOIN wallet_data.merchants m ON m.ledger_id = d.ledger_id AND m.merchant = d.merchant
     JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
     WHERE d.ledger_id = $1 AND d.device = $2 FOR NO KEY UPDATE OF d FOR SHARE OF m",
    &[INT4OID, TEXTOID],
);

static MERCHANT: Statement = Statement::new(
    "SELECT merchant FROM wallet_data.devices WHERE ledger_id = $1 AND device = $2",
    &[INT4OID, TEXTOID],
);

static DECIDED: Statement = Statement::new(
    "SELECT sequence, digest, purchase_id, error FROM wallet_data.device_entries
     WHERE ledger_id = $1 AND device = $2 AND sequence = ANY ($3)",
    &[INT4OID, TEXTOID, INT8ARRAYOID],
);

static MEMBERS: Statement = Statement::new(
    "SELECT m.member, m.state_id, a.account_id, a.address, a.currency, a.scale
     FROM wallet_data.members m
     JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
     WHERE m.ledger_id = $1 AND m.member = ANY ($2)",
    &[INT4OID, TEXTARRAYOID],
);

static ITEMS: Statement = Statement::new(
    "SELECT item, state_id, quantity_scale, price, full_name, category FROM wallet_data.items
     WHERE ledger_id = $1 AND merchant = $2 AND item = ANY ($3)",
    &[INT4OID, TEXTOID, TEXTARRAYOID],
);

const ENTRIES: &[Column] = &[
    (c"state_id", INT2OID),
    (c"sequence", INT8OID),
    (c"purchase_id", UUIDOID),
    (c"digest", BYTEAOID),
    (c"error", JSONBOID),
    (c"entry", JSONBOID),
];

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.device_entries
         (ledger_id, device, decided_at, state_id, sequence, purchase_id, digest, error, entry)
     SELECT $1, $2, $3, state_id, sequence, purchase_id, digest, error, entry FROM wallet_device_entries",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID],
);

static SYNCED: Statement = Statement::new(
    "UPDATE wallet_data.devices SET last_sequence = $3, last_synced_at = $4 WHERE ledger_id = $1 AND device = $2",
    &[INT4OID, TEXTOID, INT8OID, TIMESTAMPTZOID],
);

/// A till whose row is locked.
pub struct Device {
    pub device: String,
    pub merchant: String,
    pub account: String,
    pub is_active: bool,
    pub merchant_is_active: bool,
    pub gap_policy: GapPolicy,
    pub conflict_policy: ConflictPolicy,
    pub overdraft_limit: Decimal,
    pub last_sequence: i64,
}

/// Whose till it is; it is nobody else's ever after.
pub fn merchant(session: &Session, ledger_id: i32, device: &str) -> Option<String> {
    session.run(&MERCHANT, &[ledger_id.into(), device.into()]).first().map(|row| row.need(0))
}

/// Locks a till: who sends the same at the same time waits here.
pub fn device(session: &Session, ledger_id: i32, device: &str) -> Option<Device> {
    let row = session.run(&DEVICE, &[ledger_id.into(), device.into()]).first()?;
    Some(Device {
        device: device.to_owned(),
        merchant: row.need(0),
        account: row.need(1),
        is_active: is_active(row.need(2)),
        merchant_is_active: is_active(row.need(3)),
        gap_policy: GapPolicy::from_id(row.need(4)),
        conflict_policy: ConflictPolicy::from_id(row.need(5)),
        overdraft_limit: row.need_decimal(6),
        last_sequence: row.need(7),
    })
}

/// How a number was decided before.
pub struct Decided {
    pub digest: Digest,
    pub purchase_id: Option<Uuid>,
    /// The token and the message of its rejection.
    pub error: Option<(String, String)>,
}

pub fn decided(
    session: &Session,
    ledger_id: i32,
    device: &str,
    sequences: impl Iterator<Item = i64>,
) -> HashMap<i64, Decided> {
    let arguments = [ledger_id.into(), device.into(), Argument::numbers(sequences)];
    let told = |error: Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&error["detail"]["error"]), text(&error["message"]))
    };
    let rows = session.run(&DECIDED, &arguments);
    rows.iter()
        .map(|row| {
            let digest = Digest::try_from(row.need::<Vec<u8>>(1)).expect("a CHECK bounds its length");
            (row.need(0), Decided { digest, purchase_id: row.id(2), error: row.json(3).map(told) })
        })
        .collect()
}

/// Members by name.
pub fn members<'a>(
    session: &Session,
    ledger_id: i32,
    names: impl Iterator<Item = &'a str>,
) -> HashMap<String, Member> {
    let rows = session.run(&MEMBERS, &[ledger_id.into(), Argument::texts(names)]);
    rows.iter()
        .map(|row| {
            let member = store::member(&row);
            (member.member.clone(), member)
        })
        .collect()
}

/// What the catalogue says about items, by name.
pub fn items<'a>(
    session: &Session,
    ledger_id: i32,
    merchant: &str,
    names: impl Iterator<Item = &'a str>,
) -> HashMap<String, Item> {
    let rows = session.run(&ITEMS, &[ledger_id.into(), merchant.into(), Argument::texts(names)]);
    rows.iter().filter_map(|row| Some((row.need(0), item(&row, 1)?))).collect()
}

/// What became of an entry. The number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Accepted = 1,
    Overdraft = 2,
    Rejected = 3,
}

/// A decided number about to be written.
pub struct Entry<'a> {
    pub state: State,
    pub sequence: i64,
    pub purchase_id: Option<Uuid>,
    pub digest: Digest,
    pub refusal: Option<&'a Refusal>,
    /// What was sent.
    pub document: &'a Document,
}

/// Writes down how numbers were decided: one statement, however many.
pub fn insert(session: &Session, ledger_id: i32, device: &str, entries: &[Entry], now: i64) {
    let mut batch = Batch::new(c"wallet_device_entries", ENTRIES);
    for entry in entries {
        // What a purchase was made of stands there.
        let kept = entry.purchase_id.is_none().then_some(entry.document);
        batch.push(&[
            (entry.state as i16).into(),
            entry.sequence.into(),
            entry.purchase_id.into(),
            Argument::bytes(&entry.digest),
            entry.refusal.map_or(Argument::datum(None), Refusal::argument),
            kept.into(),
        ]);
    }
    let _registered = batch.register();
    session.run(&INSERT, &[ledger_id.into(), device.into(), now.into()]);
}

/// The till has synced up to that number.
pub fn synced(session: &Session, ledger_id: i32, device: &str, last_sequence: i64, now: i64) {
    session.run(&SYNCED, &[ledger_id.into(), device.into(), last_sequence.into(), now.into()]);
}
