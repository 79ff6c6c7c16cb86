-- The reading API of purchases. Run by every wallet_ledger.install(), as wallet_owner.
-- Like all views these use no function of the extension, so that they survive DROP EXTENSION.

CREATE OR REPLACE VIEW wallet_ledger.purchases WITH (security_invoker = true) AS
SELECT p.purchase_id AS id, l.name AS ledger, (ARRAY['completed', 'refused'])[p.state_id] AS status, p.member,
       a.address AS account, p.merchant, p.device, p.device_sequence AS sequence, p.amount,
       p.refunded_amount AS refunded, p.is_overdraft, p.overdraft_amount,
       p.overdraft_returned_amount, a.currency,
       p.error -> 'detail' ->> 'error' AS error, p.error ->> 'message' AS message, p.error -> 'detail' AS detail,
       p.transaction_id, p.authentication_id, p.reference, p.metadata, p.actor, p.purchased_at, p.created_at
FROM wallet_data.purchases p
JOIN wallet_data.ledgers l ON l.ledger_id = p.ledger_id
JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id;
COMMENT ON VIEW wallet_ledger.purchases IS
    'What members have bought and what was refused to them, with the refusal''s error. purchased_at is the till''s time where it was offline. is_overdraft: taken although a limit or the balance would have refused it; overdraft_amount is what was lent for it, overdraft_returned_amount what its refunds have paid back of that. repay_overdraft pays a member''s debt and no single purchase''s: what is owed is the balance of overdrafts:<member>, and owed in member_overview.';

CREATE OR REPLACE VIEW wallet_ledger.purchase_items WITH (security_invoker = true) AS
SELECT i.purchase_id, l.name AS ledger, i.line, p.member, p.merchant, i.item, i.full_name, i.category, i.quantity,
       i.unit_price, i.amount, i.refunded_quantity, i.refunded_amount AS refunded, i.transfer_id,
       (ARRAY['completed', 'refused'])[p.state_id] AS status, p.purchased_at
FROM wallet_data.purchase_items i
JOIN wallet_data.ledgers l ON l.ledger_id = i.ledger_id
JOIN wallet_data.purchases p ON p.ledger_id = i.ledger_id AND p.purchase_id = i.purchase_id;
COMMENT ON VIEW wallet_ledger.purchase_items IS
    'The lines of purchases at the price of the moment, with what was given back. transfer_id is what paid the line''s category.';

CREATE OR REPLACE VIEW wallet_ledger.purchase_refunds WITH (security_invoker = true) AS
SELECT r.refund_id AS id, l.name AS ledger, r.purchase_id, p.member, p.merchant, r.amount, r.items, r.reason, r.actor,
       r.transaction_id, r.refunded_at
FROM wallet_data.purchase_refunds r
JOIN wallet_data.ledgers l ON l.ledger_id = r.ledger_id
JOIN wallet_data.purchases p ON p.ledger_id = r.ledger_id AND p.purchase_id = r.purchase_id;
COMMENT ON VIEW wallet_ledger.purchase_refunds IS
    'What was given back of purchases: of which lines, by whom and why.';

CREATE OR REPLACE VIEW wallet_ledger.device_entries WITH (security_invoker = true) AS
SELECT l.name AS ledger, e.device, e.sequence, (ARRAY['accepted', 'overdraft', 'rejected'])[e.state_id] AS status,
       e.purchase_id, e.error -> 'detail' ->> 'error' AS error, e.error ->> 'message' AS message, e.entry, e.decided_at
FROM wallet_data.device_entries e JOIN wallet_data.ledgers l USING (ledger_id);
COMMENT ON VIEW wallet_ledger.device_entries IS
    'Every number of every offline till that was decided, and how. entry is what the till sent, where no purchase could be made of it; of more than 64 KiB {"bytes": its size, "beginning": its first 1,000 characters}.';

CREATE OR REPLACE VIEW wallet_ledger.device_gaps WITH (security_invoker = true) AS
SELECT l.name AS ledger, e.device, e.before + 1 AS from_sequence, e.sequence - 1 AS to_sequence
FROM (SELECT ledger_id, device, sequence,
             coalesce(lag(sequence) OVER (PARTITION BY ledger_id, device ORDER BY sequence), 0) AS before
      FROM wallet_data.device_entries) e
JOIN wallet_data.ledgers l USING (ledger_id)
WHERE e.sequence > e.before + 1;
COMMENT ON VIEW wallet_ledger.device_gaps IS
    'Numbers of offline tills that have not come although later ones have. They are taken when they come.';

GRANT SELECT ON
    wallet_data.purchases, wallet_data.purchase_items, wallet_data.purchase_refunds, wallet_data.device_entries,
    wallet_ledger.purchases, wallet_ledger.purchase_items, wallet_ledger.purchase_refunds,
    wallet_ledger.device_entries, wallet_ledger.device_gaps
TO wallet_app, wallet_auditor;
