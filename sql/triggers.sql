-- Trigger functions. They run as wallet_owner, so that whoever may change the row needs no right on the
-- ledger.

-- The settings make the text of a key the same in every session, whatever its time zone and date style are.
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

CREATE FUNCTION wallet_ledger.escrow_on_status_change() RETURNS trigger
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS 'MODULE_PATHNAME', 'escrow_on_status_change';
COMMENT ON FUNCTION wallet_ledger.escrow_on_status_change() IS
    'Trigger function for an application''s table of orders. Arguments, as name=value, in any order: status_column, opened, reference, buyer, and lines, or beneficiary with amount [, shipped, released, refunded, fee, tracking, auto_release_after, ledger]. A row that comes to one of the four values opens, ships, releases or refunds the escrow with its reference; what the escrow''s state forbids makes the statement fail. Check with check_trigger(table).';

-- It sets the same, but only while it reads the rows: a payment can call triggers of an application.
CREATE FUNCTION wallet_ledger.match_on_insert() RETURNS trigger
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'match_on_insert';
COMMENT ON FUNCTION wallet_ledger.match_on_insert() IS
    'Trigger function for an application''s own table of bank mutations, AFTER INSERT. Arguments: provider, then the one column that holds what the provider sends, or field=column for each field [, ledger=template]. Every row is taken in, matched and posted as match_mutation() does it; one that is not understood, or is of an unknown bank account, makes the INSERT fail. Check with check_trigger(table).';

-- Before the row is written: what is refused leaves nothing behind.
CREATE FUNCTION wallet_ledger.limit_on_insert() RETURNS trigger
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS 'MODULE_PATHNAME', 'limit_on_insert';
COMMENT ON FUNCTION wallet_ledger.limit_on_insert() IS
    'Trigger function for an application''s table of orders, BEFORE INSERT FOR EACH ROW. Arguments, as name=value, in any order: account (a template), amount [, merchant (a column, or a template), category, method, at, ledger]. A row that the account''s spending limits do not allow is refused; the account stays locked to the end of the transaction. It checks and does not count: the payment counts. Check with check_trigger(table).';

-- What it changes belongs to an application: it does that with the rights of the table's owner, and with
-- the caller's settings but for the search_path.
CREATE FUNCTION wallet_ledger.update_on_intent() RETURNS trigger
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'update_on_intent';
COMMENT ON FUNCTION wallet_ledger.update_on_intent() IS
    'Trigger function for wallet_data.intents, AFTER UPDATE. Arguments: table, key column, status column, value when paid [, value when the payment is undone [, purpose [, ledger]]]. The row whose key is the intent''s reference is marked when the intent becomes paid, with the rights of the table''s owner. Check with check_trigger(''wallet_data.intents'').';

COMMENT ON FUNCTION wallet_ledger.check_trigger IS
    'Looks for everything about a table''s triggers that would fail when they fire, or that would let a row''s money go unposted. table: the application''s table. Returns one row per finding: none means that the triggers are fine.';
