#!/usr/bin/env bash
# Builds the extension in release mode and puts it into a private copy of PostgreSQL under the
# build folder; prints the folder of that copy's programs. The system's PostgreSQL is only read.
#
# PostgreSQL 15 finds extensions in one place only, and finds that place relative to its own
# programs. So real copies of the programs, with everything else linked to the system's files,
# make a server that sees our control file and library as well as all of the system's.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

pg_config=$(find_pg_config) || die "no pg_config of PostgreSQL $PG_MAJOR: run scripts/bootstrap.sh"
bindir=$("$pg_config" --bindir)
libdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)
server=$(server_dir)
mkdir -p "$TARGET"
# Of its own, so that two builds at once do not take each other's files away.
stage=$(mktemp -d "$TARGET/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT

make_private_postgres() {
    local version
    version=$("$pg_config" --version)
    # Complete, and of the version that is installed now?
    [ "$(cat "$server/version" 2>/dev/null || true)" != "$version" ] || return 0
    note "copying $version to $server"
    mkdir -p "$server$bindir" "$server$libdir" "$server$sharedir/extension"
    cp -fp "$bindir"/* "$server$bindir/"
    ln -sf "$libdir"/* "$server$libdir/"
    find "$sharedir" -mindepth 1 -maxdepth 1 ! -name extension -exec ln -sfn {} "$server$sharedir/" \;
    ln -sf "$sharedir"/extension/* "$server$sharedir/extension/"
    printf '%s\n' "$version" >"$server/version"
}

# The library is replaced, not written over: a server that runs keeps the one it has mapped.
install_extension() {
    rm -f "$server$sharedir/extension/$EXTENSION".control "$server$sharedir/extension/$EXTENSION"--*.sql
    cp --remove-destination "$stage$libdir/$EXTENSION.so" "$server$libdir/"
    cp --remove-destination "$stage$sharedir/extension/$EXTENSION"* "$server$sharedir/extension/"
}

cd "$ROOT"
make_private_postgres
# WL_QUICK=1: not optimised and built piece by piece, for whoever changes a line and runs a test.
quick=()
[ "${WL_QUICK:-}" != 1 ] || quick=(--debug)
cargo pgrx package "${quick[@]}" --pg-config "$pg_config" --out-dir "$stage" >&2
install_extension
# What `make package` takes.
rm -rf "$TARGET/stage"
mv "$stage" "$TARGET/stage"
printf '%s\n' "$server$bindir"
