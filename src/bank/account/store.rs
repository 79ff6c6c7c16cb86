//! SQL of bank accounts.

use super::rules::BankAccount;
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{BOOLOID, DATEOID, INT2OID, INT4OID, INT8ARRAYOID, NUMERICOID, TEXTARRAYOID, TEXTOID};
use rust_decimal::Decimal;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.bank_accounts
         (ledger_id, account_id, suspense_account_id, outgoing_account_id, provider_id, provider_bank_id,
          account_number, bank, holder_name, opening_balance, opened_on)
     SELECT $1, a.account_id, s.account_id, o.account_id, $5, $6, $7, $8, $9, $10, $11
     FROM wallet_data.accounts a, wallet_data.accounts s, wallet_data.accounts o
     WHERE a.ledger_id = $1 AND a.address = $2 AND a.stripe = 0
       AND s.ledger_id = $1 AND s.address = $3 AND s.stripe = 0
       AND o.ledger_id = $1 AND o.address = $4 AND o.stripe = 0
     ON CONFLICT DO NOTHING",
    &[INT4OID, TEXTOID, TEXTOID, TEXTOID, INT2OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, NUMERICOID, DATEOID],
);

const READ: &str =
    "SELECT b.bank_account_id, a.address, s.address, o.address, a.currency, a.scale, b.provider_id,
            b.provider_bank_id, b.account_number, b.bank, b.holder_name, b.opening_balance, b.opened_on, b.created_at
     FROM wallet_data.bank_accounts b
     JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id = b.account_id
     JOIN wallet_data.accounts s ON s.ledger_id = b.ledger_id AND s.account_id = b.suspense_account_id
     JOIN wallet_data.accounts o ON o.ledger_id = b.ledger_id AND o.account_id = b.outgoing_account_id
     WHERE b.ledger_id = $1";

static BY_ACCOUNT: Statement = Statement::new(concatcp!(READ, " AND a.address = $2"), &[INT4OID, TEXTOID]);
static BY_ID: Statement = Statement::new(concatcp!(READ, " AND b.bank_account_id = $2"), &[INT4OID, INT4OID]);
static OF_PROVIDER: Statement = Statement::new(
    concatcp!(READ, " AND b.provider_id = $2 ORDER BY b.bank_account_id LIMIT 2"),
    &[INT4OID, INT2OID],
);
static REPORTED: Statement = Statement::new(
    concatcp!(
        READ,
        " AND b.provider_id = $2 AND (b.provider_bank_id = ANY ($3) OR b.account_number = ANY ($4))
          ORDER BY b.bank_account_id"
    ),
    &[INT4OID, INT2OID, TEXTARRAYOID, TEXTARRAYOID],
);

// Taking mutations in, matching them and undoing it: one call after another for each bank account. The row
// is also written, though nothing in it changes: a transaction whose snapshot is older than the call before
// it is sent away here. A lock alone would let it through, and what it cannot see it would take for new.
// Two statements: one that locks and writes meets the row's older version again after it has waited for the
// newer one, and two such calls can wait for each other.
static LOCK: Statement = Statement::new(
    "SELECT bank_account_id FROM wallet_data.bank_accounts
     WHERE ledger_id = $1 AND bank_account_id = ANY ($2)
     ORDER BY bank_account_id FOR NO KEY UPDATE",
    &[INT4OID, INT8ARRAYOID],
);
static TOUCH: Statement = Statement::new(
    "UPDATE wallet_data.bank_accounts SET opening_balance = opening_balance
     WHERE ledger_id = $1 AND bank_account_id = ANY ($2)",
    &[INT4OID, INT8ARRAYOID],
);

// Some bank account's asset or suspense account.
static RESERVED: Statement = Statement::new(
    "SELECT FROM wallet_data.bank_accounts b
     JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id IN (b.account_id, b.suspense_account_id)
     WHERE b.ledger_id = $1 AND a.address = $2 LIMIT 1",
    &[INT4OID, TEXTOID],
);

// A member's wallet, a merchant's account, or an account of another bank account than $2. Only suspense accounts may
// be shared.
static OTHERS: Statement = Statement::new(
    "SELECT FROM wallet_data.accounts x
     WHERE x.ledger_id = $1 AND x.address = $3 AND x.stripe = 0
       AND (EXISTS (SELECT FROM wallet_data.members m WHERE m.ledger_id = $1 AND m.account_id = x.account_id)
            OR EXISTS (SELECT FROM wallet_data.merchants r WHERE r.ledger_id = $1 AND r.account_id = x.account_id)
            OR EXISTS (SELECT FROM wallet_data.bank_accounts b
                       JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id = b.account_id
                       WHERE b.ledger_id = $1 AND a.address <> $2
                         AND (x.account_id IN (b.account_id, b.outgoing_account_id)
                              OR x.account_id = b.suspense_account_id AND NOT $4)))",
    &[INT4OID, TEXTOID, TEXTOID, BOOLOID],
);

/// A bank account about to be registered; the three accounts exist.
pub struct NewBankAccount<'a> {
    pub account: &'a str,
    pub suspense_account: &'a str,
    pub outgoing_account: &'a str,
    pub provider_id: i16,
    pub provider_bank_id: Option<&'a str>,
    pub account_number: Option<&'a str>,
    pub bank: Option<&'a str>,
    pub holder_name: Option<&'a str>,
    pub opening_balance: Decimal,
    pub opened_on: Option<i32>,
}

/// False where the account, the provider's id or the number is registered already.
pub fn insert(session: &Session, ledger_id: i32, new: &NewBankAccount) -> bool {
    let arguments = [
        ledger_id.into(),
        new.account.into(),
        new.suspense_account.into(),
        new.outgoing_account.into(),
        new.provider_id.into(),
        new.provider_bank_id.into(),
        new.account_number.into(),
        new.bank.into(),
        new.holder_name.into(),
        new.opening_balance.into(),
        new.opened_on.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

pub fn by_account(session: &Session, ledger_id: i32, account: &str, look: bool) -> Option<BankAccount> {
    session.query(&BY_ACCOUNT, &[ledger_id.into(), account.into()], look).first().map(|row| read(&row))
}

pub fn by_id(session: &Session, ledger_id: i32, id: i32) -> Option<BankAccount> {
    session.run(&BY_ID, &[ledger_id.into(), id.into()]).first().map(|row| read(&row))
}

/// Up to two accounts of a provider: enough to know whether there is exactly one.
pub fn of_provider(session: &Session, ledger_id: i32, provider_id: i16) -> Vec<BankAccount> {
    let rows = session.run(&OF_PROVIDER, &[ledger_id.into(), provider_id.into()]);
    rows.iter().map(|row| read(&row)).collect()
}

/// The accounts that a provider reports under any of these ids or numbers.
pub fn reported(
    session: &Session,
    ledger_id: i32,
    provider_id: i16,
    bank_ids: &[&str],
    numbers: &[&str],
) -> Vec<BankAccount> {
    let arguments = [
        ledger_id.into(),
        provider_id.into(),
        Argument::texts(bank_ids.iter().copied()),
        Argument::texts(numbers.iter().copied()),
    ];
    session.run(&REPORTED, &arguments).iter().map(|row| read(&row)).collect()
}

/// Whether this is an account whose balance mutations alone make: the asset or suspense account of any bank
/// account.
pub fn is_reserved(session: &Session, ledger_id: i32, account: &str) -> bool {
    session.run(&RESERVED, &[ledger_id.into(), account.into()]).count() == 1
}

/// Whether an account that is to serve a bank account belongs to a member, a merchant or another bank account.
pub fn is_anothers(session: &Session, ledger_id: i32, bank: &str, account: &str, suspense: bool) -> bool {
    let arguments = [ledger_id.into(), bank.into(), account.into(), suspense.into()];
    session.run(&OTHERS, &arguments).count() == 1
}

/// Locks bank accounts in the order of their ids.
pub fn lock(session: &Session, ledger_id: i32, ids: &[i32]) {
    let arguments = [ledger_id.into(), Argument::numbers(ids.iter().map(|id| i64::from(*id)))];
    session.run(&LOCK, &arguments);
    session.run(&TOUCH, &arguments);
}

fn read(row: &Row) -> BankAccount {
    let scale = u32::from(row.need::<i16>(5).unsigned_abs());
    let mut opening_balance = row.need_decimal(11);
    opening_balance.rescale(scale);
    BankAccount {
        id: row.need(0),
        account: row.need(1),
        suspense_account: row.need(2),
        outgoing_account: row.need(3),
        currency: row.need(4),
        scale,
        provider_id: row.need(6),
        provider_bank_id: row.get(7),
        account_number: row.get(8),
        bank: row.get(9),
        holder_name: row.get(10),
        opening_balance,
        opened_on: row.get(12),
        created_at: row.need_time(13),
    }
}
