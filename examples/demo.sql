-- One order of a marketplace, from the customer's top-up to the merchant's payout, in rupiah.
-- `make demo` runs it in a fresh database of a private server; psql -f runs it in yours.

\set ECHO none
\set QUIET on
\pset footer off
\pset null '-'
\pset border 1
SET client_min_messages = warning;
SET timezone = 'Asia/Jakarta';

\echo
\echo '=== 1. Install: functions from the extension, tables as ordinary tables ==================='
\echo
\set ECHO queries
CREATE EXTENSION wallet_ledger;

SELECT wallet_ledger.install();

\set ECHO none
-- From here on as an application's backend would: it may call functions and read, and write no table.
SET ROLE wallet_app;
SELECT clock_timestamp() AS started \gset

\echo
\echo '=== 2. The books: a ledger, the bank account, the wallets, the platform''s own accounts ===='
\echo
\set ECHO queries
SELECT ledger, currency, timezone FROM wallet_ledger.create_ledger('marketplace');

SELECT account, type, available
FROM wallet_ledger.create_account('banks:bca:1234567890', 'asset', minimum_balance => 0);

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('customer-7');

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('merchant-5');

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('driver-3');

SELECT account, type, minimum_balance
FROM wallet_ledger.create_account('orders:100:escrow', 'liability', minimum_balance => 0);

SELECT account, type FROM wallet_ledger.create_account('platform:revenue:commission', 'revenue');

\set ECHO none
\echo
\echo '=== 3. The customer tops up 500,000. The gateway sends its notification twice. ============'
\echo '    Same idempotency key, same request: the money is credited once, the answer is the same.'
\echo
\set ECHO queries
SELECT credit_account, amount, credit_balance, replayed
FROM wallet_ledger.post_transfer('banks:bca:1234567890', 'wallets:customer-7', 500000, 'topup',
                                 idempotency_key => 'gateway:TX-20251121-0001');

SELECT credit_account, amount, credit_balance, replayed
FROM wallet_ledger.post_transfer('banks:bca:1234567890', 'wallets:customer-7', 500000, 'topup',
                                 idempotency_key => 'gateway:TX-20251121-0001');

\set ECHO none
\echo
\echo '=== 4. The customer orders for 100,000: the money is checked and held in one step. ========'
\echo
\set ECHO queries
SELECT account, destination, amount, status, held, available
FROM wallet_ledger.hold_funds('wallets:customer-7', 100000, destination => 'orders:100:escrow',
                              kind => 'payment', reference => 'order-100',
                              expires_at => now() + interval '30 minutes',
                              idempotency_key => 'order-100:pay');

\set ECHO none
SELECT id AS hold_id FROM wallet_ledger.holds WHERE reference = 'order-100' \gset
\echo
\echo '=== 5. The merchant accepts: the hold is captured, the order''s escrow has the money. ======'
\echo
\set ECHO queries
SELECT debit_account, credit_account, amount, debit_balance, credit_balance
FROM wallet_ledger.capture_hold(:'hold_id',
                                idempotency_key => 'order-100:accepted');

\set ECHO none
\echo
\echo '=== 6. Delivered: three transfers in one transaction. All of them happen, or none does. ==='
\echo '    food 85,000: commission 15 % = 12,750, the merchant earns 72,250;'
\echo '    delivery 15,000: the driver earns 80 % = 12,000, the platform keeps 3,000.'
\echo
\set ECHO queries
SELECT position, outcome, credit_account, amount, debit_balance AS left_in_escrow
FROM wallet_ledger.post_transfers('[
  {"transaction": "order-100", "debit_account": "orders:100:escrow", "reference": "order-100",
   "credit_account": "wallets:merchant-5", "amount": "72250", "kind": "earning"},
  {"transaction": "order-100", "debit_account": "orders:100:escrow", "reference": "order-100",
   "credit_account": "wallets:driver-3", "amount": "12000", "kind": "earning"},
  {"transaction": "order-100", "debit_account": "orders:100:escrow", "reference": "order-100",
   "credit_account": "platform:revenue:commission", "amount": "15750", "kind": "commission",
   "description": "commission 12,750 and delivery share 3,000"}]',
  idempotency_key => 'order-100:delivered');

\set ECHO none
\echo
\echo '=== 7. The merchant asks for a payout of 50,000: reserved until it is sent or rejected. ==='
\echo
\set ECHO queries
SELECT account, amount, status, held, available
FROM wallet_ledger.hold_funds('wallets:merchant-5', 50000, destination => 'banks:bca:1234567890',
                              kind => 'payout', reference => 'payout-17',
                              idempotency_key => 'payout-17:request');

\set ECHO none
\echo
\echo '=== 8. The merchant tries to spend 30,000 with 22,250 not reserved: refused. =============='
\echo '    DETAIL is JSON for programs, HINT is for people, the SQLSTATE carries an HTTP status.'
\echo
\set ECHO queries
\set ON_ERROR_STOP off
SELECT wallet_ledger.post_transfer('wallets:merchant-5', 'wallets:customer-7', 30000);

\set ON_ERROR_STOP on
\set ECHO none
\echo 'SQLSTATE:' :LAST_ERROR_SQLSTATE
\echo
\echo '=== 9. What everybody has ================================================================='
\echo
\set ECHO queries
SELECT account, type, posted, held, available, version FROM wallet_ledger.accounts ORDER BY account;

\set ECHO none
\echo
\echo '=== 10. Statements: every line with the balance before and after it ======================='
\echo
\set ECHO queries
SELECT version, kind, amount, balance_before, balance_after, reference
FROM wallet_ledger.statement('wallets:customer-7');

SELECT version, kind, amount, balance_before, balance_after, reference
FROM wallet_ledger.statement('orders:100:escrow');

SELECT version, kind, amount, balance_before, balance_after, reference
FROM wallet_ledger.statement('wallets:merchant-5');

\set ECHO none
\echo
\echo '=== 11. The trial balance: both columns have the same sum ================================='
\echo
\set ECHO queries
SELECT coalesce(b.account, 'TOTAL') AS account,
       sum(b.debit_balance) AS debit, sum(b.credit_balance) AS credit
FROM wallet_ledger.trial_balance b
GROUP BY ROLLUP (b.account) ORDER BY b.account NULLS LAST;

\set ECHO none
\echo
\echo '=== 12. The proof: everything recomputed from the transfers alone. No row, no finding. ===='
\echo
\pset footer on
\set ECHO queries
SELECT * FROM wallet_ledger.verify_ledger();

\set ECHO none
\echo '    And the installation itself:'
\echo
\set ECHO queries
SELECT check_name, status, detail FROM wallet_ledger.doctor() WHERE status <> 'ok';

\set ECHO none
\pset footer off
\pset tuples_only on
SELECT format('Steps 2 to 12 took %s milliseconds, everything printed included.',
              round(extract(epoch FROM clock_timestamp() - :'started'::timestamptz) * 1000));
