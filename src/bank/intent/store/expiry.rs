//! SQL of intents whose time is over, and of live ones that are in a new one's way.

use crate::spi::{Row, Session, Statement};
use pgrx::pg_sys::{INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// Materialized: a join that ran the subquery again would skip what the first run has locked, and the bound
// would be none. The intent's own row is what is locked: whoever closes it takes its live row away under that. One after the
// other as they are due, whatever PostgreSQL knows of the tables: it does not turn such a join round. The inner bound
// has it read the index of what is due, and not sort all of it; ten thousand may be what another call works on.
static EXPIRE: Statement = Statement::new(
    "WITH due AS MATERIALIZED (
         SELECT i.intent_id
         FROM (SELECT l.intent_id FROM wallet_data.live_intents l
               WHERE l.ledger_id = $1 AND l.due_at <= $2 ORDER BY l.due_at LIMIT 10000 + $3) l
         CROSS JOIN LATERAL (
             SELECT o.intent_id FROM wallet_data.intents o
             WHERE o.ledger_id = $1 AND o.intent_id = l.intent_id AND o.state_id IN (1, 3) AND o.expires_at <= $2
             FOR UPDATE SKIP LOCKED) i
         LIMIT $3),
     closed AS (
         DELETE FROM wallet_data.live_intents l USING due WHERE l.ledger_id = $1 AND l.intent_id = due.intent_id)
     UPDATE wallet_data.intents i SET state_id = 5, closed_at = i.expires_at
     FROM due
     WHERE i.ledger_id = $1 AND i.intent_id = due.intent_id
     RETURNING i.intent_id, i.reference, i.total",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

// Live by its row, over by its time: written down before another one takes its number or its order.
static EXPIRE_IN_THE_WAY: Statement = Statement::new(
    "WITH expired AS (
         UPDATE wallet_data.intents i SET state_id = 5, closed_at = i.expires_at
         FROM wallet_data.live_intents l
         WHERE l.ledger_id = $1 AND (l.bank_account_id = $3 AND l.number = $4 OR l.order_reference = $5)
           AND i.ledger_id = $1 AND i.intent_id = l.intent_id AND i.state_id IN (1, 3) AND i.expires_at <= $2
         RETURNING i.intent_id, i.reference, i.total),
     closed AS (
         DELETE FROM wallet_data.live_intents l USING expired e
         WHERE l.ledger_id = $1 AND l.intent_id = e.intent_id)
     SELECT * FROM expired",
    &[INT4OID, TIMESTAMPTZOID, INT4OID, TEXTOID, TEXTOID],
);
static IN_THE_WAY: Statement = Statement::new(
    "SELECT l.intent_id, i.expires_at, l.number IS NOT DISTINCT FROM $3 AND l.number IS NOT NULL
     FROM wallet_data.live_intents l
     JOIN wallet_data.intents i ON i.ledger_id = $1 AND i.intent_id = l.intent_id
     WHERE l.ledger_id = $1 AND (l.bank_account_id = $2 AND l.number = $3 OR l.order_reference = $4)
     LIMIT 1",
    &[INT4OID, INT4OID, TEXTOID, TEXTOID],
);

// Those in the way of an intent that is to be opened again, and the intent itself.
static LOCK_WITH_THOSE_IN_THE_WAY: Statement = Statement::new(
    "SELECT i.intent_id FROM wallet_data.intents i
     WHERE i.ledger_id = $1 AND i.intent_id IN (
         SELECT $2 UNION ALL
         SELECT l.intent_id FROM wallet_data.live_intents l
         WHERE l.ledger_id = $1 AND (l.bank_account_id = $3 AND l.number = $4 OR l.order_reference = $5))
     ORDER BY i.intent_id FOR UPDATE OF i",
    &[INT4OID, UUIDOID, INT4OID, TEXTOID, TEXTOID],
);

/// An intent whose time was written down to be over.
pub struct Expired {
    pub id: Uuid,
    pub reference: Option<String>,
    pub total: Decimal,
}

/// Writes down intents that are over, skipping those that somebody works on.
pub fn expire(session: &Session, ledger_id: i32, now: i64, max_count: i64) -> Vec<Expired> {
    let rows = session.run(&EXPIRE, &[ledger_id.into(), now.into(), max_count.into()]);
    rows.iter().map(|row| expired(&row)).collect()
}

/// The same for those that hold a number or an order which a new intent wants.
pub fn expire_in_the_way(
    session: &Session,
    ledger_id: i32,
    now: i64,
    bank_account_id: i32,
    number: Option<&str>,
    order: Option<&str>,
) -> Vec<Expired> {
    let arguments = [ledger_id.into(), now.into(), bank_account_id.into(), number.into(), order.into()];
    session.run(&EXPIRE_IN_THE_WAY, &arguments).iter().map(|row| expired(&row)).collect()
}

/// Locks an intent and the live ones with its number or for its order, by id.
pub fn lock_with_those_in_the_way(
    session: &Session,
    ledger_id: i32,
    id: Uuid,
    bank_account_id: i32,
    number: Option<&str>,
    order: Option<&str>,
) {
    let arguments = [ledger_id.into(), id.into(), bank_account_id.into(), number.into(), order.into()];
    session.run(&LOCK_WITH_THOSE_IN_THE_WAY, &arguments);
}

fn expired(row: &Row) -> Expired {
    Expired { id: row.need_id(0), reference: row.get(1), total: row.need_decimal(2) }
}

/// A live intent with this number or for this order: its id, when it expires, whether the number is it.
pub fn in_the_way(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    number: Option<&str>,
    order: Option<&str>,
) -> Option<(Uuid, i64, bool)> {
    let arguments = [ledger_id.into(), bank_account_id.into(), number.into(), order.into()];
    let rows = session.run(&IN_THE_WAY, &arguments);
    rows.first().map(|row| (row.need_id(0), row.need_time(1), row.need(2)))
}
