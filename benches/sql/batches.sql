-- The arrays that the batch workloads post, and the rows that they are compared with.
-- Sets: 0 all thousand wallets; 1 and 2 a half each, for two clients that do not meet.
--   -v batches_1000=N -v batches_8190=N   how many batches of a size are staged per set

-- EXTERNAL: reading an argument must not cost a decompression.
CREATE TABLE bench.batches (set_number integer, size integer, items jsonb, items_text text, PRIMARY KEY (set_number, size));
ALTER TABLE bench.batches ALTER COLUMN items SET STORAGE EXTERNAL, ALTER COLUMN items_text SET STORAGE EXTERNAL;

CREATE TEMP TABLE item AS
SELECT s.set_number, z.size, n, first + debit AS debit, first + (debit + 1 + (random() * (width - 2))::integer) % width AS credit,
       1 + (random() * 1000)::integer AS amount
FROM (VALUES (0, 1, 1000), (1, 1, 500), (2, 501, 500)) s (set_number, first, width)
CROSS JOIN (VALUES (100), (1000), (8190)) z (size)
CROSS JOIN LATERAL (SELECT n, (random() * (width - 1))::integer AS debit FROM generate_series(1, z.size) n) i;

INSERT INTO bench.batches
SELECT set_number, size, items, items::text
FROM (SELECT set_number, size,
             jsonb_agg(jsonb_build_object('debit_account', 'wallets:' || debit, 'credit_account', 'wallets:' || credit,
                                          'amount', amount) ORDER BY n) AS items
      FROM item GROUP BY set_number, size) b;
GRANT SELECT ON bench.batches TO bench_app;

-- Whole rows, ready to be inserted. Versions and ids are unique and grow, as the ledger's do.
CREATE UNLOGGED TABLE bench.staged (LIKE bench.transfers, set_number integer, size integer, batch integer);
INSERT INTO bench.staged
SELECT 1, 1, ('0190000000007000' || 1000000000000000 + i.first_version + n)::uuid, i.debit, i.credit,
       i.first_version + n, i.first_version + n, i.first_version, i.at, i.at,
       i.amount + 0.00, 1000000000.00 - i.amount, 1000000000.00 + i.amount, NULL, NULL, NULL, NULL, NULL,
       i.set_number, i.size, i.batch
FROM (SELECT *, now() AS at,
             ((batch * 3 + set_number) * 2 + (CASE size WHEN 1000 THEN 0 ELSE 1 END)) * 10000::bigint AS first_version
      FROM item
      JOIN (VALUES (1000, :batches_1000), (8190, :batches_8190)) b (size, batches) USING (size)
      CROSS JOIN LATERAL generate_series(1, batches) batch
      ORDER BY batch, n) i;
CREATE INDEX staged_batch ON bench.staged (set_number, size, batch);
GRANT SELECT ON bench.staged TO bench_app;
VACUUM (ANALYZE) bench.batches, bench.staged;
