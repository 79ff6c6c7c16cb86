//! SQL of a member's overview: what the views say, put together for one member.

use crate::spi::{Session, Statement};
use pgrx::pg_sys::{INT4OID, TEXTOID, TIMESTAMPTZOID};
use serde_json::Value;

// Amounts are text: JavaScript would round numbers.
static MEMBER: Statement = Statement::new(
    "SELECT jsonb_build_object(
         'ledger', s.ledger, 'member', s.member, 'full_name', s.full_name, 'account', s.account, 'currency', s.currency,
         'balance', jsonb_build_object(
             'posted', s.posted::text, 'held', s.held::text, 'available', s.available::text, 'owed', s.owed::text),
         'spent', jsonb_build_object(
             'today', s.spent_today::text, 'this_week', s.spent_this_week::text,
             'this_month', s.spent_this_month::text),
         'refused_today', s.refused_today,
         'last_purchase', CASE WHEN s.last_purchase_at IS NOT NULL THEN jsonb_build_object(
             'purchased_at', s.last_purchase_at, 'amount', s.last_amount::text, 'merchant', s.last_merchant) END)
     FROM wallet_ledger.member_spending s
     JOIN wallet_data.ledgers l ON l.name = s.ledger
     WHERE l.ledger_id = $1 AND s.member = $2",
    &[INT4OID, TEXTOID],
);

// The member's own and the organisation's, unless one of the member's own replaces these; such a one may limit nothing
// itself: an exemption.
static LIMITS: Statement = Statement::new(
    "WITH counting AS (
         SELECT DISTINCT ON (c.account_id, c.name) c.*
         FROM wallet_data.members m
         JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
         JOIN wallet_data.spending_limits c ON c.ledger_id = m.ledger_id
          AND (c.account_id = m.account_id OR c.account_id IS NULL AND c.currency = a.currency)
         WHERE m.ledger_id = $1 AND m.member = $2 AND c.effective_from <= $3
         ORDER BY c.account_id, c.name, c.effective_from DESC, c.revision DESC),
     limiting AS (
         SELECT * FROM counting
         WHERE num_nonnulls(per_transaction, daily, weekly, monthly, windows, merchants, categories) > 0)
     SELECT jsonb_agg(jsonb_build_object(
                'name', i.name, 'is_default', i.account_id IS NULL, 'method', i.method,
                'per_transaction', i.per_transaction::text, 'daily', i.daily::text, 'weekly', i.weekly::text,
                'monthly', i.monthly::text, 'windows', i.windows, 'merchants', i.merchants,
                'categories', i.categories, 'set_by', i.set_by, 'effective_from', i.effective_from)
            ORDER BY i.account_id IS NULL, i.name)
     FROM limiting i
     WHERE i.account_id IS NOT NULL OR NOT EXISTS (SELECT FROM counting o WHERE o.replaces_default)",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID],
);

static DAYS: Statement = Statement::new(
    "SELECT jsonb_agg(jsonb_build_object(
                'day', d.day, 'category', d.category, 'amount', d.amount::text, 'refunded', d.refunded::text,
                'purchase_count', d.purchase_count) ORDER BY d.day DESC, d.category NULLS LAST)
     FROM (
         SELECT (p.purchased_at AT TIME ZONE l.timezone)::date AS day, i.category, sum(i.amount) AS amount,
                sum(i.refunded_amount) AS refunded, count(DISTINCT p.purchase_id) AS purchase_count
         FROM wallet_data.ledgers l
         JOIN wallet_data.purchases p ON p.ledger_id = l.ledger_id
         JOIN wallet_data.purchase_items i ON i.ledger_id = p.ledger_id AND i.purchase_id = p.purchase_id
         WHERE l.ledger_id = $1 AND p.member = $2 AND p.state_id = 1
           AND p.purchased_at >= (($3 AT TIME ZONE l.timezone)::date - ($4 - 1))::timestamp AT TIME ZONE l.timezone
           AND p.purchased_at < (($3 AT TIME ZONE l.timezone)::date + 1)::timestamp AT TIME ZONE l.timezone
         GROUP BY 1, i.category) d",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID, INT4OID],
);

// By when they were decided: the clock of a till may be years ahead, and be the reason.
static REFUSALS: Statement = Statement::new(
    "SELECT jsonb_agg(jsonb_build_object(
                'refused_at', r.created_at, 'purchased_at', r.purchased_at, 'merchant', r.merchant, 'device', r.device, 'amount', r.amount::text,
                'error', r.error -> 'detail' ->> 'error', 'reason', r.error -> 'detail' ->> 'reason',
                'message', r.error ->> 'message', 'purchase_id', r.purchase_id)
            ORDER BY r.created_at DESC, r.purchase_id DESC)
     FROM (
         SELECT p.* FROM wallet_data.ledgers l
         JOIN wallet_data.purchases p ON p.ledger_id = l.ledger_id
         WHERE l.ledger_id = $1 AND p.member = $2 AND p.state_id = 2
           AND p.created_at >= (($3 AT TIME ZONE l.timezone)::date - ($4 - 1))::timestamp AT TIME ZONE l.timezone
         ORDER BY p.created_at DESC, p.purchase_id DESC LIMIT $5) r",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID],
);

/// Balance, spending of the running periods, last purchase; `None` where there is no such member.
pub fn member(session: &Session, ledger_id: i32, member: &str) -> Option<Value> {
    session.read(&MEMBER, &[ledger_id.into(), member.into()]).first()?.json(0)
}

/// The limits that count for a member at a moment.
pub fn limits(session: &Session, ledger_id: i32, member: &str, at: i64) -> Option<Value> {
    session.read(&LIMITS, &[ledger_id.into(), member.into(), at.into()]).first()?.json(0)
}

/// What was bought in so many days up to a moment, by day and category.
pub fn days(session: &Session, ledger_id: i32, member: &str, at: i64, days: i32) -> Option<Value> {
    session.read(&DAYS, &[ledger_id.into(), member.into(), at.into(), days.into()]).first()?.json(0)
}

/// The last of what was refused in so many days up to a moment.
pub fn refusals(
    session: &Session,
    ledger_id: i32,
    member: &str,
    at: i64,
    days: i32,
    most: i32,
) -> Option<Value> {
    let arguments = [ledger_id.into(), member.into(), at.into(), days.into(), most.into()];
    session.read(&REFUSALS, &arguments).first()?.json(0)
}
