//! SQL that checks what accounts have spent: each counter against the transfers of its periods, and the limits that
//! stand beside it against those that count.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// A counter says for which kinds, from when until when, and for which scopes it counts: the total without a
// name, m: a merchant's account, c: a category, a: a way of identification. Its times are microseconds since
// the year 2000.
pub static SPENDING: Statement = Statement::new(
    concatcp!(
        "SELECT 'spending_differs', a.address::text, coalesce(t.spent, 0)::text, c.counted::text,
                jsonb_build_object('scope', c.scope, 'from', c.period_start, 'until', c.period_end)
         FROM wallet_data.accounts a
         CROSS JOIN LATERAL (
             SELECT s.scope, (s.sums->>p.number)::numeric AS counted,
                    '2000-01-01 00:00:00+00'::timestamptz
                        + (a.spending->'starts'->>p.number)::bigint * interval '1 microsecond' AS period_start,
                    '2000-01-01 00:00:00+00'::timestamptz
                        + (a.spending->'ends'->>p.number)::bigint * interval '1 microsecond' AS period_end
             FROM json_each(a.spending->'spent') s (scope, sums)
             CROSS JOIN generate_series(0, 2) p (number)) c
         CROSS JOIN LATERAL (
             SELECT sum(t.amount - coalesce(r.reversed_amount, 0)) AS spent
             FROM wallet_data.transfers t
             JOIN wallet_data.accounts o ON o.ledger_id = t.ledger_id
              AND o.account_id = CASE t.debit_account_id WHEN a.account_id THEN t.credit_account_id
                                 ELSE t.debit_account_id END
             LEFT JOIN wallet_data.reversal_totals r ON r.ledger_id = t.ledger_id AND r.transfer_id = t.transfer_id
             WHERE t.ledger_id = a.ledger_id
               -- Money leaves what has a debit balance by a credit, and the rest by a debit.
               AND ((a.type_id IN (1, 5) AND t.credit_account_id = a.account_id)
                    OR (a.type_id NOT IN (1, 5) AND t.debit_account_id = a.account_id))
               AND t.effective_at >= c.period_start AND t.effective_at < c.period_end
               AND t.kind_id IN (SELECT k.kind_id::integer FROM json_array_elements_text(a.spending->'kinds') k (kind_id))
               AND (c.scope = '' OR c.scope = 'm:' || o.address OR c.scope = 'c:' || (t.metadata->>'category')
                    OR c.scope = 'a:' || (t.metadata->>'method'))) t
         WHERE a.ledger_id = $1 AND a.spending->'spent' IS NOT NULL AND c.counted <> coalesce(t.spent, 0)
         UNION ALL
         SELECT 'limits_differ', a.address::text, coalesce(n.limits, 'none'), coalesce(s.limits, 'none'), '{}'::jsonb
         FROM wallet_data.accounts a
         CROSS JOIN LATERAL (
             SELECT string_agg(concat_ws(' ', l.value->>'name', l.value->>'revision', l.value->>'is_default'), ', '
                               ORDER BY l.value->>'name' COLLATE \"C\", l.value->>'is_default') AS limits
             FROM json_array_elements(a.spending->'limits') l) s
         CROSS JOIN LATERAL (
             SELECT string_agg(concat_ws(' ', w.name, w.revision, CASE WHEN w.is_default THEN 'true' END), ', '
                               ORDER BY w.name COLLATE \"C\", CASE WHEN w.is_default THEN 'true' END) AS limits
             FROM (SELECT c.*, bool_or(c.replaces_default AND NOT c.is_default) OVER () AS is_replaced
                   FROM (SELECT DISTINCT ON (d.account_id, d.name) d.*, d.account_id IS NULL AS is_default
                         FROM wallet_data.spending_limits d
                         WHERE d.ledger_id = a.ledger_id
                           -- The organisation's count for members' wallets only.
                           AND (d.account_id = a.account_id
                                OR (d.account_id IS NULL
                                    AND EXISTS (SELECT FROM wallet_data.members m
                                                WHERE m.ledger_id = a.ledger_id AND m.account_id = a.account_id)))
                           AND d.effective_from <= statement_timestamp()
                         ORDER BY d.account_id, d.name, d.effective_from DESC, d.revision DESC) c) w
             WHERE num_nonnulls(w.per_transaction, w.daily, w.weekly, w.monthly, w.windows, w.merchants, w.categories) > 0
               AND NOT (w.is_default AND (w.is_replaced OR w.currency <> a.currency))) n
         WHERE a.ledger_id = $1 AND a.spending->'until' IS NOT NULL AND s.limits IS DISTINCT FROM n.limits
           -- A change that was made ahead and has begun is seen at the next payment.
           AND '2000-01-01 00:00:00+00'::timestamptz
               + least((a.spending->>'until')::bigint, 9000000000000000) * interval '1 microsecond'
               > statement_timestamp()",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
