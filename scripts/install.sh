#!/usr/bin/env bash
# Installs the extension into a real server's folders: PG_CONFIG=… says whose. Those folders
# usually belong to root; the build runs as you, only the copying through sudo.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
pg_config=$(find_pg_config) || die "no pg_config of PostgreSQL $PG_MAJOR: make install PG_CONFIG=/path/to/pg_config"
args=(--release --pg-config "$pg_config")
[ -w "$("$pg_config" --pkglibdir)" ] || args+=(--sudo)
cargo pgrx install "${args[@]}"
note "now, in a database: CREATE EXTENSION $EXTENSION; SELECT $EXTENSION.install();"
