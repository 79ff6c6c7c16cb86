-- Escrow: a buyer's money that waits for its order, who gets which part of it, and what became of it.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.escrow_state AS smallint CHECK (VALUE BETWEEN 1 AND 5);
COMMENT ON DOMAIN wallet_data.escrow_state IS '1 held, 2 shipped, 3 disputed, 4 released, 5 refunded.';
CREATE DOMAIN wallet_data.rate AS numeric CHECK (VALUE >= 0 AND VALUE <= 1 AND scale(VALUE) <= 6);
COMMENT ON DOMAIN wallet_data.rate IS 'A share between nothing and all of it, exact to six decimals.';

-- The sums repeat what the lines say, so that a list of escrows reads one table; verify_ledger() compares
-- them, and with the balance of the escrow's account.
CREATE TABLE wallet_data.escrows (
    ledger_id          integer NOT NULL,
    state_id           wallet_data.escrow_state NOT NULL DEFAULT 1,
    escrow_id          uuid NOT NULL,
    account_id         bigint NOT NULL,
    buyer_account_id   bigint NOT NULL,
    intent_id          uuid,
    transaction_id     uuid NOT NULL,
    opened_at          timestamptz NOT NULL,
    shipped_at         timestamptz,
    closed_at          timestamptz,
    auto_release_after interval NOT NULL CHECK (auto_release_after >= interval '0'),
    -- When the money goes to the sellers by itself; NULL while the clock stands.
    release_due_at     timestamptz,
    -- When release_due_escrows() looks at it next: later than due where it could not be released.
    attempt_at         timestamptz,
    amount             wallet_data.positive_amount NOT NULL,
    released_amount    wallet_data.held_amount NOT NULL DEFAULT 0,
    fee_amount         wallet_data.held_amount NOT NULL DEFAULT 0,
    refunded_amount    wallet_data.held_amount NOT NULL DEFAULT 0,
    returned_amount    wallet_data.held_amount NOT NULL DEFAULT 0,
    reference          text COLLATE "C" NOT NULL,
    tracking_reference wallet_data.label,
    metadata           jsonb,
    PRIMARY KEY (ledger_id, escrow_id),
    CONSTRAINT escrows_reference UNIQUE (ledger_id, reference),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    FOREIGN KEY (ledger_id, buyer_account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    -- It pays out at most what it holds, whatever the code decided.
    CONSTRAINT escrows_pay_once CHECK (released_amount + refunded_amount <= amount),
    CONSTRAINT escrows_return_what_was_paid
        CHECK (returned_amount <= released_amount AND fee_amount <= released_amount),
    CONSTRAINT escrows_closed_when_empty
        CHECK ((state_id >= 4) = (released_amount + refunded_amount = amount)),
    CONSTRAINT escrows_clock CHECK (release_due_at IS NULL OR state_id = 2)
) WITH (fillfactor = 70);
-- One payment pays one order.
CREATE UNIQUE INDEX escrows_intent ON wallet_data.escrows (ledger_id, intent_id) WHERE intent_id IS NOT NULL;
CREATE INDEX escrows_due ON wallet_data.escrows (ledger_id, attempt_at) WHERE attempt_at IS NOT NULL;
CREATE INDEX escrows_buyer ON wallet_data.escrows (ledger_id, buyer_account_id, opened_at);
CREATE INDEX escrows_opened ON wallet_data.escrows (ledger_id, opened_at);
COMMENT ON TABLE wallet_data.escrows IS
    'One row per order whose money is held: its state, its clock and what has left it. Written by the escrow functions only.';

-- What of the buyer's money is for whom. The rate is the one that counted when the escrow was opened.
CREATE TABLE wallet_data.escrow_lines (
    ledger_id              integer NOT NULL,
    line                   smallint NOT NULL CHECK (line BETWEEN 1 AND 1000),
    escrow_id              uuid NOT NULL,
    beneficiary_account_id bigint NOT NULL,
    fee_account_id         bigint,
    rate                   wallet_data.rate NOT NULL,
    amount                 wallet_data.positive_amount NOT NULL,
    released_amount        wallet_data.held_amount NOT NULL DEFAULT 0,
    fee_amount             wallet_data.held_amount NOT NULL DEFAULT 0,
    refunded_amount        wallet_data.held_amount NOT NULL DEFAULT 0,
    returned_amount        wallet_data.held_amount NOT NULL DEFAULT 0,
    returned_fee_amount    wallet_data.held_amount NOT NULL DEFAULT 0,
    advanced_amount        wallet_data.held_amount NOT NULL DEFAULT 0,
    fee                    text COLLATE "C",
    description            text,
    PRIMARY KEY (ledger_id, escrow_id, line),
    FOREIGN KEY (ledger_id, escrow_id) REFERENCES wallet_data.escrows (ledger_id, escrow_id),
    FOREIGN KEY (ledger_id, beneficiary_account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    FOREIGN KEY (ledger_id, fee_account_id) REFERENCES wallet_data.accounts (ledger_id, account_id),
    CONSTRAINT escrow_lines_pay_once CHECK (released_amount + refunded_amount <= amount),
    CONSTRAINT escrow_lines_fee CHECK (fee_amount <= released_amount),
    CONSTRAINT escrow_lines_return_what_was_paid CHECK (
        returned_amount <= released_amount AND returned_fee_amount <= fee_amount
        AND returned_amount - returned_fee_amount <= released_amount - fee_amount),
    CONSTRAINT escrow_lines_advance CHECK (advanced_amount <= returned_amount - returned_fee_amount)
) WITH (fillfactor = 70);
CREATE INDEX escrow_lines_beneficiary ON wallet_data.escrow_lines (ledger_id, beneficiary_account_id);
COMMENT ON TABLE wallet_data.escrow_lines IS
    'What of an escrow is for whom, with the rate that counted when it was opened and all that has moved of it.';

-- Who did what to an escrow, when and why.
CREATE TABLE wallet_data.escrow_actions (
    ledger_id      integer NOT NULL,
    escrow_id      uuid NOT NULL,
    action_id      uuid NOT NULL,
    dispute_id     uuid,
    transaction_id uuid,
    created_at     timestamptz NOT NULL,
    released_amount wallet_data.held_amount NOT NULL,
    refunded_amount wallet_data.held_amount NOT NULL,
    returned_amount wallet_data.held_amount NOT NULL,
    action         text COLLATE "C" NOT NULL,
    actor          text NOT NULL,
    reason         wallet_data.label,
    PRIMARY KEY (ledger_id, action_id),
    FOREIGN KEY (ledger_id, escrow_id) REFERENCES wallet_data.escrows (ledger_id, escrow_id)
);
CREATE INDEX escrow_actions_escrow ON wallet_data.escrow_actions (ledger_id, escrow_id, action_id);
CREATE INDEX escrow_actions_time ON wallet_data.escrow_actions (ledger_id, created_at);
CREATE INDEX escrow_actions_refunds ON wallet_data.escrow_actions (ledger_id, created_at)
    WHERE refunded_amount > 0 OR returned_amount > 0;
COMMENT ON TABLE wallet_data.escrow_actions IS
    'Everything that was done to an escrow: what, by whom, when, why, and what moved by it. Rows are only added.';

-- How an action's money was split over the lines: what each party got or gave back.
CREATE TABLE wallet_data.escrow_splits (
    ledger_id       integer NOT NULL,
    line            smallint NOT NULL,
    escrow_id       uuid NOT NULL,
    action_id       uuid NOT NULL,
    released_amount wallet_data.held_amount NOT NULL,
    fee_amount      wallet_data.held_amount NOT NULL,
    refunded_amount wallet_data.held_amount NOT NULL,
    returned_amount wallet_data.held_amount NOT NULL,
    returned_fee_amount wallet_data.held_amount NOT NULL,
    advanced_amount wallet_data.held_amount NOT NULL,
    PRIMARY KEY (ledger_id, action_id, line),
    FOREIGN KEY (ledger_id, action_id) REFERENCES wallet_data.escrow_actions (ledger_id, action_id),
    FOREIGN KEY (ledger_id, escrow_id, line) REFERENCES wallet_data.escrow_lines (ledger_id, escrow_id, line)
);
COMMENT ON TABLE wallet_data.escrow_splits IS
    'What every action moved on each line: gross and fee released, refunded from the escrow, returned after release, advanced by the platform.';

CREATE TABLE wallet_data.disputes (
    ledger_id       integer NOT NULL,
    dispute_id      uuid NOT NULL,
    escrow_id       uuid NOT NULL,
    opened_at       timestamptz NOT NULL,
    resolved_at     timestamptz,
    refunded_amount wallet_data.held_amount,
    released_amount wallet_data.held_amount,
    transaction_id  uuid,
    opened_by       wallet_data.label NOT NULL,
    reason          wallet_data.label NOT NULL,
    evidence        jsonb,
    resolved_by     text,
    resolution      wallet_data.label,
    PRIMARY KEY (ledger_id, dispute_id),
    FOREIGN KEY (ledger_id, escrow_id) REFERENCES wallet_data.escrows (ledger_id, escrow_id),
    CONSTRAINT disputes_resolved_whole CHECK (
        num_nulls(resolved_at, refunded_amount, released_amount, resolved_by, resolution) IN (0, 5))
);
CREATE UNIQUE INDEX disputes_one_open ON wallet_data.disputes (ledger_id, escrow_id) WHERE resolved_at IS NULL;
CREATE INDEX disputes_escrow ON wallet_data.disputes (ledger_id, escrow_id, dispute_id);
COMMENT ON TABLE wallet_data.disputes IS
    'Disputes about escrows: who opened each and why, and how it was decided, once.';

CREATE TABLE wallet_data.dispute_notes (
    ledger_id  integer NOT NULL,
    note_id    uuid NOT NULL,
    dispute_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    author     text NOT NULL,
    note       text NOT NULL CHECK (note <> '' AND octet_length(note) <= 4000),
    evidence   jsonb,
    PRIMARY KEY (ledger_id, note_id),
    FOREIGN KEY (ledger_id, dispute_id) REFERENCES wallet_data.disputes (ledger_id, dispute_id)
);
CREATE INDEX dispute_notes_dispute ON wallet_data.dispute_notes (ledger_id, dispute_id, note_id);
COMMENT ON TABLE wallet_data.dispute_notes IS
    'What the parties and the mediator have said in a dispute, with references to evidence. Rows are only added.';

-- Why an escrow that is due could not be released: empty while nothing fails.
CREATE INDEX events_release_failed ON wallet_data.events (ledger_id, subject, event_id)
    WHERE topic = 'escrow.release_failed';
