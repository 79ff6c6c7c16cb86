-- The transfers of such a webhook in one call of post_transfers.
\set n random(:first, :last)
SELECT count(*) FROM wallet_ledger.post_transfers((SELECT items FROM bench.bodies WHERE n = :n::bigint));
