-- Holds: reservations of available balance.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.hold_state AS smallint CHECK (VALUE BETWEEN 1 AND 4);
COMMENT ON DOMAIN wallet_data.hold_state IS '1 open, 2 captured, 3 released, 4 expired.';

-- A hold is written only under the row lock of its account; the account's `held` is the sum of the
-- amounts of its open holds, expired ones included until somebody releases them.
CREATE TABLE wallet_data.holds (
    ledger_id              integer NOT NULL,
    kind_id                smallint NOT NULL,
    state_id               wallet_data.hold_state NOT NULL DEFAULT 1,
    hold_id                uuid NOT NULL,
    account_id             bigint NOT NULL,
    expires_at             timestamptz NOT NULL DEFAULT 'infinity',
    created_at             timestamptz NOT NULL,
    resolved_at            timestamptz,
    amount                 wallet_data.positive_amount NOT NULL,
    captured_amount        wallet_data.held_amount NOT NULL DEFAULT 0,
    destination            text COLLATE "C",
    transfer_id            uuid,
    reference              text,
    description            text,
    metadata               jsonb,
    PRIMARY KEY (ledger_id, hold_id),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    CONSTRAINT holds_capture_within_hold CHECK (captured_amount <= amount),
    -- Open: not resolved. Captured: resolved, with a transfer and an amount. Otherwise: resolved with neither.
    CONSTRAINT holds_resolved_once CHECK (
        (state_id = 1) = (resolved_at IS NULL)
        AND (state_id = 2) = (transfer_id IS NOT NULL) AND (state_id = 2) = (captured_amount > 0))
);
CREATE INDEX holds_open ON wallet_data.holds (ledger_id, account_id, expires_at) WHERE state_id = 1;
CREATE INDEX holds_due ON wallet_data.holds (ledger_id, expires_at) WHERE state_id = 1 AND expires_at < 'infinity';
CREATE INDEX holds_account ON wallet_data.holds (ledger_id, account_id, created_at);
COMMENT ON TABLE wallet_data.holds IS
    'Reservations. State 1 open, 2 captured, 3 released, 4 expired; an open hold past expires_at counts as released.';
