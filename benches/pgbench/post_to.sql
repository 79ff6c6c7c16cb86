-- One transfer from one of a thousand wallets to the account :target.
\set debit random(1, :accounts)
\set amount random(1, 100)
SELECT * FROM wallet_ledger.post_transfer(:wallet::text || :debit, :target, :amount);
