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

-- Settings
COMMENT ON FUNCTION wallet_ledger.set_setting IS
    'Changes a setting of a ledger from a moment on; what was done under the old value stays. setting: its name, see list_settings(); value: as text: an amount, a length of time such as 48 hours or PT48H, a word or an account address; effective_from: from when on it counts, not in the past, NULL is now; reason: for the history in the view settings. The same value from the same moment again changes nothing.';
COMMENT ON FUNCTION wallet_ledger.list_settings IS
    'Every setting of a ledger with the value that counts at a moment, its default, unit and meaning, and since when, by whom and why it was set. at: the moment, NULL is now.';

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

-- Money in: bank accounts and intents
COMMENT ON FUNCTION wallet_ledger.register_bank_account IS
    'Ties an account at a bank or a gateway to an asset account of the books. account: such as banks:bca:1234567890, created where it is missing; provider: who reports its mutations: moota, midtrans, xendit, snap or statement; provider_bank_id: the provider''s id of it; account_number: compared by its digits; opening_balance: what the bank had before the first mutation, posted from equity:opening_balances where the account has no postings yet; opened_on: the bank''s day at whose beginning it had that, NULL is before everything that is reported; suspense_account, outgoing_account: <account>:suspense and <account>:outgoing by default. The same call again returns the one that is there.';
COMMENT ON FUNCTION wallet_ledger.create_intent IS
    'Expects a payment, and says by what it will be known. purpose: topup, order, subscription or other; credit_account: whom the money is for; amount: what is to arrive there; bank_account: where the payer pays to; reference: the application''s own name for it; expires_in: how long it stays open; method: transfer (known by its total, the amount and a unique code of 1 to 999), virtual_account or gateway (known by number); payer_name: helps a person to find the payment. Returns the intent; total is what the payer must transfer.';
COMMENT ON FUNCTION wallet_ledger.cancel_intent IS
    'Closes a live intent that is not wanted any more. reason: kept with who did it. A transfer that comes nevertheless goes to review.';
COMMENT ON FUNCTION wallet_ledger.expire_intents IS
    'Writes down intents whose time is over; they count as expired without it. max_count: most intents of one call. Returns how many. Safe to run from anywhere, as often as wanted.';
COMMENT ON FUNCTION wallet_ledger.submit_payment_proof IS
    'Records that the payer says to have paid. proof_reference: where the application keeps the file. The intent waits for verify_payment() or reject_payment() and does not expire meanwhile; a matching mutation still pays it.';
COMMENT ON FUNCTION wallet_ledger.reject_payment IS
    'Rejects the proof of a payment that is pending_verification. reason: for the payer, and kept with who did it. Another proof may be sent until the intent expires.';

-- Money in: mutations
COMMENT ON FUNCTION wallet_ledger.match_mutation IS
    'Matches one bank mutation and posts it, for a backend that has verified it on its own. mutation: as the provider sends it, a JSON object; provider: moota, midtrans, xendit or snap. Returns what it came to: matched, suspense, review, duplicate or ignored, with intent, transaction and reasons.';
COMMENT ON FUNCTION wallet_ledger.match_mutation_by_hand IS
    'Pays an intent with a mutation that waits in suspense or under review, because a person says so. intent_id: neither paid nor cancelled; an expired one too. All of the mutation''s money goes to the intent''s account. reason: kept with who did it.';
COMMENT ON FUNCTION wallet_ledger.verify_payment IS
    'Confirms a payment whose payer has sent a proof, against the mutation that brought the money. intent_id: an intent in pending_verification; mutation_id: in suspense or under review; reason: optional, kept with who did it.';
COMMENT ON FUNCTION wallet_ledger.assign_mutation IS
    'Gives the money of a mutation to an account without an intent, or says what a debit was for. account: who gets it, not one of a bank account''s own but for another one''s outgoing; reason: kept with who did it; kind: deposit for a credit and fee for a debit by default.';
COMMENT ON FUNCTION wallet_ledger.unmatch_mutation IS
    'Takes back what was done with a mutation, with reversing entries: its money waits in suspense again, and the intent that it paid is open again, or expired; what was marked as a duplicate is in the books again. reason: kept with who did it.';
COMMENT ON FUNCTION wallet_ledger.return_mutation IS
    'Marks the money of a mutation as going back to its sender: from suspense to the outgoing account, where the bank''s debit will meet it. reason: kept with who did it.';
COMMENT ON FUNCTION wallet_ledger.mark_mutation_duplicate IS
    'Takes a mutation out of the books because it is another one that was reported twice. original_id: that one, of the same bank account, direction and amount; reason: kept with who did it.';

-- Money in: webhooks
COMMENT ON FUNCTION wallet_ledger.set_webhook_secret IS
    'Stores the key that a provider''s webhooks are verified with; nobody can read it back. provider: moota, midtrans, xendit or snap; secret: 6 to 1024 bytes, passed as a parameter on a connection that does not log statements; keep_previous_for: how long the key before stays valid too. Returns until when that is.';
COMMENT ON FUNCTION wallet_ledger.verify_webhook IS
    'Whether a webhook comes from who has the secret, judged over the body exactly as given and in constant time. provider: moota, midtrans, xendit or snap; headers: a JSON object, names in any case, for snap also :method and :path; body: byte for byte. Stores nothing.';
COMMENT ON FUNCTION wallet_ledger.receive_webhook IS
    'Takes a webhook in: verifies it, stores it once, and matches and posts each of its lines. provider, headers, body: as for verify_webhook; confirmed: the caller has asked the gateway''s own status API. Returns counts and one outcome per line; send http_status back, and for snap response_code. The same body again gets the first answer.';
COMMENT ON FUNCTION wallet_ledger.reprocess_webhook IS
    'Works through a stored webhook again: what was rejected then may be understood now. webhook_id: from receive_webhook() or the view webhook_lines. Returns the new outcomes; the stored answer stays the first.';
COMMENT ON FUNCTION wallet_ledger.forget_webhook_refusals IS
    'Deletes what webhook_refusals shows of longer ago than older_than (an interval, at least one hour), the oldest first, at most max_count. Returns how many; call again until it returns less than max_count.';

-- Money in: statements and the proof
COMMENT ON FUNCTION wallet_ledger.import_statement IS
    'Imports a bank''s statement: each line is matched and posted as a webhook''s line would be, and what was reported before is recognised. bank_account: a registered one; format: csv:bca, csv:mandiri, csv:bri, csv:bni, csv or mt940; content: the file, up to 8 MiB and 100,000 lines. A file that cannot be read or does not add up is refused as a whole. Returns counts, balances and one outcome per line; the same content again gets the first answer.';
COMMENT ON FUNCTION wallet_ledger.bank_proof IS
    'Proves a bank account day by day: opening balance + stored mutations = the books'' balance = the balance that the bank reports, with the differences and, in lines, what explains them. bank_account: a registered one; from, to: days of the bank, both included, NULL is open. One row per day on which there is anything.';

-- Rates
COMMENT ON FUNCTION wallet_ledger.set_rate IS
    'Sets a rate, the platform''s share of what others earn, from a moment on; escrows keep the rates they were opened under. name: lower-case words; rate: 0 to 1, at most six decimals; effective_from: not in the past, NULL is now; account: where the share goes, by default platform:revenue: and the name. Returns the rate.';
COMMENT ON FUNCTION wallet_ledger.list_rates IS
    'Every rate that counts at a moment (NULL: now), those included that nobody has set.';

-- Escrow
COMMENT ON FUNCTION wallet_ledger.open_escrow IS
    'Moves a buyer''s money into an account of its own, escrows: and the reference, until it is released, refunded or a dispute is decided. reference: the order, once in a ledger; buyer: who pays; lines: who gets what, [{"beneficiary", "amount", "fee", "description"}], fee is the name of a rate; auto_release_after: so long after shipping the money is released by itself; amount: what the lines must add up to; intent_id: the paid order whose money it is. Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.mark_shipped IS
    'Marks an escrow''s goods as sent and starts the time to the release by itself. tracking_reference: the carrier''s number. Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.confirm_receipt IS
    'The buyer has the goods: everything held is paid to the beneficiaries, less the fees. reason: for the record. Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.release_escrow IS
    'Pays the beneficiaries what an escrow holds, or a part, and the platform its fees, in one transaction. amount: NULL is all; line: only this one, counted from 1; reason: for the record. Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.refund_escrow IS
    'Gives the buyer money back: what is held first, then what was paid out, in the split in which it was paid. amount: NULL is all; line: only this one; on_shortfall: refuse, or advance (the platform pays for a beneficiary who cannot, and books the debt in receivables:). Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.release_due_escrows IS
    'Releases at most max_count escrows whose time after shipping is over and that are not disputed. One row each: released or failed; a failure stops no other and is tried again an hour later. Several sessions may run it at once.';
COMMENT ON FUNCTION wallet_ledger.open_dispute IS
    'Opens a dispute: nothing of the escrow moves until it is decided. opened_by: who complains; reason: what they say; evidence: references, as JSON. Returns the dispute.';
COMMENT ON FUNCTION wallet_ledger.add_dispute_note IS
    'Adds a note of a party or the mediator to a dispute, with references to evidence. Returns the note''s id.';
COMMENT ON FUNCTION wallet_ledger.resolve_dispute IS
    'Decides a dispute, once, and pays both sides in the same transaction: refund_amount to the buyer (zero: nothing), the rest of what is held to the beneficiaries, less the fees. reason: why it was decided so. Returns the dispute.';
COMMENT ON FUNCTION wallet_ledger.record_bank_release IS
    'Records a transfer to a seller''s bank that was made by hand, and takes the money out of the seller''s wallet. bank_account: the registered one that it was sent from; transfer_reference: the bank''s, once; sent_at: NULL is now; line: whose earning; amount: NULL is all that was earned and not sent. Returns the record.';

-- Group buys
COMMENT ON FUNCTION wallet_ledger.open_group_buy IS
    'Opens a group buy: many buyers'' escrows towards one target by a deadline. reference: once in a ledger; target_participants or target_quantity: exactly one; on_reached: carry_on (each escrow goes on by itself) or release. Returns the group buy.';
COMMENT ON FUNCTION wallet_ledger.join_group_buy IS
    'Takes a buyer into an open group buy with an escrow of their own; a buyer takes part once. quantity: what the part counts; the rest as for open_escrow. Returns the escrow.';
COMMENT ON FUNCTION wallet_ledger.settle_group_buy IS
    'Settles a group buy that has reached its target or passed its deadline: reached, its escrows go on or are released; missed, everyone is refunded. max_count: at most so many escrows in this call; call again until settled_at is set. Returns the group buy and what failed.';

-- Subscriptions
COMMENT ON FUNCTION wallet_ledger.create_plan IS
    'Creates a plan that accounts can subscribe to. name: lower-case words; price: of one period; period: monthly or yearly; account: who is paid; grace: how long a late payment is waited for; limits: for the application. The same again returns the one that is there. Returns the plan.';
COMMENT ON FUNCTION wallet_ledger.subscribe IS
    'Subscribes an account to a plan and pays the first period. plan: its name; account: the wallet that pays, once per plan at a time; reference: the application''s own. Returns the subscription.';
COMMENT ON FUNCTION wallet_ledger.renew_due_subscriptions IS
    'Charges at most max_count subscriptions whose period is over, every missed period once. One row each: renewed, past_due or expired. Several sessions may run it at once.';
COMMENT ON FUNCTION wallet_ledger.cancel_subscription IS
    'Cancels a subscription. refund: none (it goes on to the end of the paid period) or prorated (it ends now and the rest is given back); reason: for the record. Returns the subscription.';

-- Finance
COMMENT ON FUNCTION wallet_ledger.finance_overview IS
    'The finance office''s figures of a period, and how it stands now, one row per currency. from, to: the period, to excluded, NULL is open (keywords: write "from" => …). Runs with the caller''s rights.';
COMMENT ON FUNCTION wallet_ledger.finance_trend IS
    'The same figures day by day, week by week or month by month in the ledger''s time zone, empty ones included, at most 1000. from, to: the period, to excluded, NULL is open; bucket: day, week or month.';

COMMENT ON FUNCTION wallet_ledger.set_spending_limit IS
    'Sets a spending limit of an account, or with account * the organisation''s default for all members'' wallets, from effective_from on. per_transaction, daily, weekly, monthly: the most that may be spent, gross; 0 is nothing, NULL no bound. windows: [{"days": ["mon"], "from": "07:00", "to": "15:00"}] by the ledger''s clock. merchants, categories: {"allow": [], "deny": [], "limits": {"food": {"daily": 20000}}}. name: the same again changes the limit, another adds one; all apply. method: fingerprint, pin or qr. replaces_default: the defaults do not count beside it. Nothing limited lifts it. Returns the limit; event limit.changed.';
COMMENT ON FUNCTION wallet_ledger.check_spending_limit IS
    'Whether an account may spend an amount at a merchant, on a category, at a time (now by default), identified by a method: exactly what posting would say at the same instant. Returns allowed, reason, limit_amount, spent, held, remaining, resets_at and which limit decides; all NULL where nothing is limited. Reads only.';
-- People, places and roles
COMMENT ON FUNCTION wallet_ledger.create_member IS
    'Creates a member with the wallet wallets:<member>; the same again returns the one that is there. member: the application''s name, 1 to 64 characters of A-Z a-z 0-9 _ . -; full_name: in words; actor: who signs in as this member; currency: of the wallet; metadata: the application''s own. Returns the member.';
COMMENT ON FUNCTION wallet_ledger.create_guardian IS
    'Creates somebody who looks after members; the same again returns the one that is there. guardian: the application''s name; full_name: in words; actor: who signs in as this guardian. Returns the guardian.';
COMMENT ON FUNCTION wallet_ledger.link_guardian IS
    'Says what a guardian may do for a member: may_view, may_top_up (for the application), may_set_limits. Again with other rights changes them; all false takes the link back. Returns the link.';
COMMENT ON FUNCTION wallet_ledger.create_merchant IS
    'Creates a merchant with the account merchants:<merchant>; the same again returns the one that is there. merchant: the application''s name; currency: of the account and the prices. Returns the merchant.';
COMMENT ON FUNCTION wallet_ledger.create_device IS
    'Creates a till of a merchant; again changes its policies, never its merchant. gap_policy: wait or take; conflict_policy: reject or accept; overdraft_limit: the most that one member may owe through it; accept, and a higher limit, are the organisation''s to say. What is NULL stays; a new one waits, rejects and has no overdraft. Returns the device.';
COMMENT ON FUNCTION wallet_ledger.set_item IS
    'Puts an item into a merchant''s catalogue or changes it; what was sold keeps its price. price: of one, above zero; category: lower-case words, for limits; quantity_decimals: 0 to 3; active: whether it is sold. What is NULL stays; a new item is sold, in whole numbers. Returns the item.';
COMMENT ON FUNCTION wallet_ledger.set_party_status IS
    'Makes a member, guardian, merchant or device active or inactive; what is inactive takes no purchases. kind: member, guardian, merchant or device; name: its name; reason: for the record. Returns what it is now.';
COMMENT ON FUNCTION wallet_ledger.assign_role IS
    'Gives a role to an actor; role_permissions() says what it may do. actor: the JWT''s sub, or wallet_ledger.actor; role: super_administrator, organisation_administrator, tenant_administrator, cashier, guardian or member; scope: the merchant, guardian or member, NULL for the organisation''s roles. Returns the role.';
COMMENT ON FUNCTION wallet_ledger.revoke_role IS
    'Takes a role from an actor; nobody takes one from themselves. actor, role, scope: as for assign_role. Returns the role; where the actor does not have it, nothing happens.';
COMMENT ON FUNCTION wallet_ledger.role_permissions IS
    'What each role may do, one row per action and role, exactly as the code decides. reach: organisation, own_merchant, linked_member (with link_right) or oneself. What has no row is not allowed.';

-- Identification
COMMENT ON FUNCTION wallet_ledger.set_pin IS
    'Sets a member''s PIN, or another one: 4 to 12 digits, none that everybody tries first. Kept as a slow salted hash only. Ends a lock-out. Returns when it was set.';
COMMENT ON FUNCTION wallet_ledger.verify_pin IS
    'Checks a member''s PIN. A wrong one is a row with succeeded = false, not an error: the failed attempt counts when the transaction commits. After the setting pin_attempts it is locked for the setting pin_lockout. For trusted backends only. Returns the authentication.';
COMMENT ON FUNCTION wallet_ledger.enrol_fingerprint IS
    'Keeps the template of a member''s finger, encrypted by the device that took it; again replaces it. finger: such as right_index; template: 16 bytes to 64 KiB, opaque. Returns when it was enrolled.';
COMMENT ON FUNCTION wallet_ledger.create_qr_code IS
    'Makes a code for a member to show at a till: once, and for 5 seconds to 15 minutes. Returns the token, which is told this once.';
COMMENT ON FUNCTION wallet_ledger.record_authentication IS
    'Records how a member was identified. method: fingerprint (matched on the device), pin (credential: the PIN) or qr (credential: the token; member may be NULL). Failed is a row with succeeded = false and its reason, not an error. Returns the authentication, which one purchase may refer to; where a device recorded it, one of that device''s merchant.';
-- Purchases
COMMENT ON FUNCTION wallet_ledger.purchase IS
    'Sells items of a merchant''s catalogue to a member, who pays from their wallet. member_account: a wallet''s address, or a member''s name; merchant: who sells; items: 1 to 200 lines such as [{"item": "nasi-goreng", "quantity": 2}]; device: the merchant''s till; authentication: how the member was identified, {"authentication_id": "…"}; effective_at: when it counts, now by default; on_error: raise (a refusal is an error and leaves nothing) or report (it is written down, the guardian is told, and the row says refused). Price and category are the catalogue''s of this moment; a line costs price times quantity, rounded half to even. Each category is one transfer of kind purchase.';
COMMENT ON FUNCTION wallet_ledger.refund_purchase IS
    'Gives back what was paid for a purchase, as reversals of the transfers that paid. items: such as [{"line": 1, "quantity": 1}]; amount: taken from what is left of line after line; neither is all that is left. What the member still owes for this purchase is paid back first. More than is left is refused.';
COMMENT ON FUNCTION wallet_ledger.repay_overdraft IS
    'Repays what a member owes through purchases of offline tills, as far as their wallet reaches. member: a name, or a wallet''s address. Nothing to repay is no error.';
COMMENT ON FUNCTION wallet_ledger.sync_purchases IS
    'Takes what a till has sold while it was offline: each number once, in order. device: the till; batch: up to 10,000 entries, 16 MiB in all, of which one larger than 64 KiB is rejected, such as [{"sequence": 17, "member": "m1", "at": "2026-11-21T12:00:00+07:00", "items": [{"item": "nasi-goreng", "quantity": 1, "unit_price": "15000"}]}]. Returns a row for each: accepted, overdraft, rejected, duplicate, waiting or gap; keep says whether the till must send it again. The same batch twice is answered twice and taken once.';

-- Overview
COMMENT ON FUNCTION wallet_ledger.member_overview IS
    'One look at a member, as JSON: balance, limits that count, spending of 30 days by day and category, refusals. Reads only.';
