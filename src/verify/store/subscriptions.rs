//! SQL that checks subscriptions: their periods are one unbroken run, and what was paid and given back was posted.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// The period of a subscription is the last one that it has paid.
pub static SUBSCRIPTIONS: Statement = Statement::new(
    concatcp!(
        "WITH periods AS (
             SELECT subscription_id, count(*) AS paid, max(period) AS last
             FROM wallet_data.subscription_periods WHERE ledger_id = $1 GROUP BY subscription_id),
         payments AS (
             SELECT subscription_id, transaction_id, amount, period
             FROM wallet_data.subscription_periods WHERE ledger_id = $1
             UNION ALL
             SELECT subscription_id, transaction_id, amount, NULL
             FROM wallet_data.subscription_refunds WHERE ledger_id = $1)
         SELECT 'subscription_periods_mismatch', s.subscription_id::text, s.period::text,
                coalesce(p.paid, 0) || ' up to ' || coalesce(p.last, 0), jsonb_build_object('reference', s.reference)
         FROM wallet_data.subscriptions s
         LEFT JOIN periods p ON p.subscription_id = s.subscription_id
         WHERE s.ledger_id = $1 AND (p.paid IS DISTINCT FROM s.period OR p.last IS DISTINCT FROM s.period)
         UNION ALL
         SELECT 'subscription_posting_missing', p.subscription_id::text, p.amount::text,
                coalesce(t.moved::text, 'nothing'),
                jsonb_build_object('period', p.period, 'transaction_id', p.transaction_id)
         FROM payments p
         CROSS JOIN LATERAL (SELECT ",
        moved!("p.transaction_id"),
        " AS moved) t
         WHERE t.moved IS DISTINCT FROM p.amount",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
