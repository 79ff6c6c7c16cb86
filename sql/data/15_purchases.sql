-- Purchases: what was sold to whom at which price, and what was refused.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.purchase_state AS smallint CHECK (VALUE BETWEEN 1 AND 2);
COMMENT ON DOMAIN wallet_data.purchase_state IS '1 completed, 2 refused.';

-- A refused purchase is kept as well: the guardian sees it, and a till that sends it again gets the same answer.
CREATE TABLE wallet_data.purchases (
    ledger_id         integer NOT NULL,
    state_id          wallet_data.purchase_state NOT NULL,
    -- Taken although the limit or the balance would have refused it: the policy of the till.
    is_overdraft      boolean NOT NULL DEFAULT false,
    purchase_id       uuid NOT NULL,
    transaction_id    uuid,
    authentication_id uuid,
    account_id        bigint NOT NULL,
    device_sequence   bigint CHECK (device_sequence > 0),
    -- When it was made: by the till's clock where it was offline.
    purchased_at      timestamptz NOT NULL,
    created_at        timestamptz NOT NULL,
    amount            wallet_data.positive_amount NOT NULL,
    refunded_amount   wallet_data.held_amount NOT NULL DEFAULT 0,
    member            wallet_data.name NOT NULL,
    merchant          wallet_data.name NOT NULL,
    device            wallet_data.name,
    actor             text NOT NULL,
    reference         text,
    -- The refusal: the error's token and its numbers.
    error             jsonb,
    metadata          jsonb,
    PRIMARY KEY (ledger_id, purchase_id),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member),
    FOREIGN KEY (ledger_id, merchant) REFERENCES wallet_data.merchants (ledger_id, merchant),
    FOREIGN KEY (ledger_id, device) REFERENCES wallet_data.devices (ledger_id, device),
    CONSTRAINT purchases_refund_within_amount CHECK (refunded_amount <= amount),
    CONSTRAINT purchases_refused_moves_nothing CHECK ((state_id = 2) = (transaction_id IS NULL)
        AND (state_id = 2) = (error IS NOT NULL) AND (state_id = 1 OR refunded_amount = 0)),
    CONSTRAINT purchases_sequence_of_device CHECK (device_sequence IS NULL OR device IS NOT NULL)
);
-- A till's purchase is taken exactly once.
CREATE UNIQUE INDEX purchases_sequence ON wallet_data.purchases (ledger_id, device, device_sequence)
    WHERE device_sequence IS NOT NULL;
CREATE INDEX purchases_member ON wallet_data.purchases (ledger_id, member, purchased_at);
CREATE INDEX purchases_merchant ON wallet_data.purchases (ledger_id, merchant, purchased_at);
COMMENT ON TABLE wallet_data.purchases IS 'What members have bought, and what was refused to them.';

CREATE TABLE wallet_data.purchase_items (
    ledger_id         integer NOT NULL,
    line              smallint NOT NULL CHECK (line > 0),
    purchase_id       uuid NOT NULL,
    quantity          wallet_data.positive_amount NOT NULL,
    refunded_quantity wallet_data.held_amount NOT NULL DEFAULT 0,
    unit_price        wallet_data.positive_amount NOT NULL,
    amount            wallet_data.positive_amount NOT NULL,
    refunded_amount   wallet_data.held_amount NOT NULL DEFAULT 0,
    -- The transfer that paid it: one for each category of the purchase.
    transfer_id       uuid,
    item              wallet_data.name NOT NULL,
    full_name         wallet_data.label,
    category          text COLLATE "C",
    PRIMARY KEY (ledger_id, purchase_id, line),
    FOREIGN KEY (ledger_id, purchase_id) REFERENCES wallet_data.purchases (ledger_id, purchase_id),
    CONSTRAINT purchase_items_refund_within_quantity CHECK (refunded_quantity <= quantity),
    CONSTRAINT purchase_items_refund_within_amount CHECK (refunded_amount <= amount)
);
COMMENT ON TABLE wallet_data.purchase_items IS 'The items of a purchase at the price of the moment.';

CREATE TABLE wallet_data.purchase_refunds (
    ledger_id      integer NOT NULL,
    refund_id      uuid NOT NULL,
    purchase_id    uuid NOT NULL,
    transaction_id uuid NOT NULL,
    refunded_at    timestamptz NOT NULL,
    amount         wallet_data.positive_amount NOT NULL,
    actor          text NOT NULL,
    reason         wallet_data.label,
    items          jsonb,
    PRIMARY KEY (ledger_id, refund_id),
    FOREIGN KEY (ledger_id, purchase_id) REFERENCES wallet_data.purchases (ledger_id, purchase_id)
);
CREATE INDEX purchase_refunds_purchase ON wallet_data.purchase_refunds (ledger_id, purchase_id);
COMMENT ON TABLE wallet_data.purchase_refunds IS 'What was given back of purchases, by whom and why. Rows are only added.';
