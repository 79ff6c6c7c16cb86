-- Who may read what. Writing happens through functions only.
-- Run by every wallet_ledger.install(), as wallet_owner.

REVOKE ALL ON SCHEMA wallet_data FROM PUBLIC;
GRANT USAGE ON SCHEMA wallet_data TO wallet_app, wallet_auditor;

REVOKE ALL ON ALL TABLES IN SCHEMA wallet_data FROM PUBLIC;
GRANT SELECT ON
    wallet_data.currencies, wallet_data.ledgers, wallet_data.closed_periods, wallet_data.kinds,
    wallet_data.timeline, wallet_data.accounts, wallet_data.account_profiles, wallet_data.transfers,
    wallet_data.reversal_totals, wallet_data.holds, wallet_data.idempotency_keys, wallet_data.events,
    wallet_data.schema_versions
TO wallet_app, wallet_auditor;

-- Not even their owner may change what is booked; the guards refuse it a second time.
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_data.transfers FROM wallet_owner;
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_data.events FROM wallet_owner;

GRANT SELECT ON
    wallet_ledger.ledgers, wallet_ledger.currencies, wallet_ledger.kinds, wallet_ledger.closed_periods,
    wallet_ledger.accounts, wallet_ledger.transfers, wallet_ledger.entries, wallet_ledger.holds,
    wallet_ledger.events, wallet_ledger.trial_balance
TO wallet_app, wallet_auditor;
