-- Fills a ledger with a given number of transfers, in seconds instead of hours.
--
--   psql -X -d DATABASE -v transfers=10000000 -f benches/fill.sql
--
--   transfers   how many in all (default 1,000,000)
--   accounts    wallets that they are spread over, evenly (default 10,000)
--   hot         how many of them credit one account, <prefix>:hot (default 0)
--   prefix      first segment of the new accounts' addresses (default fill); each prefix once
--   ledger      made if it is not there (default main)
--
-- For benchmarks and scale tests; run it as a superuser, with the data schema installed. It writes the
-- tables directly, so every version and balance is computed here in closed form, and verify_ledger()
-- must find nothing afterwards:
--   * openings: <prefix>:bank gives 1,000,000,000 to each wallet (version 1);
--   * rounds: in each round every wallet takes part once, so its version is the round's number plus 2.
--     In even rounds the first half pays the second, in odd rounds the same amount goes back, each time
--     in other pairs and in another order, so that the rows of an account lie far apart on disk;
--   * hot: <prefix>:source credits <prefix>:hot one unit at a time.
\set ON_ERROR_STOP 1
\set QUIET 1
\pset tuples_only on
\if :{?transfers} \else \set transfers 1000000 \endif
\if :{?accounts} \else \set accounts 10000 \endif
\if :{?hot} \else \set hot 0 \endif
\if :{?prefix} \else \set prefix fill \endif
\if :{?ledger} \else \set ledger main \endif

SELECT wallet_ledger.create_ledger(:'ledger')
WHERE NOT EXISTS (SELECT FROM wallet_ledger.ledgers WHERE ledger = :'ledger') \g /dev/null

-- half: wallets of each half; moves: transfers of the rounds.
SELECT greatest(1, least(:accounts, (:transfers - :hot)) / 2)::bigint AS half \gset
SELECT greatest(0, :transfers - :hot - 2 * :half)::bigint AS moves,
       l.ledger_id, l.currency, c.scale,
       pg_current_xact_id()::text::bigint + t.position_offset AS position,
       1000000000 AS opening,
       -- 60 days of history, all of it in the past.
       extract(epoch FROM statement_timestamp() - INTERVAL '60 days')::bigint AS start
FROM wallet_data.ledgers l
JOIN wallet_data.currencies c ON c.code = l.currency
CROSS JOIN wallet_data.timeline t
WHERE l.name = :'ledger' \gset
SELECT 86400.0 * 60 / greatest(1, :transfers) AS step \gset

-- The new accounts' ids: bank, source, hot, then the wallets of the first and of the second half.
SELECT nextval(pg_get_serial_sequence('wallet_data.accounts', 'account_id')) AS bank \gset
SELECT :bank + 1 AS source, :bank + 2 AS hot_id, :bank + 3 AS first, :bank + 3 + :half AS second \gset
SELECT setval(pg_get_serial_sequence('wallet_data.accounts', 'account_id'), :bank + 3 + 2 * :half) \g /dev/null

-- Moment and identity of the n-th transfer: a UUIDv7 of that moment.
CREATE FUNCTION pg_temp.moment(n bigint, start bigint, step numeric) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS 'SELECT to_timestamp(start + (n * step)::double precision)';
CREATE FUNCTION pg_temp.identity(n bigint, start bigint, step numeric, salt text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(((start + n * step) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid
    FROM md5(salt || n::text) h $$;

BEGIN;
INSERT INTO wallet_data.transfers
    (ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position,
     effective_at, created_at, amount, debit_balance, credit_balance)
SELECT :ledger_id, 21, pg_temp.identity(n, :start, :step, :'prefix'), :bank, :first + n, n + 1, 1, :position,
       pg_temp.moment(n, :start, :step), pg_temp.moment(n, :start, :step),
       round(:opening, :scale), round(:opening * (n + 1), :scale), round(:opening, :scale)
FROM generate_series(0::bigint, 2 * :half - 1) n;

INSERT INTO wallet_data.transfers
    (ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position,
     effective_at, created_at, amount, debit_balance, credit_balance)
SELECT :ledger_id, 1, pg_temp.identity(2 * :half + n, :start, :step, :'prefix'),
       CASE WHEN r % 2 = 0 THEN a ELSE b END, CASE WHEN r % 2 = 0 THEN b ELSE a END, r + 2, r + 2, :position,
       moment, moment, amount,
       CASE WHEN r % 2 = 0 THEN :opening - amount ELSE round(:opening, :scale) END,
       CASE WHEN r % 2 = 0 THEN :opening + amount ELSE round(:opening, :scale) END
FROM (SELECT n, r, pg_temp.moment(2 * :half + n, :start, :step) AS moment,
             :first + k AS a, :second + (k + r) % :half AS b, round(1 + (r / 2 * 37) % 1000, :scale) AS amount
      FROM (SELECT n, n / :half AS r, (n % :half * 1000003 + n / :half * 7919) % :half AS k
            FROM generate_series(0::bigint, :moves - 1) n) p) m;

INSERT INTO wallet_data.transfers
    (ledger_id, kind_id, transfer_id, debit_account_id, credit_account_id, debit_version, credit_version, position,
     effective_at, created_at, amount, debit_balance, credit_balance)
SELECT :ledger_id, 10, pg_temp.identity(n, :start, :step, :'prefix' || '.hot'), :source, :hot_id, n, n, :position,
       pg_temp.moment(n, :start, :step), pg_temp.moment(n, :start, :step),
       round(1, :scale), round(n, :scale), round(n, :scale)
FROM generate_series(1::bigint, :hot) n;

-- The accounts as those transfers leave them. A wallet's last move is in one of the last two rounds.
CREATE TEMP TABLE fill_last ON COMMIT DROP AS
SELECT account_id, max(n) AS n
FROM (SELECT n, n / :half AS r, (n % :half * 1000003 + n / :half * 7919) % :half AS k
      FROM generate_series(greatest(0::bigint, (:moves / :half - 1) * :half), :moves - 1) n) m
CROSS JOIN LATERAL (VALUES (:first + k), (:second + (k + r) % :half)) v (account_id)
GROUP BY account_id;

INSERT INTO wallet_data.accounts
    (ledger_id, account_id, version, last_posted_at, type_id, scale, currency, address, posted, minimum_balance)
SELECT :ledger_id, id, version,
       CASE WHEN version = 0 THEN '-infinity' ELSE pg_temp.moment(last, :start, :step) END,
       type_id, :scale, :'currency', :'prefix' || ':' || name, round(posted, :scale), NULL
FROM (VALUES (:bank, 1, 'bank', 2 * :half, 2 * :half - 1, :opening * 2.0 * :half),
             (:source, 1, 'source', :hot, :hot, :hot),
             (:hot_id, 2, 'hot', :hot, :hot, :hot)) v (id, type_id, name, version, last, posted)
UNION ALL
SELECT :ledger_id, :first + w, 2 + coalesce(l.n / :half, -1),
       pg_temp.moment(coalesce(2 * :half + l.n, w), :start, :step), 2, :scale, :'currency',
       :'prefix' || ':wallets:' || w + 1,
       round(:opening + CASE WHEN l.n / :half % 2 = 0 THEN (1 + (l.n / :half / 2 * 37) % 1000)
                                  * CASE WHEN w < :half THEN -1 ELSE 1 END
                             ELSE 0 END, :scale), 0
FROM generate_series(0::bigint, 2 * :half - 1) w
LEFT JOIN fill_last l ON l.account_id = :first + w;

INSERT INTO wallet_data.account_profiles (ledger_id, account_id)
SELECT :ledger_id, a FROM generate_series(:bank, :second + :half - 1) a;
COMMIT;

VACUUM (ANALYZE) wallet_data.transfers, wallet_data.accounts, wallet_data.account_profiles;
SELECT format('%s transfers, %s wallets, %s lines on %s:hot',
              :transfers, 2 * :half, :hot, :'prefix');
