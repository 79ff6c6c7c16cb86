-- The shapes of results. Composites rather than TABLE (…): PostgREST turns one row into one object,
-- and functions that tell the same thing share one shape. Attributes are appended, never reordered.

CREATE TYPE wallet_ledger.ledger_row AS (
    ledger       text,
    currency     text,
    timezone     text,
    closed_until timestamptz
);
COMMENT ON TYPE wallet_ledger.ledger_row IS 'A ledger, as create_ledger() and close_period() return it.';

CREATE TYPE wallet_ledger.account_row AS (
    ledger          text,
    account         text,
    type            text,
    currency        text,
    state           text,
    posted          numeric,
    held            numeric,
    available       numeric,
    version         bigint,
    minimum_balance numeric,
    maximum_balance numeric,
    stripes         integer,
    owner           text,
    metadata        jsonb,
    created_at      timestamptz
);
COMMENT ON TYPE wallet_ledger.account_row IS
    'An account with its balances: posted (moved), held (reserved by open holds), available = posted - held.';

CREATE TYPE wallet_ledger.transfer_receipt AS (
    id             uuid,
    transaction_id uuid,
    ledger         text,
    debit_account  text,
    credit_account text,
    amount         numeric,
    currency       text,
    kind           text,
    reference      text,
    debit_balance  numeric,
    credit_balance numeric,
    debit_version  bigint,
    credit_version bigint,
    effective_at   timestamptz,
    created_at     timestamptz,
    replayed       boolean
);
COMMENT ON TYPE wallet_ledger.transfer_receipt IS
    'A posted transfer with the balances and versions that it left behind. replayed: it was posted by an earlier call.';

CREATE TYPE wallet_ledger.transfer_outcome AS (
    position       integer,
    outcome        text,
    error          text,
    message        text,
    detail         jsonb,
    id             uuid,
    transaction_id uuid,
    ledger         text,
    debit_account  text,
    credit_account text,
    amount         numeric,
    currency       text,
    kind           text,
    reference      text,
    debit_balance  numeric,
    credit_balance numeric,
    debit_version  bigint,
    credit_version bigint,
    effective_at   timestamptz,
    created_at     timestamptz,
    replayed       boolean
);
COMMENT ON TYPE wallet_ledger.transfer_outcome IS
    'What an item of post_transfers() came to: posted, replayed or rejected. position counts from 1; error is a token.';

CREATE TYPE wallet_ledger.hold_row AS (
    id              uuid,
    ledger          text,
    account         text,
    destination     text,
    amount          numeric,
    captured_amount numeric,
    currency        text,
    kind            text,
    status          text,
    reference       text,
    transfer_id     uuid,
    held            numeric,
    available       numeric,
    expires_at      timestamptz,
    created_at      timestamptz,
    resolved_at     timestamptz,
    replayed        boolean
);
COMMENT ON TYPE wallet_ledger.hold_row IS
    'A hold after the call; held and available are those of its account. status: open, captured, released or expired.';

CREATE TYPE wallet_ledger.balance_row AS (
    ledger     text,
    account    text,
    currency   text,
    posted     numeric,
    held       numeric,
    available  numeric,
    version    bigint,
    at         timestamptz,
    time_basis text
);
COMMENT ON TYPE wallet_ledger.balance_row IS
    'An account''s balance at a moment, by posting or by effective time. version is NULL by effective time.';

CREATE TYPE wallet_ledger.statement_line AS (
    ledger          text,
    account         text,
    stripe          integer,
    version         bigint,
    side            text,
    amount          numeric,
    balance_before  numeric,
    balance_after   numeric,
    currency        text,
    kind            text,
    transfer_id     uuid,
    transaction_id  uuid,
    debit_account   text,
    credit_account  text,
    reference       text,
    description     text,
    metadata        jsonb,
    reverses_id     uuid,
    effective_at    timestamptz,
    created_at      timestamptz,
    opening_balance numeric,
    closing_balance numeric,
    total_count     bigint
);
COMMENT ON TYPE wallet_ledger.statement_line IS
    'A posting as its account sees it. opening_balance, closing_balance and total_count are those of the window, the same on every line.';

CREATE TYPE wallet_ledger.trigger_finding AS (
    trigger_name text,
    severity     text,
    problem      text,
    hint         text
);
COMMENT ON TYPE wallet_ledger.trigger_finding IS
    'Something that check_trigger() found: severity is error, warning or note. trigger_name is NULL where it concerns the table.';
