# Where things are, and how to run a server program. Sourced by the other scripts, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
case $TARGET in /*) ;; *) TARGET=$ROOT/$TARGET ;; esac
PG_MAJOR=${PG_MAJOR:-15}
# shellcheck disable=SC2034 # used by those who source this
EXTENSION=wallet_ledger
# What the server's user must read is made readable, and a fresh rustup is found.
umask 022
command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

note() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The pg_config of the PostgreSQL to build against: $PG_CONFIG, Debian's place, or the PATH's.
find_pg_config() {
    local found
    if [ -n "${PG_CONFIG:-}" ]; then
        found=$PG_CONFIG
    elif [ -x "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" ]; then
        found=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
    else
        found=$(command -v pg_config || true)
    fi
    case $("${found:-false}" --version 2>/dev/null || true) in
        "PostgreSQL $PG_MAJOR"*) printf '%s\n' "$found" ;;
        *) return 1 ;;
    esac
}

# PostgreSQL refuses to run as root, so root hands its server programs to this user.
server_user() {
    if [ "$(id -u)" -eq 0 ]; then printf '%s\n' "${WL_OS_USER:-postgres}"; else id -un; fi
}

# Runs a command as that user, with nothing of the caller's environment that could change its
# behaviour (PGDATA, PGHOST, LC_*, RUST_BACKTRACE, …).
as_server_user() {
    local user
    user=$(server_user)
    local clean=(env -i "PATH=/usr/local/bin:/usr/bin:/bin" "HOME=/" "LANG=C.UTF-8" "TZ=UTC")
    if [ "$(id -un)" = "$user" ]; then
        (cd / && "${clean[@]}" "$@")
    else
        (cd / && runuser -u "$user" -- "${clean[@]}" "$@")
    fi
}

# The folder of the private PostgreSQL and its clusters: target/server, or, when root builds in
# a folder that the server's user cannot enter (/root, say), one in /tmp whose name is kept in
# target/server.path.
server_dir() {
    local dir=$TARGET/server saved=$TARGET/server.path
    id "$(server_user)" >/dev/null 2>&1 ||
        die "root cannot run PostgreSQL and there is no user $(server_user): name one with WL_OS_USER"
    mkdir -p "$TARGET"
    if [ -s "$saved" ] && [ -O "$(cat "$saved")" ]; then
        dir=$(cat "$saved")
    elif ! as_server_user test -x "$TARGET"; then
        dir=$(mktemp -d /tmp/wl-XXXXXX)
        chmod 755 "$dir"
        printf '%s\n' "$dir" >"$saved"
        note "user $(server_user) cannot enter $TARGET: the private server lives in $dir"
    fi
    mkdir -p "$dir"
    printf '%s\n' "$dir"
}
