-- What a till has sold offline: :size purchases of two items by pupils who buy nowhere else. One till a client.
SELECT nextval('bench.till_' || :client_id) AS call \gset
SELECT count(*) FILTER (WHERE status = 'accepted') AS accepted
FROM wallet_ledger.sync_purchases('till' || :client_id,
    (SELECT jsonb_agg(jsonb_build_object(
                'sequence', (:call - 1) * :size + n, 'at', now(),
                'member', 'pupil' || 1 + :client_id + 16 * floor(random() * 62),
                'items', '[{"item": "nasi-goreng"}, {"item": "es-teh", "quantity": 2}]'::jsonb))
     FROM generate_series(1, :size) n));
