//! SQL of releases that are due.

use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, TIMESTAMPTZOID, UUIDARRAYOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

// Locks what is due, the longest overdue first, and leaves to others what they work on.
static TAKE: Statement = Statement::new(
    "SELECT escrow_id, reference FROM wallet_data.escrows
     WHERE ledger_id = $1 AND attempt_at <= $2 AND release_due_at <= $2
     ORDER BY attempt_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

// Who pays whom if all of them are released, or, where $3, refunded.
static FLOWS: Statement = Statement::new(
    "SELECT a.address, b.address, sum(l.amount)
     FROM unnest($2) AS due (escrow_id)
     CROSS JOIN LATERAL (SELECT e.account_id, e.buyer_account_id FROM wallet_data.escrows e
                         WHERE e.ledger_id = $1 AND e.escrow_id = due.escrow_id OFFSET 0) e
     CROSS JOIN LATERAL (SELECT l.beneficiary_account_id, l.fee_account_id, l.amount FROM wallet_data.escrow_lines l
                         WHERE l.ledger_id = $1 AND l.escrow_id = due.escrow_id OFFSET 0) l
     JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = e.account_id
     JOIN wallet_data.accounts b ON b.ledger_id = $1 AND b.account_id IN (
         l.beneficiary_account_id, l.fee_account_id, CASE WHEN $3 THEN e.buyer_account_id END)
     GROUP BY a.address, b.address",
    &[INT4OID, UUIDARRAYOID, BOOLOID],
);

static PUT_OFF: Statement = Statement::new(
    "UPDATE wallet_data.escrows SET attempt_at = $3 WHERE ledger_id = $1 AND escrow_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID],
);

/// Locks up to so many escrows that are due, and returns their ids and references.
pub fn take(session: &Session, ledger_id: i32, now: i64, max_count: i64) -> Vec<(Uuid, String)> {
    let rows = session.run(&TAKE, &[ledger_id.into(), now.into(), max_count.into()]);
    rows.iter().map(|row| (row.need_id(0), row.need(1))).collect()
}

/// From which account to which how much can go at most; `with_buyers` where it is to be refunded.
pub fn flows(
    session: &Session,
    ledger_id: i32,
    ids: &[Uuid],
    with_buyers: bool,
) -> Vec<(String, String, Decimal)> {
    let ids = Argument::ids(ids.iter().copied());
    let rows = session.run(&FLOWS, &[ledger_id.into(), ids, with_buyers.into()]);
    rows.iter().map(|row| (row.need(0), row.need(1), row.need_decimal(2))).collect()
}

/// Looks at an escrow again at a later time.
pub fn put_off(session: &Session, ledger_id: i32, id: Uuid, until: i64) {
    session.run(&PUT_OFF, &[ledger_id.into(), id.into(), until.into()]);
}
