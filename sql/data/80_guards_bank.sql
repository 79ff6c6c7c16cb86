-- Guards of money in. Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE TRIGGER bank_accounts_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.bank_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.bank_accounts ENABLE ALWAYS TRIGGER bank_accounts_are_kept;

CREATE OR REPLACE TRIGGER intents_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.intents
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.intents ENABLE ALWAYS TRIGGER intents_are_kept;

CREATE OR REPLACE TRIGGER live_intents_not_truncated
    BEFORE TRUNCATE ON wallet_data.live_intents
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.live_intents ENABLE ALWAYS TRIGGER live_intents_not_truncated;

CREATE OR REPLACE TRIGGER intent_codes_not_truncated
    BEFORE TRUNCATE ON wallet_data.intent_codes
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.intent_codes ENABLE ALWAYS TRIGGER intent_codes_not_truncated;

CREATE OR REPLACE TRIGGER mutations_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.mutations
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.mutations ENABLE ALWAYS TRIGGER mutations_are_kept;

CREATE OR REPLACE TRIGGER mutation_sightings_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.mutation_sightings
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.mutation_sightings ENABLE ALWAYS TRIGGER mutation_sightings_append_only;

CREATE OR REPLACE TRIGGER payment_actions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.payment_actions
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.payment_actions ENABLE ALWAYS TRIGGER payment_actions_append_only;

CREATE OR REPLACE TRIGGER gateway_payments_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.gateway_payments
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.gateway_payments ENABLE ALWAYS TRIGGER gateway_payments_are_kept;

CREATE OR REPLACE TRIGGER bank_statements_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.bank_statements
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.bank_statements ENABLE ALWAYS TRIGGER bank_statements_are_kept;
CREATE OR REPLACE TRIGGER bank_statements_answered_once
    BEFORE UPDATE ON wallet_data.bank_statements
    FOR EACH ROW WHEN (OLD.answer IS NOT NULL) EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.bank_statements ENABLE ALWAYS TRIGGER bank_statements_answered_once;

CREATE OR REPLACE TRIGGER webhooks_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.webhooks
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.webhooks ENABLE ALWAYS TRIGGER webhooks_are_kept;
