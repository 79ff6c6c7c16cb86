-- Identification: how a buyer was recognised, and the secrets that this takes.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.identification_method AS smallint CHECK (VALUE BETWEEN 1 AND 3);
COMMENT ON DOMAIN wallet_data.identification_method IS '1 fingerprint, 2 pin, 3 qr.';

-- Nobody but wallet_owner reads it. The hash is slow and salted (argon2id).
CREATE TABLE wallet_data.member_pins (
    ledger_id      integer NOT NULL,
    failed_count   smallint NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    set_at         timestamptz NOT NULL,
    last_failed_at timestamptz,
    locked_until   timestamptz,
    member         wallet_data.name NOT NULL,
    pin_hash       text NOT NULL CHECK (pin_hash ~ '^\$argon2id\$'),
    set_by         text NOT NULL,
    PRIMARY KEY (ledger_id, member),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member)
);
COMMENT ON TABLE wallet_data.member_pins IS 'The members'' PINs as slow salted hashes, with the attempts that failed. Owner only.';

-- Nobody but wallet_owner reads it. The template was encrypted on the device; what is in it is not our business.
CREATE TABLE wallet_data.member_fingerprints (
    ledger_id   integer NOT NULL,
    enrolled_at timestamptz NOT NULL,
    member      wallet_data.name NOT NULL,
    finger      text COLLATE "C" NOT NULL CHECK (finger ~ '^[a-z][a-z0-9_]{0,62}$'),
    enrolled_by text NOT NULL,
    template    bytea NOT NULL CHECK (octet_length(template) >= 16 AND octet_length(template) <= 65536),
    PRIMARY KEY (ledger_id, member, finger),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member)
);
COMMENT ON TABLE wallet_data.member_fingerprints IS 'Fingerprint templates, encrypted by the device that took them, opaque to the ledger. Owner only.';

-- Nobody but wallet_owner reads it: who has the digest could try tokens.
CREATE TABLE wallet_data.member_qr_codes (
    ledger_id    integer NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at      timestamptz,
    member       wallet_data.name NOT NULL,
    token_digest bytea NOT NULL CHECK (octet_length(token_digest) = 32),
    created_by   text NOT NULL,
    PRIMARY KEY (ledger_id, token_digest),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member)
);
CREATE INDEX member_qr_codes_member ON wallet_data.member_qr_codes (ledger_id, member, expires_at);
COMMENT ON TABLE wallet_data.member_qr_codes IS 'Codes that a member shows at a till: each once, and only for a short time. Only the SHA-256 of a code is kept. Owner only.';

CREATE DOMAIN wallet_data.authentication_failure AS smallint CHECK (VALUE BETWEEN 1 AND 6);
COMMENT ON DOMAIN wallet_data.authentication_failure IS
    '1 wrong_pin, 2 pin_locked, 3 code_unknown, 4 code_expired, 5 code_used, 6 code_of_another.';

CREATE TABLE wallet_data.authentications (
    ledger_id         integer NOT NULL REFERENCES wallet_data.ledgers,
    method_id         wallet_data.identification_method NOT NULL,
    succeeded         boolean NOT NULL,
    failure_id        wallet_data.authentication_failure,
    authentication_id uuid NOT NULL,
    recorded_at       timestamptz NOT NULL,
    -- A successful one serves one purchase, and not for long.
    used_at           timestamptz,
    -- Nobody's, where a code is unknown.
    member            wallet_data.name,
    device            wallet_data.name,
    actor             text NOT NULL,
    PRIMARY KEY (ledger_id, authentication_id),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member),
    FOREIGN KEY (ledger_id, device) REFERENCES wallet_data.devices (ledger_id, device),
    CONSTRAINT authentications_failed_serve_nothing CHECK (succeeded OR used_at IS NULL),
    CONSTRAINT authentications_fail_for_a_reason CHECK (succeeded = (failure_id IS NULL)),
    CONSTRAINT authentications_identify_somebody CHECK (NOT succeeded OR member IS NOT NULL),
    CONSTRAINT authentications_device_matches_fingerprints CHECK (method_id <> 1 OR device IS NOT NULL)
);
CREATE INDEX authentications_member ON wallet_data.authentications (ledger_id, member, recorded_at);
COMMENT ON TABLE wallet_data.authentications IS 'How members were identified, successfully or not, with which device. Never a PIN, a template or a code.';
