-- Idempotency keys: what a caller's intention came to.
-- Run once by wallet_ledger.install(), as wallet_owner.

-- `request` holds eight bytes of SHA-256 per field, so that a mismatch can name the field without
-- keeping a second copy of personal data. `transfer_ids` is the outcome of a posting; `result` that of
-- any other call; `error` that of an item rejected in report mode.
CREATE TABLE wallet_data.idempotency_keys (
    ledger_id    integer NOT NULL REFERENCES wallet_data.ledgers,
    operation_id smallint NOT NULL,
    created_at   timestamptz NOT NULL,
    key          text COLLATE "C" NOT NULL CHECK (key <> '' AND octet_length(key) <= 255),
    request      bytea NOT NULL,
    transfer_ids uuid[],
    result       jsonb,
    error        jsonb,
    PRIMARY KEY (ledger_id, key)
);
CREATE INDEX idempotency_keys_age ON wallet_data.idempotency_keys (ledger_id, created_at);
COMMENT ON TABLE wallet_data.idempotency_keys IS
    'One row per key ever used and not yet forgotten: a digest of the request and what it came to.';
