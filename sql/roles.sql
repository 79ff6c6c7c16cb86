-- Roles, owners and grants of the functions. Last in the extension's script.
-- A dump does not carry the owner of an extension's functions: setting it here means that a restore
-- does it again, and that no definer function ever runs as the superuser who restored.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['wallet_owner', 'wallet_app', 'wallet_auditor', 'wallet_user'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
    -- install() creates the schema of the tables as wallet_owner.
    EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO wallet_owner', pg_catalog.current_database());
END $$;

REVOKE ALL ON SCHEMA wallet_ledger FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA wallet_ledger TO wallet_owner;
GRANT USAGE ON SCHEMA wallet_ledger TO wallet_app, wallet_auditor, wallet_user;
-- Whoever owns the database may run install(); it tells what else it needs.
GRANT USAGE ON SCHEMA wallet_ledger TO pg_database_owner;

-- Every function: owned by wallet_owner, closed to PUBLIC, open to applications; what only reads is
-- open to auditors too. Names that begin with _ are internal. What each role may call is decided here.
DO $$
DECLARE
    function record;
BEGIN
    FOR function IN
        SELECT p.oid::pg_catalog.regprocedure AS signature, p.proname, p.provolatile, p.prorettype
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid AND d.deptype = 'e'
        WHERE e.extname = 'wallet_ledger'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function.signature);
        -- install() runs as its caller and needs the caller's rights.
        IF function.proname = 'install' THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO pg_database_owner', function.signature);
            CONTINUE;
        END IF;
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO wallet_owner', function.signature);
        -- Writes to tables of applications: only whoever owns wallet_data.intents may attach it there.
        IF function.proname = 'update_on_intent' THEN
            CONTINUE;
        END IF;
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_app', function.signature);
        IF function.provolatile IN ('s', 'i') THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_auditor', function.signature);
        END IF;
    END LOOP;
END $$;

-- Signed-in people call only what asks who they are: each of these looks up the roles of the acting person
-- before it does or tells anything. No other function, no table and no view is open to them. verify_pin is not
-- among them, and record_authentication refuses PINs to them: PostgREST lets its clients undo a wrong guess.
DO $$
DECLARE
    asks_who CONSTANT text[] := ARRAY[
        'create_member', 'create_guardian', 'link_guardian', 'create_merchant', 'create_device', 'set_item',
        'set_party_status', 'assign_role', 'revoke_role', 'role_permissions',
        'set_spending_limit', 'check_spending_limit', 'member_overview',
        'purchase', 'refund_purchase', 'repay_overdraft', 'sync_purchases',
        'set_pin', 'enrol_fingerprint', 'create_qr_code', 'record_authentication'];
    signature pg_catalog.regprocedure;
BEGIN
    FOR signature IN
        SELECT p.oid
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e'
        WHERE e.extname = 'wallet_ledger' AND p.proname = ANY (asks_who)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_user', signature);
    END LOOP;
END $$;
