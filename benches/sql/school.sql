-- A school: 1,000 pupils with three limits each, and :merchants canteens with the same catalogue.
SET wallet_ledger.ledger = 'bench';
SELECT count(wallet_ledger.create_merchant('canteen' || n)) FROM generate_series(1, :merchants) n;
SELECT count(wallet_ledger.set_item('canteen' || n, i.item, i.price, category => i.category))
FROM generate_series(1, :merchants) n,
     (VALUES ('nasi-goreng', 15000, 'food'), ('soto', 12000, 'food'), ('es-teh', 5000, 'food'), ('pen', 3000, 'books'))
         AS i (item, price, category);
SELECT count(wallet_ledger.create_member('pupil' || n)) FROM generate_series(1, 1000) n;
SELECT count(wallet_ledger.create_account('banks:school', 'asset'));
SELECT count(wallet_ledger.post_transfer('banks:school', 'wallets:pupil' || n, 1000000000000, 'topup'))
FROM generate_series(1, 1000) n;

-- The organisation's, the member's and the guardian's; wide enough that a benchmark passes them.
SELECT wallet_ledger.set_spending_limit('*', daily => 100000000000, monthly => 900000000000);
SELECT count(wallet_ledger.set_spending_limit('wallets:pupil' || n, per_transaction => 1000000, daily => 100000000000,
    windows => '[{"from": "00:00", "to": "24:00"}]'))
FROM generate_series(1, 1000) n;
SELECT count(wallet_ledger.set_spending_limit('wallets:pupil' || n, name => 'guardian', weekly => 500000000000,
    categories => '{"deny": ["sweets"], "limits": {"food": {"daily": 90000000000}}}'))
FROM generate_series(1, 1000) n;

-- The same pupils without limits, for the engine alone.
SELECT count(wallet_ledger.open_wallet('plain' || n)) FROM generate_series(1, 1000) n;
SELECT count(wallet_ledger.post_transfer('banks:school', 'wallets:plain' || n, 1000000000000, 'topup'))
FROM generate_series(1, 1000) n;
VACUUM (ANALYZE) wallet_data.accounts, wallet_data.spending_limits, wallet_data.members, wallet_data.items;

-- A till for every client of pgbench, and how often it has synced.
SELECT count(wallet_ledger.create_device('till' || n, 'canteen' || 1 + n)) FROM generate_series(0, 15) n;
SELECT format('CREATE SEQUENCE bench.till_%s; GRANT ALL ON SEQUENCE bench.till_%1$s TO bench_app', n)
FROM generate_series(0, 15) n \gexec
