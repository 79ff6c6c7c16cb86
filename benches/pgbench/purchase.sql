-- Lunch: two items of one category, at one of :merchants canteens, by one of 1,000 pupils with three limits.
\set pupil random(1, 1000)
\set shop random(1, :merchants)
SELECT id FROM wallet_ledger.purchase('pupil' || :pupil, 'canteen' || :shop,
    '[{"item": "nasi-goreng"}, {"item": "es-teh", "quantity": 2}]');
