#!/usr/bin/env bash
# Builds the extension, starts the private cluster `test`, runs the tests, stops the cluster.
#
#   scripts/test.sh                               everything
#   scripts/test.sh --test install                one file; any arguments of `cargo test`
#   WL_LONG=1 scripts/test.sh --test crash        the long form
#   WL_SEED=7 scripts/test.sh --test model        a random test again
#   WL_KEEP=1 …                                   keep the databases and leave the cluster running
#   WL_NO_BUILD=1 …                               use the extension as it was built last
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
[ "${WL_NO_BUILD:-}" = 1 ] || scripts/build.sh >/dev/null
export WL_PG_SETTINGS=${WL_PG_SETTINGS:-"shared_buffers = '256MB'; max_wal_size = '4GB'"}
# Tests wait for the server more than they compute.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}
exec scripts/with-cluster.sh "${WL_CLUSTER:-test}" \
    cargo test -p wallet_ledger_tests -p wallet_ledger_parser_tests --no-fail-fast "$@"
