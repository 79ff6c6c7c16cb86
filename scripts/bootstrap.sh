#!/usr/bin/env bash
# Installs what the build needs and this machine lacks: PostgreSQL 15 with its headers, a C
# toolchain with libclang, cargo-pgrx. Rust itself must be there. Silent when all is there.
#
#   PG_CONFIG=/path/to/pg_config scripts/bootstrap.sh     use that PostgreSQL, not Debian's
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

PACKAGES=(build-essential make ca-certificates clang libclang-dev pkg-config libssl-dev)
[ -n "${PG_CONFIG:-}" ] || PACKAGES+=("postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR")

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null || true) in
            ii*) ;;
            *) printf '%s\n' "$package" ;;
        esac
    done
}

# As root, or through sudo.
privileged() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian's PostgreSQL package creates and starts a cluster of the system's own, on port 5432.
# This project does not need it: a drop-in says so while the packages go in, and is then removed.
install_packages() {
    local dropin=/etc/postgresql-common/createcluster.d/zz-$EXTENSION.conf
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "these packages are missing, and installing them takes root or sudo: $*"
    fi
    note "installing $*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0)
    privileged "${apt[@]}" update
    # shellcheck disable=SC2064 # the name is wanted now
    trap "privileged rm -f $dropin" EXIT
    privileged mkdir -p "$(dirname "$dropin")"
    printf 'create_main_cluster = false\n' | privileged tee "$dropin" >/dev/null
    privileged "${apt[@]}" install --no-install-recommends "$@" >&2 ||
        die "apt-get could not install: $* (another PostgreSQL can be named with PG_CONFIG=…)"
    privileged rm -f "$dropin"
    trap - EXIT
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=$(missing_packages)
    # shellcheck disable=SC2086 # a list of words
    [ -z "$missing" ] || install_packages $missing
else
    for tool in cc make clang pkg-config; do
        command -v "$tool" >/dev/null ||
            note "not found: $tool (needed: PostgreSQL $PG_MAJOR with its headers, a C compiler, make, clang, libclang, pkg-config, OpenSSL's headers)"
    done
fi

pg_config=$(find_pg_config) ||
    die "no pg_config of PostgreSQL $PG_MAJOR found; name it with PG_CONFIG=/path/to/pg_config"
[ -f "$("$pg_config" --includedir-server)/postgres.h" ] ||
    die "the server headers of $pg_config are missing (Debian: postgresql-server-dev-$PG_MAJOR)"

# Rust: what Cargo.toml asks for.
wanted_rust=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    die "cargo and rustc are not on the PATH: install Rust $wanted_rust or later, for instance from https://rustup.rs"
fi
command -v rustfmt >/dev/null ||
    die "rustfmt is missing, and pgrx builds its bindings with it: rustup component add rustfmt"
rust=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '%s\n' "$wanted_rust" "$rust" | sort -V | head -n 1)" = "$wanted_rust" ] ||
    die "rustc $rust is too old: $wanted_rust or later is needed (rustup update)"

# cargo-pgrx must have exactly the version of the pgrx crate.
wanted_pgrx=$(sed -n 's/^pgrx *= *"=\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
if [ "$(cargo pgrx --version 2>/dev/null || true)" != "cargo-pgrx $wanted_pgrx" ]; then
    note "installing cargo-pgrx $wanted_pgrx (some minutes)"
    cargo install cargo-pgrx --version "=$wanted_pgrx" --locked --quiet
fi

# pgrx keeps the list of PostgreSQL installations it may use; the others on it stay.
pgrx_config=${PGRX_HOME:-$HOME/.pgrx}/config.toml
if ! grep -qsxF "pg$PG_MAJOR = \"$pg_config\"" "$pgrx_config"; then
    note "registering $pg_config with cargo-pgrx"
    args=("--pg$PG_MAJOR" "$pg_config")
    while IFS='=' read -r label path; do
        args+=("--$label" "$path")
    done < <(sed -n "/^pg$PG_MAJOR /d; s/^\(pg[0-9]*\) = \"\(.*\)\"/\1=\2/p" "$pgrx_config" 2>/dev/null)
    cargo pgrx init --no-run "${args[@]}" >&2
fi
