-- Guards of identification. Run by every wallet_ledger.install(), as wallet_owner.
-- Templates of fingerprints have none against DELETE: who takes back a consent has a right to that.

CREATE OR REPLACE TRIGGER member_pins_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.member_pins
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_pins ENABLE ALWAYS TRIGGER member_pins_are_kept;

CREATE OR REPLACE TRIGGER member_fingerprints_not_truncated
    BEFORE TRUNCATE ON wallet_data.member_fingerprints
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_fingerprints ENABLE ALWAYS TRIGGER member_fingerprints_not_truncated;

CREATE OR REPLACE TRIGGER member_qr_codes_not_truncated
    BEFORE TRUNCATE ON wallet_data.member_qr_codes
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_qr_codes ENABLE ALWAYS TRIGGER member_qr_codes_not_truncated;

-- Nobody's PIN or finger becomes another's.
CREATE OR REPLACE TRIGGER member_pins_keep_their_member
    BEFORE UPDATE ON wallet_data.member_pins
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.member <> NEW.member)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_pins ENABLE ALWAYS TRIGGER member_pins_keep_their_member;

CREATE OR REPLACE TRIGGER member_fingerprints_keep_their_member
    BEFORE UPDATE ON wallet_data.member_fingerprints
    FOR EACH ROW WHEN (OLD.ledger_id <> NEW.ledger_id OR OLD.member <> NEW.member OR OLD.finger <> NEW.finger)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_fingerprints ENABLE ALWAYS TRIGGER member_fingerprints_keep_their_member;

-- A code that was used stays used, is whose it was, and lasts no longer.
CREATE OR REPLACE TRIGGER member_qr_codes_used_once
    BEFORE UPDATE ON wallet_data.member_qr_codes
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL OR OLD.ledger_id <> NEW.ledger_id OR OLD.member <> NEW.member
                       OR OLD.token_digest <> NEW.token_digest OR OLD.created_at <> NEW.created_at
                       OR OLD.expires_at <> NEW.expires_at)
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.member_qr_codes ENABLE ALWAYS TRIGGER member_qr_codes_used_once;

CREATE OR REPLACE TRIGGER authentications_are_kept
    BEFORE DELETE OR TRUNCATE ON wallet_data.authentications
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.authentications ENABLE ALWAYS TRIGGER authentications_are_kept;

-- All that can happen to one is that a purchase uses it.
CREATE OR REPLACE TRIGGER authentications_used_once
    BEFORE UPDATE ON wallet_data.authentications
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL OR (to_jsonb(NEW) - 'used_at') <> (to_jsonb(OLD) - 'used_at'))
    EXECUTE FUNCTION wallet_data.refuse_change();
ALTER TABLE wallet_data.authentications ENABLE ALWAYS TRIGGER authentications_used_once;
