-- What psql's \dx+ and \df+ say: the same as the Rust documentation of each function, in short.
-- Functions written in SQL have their comments beside them; tables and views too.

COMMENT ON EXTENSION wallet_ledger IS
    'A complete wallet ledger: atomic transfers, holds, reversals and proofs as SQL functions. After CREATE EXTENSION and after every ALTER EXTENSION UPDATE run SELECT wallet_ledger.install().';
COMMENT ON SCHEMA wallet_ledger IS
    'The public face of the ledger: functions, result types and views. The tables are in wallet_data.';

-- Installation
COMMENT ON FUNCTION wallet_ledger.install IS
    'Creates or migrates the data schema: tables in wallet_data, views in wallet_ledger. Idempotent. Needs a superuser, or a role with CREATEROLE that owns the database. Returns from which version to which.';
COMMENT ON FUNCTION wallet_ledger.errors IS
    'Every error that the functions can raise: token (in the DETAIL''s JSON), SQLSTATE, HTTP status, meaning, hint.';
COMMENT ON FUNCTION wallet_ledger._library_version IS
    'The version of the loaded library. For doctor().';
COMMENT ON FUNCTION wallet_ledger._library_data_version IS
    'The version of the data schema that the loaded library works with. For doctor().';

-- Books
COMMENT ON FUNCTION wallet_ledger.create_ledger IS
    'Creates a ledger: one organisation''s books. ledger: its name, 1 to 63 of A-Z a-z 0-9 _ . -; currency: the default of its accounts; timezone: decides which day a moment belongs to; metadata: the caller''s own JSON. The same call again returns the ledger that is there.';
COMMENT ON FUNCTION wallet_ledger.create_currency IS
    'Adds a currency, for all ledgers. code: 3 to 12 upper-case letters or digits; scale: how many decimals its amounts have, 0 to 18. The same call again is harmless.';
COMMENT ON FUNCTION wallet_ledger.create_kind IS
    'Adds a kind to a ledger''s vocabulary of what transfers are for. kind: lower-case words such as top_up. The same call again is harmless.';
COMMENT ON FUNCTION wallet_ledger.close_period IS
    'Closes the books up to a moment: nothing may become effective before it any more. until: the end of the period, not in the future. Waits for postings under way; a closed period does not open again.';
COMMENT ON FUNCTION wallet_ledger.create_account IS
    'Creates an account. account: its address, such as banks:bca:1234567890; type: asset, liability, equity, revenue or expense; currency: the ledger''s by default; minimum_balance: floor of the available balance, zero or negative, NULL is no floor; maximum_balance: ceiling; owner: whose it is; stripes: 1 to 256, more than 1 for accounts that many sessions post to at once. The same call again returns the account that is there.';
COMMENT ON FUNCTION wallet_ledger.open_wallet IS
    'Opens the wallet of a person: the liability account wallets:<owner> with floor 0. owner: one segment of an address. The same call again returns the wallet that is there.';
COMMENT ON FUNCTION wallet_ledger.freeze_account IS
    'Freezes an account: nothing posts in or out and no hold is made until it is unfrozen; open holds stay and may be released. reason: for the event account.frozen.';
COMMENT ON FUNCTION wallet_ledger.unfreeze_account IS
    'Lifts a freeze. reason: for the event account.unfrozen.';
COMMENT ON FUNCTION wallet_ledger.close_account IS
    'Closes an account that has nothing posted and nothing held. Its history stays. reason: for the event account.closed.';
COMMENT ON FUNCTION wallet_ledger.reopen_account IS
    'Opens a closed account again. reason: for the event account.reopened.';

-- Posting
COMMENT ON FUNCTION wallet_ledger.post_transfer IS
    'Moves money from the debit account to the credit account, in the caller''s transaction. amount: above zero, in the currency''s decimals; kind: what it is for, one of the view kinds; idempotency_key: the caller''s name for this intention: the same request again returns the first result with replayed set; reference, description, metadata: the caller''s own words; effective_at: when it counts, now by default, not inside a closed period; expected_version: refuse unless the debit account is at this version. Returns the transfer with the balances and versions that it left behind.';
COMMENT ON FUNCTION wallet_ledger.post_transfers IS
    'Posts up to 10,000 transfers in one call. transfers: a JSON array of objects with the arguments of post_transfer as keys, and optionally transaction: adjacent items with the same label happen together or not at all. on_error: raise (all or nothing, the error has the item''s position) or report (each item has its own outcome, and the key of a rejected one is remembered). Returns one row per item, in their order.';
COMMENT ON FUNCTION wallet_ledger.preview_transfer IS
    'Exactly what post_transfer with the same arguments would return or raise, with nothing written and nothing locked. id and transaction_id are NULL, unless the key was used before.';
COMMENT ON FUNCTION wallet_ledger.reverse_transfer IS
    'Takes back a transfer, whole or in part, with a transfer in the other direction. transfer_id: not itself a reversal; amount: at most what remains of it, NULL is all that remains; reason: becomes the description. The sum of all reversals never exceeds the original.';
COMMENT ON FUNCTION wallet_ledger.reverse_transaction IS
    'Takes back all that remains of a transaction: every transfer that shares the id, in one new transaction. transaction_id: as in every receipt; a single transfer is a transaction of its own. Returns one row per reversing transfer.';
COMMENT ON FUNCTION wallet_ledger.forget_idempotency_keys IS
    'Deletes idempotency keys older than older_than (an interval, at least one hour), the oldest first, at most max_count. A forgotten key no longer protects. The keys that triggers make are never forgotten. Returns how many; call again until it returns less than max_count.';

-- Holds
COMMENT ON FUNCTION wallet_ledger.hold_funds IS
    'Reserves available balance for a later capture. account: whose available balance shrinks; destination: where a capture moves the money, NULL leaves it to the capture; expires_at: from then on the hold counts as released, NULL never expires; kind: that of the transfer which a capture posts. Returns the hold, with the account''s held and available balance after it.';
COMMENT ON FUNCTION wallet_ledger.capture_hold IS
    'Moves held money to its destination. amount: at most the hold''s, NULL is all of it; what is not captured is released. destination: needed where the hold named none. Returns the transfer.';
COMMENT ON FUNCTION wallet_ledger.release_hold IS
    'Gives held money back to the available balance. reason: for the event hold.released. Returns the hold.';
COMMENT ON FUNCTION wallet_ledger.expire_holds IS
    'Writes down holds whose time is over; they count as released without it. max_count: bound of the work, 1 to 10,000. Safe to run from anywhere, as often as wanted. Returns how many were marked.';

-- Reading
COMMENT ON FUNCTION wallet_ledger.balance IS
    'An account''s balance, now or at a moment: posted, held, available, version. at: the moment, NULL is now; time_basis: posted (what the ledger said then) or effective (what counts for then, as is known now).';
COMMENT ON FUNCTION wallet_ledger.statement IS
    'A page of an account''s history by posting time, the oldest line first, with the balance before and after each line. from, to: the window, to excluded (keywords: write "from" => …); after_version: the version of the last line of the page before; page_size: 1 to 10,000; kind: only lines of this kind; stripe: which stripe of a striped account. Lines are never skipped nor repeated while postings go on.';
COMMENT ON FUNCTION wallet_ledger.verify_ledger IS
    'Recomputes balances, versions, holds, stripes, reversals and idempotency outcomes from the transfers alone, and returns what differs. No row means that the ledger is sound.';

-- Consumers
COMMENT ON FUNCTION wallet_ledger.poll_events IS
    'Reads events in order, from behind the cursor. after: the cursor of the last row that was processed, NULL begins at the beginning; max_count: 1 to 10,000. Rows of transactions that are still running hold the cursor back and are never skipped.';
COMMENT ON FUNCTION wallet_ledger.poll_transfers IS
    'Reads transfers in order, from behind the cursor, with the guarantee of poll_events.';
