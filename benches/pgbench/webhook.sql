-- A webhook of 200 lines, each of which pays one of 100,000 open intents. :next is the sequence that says
-- which body: with the unique code for the payer (one transfer a line) or for the platform (two).
SELECT w.matched_count
FROM bench.bodies b, LATERAL wallet_ledger.receive_webhook('moota', b.headers, b.body) w
WHERE b.n = (SELECT nextval(:next::text::regclass));
