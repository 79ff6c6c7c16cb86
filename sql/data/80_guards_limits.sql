-- Guards of spending limits. Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE TRIGGER spending_limits_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.spending_limits
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.spending_limits ENABLE ALWAYS TRIGGER spending_limits_append_only;
