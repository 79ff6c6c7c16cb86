-- The same rows by INSERT … SELECT from a staging table.
\set number :number + 1
\set batch_number (:round - 1) * :calls + :number
\set set :first_set + :client_id
INSERT INTO bench.transfers (ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position, effective_at, created_at, amount, debit_balance, credit_balance, transaction_id, reverses_id, reference, description, metadata) SELECT ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position, effective_at, created_at, amount, debit_balance, credit_balance, transaction_id, reverses_id, reference, description, metadata FROM bench.staged WHERE set_number = :set AND size = :size AND batch = :batch_number;
