//! SQL of reading an account's history. Nothing here writes, locks or assigns a transaction id.

use crate::account::rules::{Side, Type};
use crate::spi::{Argument, Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, INT8ARRAYOID, INT8OID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;
use uuid::Uuid;

static ROWS: Statement = Statement::new(
    "SELECT account_id, stripe, stripe_count, type_id, currency, scale, posted, version, last_posted_at
     FROM wallet_data.accounts
     WHERE ledger_id = $1 AND address = $2 AND (stripe > 0 OR stripe_count = 1) ORDER BY stripe",
    &[INT4OID, TEXTOID],
);

// One version is one row of one of the two unique indexes.
static ENTRY: Statement = Statement::new(
    "SELECT debit_balance, created_at FROM wallet_data.transfers
     WHERE ledger_id = $1 AND debit_account_id = $2 AND debit_version = $3
     UNION ALL
     SELECT credit_balance, created_at FROM wallet_data.transfers
     WHERE ledger_id = $1 AND credit_account_id = $2 AND credit_version = $3",
    &[INT4OID, INT8OID, INT8OID],
);

// What effective time adds to, or takes from, the debits minus credits of the versions up to $3. The
// condition on the two times is that of the partial indexes: only dated transfers are read.
static DATED: Statement = Statement::new(
    "SELECT coalesce(sum(d.amount), 0) FROM (
         SELECT CASE WHEN debit_version > $3 THEN amount ELSE - amount END AS amount
         FROM wallet_data.transfers
         WHERE ledger_id = $1 AND debit_account_id = $2 AND effective_at <> created_at
           AND (debit_version > $3) = (effective_at <= $4)
         UNION ALL
         SELECT CASE WHEN credit_version > $3 THEN - amount ELSE amount END
         FROM wallet_data.transfers
         WHERE ledger_id = $1 AND credit_account_id = $2 AND effective_at <> created_at
           AND (credit_version > $3) = (effective_at <= $4)) d",
    &[INT4OID, INT8OID, INT8OID, TIMESTAMPTZOID],
);

static HELD: Statement = Statement::new(
    "SELECT coalesce(sum(amount), 0) FROM wallet_data.holds
     WHERE ledger_id = $1 AND account_id = ANY ($2) AND created_at <= $3
       AND least(resolved_at, expires_at) > $3",
    &[INT4OID, INT8ARRAYOID, TIMESTAMPTZOID],
);

const ENTRIES: &str = "(SELECT debit_version AS version, true AS is_debit, debit_balance AS balance, t.*
      FROM wallet_data.transfers t
      WHERE ledger_id = $1 AND debit_account_id = $2 AND debit_version > $3 AND debit_version <= $4
      UNION ALL
      SELECT credit_version, false, credit_balance, t.* FROM wallet_data.transfers t
      WHERE ledger_id = $1 AND credit_account_id = $2 AND credit_version > $3 AND credit_version <= $4) e";

const LINES: &str = concatcp!(
    "SELECT e.version, e.is_debit, e.amount, e.balance, d.address, c.address, e.kind_id, e.transfer_id,
            coalesce(e.transaction_id, e.transfer_id), e.reference, e.description, e.metadata, e.reverses_id,
            e.effective_at, e.created_at
     FROM ",
    ENTRIES,
    " JOIN wallet_data.accounts d ON d.ledger_id = $1 AND d.account_id = e.debit_account_id
      JOIN wallet_data.accounts c ON c.ledger_id = $1 AND c.account_id = e.credit_account_id"
);

// Versions have no gaps, so the range itself is the page: whatever the plan, no more is read.
static PAGE: Statement =
    Statement::new(concatcp!(LINES, " ORDER BY e.version"), &[INT4OID, INT8OID, INT8OID, INT8OID]);

static PAGE_OF_KIND: Statement = Statement::new(
    concatcp!(LINES, " WHERE e.kind_id = $5 ORDER BY e.version LIMIT $6"),
    &[INT4OID, INT8OID, INT8OID, INT8OID, INT2OID, INT8OID],
);

static COUNT_OF_KIND: Statement = Statement::new(
    concatcp!("SELECT count(*) FROM ", ENTRIES, " WHERE e.kind_id = $5"),
    &[INT4OID, INT8OID, INT8OID, INT8OID, INT2OID],
);

/// One row of balance: a plain account, or a stripe.
#[derive(Clone, Debug)]
pub struct BalanceRow {
    pub id: i64,
    pub stripe: i16,
    pub stripe_count: i16,
    pub account_type: Type,
    pub currency: String,
    pub scale: u32,
    pub posted: Decimal,
    pub version: i64,
    pub last_posted_at: i64,
}

/// What a posting left behind on one of its accounts.
pub struct Entry {
    pub balance: Decimal,
    pub created_at: i64,
}

/// One posting as its account sees it.
pub struct Line {
    pub version: i64,
    pub side: Side,
    pub amount: Decimal,
    pub balance: Decimal,
    pub debit_account: String,
    pub credit_account: String,
    pub kind_id: i16,
    pub transfer_id: Uuid,
    pub transaction_id: Uuid,
    pub reference: Option<String>,
    pub description: Option<String>,
    pub metadata: Option<Document>,
    pub reverses_id: Option<Uuid>,
    pub effective_at: i64,
    pub created_at: i64,
}

/// Versions `after` < v <= `until` of one row of balance.
#[derive(Clone, Copy)]
pub struct Range {
    pub ledger_id: i32,
    pub account_id: i64,
    pub after: i64,
    pub until: i64,
}

/// Where an account's balance is kept: one row, or all stripes in order. Empty where there is none.
pub fn rows(session: &Session, ledger_id: i32, address: &str) -> Vec<BalanceRow> {
    let rows = session.read(&ROWS, &[ledger_id.into(), address.into()]);
    rows.iter()
        .map(|row| {
            let scale = u32::from(row.need::<i16>(5).unsigned_abs());
            let mut posted = row.need_decimal(6);
            posted.rescale(scale);
            BalanceRow {
                id: row.need(0),
                stripe: row.need(1),
                stripe_count: row.need(2),
                account_type: Type::from_id(row.need(3)),
                currency: row.need(4),
                scale,
                posted,
                version: row.need(7),
                last_posted_at: row.need_time(8),
            }
        })
        .collect()
}

/// The posting with that version.
pub fn entry(session: &Session, ledger_id: i32, account_id: i64, version: i64) -> Option<Entry> {
    let rows = session.read(&ENTRY, &[ledger_id.into(), account_id.into(), version.into()]);
    rows.first().map(|row| Entry { balance: row.need_decimal(0), created_at: row.need_time(1) })
}

/// The difference, as debits minus credits, between effective and posting time at `at`, where the
/// versions up to `version` were posted by then.
pub fn dated(session: &Session, ledger_id: i32, account_id: i64, version: i64, at: i64) -> Decimal {
    let arguments = [ledger_id.into(), account_id.into(), version.into(), at.into()];
    session.read(&DATED, &arguments).first().map_or(Decimal::ZERO, |row| row.need_decimal(0))
}

/// The sum of holds that were made at or before `at` and neither resolved nor expired by then.
pub fn held(session: &Session, ledger_id: i32, ids: impl Iterator<Item = i64>, at: i64) -> Decimal {
    let arguments = [ledger_id.into(), Argument::numbers(ids), at.into()];
    session.read(&HELD, &arguments).first().map_or(Decimal::ZERO, |row| row.need_decimal(0))
}

/// Every line of the range, in order.
pub fn page(session: &Session, range: Range) -> Vec<Line> {
    session.read(&PAGE, &arguments(range)).iter().map(|row| line(&row)).collect()
}

/// The first `count` lines of that kind in the range, in order.
pub fn page_of_kind(session: &Session, range: Range, kind_id: i16, count: i64) -> Vec<Line> {
    let mut arguments = arguments(range).to_vec();
    arguments.push(kind_id.into());
    arguments.push(count.into());
    session.read(&PAGE_OF_KIND, &arguments).iter().map(|row| line(&row)).collect()
}

/// How many lines of that kind the range has. Reads all of the range.
pub fn count_of_kind(session: &Session, range: Range, kind_id: i16) -> i64 {
    let mut arguments = arguments(range).to_vec();
    arguments.push(kind_id.into());
    session.read(&COUNT_OF_KIND, &arguments).first().map_or(0, |row| row.need(0))
}

fn arguments(range: Range) -> [Argument; 4] {
    [range.ledger_id.into(), range.account_id.into(), range.after.into(), range.until.into()]
}

fn line(row: &Row) -> Line {
    Line {
        version: row.need(0),
        side: if row.need(1) { Side::Debit } else { Side::Credit },
        amount: row.need_decimal(2),
        balance: row.need_decimal(3),
        debit_account: row.need(4),
        credit_account: row.need(5),
        kind_id: row.need(6),
        transfer_id: row.need_id(7),
        transaction_id: row.need_id(8),
        reference: row.get(9),
        description: row.get(10),
        metadata: row.document(11),
        reverses_id: row.id(12),
        effective_at: row.need_time(13),
        created_at: row.need_time(14),
    }
}
