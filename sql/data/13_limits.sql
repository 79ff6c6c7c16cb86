-- Spending limits: who may spend how much, when, where and on what, and from when on that counts.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.limit_amount AS numeric CHECK (VALUE >= 0 AND VALUE < 'Infinity');
COMMENT ON DOMAIN wallet_data.limit_amount IS 'The most that may be spent; zero means nothing.';

-- A limit is its account and its name; every row is a change of it. Without an account it is the
-- organisation's default, which counts for every member's wallet in the limit's currency.
CREATE TABLE wallet_data.spending_limits (
    ledger_id        integer NOT NULL REFERENCES wallet_data.ledgers,
    revision         bigint NOT NULL CHECK (revision > 0),
    limit_id         uuid NOT NULL,
    account_id       bigint,
    effective_from   timestamptz NOT NULL CHECK (isfinite(effective_from)),
    created_at       timestamptz NOT NULL,
    -- The organisation's defaults do not count beside it.
    replaces_default boolean NOT NULL DEFAULT false,
    name             text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    -- Only for what is paid by somebody who was identified this way.
    method           text COLLATE "C" CHECK (method IN ('fingerprint', 'pin', 'qr')),
    currency         text COLLATE "C" NOT NULL REFERENCES wallet_data.currencies (code),
    per_transaction  wallet_data.limit_amount,
    daily            wallet_data.limit_amount,
    weekly           wallet_data.limit_amount,
    monthly          wallet_data.limit_amount,
    windows          jsonb,
    merchants        jsonb,
    categories       jsonb,
    set_by           text NOT NULL,
    reason           wallet_data.label,
    PRIMARY KEY (ledger_id, limit_id),
    -- Two sessions that decide from the same state cannot both write the next one.
    CONSTRAINT spending_limits_revision UNIQUE NULLS NOT DISTINCT (ledger_id, account_id, name, revision),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    -- No change counts for a time that was over when it was made.
    CONSTRAINT spending_limits_not_backdated CHECK (effective_from >= created_at),
    CONSTRAINT spending_limits_default_replaces_nothing CHECK (account_id IS NOT NULL OR NOT replaces_default)
);
CREATE INDEX spending_limits_timeline
    ON wallet_data.spending_limits (ledger_id, account_id, name, effective_from, revision);
COMMENT ON TABLE wallet_data.spending_limits IS
    'Every change of every spending limit, with the moment from which it counts and who made it. Rows are only added.';
