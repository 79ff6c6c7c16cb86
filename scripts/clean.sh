#!/usr/bin/env bash
# Stops every private cluster and removes what was built.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ -d "$TARGET" ] || exit 0
server=$(server_dir)
for home in "$server"/clusters/*/; do
    [ -d "$home" ] || continue
    WL_CLUSTER=$(basename "$home") "$ROOT/scripts/cluster.sh" destroy
done
rm -rf "$server" "$TARGET/server.path" "$ROOT/dist"
cd "$ROOT"
cargo clean
