-- A hundred escrows whose time is over.
SELECT count(*) FILTER (WHERE outcome = 'released') FROM wallet_ledger.release_due_escrows(100);
