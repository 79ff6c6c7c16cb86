-- Who may call what. Run by the extension's script and again by every install(), which repairs it.

CREATE FUNCTION wallet_ledger._close(signature regprocedure)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END
        FROM pg_catalog.pg_proc p
        CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE p.oid = signature AND a.grantee <> p.proowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', signature, grantee);
    END LOOP;
END $$;
COMMENT ON FUNCTION wallet_ledger._close(regprocedure) IS
    'Takes a function of the extension from everybody but its owner.';

CREATE FUNCTION wallet_ledger._grant_callers()
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Signed-in people call only what asks who they are: each of these looks up the roles of the acting person
    -- before it does or tells anything. No other function, no table and no view is open to them. verify_pin is not
    -- among them, and record_authentication refuses PINs to them: PostgREST lets its clients undo a wrong guess.
    asks_who CONSTANT text[] := ARRAY[
        'create_member', 'create_guardian', 'link_guardian', 'create_merchant', 'create_device', 'set_item',
        'set_party_status', 'assign_role', 'revoke_role', 'role_permissions',
        'set_spending_limit', 'check_spending_limit', 'member_overview',
        'purchase', 'refund_purchase', 'repay_overdraft', 'sync_purchases',
        'set_pin', 'enrol_fingerprint', 'create_qr_code', 'record_authentication'];
    face record;
BEGIN
    -- Closed to PUBLIC, open to applications; what only reads is open to auditors too. Names that begin with _ are
    -- internal. Roles that are not ours keep what they were given.
    FOR face IN
        SELECT p.oid::pg_catalog.regprocedure AS signature, p.proname, p.provolatile
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e'
        -- install() has grants of its own, and its own owner.
        WHERE e.extname = 'wallet_ledger' AND p.proname <> 'install'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, wallet_app, wallet_auditor, wallet_user',
                                  face.signature);
        -- update_on_intent writes to tables of applications: only whoever owns wallet_data.intents may attach it
        -- there. The two functions of this file change privileges: their owner alone may call them.
        CONTINUE WHEN face.proname IN ('update_on_intent', '_close', '_grant_callers');
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_app', face.signature);
        IF face.provolatile IN ('s', 'i') THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_auditor', face.signature);
        END IF;
        IF face.proname = ANY (asks_who) THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO wallet_user', face.signature);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION wallet_ledger._grant_callers() IS
    'Lets PUBLIC and the roles of ours call what they should, and nothing else.';
