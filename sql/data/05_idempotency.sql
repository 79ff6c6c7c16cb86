-- Idempotency keys: what a caller's intention came to.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.idempotency_key AS text COLLATE "C"
    CHECK (VALUE <> '' AND octet_length(VALUE) <= 255);
COMMENT ON DOMAIN wallet_data.idempotency_key IS 'The caller''s name for an intention, 1 to 255 bytes.';

-- `request` holds eight bytes of SHA-256 per field, so that a mismatch can name the field without
-- keeping a second copy of personal data. `transfer_ids` is the outcome of a posting; `result` that of
-- any other call; `error` that of an item rejected in report mode.
CREATE TABLE wallet_data.idempotency_keys (
    ledger_id    integer NOT NULL,
    operation_id smallint NOT NULL,
    created_at   timestamptz NOT NULL,
    key          wallet_data.idempotency_key NOT NULL,
    request      bytea NOT NULL,
    transfer_ids uuid[],
    result       jsonb,
    error        jsonb,
    PRIMARY KEY (ledger_id, key)
);
-- For retention, which passes over the keys of triggers: a row of an application posts once, ever.
CREATE INDEX idempotency_keys_age ON wallet_data.idempotency_keys (ledger_id, created_at)
    WHERE NOT starts_with(key, 'trigger:');
COMMENT ON TABLE wallet_data.idempotency_keys IS
    'One row per key ever used and not yet forgotten: a digest of the request and what it came to.';
