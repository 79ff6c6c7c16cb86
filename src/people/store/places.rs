//! SQL of merchants, their devices and what they sell.

use super::super::rules::{ConflictPolicy, GapPolicy, Status};
use super::NewPerson;
use crate::spi::{Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

static INSERT_MERCHANT: Statement = Statement::new(
    "INSERT INTO wallet_data.merchants (ledger_id, account_id, created_at, merchant, full_name, metadata)
     SELECT $1, a.account_id, $4, $2, $5, $6
     FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $3 AND a.stripe = 0
     ON CONFLICT DO NOTHING",
    &[INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, JSONBOID],
);

static MERCHANT: Statement = Statement::new(
    "SELECT m.merchant::text, m.state_id::smallint, a.address, a.currency, a.scale, m.full_name::text,
            m.metadata, m.created_at
     FROM wallet_data.merchants m
     JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
     WHERE m.ledger_id = $1 AND m.merchant = $2",
    &[INT4OID, TEXTOID],
);

static INSERT_DEVICE: Statement = Statement::new(
    "INSERT INTO wallet_data.devices
         (ledger_id, device, merchant, full_name, gap_policy_id, conflict_policy_id, overdraft_limit, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    &[INT4OID, TEXTOID, TEXTOID, TEXTOID, INT2OID, INT2OID, NUMERICOID, TIMESTAMPTZOID],
);

static CHANGE_DEVICE: Statement = Statement::new(
    "UPDATE wallet_data.devices
     SET full_name = $3, gap_policy_id = $4, conflict_policy_id = $5, overdraft_limit = $6
     WHERE ledger_id = $1 AND device = $2",
    &[INT4OID, TEXTOID, TEXTOID, INT2OID, INT2OID, NUMERICOID],
);

const DEVICE: &str = "SELECT d.device::text, d.merchant::text, d.state_id::smallint, d.full_name::text,
        d.gap_policy_id::smallint, d.conflict_policy_id::smallint, d.overdraft_limit::numeric, a.scale,
        d.last_sequence, d.last_synced_at, d.created_at
     FROM wallet_data.devices d
     JOIN wallet_data.merchants m ON m.ledger_id = d.ledger_id AND m.merchant = d.merchant
     JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
     WHERE d.ledger_id = $1 AND d.device = $2";
static FIND_DEVICE: Statement = Statement::new(DEVICE, &[INT4OID, TEXTOID]);
static LOCK_DEVICE: Statement =
    Statement::new(concatcp!(DEVICE, " FOR NO KEY UPDATE OF d"), &[INT4OID, TEXTOID]);

static INSERT_ITEM: Statement = Statement::new(
    "INSERT INTO wallet_data.items
         (ledger_id, merchant, item, price, full_name, category, quantity_scale, state_id, updated_at, updated_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    &[
        INT4OID, TEXTOID, TEXTOID, NUMERICOID, TEXTOID, TEXTOID, INT2OID, INT2OID, TIMESTAMPTZOID, TEXTOID,
    ],
);

static CHANGE_ITEM: Statement = Statement::new(
    "UPDATE wallet_data.items
     SET price = $4, full_name = $5, category = $6, quantity_scale = $7, state_id = $8, updated_at = $9,
         updated_by = $10
     WHERE ledger_id = $1 AND merchant = $2 AND item = $3",
    &[INT4OID, TEXTOID, TEXTOID, NUMERICOID, TEXTOID, TEXTOID, INT2OID, INT2OID, TIMESTAMPTZOID, TEXTOID],
);

static LOCK_ITEM: Statement = Statement::new(
    "SELECT price::numeric, full_name::text, category, quantity_scale, state_id::smallint, updated_at, updated_by
     FROM wallet_data.items WHERE ledger_id = $1 AND merchant = $2 AND item = $3 FOR NO KEY UPDATE",
    &[INT4OID, TEXTOID, TEXTOID],
);

/// A merchant as it is stored, with the account.
#[derive(Clone, Debug)]
pub struct Merchant {
    pub merchant: String,
    pub status: Status,
    pub account: String,
    pub currency: String,
    pub scale: u32,
    pub full_name: Option<String>,
    pub metadata: Option<Document>,
    pub created_at: i64,
}

/// A device as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub device: String,
    pub merchant: String,
    pub status: Status,
    pub full_name: Option<String>,
    pub gap_policy: GapPolicy,
    pub conflict_policy: ConflictPolicy,
    pub overdraft_limit: Decimal,
    pub last_sequence: i64,
    pub last_synced_at: Option<i64>,
    pub created_at: i64,
}

/// An item as it is stored.
#[derive(Clone, Debug)]
pub struct Item {
    pub price: Decimal,
    pub full_name: Option<String>,
    pub category: Option<String>,
    pub quantity_decimals: i16,
    pub status: Status,
    pub updated_at: i64,
    pub updated_by: String,
}

fn scaled(mut value: Decimal, scale: u32) -> Decimal {
    value.rescale(scale);
    value
}

/// Writes a merchant; false where it is there already.
pub fn insert_merchant(session: &Session, ledger_id: i32, address: &str, new: &NewPerson, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        new.name.into(),
        address.into(),
        now.into(),
        new.full_name.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT_MERCHANT, &arguments).count() == 1
}

pub fn merchant(session: &Session, ledger_id: i32, name: &str) -> Option<Merchant> {
    let read = |row: Row| Merchant {
        merchant: row.need(0),
        status: Status::from_id(row.need(1)),
        account: row.need(2),
        currency: row.need(3),
        scale: u32::from(row.need::<i16>(4).unsigned_abs()),
        full_name: row.get(5),
        metadata: row.document(6),
        created_at: row.need_time(7),
    };
    session.run(&MERCHANT, &[ledger_id.into(), name.into()]).first().map(read)
}

/// Writes a device; false where it is there already.
pub fn insert_device(session: &Session, ledger_id: i32, device: &Device) -> bool {
    let arguments = [
        ledger_id.into(),
        (&device.device).into(),
        (&device.merchant).into(),
        device.full_name.as_deref().into(),
        (device.gap_policy as i16).into(),
        (device.conflict_policy as i16).into(),
        device.overdraft_limit.into(),
        device.created_at.into(),
    ];
    session.run(&INSERT_DEVICE, &arguments).count() == 1
}

/// Writes what of a device can change, under its lock.
pub fn change_device(session: &Session, ledger_id: i32, device: &Device) {
    let arguments = [
        ledger_id.into(),
        (&device.device).into(),
        device.full_name.as_deref().into(),
        (device.gap_policy as i16).into(),
        (device.conflict_policy as i16).into(),
        device.overdraft_limit.into(),
    ];
    session.run(&CHANGE_DEVICE, &arguments);
}

pub fn device(session: &Session, ledger_id: i32, name: &str, lock: bool) -> Option<Device> {
    let read = |row: Row| Device {
        device: row.need(0),
        merchant: row.need(1),
        status: Status::from_id(row.need(2)),
        full_name: row.get(3),
        gap_policy: GapPolicy::from_id(row.need(4)),
        conflict_policy: ConflictPolicy::from_id(row.need(5)),
        overdraft_limit: scaled(row.need_decimal(6), u32::from(row.need::<i16>(7).unsigned_abs())),
        last_sequence: row.need(8),
        last_synced_at: row.time(9),
        created_at: row.need_time(10),
    };
    let statement = if lock { &LOCK_DEVICE } else { &FIND_DEVICE };
    session.run(statement, &[ledger_id.into(), name.into()]).first().map(read)
}

/// Writes an item: a new one, false where it is there already, or with `is_new` not set a change of it.
pub fn write_item(
    session: &Session,
    ledger_id: i32,
    (merchant, name): (&str, &str),
    item: &Item,
    is_new: bool,
) -> bool {
    let arguments = [
        ledger_id.into(),
        merchant.into(),
        name.into(),
        item.price.into(),
        item.full_name.as_deref().into(),
        item.category.as_deref().into(),
        item.quantity_decimals.into(),
        (item.status as i16).into(),
        item.updated_at.into(),
        (&item.updated_by).into(),
    ];
    let statement = if is_new { &INSERT_ITEM } else { &CHANGE_ITEM };
    session.run(statement, &arguments).count() == 1
}

/// The item under its lock.
pub fn lock_item(session: &Session, ledger_id: i32, merchant: &str, name: &str, scale: u32) -> Option<Item> {
    let read = |row: Row| Item {
        price: scaled(row.need_decimal(0), scale),
        full_name: row.get(1),
        category: row.get(2),
        quantity_decimals: row.need(3),
        status: Status::from_id(row.need(4)),
        updated_at: row.need_time(5),
        updated_by: row.need(6),
    };
    session.run(&LOCK_ITEM, &[ledger_id.into(), merchant.into(), name.into()]).first().map(read)
}
