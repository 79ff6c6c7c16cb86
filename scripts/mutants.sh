#!/usr/bin/env bash
# Shows that the tests of the guards can fail: in a scratch copy of the project each guard is taken
# out in turn, and the test that is named for it must go red. First all of these tests must be green
# in the copy as it is.
#
#   scripts/mutants.sh                all of them, about a minute each, and some for the first build
#   scripts/mutants.sh no_row_locks   only those
#   scripts/mutants.sh --check        builds nothing: is every guard, and every test, still where this says?
#
# The copy and its build live under target/mutants; nothing of the project itself is touched.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scratch=$TARGET/mutants
tree=$scratch/tree
log=$scratch/log
export CARGO_TARGET_DIR=$scratch/build WL_QUICK=1
changed=()

copy_project() {
    rm -rf "$tree"
    mkdir -p "$tree" "$log"
    tar -C "$ROOT" -cf - --exclude=./target --exclude=./dist --exclude=./.git . | tar -C "$tree" -xf -
}

# replace FILE OLD NEW: every OLD in FILE becomes NEW. Fails where the text is gone: a guard that was
# moved must be followed here.
replace() {
    local file=$tree/$1
    OLD=$2 NEW=$3 perl -0777 -i -pe '$n = s/\Q$ENV{OLD}\E/$ENV{NEW}/g; END { exit !$n }' "$file" ||
        die "$1 does not contain: $2"
    changed+=("$1")
}

# Restored files get the present time, or cargo would take the mutant's library for theirs.
restore() {
    local file
    for file in "${changed[@]}"; do
        cp "$ROOT/$file" "$tree/$file"
        touch "$tree/$file"
    done
    changed=()
}

row_locks() { replace src/posting/store/balances.rs 'concatcp!(PLAIN, " FOR NO KEY UPDATE")' 'concatcp!(PLAIN, "")'; }
floor_rule() { replace src/account/rules.rs 'is_some_and(|minimum| left < minimum)' 'is_some_and(|_| false)'; }
floor_check() {
    replace sql/data/02_accounts.sql 'CHECK (posted - held >= minimum_balance)' 'CHECK (posted IS NOT NULL)'
}

# A mutant is a function that takes a guard out; MUTANTS names it and the test that must go red.
no_row_locks() { row_locks; }
no_floor_rule() { floor_rule; }
no_floor_check() { floor_check; }
no_floor_at_all() {
    floor_rule
    floor_check
}
no_version_indexes() {
    replace sql/data/03_transfers.sql 'CREATE UNIQUE INDEX transfers_debit_version' 'CREATE INDEX transfers_debit_version'
    replace sql/data/03_transfers.sql 'CREATE UNIQUE INDEX transfers_credit_version' 'CREATE INDEX transfers_credit_version'
}
# shellcheck disable=SC2016 # the $ are SQL's
no_locks_and_no_version_check() {
    row_locks
    replace src/posting/store/balances.rs 'account_id = $2 AND version = $3' 'account_id = $2 AND $3 >= 0'
    replace src/posting/store/balances.rs 'AND version = CASE account_id WHEN $2 THEN $3 ELSE $9 END' \
        'AND $3 >= 0 AND $9 >= 0'
}
no_append_only_guard() {
    replace sql/data/80_guards.sql 'BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.transfers' \
        'BEFORE TRUNCATE ON wallet_data.transfers'
}
guard_not_always() {
    replace sql/data/80_guards.sql 'ALTER TABLE wallet_data.transfers ENABLE ALWAYS TRIGGER' \
        'ALTER TABLE wallet_data.transfers ENABLE TRIGGER'
}
no_unique_keys() {
    # With the key alone gone ON CONFLICT would have nothing to refer to, and every call would fail.
    replace sql/data/05_idempotency.sql 'PRIMARY KEY (ledger_id, key)' 'PRIMARY KEY (ledger_id, key, created_at)'
    replace src/idempotency/store.rs 'ON CONFLICT (ledger_id, key) DO NOTHING' 'ON CONFLICT DO NOTHING'
}
# shellcheck disable=SC2016 # the $ are SQL's, here and below
no_bank_mark() {
    replace src/bank/account/store.rs 'UPDATE wallet_data.bank_accounts SET opening_balance = opening_balance
     WHERE' 'SELECT FROM wallet_data.bank_accounts WHERE'
}
# shellcheck disable=SC2016
no_bank_lock() {
    no_bank_mark
    replace src/bank/account/store.rs 'ORDER BY bank_account_id FOR NO KEY UPDATE' 'ORDER BY bank_account_id'
}
no_duplicate_lock() { no_bank_lock; }
no_posting_of_a_mutation() {
    replace sql/data/08_bank.sql 'mutations_posted CHECK ((state_id = 7) = (received_transaction_id IS NULL))' \
        'mutations_posted CHECK (state_id IS NOT NULL)'
}
no_payment_actions_guard() {
    replace sql/data/80_guards_bank.sql 'BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.payment_actions' \
        'BEFORE TRUNCATE ON wallet_data.payment_actions'
}
no_intents_guard() { replace sql/data/80_guards_bank.sql 'BEFORE DELETE OR TRUNCATE ON wallet_data.intents' 'BEFORE TRUNCATE ON wallet_data.intents'; }
no_paid_once() { replace sql/data/08_bank.sql '(state_id = 4) = (mutation_id IS NOT NULL) AND ' ''; }
rebalances_count_as_moved() { replace src/verify/store.rs 'crate::ledger::rules::REBALANCE' '0i16'; }
no_intent_lock() {
    replace src/bank/intent/store/paying.rs 'ORDER BY i.intent_id FOR UPDATE OF i' 'ORDER BY i.intent_id'
}
no_code_key() {
    replace sql/data/08_bank.sql 'PRIMARY KEY (ledger_id, bank_account_id, total)' \
        'PRIMARY KEY (ledger_id, bank_account_id, total, intent_id)'
}
# shellcheck disable=SC2016
no_code_condition() {
    replace src/bank/intent/store/codes.rs 'total = $3 AND free_at <= $6' 'total = $3 AND $6 IS NOT NULL'
}
# shellcheck disable=SC2016
no_rest_after_a_late_payment() {
    replace src/bank/intent/store/paying.rs 'RETURNING i.expires_at < $2 AND' 'RETURNING i.expires_at IS NULL AND'
}
no_mutation_ids() {
    replace sql/data/08_bank.sql 'CREATE UNIQUE INDEX mutations_provider_id' 'CREATE INDEX mutations_provider_id'
}
one_intent_twice() {
    replace sql/data/08_bank.sql 'CREATE UNIQUE INDEX mutations_intent' 'CREATE INDEX mutations_intent'
}
any_signature() {
    replace src/bank/webhook/rules/signature.rs 'Ok(_) => Verdict::Invalid("signature_mismatch")' \
        'Ok(_) => Verdict::Valid'
}
no_webhook_digest() {
    replace sql/data/08_bank.sql 'CREATE UNIQUE INDEX webhooks_body' 'CREATE INDEX webhooks_body'
}
# shellcheck disable=SC2016
no_escrow_lock() {
    replace src/escrow/store.rs 'AND e.escrow_id = $2 FOR NO KEY UPDATE OF e"' 'AND e.escrow_id = $2"'
}
no_escrow_state_check() {
    replace src/escrow/mod.rs 'rules::check(id, escrow.state, action)?;' \
        'let _ = rules::check(id, escrow.state, action);'
}
no_escrow_pays_once() {
    replace sql/data/10_escrow.sql 'escrows_pay_once CHECK (released_amount + refunded_amount <= amount)' \
        'escrows_pay_once CHECK (amount > 0)'
}
no_escrow_record_guard() {
    replace sql/data/80_guards_escrow.sql 'BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_data.escrow_actions' \
        'BEFORE TRUNCATE ON wallet_data.escrow_actions'
}
# shellcheck disable=SC2016
no_group_lock() {
    replace src/escrow/group/store.rs 'concatcp!(READ, " FOR NO KEY UPDATE")' 'concatcp!(READ, "")'
}
due_escrows_wait() {
    replace src/escrow/store/due.rs 'FOR NO KEY UPDATE SKIP LOCKED' 'FOR NO KEY UPDATE'
}
no_escrow_lock_together() {
    replace src/escrow/together.rs 'if let [(first, _), _, ..] = plans.as_slice() {' \
        'if let ([(first, _), _, ..], true) = (plans.as_slice(), false) {'
}
# shellcheck disable=SC2016
no_pin_lock() {
    replace src/identification/store.rs 'WHERE ledger_id = $1 AND member = $2 FOR UPDATE' \
        'WHERE ledger_id = $1 AND member = $2'
}
# shellcheck disable=SC2016
no_code_lock() {
    replace src/identification/store.rs 'WHERE ledger_id = $1 AND token_digest = $2 FOR UPDATE' \
        'WHERE ledger_id = $1 AND token_digest = $2'
}
# shellcheck disable=SC2016
no_authentication_lock() {
    replace src/identification/store.rs 'authentication_id = $2 FOR NO KEY UPDATE' 'authentication_id = $2'
}
no_limit_trigger_lock() {
    replace src/trigger/limiting/mod.rs 'posting::lock(session, &ledger, &wanted)?' \
        'posting::open_book(session, &ledger, &wanted, posting::Access::Look)?'
}
no_limit_rule() { replace src/limit/rules/meter.rs '.filter(|bound| bound.room() < amount)' '.filter(|_| false)'; }
no_holds_counted() {
    replace src/limit/rules/meter.rs 'self.holds.iter().filter(counts)' 'self.holds.iter().filter(counts).take(0)'
}
no_allowance_back() {
    replace src/limit/rules/spending.rs 'if !spending.kinds.contains(&kind_id) {' 'if true || !spending.kinds.contains(&kind_id) {'
}
no_limits_read_anew() { replace src/limit/mod.rs 'None => forget(session, ledger, Concerned::Members)?,' 'None => {}'; }
# shellcheck disable=SC2016
no_limited_lock() { replace src/limit/store.rs 'WHERE ledger_id = $1 FOR SHARE' 'WHERE ledger_id = $1'; }
no_limit_bound() { replace sql/data/13_limits.sql 'AS numeric CHECK (VALUE >= 0 AND' 'AS numeric CHECK (VALUE IS NOT NULL OR'; }
no_limit_history_guard() {
    replace sql/data/80_guards_limits.sql 'ENABLE ALWAYS TRIGGER spending_limits_append_only' \
        'DISABLE TRIGGER spending_limits_append_only'
}
no_dated_mark() { replace src/limit/rules/meter.rs '&& !stored.is_dated =>' '=>'; }
no_restricted_operation() {
    replace src/spi/identity.rs 'SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION' \
        'SECURITY_LOCAL_USERID_CHANGE'
}
no_look_for_late_accounts() { replace src/posting/mod.rs '_ if is_late => continue' '_ if is_late && false => continue'; }
# shellcheck disable=SC2016
no_till_lock() { replace src/purchase/sync/store.rs 'd.device = $2 FOR NO KEY UPDATE OF d' 'd.device = $2'; }
# shellcheck disable=SC2016
no_refund_lock() { replace src/purchase/store/refund.rs 'p.purchase_id = $2 FOR NO KEY UPDATE OF p' 'p.purchase_id = $2'; }
no_merchant_lock() { replace src/purchase/sync/store.rs ' FOR SHARE OF m' ''; }
no_kinds_lock() { replace src/ledger/mod.rs 'store::lock(session, ledger.id);' ''; }
no_secret_lock() { replace src/bank/webhook/mod.rs 'ledger::store::lock(session, ledger.id);' ''; }
secrets_kept() { replace src/bank/webhook/rules/redact.rs 'if is_secret(provider, key) {' 'if is_secret(provider, key) && false {'; }
no_spelling_kept() { replace src/bank/webhook/rules/redact.rs '.filter(|_| !field::is_read_two_ways(literal))' ''; }
# shellcheck disable=SC2016
a_merchants_suspense() { replace src/bank/account/store.rs 'r.account_id = x.account_id)' 'r.account_id = x.account_id AND false)'; }
no_rule_of_theirs() { replace src/report.rs 'report.message(), names_our_constraint)' 'report.message(), names_our_object)'; }
destination_last() { replace src/hold/mod.rs 'check_destination(session, ledger, destination, &holder.currency)?;' 'reserving_row(&book, holder, amount)?; check_destination(session, ledger, destination, &holder.currency)?;'; }
# shellcheck disable=SC2016
counters_exchanged() { replace src/posting/store/balances.rs 'spending = CASE account_id WHEN $2 THEN $14 ELSE $15 END' 'spending = CASE account_id WHEN $2 THEN $15 ELSE $14 END'; }
only_in_place() { replace src/bank/intent/store/paying.rs 'if paid < payments.len() {' 'if paid == 0 {'; }
all_accounts_of_a_stripe() { replace src/posting/store/balances.rs 'stripe + 0 = 0 AND stripe_count = 1' 'stripe = 0 AND stripe_count = 1'; }
all_mutations_of_a_bank() { replace src/bank/mutation/store/arrivals.rs 'o.bank_account_id + 0 = n' 'o.bank_account_id = n'; }
no_periods_counted() { replace src/subscription/mod.rs '.min(PERIODS_MAX)' '.min(1).min(PERIODS_MAX)'; }
no_access() { replace src/access/mod.rs 'if is_allowed { Ok(()) }' 'if is_allowed || true { Ok(()) }'; }
MUTANTS="
no_row_locks                  guards row_locks_make_the_second_debit_see_the_first
no_floor_rule                 guards rules_refuse_an_overdraft_before_the_check_has_to
no_floor_check                guards floor_check_refuses_what_the_rules_let_through
no_floor_at_all               guards rules_refuse_an_overdraft_before_the_check_has_to
no_version_indexes            guards version_indexes_refuse_a_repeated_version
no_locks_and_no_version_check guards a_credit_and_a_debit_at_once_both_count
no_append_only_guard          guards append_only_guard_refuses_even_a_superuser
guard_not_always              guards append_only_guard_refuses_even_a_superuser
no_unique_keys                guards simultaneous_calls_with_one_key_have_one_effect
no_bank_lock                  bank_races batches::webhooks_that_overlap_take_each_movement_in_once
no_bank_mark                  bank_races snapshots::what_an_old_snapshot_cannot_see_is_not_taken_for_new
no_intent_lock                isolation specs
no_duplicate_lock             mutations repeats::a_duplicate_comes_back_once
no_posting_of_a_mutation      bank_guards checks_refuse_what_no_call_writes
no_intents_guard              bank_guards what_came_in_is_kept_even_from_a_superuser
no_paid_once                  bank_guards checks_refuse_what_no_call_writes
no_payment_actions_guard      bank_guards what_came_in_is_kept_even_from_a_superuser
rebalances_count_as_moved     verify_escrow money_that_moves_between_stripes_first_is_no_finding
no_code_key                   bank_races codes::nine_hundred_and_ninety_nine_at_once_have_different_codes
no_code_condition             bank_races codes::the_last_codes_go_to_as_many_as_there_are
no_rest_after_a_late_payment  bank_races codes::a_total_rests_from_its_payment_also_when_that_comes_late
no_mutation_ids               bank_guards unique_indexes_refuse_a_second_one
one_intent_twice              bank_guards unique_indexes_refuse_a_second_one
any_signature                 bank_guards a_forged_webhook_is_refused_and_leaves_nothing
no_secret_lock                webhooks keys::keys_set_at_once_follow_each_other
secrets_kept                  webhooks stored::no_token_is_stored_anywhere
no_spelling_kept              webhooks stored::reading_it_again_gives_the_same
a_merchants_suspense          bank_accounts what_cannot_be_a_bank_account_is_refused_and_leaves_nothing
no_rule_of_theirs             sync conflicts::somebodys_constraint_refuses_one_and_the_others_go_on
destination_last              holds a_hold_sits_on_a_stripe_that_has_it
only_in_place                 mutations moved::an_intent_whose_row_has_moved_since_it_was_locked_is_paid_all_the_same
all_accounts_of_a_stripe      no_statistics no_call_reads_a_table_through_before_its_first_analyze
all_mutations_of_a_bank       no_statistics no_call_reads_a_table_through_before_its_first_analyze
counters_exchanged            limits scopes::several_limits_all_apply_and_the_least_room_decides
no_webhook_digest             bank_races batches::fifty_deliveries_of_one_webhook_are_one
no_escrow_lock                escrow answers::at_once
no_escrow_state_check         escrow disputes::a_dispute_freezes_everything
no_escrow_lock_together       triggers_escrow sessions::sessions_with_the_same_people_never_wait_in_a_circle
no_pin_lock                   identification fifty_at_once_make_five_guesses
no_code_lock                  identification a_code_shown_fifty_times_at_once_identifies_once
no_authentication_lock        identification purchases::twenty_purchases_at_once_share_one_authentication_and_one_has_it
no_limit_rule                 limits races::sixteen_tills_never_spend_more_than_the_allowance
no_holds_counted              limits races::sixteen_tills_never_spend_more_than_the_allowance
no_allowance_back             limits a_refund_gives_the_allowance_back
no_limits_read_anew           limits scopes::the_organisation_s_default_counts_for_members
no_limited_lock               limits races::the_organisation_s_limit_reaches_members_made_at_the_same_time
no_limit_bound                limits changes::rows_of_the_history_cannot_be_changed
no_limit_history_guard        limits changes::rows_of_the_history_cannot_be_changed
no_dated_mark                 limits times::what_is_dated_into_the_future_counts_when_its_day_comes
no_look_for_late_accounts     sync conflicts::an_account_made_while_a_till_waited_is_locked_in_the_one_order
no_restricted_operation       triggers_bank rights::an_orders_trigger_cannot_get_at_the_ledgers_rights
no_till_lock                  sync the_same_batch_at_once_is_taken_once
no_merchant_lock              sync conflicts::a_till_that_waited_while_its_merchant_was_put_to_rest_is_refused
no_kinds_lock                 books two_sessions_add_a_kind_each
no_periods_counted            subscriptions a_striped_payer_is_locked_for_all_periods_that_are_due
no_refund_lock                purchases refunds::fifty_refunds_at_once_never_exceed
no_access                     access everybody_tries_everything
no_limit_trigger_lock         triggers_limit refusals::sixteen_tills_share_one_allowance
no_escrow_pays_once           escrow_guards the_tables_refuse_it_whoever_asks
no_escrow_record_guard        escrow_guards the_tables_refuse_it_whoever_asks
no_group_lock                 group_buys joining_and_settling_wait_for_each_other
due_escrows_wait              isolation specs
"

build() {
    (cd "$tree" && scripts/build.sh) >"$log/$1.build" 2>&1 || die "$1 does not build: see $log/$1.build"
}

# run_test NAME BINARY TEST: runs one test, and adds to the log of that name.
run_test() {
    (cd "$tree" && WL_NO_BUILD=1 WL_CLUSTER=mutants scripts/test.sh --test "$2" -- --exact "$3") \
        >>"$log/$1" 2>&1 </dev/null
}

is_wanted() { [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]; }

# Code moves; what is not found here any more would only be noticed in a run of them all.
check() {
    local mutant binary test
    while read -r mutant binary test; do
        [ -n "$mutant" ] || continue
        "$mutant"
        restore
        grep -rqE "fn ${test##*::}\(" "$ROOT/tests/tests/$binary.rs" "$ROOT/tests/tests/$binary" 2>/dev/null ||
            die "$mutant: there is no test $test in $binary"
    done <<<"$MUTANTS"
}

if [ "${1:-}" = --check ]; then
    # Beside a run that is under way.
    tree=$scratch/check
    copy_project
    check
    rm -rf "$tree"
    exit
fi
copy_project
wanted=("$@")
note "the copy as it is"
rm -f "$log"/*
build as_it_is
while read -r mutant binary test; do
    is_wanted "$mutant" && [ -n "$mutant" ] || continue
    run_test as_it_is "$binary" "$test" ||
        die "$test of $binary is not green to begin with: see $log/as_it_is"
done <<<"$MUTANTS"

failures=0
results=()
while read -r mutant binary test; do
    is_wanted "$mutant" && [ -n "$mutant" ] || continue
    note "$mutant"
    "$mutant"
    build "$mutant"
    if run_test "$mutant" "$binary" "$test"; then
        result="GREEN: nothing noticed"
        failures=$((failures + 1))
    elif grep -q "^test $test \.\.\. FAILED" "$log/$mutant"; then
        result=red
    else
        result="did not run: see $log/$mutant"
        failures=$((failures + 1))
    fi
    results+=("$(printf '%-30s %-11s %-68s %s' "$mutant" "$binary" "$test" "$result")")
    restore
done <<<"$MUTANTS"

printf '%s\n' "${results[@]}"
WL_CLUSTER=mutants "$tree/scripts/cluster.sh" destroy
[ "$failures" -eq 0 ] || die "$failures of the mutants were not noticed"
