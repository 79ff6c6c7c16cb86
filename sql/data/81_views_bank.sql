-- The reading API of money in. Run by every wallet_ledger.install(), as wallet_owner.
-- Like all views these use no function of the extension, so that they survive DROP EXTENSION.

-- Which intents a credit could have been meant for, and why, the likeliest first: at most five.
--
-- | points | reason | the credit … |
-- |---|---|---|
-- | 90 | exact_total | has the total of a live intent, in its window |
-- | 80 | late | has the total of an intent whose window was over |
-- | 60 | cancelled | has the total of an intent that was cancelled |
-- | 50 | already_paid | has the total of an intent that was paid before |
-- | 60 | transfer_fee_deducted | is smaller than the total by what banks charge for a transfer |
-- | 55 | code_missing | is the amount without the unique code |
-- | 30 | amount_missing | is the unique code without the amount |
-- | 70 | reference_in_description | names the intent's reference |
-- | 25 | name_in_description | names the payer |
--
-- Every branch is one index probe. Only intents of the same bank account, from up to 31 days before.
CREATE OR REPLACE FUNCTION wallet_data.suggest_intents(
    in_ledger_id integer, in_bank_account_id integer, in_amount numeric,
    in_occurred_from timestamptz, in_occurred_until timestamptz, in_description text)
RETURNS TABLE (intent_id uuid, score integer, reasons text[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.intent_id, least(99, sum(s.points))::integer, array_agg(s.reason ORDER BY s.points DESC, s.reason)
    FROM (
        SELECT c.intent_id, c.points, c.reason
        FROM (
            SELECT i.intent_id,
                   CASE WHEN i.state_id = 4 THEN 50 WHEN i.state_id = 6 THEN 60
                        WHEN i.accepts_until < in_occurred_from THEN 80 ELSE 90 END AS points,
                   CASE WHEN i.state_id = 4 THEN 'already_paid' WHEN i.state_id = 6 THEN 'cancelled'
                        WHEN i.accepts_until < in_occurred_from THEN 'late' ELSE 'exact_total' END AS reason
            FROM wallet_data.intents i
            WHERE i.ledger_id = in_ledger_id AND i.bank_account_id = in_bank_account_id AND i.total = in_amount
              AND i.accepts_until >= in_occurred_from - interval '31 days'
              AND i.created_at <= in_occurred_until + interval '1 hour'
            UNION ALL
            SELECT i.intent_id, 60, 'transfer_fee_deducted'
            FROM unnest(ARRAY[2500, 2900, 3500, 4000, 5000, 6500, 7500]) AS fee (amount)
            -- OFFSET 0 keeps it a probe for each fee.
            CROSS JOIN LATERAL (
                SELECT o.intent_id FROM wallet_data.intents o
                WHERE o.ledger_id = in_ledger_id AND o.bank_account_id = in_bank_account_id
                  AND o.total = in_amount + fee.amount
                  AND o.state_id NOT IN (4, 6) AND o.unique_code IS NOT NULL
                  AND o.accepts_until >= in_occurred_from - interval '31 days'
                  AND o.created_at <= in_occurred_until + interval '1 hour'
                OFFSET 0) i
            UNION ALL
            SELECT i.intent_id, 55, 'code_missing'
            FROM wallet_data.intents i
            WHERE i.ledger_id = in_ledger_id AND i.bank_account_id = in_bank_account_id AND i.amount = in_amount
              AND i.total > in_amount AND i.total <= in_amount + 999
              AND i.state_id NOT IN (4, 6) AND i.unique_code IS NOT NULL
              AND i.accepts_until >= in_occurred_from - interval '31 days'
              AND i.created_at <= in_occurred_until + interval '1 hour'
            UNION ALL
            SELECT i.intent_id, 30, 'amount_missing'
            FROM wallet_data.live_intents v
            JOIN wallet_data.intents i ON i.ledger_id = in_ledger_id AND i.intent_id = v.intent_id
            WHERE v.ledger_id = in_ledger_id AND v.bank_account_id = in_bank_account_id
              AND (i.state_id = 2 OR i.expires_at > statement_timestamp())
              AND in_amount BETWEEN 1 AND 999 AND v.unique_code = in_amount::smallint
              AND v.unique_code::numeric = in_amount
              AND i.accepts_until >= in_occurred_from - interval '31 days'
            UNION ALL
            SELECT i.intent_id, 70, 'reference_in_description'
            -- Banks write in capitals, and put a slash or a colon between what are words to us.
            FROM (SELECT DISTINCT v.word
                  FROM (SELECT regexp_split_to_table(in_description, '[^A-Za-z0-9_.:/-]+')
                        UNION SELECT regexp_split_to_table(in_description, '[^A-Za-z0-9_-]+')) AS w (word)
                  CROSS JOIN LATERAL unnest(ARRAY[w.word, lower(w.word), upper(w.word)]) AS v (word)
                  WHERE length(v.word) BETWEEN 4 AND 64) AS words
            JOIN wallet_data.intents i ON i.ledger_id = in_ledger_id AND i.reference = words.word
            WHERE i.bank_account_id = in_bank_account_id AND i.state_id NOT IN (4, 6)
              AND i.accepts_until >= in_occurred_from - interval '31 days') AS c
        UNION ALL
        -- The payer's name helps among those that are found by something else.
        SELECT i.intent_id, 25, 'name_in_description'
        FROM wallet_data.intents i
        WHERE i.ledger_id = in_ledger_id AND i.bank_account_id = in_bank_account_id
          AND i.payer_name IS NOT NULL AND length(i.payer_name) >= 4
          AND i.total BETWEEN in_amount AND in_amount + 999 AND (i.amount = in_amount OR i.total = in_amount)
          AND i.accepts_until >= in_occurred_from - interval '31 days'
          AND strpos(lower(in_description), lower(i.payer_name)) > 0) AS s
    GROUP BY s.intent_id
    HAVING bool_or(s.reason <> 'name_in_description')
    ORDER BY 2 DESC, 1
    LIMIT 5;
END;
COMMENT ON FUNCTION wallet_data.suggest_intents(integer, integer, numeric, timestamptz, timestamptz, text) IS
    'Which intents an unmatched credit could have been meant for, with a score and the reasons: at most five.';
REVOKE ALL ON FUNCTION wallet_data.suggest_intents(integer, integer, numeric, timestamptz, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wallet_data.suggest_intents(integer, integer, numeric, timestamptz, timestamptz, text)
    TO wallet_app, wallet_auditor;

CREATE OR REPLACE VIEW wallet_ledger.bank_accounts WITH (security_invoker = true) AS
SELECT l.name AS ledger, a.address AS account,
       CASE b.provider_id WHEN 1 THEN 'moota' WHEN 2 THEN 'midtrans' WHEN 3 THEN 'xendit' WHEN 4 THEN 'snap'
                          ELSE 'statement' END AS provider,
       b.provider_bank_id, b.account_number, b.bank, b.holder_name, a.currency, b.opening_balance, b.opened_on,
       s.address AS suspense_account, o.address AS outgoing_account, b.created_at
FROM wallet_data.bank_accounts b
JOIN wallet_data.ledgers l ON l.ledger_id = b.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = b.ledger_id AND a.account_id = b.account_id
JOIN wallet_data.accounts s ON s.ledger_id = b.ledger_id AND s.account_id = b.suspense_account_id
JOIN wallet_data.accounts o ON o.ledger_id = b.ledger_id AND o.account_id = b.outgoing_account_id;
COMMENT ON VIEW wallet_ledger.bank_accounts IS
    'Accounts at banks and gateways, with the accounts of the books that stand for them.';

CREATE OR REPLACE VIEW wallet_ledger.intents WITH (security_invoker = true) AS
SELECT i.intent_id AS id, l.name AS ledger,
       (ARRAY['topup', 'order', 'subscription', 'other'])[i.purpose_id] AS purpose,
       (ARRAY['transfer', 'virtual_account', 'gateway'])[i.method_id] AS method,
       CASE WHEN i.state_id IN (1, 3) AND i.expires_at <= statement_timestamp() THEN 'expired'
            ELSE (ARRAY['open', 'pending_verification', 'rejected', 'paid', 'expired', 'cancelled'])[i.state_id]
       END AS status,
       c.address AS credit_account, b.address AS bank_account,
       i.amount, i.unique_code::integer AS unique_code, i.total, b.currency, i.number, i.reference, i.payer_name,
       i.proof_reference, i.reason, i.paid_amount, i.mutation_id, i.transaction_id, i.description, i.metadata,
       i.expires_at, i.accepts_until, i.created_at,
       CASE WHEN i.state_id IN (1, 3) AND i.expires_at <= statement_timestamp() THEN i.expires_at
            ELSE i.closed_at END AS closed_at
FROM wallet_data.intents i
JOIN wallet_data.ledgers l ON l.ledger_id = i.ledger_id
JOIN wallet_data.bank_accounts k ON k.ledger_id = i.ledger_id AND k.bank_account_id = i.bank_account_id
JOIN wallet_data.accounts b ON b.ledger_id = k.ledger_id AND b.account_id = k.account_id
JOIN wallet_data.accounts c ON c.ledger_id = i.ledger_id AND c.account_id = i.credit_account_id;
COMMENT ON VIEW wallet_ledger.intents IS
    'Expected payments. total is what the payer must transfer; an open one past expires_at is shown as expired.';

CREATE OR REPLACE VIEW wallet_ledger.mutations WITH (security_invoker = true) AS
SELECT m.mutation_id AS id, l.name AS ledger, a.address AS bank_account,
       (ARRAY['credit', 'debit'])[m.direction_id] AS direction,
       (ARRAY['matched', 'suspense', 'review', 'ignored', 'assigned', 'returned', 'duplicate'])[m.state_id] AS status,
       m.amount, m.balance, m.occurred_from AS occurred_at, m.booked_on,
       CASE m.source_id WHEN 1 THEN 'moota' WHEN 2 THEN 'midtrans' WHEN 3 THEN 'xendit' WHEN 4 THEN 'snap'
                        ELSE 'statement' END AS source,
       m.provider_mutation_id, m.description, m.intent_id, x.address AS account,
       coalesce(m.applied_transaction_id, m.received_transaction_id) AS transaction_id,
       m.original_mutation_id AS original_id, m.reasons, m.created_at
FROM wallet_data.mutations m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.bank_accounts k ON k.ledger_id = m.ledger_id AND k.bank_account_id = m.bank_account_id
JOIN wallet_data.accounts a ON a.ledger_id = k.ledger_id AND a.account_id = k.account_id
LEFT JOIN wallet_data.accounts x ON x.ledger_id = m.ledger_id AND x.account_id = m.assigned_account_id;
COMMENT ON VIEW wallet_ledger.mutations IS
    'Every movement that a bank or a gateway reported, once, and where its money is.';

CREATE OR REPLACE VIEW wallet_ledger.mutations_to_review WITH (security_invoker = true) AS
SELECT m.mutation_id AS id, l.name AS ledger, a.address AS bank_account,
       (ARRAY['matched', 'suspense', 'review'])[m.state_id] AS status,
       m.amount, a.currency, m.occurred_from AS occurred_at, m.booked_on, m.provider_mutation_id, m.description,
       m.reasons, m.original_mutation_id AS original_id,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'intent_id', s.intent_id, 'score', s.score, 'reasons', s.reasons,
                   'total', i.total::text, 'reference', i.reference, 'payer_name', i.payer_name,
                   'expires_at', i.expires_at) ORDER BY s.score DESC, s.intent_id), '[]'::jsonb)
        FROM wallet_data.suggest_intents(
                 m.ledger_id, m.bank_account_id, m.amount, m.occurred_from, m.occurred_until, m.description) s
        JOIN wallet_data.intents i ON i.ledger_id = m.ledger_id AND i.intent_id = s.intent_id) AS suggestions,
       m.created_at
FROM wallet_data.mutations m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.bank_accounts k ON k.ledger_id = m.ledger_id AND k.bank_account_id = m.bank_account_id
JOIN wallet_data.accounts a ON a.ledger_id = k.ledger_id AND a.account_id = k.account_id
WHERE m.state_id IN (2, 3);
COMMENT ON VIEW wallet_ledger.mutations_to_review IS
    'The work list: credits that belong to nobody yet, with suggested intents, their score (0 to 99) and the reasons. original_id is the mutation that one seems to repeat.';

CREATE OR REPLACE VIEW wallet_ledger.payment_actions WITH (security_invoker = true) AS
SELECT p.action_id AS id, l.name AS ledger, p.action, p.mutation_id, p.intent_id, p.transaction_id,
       p.actor, p.reason, p.created_at, p.undone_transaction_id
FROM wallet_data.payment_actions p JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.payment_actions IS 'What people did to mutations and intents: who, when and why. undone_transaction_id is the posting that was taken back.';

CREATE OR REPLACE VIEW wallet_ledger.webhooks WITH (security_invoker = true) AS
SELECT w.webhook_id AS id, l.name AS ledger,
       CASE w.provider_id WHEN 1 THEN 'moota' WHEN 2 THEN 'midtrans' WHEN 3 THEN 'xendit' ELSE 'snap' END AS provider,
       w.line_count, w.confirmed, w.external_id, w.body,
       w.answer || jsonb_build_object('lines', w.lines) AS answer, w.received_at
FROM wallet_data.webhooks w JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.webhooks IS
    'Every verified webhook once, without what must not be kept of its body, and the answer that it got.';

CREATE OR REPLACE VIEW wallet_ledger.webhook_lines WITH (security_invoker = true) AS
SELECT n.webhook_id, l.name AS ledger, n.line, n.reason, n.message, n.solved_at, w.received_at
FROM wallet_data.webhook_lines n
JOIN wallet_data.ledgers l ON l.ledger_id = n.ledger_id
JOIN wallet_data.webhooks w ON w.ledger_id = n.ledger_id AND w.webhook_id = n.webhook_id;
COMMENT ON VIEW wallet_ledger.webhook_lines IS
    'Lines of webhooks that were stored as bad, with the reason. solved_at: reprocess_webhook() could use them.';

CREATE OR REPLACE VIEW wallet_ledger.webhook_refusals WITH (security_invoker = true) AS
SELECT r.refusal_id AS id, l.name AS ledger,
       CASE r.provider_id WHEN 1 THEN 'moota' WHEN 2 THEN 'midtrans' WHEN 3 THEN 'xendit' ELSE 'snap' END AS provider,
       r.reason, r.body_bytes, encode(r.body_digest, 'hex') AS body_digest, r.received_at
FROM wallet_data.webhook_refusals r JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.webhook_refusals IS
    'Webhooks that were refused: when, why, and the SHA-256 of the body. The body itself is not kept.';

CREATE OR REPLACE VIEW wallet_ledger.gateway_payments WITH (security_invoker = true) AS
SELECT l.name AS ledger, a.address AS bank_account, g.payment_id, g.number,
       (ARRAY['pending', 'challenged', 'settled', 'partly_reversed', 'reversed', 'denied', 'cancelled', 'expired',
              'failed'])[g.state_id] AS status,
       g.credited, g.reversed, g.credited - g.reversed AS net, g.mutation_id, g.confirmed, g.created_at, g.updated_at
FROM wallet_data.gateway_payments g
JOIN wallet_data.ledgers l ON l.ledger_id = g.ledger_id
JOIN wallet_data.bank_accounts k ON k.ledger_id = g.ledger_id AND k.bank_account_id = g.bank_account_id
JOIN wallet_data.accounts a ON a.ledger_id = k.ledger_id AND a.account_id = k.account_id;
COMMENT ON VIEW wallet_ledger.gateway_payments IS
    'Payments at gateways and virtual accounts: what they came to, and what of it stands in the books. confirmed: the caller had asked the gateway''s status API.';

CREATE OR REPLACE VIEW wallet_ledger.bank_statements WITH (security_invoker = true) AS
SELECT s.statement_id AS id, l.name AS ledger, a.address AS bank_account, s.format, s.from_day, s.until_day,
       s.opening_balance, s.closing_balance, s.imported_by, s.imported_at
FROM wallet_data.bank_statements s
JOIN wallet_data.ledgers l ON l.ledger_id = s.ledger_id
JOIN wallet_data.bank_accounts k ON k.ledger_id = s.ledger_id AND k.bank_account_id = s.bank_account_id
JOIN wallet_data.accounts a ON a.ledger_id = k.ledger_id AND a.account_id = k.account_id;
COMMENT ON VIEW wallet_ledger.bank_statements IS 'Statements that were imported: their period and their balances.';
