//! SQL of `wallet_data.payment_actions`.

use super::Action;
use crate::spi::{Session, Statement};
use pgrx::pg_sys::{INT4OID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use uuid::Uuid;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.payment_actions
         (ledger_id, action_id, action, mutation_id, intent_id, transaction_id, undone_transaction_id, actor, reason,
          created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    &[INT4OID, UUIDOID, TEXTOID, UUIDOID, UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

pub fn insert(session: &Session, ledger_id: i32, action: &Action, actor: &str, now: i64) {
    let arguments = [
        ledger_id.into(),
        Uuid::now_v7().into(),
        action.action.into(),
        action.mutation_id.into(),
        action.intent_id.into(),
        action.transaction_id.into(),
        action.undone_transaction_id.into(),
        actor.into(),
        action.reason.into(),
        now.into(),
    ];
    session.run(&INSERT, &arguments);
}
