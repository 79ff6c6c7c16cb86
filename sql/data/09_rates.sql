-- Rates: the shares that the platform keeps, and from when on each counts.
-- Run once by wallet_ledger.install(), as wallet_owner.

-- revision counts the changes of a ledger, as in wallet_data.settings.
CREATE TABLE wallet_data.rates (
    ledger_id      integer NOT NULL REFERENCES wallet_data.ledgers,
    revision       bigint NOT NULL CHECK (revision > 0),
    effective_from timestamptz NOT NULL CHECK (isfinite(effective_from)),
    created_at     timestamptz NOT NULL,
    name           text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    rate           numeric NOT NULL CHECK (rate >= 0 AND rate <= 1 AND scale(rate) <= 6),
    account        wallet_data.address NOT NULL,
    set_by         text NOT NULL,
    reason         text,
    PRIMARY KEY (ledger_id, revision),
    -- No change counts for a time that was over when it was made.
    CONSTRAINT rates_not_backdated CHECK (effective_from >= created_at)
);
CREATE INDEX rates_timeline ON wallet_data.rates (ledger_id, name, effective_from, revision);
COMMENT ON TABLE wallet_data.rates IS
    'Every change of a ledger''s rates, with the moment from which it counts. Rows are only added.';
