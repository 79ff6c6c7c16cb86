-- Guards: what is booked stays booked, whoever asks.
-- Run by every wallet_ledger.install(), as wallet_owner: running it again repairs what was disabled.

CREATE OR REPLACE FUNCTION wallet_data.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'PT403',
        MESSAGE = format('%s on %I.%I is refused: booked rows do not change', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
        DETAIL = jsonb_build_object('error', 'append_only', 'operation', TG_OP, 'table', TG_TABLE_NAME)::text,
        HINT = 'Post a correction: reverse_transfer() names what it reverses.';
END $$;
COMMENT ON FUNCTION wallet_data.refuse_change() IS
    'Trigger function of the guards. Part of the data schema, so that the guards survive DROP EXTENSION.';
REVOKE ALL ON FUNCTION wallet_data.refuse_change() FROM PUBLIC;

-- ENABLE ALWAYS: session_replication_role = replica would skip an ordinary trigger.
CREATE OR REPLACE TRIGGER transfers_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.transfers ENABLE ALWAYS TRIGGER transfers_append_only;

CREATE OR REPLACE TRIGGER accounts_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.accounts ENABLE ALWAYS TRIGGER accounts_are_kept;

CREATE OR REPLACE TRIGGER account_profiles_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.account_profiles
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.account_profiles ENABLE ALWAYS TRIGGER account_profiles_are_kept;

CREATE OR REPLACE TRIGGER holds_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.holds
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.holds ENABLE ALWAYS TRIGGER holds_are_kept;

CREATE OR REPLACE TRIGGER reversal_totals_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.reversal_totals
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.reversal_totals ENABLE ALWAYS TRIGGER reversal_totals_are_kept;

CREATE OR REPLACE TRIGGER ledgers_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.ledgers
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.ledgers ENABLE ALWAYS TRIGGER ledgers_are_kept;

CREATE OR REPLACE TRIGGER currencies_are_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.currencies
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.currencies ENABLE ALWAYS TRIGGER currencies_are_kept;

CREATE OR REPLACE TRIGGER kinds_are_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.kinds ENABLE ALWAYS TRIGGER kinds_are_kept;

CREATE OR REPLACE TRIGGER closed_periods_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.closed_periods
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.closed_periods ENABLE ALWAYS TRIGGER closed_periods_append_only;

CREATE OR REPLACE TRIGGER settings_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.settings
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.settings ENABLE ALWAYS TRIGGER settings_append_only;

CREATE OR REPLACE TRIGGER events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.events
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.events ENABLE ALWAYS TRIGGER events_append_only;

CREATE OR REPLACE TRIGGER idempotency_keys_not_truncated
    BEFORE TRUNCATE ON wallet_data.idempotency_keys
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.idempotency_keys ENABLE ALWAYS TRIGGER idempotency_keys_not_truncated;
