-- First of what every wallet_ledger.install() runs, as wallet_owner: what was granted meanwhile is taken back. What the
-- roles of ours may read is granted below, each with its views. Views that somebody has put beside ours are theirs.

DO $$
DECLARE
    relation pg_catalog.regclass;
BEGIN
    FOR relation IN
        SELECT c.oid
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('wallet_data', 'wallet_ledger') AND c.relkind IN ('r', 'p', 'v')
          AND pg_catalog.pg_get_userbyid(c.relowner) = 'wallet_owner'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC, wallet_app, wallet_auditor, wallet_user', relation);
    END LOOP;
END $$;
