//! SQL that checks purchases: sums against lines, refunds and postings, tills' numbers against what was sold.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// Sums are compared as arrays: amount and refunded. The lines that one transfer paid come to its amount; a refund
// reverses those transfers, and of what its transaction moves nothing else counts: the rest pays a debt back.
pub static PURCHASES: Statement = Statement::new(
    concatcp!(
        "WITH lines AS (
             SELECT purchase_id, ARRAY[sum(amount), sum(refunded_amount)] AS sums
             FROM wallet_data.purchase_items WHERE ledger_id = $1 GROUP BY purchase_id),
         refunds AS (
             SELECT purchase_id, sum(amount) AS refunded
             FROM wallet_data.purchase_refunds WHERE ledger_id = $1 GROUP BY purchase_id),
         paid AS (
             SELECT purchase_id, transfer_id, sum(amount) AS amount, sum(refunded_amount) AS refunded
             FROM wallet_data.purchase_items WHERE ledger_id = $1 GROUP BY purchase_id, transfer_id
             UNION ALL
             SELECT purchase_id, overdraft_transfer_id, overdraft_amount, overdraft_returned_amount
             FROM wallet_data.purchases
             WHERE ledger_id = $1 AND overdraft_transfer_id IS NOT NULL)
         SELECT 'purchase_sum_mismatch', p.purchase_id::text, s.sums::text, l.sums::text,
                jsonb_build_object('member', p.member, 'merchant', p.merchant)
         FROM wallet_data.purchases p
         LEFT JOIN lines l ON l.purchase_id = p.purchase_id
         CROSS JOIN LATERAL (SELECT ARRAY[p.amount, p.refunded_amount]::numeric[]) AS s (sums)
         WHERE p.ledger_id = $1 AND l.sums IS DISTINCT FROM s.sums
         UNION ALL
         SELECT 'purchase_sum_mismatch', p.purchase_id::text, p.refunded_amount::text, coalesce(r.refunded, 0)::text,
                jsonb_build_object('refunds', true)
         FROM wallet_data.purchases p
         LEFT JOIN refunds r ON r.purchase_id = p.purchase_id
         WHERE p.ledger_id = $1 AND p.refunded_amount <> coalesce(r.refunded, 0)
         UNION ALL
         SELECT 'purchase_sum_mismatch', p.purchase_id::text, 'at most ' || v.whole, v.part::text,
                jsonb_build_object('line', v.line)
         FROM (SELECT purchase_id, NULL::smallint AS line, amount AS whole, refunded_amount AS part
               FROM wallet_data.purchases WHERE ledger_id = $1
               UNION ALL
               SELECT purchase_id, NULL, overdraft_amount, overdraft_returned_amount
               FROM wallet_data.purchases WHERE ledger_id = $1
               UNION ALL
               SELECT purchase_id, line, amount, refunded_amount FROM wallet_data.purchase_items WHERE ledger_id = $1
               UNION ALL
               SELECT purchase_id, line, quantity, refunded_quantity
               FROM wallet_data.purchase_items WHERE ledger_id = $1) v
         JOIN wallet_data.purchases p ON p.ledger_id = $1 AND p.purchase_id = v.purchase_id
         WHERE v.part > v.whole
         UNION ALL
         SELECT 'purchase_posting_mismatch', p.purchase_id::text,
                CASE WHEN p.state_id = 1 THEN d.amount::text ELSE 'nothing' END,
                coalesce(t.amount::text, CASE WHEN d.transfer_id IS NULL THEN 'no transfer' ELSE 'missing' END),
                jsonb_build_object('transfer_id', d.transfer_id)
         FROM paid d
         JOIN wallet_data.purchases p ON p.ledger_id = $1 AND p.purchase_id = d.purchase_id
         LEFT JOIN wallet_data.transfers t ON t.ledger_id = $1 AND t.transfer_id = d.transfer_id
         WHERE CASE WHEN p.state_id = 2 THEN d.transfer_id IS NOT NULL OR p.transaction_id IS NOT NULL
                    ELSE t.amount IS DISTINCT FROM d.amount
                         OR coalesce(t.transaction_id, t.transfer_id) IS DISTINCT FROM p.transaction_id END
         UNION ALL
         SELECT 'purchase_posting_mismatch', d.purchase_id::text, d.refunded::text, coalesce(v.reversed_amount, 0)::text,
                jsonb_build_object('transfer_id', d.transfer_id, 'reversed', true)
         FROM paid d
         LEFT JOIN wallet_data.reversal_totals v ON v.ledger_id = $1 AND v.transfer_id = d.transfer_id
         WHERE d.transfer_id IS NOT NULL AND coalesce(v.reversed_amount, 0) <> d.refunded
         UNION ALL
         SELECT 'purchase_posting_mismatch', r.purchase_id::text, r.amount::text, coalesce(t.moved, 0)::text,
                jsonb_build_object('refund_id', r.refund_id)
         FROM wallet_data.purchase_refunds r
         CROSS JOIN LATERAL (
             SELECT sum(x.amount) AS moved
             FROM (SELECT y.amount, y.reverses_id FROM wallet_data.transfers y
                   WHERE y.ledger_id = $1 AND y.transaction_id = r.transaction_id
                   UNION ALL
                   SELECT y.amount, y.reverses_id FROM wallet_data.transfers y
                   WHERE y.ledger_id = $1 AND y.transfer_id = r.transaction_id AND y.transaction_id IS NULL) x
             WHERE EXISTS (SELECT FROM wallet_data.purchase_items i
                           WHERE i.ledger_id = $1 AND i.purchase_id = r.purchase_id
                             AND i.transfer_id = x.reverses_id)) t
         WHERE r.ledger_id = $1 AND coalesce(t.moved, 0) <> r.amount
         UNION ALL
         SELECT 'purchase_party_missing', p.purchase_id::text, NULL, v.name, jsonb_build_object('party', v.party)
         FROM wallet_data.purchases p
         LEFT JOIN wallet_data.members m ON m.ledger_id = $1 AND m.member = p.member
         LEFT JOIN wallet_data.merchants r ON r.ledger_id = $1 AND r.merchant = p.merchant
         LEFT JOIN wallet_data.devices d ON d.ledger_id = $1 AND d.device = p.device
         CROSS JOIN LATERAL (VALUES
             ('member', p.member, m.account_id IS DISTINCT FROM p.account_id),
             ('merchant', p.merchant, r.merchant IS NULL),
             ('device', p.device, p.device IS NOT NULL AND d.merchant IS DISTINCT FROM p.merchant)
             ) v (party, name, wrong)
         WHERE p.ledger_id = $1 AND v.wrong
         UNION ALL
         SELECT DISTINCT 'purchase_party_missing', i.purchase_id::text, NULL, NULL, jsonb_build_object('party', 'purchase')
         FROM wallet_data.purchase_items i
         LEFT JOIN wallet_data.purchases p ON p.ledger_id = $1 AND p.purchase_id = i.purchase_id
         WHERE i.ledger_id = $1 AND p.purchase_id IS NULL
         UNION ALL
         SELECT 'device_entry_mismatch', coalesce(e.device, p.device) || ':' || coalesce(e.sequence, p.device_sequence),
                v.expected, v.actual, jsonb_build_object('purchase_id', coalesce(e.purchase_id, p.purchase_id))
         FROM (SELECT * FROM wallet_data.device_entries WHERE ledger_id = $1 AND purchase_id IS NOT NULL) e
         FULL JOIN (SELECT * FROM wallet_data.purchases WHERE ledger_id = $1 AND device_sequence IS NOT NULL) p
           ON p.purchase_id = e.purchase_id
         CROSS JOIN LATERAL (SELECT
             p.device || ':' || p.device_sequence || CASE WHEN p.state_id = 2 THEN ' rejected'
                 WHEN p.is_overdraft THEN ' overdraft' ELSE ' accepted' END,
             e.device || ':' || e.sequence || (ARRAY[' accepted', ' overdraft', ' rejected'])[e.state_id]
             ) v (expected, actual)
         WHERE v.expected IS DISTINCT FROM v.actual
         UNION ALL
         SELECT 'device_entry_mismatch', d.device || ':' || max(e.sequence), d.last_sequence::text,
                max(e.sequence)::text, jsonb_build_object('device', d.device)
         FROM wallet_data.devices d
         JOIN wallet_data.device_entries e ON e.ledger_id = $1 AND e.device = d.device
         WHERE d.ledger_id = $1 GROUP BY d.device, d.last_sequence HAVING d.last_sequence <> max(e.sequence)",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
