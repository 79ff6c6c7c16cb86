-- One escrow of two lines, released: four transfers, and its state, splits and event.
SELECT r.status
FROM bench.escrows b, LATERAL wallet_ledger.release_escrow(b.id) r
WHERE b.n = (SELECT nextval('bench.next_escrow'));
