-- Purchases: what was sold to whom at which price, and what was refused.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.purchase_state AS smallint CHECK (VALUE BETWEEN 1 AND 2);
COMMENT ON DOMAIN wallet_data.purchase_state IS '1 completed, 2 refused.';

CREATE DOMAIN wallet_data.till_number AS bigint CHECK (VALUE > 0);
COMMENT ON DOMAIN wallet_data.till_number IS 'What a till counts its purchases by: 1, 2, 3, ….';
CREATE DOMAIN wallet_data.line_number AS smallint CHECK (VALUE > 0);
COMMENT ON DOMAIN wallet_data.line_number IS 'A line of a purchase, counted from 1.';
CREATE DOMAIN wallet_data.quantity_scale AS smallint CHECK (VALUE BETWEEN 0 AND 3);
COMMENT ON DOMAIN wallet_data.quantity_scale IS 'How many decimals a quantity may have: 0 for what is sold whole, 3 for thousandths.';

-- A refused purchase is kept as well: the guardian sees it, and a till that sends it again gets the same answer.
-- No foreign keys here and on the items: a break has hundreds of purchases at once, and each would lock the rows of
-- its member, its merchant and its till. The names come from rows that the same call has just read, nobody can be
-- deleted, and verify_ledger() looks for orphans.
-- Hardly any CHECKs either: PostgreSQL reads a table's CHECKs anew for every statement, which for these would take
-- longer than writing the row, and keeps those of domains ready. What can only go wrong by an UPDATE, a refund beyond
-- the amount say, is refused by the guards.
CREATE TABLE wallet_data.purchases (
    ledger_id         integer NOT NULL,
    state_id          wallet_data.purchase_state NOT NULL,
    -- Taken although the limit or the balance would have refused it: the policy of the till.
    is_overdraft      boolean NOT NULL DEFAULT false,
    purchase_id       uuid NOT NULL,
    transaction_id    uuid,
    authentication_id uuid,
    -- What brought the missing money into the wallet, where the member owes it.
    overdraft_transfer_id uuid,
    account_id        bigint NOT NULL,
    device_sequence   wallet_data.till_number,
    -- When it was made: by the till's clock where it was offline.
    purchased_at      wallet_data.finite_time NOT NULL,
    created_at        timestamptz NOT NULL,
    amount            wallet_data.positive_amount NOT NULL,
    refunded_amount   wallet_data.held_amount NOT NULL DEFAULT 0,
    overdraft_amount  wallet_data.held_amount NOT NULL DEFAULT 0,
    overdraft_returned_amount wallet_data.held_amount NOT NULL DEFAULT 0,
    member            wallet_data.name NOT NULL,
    merchant          wallet_data.name NOT NULL,
    device            wallet_data.name,
    actor             text NOT NULL,
    reference         text,
    -- The refusal: the error's token and its numbers.
    error             jsonb,
    metadata          jsonb,
    PRIMARY KEY (ledger_id, purchase_id),
    CONSTRAINT purchases_paid_or_refused CHECK (num_nonnulls(transaction_id, error) = 1)
);
-- A till's purchase is taken exactly once.
CREATE UNIQUE INDEX purchases_sequence ON wallet_data.purchases (ledger_id, device, device_sequence)
    WHERE device_sequence IS NOT NULL;
CREATE INDEX purchases_member ON wallet_data.purchases (ledger_id, member, purchased_at);
-- What was refused is looked at by when that was decided.
CREATE INDEX purchases_refused ON wallet_data.purchases (ledger_id, member, created_at) WHERE state_id = 2;
CREATE INDEX purchases_merchant ON wallet_data.purchases (ledger_id, merchant, purchased_at);
COMMENT ON TABLE wallet_data.purchases IS 'What members have bought, and what was refused to them.';

CREATE TABLE wallet_data.purchase_items (
    ledger_id         integer NOT NULL,
    line              wallet_data.line_number NOT NULL,
    -- In how many decimals it is sold, and given back.
    quantity_scale    wallet_data.quantity_scale NOT NULL,
    purchase_id       uuid NOT NULL,
    -- The transfer that paid it: one for each category of the purchase.
    transfer_id       uuid,
    quantity          wallet_data.positive_amount NOT NULL,
    refunded_quantity wallet_data.held_amount NOT NULL DEFAULT 0,
    unit_price        wallet_data.positive_amount NOT NULL,
    amount            wallet_data.positive_amount NOT NULL,
    refunded_amount   wallet_data.held_amount NOT NULL DEFAULT 0,
    item              wallet_data.name NOT NULL,
    full_name         wallet_data.label,
    category          text COLLATE "C",
    PRIMARY KEY (ledger_id, purchase_id, line)
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

CREATE DOMAIN wallet_data.entry_state AS smallint CHECK (VALUE BETWEEN 1 AND 3);
COMMENT ON DOMAIN wallet_data.entry_state IS '1 accepted, 2 overdraft, 3 rejected.';

-- Which numbers of a till have been decided. One that is not here although a later one is was missing, and is taken
-- if it comes after all.
CREATE TABLE wallet_data.device_entries (
    ledger_id   integer NOT NULL,
    state_id    wallet_data.entry_state NOT NULL,
    sequence    wallet_data.till_number NOT NULL,
    purchase_id uuid,
    decided_at  timestamptz NOT NULL,
    device      wallet_data.name NOT NULL,
    -- SHA-256 of what the till sent: something else under the same number is told apart.
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    error       jsonb,
    -- What the till sent, where no purchase could be made of it.
    entry       jsonb,
    PRIMARY KEY (ledger_id, device, sequence),
    FOREIGN KEY (ledger_id, device) REFERENCES wallet_data.devices (ledger_id, device),
    CONSTRAINT device_entries_kept CHECK ((purchase_id IS NULL) = (entry IS NOT NULL)),
    CONSTRAINT device_entries_rejected CHECK ((state_id = 3) = (error IS NOT NULL)
        AND (state_id = 3 OR purchase_id IS NOT NULL))
);
COMMENT ON TABLE wallet_data.device_entries IS 'Every number of every till that was decided, and how. Rows are only added.';
