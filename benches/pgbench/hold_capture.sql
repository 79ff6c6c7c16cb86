-- A hold and its capture, each a call and a transaction of its own.
\set debit random(1, 1000)
\set credit random(1, 1000)
\set amount random(1, 100)
SELECT id AS hold FROM wallet_ledger.hold_funds('wallets:' || :debit, :amount, 'merchants:' || :credit) \gset
SELECT * FROM wallet_ledger.capture_hold(:hold);
