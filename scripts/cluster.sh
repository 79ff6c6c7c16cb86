#!/usr/bin/env bash
# A private PostgreSQL cluster under the build folder, reached by a Unix socket.
#
#   scripts/cluster.sh start | stop | kill | status | env | destroy
#
#   start    makes the cluster if need be and starts it; does nothing when it runs
#   stop     stops it (fast); does nothing when it does not run
#   kill     SIGKILL to the server, as a crash test wants it
#   status   exit 0 and one line when it runs, exit 3 when it does not
#   env      prints `export` lines for psql and for the tests
#   destroy  stops it and deletes its data
#
#   WL_CLUSTER=name     which one (default: demo); each is independent of the others
#   WL_PG_SETTINGS=     more lines for postgresql.conf, separated by newlines or semicolons
#   WL_TCP=1            listen on 127.0.0.1 too, on a free port, with passwords (scram)
#
# The superuser is `postgres`, trusted on the socket, which only the server's own user and root
# may open. Run scripts/build.sh first.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

name=${WL_CLUSTER:-demo}
[[ $name =~ ^[a-z0-9_]+$ ]] || die "WL_CLUSTER must be of a-z, 0-9 and _: $name"
pg_config=$(find_pg_config) || die "no pg_config of PostgreSQL $PG_MAJOR: run scripts/bootstrap.sh"
server=$(server_dir)
bin=$server$("$pg_config" --bindir)
home=$server/clusters/$name
data=$home/data
log=$home/log

[ -x "$bin/postgres" ] || die "there is no private PostgreSQL yet: run scripts/build.sh"

# Lines of postmaster.pid: 1 the process, 4 the port, 5 the socket's folder. A process that was
# killed stays a zombie where nobody collects it (process 1 of many containers does not); it does
# not run, though pg_ctl thinks so.
running() {
    local pid state
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 1
    state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c 1)
    [ -n "$state" ] && [ "$state" != Z ]
}
socket() { sed -n 5p "$data/postmaster.pid"; }
port() { sed -n 4p "$data/postmaster.pid"; }

create() {
    [ ! -f "$home/created" ] || return 0
    note "creating cluster $name in $data"
    rm -rf "$home"
    mkdir -p "$home"
    [ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$home"
    as_server_user "$bin/initdb" -D "$data" -U postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 >"$home/initdb.log" ||
        die "initdb failed: see $home/initdb.log"
    printf "include 'wallet_ledger.conf'\n" >>"$data/postgresql.conf"
    touch "$home/created"
}

# Kernels limit a socket's path to 107 bytes.
socket_dir() {
    local dir=$home/socket
    if [ "${#dir}" -gt 80 ]; then
        dir=$(cat "$home/socket.path" 2>/dev/null || true)
        if [ ! -O "$dir" ] && [ "$(stat -c %U "$dir" 2>/dev/null || true)" != "$(server_user)" ]; then
            dir=$(mktemp -d /tmp/wl-XXXXXX)
            printf '%s\n' "$dir" >"$home/socket.path"
        fi
    fi
    mkdir -p "$dir"
    [ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$dir"
    printf '%s\n' "$dir"
}

# The first port from $1 on that nobody answers on.
free_port() {
    local candidate=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; do
        candidate=$((candidate + 1))
    done
    printf '%s\n' "$candidate"
}

configure() {
    local listen='' port=5432
    if [ "${WL_TCP:-}" = 1 ]; then
        listen=127.0.0.1
        port=$(free_port $((54320 + RANDOM % 1000)))
    fi
    {
        printf "listen_addresses = '%s'\nport = %s\n" "$listen" "$port"
        printf "unix_socket_directories = '%s'\nunix_socket_permissions = 0700\n" "$(socket_dir)"
        printf "fsync = on\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nmax_connections = 200\n"
        printf "log_line_prefix = '%%m [%%p] %%q%%u@%%d '\ncluster_name = 'wallet_ledger %s'\n" "$name"
        printf '%s\n' "${WL_PG_SETTINGS:-}" | tr ';' '\n'
    } >"$data/wallet_ledger.conf"
}

start() {
    # One at a time; the server itself must not inherit the lock.
    mkdir -p "$server/clusters"
    exec 9>"$server/clusters/$name.lock"
    flock 9
    if running; then
        note "cluster $name runs already"
        return 0
    fi
    create
    # Left by a server that was killed. What protects the data from two servers at once is the
    # shared memory that the old one's processes still hold: until the last of them is gone,
    # a start is refused, so it is tried again.
    rm -f "$data/postmaster.pid"
    local attempt
    for attempt in 0.2 0.5 1 2 4 8; do
        configure
        if as_server_user "$bin/pg_ctl" -s -w -t 120 -D "$data" -l "$log" start \
            2>>"$home/start.log" 9>&-; then
            note "cluster $name started, log in $log"
            return 0
        fi
        sleep "$attempt"
    done
    tail -n 20 "$log" >&2
    die "cluster $name does not start: see $log"
}

stop() {
    running || return 0
    as_server_user "$bin/pg_ctl" -s -w -t 120 -m fast -D "$data" stop
    note "cluster $name stopped"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    kill)
        running || die "cluster $name does not run"
        kill -KILL "$(head -n 1 "$data/postmaster.pid")"
        ;;
    status)
        running || exit 3
        printf '%s: port %s, socket in %s, data in %s\n' "$name" "$(port)" "$(socket)" "$data"
        ;;
    env)
        running || die "cluster $name does not run: scripts/cluster.sh start"
        # One word for this build of the extension: tests keep a template database for each.
        build=$(cat "$server$("$pg_config" --pkglibdir)/$EXTENSION.so" \
            "$server$("$pg_config" --sharedir)/extension/$EXTENSION"* | sha256sum | cut -c 1-12)
        # shellcheck disable=SC2016 # PATH is the reader's
        printf 'export PATH=%q:"$PATH" PGHOST=%q PGPORT=%q PGUSER=postgres PGDATABASE=postgres\n' \
            "$bin" "$(socket)" "$(port)"
        printf 'export WL_TEST_SOCKET=%q WL_TEST_PORT=%q WL_TEST_BIN=%q WL_TEST_BUILD=%q\n' \
            "$(socket)" "$(port)" "$bin" "$build"
        printf 'export WL_TEST_OS_USER=%q WL_TEST_DATA=%q WL_TEST_LOG=%q\n' \
            "$(server_user)" "$data" "$log"
        ;;
    destroy)
        stop
        [ ! -s "$home/socket.path" ] || rm -rf "$(cat "$home/socket.path")"
        rm -rf "$home" "$home.lock"
        ;;
    *) die "usage: scripts/cluster.sh start | stop | kill | status | env | destroy" ;;
esac
