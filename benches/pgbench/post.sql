-- One transfer between two of :accounts wallets.
\set debit random(1, :accounts)
\set credit 1 + (:debit - 1 + random(1, :accounts - 1)) % :accounts
\set amount random(1, 1000)
SELECT * FROM wallet_ledger.post_transfer(:wallet::text || :debit, :wallet::text || :credit, :amount);
