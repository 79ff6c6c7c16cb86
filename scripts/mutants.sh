#!/usr/bin/env bash
# Shows that the tests of the guards can fail: in a scratch copy of the project each guard is taken
# out in turn, and the test that is named for it must go red. First all of these tests must be green
# in the copy as it is.
#
#   scripts/mutants.sh                all of them, about half a minute each, and some for the first build
#   scripts/mutants.sh no_row_locks   only those
#
# The copy and its build live under target/mutants; nothing of the project itself is touched.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

scratch=$TARGET/mutants
tree=$scratch/tree
log=$scratch/log
export CARGO_TARGET_DIR=$scratch/build
changed=()

copy_project() {
    rm -rf "$tree" "$log"
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
MUTANTS="
no_row_locks                  row_locks_make_the_second_debit_see_the_first
no_floor_rule                 rules_refuse_an_overdraft_before_the_check_has_to
no_floor_check                floor_check_refuses_what_the_rules_let_through
no_floor_at_all               rules_refuse_an_overdraft_before_the_check_has_to
no_version_indexes            version_indexes_refuse_a_repeated_version
no_locks_and_no_version_check a_credit_and_a_debit_at_once_both_count
no_append_only_guard          append_only_guard_refuses_even_a_superuser
guard_not_always              append_only_guard_refuses_even_a_superuser
no_unique_keys                simultaneous_calls_with_one_key_have_one_effect
"

run_tests() {
    local name=$1
    shift
    (cd "$tree" && scripts/build.sh) >"$log/$name.build" 2>&1 || die "$name does not build: see $log/$name.build"
    (cd "$tree" && WL_NO_BUILD=1 WL_CLUSTER=mutants scripts/test.sh --test guards -- "$@") >"$log/$name" 2>&1
}

wanted=("$@")
copy_project
note "the copy as it is"
run_tests as_it_is || die "the guards' tests are not green to begin with: see $log/as_it_is"

failures=0
results=()
while read -r mutant test; do
    [ -n "$mutant" ] || continue
    [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $mutant "* ]] || continue
    note "$mutant"
    "$mutant"
    if run_tests "$mutant" --exact "$test"; then
        result="GREEN: nothing noticed"
        failures=$((failures + 1))
    elif grep -q "^test $test \.\.\. FAILED" "$log/$mutant"; then
        result=red
    else
        result="did not run: see $log/$mutant"
        failures=$((failures + 1))
    fi
    results+=("$(printf '%-30s %-52s %s' "$mutant" "$test" "$result")")
    restore
done <<<"$MUTANTS"

printf '%s\n' "${results[@]}"
WL_CLUSTER=mutants "$tree/scripts/cluster.sh" destroy
[ "$failures" -eq 0 ] || die "$failures of the mutants were not noticed"
