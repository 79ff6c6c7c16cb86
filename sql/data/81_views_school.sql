-- What guardians, canteens and the organisation look at. Run by every wallet_ledger.install(), as wallet_owner.
-- Days, weeks (from Monday) and months are the ledger's. What was sold counts when it was sold, by the till's time
-- where it was offline; the clock of a till may be ahead, so a day ends where the next one begins. Like all views these use no function of the extension, so that they survive DROP EXTENSION.

-- What was given back of a purchase is taken off the period in which it was bought, as the limits do it.
CREATE OR REPLACE VIEW wallet_ledger.member_spending WITH (security_invoker = true) AS
SELECT l.name AS ledger, m.member::text AS member, m.full_name, v.account, v.currency, v.posted, v.held, v.available,
       round(greatest(coalesce(o.posted, 0), 0), a.scale) AS owed,
       round(p.today, a.scale) AS spent_today, round(p.this_week, a.scale) AS spent_this_week,
       round(p.this_month, a.scale) AS spent_this_month, f.refused AS refused_today,
       last.purchased_at AS last_purchase_at, last.amount AS last_amount, last.merchant::text AS last_merchant
FROM wallet_data.members m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
JOIN wallet_ledger.accounts v ON v.ledger = l.name AND v.account = a.address
LEFT JOIN wallet_data.accounts o ON o.ledger_id = m.ledger_id AND o.address = 'overdrafts:' || m.member AND o.stripe = 0
CROSS JOIN LATERAL (
    SELECT date_trunc('day', t.local) AT TIME ZONE l.timezone AS day,
           date_trunc('week', t.local) AT TIME ZONE l.timezone AS week,
           date_trunc('month', t.local) AT TIME ZONE l.timezone AS month,
           (date_trunc('day', t.local) + interval '1 day') AT TIME ZONE l.timezone AS next_day,
           (date_trunc('week', t.local) + interval '1 week') AT TIME ZONE l.timezone AS next_week,
           (date_trunc('month', t.local) + interval '1 month') AT TIME ZONE l.timezone AS next_month
    FROM (SELECT now() AT TIME ZONE l.timezone AS local) t) b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.amount - s.refunded_amount) FILTER (WHERE s.purchased_at >= b.day AND s.purchased_at < b.next_day), 0) AS today,
           coalesce(sum(s.amount - s.refunded_amount) FILTER (WHERE s.purchased_at >= b.week AND s.purchased_at < b.next_week), 0) AS this_week,
           coalesce(sum(s.amount - s.refunded_amount) FILTER (WHERE s.purchased_at >= b.month AND s.purchased_at < b.next_month), 0) AS this_month
    FROM wallet_data.purchases s
    WHERE s.ledger_id = m.ledger_id AND s.member = m.member AND s.state_id = 1
      AND s.purchased_at >= least(b.week, b.month) AND s.purchased_at < greatest(b.next_week, b.next_month)) p
CROSS JOIN LATERAL (
    SELECT count(*) AS refused FROM wallet_data.purchases s
    WHERE s.ledger_id = m.ledger_id AND s.member = m.member AND s.state_id = 2 AND s.created_at >= b.day) f
LEFT JOIN LATERAL (
    SELECT s.purchased_at, s.amount, s.merchant FROM wallet_data.purchases s
    WHERE s.ledger_id = m.ledger_id AND s.member = m.member AND s.state_id = 1
    ORDER BY s.purchased_at DESC, s.purchase_id DESC LIMIT 1) last ON true;
COMMENT ON VIEW wallet_ledger.member_spending IS
    'Each member''s balance and debt of overdrafts, what was bought today, this week and this month less what was given back of it, the last purchase, and how many were refused today.';

CREATE OR REPLACE VIEW wallet_ledger.guardian_overview WITH (security_invoker = true) AS
SELECT k.guardian::text AS guardian, s.*, k.may_top_up, k.may_set_limits
FROM wallet_data.guardian_links k
JOIN wallet_data.ledgers l ON l.ledger_id = k.ledger_id
JOIN wallet_data.guardians g ON g.ledger_id = k.ledger_id AND g.guardian = k.guardian AND g.state_id = 1
JOIN wallet_ledger.member_spending s ON s.ledger = l.name AND s.member = k.member::text
WHERE k.may_view;
COMMENT ON VIEW wallet_ledger.guardian_overview IS
    'For each active guardian the members that they may view: balance, debt, spending, last purchase, refusals of today.';

CREATE OR REPLACE VIEW wallet_ledger.spending_by_category WITH (security_invoker = true) AS
SELECT l.name AS ledger, p.member::text AS member, (p.purchased_at AT TIME ZONE l.timezone)::date AS day, i.category,
       a.currency, sum(i.amount) AS amount, sum(i.refunded_amount) AS refunded,
       sum(i.amount - i.refunded_amount) AS net, count(DISTINCT p.purchase_id) AS purchase_count
FROM wallet_data.purchases p
JOIN wallet_data.ledgers l ON l.ledger_id = p.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id
JOIN wallet_data.purchase_items i ON i.ledger_id = p.ledger_id AND i.purchase_id = p.purchase_id
WHERE p.state_id = 1
GROUP BY l.name, p.member, (p.purchased_at AT TIME ZONE l.timezone)::date, i.category, a.currency;
COMMENT ON VIEW wallet_ledger.spending_by_category IS
    'What each member bought, by day and category: amount at the price of the moment, refunded whenever that was. category is NULL where an item has none.';

CREATE OR REPLACE VIEW wallet_ledger.refusals WITH (security_invoker = true) AS
SELECT l.name AS ledger, p.member::text AS member, p.merchant::text AS merchant, p.device::text AS device, p.amount,
       a.currency, p.error -> 'detail' ->> 'error' AS error, p.error -> 'detail' ->> 'reason' AS reason,
       p.error ->> 'message' AS message, p.created_at AS refused_at, p.purchase_id,
       p.purchased_at
FROM wallet_data.purchases p
JOIN wallet_data.ledgers l ON l.ledger_id = p.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id
WHERE p.state_id = 2;
COMMENT ON VIEW wallet_ledger.refusals IS
    'Purchases that were refused: error is the token, such as spending_limit_exceeded, reason what of the limit, such as daily or window. refused_at is when it was decided, purchased_at what the till''s clock said.';

-- Money given back counts on the day of the giving back: a day that is over stays as it is.
CREATE OR REPLACE VIEW wallet_ledger.canteen_day_report WITH (security_invoker = true) AS
SELECT d.ledger, d.merchant::text AS merchant, d.day, d.currency, d.purchase_count, round(d.amount, d.scale) AS amount,
       round(d.refunded, d.scale) AS refunded, round(d.amount - d.refunded, d.scale) AS net, d.refused_count,
       d.overdraft_count, coalesce(c.parts, '{}') AS by_category, coalesce(t.parts, '{}') AS by_device
FROM (
    SELECT f.ledger_id, l.name AS ledger, l.timezone, f.merchant, f.day, a.currency, a.scale,
           count(*) FILTER (WHERE f.form = 1) AS purchase_count, sum(f.amount) AS amount, sum(f.refunded) AS refunded,
           count(*) FILTER (WHERE f.form = 2) AS refused_count,
           count(*) FILTER (WHERE f.is_overdraft) AS overdraft_count
    FROM (
        SELECT p.ledger_id, p.merchant, (p.purchased_at AT TIME ZONE z.timezone)::date AS day, p.state_id::integer AS form,
               CASE WHEN p.state_id = 1 THEN p.amount ELSE 0 END AS amount, 0 AS refunded, p.is_overdraft
        FROM wallet_data.purchases p JOIN wallet_data.ledgers z ON z.ledger_id = p.ledger_id
        UNION ALL
        SELECT r.ledger_id, p.merchant, (r.refunded_at AT TIME ZONE z.timezone)::date AS day, 0 AS form, 0 AS amount,
               r.amount AS refunded, false AS is_overdraft
        FROM wallet_data.purchase_refunds r
        JOIN wallet_data.purchases p ON p.ledger_id = r.ledger_id AND p.purchase_id = r.purchase_id
        JOIN wallet_data.ledgers z ON z.ledger_id = r.ledger_id) f
    JOIN wallet_data.ledgers l ON l.ledger_id = f.ledger_id
    JOIN wallet_data.merchants m ON m.ledger_id = f.ledger_id AND m.merchant = f.merchant
    JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
    GROUP BY f.ledger_id, l.name, l.timezone, f.merchant, f.day, a.currency, a.scale) d
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(coalesce(g.category, ''), jsonb_build_object(
               'amount', g.amount::text, 'purchase_count', g.purchase_count)) AS parts
    FROM (
        SELECT i.category, sum(i.amount) AS amount, count(DISTINCT p.purchase_id) AS purchase_count
        FROM wallet_data.purchases p
        JOIN wallet_data.purchase_items i ON i.ledger_id = p.ledger_id AND i.purchase_id = p.purchase_id
        WHERE p.ledger_id = d.ledger_id AND p.merchant = d.merchant AND p.state_id = 1
          AND p.purchased_at >= d.day::timestamp AT TIME ZONE d.timezone
          AND p.purchased_at < (d.day + 1)::timestamp AT TIME ZONE d.timezone
        GROUP BY i.category) g) c
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(coalesce(g.device, ''), jsonb_build_object(
               'amount', g.amount::text, 'purchase_count', g.purchase_count, 'refused_count', g.refused_count)) AS parts
    FROM (
        SELECT p.device, coalesce(sum(p.amount) FILTER (WHERE p.state_id = 1), 0) AS amount,
               count(*) FILTER (WHERE p.state_id = 1) AS purchase_count,
               count(*) FILTER (WHERE p.state_id = 2) AS refused_count
        FROM wallet_data.purchases p
        WHERE p.ledger_id = d.ledger_id AND p.merchant = d.merchant
          AND p.purchased_at >= d.day::timestamp AT TIME ZONE d.timezone
          AND p.purchased_at < (d.day + 1)::timestamp AT TIME ZONE d.timezone
        GROUP BY p.device) g) t;
COMMENT ON VIEW wallet_ledger.canteen_day_report IS
    'Each merchant''s day: how many purchases and how much, what was given back on that day, what is left, and how many were refused or taken into an overdraft. by_category and by_device: what was sold, by the name of each; an empty name is what has none.';

CREATE OR REPLACE VIEW wallet_ledger.organisation_overview WITH (security_invoker = true) AS
SELECT l.name AS ledger, w.currency, w.member_count, w.wallet_total, w.owing_count, round(w.owed_total, w.scale) AS owed_total,
       coalesce(p.purchase_count, 0) AS purchases_today, round(coalesce(p.amount, 0), w.scale) AS amount_today,
       round(coalesce(r.amount, 0), w.scale) AS refunded_today, coalesce(f.refused_count, 0) AS refused_today,
       coalesce(p.overdraft_count, 0) AS overdrafts_today
FROM wallet_data.ledgers l
JOIN (
    SELECT m.ledger_id, a.currency, a.scale, count(*) FILTER (WHERE m.state_id = 1) AS member_count,
           sum(a.posted) AS wallet_total, count(*) FILTER (WHERE o.posted > 0) AS owing_count,
           coalesce(sum(o.posted) FILTER (WHERE o.posted > 0), 0) AS owed_total
    FROM wallet_data.members m
    JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
    LEFT JOIN wallet_data.accounts o
         ON o.ledger_id = m.ledger_id AND o.address = 'overdrafts:' || m.member AND o.stripe = 0
    GROUP BY m.ledger_id, a.currency, a.scale) w ON w.ledger_id = l.ledger_id
CROSS JOIN LATERAL (
    SELECT date_trunc('day', t.local) AT TIME ZONE l.timezone AS day,
           (date_trunc('day', t.local) + interval '1 day') AT TIME ZONE l.timezone AS next_day
    FROM (SELECT now() AT TIME ZONE l.timezone AS local) t) b
LEFT JOIN LATERAL (
    SELECT count(*) AS purchase_count, sum(s.amount) AS amount,
           count(*) FILTER (WHERE s.is_overdraft) AS overdraft_count
    FROM wallet_data.merchants m
    JOIN wallet_data.purchases s ON s.ledger_id = m.ledger_id AND s.merchant = m.merchant AND s.state_id = 1
                                AND s.purchased_at >= b.day AND s.purchased_at < b.next_day
    JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id
    WHERE m.ledger_id = l.ledger_id AND a.currency = w.currency) p ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS refused_count
    FROM wallet_data.members m
    JOIN wallet_data.purchases s ON s.ledger_id = m.ledger_id AND s.member = m.member AND s.state_id = 2
                                AND s.created_at >= b.day
    JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id
    WHERE m.ledger_id = l.ledger_id AND a.currency = w.currency) f ON true
LEFT JOIN LATERAL (
    SELECT sum(g.amount) AS amount
    FROM wallet_data.purchase_refunds g
    JOIN wallet_data.purchases s ON s.ledger_id = g.ledger_id AND s.purchase_id = g.purchase_id
    JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id
    WHERE g.ledger_id = l.ledger_id AND g.refunded_at >= b.day AND g.refunded_at < b.next_day AND a.currency = w.currency) r ON true;
COMMENT ON VIEW wallet_ledger.organisation_overview IS
    'Each organisation, by currency: active members, what all wallets hold, how many members owe how much from overdrafts, and today''s purchases, refunds, refusals and overdrafts.';

CREATE OR REPLACE VIEW wallet_ledger.devices_not_synced WITH (security_invoker = true) AS
SELECT l.name AS ledger, d.device::text AS device, d.merchant::text AS merchant, d.last_synced_at,
       now() - coalesce(d.last_synced_at, d.created_at) AS silent_for
FROM wallet_data.devices d
JOIN wallet_data.ledgers l ON l.ledger_id = d.ledger_id
WHERE d.state_id = 1 AND coalesce(d.last_synced_at, d.created_at) < now() - interval '1 day';
COMMENT ON VIEW wallet_ledger.devices_not_synced IS
    'Active tills that have not synced for more than a day, or never since they were created: what they sold meanwhile is not in the books.';

GRANT SELECT ON
    wallet_ledger.member_spending, wallet_ledger.guardian_overview, wallet_ledger.spending_by_category,
    wallet_ledger.refusals, wallet_ledger.canteen_day_report, wallet_ledger.organisation_overview,
    wallet_ledger.devices_not_synced
TO wallet_app, wallet_auditor;
