-- The finance office's reports. Run by every wallet_ledger.install(), as wallet_owner.
-- A day is the ledger's day. Money counts on the day of its effective_at, what is done to an escrow on the day
-- on which it is done. What is taken back counts on the day of the taking back: a day that is over stays as it is.
-- Like all views these use no function of the extension, so that they survive DROP EXTENSION.

CREATE OR REPLACE VIEW wallet_ledger.topups WITH (security_invoker = true) AS
SELECT l.name AS ledger, (t.effective_at AT TIME ZONE l.timezone)::date AS day, w.address AS account, w.currency,
       t.amount, 0::numeric AS reversed_amount, t.reference, t.transfer_id, t.reverses_id, t.effective_at, t.created_at
FROM wallet_data.transfers t
JOIN wallet_data.ledgers l ON l.ledger_id = t.ledger_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id AND k.name = 'topup'
JOIN wallet_data.accounts w ON w.ledger_id = t.ledger_id AND w.account_id = t.credit_account_id
WHERE w.address ^@ 'wallets:' AND w.type_id = 2
UNION ALL
SELECT l.name, (t.effective_at AT TIME ZONE l.timezone)::date, w.address, w.currency,
       0, t.amount, t.reference, t.transfer_id, t.reverses_id, t.effective_at, t.created_at
FROM wallet_data.transfers t
JOIN wallet_data.ledgers l ON l.ledger_id = t.ledger_id
JOIN wallet_data.transfers o ON o.ledger_id = t.ledger_id AND o.transfer_id = t.reverses_id
JOIN wallet_data.kinds k ON k.ledger_id = o.ledger_id AND k.kind_id = o.kind_id AND k.name = 'topup'
JOIN wallet_data.accounts w ON w.ledger_id = o.ledger_id AND w.account_id = o.credit_account_id
WHERE t.reverses_id IS NOT NULL AND w.address ^@ 'wallets:' AND w.type_id = 2;
COMMENT ON VIEW wallet_ledger.topups IS
    'Every top-up of a wallet, and every reversal of one: then amount is zero and reversed_amount is not.';

CREATE OR REPLACE VIEW wallet_ledger.daily_topups WITH (security_invoker = true) AS
SELECT t.ledger, t.day, t.currency, count(*) FILTER (WHERE t.reverses_id IS NULL) AS topup_count,
       sum(t.amount) AS amount, sum(t.reversed_amount) AS reversed_amount,
       sum(t.amount - t.reversed_amount) AS net_amount
FROM wallet_ledger.topups t
GROUP BY t.ledger, t.day, t.currency;
COMMENT ON VIEW wallet_ledger.daily_topups IS
    'Per ledger, day and currency: how many top-ups of wallets and how much, what of them was reversed on that day, and what remains.';

-- A rebalance moves money between two stripes of one account: it earns nothing.
CREATE OR REPLACE VIEW wallet_ledger.revenue_entries WITH (security_invoker = true) AS
SELECT l.name AS ledger, (t.effective_at AT TIME ZONE l.timezone)::date AS day, a.address AS account, a.currency,
       k.name AS kind, 0::numeric AS debit_amount, t.amount AS credit_amount, t.reference, t.transfer_id,
       t.effective_at, t.created_at
FROM wallet_data.accounts a
JOIN wallet_data.ledgers l ON l.ledger_id = a.ledger_id
JOIN wallet_data.transfers t ON t.ledger_id = a.ledger_id AND t.credit_account_id = a.account_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id
WHERE a.type_id = 4 AND k.name <> 'rebalance'
UNION ALL
SELECT l.name, (t.effective_at AT TIME ZONE l.timezone)::date, a.address, a.currency,
       k.name, t.amount, 0, t.reference, t.transfer_id, t.effective_at, t.created_at
FROM wallet_data.accounts a
JOIN wallet_data.ledgers l ON l.ledger_id = a.ledger_id
JOIN wallet_data.transfers t ON t.ledger_id = a.ledger_id AND t.debit_account_id = a.account_id
JOIN wallet_data.kinds k ON k.ledger_id = t.ledger_id AND k.kind_id = t.kind_id
WHERE a.type_id = 4 AND k.name <> 'rebalance';
COMMENT ON VIEW wallet_ledger.revenue_entries IS
    'Every posting on a revenue account: credits are earned, debits given back or passed on.';

CREATE OR REPLACE VIEW wallet_ledger.platform_revenue WITH (security_invoker = true) AS
SELECT r.ledger, r.day, r.currency, r.account, sum(r.debit_amount) AS debit_total,
       sum(r.credit_amount) AS credit_total, sum(r.credit_amount - r.debit_amount) AS net_total
FROM wallet_ledger.revenue_entries r
GROUP BY r.ledger, r.day, r.currency, r.account;
COMMENT ON VIEW wallet_ledger.platform_revenue IS
    'Per ledger, day, currency and revenue account: debits, credits, and credits less debits.';

-- The root of a striped account is always zero, so the rows add up as they are.
CREATE OR REPLACE VIEW wallet_ledger.platform_float WITH (security_invoker = true) AS
SELECT l.name AS ledger, w.currency, sum(w.posted) AS posted, sum(w.held - e.amount) AS held,
       sum(w.posted - w.held + e.amount) AS available, count(*) FILTER (WHERE w.stripe = 0) AS wallet_count
FROM wallet_data.accounts w
JOIN wallet_data.ledgers l ON l.ledger_id = w.ledger_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(h.amount), 0) AS amount
    FROM wallet_data.holds h
    WHERE w.held > 0 AND h.ledger_id = w.ledger_id AND h.account_id = w.account_id
      AND h.state_id = 1 AND h.expires_at <= statement_timestamp()) e
WHERE w.address ^@ 'wallets:' AND w.type_id = 2
GROUP BY l.name, w.currency;
COMMENT ON VIEW wallet_ledger.platform_float IS
    'Per ledger and currency what the platform owes its users: the sum of all wallets, how much of it is held, and how many wallets there are.';

CREATE OR REPLACE VIEW wallet_ledger.escrow_report WITH (security_invoker = true) AS
SELECT l.name AS ledger, e.escrow_id, e.reference,
       (ARRAY['held', 'shipped', 'disputed', 'released', 'refunded'])[e.state_id] AS status,
       b.address AS buyer_account,
       (SELECT array_agg(DISTINCT s.address::text ORDER BY s.address::text)
        FROM wallet_data.escrow_lines n
        JOIN wallet_data.accounts s ON s.ledger_id = n.ledger_id AND s.account_id = n.beneficiary_account_id
        WHERE n.ledger_id = e.ledger_id AND n.escrow_id = e.escrow_id) AS seller_accounts,
       b.currency, e.amount, e.amount - e.released_amount - e.refunded_amount AS held_amount,
       e.released_amount, e.fee_amount, e.refunded_amount, e.returned_amount,
       (SELECT sum(n.returned_fee_amount) FROM wallet_data.escrow_lines n
        WHERE n.ledger_id = e.ledger_id AND n.escrow_id = e.escrow_id) AS returned_fee_amount,
       (SELECT sum(n.advanced_amount) FROM wallet_data.escrow_lines n
        WHERE n.ledger_id = e.ledger_id AND n.escrow_id = e.escrow_id) AS advanced_amount,
       (SELECT count(*) FROM wallet_data.disputes d
        WHERE d.ledger_id = e.ledger_id AND d.escrow_id = e.escrow_id) AS dispute_count,
       (e.opened_at AT TIME ZONE l.timezone)::date AS opened_day,
       (e.closed_at AT TIME ZONE l.timezone)::date AS closed_day,
       (coalesce(e.closed_at, statement_timestamp()) AT TIME ZONE l.timezone)::date
           - (e.opened_at AT TIME ZONE l.timezone)::date AS days_held,
       e.opened_at, e.shipped_at, e.release_due_at, e.closed_at, e.tracking_reference
FROM wallet_data.escrows e
JOIN wallet_data.ledgers l ON l.ledger_id = e.ledger_id
JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id;
COMMENT ON VIEW wallet_ledger.escrow_report IS
    'Every escrow with all its sums, its sellers, its disputes, and for how many of the ledger''s days money has been held. returned, returned_fee and advanced are what went back after release.';

-- A failure put the next attempt off behind the due time, and said why in an event.
CREATE OR REPLACE VIEW wallet_ledger.escrows_ready_for_release WITH (security_invoker = true) AS
SELECT l.name AS ledger, e.escrow_id, e.reference, 'shipped'::text AS status, a.address AS account,
       b.address AS buyer_account,
       (SELECT array_agg(DISTINCT s.address::text ORDER BY s.address::text)
        FROM wallet_data.escrow_lines n
        JOIN wallet_data.accounts s ON s.ledger_id = n.ledger_id AND s.account_id = n.beneficiary_account_id
        WHERE n.ledger_id = e.ledger_id AND n.escrow_id = e.escrow_id) AS seller_accounts,
       a.currency, e.amount, e.amount - e.released_amount - e.refunded_amount AS held_amount,
       (e.release_due_at AT TIME ZONE l.timezone)::date AS due_day,
       statement_timestamp() - e.release_due_at AS overdue,
       e.shipped_at, e.release_due_at, e.attempt_at AS next_attempt_at,
       f.created_at AS failed_at, f.payload ->> 'error' AS error, f.payload ->> 'message' AS message
FROM wallet_data.escrows e
JOIN wallet_data.ledgers l ON l.ledger_id = e.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = e.ledger_id AND a.account_id = e.account_id
JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id
LEFT JOIN LATERAL (
    SELECT v.created_at, v.payload
    FROM wallet_data.events v
    WHERE e.attempt_at > e.release_due_at AND v.ledger_id = e.ledger_id AND v.topic = 'escrow.release_failed'
      AND v.subject = e.escrow_id::text
    ORDER BY v.event_id DESC LIMIT 1) f ON true
WHERE e.state_id = 2 AND e.attempt_at IS NOT NULL AND e.release_due_at <= statement_timestamp();
COMMENT ON VIEW wallet_ledger.escrows_ready_for_release IS
    'Escrows that are shipped, whose time to complain is over, and that are not disputed: how long overdue, and why the last release failed where one did.';

CREATE OR REPLACE VIEW wallet_ledger.open_disputes WITH (security_invoker = true) AS
SELECT l.name AS ledger, d.dispute_id, d.escrow_id, e.reference, a.address AS account, b.address AS buyer_account,
       (SELECT array_agg(DISTINCT s.address::text ORDER BY s.address::text)
        FROM wallet_data.escrow_lines n
        JOIN wallet_data.accounts s ON s.ledger_id = n.ledger_id AND s.account_id = n.beneficiary_account_id
        WHERE n.ledger_id = e.ledger_id AND n.escrow_id = e.escrow_id) AS seller_accounts,
       a.currency, e.amount - e.released_amount - e.refunded_amount AS held_amount, d.opened_by, d.reason,
       (SELECT count(*) FROM wallet_data.dispute_notes n
        WHERE n.ledger_id = d.ledger_id AND n.dispute_id = d.dispute_id) AS note_count,
       (d.opened_at AT TIME ZONE l.timezone)::date AS opened_day, d.opened_at,
       statement_timestamp() - d.opened_at AS age
FROM wallet_data.disputes d
JOIN wallet_data.ledgers l ON l.ledger_id = d.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = d.ledger_id AND e.escrow_id = d.escrow_id
JOIN wallet_data.accounts a ON a.ledger_id = e.ledger_id AND a.account_id = e.account_id
JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id
WHERE d.resolved_at IS NULL;
COMMENT ON VIEW wallet_ledger.open_disputes IS
    'Disputes that wait for a decision: between whom, about how much, since when, and how many notes there are.';

CREATE OR REPLACE VIEW wallet_ledger.fee_report WITH (security_invoker = true) AS
SELECT l.name AS ledger, (c.created_at AT TIME ZONE l.timezone)::date AS day, c.escrow_id, e.reference,
       (ARRAY['held', 'shipped', 'disputed', 'released', 'refunded'])[e.state_id] AS status,
       b.address AS buyer_account, s.line, r.address AS seller_account, n.fee, n.rate, f.address AS fee_account,
       f.currency, c.action, s.released_amount, s.fee_amount, s.returned_amount, s.returned_fee_amount,
       s.fee_amount - s.returned_fee_amount AS net_fee_amount, c.action_id, c.transaction_id, c.created_at
FROM wallet_data.escrow_actions c
JOIN wallet_data.ledgers l ON l.ledger_id = c.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = c.ledger_id AND e.escrow_id = c.escrow_id
JOIN wallet_data.escrow_splits s ON s.ledger_id = c.ledger_id AND s.action_id = c.action_id
JOIN wallet_data.escrow_lines n ON n.ledger_id = c.ledger_id AND n.escrow_id = c.escrow_id AND n.line = s.line
-- They are always there. An outer join is left out where a report asks for no name.
LEFT JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id
LEFT JOIN wallet_data.accounts r ON r.ledger_id = n.ledger_id AND r.account_id = n.beneficiary_account_id
JOIN wallet_data.accounts f ON f.ledger_id = n.ledger_id AND f.account_id = n.fee_account_id
WHERE s.fee_amount > 0 OR s.returned_fee_amount > 0;
COMMENT ON VIEW wallet_ledger.fee_report IS
    'Fees of escrows, per line and action: what was taken of what was released, at which rate, and what was given back with a refund.';

CREATE OR REPLACE VIEW wallet_ledger.refund_report WITH (security_invoker = true) AS
SELECT l.name AS ledger, (c.created_at AT TIME ZONE l.timezone)::date AS day, c.escrow_id, e.reference,
       (ARRAY['held', 'shipped', 'disputed', 'released', 'refunded'])[e.state_id] AS status,
       b.address AS buyer_account,
       (SELECT array_agg(DISTINCT r.address::text ORDER BY r.address::text)
        FROM wallet_data.escrow_splits s
        JOIN wallet_data.escrow_lines n ON n.ledger_id = s.ledger_id AND n.escrow_id = s.escrow_id AND n.line = s.line
        JOIN wallet_data.accounts r ON r.ledger_id = n.ledger_id AND r.account_id = n.beneficiary_account_id
        WHERE s.ledger_id = c.ledger_id AND s.action_id = c.action_id
          AND s.refunded_amount + s.returned_amount > 0) AS seller_accounts,
       b.currency, x.refunded_amount + x.returned_amount AS amount, x.refunded_amount AS from_escrow_amount,
       x.returned_amount - x.returned_fee_amount - x.advanced_amount AS from_sellers_amount,
       x.returned_fee_amount AS from_fees_amount, x.advanced_amount, c.action, c.actor, c.reason, c.action_id,
       c.dispute_id, c.transaction_id, c.created_at
FROM wallet_data.escrow_actions c
JOIN wallet_data.ledgers l ON l.ledger_id = c.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = c.ledger_id AND e.escrow_id = c.escrow_id
JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id
CROSS JOIN LATERAL (
    SELECT sum(s.refunded_amount) AS refunded_amount, sum(s.returned_amount) AS returned_amount,
           sum(s.returned_fee_amount) AS returned_fee_amount, sum(s.advanced_amount) AS advanced_amount
    FROM wallet_data.escrow_splits s
    WHERE s.ledger_id = c.ledger_id AND s.action_id = c.action_id) x
WHERE c.refunded_amount > 0 OR c.returned_amount > 0;
COMMENT ON VIEW wallet_ledger.refund_report IS
    'Refunds of escrows, one row for each: amount = from_escrow + from_sellers + from_fees + advanced (paid by the platform in a seller''s place), with who did it and why.';
