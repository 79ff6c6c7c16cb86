-- The usual application flow: each statement a round trip, accounts locked in the order of their ids.
\set debit random(1, 1000)
\set credit 1 + (:debit - 1 + random(1, 999)) % 1000
\set low least(:debit, :credit)
\set high greatest(:debit, :credit)
\set amount random(1, 1000)
\set minus -:amount
BEGIN;
SELECT balance FROM bench.app_accounts WHERE id = :low FOR UPDATE;
SELECT balance FROM bench.app_accounts WHERE id = :high FOR UPDATE;
UPDATE bench.app_accounts SET balance = balance - :amount, updated_at = now() WHERE id = :debit RETURNING balance AS debit_balance \gset
UPDATE bench.app_accounts SET balance = balance + :amount, updated_at = now() WHERE id = :credit RETURNING balance AS credit_balance \gset
INSERT INTO bench.app_transfers (debit_account_id, credit_account_id, amount) VALUES (:debit, :credit, :amount) RETURNING id AS transfer \gset
INSERT INTO bench.app_entries (transfer_id, account_id, amount, balance_after) VALUES (:transfer, :debit, :minus, :debit_balance);
INSERT INTO bench.app_entries (transfer_id, account_id, amount, balance_after) VALUES (:transfer, :credit, :amount, :credit_balance);
COMMIT;
