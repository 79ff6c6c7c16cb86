-- The reading API of rates and escrow. Run by every wallet_ledger.install(), as wallet_owner.
-- Like all views these use no function of the extension, so that they survive DROP EXTENSION.

CREATE OR REPLACE VIEW wallet_ledger.rates WITH (security_invoker = true) AS
SELECT l.name AS ledger, r.name, r.rate, r.account, r.effective_from, r.set_by, r.reason, r.created_at, r.revision
FROM wallet_data.rates r JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.rates IS 'Every change of a rate: from when on it counts, who made it and why. list_rates() shows what counts.';

CREATE OR REPLACE VIEW wallet_ledger.escrows WITH (security_invoker = true) AS
SELECT e.escrow_id AS id, l.name AS ledger, e.reference,
       (ARRAY['held', 'shipped', 'disputed', 'released', 'refunded'])[e.state_id] AS status,
       a.address AS account, b.address AS buyer_account, e.amount,
       e.amount - e.released_amount - e.refunded_amount AS held_amount,
       e.released_amount, e.fee_amount, e.refunded_amount, e.returned_amount, a.currency, e.intent_id,
       e.transaction_id, e.tracking_reference, e.metadata, e.opened_at, e.shipped_at, e.release_due_at, e.closed_at
FROM wallet_data.escrows e
JOIN wallet_data.ledgers l ON l.ledger_id = e.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = e.ledger_id AND a.account_id = e.account_id
JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id;
COMMENT ON VIEW wallet_ledger.escrows IS
    'Escrows: amount = held + released + refunded; fee is part of released; returned went back to the buyer after release. transaction_id is the opening.';

CREATE OR REPLACE VIEW wallet_ledger.escrow_lines WITH (security_invoker = true) AS
SELECT n.escrow_id, l.name AS ledger, e.reference, n.line, b.address AS beneficiary_account, n.amount, n.fee, n.rate,
       f.address AS fee_account, n.amount - n.released_amount - n.refunded_amount AS held_amount,
       n.released_amount, n.fee_amount, n.refunded_amount, n.returned_amount, n.returned_fee_amount,
       n.advanced_amount, n.description
FROM wallet_data.escrow_lines n
JOIN wallet_data.ledgers l ON l.ledger_id = n.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = n.ledger_id AND e.escrow_id = n.escrow_id
JOIN wallet_data.accounts b ON b.ledger_id = n.ledger_id AND b.account_id = n.beneficiary_account_id
LEFT JOIN wallet_data.accounts f ON f.ledger_id = n.ledger_id AND f.account_id = n.fee_account_id;
COMMENT ON VIEW wallet_ledger.escrow_lines IS
    'What of each escrow is for whom, at which rate, and what has moved of it. advanced is what the platform gave back in the beneficiary''s place.';

CREATE OR REPLACE VIEW wallet_ledger.escrow_actions WITH (security_invoker = true) AS
SELECT c.action_id AS id, l.name AS ledger, c.escrow_id, e.reference, c.action, c.released_amount, c.refunded_amount,
       c.returned_amount, c.transaction_id, c.dispute_id, c.actor, c.reason, c.created_at
FROM wallet_data.escrow_actions c
JOIN wallet_data.ledgers l ON l.ledger_id = c.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = c.ledger_id AND e.escrow_id = c.escrow_id;
COMMENT ON VIEW wallet_ledger.escrow_actions IS
    'Everything that was done to escrows: what, by whom, when and why, and what moved by it.';

CREATE OR REPLACE VIEW wallet_ledger.escrow_splits WITH (security_invoker = true) AS
SELECT s.action_id, l.name AS ledger, s.escrow_id, s.line, b.address AS beneficiary_account, n.fee,
       f.address AS fee_account, s.released_amount, s.fee_amount, s.refunded_amount, s.returned_amount,
       s.returned_fee_amount, s.advanced_amount, c.action, c.created_at
FROM wallet_data.escrow_splits s
JOIN wallet_data.ledgers l ON l.ledger_id = s.ledger_id
JOIN wallet_data.escrow_actions c ON c.ledger_id = s.ledger_id AND c.action_id = s.action_id
JOIN wallet_data.escrow_lines n ON n.ledger_id = s.ledger_id AND n.escrow_id = s.escrow_id AND n.line = s.line
JOIN wallet_data.accounts b ON b.ledger_id = n.ledger_id AND b.account_id = n.beneficiary_account_id
LEFT JOIN wallet_data.accounts f ON f.ledger_id = n.ledger_id AND f.account_id = n.fee_account_id;
COMMENT ON VIEW wallet_ledger.escrow_splits IS
    'What each action moved on each line of an escrow, fees apart: the source of the reports.';

CREATE OR REPLACE VIEW wallet_ledger.disputes WITH (security_invoker = true) AS
SELECT d.dispute_id AS id, l.name AS ledger, d.escrow_id, e.reference,
       CASE WHEN d.resolved_at IS NULL THEN 'open' ELSE 'resolved' END AS status,
       d.opened_by, d.reason, d.evidence, d.opened_at, d.refunded_amount, d.released_amount, d.resolved_by,
       d.resolution, d.resolved_at, d.transaction_id
FROM wallet_data.disputes d
JOIN wallet_data.ledgers l ON l.ledger_id = d.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = d.ledger_id AND e.escrow_id = d.escrow_id;
COMMENT ON VIEW wallet_ledger.disputes IS 'Disputes about escrows, and how they were decided.';

CREATE OR REPLACE VIEW wallet_ledger.dispute_notes WITH (security_invoker = true) AS
SELECT n.note_id AS id, l.name AS ledger, n.dispute_id, n.author, n.note, n.evidence, n.created_at
FROM wallet_data.dispute_notes n JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.dispute_notes IS 'What the parties and the mediator have said in disputes.';

CREATE OR REPLACE VIEW wallet_ledger.group_buys WITH (security_invoker = true) AS
SELECT g.group_buy_id AS id, l.name AS ledger, g.reference, (ARRAY['open', 'reached', 'missed'])[g.state_id] AS status,
       g.target_participants, g.target_quantity, m.participants, m.quantity, m.amount, m.unsettled,
       CASE WHEN g.releases THEN 'release' ELSE 'carry_on' END AS on_reached, g.metadata, g.deadline, g.opened_at,
       g.decided_at, g.settled_at
FROM wallet_data.group_buys g
JOIN wallet_data.ledgers l ON l.ledger_id = g.ledger_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.state_id <> 5) AS participants,
           coalesce(sum(m.quantity) FILTER (WHERE e.state_id <> 5), 0)::bigint AS quantity,
           coalesce(sum(e.amount) FILTER (WHERE e.state_id <> 5), 0) AS amount,
           count(*) FILTER (WHERE m.settled_at IS NULL) AS unsettled
    FROM wallet_data.group_buy_members m
    JOIN wallet_data.escrows e ON e.ledger_id = m.ledger_id AND e.escrow_id = m.escrow_id
    WHERE m.ledger_id = g.ledger_id AND m.group_buy_id = g.group_buy_id) m;
COMMENT ON VIEW wallet_ledger.group_buys IS
    'Group buys with those who take part now: whoever has all of the money back is not counted. unsettled: members that settle_group_buy() has not done with.';

CREATE OR REPLACE VIEW wallet_ledger.group_buy_members WITH (security_invoker = true) AS
SELECT m.group_buy_id, l.name AS ledger, g.reference, m.member, b.address AS buyer_account, m.quantity, m.escrow_id,
       e.amount, (ARRAY['held', 'shipped', 'disputed', 'released', 'refunded'])[e.state_id] AS status, m.joined_at,
       m.settled_at, m.error
FROM wallet_data.group_buy_members m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.group_buys g ON g.ledger_id = m.ledger_id AND g.group_buy_id = m.group_buy_id
JOIN wallet_data.escrows e ON e.ledger_id = m.ledger_id AND e.escrow_id = m.escrow_id
JOIN wallet_data.accounts b ON b.ledger_id = m.ledger_id AND b.account_id = m.buyer_account_id;
COMMENT ON VIEW wallet_ledger.group_buy_members IS
    'Who takes part in group buys, with which escrow. error: why settling failed for them last.';

CREATE OR REPLACE VIEW wallet_ledger.bank_releases WITH (security_invoker = true) AS
SELECT r.bank_release_id AS id, l.name AS ledger, r.escrow_id, e.reference, r.line, s.address AS account,
       b.address AS bank_account, r.amount, r.transfer_reference, r.sent_at, r.transaction_id, r.recorded_by, r.recorded_at
FROM wallet_data.bank_releases r
JOIN wallet_data.ledgers l ON l.ledger_id = r.ledger_id
JOIN wallet_data.escrows e ON e.ledger_id = r.ledger_id AND e.escrow_id = r.escrow_id
JOIN wallet_data.escrow_lines n ON n.ledger_id = r.ledger_id AND n.escrow_id = r.escrow_id AND n.line = r.line
JOIN wallet_data.accounts s ON s.ledger_id = n.ledger_id AND s.account_id = n.beneficiary_account_id
JOIN wallet_data.accounts b ON b.ledger_id = r.ledger_id AND b.account_id = r.bank_account_id;
COMMENT ON VIEW wallet_ledger.bank_releases IS
    'Transfers to sellers'' banks that were made by hand: for which escrow, with which reference, when and by whom.';

CREATE OR REPLACE VIEW wallet_ledger.plans WITH (security_invoker = true) AS
SELECT p.plan_id AS id, l.name AS ledger, p.name, p.price, a.currency,
       CASE p.months WHEN 1 THEN 'monthly' ELSE 'yearly' END AS period, a.address AS account, p.grace, p.limits,
       p.description, p.created_at
FROM wallet_data.plans p
JOIN wallet_data.ledgers l ON l.ledger_id = p.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id;
COMMENT ON VIEW wallet_ledger.plans IS 'What can be subscribed to.';

CREATE OR REPLACE VIEW wallet_ledger.subscriptions WITH (security_invoker = true) AS
SELECT s.subscription_id AS id, l.name AS ledger, p.name AS plan, a.address AS account,
       (ARRAY['active', 'past_due', 'expired', 'cancelled'])[s.state_id] AS status, s.price, a.currency,
       CASE p.months WHEN 1 THEN 'monthly' ELSE 'yearly' END AS period, s.period AS period_number, s.period_start,
       s.period_end, s.past_due_since, s.ends_at, r.amount AS refunded_amount, p.limits, s.reference, s.reason,
       s.metadata, s.started_at
FROM wallet_data.subscriptions s
JOIN wallet_data.ledgers l ON l.ledger_id = s.ledger_id
JOIN wallet_data.plans p ON p.ledger_id = s.ledger_id AND p.plan_id = s.plan_id
JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id
LEFT JOIN wallet_data.subscription_refunds r ON r.ledger_id = s.ledger_id AND r.subscription_id = s.subscription_id;
COMMENT ON VIEW wallet_ledger.subscriptions IS
    'Who has subscribed to what and until when it is paid. A reminder is due before period_end; a cancelled one counts until ends_at.';

CREATE OR REPLACE VIEW wallet_ledger.subscription_periods WITH (security_invoker = true) AS
SELECT t.subscription_id, l.name AS ledger, t.period AS period_number, t.period_start, t.period_end, t.amount,
       t.transaction_id, t.paid_at
FROM wallet_data.subscription_periods t JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.subscription_periods IS 'Every period that was paid, once.';
