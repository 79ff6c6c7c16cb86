-- Public views of people and places, and what each role may read of their tables.
-- Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE VIEW wallet_ledger.members WITH (security_invoker = true) AS
SELECT l.name AS ledger, m.member, a.address AS account, a.currency, m.full_name, m.actor,
       (ARRAY['active', 'inactive'])[m.state_id] AS status, m.metadata, m.created_at
FROM wallet_data.members m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id;
COMMENT ON VIEW wallet_ledger.members IS 'Pupils and staff: people with a wallet of their own. actor is who signs in as them.';

CREATE OR REPLACE VIEW wallet_ledger.guardians WITH (security_invoker = true) AS
SELECT l.name AS ledger, g.guardian, g.full_name, g.actor, (ARRAY['active', 'inactive'])[g.state_id] AS status,
       g.metadata, g.created_at
FROM wallet_data.guardians g JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.guardians IS 'People who look after members. actor is who signs in as them.';

CREATE OR REPLACE VIEW wallet_ledger.guardian_links WITH (security_invoker = true) AS
SELECT l.name AS ledger, k.guardian, k.member, k.may_view, k.may_top_up, k.may_set_limits, k.linked_at, k.linked_by,
       (ARRAY['active', 'inactive'])[g.state_id] AS guardian_status
FROM wallet_data.guardian_links k
JOIN wallet_data.ledgers l ON l.ledger_id = k.ledger_id
JOIN wallet_data.guardians g ON g.ledger_id = k.ledger_id AND g.guardian = k.guardian;
COMMENT ON VIEW wallet_ledger.guardian_links IS
    'What each guardian may do for each member. A link without any right is a link that was taken back; a guardian who is inactive may do nothing.';

CREATE OR REPLACE VIEW wallet_ledger.merchants WITH (security_invoker = true) AS
SELECT l.name AS ledger, m.merchant, a.address AS account, a.currency, m.full_name,
       (ARRAY['active', 'inactive'])[m.state_id] AS status, m.metadata, m.created_at
FROM wallet_data.merchants m
JOIN wallet_data.ledgers l ON l.ledger_id = m.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id;
COMMENT ON VIEW wallet_ledger.merchants IS 'Tenants who sell, with the account that purchases are credited to.';

CREATE OR REPLACE VIEW wallet_ledger.devices WITH (security_invoker = true) AS
SELECT l.name AS ledger, d.device, d.merchant, d.full_name, (ARRAY['active', 'inactive'])[d.state_id] AS status,
       (ARRAY['wait', 'take'])[d.gap_policy_id] AS gap_policy,
       (ARRAY['reject', 'accept'])[d.conflict_policy_id] AS conflict_policy,
       d.overdraft_limit, d.last_sequence, d.last_synced_at, d.created_at
FROM wallet_data.devices d JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.devices IS
    'Tills of merchants: what happens to what they sold offline, and the last number that was taken from them.';

CREATE OR REPLACE VIEW wallet_ledger.items WITH (security_invoker = true) AS
SELECT l.name AS ledger, i.merchant, i.item, i.full_name, i.category, i.price, a.currency,
       i.quantity_scale AS quantity_decimals, (ARRAY['active', 'inactive'])[i.state_id] AS status, i.updated_at,
       i.updated_by
FROM wallet_data.items i
JOIN wallet_data.ledgers l ON l.ledger_id = i.ledger_id
JOIN wallet_data.merchants m ON m.ledger_id = i.ledger_id AND m.merchant = i.merchant
JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id;
COMMENT ON VIEW wallet_ledger.items IS 'What merchants sell now, at which price. What was sold keeps the price of its moment.';

CREATE OR REPLACE VIEW wallet_ledger.role_assignments WITH (security_invoker = true) AS
SELECT l.name AS ledger, r.actor, r.role, r.scope, r.assigned_at, r.assigned_by
FROM (
    SELECT s.ledger_id, s.actor,
           (ARRAY['super_administrator', 'organisation_administrator', 'tenant_administrator', 'cashier'])[s.role_id] AS role,
           nullif(s.scope, '') AS scope, s.assigned_at, s.assigned_by
    FROM wallet_data.role_assignments s
    UNION ALL
    SELECT g.ledger_id, g.actor, 'guardian' AS role, g.guardian AS scope, NULL AS assigned_at, NULL AS assigned_by FROM wallet_data.guardians g WHERE g.actor IS NOT NULL AND g.state_id = 1
    UNION ALL
    SELECT m.ledger_id, m.actor, 'member' AS role, m.member AS scope, NULL AS assigned_at, NULL AS assigned_by FROM wallet_data.members m WHERE m.actor IS NOT NULL AND m.state_id = 1
) r
JOIN wallet_data.ledgers l ON l.ledger_id = r.ledger_id;
COMMENT ON VIEW wallet_ledger.role_assignments IS
    'Who has which role, and where: the merchant, the guardian or the member. Who is inactive has none. What each role may do role_permissions() says.';

GRANT SELECT ON
    wallet_data.members, wallet_data.guardians, wallet_data.guardian_links, wallet_data.merchants,
    wallet_data.devices, wallet_data.items, wallet_data.role_assignments,
    wallet_ledger.members, wallet_ledger.guardians, wallet_ledger.guardian_links, wallet_ledger.merchants,
    wallet_ledger.devices, wallet_ledger.items, wallet_ledger.role_assignments
TO wallet_app, wallet_auditor;
