//! SQL of the totals that intents have taken.

use super::Intent;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, NUMERICOID, TIMESTAMPTZOID, UUIDOID};
use rust_decimal::Decimal;
use uuid::Uuid;

static TAKEN: Statement = Statement::new(
    "SELECT total FROM wallet_data.intent_codes
     WHERE ledger_id = $1 AND bank_account_id = $2 AND total > $3 AND total <= $4 AND free_at > $5",
    &[INT4OID, INT4OID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID],
);

// The primary key decides: of two sessions that want one total, the second waits and gets nothing. It keeps
// no lock on what it did not get (DO UPDATE would): two that have failed at each other's next total must
// not wait for each other.
static TAKE: Statement = Statement::new(
    "INSERT INTO wallet_data.intent_codes (ledger_id, bank_account_id, total, intent_id, free_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    &[INT4OID, INT4OID, NUMERICOID, UUIDOID, TIMESTAMPTZOID],
);

// The row of an earlier intent whose cool-down is over. Whoever has it locked is taking it over.
static TAKE_OVER: Statement = Statement::new(
    "UPDATE wallet_data.intent_codes SET intent_id = $4, free_at = $5
     FROM (SELECT FROM wallet_data.intent_codes
           WHERE ledger_id = $1 AND bank_account_id = $2 AND total = $3 AND free_at <= $6
           FOR UPDATE SKIP LOCKED) old
     WHERE ledger_id = $1 AND bank_account_id = $2 AND total = $3",
    &[INT4OID, INT4OID, NUMERICOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static FREE: Statement = Statement::new(
    "UPDATE wallet_data.intent_codes SET free_at = $5
     WHERE ledger_id = $1 AND bank_account_id = $2 AND total = $3 AND intent_id = $4",
    &[INT4OID, INT4OID, NUMERICOID, UUIDOID, TIMESTAMPTZOID],
);

// A payment does not touch this table: it is the busiest moment of an intent, and free_at already lies a
// cool-down behind its expiry. Only where codes have run out do those of paid intents count from payment. It
// waits for another session that does the same, and then finds what that one has left.
//
// Two statements: the first may have waited for a session that has opened a paid intent again, and still sees the
// intent as it was. Whoever opens one writes its code's row, so under these locks the second one's judgement holds.
//
// Written so that no plan, however young the tables' statistics, looks at more than each row once.
const PAID_AND_RESTED: &str = "SELECT k.total FROM wallet_data.intent_codes k
     WHERE k.ledger_id = $1 AND k.bank_account_id = $2 AND k.total > $3 AND k.total <= $4 AND k.free_at > $5
       AND (SELECT i.closed_at + i.cooldown FROM wallet_data.intents i
            WHERE i.ledger_id = $1 AND i.intent_id = k.intent_id AND i.state_id = 4) <= $5";
static LOCK_PAID: Statement = Statement::new(
    concatcp!(PAID_AND_RESTED, " ORDER BY k.total FOR UPDATE"),
    &[INT4OID, INT4OID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID],
);
const LOCKED_COLUMNS: &[Column] = &[(c"total", NUMERICOID)];
/// Reads the batch `wallet_locked`: the totals that the session has locked.
static FREE_PAID: Statement = Statement::new(
    concatcp!(
        "WITH due AS MATERIALIZED (",
        PAID_AND_RESTED,
        " AND k.total IN (SELECT w.total FROM wallet_locked w))
     UPDATE wallet_data.intent_codes c SET free_at = $5
     FROM due
     WHERE c.ledger_id = $1 AND c.bank_account_id = $2 AND c.total = due.total AND c.total > $3 AND c.total <= $4"
    ),
    &[INT4OID, INT4OID, NUMERICOID, NUMERICOID, TIMESTAMPTZOID],
);

/// Reads the batch `wallet_payments` of [`super::pay`].
static REST_PAID_LATE: Statement = Statement::new(
    "UPDATE wallet_data.intent_codes c SET free_at = $2 + i.cooldown
     FROM wallet_payments p
     JOIN wallet_data.intents i ON i.ledger_id = $1 AND i.intent_id = p.intent_id AND i.expires_at < $2
     WHERE c.ledger_id = $1 AND c.bank_account_id = i.bank_account_id AND c.total = i.total
       AND c.intent_id = i.intent_id",
    &[INT4OID, TIMESTAMPTZOID],
);

/// The totals in a range that may not be given out at this moment.
pub fn taken(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    above: Decimal,
    up_to: Decimal,
    now: i64,
) -> Vec<Decimal> {
    let arguments = [ledger_id.into(), bank_account_id.into(), above.into(), up_to.into(), now.into()];
    session.run(&TAKEN, &arguments).iter().map(|row| row.need_decimal(0)).collect()
}

/// Takes a total for an intent until `free_at`; false where another intent has it.
pub fn take(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    total: Decimal,
    intent_id: Uuid,
    free_at: i64,
    now: i64,
) -> bool {
    let arguments = [
        ledger_id.into(),
        bank_account_id.into(),
        total.into(),
        intent_id.into(),
        free_at.into(),
        now.into(),
    ];
    session.run(&TAKE, &arguments[..5]).count() == 1 || session.run(&TAKE_OVER, &arguments).count() == 1
}

/// Changes from when on an intent's total may be given to another; false where another has it already.
pub fn free(session: &Session, ledger_id: i32, intent: &Intent, free_at: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        intent.bank_account_id.into(),
        intent.total.into(),
        intent.id.into(),
        free_at.into(),
    ];
    session.run(&FREE, &arguments).count() == 1
}

/// Starts the cool-down of the totals of intents that were paid when their time was over: what lies behind
/// their expiry may be over as well.
pub(super) fn rest_paid_late(session: &Session, ledger_id: i32, now: i64) {
    session.run(&REST_PAID_LATE, &[ledger_id.into(), now.into()]);
}

/// Frees the totals in a range of intents that were paid longer than their cool-down ago.
pub fn reclaim(
    session: &Session,
    ledger_id: i32,
    bank_account_id: i32,
    above: Decimal,
    up_to: Decimal,
    now: i64,
) {
    let arguments = [ledger_id.into(), bank_account_id.into(), above.into(), up_to.into(), now.into()];
    let mut locked = Batch::new(c"wallet_locked", LOCKED_COLUMNS);
    let rows = session.run(&LOCK_PAID, &arguments);
    if rows.count() == 0 {
        return;
    }
    rows.iter().for_each(|row| locked.push(&[row.need_decimal(0).into()]));
    let _registered = locked.register();
    session.run(&FREE_PAID, &arguments);
}
