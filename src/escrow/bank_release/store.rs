//! SQL of transfers to sellers' banks.

use crate::spi::{Session, Statement};
use pgrx::pg_sys::{INT2OID, INT4OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// Escrows know bank accounts by their rows alone.
static OUTGOING: Statement = Statement::new(
    "SELECT o.address
     FROM wallet_data.accounts a
     JOIN wallet_data.bank_accounts k ON k.ledger_id = a.ledger_id AND k.account_id = a.account_id
     JOIN wallet_data.accounts o ON o.ledger_id = k.ledger_id AND o.account_id = k.outgoing_account_id
     WHERE a.ledger_id = $1 AND a.address = $2 AND a.stripe = 0",
    &[INT4OID, TEXTOID],
);

static SENT: Statement = Statement::new(
    "SELECT coalesce(sum(amount), 0) FROM wallet_data.bank_releases
     WHERE ledger_id = $1 AND escrow_id = $2 AND line = $3",
    &[INT4OID, UUIDOID, INT2OID],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.bank_releases
         (ledger_id, bank_release_id, escrow_id, line, transaction_id, bank_account_id, sent_at, recorded_at, amount,
          transfer_reference, recorded_by)
     SELECT $1, $2, $3, $4, $5, a.account_id, $7, $8, $9, $10, $11
     FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $6 AND a.stripe = 0
     ON CONFLICT DO NOTHING",
    &[
        INT4OID, UUIDOID, UUIDOID, INT2OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, NUMERICOID, TEXTOID,
        TEXTOID,
    ],
);

/// A transfer to a seller's bank.
#[derive(Clone, Debug)]
pub struct BankRelease {
    pub id: Uuid,
    pub escrow_id: Uuid,
    pub line: i16,
    pub account: String,
    pub bank_account: String,
    pub amount: Decimal,
    pub transfer_reference: String,
    pub sent_at: i64,
    pub transaction_id: Uuid,
    pub recorded_at: i64,
    pub recorded_by: String,
}

/// Where what is sent from a bank account meets the bank's own debit.
pub fn outgoing_account(session: &Session, ledger_id: i32, bank_account: &str) -> Option<String> {
    session.run(&OUTGOING, &[ledger_id.into(), bank_account.into()]).first().map(|row| row.need(0))
}

/// What was sent for a line so far.
pub fn sent(session: &Session, ledger_id: i32, escrow_id: Uuid, line: i16) -> Decimal {
    let rows = session.run(&SENT, &[ledger_id.into(), escrow_id.into(), line.into()]);
    rows.first().map_or(Decimal::ZERO, |row| row.need_decimal(0))
}

/// Writes it down; false where the bank's transfer is there already.
pub fn insert(session: &Session, ledger_id: i32, release: &BankRelease) -> bool {
    let arguments = [
        ledger_id.into(),
        release.id.into(),
        release.escrow_id.into(),
        release.line.into(),
        release.transaction_id.into(),
        (&release.bank_account).into(),
        release.sent_at.into(),
        release.recorded_at.into(),
        release.amount.into(),
        (&release.transfer_reference).into(),
        (&release.recorded_by).into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}
