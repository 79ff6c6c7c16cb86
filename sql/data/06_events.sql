-- Events: the outbox for state changes. Plain transfers are their own log and write none.
-- Run once by wallet_ledger.install(), as wallet_owner.

CREATE TABLE wallet_data.events (
    ledger_id  integer NOT NULL,
    event_id   uuid NOT NULL,
    position   bigint NOT NULL,
    created_at timestamptz NOT NULL,
    topic      text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    payload    jsonb NOT NULL,
    PRIMARY KEY (ledger_id, event_id)
);
CREATE INDEX events_position ON wallet_data.events (ledger_id, position, event_id);
COMMENT ON TABLE wallet_data.events IS
    'State changes for notifications, written in the transaction that made them. Read with poll_events().';
