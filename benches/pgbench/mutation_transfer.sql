-- One transfer between the same accounts. pgbench takes a colon in a string for a variable's.
\set n random(1, :singles)
SELECT t.credit_balance
FROM bench.mutations b,
     LATERAL wallet_ledger.post_transfer(:bank::text, :wallet::text || b.wallet, b.amount, 'topup') t
WHERE b.n = :n::bigint;
