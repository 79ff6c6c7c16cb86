//! SQL that checks money in: mutations against postings, intents against mutations.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// A mutation that waits, or went elsewhere by hand, was received into suspense; one that was matched when it
// came moved from the bank straight to where it belongs. Either way its posting moves its amount over the
// bank's account: in for a credit, out for a debit. What a gateway took back of a credit is a debit that names
// it as its original. Only such a credit, once it was unmatched, has a posting of what was left.
const IS_REVERSED: &str = "EXISTS (
    SELECT FROM wallet_data.mutations d
    WHERE d.ledger_id = m.ledger_id AND d.original_mutation_id = m.mutation_id AND d.direction_id = 2
      AND m.direction_id = 1)";
// What still waits of a mutation that does.
const LEFT: &str = concatcp!(
    "CASE WHEN ",
    IS_REVERSED,
    " THEN (SELECT sum(t.amount - coalesce(r.reversed_amount, 0))
            FROM wallet_data.transfers t
            LEFT JOIN wallet_data.reversal_totals r ON r.ledger_id = t.ledger_id AND r.transfer_id = t.transfer_id
            WHERE t.ledger_id = m.ledger_id AND t.transfer_id = m.received_transaction_id)
     ELSE m.amount END"
);

pub static MUTATIONS: Statement = Statement::new(
    concatcp!(
        "WITH received AS (
             SELECT m.mutation_id, m.bank_account_id, m.direction_id, m.amount, m.received_transaction_id,
                    (SELECT sum(t.amount * ((t.debit_account_id = ANY (b.account_ids))::integer
                                            - (t.credit_account_id = ANY (b.account_ids))::integer))
                                FILTER (WHERE t.debit_account_id = ANY (b.account_ids)
                                           OR t.credit_account_id = ANY (b.account_ids))
                     FROM (SELECT * FROM wallet_data.transfers x
                           WHERE x.ledger_id = $1 AND x.transaction_id = m.received_transaction_id
                           UNION ALL
                           SELECT * FROM wallet_data.transfers x
                           WHERE x.ledger_id = $1 AND x.transfer_id = m.received_transaction_id
                             AND x.transaction_id IS NULL) t) AS moved,
                    ",
        IS_REVERSED,
        " AS is_reversed
             FROM wallet_data.mutations m
             LEFT JOIN (SELECT o.bank_account_id, array_agg(x.account_id) AS account_ids
                        FROM wallet_data.bank_accounts o
                        JOIN wallet_data.accounts a ON a.ledger_id = o.ledger_id AND a.account_id = o.account_id
                        JOIN wallet_data.accounts x ON x.ledger_id = a.ledger_id AND x.address = a.address
                        WHERE o.ledger_id = $1 GROUP BY o.bank_account_id) b ON b.bank_account_id = m.bank_account_id
             WHERE m.ledger_id = $1 AND m.state_id <> 7)
         SELECT 'mutation_posting_missing', r.mutation_id::text,
                (CASE r.direction_id WHEN 1 THEN r.amount ELSE - r.amount END)::text, coalesce(r.moved::text, 'nothing'),
                jsonb_build_object('transaction_id', r.received_transaction_id)
         FROM received r
         WHERE r.moved IS DISTINCT FROM CASE r.direction_id WHEN 1 THEN r.amount ELSE - r.amount END
           AND NOT (r.is_reversed AND coalesce(r.moved, 0) > 0 AND r.moved < r.amount)
         UNION ALL
         -- Undoing a posting takes it out of its mutation; what is still in one was reversed by other means.
         SELECT 'mutation_posting_missing', m.mutation_id::text, m.amount::text,
                'reversed: ' || sum(r.reversed_amount),
                jsonb_build_object('transaction_id', m.transaction_id, 'reversed', true)
         FROM wallet_data.reversal_totals r
         JOIN wallet_data.transfers t ON t.ledger_id = r.ledger_id AND t.transfer_id = r.transfer_id
         JOIN (SELECT m.mutation_id, m.amount,
                      unnest(ARRAY[m.received_transaction_id, m.applied_transaction_id]) AS transaction_id
               FROM wallet_data.mutations m
               WHERE m.ledger_id = $1 AND m.state_id <> 7 AND NOT ",
        IS_REVERSED,
        ") m ON m.transaction_id = coalesce(t.transaction_id, t.transfer_id)
         WHERE r.ledger_id = $1 AND r.reversed_amount > 0
         GROUP BY m.mutation_id, m.amount, m.transaction_id
         UNION ALL
         SELECT 'suspense_mismatch', a.address, w.waiting::text, s.posted::text,
                jsonb_build_object('mutations', w.mutations)
         FROM wallet_data.bank_accounts b
         JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id = b.suspense_account_id
         CROSS JOIN LATERAL (
             SELECT coalesce(sum(x.posted), 0) AS posted FROM wallet_data.accounts x
             WHERE x.ledger_id = a.ledger_id AND x.address = a.address) s
         CROSS JOIN LATERAL (
             SELECT coalesce(sum(",
        LEFT,
        "), 0) AS waiting, count(*) AS mutations
             FROM wallet_data.bank_accounts o
             JOIN wallet_data.mutations m ON m.ledger_id = o.ledger_id AND m.bank_account_id = o.bank_account_id
             WHERE o.ledger_id = $1 AND o.suspense_account_id = b.suspense_account_id AND m.state_id IN (2, 3)) w
         WHERE b.ledger_id = $1 AND s.posted <> w.waiting",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);

pub static INTENTS: Statement = Statement::new(
    concatcp!(
        "SELECT 'intent_payment_differs', i.intent_id::text, i.paid_amount::text, m.amount::text,
                jsonb_build_object('mutation_id', i.mutation_id, 'paid_by', m.mutation_id, 'status', i.state_id)
         FROM wallet_data.intents i
         FULL JOIN (SELECT * FROM wallet_data.mutations WHERE ledger_id = $1 AND intent_id IS NOT NULL) m
           ON m.ledger_id = i.ledger_id AND m.intent_id = i.intent_id
         WHERE coalesce(i.ledger_id, m.ledger_id) = $1 AND (i.mutation_id IS NOT NULL OR m.mutation_id IS NOT NULL)
           AND (i.mutation_id IS DISTINCT FROM m.mutation_id
                OR i.paid_amount IS DISTINCT FROM m.amount AND NOT (i.paid_amount < m.amount AND ",
        IS_REVERSED,
        "))
         UNION ALL
         SELECT 'intent_total_shared', min(a.address), NULL, i.total::text,
                jsonb_build_object('intent_ids', jsonb_agg(i.intent_id ORDER BY i.intent_id))
         FROM wallet_data.intents i
         JOIN wallet_data.bank_accounts b ON b.ledger_id = i.ledger_id AND b.bank_account_id = i.bank_account_id
         JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id = b.account_id
         WHERE i.ledger_id = $1 AND i.unique_code IS NOT NULL
           AND (i.state_id IN (1, 3) AND i.expires_at > statement_timestamp() OR i.state_id = 2)
         GROUP BY i.bank_account_id, i.total HAVING count(*) > 1
         UNION ALL
         SELECT 'live_intent_differs', coalesce(i.intent_id, l.intent_id)::text,
                concat_ws(' ', l.unique_code, l.number, l.order_reference),
                concat_ws(' ', i.unique_code, i.number, i.order_reference),
                jsonb_build_object('is_live', i.intent_id IS NOT NULL, 'is_held', l.intent_id IS NOT NULL)
         FROM (SELECT ledger_id, intent_id, bank_account_id, unique_code, number,
                      CASE WHEN purpose_id = 2 THEN reference END AS order_reference
               FROM wallet_data.intents WHERE ledger_id = $1 AND state_id IN (1, 2, 3)) i
         FULL JOIN (SELECT * FROM wallet_data.live_intents WHERE ledger_id = $1) l
           ON l.ledger_id = i.ledger_id AND l.intent_id = i.intent_id
         WHERE (l.bank_account_id, l.unique_code, l.number::text, l.order_reference)
               IS DISTINCT FROM (i.bank_account_id, i.unique_code, i.number::text, i.order_reference)
         UNION ALL
         SELECT 'gateway_payment_mismatch', g.payment_id, (g.credited - g.reversed)::text, coalesce(s.net, 0)::text,
                jsonb_build_object('number', g.number, 'mutation_id', g.mutation_id)
         FROM wallet_data.gateway_payments g
         JOIN wallet_data.bank_accounts b ON b.ledger_id = g.ledger_id AND b.bank_account_id = g.bank_account_id
         -- A credit that is called a repetition of another stands in the books as that one. The ids of the
         -- reversals are a range of the unique index: the semicolon is the byte after the colon.
         CROSS JOIN LATERAL (
             SELECT sum(x.amount) AS net
             FROM (SELECT m.amount FROM wallet_data.mutations m
                   WHERE m.ledger_id = g.ledger_id AND m.mutation_id = g.mutation_id
                   UNION ALL
                   SELECT - m.amount FROM wallet_data.mutations m
                   WHERE m.ledger_id = g.ledger_id AND m.bank_account_id + 0 = g.bank_account_id
                     AND m.source_id = b.provider_id AND m.direction_id = 2
                     AND m.provider_mutation_id >= g.payment_id || ':reversal:'
                     AND m.provider_mutation_id < g.payment_id || ':reversal;') x) s
         WHERE g.ledger_id = $1 AND coalesce(s.net, 0) <> g.credited - g.reversed",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
