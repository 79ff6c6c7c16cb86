//! SQL of purchases: what a purchase needs to know, in one statement; what it leaves behind, in another.

pub mod refund;

use super::rules::State;
use super::rules::line::{Item, Line};
use crate::error::LedgerError;
use crate::event::store as event;
use crate::report::Failure;
use crate::spi::batch::{Batch, Column};
use crate::spi::jsonb::Document;
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{
    BOOLOID, INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, Oid, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
    UUIDOID,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

// One row for each item that there is, one row without where there is none of them, and none at all without the
// member: nothing else is asked for then. Begins at the member: a function scan and a sort would cost as much as
// all of the look-ups. The till is looked up where one is named.
const SCENE: &str =
    "SELECT m.member, m.state_id, w.account_id, w.address, w.currency, w.scale, r.state_id, c.address,
            i.item, i.state_id, i.quantity_scale, i.price, i.full_name, i.category";
const FROM: &str = "
     FROM wallet_data.members m
     JOIN wallet_data.accounts w ON w.ledger_id = $1 AND w.account_id = m.account_id
     LEFT JOIN wallet_data.merchants r ON r.ledger_id = $1 AND r.merchant = $3
     LEFT JOIN wallet_data.accounts c ON c.ledger_id = $1 AND c.account_id = r.account_id
     LEFT JOIN wallet_data.items i ON i.ledger_id = $1 AND i.merchant = $3 AND i.item = ANY ($4)";
const TILL: &str = "
     LEFT JOIN wallet_data.devices d ON d.ledger_id = $1 AND d.device = $5 AND d.merchant = $3";
const SCENE_AT_TILL: &str = concatcp!(SCENE, ", d.state_id", FROM, TILL);
const SCENE_WITHOUT: &str = concatcp!(SCENE, FROM);
const BY_NAME: &str = " WHERE m.ledger_id = $1 AND m.member = $2";
const BY_ACCOUNT: &str = " WHERE m.ledger_id = $1 AND w.address = $2 AND w.stripe = 0";

const ANYWHERE: &[Oid] = &[INT4OID, TEXTOID, TEXTOID, TEXTARRAYOID];
const AT_TILL: &[Oid] = &[INT4OID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID];
static SCENE_BY_NAME: Statement = Statement::new(concatcp!(SCENE_WITHOUT, BY_NAME), ANYWHERE);
static SCENE_BY_ACCOUNT: Statement = Statement::new(concatcp!(SCENE_WITHOUT, BY_ACCOUNT), ANYWHERE);
static SCENE_BY_NAME_AT_TILL: Statement = Statement::new(concatcp!(SCENE_AT_TILL, BY_NAME), AT_TILL);
static SCENE_BY_ACCOUNT_AT_TILL: Statement = Statement::new(concatcp!(SCENE_AT_TILL, BY_ACCOUNT), AT_TILL);

const PURCHASES: &[Column] = &[
    (c"purchase_id", UUIDOID),
    (c"state_id", INT2OID),
    (c"is_overdraft", BOOLOID),
    (c"transaction_id", UUIDOID),
    (c"authentication_id", UUIDOID),
    (c"overdraft_transfer_id", UUIDOID),
    (c"account_id", INT8OID),
    (c"device_sequence", INT8OID),
    (c"purchased_at", TIMESTAMPTZOID),
    (c"amount", NUMERICOID),
    (c"overdraft_amount", NUMERICOID),
    (c"member", TEXTOID),
    (c"merchant", TEXTOID),
    (c"device", TEXTOID),
    (c"reference", TEXTOID),
    (c"error", JSONBOID),
    (c"metadata", JSONBOID),
];

const LINES: &[Column] = &[
    (c"purchase_id", UUIDOID),
    (c"line", INT2OID),
    (c"quantity_scale", INT2OID),
    (c"transfer_id", UUIDOID),
    (c"quantity", NUMERICOID),
    (c"unit_price", NUMERICOID),
    (c"amount", NUMERICOID),
    (c"item", TEXTOID),
    (c"full_name", TEXTOID),
    (c"category", TEXTOID),
];

const LINES_OF_BATCH: &str = "INSERT INTO wallet_data.purchase_items
         (ledger_id, purchase_id, line, quantity_scale, transfer_id, quantity, unit_price, amount, item, full_name,
          category)
     SELECT $1, purchase_id, line, quantity_scale, transfer_id, quantity, unit_price, amount, item, full_name, category
     FROM wallet_purchase_lines";

// One purchase with its event.
static INSERT_ONE: Statement = Statement::new(
    concatcp!(
        "WITH event AS (",
        event::INSERT_ONE,
        "), purchase AS (
         INSERT INTO wallet_data.purchases
             (ledger_id, created_at, actor, purchase_id, state_id, transaction_id, authentication_id, account_id,
              purchased_at, amount, member, merchant, device, reference, error, metadata)
         VALUES ($1, $4, $8, $9, $10, $11, $12, $13, $21, $14, $15, $16, $17, $18, $19, $20))
     ",
        LINES_OF_BATCH
    ),
    &[
        INT4OID, UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, UUIDOID, INT2OID, UUIDOID,
        UUIDOID, INT8OID, NUMERICOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, TIMESTAMPTZOID,
    ],
);

static INSERT: Statement = Statement::new(
    concatcp!(
        "WITH purchases AS (
         INSERT INTO wallet_data.purchases
             (ledger_id, created_at, actor, purchase_id, state_id, is_overdraft, transaction_id, authentication_id,
              overdraft_transfer_id, account_id, device_sequence, purchased_at, amount, overdraft_amount, member,
              merchant, device, reference, error, metadata)
         SELECT $1, $2, $3, purchase_id, state_id, is_overdraft, transaction_id, authentication_id,
                overdraft_transfer_id, account_id, device_sequence, purchased_at, amount, overdraft_amount, member,
                merchant, device, reference, error, metadata
         FROM wallet_purchases)
     ",
        LINES_OF_BATCH
    ),
    &[INT4OID, TIMESTAMPTZOID, TEXTOID],
);

/// Who buys.
#[derive(Clone, Debug)]
pub struct Member {
    pub member: String,
    pub is_active: bool,
    pub account_id: i64,
    pub account: String,
    pub currency: String,
    pub scale: u32,
}

/// Who sells.
#[derive(Clone, Debug)]
pub struct Merchant {
    pub is_active: bool,
    pub account: String,
}

/// Everything that a purchase needs to know, as it is at the moment. What is not there is `None`; without the member
/// all of it is.
pub struct Scene {
    pub member: Option<Member>,
    pub merchant: Option<Merchant>,
    /// Whether the merchant's device of that name is active.
    pub device_is_active: Option<bool>,
    /// In the order in which they were asked for.
    pub items: Vec<Option<Item>>,
}

/// Reads all of it in one statement. `member` is a name, or the address of a wallet.
pub fn scene<'a>(
    session: &Session,
    ledger_id: i32,
    member: &str,
    merchant: &str,
    device: Option<&str>,
    items: impl Iterator<Item = &'a str> + Clone,
) -> Scene {
    let statement = match (member.contains(':'), device.is_some()) {
        (false, false) => &SCENE_BY_NAME,
        (false, true) => &SCENE_BY_NAME_AT_TILL,
        (true, false) => &SCENE_BY_ACCOUNT,
        (true, true) => &SCENE_BY_ACCOUNT_AT_TILL,
    };
    let mut arguments =
        vec![ledger_id.into(), member.into(), merchant.into(), Argument::texts(items.clone())];
    arguments.extend(device.map(Argument::from));
    let rows = session.run(statement, &arguments);
    let first = rows.first();
    let first = first.as_ref();
    let found: HashMap<String, Item> =
        rows.iter().filter_map(|row| Some((row.get(8)?, item(&row, 9)?))).collect();
    let merchant = |row: &Row| Some(Merchant { is_active: is_active(row.get(6)?), account: row.need(7) });
    Scene {
        member: first.map(self::member),
        merchant: first.and_then(merchant),
        device_is_active: device.and(first).and_then(|row| row.get(14)).map(is_active),
        items: items.map(|name| found.get(name).cloned()).collect(),
    }
}

/// Name, state, and the wallet with its currency and decimals: the first columns of a row.
pub fn member(row: &Row) -> Member {
    Member {
        member: row.need(0),
        is_active: is_active(row.need(1)),
        account_id: row.need(2),
        account: row.need(3),
        currency: row.need(4),
        scale: scale(row.need(5)),
    }
}

/// State, quantity scale, price, name and category, from that column on.
pub fn item(row: &Row, column: usize) -> Option<Item> {
    Some(Item {
        is_active: is_active(row.get(column)?),
        quantity_scale: scale(row.need(column + 1)),
        price: row.need_decimal(column + 2),
        name: row.get(column + 3),
        category: row.get(column + 4),
    })
}

pub fn is_active(state_id: i16) -> bool {
    const ACTIVE: i16 = 1;
    state_id == ACTIVE
}

pub fn scale(scale: i16) -> u32 {
    u32::from(scale.unsigned_abs())
}

/// Why something was refused, as it is kept: an error of the vocabulary, or that of somebody's trigger.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub token: String,
    pub message: String,
    pub detail: Value,
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self { token: error.token().to_owned(), detail: error.detail(), message: error.message }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { detail: json!({ "error": failure.token }), token: failure.token, message: failure.message }
    }
}

impl Refusal {
    /// As it is stored.
    pub fn argument(&self) -> Argument {
        Argument::json_value(&json!({ "detail": self.detail, "message": self.message }))
    }
}

/// A purchase about to be written.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub id: Uuid,
    pub state: State,
    pub is_overdraft: bool,
    pub transaction_id: Option<Uuid>,
    pub authentication_id: Option<Uuid>,
    /// How the buyer was identified.
    pub method: Option<String>,
    /// The transfer that brought what the member owes now, and how much.
    pub overdraft: Option<(Uuid, Decimal)>,
    pub member: Member,
    pub merchant: String,
    pub device: Option<String>,
    pub device_sequence: Option<i64>,
    pub purchased_at: i64,
    pub created_at: i64,
    pub amount: Decimal,
    pub reference: Option<String>,
    pub refusal: Option<Refusal>,
    pub metadata: Option<Document>,
    /// Each with the transfer that paid it.
    pub lines: Vec<(Line, Option<Uuid>)>,
}

/// Writes a purchase that is made now, with its lines and its event: one statement.
pub fn insert_one(session: &Session, purchase: &Purchase, event: [Argument; 7], actor: &str) {
    let mut lines = Batch::new(c"wallet_purchase_lines", LINES);
    push_lines(&mut lines, purchase);
    let _lines = lines.register();
    let mut arguments = event.to_vec();
    arguments.extend([
        actor.into(),
        purchase.id.into(),
        (purchase.state as i16).into(),
        purchase.transaction_id.into(),
        purchase.authentication_id.into(),
        purchase.member.account_id.into(),
        purchase.amount.into(),
        (&purchase.member.member).into(),
        (&purchase.merchant).into(),
        purchase.device.as_deref().into(),
        purchase.reference.as_deref().into(),
        refusal(purchase),
        purchase.metadata.as_ref().into(),
        purchase.purchased_at.into(),
    ]);
    session.run(&INSERT_ONE, &arguments);
}

/// Writes purchases that tills have made, with their lines: one statement, however many.
pub fn insert(session: &Session, ledger_id: i32, purchases: &[Purchase], now: i64, actor: &str) {
    let mut rows = Batch::new(c"wallet_purchases", PURCHASES);
    let mut lines = Batch::new(c"wallet_purchase_lines", LINES);
    for purchase in purchases {
        rows.push(&[
            purchase.id.into(),
            (purchase.state as i16).into(),
            purchase.is_overdraft.into(),
            purchase.transaction_id.into(),
            purchase.authentication_id.into(),
            purchase.overdraft.map(|(id, _)| id).into(),
            purchase.member.account_id.into(),
            purchase.device_sequence.into(),
            purchase.purchased_at.into(),
            purchase.amount.into(),
            purchase.overdraft.map_or(Decimal::ZERO, |(_, amount)| amount).into(),
            (&purchase.member.member).into(),
            (&purchase.merchant).into(),
            purchase.device.as_deref().into(),
            purchase.reference.as_deref().into(),
            refusal(purchase),
            purchase.metadata.as_ref().into(),
        ]);
        push_lines(&mut lines, purchase);
    }
    let (_rows, _lines) = (rows.register(), lines.register());
    session.run(&INSERT, &[ledger_id.into(), now.into(), actor.into()]);
}

fn refusal(purchase: &Purchase) -> Argument {
    purchase.refusal.as_ref().map_or(Argument::datum(None), Refusal::argument)
}

fn push_lines(lines: &mut Batch, purchase: &Purchase) {
    for (place, (line, transfer_id)) in purchase.lines.iter().enumerate() {
        lines.push(&[
            purchase.id.into(),
            i16::try_from(place + 1).expect("a purchase has few lines").into(),
            i16::try_from(line.quantity_scale).expect("few decimals").into(),
            (*transfer_id).into(),
            line.quantity.into(),
            line.unit_price.into(),
            line.amount.into(),
            (&line.item).into(),
            line.name.as_deref().into(),
            line.category.as_deref().into(),
        ]);
    }
}
