#!/usr/bin/env bash
# Runs examples/demo.sql in a fresh database of the private cluster `demo` and shows it: every step
# with its SQL. Stops the cluster afterwards.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
if [ "${1:-}" != inside ]; then
    scripts/build.sh >/dev/null
    exec scripts/with-cluster.sh demo scripts/demo.sh inside
fi
dropdb --if-exists --force wallet_demo 2>/dev/null
createdb wallet_demo
# The refusal in step 8 goes to stderr; here it belongs to the story.
psql -X -q -d wallet_demo -v ON_ERROR_STOP=1 -P pager=off -f examples/demo.sql 2>&1
