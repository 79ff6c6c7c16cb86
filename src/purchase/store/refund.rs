//! SQL of refunds. A purchase changes under its row lock only.

use super::scale;
use crate::purchase::rules::State;
use crate::purchase::rules::refund::{Part, Sold};
use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{INT2OID, INT4OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

static PARTIES: Statement = Statement::new(
    "SELECT member, merchant FROM wallet_data.purchases WHERE ledger_id = $1 AND purchase_id = $2",
    &[INT4OID, UUIDOID],
);

static LOCK: Statement = Statement::new(
    "SELECT p.state_id, p.member, p.merchant, p.amount, p.refunded_amount, p.overdraft_transfer_id,
            p.overdraft_amount - p.overdraft_returned_amount, a.address, a.currency, a.scale, c.address
     FROM wallet_data.purchases p
     JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id
     JOIN wallet_data.merchants m ON m.ledger_id = p.ledger_id AND m.merchant = p.merchant
     JOIN wallet_data.accounts c ON c.ledger_id = p.ledger_id AND c.account_id = m.account_id
     WHERE p.ledger_id = $1 AND p.purchase_id = $2 FOR NO KEY UPDATE OF p",
    &[INT4OID, UUIDOID],
);

static LINES: Statement = Statement::new(
    "SELECT quantity_scale, quantity, refunded_quantity, unit_price, amount, refunded_amount, transfer_id
     FROM wallet_data.purchase_items WHERE ledger_id = $1 AND purchase_id = $2 ORDER BY line",
    &[INT4OID, UUIDOID],
);

const PARTS: &[Column] = &[(c"line", INT2OID), (c"quantity", NUMERICOID), (c"amount", NUMERICOID)];

static REFUND: Statement = Statement::new(
    "WITH lines AS (
         UPDATE wallet_data.purchase_items i
         SET refunded_quantity = i.refunded_quantity + n.quantity, refunded_amount = i.refunded_amount + n.amount
         FROM wallet_refunded_lines n WHERE i.ledger_id = $1 AND i.purchase_id = $2 AND i.line = n.line),
     purchase AS (
         UPDATE wallet_data.purchases
         SET refunded_amount = refunded_amount + $6, overdraft_returned_amount = overdraft_returned_amount + $7
         WHERE ledger_id = $1 AND purchase_id = $2)
     INSERT INTO wallet_data.purchase_refunds
         (ledger_id, purchase_id, refund_id, transaction_id, refunded_at, amount, actor, reason, items)
     VALUES ($1, $2, $3, $4, $5, $6, $8, $9, $10)",
    &[
        INT4OID, UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, NUMERICOID, NUMERICOID, TEXTOID, TEXTOID, JSONBOID,
    ],
);

/// Whose purchase it was, and where it was made.
pub fn parties(session: &Session, ledger_id: i32, id: Uuid) -> Option<(String, String)> {
    let rows = session.run(&PARTIES, &[ledger_id.into(), id.into()]);
    rows.first().map(|row| (row.need(0), row.need(1)))
}

/// A purchase whose row is locked.
pub struct Locked {
    pub state: State,
    pub member: String,
    pub merchant: String,
    pub account: String,
    pub merchant_account: String,
    pub currency: String,
    pub scale: u32,
    pub amount: Decimal,
    pub refunded: Decimal,
    /// The transfer that brought what the member owes for it, and how much of that has not been given back.
    pub overdraft: Option<(Uuid, Decimal)>,
    pub lines: Vec<Sold>,
    /// The transfer that paid each line.
    pub transfers: Vec<Option<Uuid>>,
}

pub fn lock(session: &Session, ledger_id: i32, id: Uuid) -> Option<Locked> {
    let arguments = [ledger_id.into(), id.into()];
    let row = session.run(&LOCK, &arguments).first()?;
    let decimals = scale(row.need(9));
    let money = |mut amount: Decimal| {
        amount.rescale(decimals);
        amount
    };
    let (mut lines, mut transfers) = (Vec::new(), Vec::new());
    for line in session.run(&LINES, &arguments).iter() {
        lines.push(Sold {
            quantity_scale: scale(line.need(0)),
            quantity: line.need_decimal(1),
            refunded_quantity: line.need_decimal(2),
            unit_price: line.need_decimal(3),
            amount: money(line.need_decimal(4)),
            refunded: money(line.need_decimal(5)),
        });
        transfers.push(line.id(6));
    }
    Some(Locked {
        state: State::from_id(row.need(0)),
        member: row.need(1),
        merchant: row.need(2),
        amount: money(row.need_decimal(3)),
        refunded: money(row.need_decimal(4)),
        overdraft: row.id(5).map(|id| (id, money(row.need_decimal(6)))),
        account: row.need(7),
        merchant_account: row.need(10),
        currency: row.need(8),
        scale: decimals,
        lines,
        transfers,
    })
}

/// A refund about to be written.
pub struct Refund<'a> {
    pub id: Uuid,
    pub purchase_id: Uuid,
    pub transaction_id: Uuid,
    pub at: i64,
    pub amount: Decimal,
    /// How much of it went to what the member owes.
    pub to_overdraft: Decimal,
    pub actor: &'a str,
    pub reason: Option<&'a str>,
    pub items: &'a Value,
}

/// Writes a refund down and counts it, on the purchase and on each line.
pub fn insert(session: &Session, ledger_id: i32, refund: &Refund, parts: &[Part]) {
    let mut lines = Batch::new(c"wallet_refunded_lines", PARTS);
    for part in parts {
        let line = i16::try_from(part.place + 1).expect("a purchase has few lines");
        lines.push(&[line.into(), part.quantity.into(), part.amount.into()]);
    }
    let _registered = lines.register();
    let arguments = [
        ledger_id.into(),
        refund.purchase_id.into(),
        refund.id.into(),
        refund.transaction_id.into(),
        refund.at.into(),
        refund.amount.into(),
        refund.to_overdraft.into(),
        refund.actor.into(),
        refund.reason.into(),
        Argument::json_value(refund.items),
    ];
    session.run(&REFUND, &arguments);
}
