-- 100,000 open intents at one bank account, and the bodies that pay them: arrays of 200 lines with their
-- signatures, and single mutations. Beside each, what post_transfers is given for the comparison: the
-- same transfers. In the first half of the bodies the unique code goes to the platform (two linked transfers
-- a line), in the second half to the payer (one); single mutations have two.
--   -v bodies=N   arrays of 200, an even number   -v singles=N   single mutations
--   -v spread=N   how many more intents are made, at most, before one is paid

CREATE EXTENSION IF NOT EXISTS pgcrypto;
SELECT wallet_ledger.register_bank_account('banks:intake', 'moota', 'bank-1');
SELECT wallet_ledger.set_webhook_secret('moota', 'benchmark-secret');
SELECT wallet_ledger.create_account('platform:revenue:unique_code', 'revenue');

-- As create_intent writes them, in one go: ids in the order of creation; 900 codes for each of 112 amounts, in an order
-- of no meaning. place: the order in which they are paid.
CREATE TABLE bench.intents AS
SELECT n, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 100000 + n), 12, '0')
               || overlay(overlay(md5(n::text) PLACING '7' FROM 1 FOR 1) PLACING '8' FROM 5 FOR 1))::varchar(32)::uuid AS id,
       10000 + 1000 * (t / 900) AS amount, (1 + t % 900)::smallint AS code, 1 + t % 1000 AS wallet,
       (row_number() OVER (ORDER BY n + (hashtext(n::text) & 1048575) % :spread, n) - 1)::integer AS place
FROM (SELECT n, (row_number() OVER (ORDER BY md5(n::text)) - 1)::integer AS t FROM generate_series(0, 99999) n) numbered;
INSERT INTO wallet_data.intents (ledger_id, method_id, purpose_id, unique_code, bank_account_id, intent_id,
                                 credit_account_id, code_account_id, created_at, expires_at, accepts_until,
                                 cooldown, amount, total, reference)
SELECT l.ledger_id, 1, 1, i.code, b.bank_account_id, i.id, w.account_id,
       CASE WHEN i.place BETWEEN 100 * :bodies AND 200 * :bodies - 1 THEN NULL ELSE c.account_id END, now(), now() + interval '1 day',
       now() + interval '25 hours', interval '48 hours', i.amount + 0.00, i.amount + i.code + 0.00, 'topup-' || i.n
FROM bench.intents i
JOIN wallet_data.ledgers l ON l.name = 'bench'
JOIN wallet_data.bank_accounts b ON b.ledger_id = l.ledger_id
JOIN wallet_data.accounts w ON w.ledger_id = l.ledger_id AND w.address = 'wallets:' || i.wallet
JOIN wallet_data.accounts c ON c.ledger_id = l.ledger_id AND c.address = 'platform:revenue:unique_code'
ORDER BY i.id;
INSERT INTO wallet_data.live_intents (ledger_id, unique_code, bank_account_id, intent_id, due_at)
SELECT ledger_id, unique_code, bank_account_id, intent_id, expires_at FROM wallet_data.intents ORDER BY intent_id;
INSERT INTO wallet_data.intent_codes (ledger_id, bank_account_id, total, intent_id, free_at)
SELECT ledger_id, bank_account_id, total, intent_id, expires_at + cooldown FROM wallet_data.intents ORDER BY intent_id;

CREATE TEMP TABLE line AS
SELECT i.n, i.place, i.wallet, i.amount, i.code, i.amount + i.code AS total,
       jsonb_build_object('mutation_id', 'bench-' || md5(i.n::text), 'bank_id', 'bank-1', 'account_number', '1234567890',
                          'date', to_char(now() AT TIME ZONE 'Asia/Jakarta' + interval '1 second', 'YYYY-MM-DD HH24:MI:SS'),
                          'amount', i.amount + i.code, 'type', 'CR', 'balance', 0, 'taggings', '[]'::jsonb,
                          'description', 'TRSF E-BANKING CR 2111/FTSCY/WS95031 ' || i.amount + i.code || '.00 PELANGGAN ' || i.n) AS body
FROM bench.intents i;

CREATE TABLE bench.bodies (n bigint PRIMARY KEY, headers jsonb, body text, items jsonb);
INSERT INTO bench.bodies (n, body, items)
SELECT l.place / 200 + 1, jsonb_agg(l.body ORDER BY l.place) FILTER (WHERE t.part = 1)::text,
       jsonb_agg(jsonb_build_object('debit_account', 'banks:intake', 'credit_account', t.account, 'amount', t.amount,
                                    'kind', t.kind) || t.link ORDER BY l.place, t.part)
FROM line l
CROSS JOIN LATERAL (
    SELECT 1 AS part, 'wallets:' || l.wallet AS account, l.amount, 'topup' AS kind,
           jsonb_build_object('reference', 'topup-' || l.n, 'transaction', l.n::text) AS link
    WHERE l.place < 100 * :bodies
    UNION ALL
    SELECT 2, 'platform:revenue:unique_code', l.code, 'unique_code', jsonb_build_object('transaction', l.n::text)
    WHERE l.place < 100 * :bodies
    UNION ALL
    SELECT 1, 'wallets:' || l.wallet, l.total, 'topup', jsonb_build_object('reference', 'topup-' || l.n)
    WHERE l.place >= 100 * :bodies) t
WHERE l.place < 200 * :bodies GROUP BY l.place / 200;
UPDATE bench.bodies
SET headers = jsonb_build_object('Signature', encode(hmac(body, 'benchmark-secret', 'sha256'), 'hex'));

CREATE TABLE bench.mutations (n bigint PRIMARY KEY, body jsonb, wallet integer, amount integer);
INSERT INTO bench.mutations
SELECT place - 200 * :bodies + 1, body, wallet, total FROM line
WHERE place >= 200 * :bodies AND place < 200 * :bodies + :singles;

CREATE SEQUENCE bench.next_body;
SELECT setval('bench.next_body', :bodies / 2 + 1, false);
CREATE SEQUENCE bench.next_platform_body;
CREATE SEQUENCE bench.next_mutation;
GRANT SELECT ON bench.bodies, bench.mutations TO bench_app;
GRANT ALL ON SEQUENCE bench.next_body, bench.next_platform_body, bench.next_mutation TO bench_app;
VACUUM (ANALYZE) wallet_data.intents, wallet_data.live_intents, wallet_data.intent_codes, bench.bodies, bench.mutations;
