-- Group buys: many buyers' escrows towards one target by a deadline; and releases to sellers' banks.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.group_buy_state AS smallint CHECK (VALUE BETWEEN 1 AND 3);
COMMENT ON DOMAIN wallet_data.group_buy_state IS '1 open, 2 reached, 3 missed.';

CREATE TABLE wallet_data.group_buys (
    ledger_id           integer NOT NULL REFERENCES wallet_data.ledgers,
    state_id            wallet_data.group_buy_state NOT NULL DEFAULT 1,
    -- Whether reaching the target pays the sellers at once; otherwise each escrow goes on by itself.
    releases            boolean NOT NULL,
    joined_count        integer NOT NULL DEFAULT 0 CHECK (joined_count >= 0),
    target_participants integer CHECK (target_participants > 0),
    group_buy_id        uuid NOT NULL,
    target_quantity     bigint CHECK (target_quantity > 0),
    deadline            wallet_data.finite_time NOT NULL,
    auto_release_after  interval NOT NULL CHECK (auto_release_after >= interval '0'),
    opened_at           timestamptz NOT NULL,
    decided_at          timestamptz,
    settled_at          timestamptz,
    reference           text COLLATE "C" NOT NULL,
    metadata            jsonb,
    PRIMARY KEY (ledger_id, group_buy_id),
    CONSTRAINT group_buys_reference UNIQUE (ledger_id, reference),
    CONSTRAINT group_buys_one_target CHECK (num_nonnulls(target_participants, target_quantity) = 1),
    CONSTRAINT group_buys_decided CHECK ((state_id = 1) = (decided_at IS NULL)),
    CONSTRAINT group_buys_settled CHECK (settled_at IS NULL OR decided_at IS NOT NULL)
);
CREATE INDEX group_buys_deadline ON wallet_data.group_buys (ledger_id, deadline) WHERE settled_at IS NULL;
COMMENT ON TABLE wallet_data.group_buys IS
    'Many buyers'' escrows towards one target by a deadline: reached, they proceed; missed, everyone has the money back.';

CREATE TABLE wallet_data.group_buy_members (
    ledger_id        integer NOT NULL,
    member           integer NOT NULL CHECK (member > 0),
    group_buy_id     uuid NOT NULL,
    escrow_id        uuid NOT NULL,
    buyer_account_id bigint NOT NULL,
    quantity         bigint NOT NULL CHECK (quantity > 0),
    joined_at        timestamptz NOT NULL,
    attempted_at     timestamptz,
    settled_at       timestamptz,
    error            text,
    PRIMARY KEY (ledger_id, group_buy_id, member),
    CONSTRAINT group_buy_members_escrow UNIQUE (ledger_id, escrow_id),
    -- A buyer joins once.
    CONSTRAINT group_buy_members_buyer UNIQUE (ledger_id, group_buy_id, buyer_account_id),
    FOREIGN KEY (ledger_id, group_buy_id) REFERENCES wallet_data.group_buys (ledger_id, group_buy_id),
    FOREIGN KEY (ledger_id, escrow_id) REFERENCES wallet_data.escrows (ledger_id, escrow_id)
);
CREATE INDEX group_buy_members_open
    ON wallet_data.group_buy_members (ledger_id, group_buy_id, attempted_at) WHERE settled_at IS NULL;
COMMENT ON TABLE wallet_data.group_buy_members IS
    'Who takes part in a group buy, with which escrow, and whether settling it is done with them.';

-- What was sent to a seller's bank for an escrow, by hand.
CREATE TABLE wallet_data.bank_releases (
    ledger_id           integer NOT NULL,
    line                smallint NOT NULL,
    escrow_id           uuid NOT NULL,
    bank_release_id     uuid NOT NULL,
    transaction_id      uuid NOT NULL,
    bank_account_id     bigint NOT NULL,
    sent_at             wallet_data.finite_time NOT NULL,
    recorded_at         timestamptz NOT NULL,
    amount              wallet_data.positive_amount NOT NULL,
    transfer_reference  wallet_data.label NOT NULL,
    recorded_by         text NOT NULL,
    PRIMARY KEY (ledger_id, bank_release_id),
    -- A bank's transfer is recorded once.
    CONSTRAINT bank_releases_reference UNIQUE (ledger_id, bank_account_id, transfer_reference),
    FOREIGN KEY (ledger_id, escrow_id, line) REFERENCES wallet_data.escrow_lines (ledger_id, escrow_id, line),
    FOREIGN KEY (ledger_id, bank_account_id) REFERENCES wallet_data.accounts (ledger_id, account_id)
);
CREATE INDEX bank_releases_line ON wallet_data.bank_releases (ledger_id, escrow_id, line);
COMMENT ON TABLE wallet_data.bank_releases IS
    'Transfers to sellers'' banks for what an escrow has paid them: reference, time and who recorded it. Rows are only added.';
