-- Escrows of two lines with fees, of 1,000 buyers and 500 sellers: :escrows to release one at a time, :escrows
-- whose transfers are posted without the escrow, and :due whose time is over.
SET wallet_ledger.ledger = 'bench';
SELECT count(wallet_ledger.open_wallet('seller' || n)) FROM generate_series(1, 500) n;
SELECT count(wallet_ledger.create_account('banks:escrow', 'asset'));
-- The platform's two accounts are in every release: striped, as for any account that everyone hits.
SELECT count(wallet_ledger.create_account('platform:revenue:merchant_commission', 'revenue', stripes => 16)),
       count(wallet_ledger.create_account('platform:revenue:delivery_platform_share', 'revenue', stripes => 16));
SELECT count(wallet_ledger.post_transfer('banks:escrow', 'wallets:' || n, 100000000)) FROM generate_series(1, 1000) n;

-- In transactions of fifty, as orders come: in a single one each would walk over all versions of its buyer.
CREATE TABLE bench.escrows (n integer, id uuid);
SELECT set_config('bench.escrows', (2 * :escrows + :due)::text, false);
DO $$
BEGIN
    FOR i IN 1..current_setting('bench.escrows')::integer LOOP
        INSERT INTO bench.escrows
        SELECT i, e.id
        FROM wallet_ledger.open_escrow('bench-' || i, 'wallets:' || 1 + i % 1000, jsonb_build_array(
            jsonb_build_object('beneficiary', 'wallets:seller' || 1 + i % 500, 'amount', 85000, 'fee', 'merchant_commission'),
            jsonb_build_object('beneficiary', 'wallets:seller' || 1 + (i + 7) % 500, 'amount', 15000,
                               'fee', 'delivery_platform_share')), auto_release_after => '1 day') e;
        IF i % 50 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
ALTER TABLE bench.escrows ADD PRIMARY KEY (n);
GRANT SELECT ON bench.escrows TO bench_app;

-- The same four transfers of each, for the engine alone.
CREATE TABLE bench.escrow_items AS
SELECT n, jsonb_agg(jsonb_build_object('transaction', 'x', 'debit_account', 'escrows:bench-' || n, 'credit_account', c,
                                       'amount', a, 'kind', 'release', 'reference', 'bench-' || n)) AS items
FROM generate_series(:escrows + 1, 2 * :escrows) n,
     LATERAL (VALUES ('wallets:seller' || 1 + n % 500, 72250), ('platform:revenue:merchant_commission', 12750),
                     ('wallets:seller' || 1 + (n + 7) % 500, 12000),
                     ('platform:revenue:delivery_platform_share', 3000)) AS v (c, a)
GROUP BY n;
ALTER TABLE bench.escrow_items ADD PRIMARY KEY (n);
GRANT SELECT ON bench.escrow_items TO bench_app;
CREATE SEQUENCE bench.next_escrow;
CREATE SEQUENCE bench.next_items START :first_items;
GRANT USAGE ON SEQUENCE bench.next_escrow, bench.next_items TO bench_app;

SELECT count(wallet_ledger.mark_shipped(id)) FROM bench.escrows WHERE n > 2 * :escrows;
UPDATE wallet_data.escrows SET release_due_at = now() - interval '1 hour', attempt_at = now() - interval '1 hour'
WHERE release_due_at IS NOT NULL;
ANALYZE wallet_data.escrows, wallet_data.escrow_lines, wallet_data.accounts, bench.escrows, bench.escrow_items;
