//! SQL of payments at gateways and to virtual accounts.
//!
//! Whoever writes a payment holds the row of its bank account.

use super::rules::choice::Bill;
use super::rules::{Payment, State};
use crate::bank::intent::rules::State as IntentState;
use crate::error::Result;
use crate::money;
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{BOOLOID, INT2OID, INT4OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// A bank account at a time, by OFFSET 0: the key of payments begins with it.
static ACCOUNTS_OF: Statement = Statement::new(
    "SELECT k.bank_account_id
     FROM wallet_data.bank_accounts k
     WHERE k.ledger_id = $1 AND k.provider_id = $2
       AND EXISTS (SELECT FROM wallet_data.gateway_payments g
                   WHERE g.ledger_id = $1 AND g.bank_account_id = k.bank_account_id AND g.payment_id = $3 OFFSET 0)
     ORDER BY 1",
    &[INT4OID, INT2OID, TEXTOID],
);

static BILLS: Statement = Statement::new(
    "SELECT i.intent_id, i.bank_account_id, i.state_id, i.total, i.created_at, i.expires_at, i.accepts_until
     FROM wallet_data.bank_accounts k
     JOIN wallet_data.intents i ON i.ledger_id = k.ledger_id AND i.bank_account_id = k.bank_account_id
      AND i.number = $3
     WHERE k.ledger_id = $1 AND k.provider_id = $2",
    &[INT4OID, INT2OID, TEXTOID],
);

static LOCK: Statement = Statement::new(
    "SELECT number, confirmed, credited, reversed, mutation_id, facts
     FROM wallet_data.gateway_payments
     WHERE ledger_id = $1 AND bank_account_id = $2 AND payment_id = $3
     FOR UPDATE",
    &[INT4OID, INT4OID, TEXTOID],
);

static PUT: Statement = Statement::new(
    "INSERT INTO wallet_data.gateway_payments
         (ledger_id, bank_account_id, payment_id, number, state_id, confirmed, credited, reversed, mutation_id, facts,
          created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
     ON CONFLICT (ledger_id, bank_account_id, payment_id) DO UPDATE
     SET state_id = excluded.state_id, confirmed = excluded.confirmed, credited = excluded.credited,
         reversed = excluded.reversed, mutation_id = excluded.mutation_id, facts = excluded.facts,
         updated_at = excluded.updated_at",
    &[
        INT4OID,
        INT4OID,
        TEXTOID,
        TEXTOID,
        INT2OID,
        BOOLOID,
        NUMERICOID,
        NUMERICOID,
        UUIDOID,
        JSONBOID,
        TIMESTAMPTZOID,
    ],
);

// Ids are compared byte by byte, and the semicolon is the byte after the colon: a range of the unique index. `+ 0`: it
// is not to be looked for among all mutations of the bank account.
static COUNT_REVERSALS: Statement = Statement::new(
    "SELECT count(*) FROM wallet_data.mutations
     WHERE ledger_id = $1 AND bank_account_id + 0 = $2 AND source_id = $3
       AND provider_mutation_id >= $4 || ':' AND provider_mutation_id < $4 || ';'",
    &[INT4OID, INT4OID, INT2OID, TEXTOID],
);

/// A payment as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub number: String,
    /// The caller had asked the gateway's own status API about a notice that moves money.
    pub confirmed: bool,
    /// What stands in the books.
    pub credited: Decimal,
    pub reversed: Decimal,
    /// The mutation that the credit is.
    pub mutation_id: Option<Uuid>,
    pub payment: Payment,
}

impl Stored {
    /// A payment of which nothing is known yet.
    pub fn new(number: &str, scale: u32) -> Self {
        Self {
            number: number.to_owned(),
            confirmed: false,
            credited: money::zero(scale),
            reversed: money::zero(scale),
            mutation_id: None,
            payment: Payment::default(),
        }
    }
}

/// The bank accounts of a provider at which a payment is known: one, if any.
pub fn accounts_of(session: &Session, ledger_id: i32, provider_id: i16, payment_id: &str) -> Vec<i32> {
    let rows = session.run(&ACCOUNTS_OF, &[ledger_id.into(), provider_id.into(), payment_id.into()]);
    rows.iter().map(|row| row.need(0)).collect()
}

/// Every intent with a number, at any bank account of the provider. Locks nothing.
pub fn bills(session: &Session, ledger_id: i32, provider_id: i16, number: &str) -> Vec<Bill> {
    let rows = session.run(&BILLS, &[ledger_id.into(), provider_id.into(), number.into()]);
    rows.iter()
        .map(|row| Bill {
            intent_id: row.need_id(0),
            bank_account_id: row.need(1),
            state: IntentState::from_id(row.need(2)),
            total: row.need_decimal(3),
            created_at: row.need_time(4),
            expires_at: row.need_time(5),
            accepts_until: row.need_time(6),
        })
        .collect()
}

/// Locks a payment and returns it, if it is known.
pub fn lock(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    payment_id: &str,
) -> Result<Option<Stored>> {
    let rows = session.run(&LOCK, &[ledger_id.into(), bank_account_id.into(), payment_id.into()]);
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Stored {
        number: row.need(0),
        confirmed: row.need(1),
        credited: row.need_decimal(2),
        reversed: row.need_decimal(3),
        mutation_id: row.id(4),
        payment: Payment::from_json(&row.json(5).unwrap_or_default())?,
    }))
}

/// Writes a payment, new or changed; its number stays the first.
pub fn put(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    payment_id: &str,
    stored: &Stored,
    state: State,
    now: i64,
) {
    let arguments = [
        ledger_id.into(),
        bank_account_id.into(),
        payment_id.into(),
        (&stored.number).into(),
        (state as i16).into(),
        stored.confirmed.into(),
        stored.credited.into(),
        stored.reversed.into(),
        stored.mutation_id.into(),
        Argument::json_value(&stored.payment.to_json()),
        now.into(),
    ];
    session.run(&PUT, &arguments);
}

/// How many mutations have an id that begins with this one and a colon.
pub fn count_reversals(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    source_id: i16,
    prefix: &str,
) -> i64 {
    let arguments = [ledger_id.into(), bank_account_id.into(), source_id.into(), prefix.into()];
    session.run(&COUNT_REVERSALS, &arguments).first().map_or(0, |row| row.need(0))
}
