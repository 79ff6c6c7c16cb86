//! SQL of calls that act on several escrows.

use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{INT4OID, TEXTARRAYOID, UUIDARRAYOID};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

static LOCK: Statement = Statement::new(
    "SELECT reference, escrow_id FROM wallet_data.escrows
     WHERE ledger_id = $1 AND reference = ANY ($2)
     ORDER BY reference FOR NO KEY UPDATE",
    &[INT4OID, TEXTARRAYOID],
);

// Who pays the buyers back, at most: the escrow what it holds, and those who were paid out of it.
static REFUNDS: Statement = Statement::new(
    "SELECT a.address, b.address, sum(p.amount)
     FROM unnest($2) AS asked (escrow_id)
     CROSS JOIN LATERAL (SELECT e.account_id, e.buyer_account_id,
                                e.amount - e.released_amount - e.refunded_amount AS held
                         FROM wallet_data.escrows e
                         WHERE e.ledger_id = $1 AND e.escrow_id = asked.escrow_id OFFSET 0) e
     CROSS JOIN LATERAL (SELECT l.beneficiary_account_id, l.fee_account_id,
                                l.fee_amount - l.returned_fee_amount AS fee,
                                l.released_amount - l.fee_amount - l.returned_amount + l.returned_fee_amount AS net
                         FROM wallet_data.escrow_lines l
                         WHERE l.ledger_id = $1 AND l.escrow_id = asked.escrow_id OFFSET 0) l
     CROSS JOIN LATERAL (VALUES (e.account_id, e.held), (l.beneficiary_account_id, l.net), (l.fee_account_id, l.fee))
         AS p (account_id, amount)
     JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = p.account_id
     JOIN wallet_data.accounts b ON b.ledger_id = $1 AND b.account_id = e.buyer_account_id
     WHERE p.amount > 0
     GROUP BY a.address, b.address",
    &[INT4OID, UUIDARRAYOID],
);

/// Locks those of these escrows that there are, in the order of their references.
pub fn lock<'a>(
    session: &Session,
    ledger_id: i32,
    references: impl Iterator<Item = &'a str>,
) -> HashMap<String, Uuid> {
    let references: Vec<&str> = references.collect();
    if references.is_empty() {
        return HashMap::new();
    }
    let rows = session.run(&LOCK, &[ledger_id.into(), Argument::texts(references.into_iter())]);
    rows.iter().map(|row| (row.need(0), row.need_id(1))).collect()
}

/// From which account to which how much can go at most if these escrows are refunded.
pub fn refunds(session: &Session, ledger_id: i32, ids: &[Uuid]) -> Vec<(String, String, Decimal)> {
    let rows = session.run(&REFUNDS, &[ledger_id.into(), Argument::ids(ids.iter().copied())]);
    rows.iter().map(|row| (row.need(0), row.need(1), row.need_decimal(2))).collect()
}
