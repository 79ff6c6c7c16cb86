-- The same with an idempotency key that was never used before.
\set debit random(1, :accounts)
\set credit 1 + (:debit - 1 + random(1, :accounts - 1)) % :accounts
\set amount random(1, 1000)
\set key random(1, 1000000000000000)
SELECT * FROM wallet_ledger.post_transfer(:wallet::text || :debit, :wallet::text || :credit, :amount, idempotency_key => 'order-' || :key);
