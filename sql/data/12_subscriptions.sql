-- Subscriptions: plans, who has subscribed, and each period that was paid.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.subscription_state AS smallint CHECK (VALUE BETWEEN 1 AND 4);
COMMENT ON DOMAIN wallet_data.subscription_state IS '1 active, 2 past_due, 3 expired, 4 cancelled.';

CREATE TABLE wallet_data.plans (
    ledger_id   integer NOT NULL REFERENCES wallet_data.ledgers,
    -- Months of a period: 1 or 12.
    months      smallint NOT NULL CHECK (months IN (1, 12)),
    plan_id     uuid NOT NULL,
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    grace       interval NOT NULL CHECK (grace >= interval '0'),
    price       wallet_data.positive_amount NOT NULL,
    name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    description text,
    limits      jsonb,
    PRIMARY KEY (ledger_id, plan_id),
    CONSTRAINT plans_name UNIQUE (ledger_id, name),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id)
);
COMMENT ON TABLE wallet_data.plans IS
    'What can be subscribed to: price, period, limits, and the account that is paid. A new price is a new plan.';

CREATE TABLE wallet_data.subscriptions (
    ledger_id       integer NOT NULL,
    state_id        wallet_data.subscription_state NOT NULL DEFAULT 1,
    period          integer NOT NULL CHECK (period > 0),
    subscription_id uuid NOT NULL,
    plan_id         uuid NOT NULL,
    account_id      bigint NOT NULL,
    started_at      timestamptz NOT NULL,
    period_start    timestamptz NOT NULL,
    period_end      timestamptz NOT NULL CHECK (period_end > period_start),
    past_due_since  timestamptz,
    ends_at         timestamptz,
    -- When renew_due_subscriptions() looks at it next; NULL when it has ended.
    attempt_at      timestamptz,
    price           wallet_data.positive_amount NOT NULL,
    reference       text,
    reason          wallet_data.label,
    metadata        jsonb,
    PRIMARY KEY (ledger_id, subscription_id),
    FOREIGN KEY (ledger_id, plan_id) REFERENCES wallet_data.plans (ledger_id, plan_id),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    CONSTRAINT subscriptions_past_due CHECK ((state_id = 2) = (past_due_since IS NOT NULL)),
    CONSTRAINT subscriptions_ended CHECK ((state_id >= 3) = (ends_at IS NOT NULL)),
    CONSTRAINT subscriptions_attempt CHECK ((state_id >= 3) = (attempt_at IS NULL))
);
-- An account has a plan once at a time.
CREATE UNIQUE INDEX subscriptions_live ON wallet_data.subscriptions (ledger_id, account_id, plan_id) WHERE state_id <= 2;
CREATE INDEX subscriptions_due ON wallet_data.subscriptions (ledger_id, attempt_at) WHERE attempt_at IS NOT NULL;
COMMENT ON TABLE wallet_data.subscriptions IS
    'Who has subscribed to what, until when it is paid, and what is wrong where it is not.';

-- The primary key is what makes a period be paid once.
CREATE TABLE wallet_data.subscription_periods (
    ledger_id       integer NOT NULL,
    period          integer NOT NULL CHECK (period > 0),
    subscription_id uuid NOT NULL,
    transaction_id  uuid NOT NULL,
    period_start    timestamptz NOT NULL,
    period_end      timestamptz NOT NULL,
    paid_at         timestamptz NOT NULL,
    amount          wallet_data.positive_amount NOT NULL,
    PRIMARY KEY (ledger_id, subscription_id, period),
    FOREIGN KEY (ledger_id, subscription_id) REFERENCES wallet_data.subscriptions (ledger_id, subscription_id)
);
COMMENT ON TABLE wallet_data.subscription_periods IS 'Every period of a subscription that was paid, once. Rows are only added.';

CREATE TABLE wallet_data.subscription_refunds (
    ledger_id       integer NOT NULL,
    subscription_id uuid NOT NULL,
    transaction_id  uuid NOT NULL,
    refunded_at     timestamptz NOT NULL,
    amount          wallet_data.positive_amount NOT NULL,
    actor           text NOT NULL,
    reason          wallet_data.label,
    PRIMARY KEY (ledger_id, subscription_id),
    FOREIGN KEY (ledger_id, subscription_id) REFERENCES wallet_data.subscriptions (ledger_id, subscription_id)
);
COMMENT ON TABLE wallet_data.subscription_refunds IS 'What was given back of a last period that was cancelled before its end. Rows are only added.';
