-- One transfer from one of a thousand wallets to one of a thousand other accounts.
\set debit random(1, 1000)
\set credit random(1, 1000)
\set amount random(1, 100)
SELECT * FROM wallet_ledger.post_transfer('wallets:' || :debit, 'merchants:' || :credit, :amount);
