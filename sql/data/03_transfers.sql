-- Transfers: the append-only log that everything else can be recomputed from.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.positive_amount AS numeric CHECK (VALUE > 0 AND VALUE < 'Infinity');
COMMENT ON DOMAIN wallet_data.positive_amount IS 'A finite number above zero.';
-- In seconds since 1970, which read the same in every session; infinity is beyond them. PostgreSQL can store moments
-- that it cannot print: a row with one could not be dumped.
CREATE DOMAIN wallet_data.finite_time AS timestamptz
    CHECK (date_part('epoch', VALUE) >= -62135596800 AND date_part('epoch', VALUE) < 253402300800);
COMMENT ON DOMAIN wallet_data.finite_time IS 'A moment of the years 1 to 9999, so not infinite.';

-- Column order keeps alignment padding small: about 140 bytes a row.
-- No foreign key to accounts: it would cost two index probes a transfer, the write path takes both ids
-- from rows it has locked, accounts cannot be deleted (guard), and verify_ledger() looks for orphans.
CREATE TABLE wallet_data.transfers (
    ledger_id           integer NOT NULL,
    kind_id             smallint NOT NULL,
    transfer_id         uuid NOT NULL,
    debit_account_id    bigint NOT NULL,
    credit_account_id   bigint NOT NULL,
    debit_version       bigint NOT NULL,
    credit_version      bigint NOT NULL,
    position            bigint NOT NULL,
    effective_at        wallet_data.finite_time NOT NULL,
    created_at          timestamptz NOT NULL,
    amount              wallet_data.positive_amount NOT NULL,
    debit_balance       numeric NOT NULL,
    credit_balance      numeric NOT NULL,
    transaction_id      uuid,
    reverses_id         uuid,
    reference           text,
    description         text,
    metadata            jsonb,
    PRIMARY KEY (ledger_id, transfer_id)
);
-- An account's versions count 1..n. A lost update would repeat one and cannot commit.
CREATE UNIQUE INDEX transfers_debit_version ON wallet_data.transfers (ledger_id, debit_account_id, debit_version);
CREATE UNIQUE INDEX transfers_credit_version ON wallet_data.transfers (ledger_id, credit_account_id, credit_version);
-- The consumers' cursor: rows of one transaction share a position.
CREATE INDEX transfers_position ON wallet_data.transfers (ledger_id, position);
-- Everything below is empty, and so free, for plain transfers.
CREATE INDEX transfers_transaction ON wallet_data.transfers (ledger_id, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX transfers_reverses ON wallet_data.transfers (ledger_id, reverses_id) WHERE reverses_id IS NOT NULL;
CREATE INDEX transfers_reference ON wallet_data.transfers (ledger_id, reference) WHERE reference IS NOT NULL;
CREATE INDEX transfers_dated_debit ON wallet_data.transfers (ledger_id, debit_account_id) WHERE effective_at <> created_at;
CREATE INDEX transfers_dated_credit ON wallet_data.transfers (ledger_id, credit_account_id) WHERE effective_at <> created_at;
COMMENT ON TABLE wallet_data.transfers IS
    'Every movement of money, append-only. transaction_id is NULL for a transfer that is a transaction of its own.';

-- No foreign key to transfers either: checking it locks the transfer's row, which needs the UPDATE
-- privilege on transfers that not even their owner keeps.
CREATE TABLE wallet_data.reversal_totals (
    ledger_id       integer NOT NULL,
    transfer_id     uuid NOT NULL,
    original_amount numeric NOT NULL,
    reversed_amount numeric NOT NULL,
    PRIMARY KEY (ledger_id, transfer_id),
    CONSTRAINT reversal_totals_within_original
        CHECK (reversed_amount >= 0 AND reversed_amount <= original_amount AND original_amount < 'Infinity')
);
COMMENT ON TABLE wallet_data.reversal_totals IS
    'How much of a transfer has been reversed. The row is the lock that serialises reversals of one transfer.';
