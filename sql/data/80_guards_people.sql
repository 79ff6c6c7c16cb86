-- Guards of people and places. Run by every wallet_ledger.install(), as wallet_owner.

CREATE OR REPLACE TRIGGER members_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.members
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.members ENABLE ALWAYS TRIGGER members_are_kept;

CREATE OR REPLACE TRIGGER guardians_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.guardians
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.guardians ENABLE ALWAYS TRIGGER guardians_are_kept;

CREATE OR REPLACE TRIGGER guardian_links_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.guardian_links
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.guardian_links ENABLE ALWAYS TRIGGER guardian_links_are_kept;

CREATE OR REPLACE TRIGGER merchants_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.merchants
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.merchants ENABLE ALWAYS TRIGGER merchants_are_kept;

CREATE OR REPLACE TRIGGER devices_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.devices
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.devices ENABLE ALWAYS TRIGGER devices_are_kept;

CREATE OR REPLACE TRIGGER items_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.items
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.items ENABLE ALWAYS TRIGGER items_are_kept;

-- A name, and the account that it stands for, are what everything else refers to.
CREATE OR REPLACE TRIGGER members_keep_their_wallet
    BEFORE UPDATE ON wallet_data.members
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.member <> NEW.member OR OLD.account_id <> NEW.account_id)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.members ENABLE ALWAYS TRIGGER members_keep_their_wallet;

CREATE OR REPLACE TRIGGER merchants_keep_their_account
    BEFORE UPDATE ON wallet_data.merchants
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.merchant <> NEW.merchant OR OLD.account_id <> NEW.account_id)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.merchants ENABLE ALWAYS TRIGGER merchants_keep_their_account;

CREATE OR REPLACE TRIGGER devices_keep_their_merchant
    BEFORE UPDATE ON wallet_data.devices
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.device <> NEW.device OR OLD.merchant <> NEW.merchant)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.devices ENABLE ALWAYS TRIGGER devices_keep_their_merchant;

CREATE OR REPLACE TRIGGER guardians_keep_their_name
    BEFORE UPDATE ON wallet_data.guardians
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.guardian <> NEW.guardian)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.guardians ENABLE ALWAYS TRIGGER guardians_keep_their_name;

CREATE OR REPLACE TRIGGER guardian_links_keep_whom_they_link
    BEFORE UPDATE ON wallet_data.guardian_links
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.guardian <> NEW.guardian OR OLD.member <> NEW.member)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.guardian_links ENABLE ALWAYS TRIGGER guardian_links_keep_whom_they_link;

CREATE OR REPLACE TRIGGER items_keep_their_name
    BEFORE UPDATE ON wallet_data.items
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.merchant <> NEW.merchant OR OLD.item <> NEW.item)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.items ENABLE ALWAYS TRIGGER items_keep_their_name;

-- A role is given and taken away; it is never turned into another one.
CREATE OR REPLACE TRIGGER role_assignments_do_not_change
    BEFORE UPDATE OR TRUNCATE ON wallet_data.role_assignments
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.role_assignments ENABLE ALWAYS TRIGGER role_assignments_do_not_change;
