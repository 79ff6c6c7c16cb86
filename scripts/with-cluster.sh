#!/usr/bin/env bash
# Runs a command against a private cluster: starts it, sets psql's and the tests' environment,
# and stops it afterwards, whatever happened. A cluster that was running already is left running.
#
#   scripts/with-cluster.sh NAME command …          WL_KEEP=1 leaves the cluster running
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: scripts/with-cluster.sh NAME command …"
export WL_CLUSTER=$1
shift
cluster=$ROOT/scripts/cluster.sh

if ! "$cluster" status >/dev/null; then
    [ "${WL_KEEP:-}" = 1 ] || trap '"$cluster" stop' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    "$cluster" start
fi
# In two steps: a failure inside eval "$(…)" would go unnoticed.
environment=$("$cluster" env)
eval "$environment"
"$@"
