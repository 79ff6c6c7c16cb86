-- Guards of purchases. Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE TRIGGER purchases_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.purchases
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.purchases ENABLE ALWAYS TRIGGER purchases_are_kept;

-- What was sold stays what it was: a refund counts up beside it, never beyond it, and nothing else changes.
CREATE OR REPLACE TRIGGER purchases_only_refunds
    BEFORE UPDATE ON wallet_data.purchases
    FOR EACH ROW WHEN (
        OLD.state_id = 2 OR NEW.refunded_amount < OLD.refunded_amount
        OR NEW.refunded_amount > NEW.amount OR NEW.overdraft_returned_amount < OLD.overdraft_returned_amount
        OR NEW.overdraft_returned_amount > NEW.overdraft_amount
        OR (to_jsonb(NEW) - ARRAY['refunded_amount', 'overdraft_returned_amount'])
           <> (to_jsonb(OLD) - ARRAY['refunded_amount', 'overdraft_returned_amount']))
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.purchases ENABLE ALWAYS TRIGGER purchases_only_refunds;

CREATE OR REPLACE TRIGGER purchase_items_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.purchase_items
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.purchase_items ENABLE ALWAYS TRIGGER purchase_items_are_kept;

CREATE OR REPLACE TRIGGER purchase_items_only_refunds
    BEFORE UPDATE ON wallet_data.purchase_items
    FOR EACH ROW WHEN (
        NEW.refunded_quantity < OLD.refunded_quantity OR NEW.refunded_quantity > NEW.quantity
        OR NEW.refunded_amount < OLD.refunded_amount OR NEW.refunded_amount > NEW.amount
        OR (to_jsonb(NEW) - ARRAY['refunded_quantity', 'refunded_amount'])
           <> (to_jsonb(OLD) - ARRAY['refunded_quantity', 'refunded_amount']))
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.purchase_items ENABLE ALWAYS TRIGGER purchase_items_only_refunds;

CREATE OR REPLACE TRIGGER purchase_refunds_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.purchase_refunds
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.purchase_refunds ENABLE ALWAYS TRIGGER purchase_refunds_append_only;

CREATE OR REPLACE TRIGGER device_entries_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.device_entries
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.device_entries ENABLE ALWAYS TRIGGER device_entries_append_only;
