//! SQL of intents as mutations pay them: found, locked and closed, many at a time.

use super::codes;
use crate::bank::intent::rules::{Purpose, State};
use crate::money;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Row, Session, Statement, TupleId};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID, NUMERICOID, TEXTOID, TIDOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

const WANTED_COLUMNS: &[Column] = &[
    (c"line", INT4OID),
    (c"bank_account_id", INT4OID),
    (c"total", NUMERICOID),
    (c"number", TEXTOID),
    (c"occurred_from", TIMESTAMPTZOID),
    (c"occurred_until", TIMESTAMPTZOID),
];

// Locks what it finds, in the order of ids, and names the accounts of what it has locked. The accounts of unique codes
// are few, mostly one: they are looked up once, and not for every line.
const FOUND: &str = "WITH found AS MATERIALIZED (
         SELECT w.line, i.ctid AS tuple_id, i.intent_id, i.purpose_id, i.state_id, i.bank_account_id, i.credit_account_id,
                i.code_account_id, i.amount, i.total, i.reference, i.created_at, i.expires_at, i.accepts_until
         FROM wallet_wanted w
         JOIN wallet_data.intents i ON i.ledger_id = $1 AND ";
const NAMED: &str = "
         ORDER BY i.intent_id FOR UPDATE OF i),
     codes AS MATERIALIZED (
         SELECT c.account_id, c.address FROM wallet_data.accounts c
         WHERE c.ledger_id = $1 AND c.account_id IN (SELECT f.code_account_id FROM found f))
     SELECT f.line, f.tuple_id, f.intent_id, f.purpose_id, f.state_id, f.bank_account_id, a.address, c.address, a.scale,
            f.amount, f.total, f.reference, f.created_at, f.expires_at, f.accepts_until
     FROM found f
     JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = f.credit_account_id
     LEFT JOIN codes c ON c.account_id = f.code_account_id";

// Transfers are known by total and window.
static LOCK_BY_TOTAL: Statement = Statement::new(
    concatcp!(
        FOUND,
        "i.bank_account_id = w.bank_account_id AND i.total = w.total AND i.accepts_until >= w.occurred_from
         WHERE i.method_id = 1 AND i.created_at <= w.occurred_until + make_interval(secs => $2::double precision / 1000000)",
        NAMED
    ),
    &[INT4OID, INT8OID],
);
// The rest by number.
static LOCK_BY_NUMBER: Statement = Statement::new(
    concatcp!(FOUND, "i.number = w.number AND i.bank_account_id = w.bank_account_id", NAMED),
    &[INT4OID],
);

const PAYMENT_COLUMNS: &[Column] = &[
    (c"intent_id", UUIDOID),
    (c"tuple_id", TIDOID),
    (c"mutation_id", UUIDOID),
    (c"transaction_id", UUIDOID),
    (c"paid_amount", NUMERICOID),
];
const CLOSE: &str = "WITH closed AS (
         DELETE FROM wallet_data.live_intents l USING wallet_payments p
         WHERE l.ledger_id = $1 AND l.intent_id = p.intent_id)
     UPDATE wallet_data.intents i
     SET state_id = 4, closed_at = $2, mutation_id = p.mutation_id, transaction_id = p.transaction_id,
         paid_amount = p.paid_amount
     FROM wallet_payments p
     WHERE i.ledger_id = $1 AND i.intent_id = p.intent_id AND i.mutation_id IS NULL";
const PAID_LATE: &str = " RETURNING i.expires_at < $2 AND i.unique_code IS NOT NULL";
static PAY: Statement = Statement::new(concatcp!(CLOSE, PAID_LATE), &[INT4OID, TIMESTAMPTZOID]);
// The row is where it was locked, unless this transaction has changed it since: no index has to be asked.
static PAY_IN_PLACE: Statement =
    Statement::new(concatcp!(CLOSE, " AND i.ctid = p.tuple_id", PAID_LATE), &[INT4OID, TIMESTAMPTZOID]);

/// A locked intent, as far as who pays it has to know.
#[derive(Clone, Debug)]
pub struct Payable {
    pub id: Uuid,
    pub tuple_id: TupleId,
    pub purpose: Purpose,
    /// As stored; see [`State::at`].
    pub state: State,
    pub bank_account_id: i32,
    pub credit_account: String,
    pub code_account: Option<String>,
    pub amount: Decimal,
    pub total: Decimal,
    pub reference: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub accepts_until: i64,
}

/// What a new mutation is looked up by.
pub struct Wanted<'a> {
    pub line: usize,
    pub bank_account_id: i32,
    pub total: Decimal,
    pub number: Option<&'a str>,
    pub occurred_from: i64,
    pub occurred_until: i64,
}

/// Locks the intents that mutations could pay, and says for which line each one was found.
pub fn lock(
    session: &Session,
    ledger_id: i32,
    wanted: &[Wanted],
    clock_skew_micros: i64,
) -> Vec<(usize, Payable)> {
    let mut found = Vec::new();
    let (numbered, by_total): (Vec<&Wanted>, Vec<&Wanted>) =
        wanted.iter().partition(|wanted| wanted.number.is_some());
    for (group, by_number) in [(by_total, false), (numbered, true)] {
        if group.is_empty() {
            continue;
        }
        let mut batch = Batch::new(c"wallet_wanted", WANTED_COLUMNS);
        for wanted in group {
            batch.push(&[
                i32::try_from(wanted.line).unwrap_or(i32::MAX).into(),
                wanted.bank_account_id.into(),
                wanted.total.into(),
                wanted.number.into(),
                wanted.occurred_from.into(),
                wanted.occurred_until.into(),
            ]);
        }
        let _registered = batch.register();
        let rows = if by_number {
            session.run(&LOCK_BY_NUMBER, &[ledger_id.into()])
        } else {
            session.run(&LOCK_BY_TOTAL, &[ledger_id.into(), clock_skew_micros.into()])
        };
        found.extend(rows.iter().map(|row| (row.need::<i32>(0).unsigned_abs() as usize, read(&row))));
    }
    found
}

fn read(row: &Row) -> Payable {
    let scale = u32::from(row.need::<i16>(8).unsigned_abs());
    let scaled = |value| money::scaled(value, scale);
    Payable {
        tuple_id: row.need_tuple_id(1),
        id: row.need_id(2),
        purpose: Purpose::from_id(row.need(3)),
        state: State::from_id(row.need(4)),
        bank_account_id: row.need(5),
        credit_account: row.need(6),
        code_account: row.get(7),
        amount: scaled(row.need_decimal(9)),
        total: scaled(row.need_decimal(10)),
        reference: row.get(11),
        created_at: row.need_time(12),
        expires_at: row.need_time(13),
        accepts_until: row.need_time(14),
    }
}

/// A payment of an intent by a mutation.
pub struct Payment {
    pub intent_id: Uuid,
    /// Where the intent was locked, if that is known.
    pub tuple_id: Option<TupleId>,
    pub mutation_id: Uuid,
    pub transaction_id: Uuid,
    pub paid_amount: Decimal,
}

/// Marks intents paid; returns how many were not paid before.
pub fn pay(session: &Session, ledger_id: i32, payments: &[Payment], now: i64) -> usize {
    let mut batch = Batch::new(c"wallet_payments", PAYMENT_COLUMNS);
    for payment in payments {
        batch.push(&[
            payment.intent_id.into(),
            payment.tuple_id.into(),
            payment.mutation_id.into(),
            payment.transaction_id.into(),
            payment.paid_amount.into(),
        ]);
    }
    let _registered = batch.register();
    let (mut paid, mut late) = (0, false);
    let is_located = payments.iter().any(|payment| payment.tuple_id.is_some());
    for statement in is_located.then_some(&PAY_IN_PLACE).into_iter().chain([&PAY]) {
        if paid < payments.len() {
            let rows = session.run(statement, &[ledger_id.into(), now.into()]);
            paid += rows.count();
            late |= rows.iter().any(|row| row.need(0));
        }
    }
    if late {
        codes::rest_paid_late(session, ledger_id, now);
    }
    paid
}
