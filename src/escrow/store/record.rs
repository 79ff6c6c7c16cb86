//! SQL of what was done to escrows without moving money, and of the intents that pay them.

use crate::spi::{Session, Statement};
use pgrx::pg_sys::{INT4OID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

static RECORD: Statement = Statement::new(
    "INSERT INTO wallet_data.escrow_actions
         (ledger_id, escrow_id, action_id, dispute_id, transaction_id, created_at, released_amount, refunded_amount,
          returned_amount, action, actor, reason)
     VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7, $8, $9)",
    &[INT4OID, UUIDOID, UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID],
);

// Escrows know intents by their rows alone: a payment that is taken back waits until the escrow is open, and
// then finds the money gone.
static INTENT: Statement = Statement::new(
    "SELECT i.purpose_id = 2, i.state_id = 4, a.address, i.amount
     FROM wallet_data.intents i
     JOIN wallet_data.accounts a ON a.ledger_id = i.ledger_id AND a.account_id = i.credit_account_id
     WHERE i.ledger_id = $1 AND i.intent_id = $2 FOR SHARE OF i",
    &[INT4OID, UUIDOID],
);

/// Something that was done to an escrow.
#[derive(Default)]
pub struct Record<'a> {
    pub escrow_id: Uuid,
    pub dispute_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    pub action: &'a str,
    pub reason: Option<&'a str>,
}

pub fn insert(session: &Session, ledger_id: i32, record: &Record, actor: &str, at: i64) {
    let arguments = [
        ledger_id.into(),
        record.escrow_id.into(),
        Uuid::now_v7().into(),
        record.dispute_id.into(),
        record.transaction_id.into(),
        at.into(),
        record.action.into(),
        actor.into(),
        record.reason.into(),
    ];
    session.run(&RECORD, &arguments);
}

/// What an escrow needs to know of the intent that pays it.
pub struct Paid {
    pub is_order: bool,
    pub is_paid: bool,
    pub credit_account: String,
    pub amount: Decimal,
}

/// Reads an intent and keeps it as it is until the transaction ends.
pub fn intent(session: &Session, ledger_id: i32, id: Uuid) -> Option<Paid> {
    let rows = session.run(&INTENT, &[ledger_id.into(), id.into()]);
    rows.first().map(|row| Paid {
        is_order: row.need(0),
        is_paid: row.need(1),
        credit_account: row.need(2),
        amount: row.need_decimal(3),
    })
}
