-- Public views of spending limits, and who may read them.
-- Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE VIEW wallet_ledger.spending_limits WITH (security_invoker = true) AS
SELECT l.name AS ledger, coalesce(a.address, '*') AS account, s.name, s.currency, s.per_transaction, s.daily,
       s.weekly, s.monthly, s.windows, s.merchants, s.categories, s.method, s.replaces_default, s.effective_from,
       lead(s.effective_from) OVER (
           PARTITION BY s.ledger_id, s.account_id, s.name ORDER BY s.effective_from, s.revision) AS effective_until,
       s.revision, s.set_by, s.reason, s.created_at
FROM wallet_data.spending_limits s
JOIN wallet_data.ledgers l ON l.ledger_id = s.ledger_id
LEFT JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id;
COMMENT ON VIEW wallet_ledger.spending_limits IS
    'Every change of every spending limit, who made it, and from when until when it counts. Account * is the organisation''s default. A row that limits nothing lifts the limit of its name.';

GRANT SELECT ON wallet_data.spending_limits, wallet_ledger.spending_limits TO wallet_app, wallet_auditor;
