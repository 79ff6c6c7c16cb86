//! SQL of intents.

pub mod codes;
pub mod expiry;
pub mod paying;

use super::rules::{Method, Purpose, State};
use crate::account::store as accounts;
use crate::money;
use crate::spi::{Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// The accounts are found by their addresses; one that is missing inserts nothing, nor does a number or an order
// that a live intent has: the unique indexes of live_intents decide.
static INSERT: Statement = Statement::new(
    concatcp!(
        "WITH live AS (
         INSERT INTO wallet_data.live_intents
             (ledger_id, unique_code, bank_account_id, intent_id, due_at, number, order_reference)
         SELECT $1, $4, $5, $6, $10, $15, CASE WHEN $3 = 2 THEN $16 END
         WHERE EXISTS (SELECT FROM wallet_data.accounts a
                       WHERE a.ledger_id = $1 AND a.address = $7 AND a.stripe = 0)
           AND NOT EXISTS (SELECT FROM wallet_data.accounts a
                           WHERE a.ledger_id = $1 AND a.address IN ($7, $8) AND a.stripe + 0 = 0 AND ",
        accounts::IS_A_BANKS,
        ")
         ON CONFLICT DO NOTHING RETURNING intent_id)
     INSERT INTO wallet_data.intents
         (ledger_id, method_id, purpose_id, unique_code, bank_account_id, intent_id, credit_account_id,
          code_account_id, created_at, expires_at, accepts_until, cooldown, amount, total, number, reference,
          payer_name, description, metadata)
     SELECT $1, $2, $3, $4, $5, $6, a.account_id,
            (SELECT c.account_id FROM wallet_data.accounts c
             WHERE c.ledger_id = $1 AND c.address = $8 AND c.stripe = 0),
            $9, $10, $11, make_interval(secs => $12::double precision / 1000000), $13, $14, $15, $16, $17, $18, $19
     FROM live JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.address = $7 AND a.stripe = 0"
    ),
    &[
        INT4OID, INT2OID, INT2OID, INT2OID, INT4OID, UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
        TIMESTAMPTZOID, INT8OID, NUMERICOID, NUMERICOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID,
    ],
);

const COLUMNS: &str =
    "i.intent_id, i.method_id, i.purpose_id, i.state_id, i.bank_account_id, b.address, a.address, c.address,
     a.currency, a.scale, i.amount, i.unique_code, i.total, i.paid_amount, i.number, i.reference, i.payer_name,
     i.proof_reference, i.reason, i.mutation_id, i.transaction_id, i.created_at, i.expires_at, i.accepts_until,
     i.closed_at, (date_part('epoch', i.cooldown) * 1000000)::bigint, k.account_number, k.bank, k.holder_name";
const JOINS: &str =
    "JOIN wallet_data.bank_accounts k ON k.ledger_id = i.ledger_id AND k.bank_account_id = i.bank_account_id
     JOIN wallet_data.accounts b ON b.ledger_id = k.ledger_id AND b.account_id = k.account_id
     JOIN wallet_data.accounts a ON a.ledger_id = i.ledger_id AND a.account_id = i.credit_account_id
     LEFT JOIN wallet_data.accounts c ON c.ledger_id = i.ledger_id AND c.account_id = i.code_account_id";
const BY_ID: &str = " WHERE i.ledger_id = $1 AND i.intent_id = $2";

static FIND: Statement = Statement::new(
    concatcp!("SELECT ", COLUMNS, " FROM wallet_data.intents i ", JOINS, BY_ID),
    &[INT4OID, UUIDOID],
);
static LOCK: Statement = Statement::new(
    concatcp!("SELECT ", COLUMNS, " FROM wallet_data.intents i ", JOINS, BY_ID, " FOR UPDATE OF i"),
    &[INT4OID, UUIDOID],
);

// The live row of an intent that is opened again. Another session's order or number may not be visible yet: the
// unique indexes wait for it, and then decide.
static LIVE_AGAIN: Statement = Statement::new(
    "INSERT INTO wallet_data.live_intents
         (ledger_id, unique_code, bank_account_id, intent_id, due_at, number, order_reference)
     SELECT i.ledger_id, i.unique_code, i.bank_account_id, i.intent_id, i.expires_at, i.number,
            CASE WHEN i.purpose_id = 2 THEN i.reference END
     FROM wallet_data.intents i
     WHERE i.ledger_id = $1 AND i.intent_id = $2
     ON CONFLICT DO NOTHING",
    &[INT4OID, UUIDOID],
);

// Also undoes a payment: whatever is not given is cleared. What is over before its time accepts nothing that
// comes later.
static SET_STATE: Statement = Statement::new(
    "WITH closed AS (
         DELETE FROM wallet_data.live_intents WHERE ledger_id = $1 AND intent_id = $2 AND $3 NOT IN (1, 2, 3)),
     due AS (
         UPDATE wallet_data.live_intents l SET due_at = CASE WHEN $3 <> 2 THEN i.expires_at END
         FROM wallet_data.intents i
         WHERE l.ledger_id = $1 AND l.intent_id = $2 AND $3 IN (1, 2, 3)
           AND i.ledger_id = $1 AND i.intent_id = $2)
     UPDATE wallet_data.intents
     SET state_id = $3, closed_at = $4,
         accepts_until = CASE WHEN $3 = 5 AND $4 < expires_at THEN $4 ELSE accepts_until END,
         proof_reference = coalesce($5, proof_reference), reason = coalesce($6, reason),
         mutation_id = NULL, transaction_id = NULL, paid_amount = NULL
     WHERE ledger_id = $1 AND intent_id = $2",
    &[INT4OID, UUIDOID, INT2OID, TIMESTAMPTZOID, TEXTOID, TEXTOID],
);

/// An intent as it is stored, with its accounts.
#[derive(Clone, Debug)]
pub struct Intent {
    pub id: Uuid,
    pub method: Method,
    pub purpose: Purpose,
    /// As stored; see [`State::at`].
    pub state: State,
    pub bank_account_id: i32,
    pub bank_account: String,
    pub credit_account: String,
    pub code_account: Option<String>,
    pub currency: String,
    pub amount: Decimal,
    pub unique_code: Option<i16>,
    pub total: Decimal,
    pub paid_amount: Option<Decimal>,
    pub number: Option<String>,
    pub reference: Option<String>,
    pub payer_name: Option<String>,
    pub proof_reference: Option<String>,
    pub reason: Option<String>,
    pub mutation_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    pub created_at: i64,
    pub expires_at: i64,
    pub accepts_until: i64,
    pub closed_at: Option<i64>,
    pub cooldown_micros: i64,
    pub account_number: Option<String>,
    pub bank: Option<String>,
    pub holder_name: Option<String>,
}

/// An intent about to be written.
pub struct NewIntent<'a> {
    pub id: Uuid,
    pub method: Method,
    pub purpose: Purpose,
    pub unique_code: Option<i16>,
    pub bank_account_id: i32,
    pub credit_account: &'a str,
    pub code_account: Option<&'a str>,
    pub created_at: i64,
    pub expires_at: i64,
    pub accepts_until: i64,
    pub cooldown_micros: i64,
    pub amount: Decimal,
    pub total: Decimal,
    pub number: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub payer_name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// False where a live intent with its number or for its order is in the way, or an account is missing.
pub fn insert(session: &Session, ledger_id: i32, new: &NewIntent) -> bool {
    let arguments = [
        ledger_id.into(),
        (new.method as i16).into(),
        (new.purpose as i16).into(),
        new.unique_code.into(),
        new.bank_account_id.into(),
        new.id.into(),
        new.credit_account.into(),
        new.code_account.into(),
        new.created_at.into(),
        new.expires_at.into(),
        new.accepts_until.into(),
        new.cooldown_micros.into(),
        new.amount.into(),
        new.total.into(),
        new.number.into(),
        new.reference.into(),
        new.payer_name.into(),
        new.description.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

/// Reads an intent; with `lock` its row is locked to the end of the transaction.
pub fn find(session: &Session, ledger_id: i32, id: Uuid, lock: bool) -> Option<Intent> {
    let statement = if lock { &LOCK } else { &FIND };
    session.run(statement, &[ledger_id.into(), id.into()]).first().map(|row| read(&row))
}

/// Makes an intent that was closed hold its number and its order again. False if another one does.
pub fn live_again(session: &Session, ledger_id: i32, id: Uuid) -> bool {
    session.run(&LIVE_AGAIN, &[ledger_id.into(), id.into()]).count() == 1
}

/// Sets the state of a locked intent and takes away what tied it to a mutation.
pub fn set_state(
    session: &Session,
    ledger_id: i32,
    id: Uuid,
    state: State,
    closed_at: Option<i64>,
    proof_reference: Option<&str>,
    reason: Option<&str>,
) {
    let arguments = [
        ledger_id.into(),
        id.into(),
        (state as i16).into(),
        closed_at.into(),
        proof_reference.into(),
        reason.into(),
    ];
    session.run(&SET_STATE, &arguments);
}

fn read(row: &Row) -> Intent {
    let scale = u32::from(row.need::<i16>(9).unsigned_abs());
    let scaled = |value| money::scaled(value, scale);
    Intent {
        id: row.need_id(0),
        method: Method::from_id(row.need(1)),
        purpose: Purpose::from_id(row.need(2)),
        state: State::from_id(row.need(3)),
        bank_account_id: row.need(4),
        bank_account: row.need(5),
        credit_account: row.need(6),
        code_account: row.get(7),
        currency: row.need(8),
        amount: scaled(row.need_decimal(10)),
        unique_code: row.get(11),
        total: scaled(row.need_decimal(12)),
        paid_amount: row.decimal(13).map(scaled),
        number: row.get(14),
        reference: row.get(15),
        payer_name: row.get(16),
        proof_reference: row.get(17),
        reason: row.get(18),
        mutation_id: row.id(19),
        transaction_id: row.id(20),
        created_at: row.need_time(21),
        expires_at: row.need_time(22),
        accepts_until: row.need_time(23),
        closed_at: row.time(24),
        cooldown_micros: row.need(25),
        account_number: row.get(26),
        bank: row.get(27),
        holder_name: row.get(28),
    }
}
