#!/usr/bin/env bash
# Runs examples/demo.sql in a fresh database of the private cluster `demo` and shows it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" != inside ]; then
    "$ROOT/scripts/build.sh" >/dev/null
    exec "$ROOT/scripts/with-cluster.sh" demo "$ROOT/scripts/demo.sh" inside
fi
dropdb --if-exists --force wallet_demo
createdb wallet_demo
exec psql -X -q -d wallet_demo -v ON_ERROR_STOP=1 -P pager=off -f "$ROOT/examples/demo.sql"
