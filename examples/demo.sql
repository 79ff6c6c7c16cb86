-- Money comes in by bank transfer and pays one order of a marketplace, down to the merchant's payout, in rupiah; then
-- a pupil buys lunch within what the guardian allows.
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

SELECT account, provider, account_number, opening_balance
FROM wallet_ledger.register_bank_account('banks:bca:235264741', 'moota', 'VLagzqBj42D', '235264741', 'BCA', 1000000);

SELECT account, provider, account_number, opening_balance
FROM wallet_ledger.register_bank_account('banks:bri:77777', 'snap', bank => 'BRI', opening_balance => 0);

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('customer-7');

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('merchant-5');

SELECT account, type, minimum_balance FROM wallet_ledger.open_wallet('driver-3');

SELECT name, rate, account FROM wallet_ledger.list_rates();

\set ECHO none
\echo
\echo '=== 3. Moota reports a transfer: a published body, with its published signature. =========='
\echo '    The signature is checked over the raw body. Nobody was expected to pay 100,123, so the'
\echo '    money is in the books, in suspense. Moota sends it again: the first answer. A forged'
\echo '    signature: refused and written down.'
\echo
-- In production: as a bound parameter, on a connection that does not log it (docs/webhooks.md).
SELECT count(wallet_ledger.set_webhook_secret('moota', 'FcZnoVBN')) AS secrets \gset
SELECT count(wallet_ledger.set_webhook_secret('snap', 'testsecret')) AS secrets \gset
\set moota_body '[{"account_number":"235264741","date":"2021-10-05 10:25:16","description":"buy other food","note":"","amount":100123,"type":"CR","balance":0,"updated_at":"2021-10-05 10:25:16","created_at":"2021-10-05 10:25:16","mutation_id":"aolk4PekJxM","token":"aolk4PekJxM","bank_id":"VLagzqBj42D","taggings":[],"bank":{"corporate_id":null,"username":"cartwright.dena","atas_nama":"Moota","balance":"100123.00","account_number":"235264741","bank_type":"bca","login_retry":0,"date_from":"2021-09-24 00:00:00","date_to":"2021-09-24 00:00:00","meta":null,"interval_refresh":15,"next_queue":"2021-09-24 11:16:57","is_active":true,"in_queue":0,"in_progress":0,"recurred_at":"2021-09-25 11:01:57","created_at":"2021-09-24 11:01:57","token":"VLagzqBj42D","bank_id":"VLagzqBj42D","label":"BCA","last_update":"2021-09-24T03:46:57.000000Z"}}]'
\set ECHO queries
SELECT outcome, http_status, line_count, suspense_count, replayed
FROM wallet_ledger.receive_webhook('moota',
    '{"Signature": "48fd0e1eecf65f66196aa1e37a68b0139f8cf29bc5788dd63be6a6b5057cf166"}', :'moota_body');

SELECT outcome, http_status, line_count, suspense_count, replayed
FROM wallet_ledger.receive_webhook('moota',
    '{"signature": "48fd0e1eecf65f66196aa1e37a68b0139f8cf29bc5788dd63be6a6b5057cf166"}', :'moota_body');

SELECT outcome, http_status, reason
FROM wallet_ledger.receive_webhook('moota', '{"Signature": "00"}', :'moota_body');

\set ECHO none
\echo '    The finance office finds it in the work list and gives it to the customer who asks for it.'
\echo
\set ECHO queries
SELECT bank_account, status, amount, booked_on, description FROM wallet_ledger.mutations_to_review;

SELECT status, amount, account
FROM wallet_ledger.assign_mutation((SELECT id FROM wallet_ledger.mutations_to_review),
                                   'wallets:customer-7', 'customer sent the receipt', 'topup');

\set ECHO none
\echo
\echo '    The next top-ups are expected: an intent says what to transfer, to the rupiah, so that the'
\echo '    transfer finds its owner by itself; or a virtual account number does.'
\echo
\set ECHO queries
SELECT purpose, amount, unique_code BETWEEN 1 AND 999 AS has_code, total = amount + unique_code AS total_is_their_sum,
       status
FROM wallet_ledger.create_intent('topup', 'wallets:customer-7', 400000, 'banks:bca:235264741', 'topup-18',
                                 idempotency_key => 'topup-18');

SELECT purpose, method, number, total, status
FROM wallet_ledger.create_intent('topup', 'wallets:customer-7', 50123, 'banks:bri:77777', 'topup-19',
                                 method => 'virtual_account', number => '   777770000000000123');

SELECT outcome, http_status, response_code, matched_count
FROM wallet_ledger.receive_webhook('snap',
    '{":path": "/snap/v1.0/transfer-va/notify-payment-intrabank", "Authorization": "Bearer testtoken",
      "X-TIMESTAMP": "2026-01-01T10:00:05+07:00",
      "X-SIGNATURE": "aOt/r+VN10WMUxtZIYNaR+6bzRBdD0qe9Q83tY+78MnqT3hmM2UJ+qrIHpfNWxcWbsTNeeRQ/ovCvi0wd3TIIA=="}',
    '{"partnerServiceId":"   77777","customerNo":"0000000000123","virtualAccountNo":"   777770000000000123","paymentRequestId":"20260101000001","trxDateTime":"2026-01-01T10:00:00+07:00","additionalInfo":{"idApp":"TEST","passApp":"TEST","paymentAmount":"50123.00","terminalId":"1","bankId":"002"}}');

SELECT purpose, method, amount, paid_amount, status FROM wallet_ledger.intents ORDER BY reference;

\set ECHO none
\echo
\echo '=== 4. The customer orders for 100,000: the money leaves the wallet and waits in escrow. ==='
\echo '    food 85,000 for the merchant, delivery 15,000 for the driver; the rates of now are kept.'
\echo
\set ECHO queries
SELECT reference, status, account, amount, held_amount
FROM wallet_ledger.open_escrow('order-100', 'wallets:customer-7', '[
  {"beneficiary": "wallets:merchant-5", "amount": 85000, "fee": "merchant_commission", "description": "food"},
  {"beneficiary": "wallets:driver-3", "amount": 15000, "fee": "delivery_platform_share", "description": "delivery"}]',
  amount => 100000, idempotency_key => 'order-100:paid');

\set ECHO none
\echo
\echo '=== 5. On its way: from now on the money is released by itself after 7 days. =============='
\echo
\set ECHO queries
SELECT status, tracking_reference, release_due_at - shipped_at AS released_after
FROM wallet_ledger.mark_shipped((SELECT id FROM wallet_ledger.escrows WHERE reference = 'order-100'), 'GOJEK-778');

\set ECHO none
\echo
\echo '=== 6. Delivered: four transfers in one transaction. All of them happen, or none does. ===='
\echo '    food 85,000: commission 15 % = 12,750, the merchant earns 72,250;'
\echo '    delivery 15,000: the driver earns 80 % = 12,000, the platform keeps 3,000.'
\echo
\set ECHO queries
SELECT status, released_amount, fee_amount, held_amount
FROM wallet_ledger.release_escrow((SELECT id FROM wallet_ledger.escrows WHERE reference = 'order-100'),
                                  reason => 'delivered', idempotency_key => 'order-100:delivered');

SELECT kind, debit_account, credit_account, amount FROM wallet_ledger.transfers
WHERE debit_account = 'escrows:order-100' ORDER BY id;

\set ECHO none
\echo '    The soup was cold: 20,000 of the food goes back, in exactly the split in which it was paid.'
\echo
\set ECHO queries
SELECT status, returned_amount
FROM wallet_ledger.refund_escrow((SELECT id FROM wallet_ledger.escrows WHERE reference = 'order-100'), 20000,
                                 'the soup was cold', line => 1, idempotency_key => 'order-100:soup');

SELECT kind, debit_account, credit_account, amount FROM wallet_ledger.transfers
WHERE kind = 'refund' ORDER BY id;

\set ECHO none
\echo
\echo '=== 7. The merchant asks for a payout of 50,000: reserved until it is sent or rejected. ==='
\echo
\set ECHO queries
SELECT account, amount, status, held, available
FROM wallet_ledger.hold_funds('wallets:merchant-5', 50000, destination => 'banks:bca:235264741',
                              kind => 'payout', reference => 'payout-17',
                              idempotency_key => 'payout-17:request');

\set ECHO none
\echo
\echo '=== 8. The merchant tries to spend 30,000 with 5,250 not reserved: refused. ==============='
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
FROM wallet_ledger.statement('escrows:order-100');

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
\echo '    The bank''s accounts, day by day: opening + mutations = books. (Nobody reported a balance.)'
\echo
\set ECHO queries
SELECT day, opening_balance, credit_total, debit_total, closing_balance, ledger_balance, is_proved
FROM wallet_ledger.bank_proof('banks:bca:235264741');

\set ECHO none
\echo '    And the installation itself:'
\echo
\set ECHO queries
SELECT check_name, status, detail FROM wallet_ledger.doctor() WHERE status <> 'ok';

\set ECHO none
\pset footer off
RESET ROLE;
SET wallet_ledger.ledger = 'sekolah';
SET wallet_ledger.actor = 'bu-sari';
SET ROLE wallet_app;
\echo
\echo '=== 13. Another ledger, a school: a pupil, a guardian, a canteen and what it sells. ========='
\echo
\set ECHO queries
SELECT ledger, timezone FROM wallet_ledger.create_ledger('sekolah');

SELECT account, type FROM wallet_ledger.create_account('banks:bca:school', 'asset');

SELECT member, account FROM wallet_ledger.create_member('budi', 'Budi Santoso');

SELECT guardian, full_name FROM wallet_ledger.create_guardian('sari', 'Ibu Sari', actor => 'bu-sari');

SELECT guardian, member, may_view, may_set_limits
FROM wallet_ledger.link_guardian('sari', 'budi', may_set_limits => true);

SELECT merchant, account FROM wallet_ledger.create_merchant('kantin', 'Kantin Sehat');

SELECT item, price, category FROM wallet_ledger.set_item('kantin', 'nasi-goreng', 15000, category => 'food');

SELECT item, price, category FROM wallet_ledger.set_item('kantin', 'es-teh', 5000, category => 'drinks');

SELECT credit_account, amount FROM wallet_ledger.post_transfer('banks:bca:school', 'wallets:budi', 200000, 'topup');

\set ECHO none
\echo
\echo '=== 14. The guardian sets 50,000 a day, between 07:00 and 15:00. ============================'
\echo
\set ECHO queries
SELECT account, name, daily, windows, set_by
FROM wallet_ledger.set_spending_limit('wallets:budi', daily => 50000, name => 'guardian',
                                      windows => '[{"from": "07:00", "to": "15:00"}]');

\set ECHO none
\echo '    Lunch at noon: one transfer for each category, and what is left of the allowance.'
\echo
\set ECHO queries
SELECT status, amount, balance, remaining
FROM wallet_ledger.purchase('wallets:budi', 'kantin', '[{"item": "nasi-goreng", "quantity": 2}, {"item": "es-teh"}]',
                            on_error => 'report', effective_at => '2030-11-18 12:00+07');

\set ECHO none
\echo '    More than is left of the day: refused, and nothing has moved.'
\echo
\set ECHO queries
SELECT status, amount, balance, error
FROM wallet_ledger.purchase('wallets:budi', 'kantin', '[{"item": "nasi-goreng"}, {"item": "es-teh"}]',
                            on_error => 'report', effective_at => '2030-11-18 12:30+07');

\set ECHO none
\echo '    Four in the afternoon: outside the window.'
\echo
\set ECHO queries
SELECT status, amount, balance, error
FROM wallet_ledger.purchase('wallets:budi', 'kantin', '[{"item": "es-teh"}]',
                            on_error => 'report', effective_at => '2030-11-18 16:00+07');

SELECT allowed, reason, limit_amount, spent, remaining
FROM wallet_ledger.check_spending_limit('wallets:budi', 20000, 'kantin', at => '2030-11-18 12:30+07');

\set ECHO none
\echo '    The guardian was told of both.'
\echo
\set ECHO queries
SELECT topic, payload->>'member' AS member, payload->>'amount' AS amount, payload->'error'->>'reason' AS reason,
       payload->'for' AS "for"
FROM wallet_ledger.events WHERE ledger = 'sekolah' AND topic = 'purchase.refused' ORDER BY id;

\pset footer on
SELECT * FROM wallet_ledger.verify_ledger();

\set ECHO none
\pset footer off
\pset tuples_only on
SELECT format('Steps 2 to 14 took %s milliseconds, everything printed included.',
              round(extract(epoch FROM clock_timestamp() - :'started'::timestamptz) * 1000));
