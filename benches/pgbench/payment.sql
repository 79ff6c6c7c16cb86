-- The same money between the same kinds of accounts, without goods: from wallets :payer<n> to :payee<n>.
\set pupil random(1, 1000)
\set shop random(1, :merchants)
SELECT id FROM wallet_ledger.post_transfer(:payer::text || :pupil, (:payee::text || :shop), 25000, 'purchase');
