-- A page of 50 lines at a random place of an account's history.
\set after random(0, :lines - 50)
SELECT * FROM wallet_ledger.statement(:account, after_version => :after, page_size => 50);
