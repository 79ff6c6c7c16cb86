//! SQL that checks balances against transfers and holds.

use super::LIMIT;
use crate::spi::Statement;
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, INT8OID};

/// How a row of balance is called: the address, with the stripe's number behind it.
const SUBJECT: &str = "a.address || CASE WHEN a.stripe > 0 THEN '#' || a.stripe ELSE '' END";

// The log, folded per account: one sort of both sides by account and version. Finds what differs from the
// stored balances; an account whose history is not one unbroken line comes as a row without a finding,
// for HISTORY to look at. The debits and credits per currency are counted in the same pass.
pub static ACCOUNTS: Statement = Statement::new(
    concatcp!(
        "WITH lines AS (
             SELECT account_id, debit, credit, created_at,
                    version <> row_number() OVER history
                        OR created_at < coalesce(lag(created_at) OVER history, '-infinity') AS disorder,
                    balance <> coalesce(lag(balance) OVER history, 0) + coalesce(debit, - credit) AS not_debit_normal,
                    balance <> coalesce(lag(balance) OVER history, 0) - coalesce(debit, - credit) AS not_credit_normal
             FROM (SELECT debit_account_id AS account_id, debit_version AS version, amount AS debit,
                          NULL::numeric AS credit, debit_balance AS balance, created_at
                   FROM wallet_data.transfers WHERE ledger_id = $1
                   UNION ALL
                   SELECT credit_account_id, credit_version, NULL, amount, credit_balance, created_at
                   FROM wallet_data.transfers WHERE ledger_id = $1) e
             WINDOW history AS (PARTITION BY account_id ORDER BY version)),
         folded AS MATERIALIZED (
             SELECT account_id, count(*) AS postings, coalesce(sum(debit), 0) AS debits,
                    coalesce(sum(credit), 0) AS credits, max(created_at) AS posted_at, bool_or(disorder) AS disorder,
                    bool_or(not_debit_normal) AS not_debit_normal, bool_or(not_credit_normal) AS not_credit_normal
             FROM lines GROUP BY account_id),
         checked AS (
             SELECT ", SUBJECT, " AS subject, a.account_id, a.address, a.stripe, a.posted, a.version, a.last_posted_at,
                    coalesce(f.postings, 0) AS postings, coalesce(f.posted_at, '-infinity') AS posted_at,
                    coalesce(CASE WHEN a.type_id IN (1, 5) THEN f.debits - f.credits ELSE f.credits - f.debits END, 0) AS fold,
                    coalesce(f.disorder OR CASE WHEN a.type_id IN (1, 5) THEN f.not_debit_normal
                                                ELSE f.not_credit_normal END, false) AS disorder
             FROM wallet_data.accounts a LEFT JOIN folded f ON f.account_id = a.account_id
             WHERE a.ledger_id = $1)
         SELECT v.finding, c.subject, v.expected, v.actual,
                jsonb_build_object('account', c.address, 'stripe', c.stripe), c.account_id
         FROM checked c
         CROSS JOIN LATERAL (VALUES
             ('balance_mismatch', c.fold::text, c.posted::text, c.posted <> c.fold),
             ('version_mismatch', c.postings::text, c.version::text, c.version <> c.postings),
             ('last_posted_at_mismatch', c.posted_at::text, c.last_posted_at::text, c.last_posted_at <> c.posted_at),
             (NULL, NULL, NULL, c.disorder)) v (finding, expected, actual, wrong)
         WHERE (c.posted <> c.fold OR c.version <> c.postings OR c.last_posted_at <> c.posted_at OR c.disorder)
           AND v.wrong
         UNION ALL
         SELECT 'debits_credits_differ', coalesce(a.currency, 'unknown'), sum(f.debits)::text, sum(f.credits)::text,
                jsonb_build_object('source', 'transfers'), NULL
         FROM folded f LEFT JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = f.account_id
         GROUP BY a.currency HAVING sum(f.debits) <> sum(f.credits)",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);

// Where the history of the given accounts breaks. A posting whose balance follows from the last but one is
// not to blame: the one before it is.
pub static HISTORY: Statement = Statement::new(
    concatcp!(
        "WITH entries AS (
             SELECT debit_account_id AS account_id, debit_version AS version, amount AS delta, 'debit' AS side,
                    debit_balance AS balance, created_at, transfer_id
             FROM wallet_data.transfers WHERE ledger_id = $1 AND debit_account_id = ANY ($3)
             UNION ALL
             SELECT credit_account_id, credit_version, - amount, 'credit', credit_balance, created_at, transfer_id
             FROM wallet_data.transfers WHERE ledger_id = $1 AND credit_account_id = ANY ($3)),
         lines AS (
             SELECT a.address, a.stripe, e.side, e.version, e.balance, e.created_at, e.transfer_id,
                    coalesce(lag(e.version) OVER history, 0) AS last_version,
                    coalesce(lag(e.balance) OVER history, 0) AS last_balance,
                    lag(e.balance, 2, 0::numeric) OVER history AS last_but_one_balance,
                    lag(e.created_at) OVER history AS last_created_at,
                    CASE WHEN a.type_id IN (1, 5) THEN e.delta ELSE - e.delta END AS delta,
                    lag(CASE WHEN a.type_id IN (1, 5) THEN e.delta ELSE - e.delta END) OVER history AS last_delta
             FROM entries e JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = e.account_id
             WINDOW history AS (PARTITION BY e.account_id ORDER BY e.version, e.transfer_id))
         SELECT v.finding, l.transfer_id::text, v.expected, v.actual,
                jsonb_build_object('account', l.address, 'stripe', l.stripe, 'side', l.side, 'version', l.version)
         FROM lines l
         CROSS JOIN LATERAL (VALUES
             ('version_gap', (l.last_version + 1)::text, l.version::text, l.version > l.last_version + 1),
             ('version_repeated', (l.last_version + 1)::text, l.version::text, l.version = l.last_version),
             ('posting_time_disorder', l.last_created_at::text, l.created_at::text, l.created_at < l.last_created_at),
             ('balance_chain_broken', (l.last_balance + l.delta)::text, l.balance::text,
              l.balance <> l.last_balance + l.delta
                  AND l.balance IS DISTINCT FROM l.last_but_one_balance + l.last_delta + l.delta)
             ) v (finding, expected, actual, wrong)
         WHERE v.wrong",
        LIMIT
    ),
    &[INT4OID, INT8OID, INT8ARRAYOID],
);

// Held amounts, floors, stripes, and the balances' own debits and credits.
pub static BALANCES: Statement = Statement::new(
    concatcp!(
        "SELECT v.finding, ", SUBJECT, ", v.expected, v.actual,
                jsonb_build_object('account', a.address, 'stripe', a.stripe)
         FROM wallet_data.accounts a
         LEFT JOIN (SELECT account_id, sum(amount) AS held FROM wallet_data.holds
                    WHERE ledger_id = $1 AND state_id = 1 GROUP BY account_id) h ON h.account_id = a.account_id
         CROSS JOIN LATERAL (VALUES
             ('held_mismatch', coalesce(h.held, 0)::text, a.held::text, a.held <> coalesce(h.held, 0)),
             ('floor_broken', a.minimum_balance::text, (a.posted - a.held)::text, a.posted - a.held < a.minimum_balance),
             ('stripe_root_not_empty', '0', greatest(abs(a.posted), a.held, a.version)::text,
              a.stripe = 0 AND a.stripe_count > 1 AND (a.posted <> 0 OR a.held <> 0 OR a.version <> 0))
             ) v (finding, expected, actual, wrong)
         WHERE a.ledger_id = $1
           AND (a.held <> coalesce(h.held, 0) OR a.posted - a.held < a.minimum_balance OR a.stripe_count > 1)
           AND v.wrong
         UNION ALL
         SELECT 'debits_credits_differ', currency, debits::text, credits::text, jsonb_build_object('source', 'balances')
         FROM (SELECT currency, coalesce(sum(posted) FILTER (WHERE type_id IN (1, 5)), 0) AS debits,
                      coalesce(sum(posted) FILTER (WHERE type_id NOT IN (1, 5)), 0) AS credits
               FROM wallet_data.accounts WHERE ledger_id = $1 GROUP BY currency) s
         WHERE debits <> credits
         UNION ALL
         SELECT 'stripes_incomplete', s.address, max(s.stripe_count)::text, (count(*) FILTER (WHERE s.stripe > 0))::text,
                jsonb_build_object('account', s.address)
         FROM wallet_data.accounts s WHERE s.ledger_id = $1 AND (s.stripe > 0 OR s.stripe_count > 1)
         GROUP BY s.address
         HAVING count(*) FILTER (WHERE s.stripe > 0) <> max(s.stripe_count) OR max(s.stripe) <> max(s.stripe_count)
             OR min(s.stripe) <> 0 OR min(s.stripe_count) <> max(s.stripe_count)
         UNION ALL
         SELECT 'stripe_differs', ", SUBJECT, ", concat_ws(' ', r.type_id, r.currency, r.scale, r.state_id),
                concat_ws(' ', a.type_id, a.currency, a.scale, a.state_id),
                jsonb_build_object('account', a.address, 'stripe', a.stripe)
         FROM wallet_data.accounts a
         JOIN wallet_data.accounts r ON r.ledger_id = $1 AND r.address = a.address AND r.stripe = 0
         WHERE a.ledger_id = $1 AND a.stripe > 0
           AND (a.type_id, a.currency, a.scale, a.state_id) <> (r.type_id, r.currency, r.scale, r.state_id)",
        LIMIT
    ),
    &[INT4OID, INT8OID],
);
