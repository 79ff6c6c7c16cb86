#!/usr/bin/env bash
# Makes dist/wallet_ledger-<version>-pg15-linux-<arch>.tar.gz, laid out for a server, and its
# checksum.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
scripts/build.sh >/dev/null
version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=$EXTENSION-$version-pg$PG_MAJOR-linux-$(uname -m)
work=$TARGET/package
rm -rf "$work"
mkdir -p "$work/$name" dist
cp -r "$TARGET/stage/." "$work/$name/"
cp README.md LICENSE CHANGELOG.md META.json "$work/$name/"
cat >"$work/$name/INSTALL" <<TEXT
$EXTENSION $version for PostgreSQL $PG_MAJOR on Linux, $(uname -m).
Built on a system with $(ldd --version | head -n 1).

On a server whose PostgreSQL has Debian's layout, as root:

    cp -r usr /

Elsewhere, copy the .so to the folder that \`pg_config --pkglibdir\` prints, and the .control and
.sql files to the folder extension/ under the one that \`pg_config --sharedir\` prints.

Then, in each database that shall have a ledger, as a superuser:

    CREATE EXTENSION $EXTENSION;
    SELECT $EXTENSION.install();

After replacing the files with a newer version:

    ALTER EXTENSION $EXTENSION UPDATE;
    SELECT $EXTENSION.install();
TEXT
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -czf "dist/$name.tar.gz" "$name"
(cd dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
note "made:"
ls -l dist/"$name".tar.gz*
