-- The same four transfers without the escrow.
SELECT count(*)
FROM bench.escrow_items b, LATERAL wallet_ledger.post_transfers(b.items) r
WHERE b.n = (SELECT nextval('bench.next_items'));
