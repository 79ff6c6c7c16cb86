-- People and places: members and their guardians, merchants with devices and a catalogue, and who may do what.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE DOMAIN wallet_data.name AS text COLLATE "C"
    CHECK (octet_length(VALUE) <= 64 AND VALUE ~ '^[A-Za-z0-9_.-]+$');
COMMENT ON DOMAIN wallet_data.name IS
    'The application''s own name for a person or a place: one segment of an address, at most 64 bytes.';
CREATE DOMAIN wallet_data.party_state AS smallint CHECK (VALUE BETWEEN 1 AND 2);
COMMENT ON DOMAIN wallet_data.party_state IS '1 active, 2 inactive.';

-- actor is who signs in as this person: the setting wallet_ledger.actor or the JWT's sub.
CREATE TABLE wallet_data.members (
    ledger_id  integer NOT NULL REFERENCES wallet_data.ledgers,
    state_id   wallet_data.party_state NOT NULL DEFAULT 1,
    account_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    member     wallet_data.name NOT NULL,
    full_name  wallet_data.label,
    actor      wallet_data.label,
    metadata   jsonb,
    PRIMARY KEY (ledger_id, member),
    CONSTRAINT members_wallet UNIQUE (ledger_id, account_id),
    CONSTRAINT members_actor UNIQUE (ledger_id, actor),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id)
);
COMMENT ON TABLE wallet_data.members IS 'Pupils and staff: people with a wallet of their own.';

CREATE TABLE wallet_data.guardians (
    ledger_id  integer NOT NULL REFERENCES wallet_data.ledgers,
    state_id   wallet_data.party_state NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    guardian   wallet_data.name NOT NULL,
    full_name  wallet_data.label,
    actor      wallet_data.label,
    metadata   jsonb,
    PRIMARY KEY (ledger_id, guardian),
    CONSTRAINT guardians_actor UNIQUE (ledger_id, actor)
);
COMMENT ON TABLE wallet_data.guardians IS 'People who look after members: parents, say. What one may do stands in guardian_links.';

CREATE TABLE wallet_data.guardian_links (
    ledger_id      integer NOT NULL,
    may_view       boolean NOT NULL,
    may_top_up     boolean NOT NULL,
    may_set_limits boolean NOT NULL,
    linked_at      timestamptz NOT NULL,
    guardian       wallet_data.name NOT NULL,
    member         wallet_data.name NOT NULL,
    linked_by      text NOT NULL,
    PRIMARY KEY (ledger_id, guardian, member),
    FOREIGN KEY (ledger_id, guardian) REFERENCES wallet_data.guardians (ledger_id, guardian),
    FOREIGN KEY (ledger_id, member) REFERENCES wallet_data.members (ledger_id, member)
);
CREATE INDEX guardian_links_member ON wallet_data.guardian_links (ledger_id, member);
COMMENT ON TABLE wallet_data.guardian_links IS 'Which guardian looks after which member, and what the guardian may do. A link without any right is a link that was taken back.';

CREATE TABLE wallet_data.merchants (
    ledger_id  integer NOT NULL REFERENCES wallet_data.ledgers,
    state_id   wallet_data.party_state NOT NULL DEFAULT 1,
    account_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    merchant   wallet_data.name NOT NULL,
    full_name  wallet_data.label,
    metadata   jsonb,
    PRIMARY KEY (ledger_id, merchant),
    CONSTRAINT merchants_account UNIQUE (ledger_id, account_id),
    FOREIGN KEY (ledger_id, account_id) REFERENCES wallet_data.accounts (ledger_id, account_id)
);
COMMENT ON TABLE wallet_data.merchants IS 'Tenants who sell: a canteen, a cooperative. Each has an account that purchases are credited to.';

CREATE DOMAIN wallet_data.gap_policy AS smallint CHECK (VALUE BETWEEN 1 AND 2);
COMMENT ON DOMAIN wallet_data.gap_policy IS '1 wait: what comes behind a missing number waits at the till; 2 take: it is taken, and the gap is recorded.';
CREATE DOMAIN wallet_data.conflict_policy AS smallint CHECK (VALUE BETWEEN 1 AND 2);
COMMENT ON DOMAIN wallet_data.conflict_policy IS '1 reject; 2 accept into an overdraft within overdraft_limit.';

-- The row is the lock that puts the purchases of one till in order.
CREATE TABLE wallet_data.devices (
    ledger_id          integer NOT NULL,
    state_id           wallet_data.party_state NOT NULL DEFAULT 1,
    gap_policy_id      wallet_data.gap_policy NOT NULL DEFAULT 1,
    conflict_policy_id wallet_data.conflict_policy NOT NULL DEFAULT 1,
    last_sequence      bigint NOT NULL DEFAULT 0 CHECK (last_sequence >= 0),
    created_at         timestamptz NOT NULL,
    last_synced_at     timestamptz,
    -- The most that one member may owe through purchases that this till made offline.
    overdraft_limit    wallet_data.limit_amount NOT NULL DEFAULT 0,
    device             wallet_data.name NOT NULL,
    merchant           wallet_data.name NOT NULL,
    full_name          wallet_data.label,
    PRIMARY KEY (ledger_id, device),
    FOREIGN KEY (ledger_id, merchant) REFERENCES wallet_data.merchants (ledger_id, merchant)
);
COMMENT ON TABLE wallet_data.devices IS 'Tills of merchants, with what happens to the purchases that they made offline.';

-- The price of the moment is copied into each purchase; changing it here changes nothing that was sold.
CREATE TABLE wallet_data.items (
    ledger_id  integer NOT NULL,
    state_id   wallet_data.party_state NOT NULL DEFAULT 1,
    -- 0: only whole numbers of it are sold; 3: thousandths, kilograms say.
    quantity_scale smallint NOT NULL DEFAULT 0 CHECK (quantity_scale >= 0 AND quantity_scale <= 3),
    updated_at timestamptz NOT NULL,
    price      wallet_data.positive_amount NOT NULL,
    merchant   wallet_data.name NOT NULL,
    item       wallet_data.name NOT NULL,
    full_name  wallet_data.label,
    category   text COLLATE "C" CHECK (category ~ '^[a-z][a-z0-9_]{0,62}$'),
    updated_by text NOT NULL,
    PRIMARY KEY (ledger_id, merchant, item),
    FOREIGN KEY (ledger_id, merchant) REFERENCES wallet_data.merchants (ledger_id, merchant)
);
COMMENT ON TABLE wallet_data.items IS 'What merchants sell, at which price, in which category.';

CREATE DOMAIN wallet_data.role AS smallint CHECK (VALUE BETWEEN 1 AND 4);
COMMENT ON DOMAIN wallet_data.role IS
    '1 super_administrator, 2 organisation_administrator, 3 tenant_administrator, 4 cashier. Guardians and members are who their actor says.';

-- scope: '' for the whole organisation, a merchant for roles 3 and 4.
CREATE TABLE wallet_data.role_assignments (
    ledger_id   integer NOT NULL REFERENCES wallet_data.ledgers,
    role_id     wallet_data.role NOT NULL,
    assigned_at timestamptz NOT NULL,
    actor       text COLLATE "C" NOT NULL CHECK (actor <> '' AND octet_length(actor) <= 255),
    scope       text COLLATE "C" NOT NULL DEFAULT '',
    assigned_by text NOT NULL,
    PRIMARY KEY (ledger_id, actor, role_id, scope),
    CONSTRAINT role_assignments_scope CHECK ((role_id <= 2) = (scope = ''))
);
COMMENT ON TABLE wallet_data.role_assignments IS
    'Who has which role now, and where; the events role.assigned and role.revoked are its history. What a role may do is decided by one table in the code.';
