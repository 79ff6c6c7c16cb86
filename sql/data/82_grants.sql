-- Who may read what. Writing happens through functions only.
-- Run by every wallet_ledger.install(), as wallet_owner.

REVOKE ALL ON SCHEMA wallet_data FROM PUBLIC;
GRANT USAGE ON SCHEMA wallet_data TO wallet_app, wallet_auditor;

GRANT SELECT ON
    wallet_data.currencies, wallet_data.ledgers, wallet_data.closed_periods, wallet_data.kinds,
    wallet_data.settings, wallet_data.timeline, wallet_data.accounts, wallet_data.account_profiles,
    wallet_data.transfers, wallet_data.reversal_totals, wallet_data.holds, wallet_data.idempotency_keys, wallet_data.events,
    wallet_data.bank_accounts, wallet_data.intents, wallet_data.live_intents, wallet_data.intent_codes,
    wallet_data.mutations,
    wallet_data.mutation_sightings, wallet_data.payment_actions, wallet_data.webhooks, wallet_data.webhook_lines,
    wallet_data.webhook_refusals, wallet_data.gateway_payments, wallet_data.bank_statements,
    wallet_data.rates, wallet_data.escrows, wallet_data.escrow_lines, wallet_data.escrow_actions,
    wallet_data.escrow_splits, wallet_data.disputes, wallet_data.dispute_notes, wallet_data.group_buys,
    wallet_data.group_buy_members, wallet_data.bank_releases, wallet_data.plans, wallet_data.subscriptions,
    wallet_data.subscription_periods, wallet_data.subscription_refunds,
    wallet_data.schema_versions
TO wallet_app, wallet_auditor;
-- wallet_data.webhook_secrets is not among them: nobody but wallet_owner reads a secret.

-- Not even their owner may change what is booked; the guards refuse it a second time.
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_data.transfers FROM wallet_owner;
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_data.events FROM wallet_owner;

GRANT SELECT ON
    wallet_ledger.ledgers, wallet_ledger.currencies, wallet_ledger.kinds, wallet_ledger.closed_periods,
    wallet_ledger.accounts, wallet_ledger.transfers, wallet_ledger.entries, wallet_ledger.holds,
    wallet_ledger.events, wallet_ledger.trial_balance, wallet_ledger.settings, wallet_ledger.bank_accounts,
    wallet_ledger.intents, wallet_ledger.mutations, wallet_ledger.mutations_to_review,
    wallet_ledger.payment_actions, wallet_ledger.webhooks, wallet_ledger.webhook_lines,
    wallet_ledger.webhook_refusals, wallet_ledger.gateway_payments, wallet_ledger.bank_statements,
    wallet_ledger.rates, wallet_ledger.escrows, wallet_ledger.escrow_lines, wallet_ledger.escrow_actions,
    wallet_ledger.escrow_splits, wallet_ledger.disputes, wallet_ledger.dispute_notes, wallet_ledger.group_buys,
    wallet_ledger.group_buy_members, wallet_ledger.bank_releases, wallet_ledger.plans, wallet_ledger.subscriptions,
    wallet_ledger.subscription_periods,
    wallet_ledger.topups, wallet_ledger.daily_topups, wallet_ledger.revenue_entries, wallet_ledger.platform_revenue,
    wallet_ledger.platform_float, wallet_ledger.escrow_report, wallet_ledger.escrows_ready_for_release,
    wallet_ledger.open_disputes, wallet_ledger.fee_report, wallet_ledger.refund_report
TO wallet_app, wallet_auditor;

SELECT wallet_ledger._grant_callers();
