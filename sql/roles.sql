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

-- Every function belongs to wallet_owner. install() runs as its caller and needs the caller's rights.
DO $$
DECLARE
    signature pg_catalog.regprocedure;
BEGIN
    FOR signature IN
        SELECT p.oid
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid AND d.deptype = 'e'
        WHERE e.extname = 'wallet_ledger'
    LOOP
        -- Default privileges of the database may have let anybody in.
        PERFORM wallet_ledger._close(signature);
        IF signature = 'wallet_ledger.install()'::pg_catalog.regprocedure THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO pg_database_owner', signature);
        ELSE
            EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO wallet_owner', signature);
        END IF;
    END LOOP;
    PERFORM wallet_ledger._grant_callers();
END $$;
