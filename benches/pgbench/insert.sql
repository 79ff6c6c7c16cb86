-- One row as the log has it, and nothing else: no lock, no balance, no check of the books.
-- Versions and ids grow as the ledger's do, so the indexes are written at the same places.
\set number :number + 1
\set debit random(1, 1000)
\set credit 1 + (:debit - 1 + random(1, 999)) % 1000
\set amount random(1, 1000)
\set balance 1000000000 - random(1, 1000)
\set version (:base + :number) * 16 + :client_id
\set id 1000000000000000 + :version
INSERT INTO bench.transfers (ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position, effective_at, created_at, amount, debit_balance, credit_balance) VALUES (1, 1, ('0190000000007000' || :id)::uuid, :debit, :credit, :version, :version, :version, now(), now(), :amount, :balance, :balance);
