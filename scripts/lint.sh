#!/usr/bin/env bash
# Format, clippy with warnings as errors, the checks of SQL and layers, and whether the mutants still fit.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
PGRX_PG_CONFIG_PATH=$(find_pg_config) || die "no pg_config of PostgreSQL $PG_MAJOR: run scripts/bootstrap.sh"
export PGRX_PG_CONFIG_PATH
step() {
    note "$*"
    "$@"
}
step cargo fmt --all --check
step scripts/lint-sql.sh
step scripts/lint-layers.sh
step scripts/mutants.sh --check
step cargo clippy --quiet --lib --no-default-features --features "pg$PG_MAJOR" -- -D warnings
step cargo clippy --quiet -p wallet_ledger_tests -p wallet_ledger_parser_tests --all-targets -- -D warnings
if command -v shellcheck >/dev/null; then
    step shellcheck -x scripts/*.sh .ci/run
fi
note "lint: nothing found"
