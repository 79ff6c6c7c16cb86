-- The same, as a driver sends it: JSON as text, and every row of the result comes back.
\set set :first_set + :client_id
SELECT * FROM wallet_ledger.post_transfers((SELECT items_text::jsonb FROM bench.batches WHERE set_number = :set AND size = :size));
