-- Trigger functions: for applications to attach to their own tables.
-- They run as wallet_owner, so that whoever may change the row needs no right on the ledger. The settings
-- make the text of a key the same in every session, whatever its time zone and date style are.

CREATE FUNCTION wallet_ledger.post_on_status_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS 'MODULE_PATHNAME', 'post_on_status_change';
COMMENT ON FUNCTION wallet_ledger.post_on_status_change() IS
    'Trigger function for an application''s table. Arguments: status column, posting value, debit template, credit template, amount column, kind [, reversing value [, ledger template]]. A row that comes to the posting value posts one transfer, ever; one that comes to the reversing value takes it back. Check with check_trigger(table).';
COMMENT ON FUNCTION wallet_ledger.check_trigger IS
    'Looks for everything about a table''s triggers that would fail when they fire, or that would let a row''s money go unposted. table: the application''s table. Returns one row per finding: none means that the triggers are fine.';
