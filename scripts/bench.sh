#!/usr/bin/env bash
# Runs benches/run.sh against the private cluster `bench`; arguments are passed on.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/build.sh" >/dev/null
export WL_PG_SETTINGS=${WL_PG_SETTINGS:-"shared_buffers = '1GB'; max_wal_size = '8GB'; checkpoint_timeout = '30min'"}
exec "$ROOT/scripts/with-cluster.sh" bench "$ROOT/benches/run.sh" "$@"
