-- One mutation that pays one of 100,000 open intents.
SELECT m.outcome
FROM bench.mutations b, LATERAL wallet_ledger.match_mutation(b.body) m
WHERE b.n = (SELECT nextval('bench.next_mutation'));
