#!/usr/bin/env bash
# Runs tests/isolation/specs/*.spec with pg_isolation_regress against the running test cluster
# and compares with tests/isolation/expected. Called by tests/tests/isolation.rs; by hand:
#
#   scripts/with-cluster.sh test scripts/isolation.sh [spec …]
#
#   WL_DB=name      run in that database; else one is made with the extension in it, and dropped
#   WL_ACCEPT=1     take what came out as the expected output (then read the diff)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${WL_TEST_BIN:-}" ] || die "no test cluster: scripts/with-cluster.sh test scripts/isolation.sh"
export PGHOST=$WL_TEST_SOCKET PGPORT=$WL_TEST_PORT PGUSER=postgres PATH=$WL_TEST_BIN:$PATH
dir=$ROOT/tests/isolation
out=$TARGET/isolation
runner=$("$WL_TEST_BIN/pg_config" --pkglibdir)/pgxs/src/test/isolation/pg_isolation_regress
[ -x "$runner" ] || die "pg_isolation_regress is missing: install postgresql-server-dev-$PG_MAJOR"

specs=("$@")
if [ $# -eq 0 ]; then
    for file in "$dir"/specs/*.spec; do
        [ -f "$file" ] || die "no specs in $dir/specs"
        specs+=("$(basename "$file" .spec)")
    done
fi

if [ -z "${WL_DB:-}" ]; then
    WL_DB=wl_isolation_$$
    trap 'dropdb --if-exists --force "$WL_DB"' EXIT
    createdb "$WL_DB"
    psql -X -q -d "$WL_DB" -v ON_ERROR_STOP=1 -o /dev/null \
        -c "CREATE EXTENSION $EXTENSION" -c "SELECT $EXTENSION.install()"
fi

# Made anew: the specs of an earlier run, in a database that was given, have left theirs.
psql -X -q -d "$WL_DB" -v ON_ERROR_STOP=1 -c "SET client_min_messages = warning" \
    -c "DROP SCHEMA IF EXISTS iso CASCADE" -f "$dir/setup.sql"

# A spec that has no expected output yet is compared with an empty one, and fails.
rm -rf "$out"
mkdir -p "$out" "$dir/expected"
for spec in "${specs[@]}"; do
    [ -f "$dir/expected/$spec.out" ] || : >"$dir/expected/$spec.out"
done
status=0
"$runner" --use-existing --dbname="$WL_DB" --bindir="$WL_TEST_BIN" --inputdir="$dir" \
    --outputdir="$out" "${specs[@]}" || status=$?
if [ "${WL_ACCEPT:-}" = 1 ]; then
    for spec in "${specs[@]}"; do
        cp "$out/results/$spec.out" "$dir/expected/$spec.out"
    done
    note "accepted: ${specs[*]}"
    exit 0
fi
[ "$status" -eq 0 ] || cat "$out/regression.diffs" 2>/dev/null || true
exit "$status"
