-- The reading API: text outside, compact inside. Run by every wallet_ledger.install(), as wallet_owner.
-- The views use no function of the extension, so that they survive DROP EXTENSION.

CREATE OR REPLACE VIEW wallet_ledger.ledgers WITH (security_invoker = true) AS
SELECT l.name AS ledger, l.currency, l.timezone, l.closed_until, l.metadata, l.created_at
FROM wallet_data.ledgers l;
COMMENT ON VIEW wallet_ledger.ledgers IS 'Ledgers: one row per organisation.';

CREATE OR REPLACE VIEW wallet_ledger.currencies WITH (security_invoker = true) AS
SELECT c.code AS currency, c.scale, c.created_at FROM wallet_data.currencies c;
COMMENT ON VIEW wallet_ledger.currencies IS 'Currencies and how many decimals their amounts have.';

CREATE OR REPLACE VIEW wallet_ledger.kinds WITH (security_invoker = true) AS
SELECT l.name AS ledger, k.name AS kind, k.kind_id < 1000 AS built_in, k.created_at
FROM wallet_data.kinds k JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.kinds IS 'What a transfer may be for, per ledger.';

CREATE OR REPLACE VIEW wallet_ledger.closed_periods WITH (security_invoker = true) AS
SELECT l.name AS ledger, p.closed_until, p.closed_at, p.closed_by
FROM wallet_data.closed_periods p JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.closed_periods IS 'Who closed the books, when, and up to which moment.';

CREATE OR REPLACE VIEW wallet_ledger.settings WITH (security_invoker = true) AS
SELECT l.name AS ledger, s.name AS setting, s.value, s.effective_from, s.set_by, s.reason, s.revision, s.created_at
FROM wallet_data.settings s JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.settings IS
    'Every change of a ledger''s settings, with the moment from which it counts; of two from the same moment the higher revision. What counts, defaults included, is in list_settings().';

-- A plain account is its own row; a striped one is its root with the sums of its stripes.
-- An open hold past its expiry counts as released, here as in every decision.
CREATE OR REPLACE VIEW wallet_ledger.accounts WITH (security_invoker = true) AS
SELECT l.name AS ledger,
       a.address AS account,
       (ARRAY['asset', 'liability', 'equity', 'revenue', 'expense'])[a.type_id] AS type,
       a.currency,
       (ARRAY['open', 'frozen', 'closed'])[a.state_id] AS state,
       b.posted,
       b.held - e.amount AS held,
       b.posted - b.held + e.amount AS available,
       b.version,
       a.minimum_balance,
       a.maximum_balance,
       a.stripe_count AS stripes,
       p.owner,
       p.metadata,
       p.created_at
FROM wallet_data.accounts a
JOIN wallet_data.ledgers l ON l.ledger_id = a.ledger_id
LEFT JOIN wallet_data.account_profiles p ON p.ledger_id = a.ledger_id AND p.account_id = a.account_id
CROSS JOIN LATERAL (
    SELECT a.posted, a.held, a.version WHERE a.stripe_count = 1
    UNION ALL
    SELECT sum(s.posted), sum(s.held), sum(s.version)::bigint
    FROM wallet_data.accounts s
    WHERE a.stripe_count > 1 AND s.ledger_id = a.ledger_id AND s.address = a.address AND s.stripe > 0
    HAVING a.stripe_count > 1) b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(h.amount), 0) AS amount
    FROM wallet_data.holds h
    JOIN wallet_data.accounts s ON s.ledger_id = h.ledger_id AND s.account_id = h.account_id
    WHERE b.held > 0 AND s.ledger_id = a.ledger_id AND s.address = a.address
      AND h.state_id = 1 AND h.expires_at <= statement_timestamp()) e
WHERE a.stripe = 0;
COMMENT ON VIEW wallet_ledger.accounts IS
    'Accounts with their balances on the normal side: posted (moved), held (reserved), available = posted - held. For a striped account the version is the sum of its stripes'' versions.';

CREATE OR REPLACE VIEW wallet_ledger.transfers WITH (security_invoker = true) AS
SELECT t.transfer_id AS id,
       coalesce(t.transaction_id, t.transfer_id) AS transaction_id,
       l.name AS ledger,
       d.address AS debit_account,
       c.address AS credit_account,
       t.amount,
       d.currency,
       k.name AS kind,
       t.reference,
       t.description,
       t.metadata,
       t.reverses_id,
       t.debit_balance,
       t.credit_balance,
       t.debit_version,
       t.credit_version,
       t.effective_at,
       t.created_at
FROM wallet_data.transfers t
JOIN wallet_data.ledgers l ON l.ledger_id = t.ledger_id
JOIN wallet_data.accounts d ON d.ledger_id = t.ledger_id AND d.account_id = t.debit_account_id
JOIN wallet_data.accounts c ON c.ledger_id = t.ledger_id AND c.account_id = t.credit_account_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id;
COMMENT ON VIEW wallet_ledger.transfers IS
    'Every movement of money with the balances it left behind. Append-only. A transfer of kind rebalance moves money between two stripes of one account.';

CREATE OR REPLACE VIEW wallet_ledger.entries WITH (security_invoker = true) AS
SELECT l.name AS ledger, a.address AS account, a.stripe, t.debit_version AS version, 'debit'::text AS side,
       CASE WHEN a.type_id IN (1, 5) THEN t.amount ELSE - t.amount END AS amount,
       CASE WHEN a.type_id IN (1, 5) THEN t.debit_balance - t.amount ELSE t.debit_balance + t.amount END AS balance_before,
       t.debit_balance AS balance_after,
       a.currency, k.name AS kind, t.transfer_id, coalesce(t.transaction_id, t.transfer_id) AS transaction_id,
       a.address AS debit_account, o.address AS credit_account,
       t.reference, t.description, t.metadata, t.reverses_id, t.effective_at, t.created_at
FROM wallet_data.transfers t
JOIN wallet_data.ledgers l ON l.ledger_id = t.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = t.ledger_id AND a.account_id = t.debit_account_id
JOIN wallet_data.accounts o ON o.ledger_id = t.ledger_id AND o.account_id = t.credit_account_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id
UNION ALL
SELECT l.name, a.address, a.stripe, t.credit_version, 'credit',
       CASE WHEN a.type_id IN (1, 5) THEN - t.amount ELSE t.amount END,
       CASE WHEN a.type_id IN (1, 5) THEN t.credit_balance + t.amount ELSE t.credit_balance - t.amount END,
       t.credit_balance,
       a.currency, k.name, t.transfer_id, coalesce(t.transaction_id, t.transfer_id),
       o.address, a.address,
       t.reference, t.description, t.metadata, t.reverses_id, t.effective_at, t.created_at
FROM wallet_data.transfers t
JOIN wallet_data.ledgers l ON l.ledger_id = t.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = t.ledger_id AND a.account_id = t.credit_account_id
JOIN wallet_data.accounts o ON o.ledger_id = t.ledger_id AND o.account_id = t.debit_account_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id;
COMMENT ON VIEW wallet_ledger.entries IS
    'Two rows a transfer, one per account, signed on the account''s normal side, with the balance before and after. For a striped account balance and version are those of the stripe.';

CREATE OR REPLACE VIEW wallet_ledger.holds WITH (security_invoker = true) AS
SELECT h.hold_id AS id,
       l.name AS ledger,
       a.address AS account,
       h.destination,
       h.amount,
       h.captured_amount,
       a.currency,
       k.name AS kind,
       CASE WHEN h.state_id = 1 AND h.expires_at <= statement_timestamp() THEN 'expired'
            ELSE (ARRAY['open', 'captured', 'released', 'expired'])[h.state_id] END AS status,
       h.reference,
       h.description,
       h.metadata,
       h.transfer_id,
       h.expires_at,
       h.created_at,
       CASE WHEN h.state_id = 1 AND h.expires_at <= statement_timestamp() THEN h.expires_at
            ELSE h.resolved_at END AS resolved_at
FROM wallet_data.holds h
JOIN wallet_data.ledgers l ON l.ledger_id = h.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = h.ledger_id AND a.account_id = h.account_id
JOIN wallet_data.kinds k ON k.ledger_id = h.ledger_id AND k.kind_id = h.kind_id;
COMMENT ON VIEW wallet_ledger.holds IS
    'Reservations: open, captured, released or expired. An open hold past expires_at is shown as expired.';

CREATE OR REPLACE VIEW wallet_ledger.events WITH (security_invoker = true) AS
SELECT e.event_id AS id, l.name AS ledger, e.topic, e.subject, e.payload, e.created_at
FROM wallet_data.events e JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.events IS
    'State changes, written in the transaction that made them. To consume them in order use poll_events().';

CREATE OR REPLACE VIEW wallet_ledger.trial_balance WITH (security_invoker = true) AS
SELECT a.ledger, a.currency, a.type, a.account,
       CASE WHEN (a.type IN ('asset', 'expense')) = (a.posted >= 0) THEN abs(a.posted) ELSE 0 END AS debit_balance,
       CASE WHEN (a.type IN ('asset', 'expense')) = (a.posted >= 0) THEN 0 ELSE abs(a.posted) END AS credit_balance
FROM wallet_ledger.accounts a
WHERE a.posted <> 0;
COMMENT ON VIEW wallet_ledger.trial_balance IS
    'Every account with a balance, on the side it stands. Per ledger and currency the two columns have the same sum.';
