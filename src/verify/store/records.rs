//! SQL that checks transfers, reversals, holds and idempotency keys against one another.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8OID};

// Every transfer against its accounts and its kind. An account that is missing has no address: its internal
// id is all there is to name it by.
pub static TRANSFERS: Statement = Statement::new(
    concatcp!(
        "SELECT v.finding, t.transfer_id::text, v.expected, v.actual,
                jsonb_build_object('debit_account', coalesce(t.debit_account, t.debit_account_id::text),
                                   'credit_account', coalesce(t.credit_account, t.credit_account_id::text))
         FROM (SELECT t.transfer_id, t.debit_account_id, t.credit_account_id, t.amount, t.kind_id, t.reverses_id,
                      d.address AS debit_account, c.address AS credit_account, d.currency AS debit_currency,
                      c.currency AS credit_currency, coalesce(d.scale, c.scale) AS scale, k.kind_id AS known_kind_id
               FROM wallet_data.transfers t
               LEFT JOIN wallet_data.accounts d ON d.ledger_id = $1 AND d.account_id = t.debit_account_id
               LEFT JOIN wallet_data.accounts c ON c.ledger_id = $1 AND c.account_id = t.credit_account_id
               LEFT JOIN wallet_data.kinds k ON k.ledger_id = $1 AND k.kind_id = t.kind_id
               WHERE t.ledger_id = $1
                 AND (d.currency IS NULL OR c.currency IS NULL OR d.currency <> c.currency OR k.kind_id IS NULL
                      OR t.amount <= 0 OR t.amount >= 'Infinity' OR scale(t.amount) > d.scale
                      OR t.kind_id = 900 AND t.reverses_id IS NULL
                      OR d.address = c.address AND t.kind_id <> 901)) t
         CROSS JOIN LATERAL (VALUES
             (CASE WHEN EXISTS (SELECT FROM wallet_data.ledgers l JOIN wallet_data.accounts a
                                ON a.ledger_id = l.ledger_id AND a.account_id = t.debit_account_id)
                   THEN 'foreign_account' ELSE 'account_missing' END,
              NULL, t.debit_account_id::text, t.debit_account IS NULL),
             (CASE WHEN EXISTS (SELECT FROM wallet_data.ledgers l JOIN wallet_data.accounts a
                                ON a.ledger_id = l.ledger_id AND a.account_id = t.credit_account_id)
                   THEN 'foreign_account' ELSE 'account_missing' END,
              NULL, t.credit_account_id::text, t.credit_account IS NULL),
             ('currency_mismatch', t.debit_currency, t.credit_currency, t.debit_currency <> t.credit_currency),
             ('same_account', NULL, t.debit_account, t.debit_account = t.credit_account AND t.kind_id <> 901),
             ('kind_unknown', NULL, t.kind_id::text, t.known_kind_id IS NULL),
             ('amount_invalid', NULL, t.amount::text,
              t.amount <= 0 OR t.amount >= 'Infinity' OR scale(t.amount) > t.scale),
             ('reversal_without_original', NULL, NULL, t.kind_id = 900 AND t.reverses_id IS NULL)
             ) v (finding, expected, actual, wrong)
         WHERE v.wrong",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);

// Reversals against their originals, and against the totals that the engine keeps.
pub static REVERSALS: Statement = Statement::new(
    concatcp!(
        "SELECT v.finding, r.transfer_id::text, v.expected, v.actual, jsonb_build_object('reversals', r.reversals)
         FROM (SELECT transfer_id, coalesce(s.reversals, 0) AS reversals, coalesce(s.amount, 0) AS reversed,
                      coalesce(t.reversed_amount, 0) AS total, t.original_amount, o.amount
               FROM (SELECT reverses_id AS transfer_id, count(*) AS reversals, sum(amount) AS amount
                     FROM wallet_data.transfers
                     WHERE ledger_id = $1 AND reverses_id IS NOT NULL GROUP BY reverses_id) s
               FULL JOIN (SELECT * FROM wallet_data.reversal_totals WHERE ledger_id = $1) t USING (transfer_id)
               LEFT JOIN (SELECT transfer_id, amount FROM wallet_data.transfers WHERE ledger_id = $1) o
                   USING (transfer_id)) r
         CROSS JOIN LATERAL (VALUES
             ('reversed_transfer_missing', NULL, NULL, r.amount IS NULL),
             ('reversal_exceeds_original', r.amount::text, r.reversed::text, r.reversed > r.amount),
             ('reversal_total_mismatch', r.reversed::text, r.total::text, r.total <> r.reversed),
             ('reversal_total_mismatch', r.amount::text, r.original_amount::text, r.original_amount <> r.amount)
             ) v (finding, expected, actual, wrong)
         WHERE v.wrong
         UNION ALL
         SELECT 'reversal_misdirected', r.transfer_id::text, rd.address || ' to ' || rc.address,
                d.address || ' to ' || c.address, jsonb_build_object('reverses_id', t.reverses_id)
         FROM (SELECT transfer_id, reverses_id FROM wallet_data.transfers
               WHERE ledger_id = $1 AND reverses_id IS NOT NULL) r
         JOIN wallet_data.transfers t ON t.ledger_id = $1 AND t.transfer_id = r.transfer_id
         JOIN wallet_data.transfers o ON o.ledger_id = $1 AND o.transfer_id = r.reverses_id
         JOIN wallet_data.accounts d ON d.ledger_id = $1 AND d.account_id = t.debit_account_id
         JOIN wallet_data.accounts c ON c.ledger_id = $1 AND c.account_id = t.credit_account_id
         JOIN wallet_data.accounts rc ON rc.ledger_id = $1 AND rc.account_id = o.debit_account_id
         JOIN wallet_data.accounts rd ON rd.ledger_id = $1 AND rd.account_id = o.credit_account_id
         WHERE d.address <> rd.address OR c.address <> rc.address OR t.kind_id <> 900 OR o.kind_id IN (900, 901)",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);

// Holds against their accounts and, where captured, their transfers: out of the held row, to the destination.
pub static HOLDS: Statement = Statement::new(
    concatcp!(
        "SELECT v.finding, h.hold_id::text, v.expected, v.actual,
                jsonb_build_object('account', h.address, 'transfer_id', h.transfer_id)
         FROM (SELECT h.hold_id, h.account_id, h.transfer_id, h.state_id, h.captured_amount, h.destination, a.address,
                      t.transfer_id AS found_id, t.amount, o.address AS other_account,
                      CASE WHEN a.type_id IN (1, 5) THEN t.credit_account_id ELSE t.debit_account_id END AS from_id
               FROM wallet_data.holds h
               LEFT JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = h.account_id
               LEFT JOIN wallet_data.transfers t ON t.ledger_id = $1 AND t.transfer_id = h.transfer_id
               LEFT JOIN wallet_data.accounts o ON o.ledger_id = $1
                    AND o.account_id = CASE WHEN a.type_id IN (1, 5) THEN t.debit_account_id ELSE t.credit_account_id END
               WHERE h.ledger_id = $1 AND (h.state_id = 2 OR a.account_id IS NULL)) h
         CROSS JOIN LATERAL (VALUES
             ('account_missing', NULL, h.account_id::text, h.address IS NULL),
             ('hold_transfer_missing', h.captured_amount::text, NULL, h.state_id = 2 AND h.found_id IS NULL),
             ('hold_transfer_differs', h.captured_amount::text, h.amount::text, h.amount <> h.captured_amount),
             ('hold_transfer_differs', h.address, NULL, h.from_id <> h.account_id),
             ('hold_transfer_differs', h.destination, h.other_account, h.destination <> h.other_account)
             ) v (finding, expected, actual, wrong)
         WHERE v.wrong",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);

const UUID: &str = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'";

// What every key came to: exactly one of transfers, another call's result, and a rejection; and what it
// names exists. A result names a transfer, an array of transfers, or a hold.
pub static KEYS: Statement = Statement::new(
    concatcp!(
        "SELECT 'key_outcome_invalid', key, '1', num_nonnulls(nullif(transfer_ids, '{}'), result, error)::text,
                jsonb_build_object('operation_id', operation_id)
         FROM wallet_data.idempotency_keys
         WHERE ledger_id = $1 AND num_nonnulls(nullif(transfer_ids, '{}'), result, error) <> 1
         UNION ALL
         SELECT 'key_transfer_missing', n.key, n.transfer_id::text, NULL, jsonb_build_object('transfer_id', n.transfer_id)
         FROM (SELECT key, unnest(transfer_ids) AS transfer_id FROM wallet_data.idempotency_keys WHERE ledger_id = $1
               UNION ALL
               SELECT k.key, CASE WHEN r.id ~ ", UUID, " THEN r.id::uuid END
               FROM wallet_data.idempotency_keys k
               CROSS JOIN LATERAL (
                   SELECT k.result ->> 'transfer_id' AS id
                   UNION ALL
                   SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof(k.result) = 'array' THEN k.result END)) r
               WHERE k.ledger_id = $1 AND k.result IS NOT NULL) n
         WHERE n.transfer_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM wallet_data.transfers t WHERE t.ledger_id = $1 AND t.transfer_id = n.transfer_id)
         UNION ALL
         SELECT 'key_hold_missing', n.key, n.hold_id::text, NULL, jsonb_build_object('hold_id', n.hold_id)
         FROM (SELECT key, CASE WHEN result ->> 'hold_id' ~ ", UUID, " THEN (result ->> 'hold_id')::uuid END AS hold_id
               FROM wallet_data.idempotency_keys WHERE ledger_id = $1 AND result IS NOT NULL) n
         WHERE n.hold_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM wallet_data.holds h WHERE h.ledger_id = $1 AND h.hold_id = n.hold_id)",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
