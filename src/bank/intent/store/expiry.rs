//! SQL of intents whose time is over, and of live ones that are in a new one's way.

use crate::spi::{Row, Session, Statement};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// Materialized: a join that ran the subquery again would skip what the first run has locked, and the bound
// would be none.
static EXPIRE: Statement = Statement::new(
    "WITH due AS MATERIALIZED (
         SELECT intent_id FROM wallet_data.intents
         WHERE ledger_id = $1 AND state_id IN (1, 3) AND expires_at <= $2
         ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     UPDATE wallet_data.intents i SET state_id = 5, closed_at = i.expires_at
     FROM due
     WHERE i.ledger_id = $1 AND i.intent_id = due.intent_id
     RETURNING i.intent_id, i.reference, i.total",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

// Live by its row, over by its time: written down before another one takes its number or its order.
static EXPIRE_IN_THE_WAY: Statement = Statement::new(
    "UPDATE wallet_data.intents SET state_id = 5, closed_at = expires_at
     WHERE ledger_id = $1 AND state_id IN (1, 3) AND expires_at <= $2
       AND (bank_account_id = $3 AND number = $4 OR $5 AND purpose_id = 2 AND reference = $6)
     RETURNING intent_id, reference, total",
    &[INT4OID, TIMESTAMPTZOID, INT4OID, TEXTOID, BOOLOID, TEXTOID],
);
static IN_THE_WAY: Statement = Statement::new(
    "SELECT intent_id, expires_at, number IS NOT DISTINCT FROM $3 AND number IS NOT NULL FROM wallet_data.intents
     WHERE ledger_id = $1 AND state_id IN (1, 2, 3)
       AND (bank_account_id = $2 AND number = $3 OR $4 AND purpose_id = 2 AND reference = $5)
     LIMIT 1",
    &[INT4OID, INT4OID, TEXTOID, BOOLOID, TEXTOID],
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
    let arguments = [
        ledger_id.into(),
        now.into(),
        bank_account_id.into(),
        number.into(),
        order.is_some().into(),
        order.into(),
    ];
    session.run(&EXPIRE_IN_THE_WAY, &arguments).iter().map(|row| expired(&row)).collect()
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
    let arguments =
        [ledger_id.into(), bank_account_id.into(), number.into(), order.is_some().into(), order.into()];
    let rows = session.run(&IN_THE_WAY, &arguments);
    rows.first().map(|row| (row.need_id(0), row.need_time(1), row.need(2)))
}
