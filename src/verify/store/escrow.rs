//! SQL that checks escrows: what is held against accounts, sums against sums, actions against postings.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// Sums are compared as arrays: amount, released, fee, refunded, returned, and on a line the fee returned and
// the advance. An opening moves the escrow's amount, every other action what it says it moved. A seller's bank gets at
// most what a line has paid out; what is given back later does not undo that.
pub static ESCROWS: Statement = Statement::new(
    concatcp!(
        "WITH lines AS (
             SELECT escrow_id, sum(amount - released_amount - refunded_amount) AS held,
                    ARRAY[sum(amount), sum(released_amount), sum(fee_amount), sum(refunded_amount),
                          sum(returned_amount)] AS sums
             FROM wallet_data.escrow_lines WHERE ledger_id = $1 GROUP BY escrow_id)
         SELECT 'escrow_balance_mismatch', e.escrow_id::text, l.held::text, a.posted::text,
                jsonb_build_object('reference', e.reference, 'account', a.address)
         FROM wallet_data.escrows e
         LEFT JOIN wallet_data.accounts a ON a.ledger_id = e.ledger_id AND a.account_id = e.account_id
         LEFT JOIN lines l ON l.escrow_id = e.escrow_id
         WHERE e.ledger_id = $1 AND a.posted IS DISTINCT FROM l.held
         UNION ALL
         SELECT 'escrow_sum_mismatch', e.escrow_id::text, l.sums::text, s.sums::text,
                jsonb_build_object('reference', e.reference)
         FROM wallet_data.escrows e
         LEFT JOIN lines l ON l.escrow_id = e.escrow_id
         CROSS JOIN LATERAL (SELECT ARRAY[e.amount, e.released_amount, e.fee_amount, e.refunded_amount,
                                          e.returned_amount]::numeric[]) AS s (sums)
         WHERE e.ledger_id = $1 AND s.sums IS DISTINCT FROM l.sums
         UNION ALL
         SELECT 'escrow_sum_mismatch', n.escrow_id::text, coalesce(s.sums, z.nothing)::text, m.sums::text,
                jsonb_build_object('line', n.line)
         FROM wallet_data.escrow_lines n
         LEFT JOIN (SELECT escrow_id, line,
                           ARRAY[sum(released_amount), sum(fee_amount), sum(refunded_amount), sum(returned_amount),
                                 sum(returned_fee_amount), sum(advanced_amount)] AS sums
                    FROM wallet_data.escrow_splits WHERE ledger_id = $1 GROUP BY escrow_id, line) s
           ON s.escrow_id = n.escrow_id AND s.line = n.line
         CROSS JOIN (SELECT ARRAY[0, 0, 0, 0, 0, 0]::numeric[]) AS z (nothing)
         CROSS JOIN LATERAL (SELECT ARRAY[n.released_amount, n.fee_amount, n.refunded_amount, n.returned_amount,
                                          n.returned_fee_amount, n.advanced_amount]::numeric[]) AS m (sums)
         WHERE n.ledger_id = $1 AND m.sums <> coalesce(s.sums, z.nothing)
         UNION ALL
         SELECT 'escrow_posting_missing', c.escrow_id::text, c.moved::text, coalesce(t.moved::text, 'nothing'),
                jsonb_build_object('action', c.action, 'transaction_id', c.transaction_id)
         FROM (SELECT x.*, CASE x.action WHEN 'open_escrow' THEN e.amount
                           ELSE x.released_amount + x.refunded_amount + x.returned_amount END AS moved
               FROM wallet_data.escrow_actions x
               JOIN wallet_data.escrows e ON e.ledger_id = x.ledger_id AND e.escrow_id = x.escrow_id
               WHERE x.ledger_id = $1) c
         CROSS JOIN LATERAL (SELECT ",
        moved!("c.transaction_id"),
        " AS moved) t
         WHERE coalesce(t.moved, 0) <> c.moved
         UNION ALL
         SELECT 'escrow_dispute_mismatch', e.escrow_id::text, CASE WHEN e.state_id = 3 THEN 'open' ELSE 'none' END,
                CASE WHEN d.dispute_id IS NULL THEN 'none' ELSE 'open' END,
                jsonb_build_object('reference', e.reference, 'dispute_id', d.dispute_id)
         FROM wallet_data.escrows e
         LEFT JOIN wallet_data.disputes d
           ON d.ledger_id = e.ledger_id AND d.escrow_id = e.escrow_id AND d.resolved_at IS NULL
         WHERE e.ledger_id = $1 AND (e.state_id = 3) <> (d.dispute_id IS NOT NULL)
         UNION ALL
         SELECT 'bank_release_mismatch', b.bank_release_id::text, b.amount::text, coalesce(t.moved::text, 'nothing'),
                jsonb_build_object('transaction_id', b.transaction_id, 'transfer_reference', b.transfer_reference)
         FROM wallet_data.bank_releases b
         CROSS JOIN LATERAL (SELECT ",
        moved!("b.transaction_id"),
        " AS moved) t
         WHERE b.ledger_id = $1 AND t.moved IS DISTINCT FROM b.amount
         UNION ALL
         SELECT 'bank_release_mismatch', n.escrow_id::text, 'at most ' || n.released_amount - n.fee_amount, b.sent::text,
                jsonb_build_object('line', n.line)
         FROM (SELECT escrow_id, line, sum(amount) AS sent
               FROM wallet_data.bank_releases WHERE ledger_id = $1 GROUP BY escrow_id, line) b
         JOIN wallet_data.escrow_lines n ON n.ledger_id = $1 AND n.escrow_id = b.escrow_id AND n.line = b.line
         WHERE b.sent > n.released_amount - n.fee_amount",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
