-- Guards of rates and escrow. Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE TRIGGER rates_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.rates
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.rates ENABLE ALWAYS TRIGGER rates_append_only;

CREATE OR REPLACE TRIGGER escrows_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.escrows
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.escrows ENABLE ALWAYS TRIGGER escrows_are_kept;

CREATE OR REPLACE TRIGGER escrow_lines_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.escrow_lines
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.escrow_lines ENABLE ALWAYS TRIGGER escrow_lines_are_kept;

CREATE OR REPLACE TRIGGER escrow_actions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.escrow_actions
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.escrow_actions ENABLE ALWAYS TRIGGER escrow_actions_append_only;

CREATE OR REPLACE TRIGGER escrow_splits_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.escrow_splits
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.escrow_splits ENABLE ALWAYS TRIGGER escrow_splits_append_only;

CREATE OR REPLACE TRIGGER disputes_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.disputes
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.disputes ENABLE ALWAYS TRIGGER disputes_are_kept;

CREATE OR REPLACE TRIGGER dispute_notes_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.dispute_notes
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.dispute_notes ENABLE ALWAYS TRIGGER dispute_notes_append_only;

CREATE OR REPLACE TRIGGER disputes_resolved_once
    BEFORE UPDATE ON wallet_data.disputes
    FOR EACH ROW WHEN (OLD.resolved_at IS NOT NULL) EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.disputes ENABLE ALWAYS TRIGGER disputes_resolved_once;

CREATE OR REPLACE TRIGGER group_buys_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.group_buys
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.group_buys ENABLE ALWAYS TRIGGER group_buys_are_kept;

CREATE OR REPLACE TRIGGER group_buy_members_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.group_buy_members
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.group_buy_members ENABLE ALWAYS TRIGGER group_buy_members_are_kept;

CREATE OR REPLACE TRIGGER bank_releases_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.bank_releases
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.bank_releases ENABLE ALWAYS TRIGGER bank_releases_append_only;

CREATE OR REPLACE TRIGGER plans_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.plans
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.plans ENABLE ALWAYS TRIGGER plans_append_only;

CREATE OR REPLACE TRIGGER subscriptions_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.subscriptions
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.subscriptions ENABLE ALWAYS TRIGGER subscriptions_are_kept;

CREATE OR REPLACE TRIGGER subscription_periods_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.subscription_periods
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.subscription_periods ENABLE ALWAYS TRIGGER subscription_periods_append_only;

CREATE OR REPLACE TRIGGER subscription_refunds_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.subscription_refunds
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.subscription_refunds ENABLE ALWAYS TRIGGER subscription_refunds_append_only;
