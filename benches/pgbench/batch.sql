-- :size transfers in one call. The JSON stands ready; client n has the accounts of set :first_set + n.
\set set :first_set + :client_id
SELECT count(*) FROM wallet_ledger.post_transfers((SELECT items FROM bench.batches WHERE set_number = :set AND size = :size));
