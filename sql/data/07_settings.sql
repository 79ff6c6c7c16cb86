-- Settings: what a ledger has changed of its rates, limits and windows, and from when on it counts.
-- Run once by wallet_ledger.install(), as wallet_owner.

-- revision counts the changes of a ledger: two sessions that decide from the same state cannot both
-- write the next one, whatever snapshot they look from. Of two changes of one setting that begin at the
-- same moment the one with the higher revision counts.
CREATE TABLE wallet_data.settings (
    ledger_id      integer NOT NULL REFERENCES wallet_data.ledgers,
    revision       bigint NOT NULL CHECK (revision > 0),
    effective_from timestamptz NOT NULL CHECK (isfinite(effective_from)),
    created_at     timestamptz NOT NULL,
    name           text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    value          text COLLATE "C" NOT NULL CHECK (octet_length(value) BETWEEN 1 AND 128),
    set_by         text NOT NULL,
    reason         text,
    PRIMARY KEY (ledger_id, revision),
    -- No change counts for a time that was over when it was made.
    CONSTRAINT settings_not_backdated CHECK (effective_from >= created_at)
);
CREATE INDEX settings_timeline ON wallet_data.settings (ledger_id, name, effective_from, revision);
COMMENT ON TABLE wallet_data.settings IS
    'Every change of a ledger''s settings, with the moment from which it counts. Rows are only added; a setting without a row has its default.';
