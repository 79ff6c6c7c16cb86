-- Public views of identification, and what each role may read of their tables.
-- Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE VIEW wallet_ledger.authentications WITH (security_invoker = true) AS
SELECT a.authentication_id AS id,
       l.name AS ledger,
       a.member::text AS member,
       (ARRAY['fingerprint', 'pin', 'qr'])[a.method_id] AS method,
       a.succeeded,
       (ARRAY['wrong_pin', 'pin_locked', 'code_unknown', 'code_expired', 'code_used', 'code_of_another'])[a.failure_id]
           AS reason,
       a.device::text AS device,
       a.recorded_at,
       a.used_at,
       a.actor
FROM wallet_data.authentications a
JOIN wallet_data.ledgers l ON l.ledger_id = a.ledger_id;
COMMENT ON VIEW wallet_ledger.authentications IS
    'How members were identified: method (fingerprint, pin, qr), whether it succeeded and why not, with which device. used_at: when a purchase was made with it, at most one.';

-- Pins, templates and codes are not among them: nobody but wallet_owner reads a secret.
GRANT SELECT ON wallet_data.authentications TO wallet_app, wallet_auditor;
GRANT SELECT ON wallet_ledger.authentications TO wallet_app, wallet_auditor;
