-- The first statement of the extension's script. Whoever could put objects of their own into the schema beforehand
-- could have the statements below call them with the rights of whoever installs: an operator, say, for two types that
-- pg_catalog has none for. So nothing here is looked up by search_path.
DO $$
DECLARE
    stranger text;
BEGIN
    SELECT pg_catalog.pg_get_userbyid(o.owner) INTO stranger
    FROM (SELECT n.nspowner AS owner FROM pg_catalog.pg_namespace n
          WHERE n.nspname OPERATOR(pg_catalog.=) 'wallet_ledger'
          UNION ALL
          SELECT p.proowner FROM pg_catalog.pg_proc p
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
          WHERE n.nspname OPERATOR(pg_catalog.=) 'wallet_ledger'
          UNION ALL
          SELECT p.oprowner FROM pg_catalog.pg_operator p
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.oprnamespace
          WHERE n.nspname OPERATOR(pg_catalog.=) 'wallet_ledger'
          UNION ALL
          SELECT t.typowner FROM pg_catalog.pg_type t
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
          WHERE n.nspname OPERATOR(pg_catalog.=) 'wallet_ledger') o
    JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.owner
    WHERE NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER
      AND r.rolname OPERATOR(pg_catalog.<>) 'wallet_owner'
    LIMIT 1;
    IF stranger IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = '42501',
            MESSAGE = pg_catalog.format('schema wallet_ledger, or something in it, belongs to %s', stranger),
            HINT = 'Drop or rename what is there; the extension makes the schema itself.';
    END IF;
END $$;

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

CREATE TYPE wallet_ledger.setting_row AS (
    ledger         text,
    setting        text,
    value          text,
    default_value  text,
    unit           text,
    meaning        text,
    effective_from timestamptz,
    set_by         text,
    reason         text,
    created_at     timestamptz
);
COMMENT ON TYPE wallet_ledger.setting_row IS
    'A setting with the value that counts. unit: amount, interval, count, word, account or kinds; effective_from and what follows are NULL where the default counts.';

CREATE TYPE wallet_ledger.trigger_finding AS (
    trigger_name text,
    severity     text,
    problem      text,
    hint         text
);
COMMENT ON TYPE wallet_ledger.trigger_finding IS
    'Something that check_trigger() found: severity is error, warning or note. trigger_name is NULL where it concerns the table.';

CREATE TYPE wallet_ledger.bank_account_row AS (
    ledger           text,
    account          text,
    provider         text,
    provider_bank_id text,
    account_number   text,
    bank             text,
    holder_name      text,
    currency         text,
    opening_balance  numeric,
    opened_on        date,
    suspense_account text,
    outgoing_account text,
    created_at       timestamptz
);
COMMENT ON TYPE wallet_ledger.bank_account_row IS
    'An account at a bank or a gateway and the accounts of the books that stand for it.';

CREATE TYPE wallet_ledger.intent_row AS (
    id              uuid,
    ledger          text,
    purpose         text,
    method          text,
    status          text,
    credit_account  text,
    bank_account    text,
    bank            text,
    account_number  text,
    holder_name     text,
    amount          numeric,
    unique_code     integer,
    total           numeric,
    currency        text,
    number          text,
    reference       text,
    payer_name      text,
    proof_reference text,
    reason          text,
    paid_amount     numeric,
    mutation_id     uuid,
    transaction_id  uuid,
    expires_at      timestamptz,
    created_at      timestamptz,
    closed_at       timestamptz,
    replayed        boolean
);
COMMENT ON TYPE wallet_ledger.intent_row IS
    'An expected payment; total is what the payer must transfer. status: open, pending_verification, rejected, paid, expired or cancelled.';

CREATE TYPE wallet_ledger.mutation_row AS (
    id                   uuid,
    ledger               text,
    bank_account         text,
    direction            text,
    status               text,
    amount               numeric,
    balance              numeric,
    occurred_at          timestamptz,
    booked_on            date,
    source               text,
    provider_mutation_id text,
    description          text,
    intent_id            uuid,
    account              text,
    transaction_id       uuid,
    original_id          uuid,
    reasons              text[],
    created_at           timestamptz
);
COMMENT ON TYPE wallet_ledger.mutation_row IS
    'A movement that a bank reported. status: matched, suspense, review, ignored, assigned, returned or duplicate; transaction_id is the posting that says where its money is.';

CREATE TYPE wallet_ledger.mutation_outcome AS (
    line                 integer,
    outcome              text,
    reasons              text[],
    message              text,
    provider_mutation_id text,
    bank_account         text,
    direction            text,
    amount               numeric,
    occurred_at          timestamptz,
    mutation_id          uuid,
    intent_id            uuid,
    transaction_id       uuid
);
COMMENT ON TYPE wallet_ledger.mutation_outcome IS
    'What a reported line came to: matched, suspense, review, ignored, duplicate, noted or rejected. reasons are tokens; message is for people.';

CREATE TYPE wallet_ledger.webhook_answer AS (
    webhook_id      uuid,
    outcome         text,
    http_status     integer,
    response_code   text,
    reason          text,
    line_count      integer,
    matched_count   integer,
    suspense_count  integer,
    review_count    integer,
    duplicate_count integer,
    ignored_count   integer,
    rejected_count  integer,
    lines           jsonb,
    replayed        boolean
);
COMMENT ON TYPE wallet_ledger.webhook_answer IS
    'What a webhook came to: processed or refused, the HTTP status to answer with, for SNAP the response code that the bank expects, and one outcome per line.';

CREATE TYPE wallet_ledger.statement_import AS (
    statement_id    uuid,
    line_count      integer,
    matched_count   integer,
    suspense_count  integer,
    review_count    integer,
    duplicate_count integer,
    ignored_count   integer,
    rejected_count  integer,
    opening_balance numeric,
    closing_balance numeric,
    from_day        date,
    until_day       date,
    lines           jsonb,
    replayed        boolean
);
COMMENT ON TYPE wallet_ledger.statement_import IS
    'What an imported statement came to: counts, the balances and the period that it states, and one outcome per line. until_day is the day of the closing balance, where there is one.';

CREATE TYPE wallet_ledger.bank_proof_day AS (
    day                 date,
    opening_balance     numeric,
    credit_total        numeric,
    debit_total         numeric,
    mutation_count      integer,
    closing_balance     numeric,
    ledger_balance      numeric,
    reported_balance    numeric,
    ledger_difference   numeric,
    reported_difference numeric,
    is_proved           boolean,
    lines               jsonb
);
COMMENT ON TYPE wallet_ledger.bank_proof_day IS
    'A day of a bank account: opening balance + mutations = closing balance, what the books and the bank say instead, and in lines what explains a difference. reported_balance is NULL where nobody reports one that can be trusted.';

CREATE TYPE wallet_ledger.webhook_verification AS (
    valid  boolean,
    reason text
);
COMMENT ON TYPE wallet_ledger.webhook_verification IS 'Whether a webhook is the provider''s; reason is a token where it is not.';

CREATE TYPE wallet_ledger.rate_row AS (
    ledger         text,
    name           text,
    rate           numeric,
    account        text,
    effective_from timestamptz,
    set_by         text,
    reason         text,
    created_at     timestamptz
);
COMMENT ON TYPE wallet_ledger.rate_row IS
    'A rate: a share between 0 and 1, the account that it goes to, and since when it counts. The last four are NULL where nobody has set it.';

CREATE TYPE wallet_ledger.escrow_row AS (
    id                 uuid,
    ledger             text,
    reference          text,
    status             text,
    account            text,
    buyer_account      text,
    amount             numeric,
    held_amount        numeric,
    released_amount    numeric,
    fee_amount         numeric,
    refunded_amount    numeric,
    returned_amount    numeric,
    currency           text,
    lines              jsonb,
    intent_id          uuid,
    tracking_reference text,
    transaction_id     uuid,
    opened_at          timestamptz,
    shipped_at         timestamptz,
    release_due_at     timestamptz,
    closed_at          timestamptz,
    replayed           boolean
);
COMMENT ON TYPE wallet_ledger.escrow_row IS
    'An escrow as a call has left it: held, shipped, disputed, released or refunded. amount = held + released + refunded; fee is part of released; returned went back to the buyer after release. transaction_id is what the call posted.';

CREATE TYPE wallet_ledger.due_escrow_row AS (
    escrow_id uuid,
    ledger    text,
    reference text,
    outcome   text,
    amount    numeric,
    error     text,
    message   text
);
COMMENT ON TYPE wallet_ledger.due_escrow_row IS
    'What became of an escrow that was due: released, with the amount, or failed. error is a token, or the SQLSTATE of an error that is not the ledger''s.';

CREATE TYPE wallet_ledger.dispute_row AS (
    id              uuid,
    ledger          text,
    escrow_id       uuid,
    status          text,
    opened_by       text,
    reason          text,
    evidence        jsonb,
    opened_at       timestamptz,
    refunded_amount numeric,
    released_amount numeric,
    resolved_by     text,
    resolution      text,
    resolved_at     timestamptz,
    transaction_id  uuid
);
COMMENT ON TYPE wallet_ledger.dispute_row IS
    'A dispute, open or resolved: what went back to the buyer and what to the beneficiaries (fees included), by whom and why.';

CREATE TYPE wallet_ledger.group_buy_row AS (
    id                  uuid,
    ledger              text,
    reference           text,
    status              text,
    target_participants integer,
    target_quantity     bigint,
    joined_count        integer,
    deadline            timestamptz,
    opened_at           timestamptz,
    decided_at          timestamptz,
    settled_at          timestamptz,
    done_count          bigint,
    failures            jsonb
);
COMMENT ON TYPE wallet_ledger.group_buy_row IS
    'A group buy: open, reached or missed. done_count: how many escrows the call has released, refunded or left to go on; failures: those that could not be.';

CREATE TYPE wallet_ledger.bank_release_row AS (
    id                 uuid,
    ledger             text,
    escrow_id          uuid,
    line               integer,
    account            text,
    bank_account       text,
    amount             numeric,
    transfer_reference text,
    sent_at            timestamptz,
    transaction_id     uuid,
    recorded_by        text,
    recorded_at        timestamptz
);
COMMENT ON TYPE wallet_ledger.bank_release_row IS
    'A transfer to a seller''s bank that was made by hand: from which bank account, for which line of which escrow.';

CREATE TYPE wallet_ledger.plan_row AS (
    id          uuid,
    ledger      text,
    name        text,
    price       numeric,
    currency    text,
    period      text,
    account     text,
    limits      jsonb,
    description text,
    created_at  timestamptz
);
COMMENT ON TYPE wallet_ledger.plan_row IS 'What can be subscribed to: price of a period (monthly or yearly), and the account that is paid.';

CREATE TYPE wallet_ledger.subscription_row AS (
    id              uuid,
    ledger          text,
    plan            text,
    account         text,
    status          text,
    price           numeric,
    currency        text,
    period          text,
    period_number   integer,
    period_start    timestamptz,
    period_end      timestamptz,
    past_due_since  timestamptz,
    ends_at         timestamptz,
    refunded_amount numeric,
    transaction_id  uuid,
    limits          jsonb,
    reference       text,
    started_at      timestamptz,
    replayed        boolean
);
COMMENT ON TYPE wallet_ledger.subscription_row IS
    'A subscription: active, past_due, expired or cancelled; paid until period_end. transaction_id paid the current period.';

CREATE TYPE wallet_ledger.renewal_row AS (
    subscription_id uuid,
    ledger          text,
    plan            text,
    account         text,
    outcome         text,
    period_count    integer,
    period_end      timestamptz,
    error           text,
    message         text
);
COMMENT ON TYPE wallet_ledger.renewal_row IS
    'What became of a subscription that was due: renewed, past_due or expired; how many periods were paid, and why the last was not.';

CREATE TYPE wallet_ledger.finance_overview_row AS (
    ledger                    text,
    currency                  text,
    escrow_count              bigint,
    gmv                       numeric,
    released_amount           numeric,
    fees_collected            numeric,
    refunded_amount           numeric,
    topup_count               bigint,
    topup_amount              numeric,
    revenue_amount            numeric,
    held_amount               numeric,
    releases_due              bigint,
    releases_due_amount       numeric,
    open_disputes             bigint,
    disputed_amount           numeric,
    payments_to_verify        bigint,
    payments_to_verify_amount numeric,
    platform_float            numeric,
    platform_float_available  numeric
);
COMMENT ON TYPE wallet_ledger.finance_overview_row IS
    'The figures of a period, by currency: gmv is what escrows were opened for, released has the fees in it, fees_collected and topup_amount are net of what was given back. From held_amount (money in escrow) on it is how things stand now.';

CREATE TYPE wallet_ledger.finance_trend_row AS (
    ledger          text,
    bucket          text,
    first_day       date,
    next_day        date,
    currency        text,
    escrow_count    bigint,
    gmv             numeric,
    released_amount numeric,
    fees_collected  numeric,
    refunded_amount numeric,
    topup_count     bigint,
    topup_amount    numeric,
    revenue_amount  numeric
);
COMMENT ON TYPE wallet_ledger.finance_trend_row IS
    'The figures of one day, week or month, by currency: from first_day up to but not with next_day, in the ledger''s time zone.';

CREATE TYPE wallet_ledger.spending_limit_row AS (
    id               uuid,
    ledger           text,
    account          text,
    name             text,
    currency         text,
    per_transaction  numeric,
    daily            numeric,
    weekly           numeric,
    monthly          numeric,
    windows          jsonb,
    merchants        jsonb,
    categories       jsonb,
    method           text,
    replaces_default boolean,
    effective_from   timestamptz,
    set_by           text,
    reason           text,
    created_at       timestamptz
);
COMMENT ON TYPE wallet_ledger.spending_limit_row IS
    'A spending limit: account (* is the organisation''s default), name, what it limits, from when on, by whom.';

CREATE TYPE wallet_ledger.spending_check AS (
    allowed      boolean,
    reason       text,
    limit_amount numeric,
    spent        numeric,
    held         numeric,
    remaining    numeric,
    resets_at    timestamptz,
    limit_name   text,
    scope        text,
    account      text,
    currency     text,
    ledger       text
);
COMMENT ON TYPE wallet_ledger.spending_check IS
    'What the spending limits of an account say about an amount: allowed or why not, and the numbers of the bound that decides.';
CREATE TYPE wallet_ledger.member_row AS (
    member     text,
    ledger     text,
    account    text,
    currency   text,
    full_name  text,
    actor      text,
    status     text,
    metadata   jsonb,
    created_at timestamptz
);
COMMENT ON TYPE wallet_ledger.member_row IS
    'A member with the wallet: active or inactive; actor is who signs in as this member.';

CREATE TYPE wallet_ledger.guardian_row AS (
    guardian   text,
    ledger     text,
    full_name  text,
    actor      text,
    status     text,
    metadata   jsonb,
    created_at timestamptz
);
COMMENT ON TYPE wallet_ledger.guardian_row IS
    'A guardian: active or inactive; actor is who signs in as this guardian.';

CREATE TYPE wallet_ledger.guardian_link_row AS (
    guardian       text,
    member         text,
    ledger         text,
    may_view       boolean,
    may_top_up     boolean,
    may_set_limits boolean,
    linked_at      timestamptz,
    linked_by      text
);
COMMENT ON TYPE wallet_ledger.guardian_link_row IS
    'What a guardian may do for a member, since when and by whom. All false: the link was taken back.';

CREATE TYPE wallet_ledger.merchant_row AS (
    merchant   text,
    ledger     text,
    account    text,
    currency   text,
    full_name  text,
    status     text,
    metadata   jsonb,
    created_at timestamptz
);
COMMENT ON TYPE wallet_ledger.merchant_row IS
    'A merchant with the account that purchases are credited to: active or inactive.';

CREATE TYPE wallet_ledger.device_row AS (
    device          text,
    ledger          text,
    merchant        text,
    full_name       text,
    status          text,
    gap_policy      text,
    conflict_policy text,
    overdraft_limit numeric,
    last_sequence   bigint,
    last_synced_at  timestamptz,
    created_at      timestamptz
);
COMMENT ON TYPE wallet_ledger.device_row IS
    'A till of a merchant: active or inactive; gap_policy is wait or take, conflict_policy reject or accept.';

CREATE TYPE wallet_ledger.item_row AS (
    merchant          text,
    item              text,
    ledger            text,
    full_name         text,
    category          text,
    price             numeric,
    currency          text,
    quantity_decimals integer,
    status            text,
    updated_at        timestamptz,
    updated_by        text
);
COMMENT ON TYPE wallet_ledger.item_row IS
    'An item of a merchant''s catalogue at its price of now: active or inactive.';

CREATE TYPE wallet_ledger.party_row AS (
    kind   text,
    name   text,
    ledger text,
    status text
);
COMMENT ON TYPE wallet_ledger.party_row IS
    'A member, a guardian, a merchant or a device, and whether it takes part: active or inactive.';

CREATE TYPE wallet_ledger.role_row AS (
    actor       text,
    role        text,
    scope       text,
    ledger      text,
    assigned    boolean,
    assigned_at timestamptz,
    assigned_by text
);
COMMENT ON TYPE wallet_ledger.role_row IS
    'A role of an actor as it stands after the call. When it was given, and by whom, is known of administrators and cashiers.';

CREATE TYPE wallet_ledger.qr_code_row AS (
    token      text,
    ledger     text,
    member     text,
    expires_at timestamptz
);
COMMENT ON TYPE wallet_ledger.qr_code_row IS
    'A code for a member to show: token is what the QR code carries. It is told this once and kept nowhere.';

CREATE TYPE wallet_ledger.authentication_row AS (
    authentication_id uuid,
    ledger            text,
    member            text,
    method            text,
    succeeded         boolean,
    reason            text,
    attempts_left     integer,
    locked_until      timestamptz,
    device            text,
    recorded_at       timestamptz,
    valid_until       timestamptz
);
COMMENT ON TYPE wallet_ledger.authentication_row IS
    'How a member was identified. reason: why it did not succeed. attempts_left, locked_until: of a PIN. valid_until: until when a purchase may refer to it, once.';
CREATE TYPE wallet_ledger.purchase_row AS (
    id             uuid,
    ledger         text,
    status         text,
    member         text,
    account        text,
    merchant       text,
    device         text,
    amount         numeric,
    currency       text,
    refunded       numeric,
    items          jsonb,
    transaction_id uuid,
    balance        numeric,
    remaining      numeric,
    error          text,
    message        text,
    purchased_at   timestamptz,
    created_at     timestamptz,
    replayed       boolean
);
COMMENT ON TYPE wallet_ledger.purchase_row IS
    'A purchase, completed or refused. account is the member''s wallet, balance what is left in it, remaining what may still be spent under the tightest limit. error is a token, items are the lines with the prices of the moment.';

CREATE TYPE wallet_ledger.purchase_refund_row AS (
    id             uuid,
    ledger         text,
    purchase_id    uuid,
    member         text,
    account        text,
    merchant       text,
    amount         numeric,
    currency       text,
    to_overdraft   numeric,
    refunded       numeric,
    left_amount    numeric,
    items          jsonb,
    transaction_id uuid,
    balance        numeric,
    refunded_at    timestamptz,
    replayed       boolean
);
COMMENT ON TYPE wallet_ledger.purchase_refund_row IS
    'What was given back of a purchase: amount now, refunded in all, left_amount still to be given back. to_overdraft is the part of amount that went to what the member owed for it; balance is what the wallet has now.';

CREATE TYPE wallet_ledger.overdraft_repayment_row AS (
    ledger            text,
    member            text,
    account           text,
    overdraft_account text,
    amount            numeric,
    owed              numeric,
    balance           numeric,
    currency          text,
    transaction_id    uuid
);
COMMENT ON TYPE wallet_ledger.overdraft_repayment_row IS
    'What was repaid of a member''s overdraft: amount now, owed still, balance left in the wallet. Without anything to repay amount is zero and transaction_id NULL.';

CREATE TYPE wallet_ledger.sync_row AS (
    sequence    bigint,
    status      text,
    purchase_id uuid,
    error       text,
    message     text,
    keep        boolean
);
COMMENT ON TYPE wallet_ledger.sync_row IS
    'What became of a number of a till: accepted, overdraft, rejected, duplicate, waiting or gap. keep: the till must keep it and send it again. error is a token; sequence is NULL where the till sent none that can be read.';
