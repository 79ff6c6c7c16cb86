#!/usr/bin/env bash
# Measures what DESIGN section 7 promises and prints one table. Started by scripts/bench.sh, with
# psql's environment set for a private cluster; benches/README.md says what each line means.
#
#   WL_BENCH_ROWS=1000000   transfers in the filled ledger (default 10,000,000)
#   WL_BENCH_SECONDS=3      length of one short run (default 4)
#   WL_BENCH_ROUNDS=3       short runs per side (default 3); the median ratio is reported
#   WL_BENCH_ONLY='1 4'     only these parts of the table
#   WL_BENCH_SPREAD=100000  how far apart the intents lie that are paid together (default 10,000 of 100,000)
#
# Every pair is measured in turns, A B A B …, each short run after a CHECKPOINT: what else happens on
# the machine meets both sides. The ratio is the median of the ratios of neighbours.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$HERE")
ROWS=${WL_BENCH_ROWS:-10000000}
SECONDS_EACH=${WL_BENCH_SECONDS:-4}
ROUNDS=${WL_BENCH_ROUNDS:-3}
ONLY=" ${WL_BENCH_ONLY:-1 2 3 4 5 6 7 8 9 10 11} "
CLIENTS=16
PROBE_LINES=1000000
DB=wl_bench
# The filled ledger is kept between runs, as long as the tables are defined the same.
FULL=wl_bench_full_${ROWS}_$(cat "$ROOT"/sql/data/[01]*.sql "$HERE/fill.sql" | sha256sum | cut -c 1-8)
WORK=$(mktemp -d)
TABLE=$WORK/table
: >"$TABLE"
trap 'rm -rf "$WORK"' EXIT
STARTED=$SECONDS

note() { printf '[%3ds] %s\n' $((SECONDS - STARTED)) "$*" >&2; }
part() { [[ $ONLY == *" $1 "* ]]; }
sql() { psql -qAtX -v ON_ERROR_STOP=1 "$@"; }
script() { sql -o /dev/null "$@"; }

# bench DATABASE SCRIPT CLIENTS [pgbench options]: transactions per second, as an application.
bench() {
    local db=$1 name=$2 clients=$3 out=$WORK/pgbench
    shift 3
    local length=(-T "$SECONDS_EACH")
    [[ " $* " == *" -t "* ]] && length=()
    PGUSER=bench_app PGOPTIONS='-c wallet_ledger.ledger=bench' pgbench -n -M prepared -c "$clients" \
        -j $((clients < 2 ? 1 : 2)) "${length[@]}" -D wallet=wallets: -D accounts=1000 -D number=0 \
        -D "base=$(date +%s)00000" "$@" -f "$HERE/pgbench/$name.sql" "$db" >"$out" 2>&1 || {
        cat "$out" >&2
        return 1
    }
    if grep -q 'aborted' "$out"; then
        cat "$out" >&2
        return 1
    fi
    sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$out"
}

# arm NAME DATABASE SCRIPT CLIENTS [options]: one side of a comparison.
declare -A ARM
arm() {
    local name=$1
    shift
    ARM[$name]=$*
}

# measure NAME…: the arms in turns; the figures of each go to $WORK/NAME, a line a round.
measure() {
    local round name
    for name in "$@"; do : >"$WORK/$name"; done
    for ((round = 1; round <= ROUNDS; round++)); do
        for name in "$@"; do
            sql -c CHECKPOINT
            # shellcheck disable=SC2086 # a list of words
            bench ${ARM[$name]//ROUND/$round} >>"$WORK/$name"
        done
    done
    note "$(for name in "$@"; do printf '%s %s; ' "$name" "$(median "$name")"; done)"
}

# turns CALLS A B DATABASE [options]: two scripts in turns within one session, which makes so many calls in a round, in
# a random order. For calls of which a round has some thirty: in sessions of their own the first ones, which make the
# plans, would count for much. The first fifth is left out.
turns() {
    local calls=$1 a=$2 b=$3 db=$4 round
    shift 4
    : >"$WORK/$a" && : >"$WORK/$b"
    for ((round = 1; round <= ROUNDS; round++)); do
        sql -c CHECKPOINT
        bench "$db" "$a" 1 -t "$calls" -l --log-prefix="$WORK/turns" -f "$HERE/pgbench/$b.sql" "$@" >/dev/null
        # Columns: client, call, microseconds, script.
        awk -v calls="$calls" -v a="$WORK/$a" -v b="$WORK/$b" 'NR > calls / 5 { sum[$4] += $3; n[$4]++ }
            END { print 1e6 * n[1] / sum[1] >>a; print 1e6 * n[0] / sum[0] >>b }' "$WORK"/turns.*
        rm "$WORK"/turns.*
    done
    note "$a $(median "$a"); $b $(median "$b")"
}

median() { sort -n "$WORK/$1" | awk '{ v[NR] = $1 } END { printf "%.1f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { paste "$WORK/$1" "$WORK/$2" | awk -v by="${3:-1}" '{ print $1 * by / $2 }' >"$WORK/ratio" && median_of_ratio; }
median_of_ratio() { sort -n "$WORK/ratio" | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
rate() { awk -v v="$(median "$1")" -v by="${2:-1}" 'BEGIN { printf "%.0f", v * by }'; }

# row WORKLOAD MEASURED COMPARED_WITH RATIO TARGET: `>= 0.75`, `<= 350` or nothing.
row() {
    local reached=''
    case ${5:-} in
        '>='*) reached=$(awk -v r="$4" -v t="${5#>= }" 'BEGIN { print (r >= t ? "yes" : "NO") }') ;;
        '<='*) reached=$(awk -v r="$4" -v t="${5#<= }" 'BEGIN { print (r <= t ? "yes" : "NO") }') ;;
    esac
    printf '%s|%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "$4" "${5:-}" "$reached" >>"$TABLE"
}

# pair WORKLOAD ARM BASE_ARM TARGET [FACTOR] [UNIT]
pair() { row "$1" "$(rate "$2" "${5:-1}")${6:-/s}" "$(rate "$3" "${5:-1}")${6:-/s} ${7:-}" "$(ratio "$2" "$3")" "$4"; }

prepare() {
    note "preparing $DB"
    dropdb --if-exists --force "$DB"
    createdb "$DB"
    PGOPTIONS='-c client_min_messages=warning' script -d "$DB" -f "$HERE/sql/setup.sql"
}

# A ledger with ROWS transfers over 10,000 wallets and one account with a million lines, and beside it
# one with the same wallets and nothing but their openings.
fill() {
    if [ "$(sql -d "$FULL" -c 'SELECT count(*) FROM bench.filled' 2>/dev/null || true)" = 1 ]; then
        note "using $FULL, filled by an earlier run"
        script -d "$FULL" -c 'SET client_min_messages = warning' -c 'DROP EXTENSION wallet_ledger CASCADE' \
            -c 'CREATE EXTENSION wallet_ledger' -c 'SELECT wallet_ledger.install()'
    else
        note "filling $FULL"
        for old in $(sql -c "SELECT datname FROM pg_database WHERE datname LIKE 'wl_bench_full_%'"); do
            dropdb --force "$old"
        done
        createdb "$FULL"
        PGOPTIONS='-c client_min_messages=warning' script -d "$FULL" -f "$HERE/sql/setup.sql"
        script -d "$FULL" -f "$HERE/sql/drop_indexes.sql"
        script -d "$FULL" -v "transfers=$ROWS" -v accounts=10000 -v hot=$PROBE_LINES -v ledger=bench -f "$HERE/fill.sql"
        script -d "$FULL" -v transfers=102 -v accounts=2 -v hot=100 -v prefix=short -v ledger=bench -f "$HERE/fill.sql"
        note "building the indexes"
        PGOPTIONS='-c maintenance_work_mem=1GB' script -d "$FULL" -f "$HERE/sql/make_indexes.sql"
        script -d "$FULL" -c 'VACUUM (ANALYZE) wallet_data.transfers' -c 'CREATE TABLE bench.filled AS SELECT now() AS at'
    fi
    script -d "$DB" -v transfers=10000 -v accounts=10000 -v ledger=bench -f "$HERE/fill.sql"
}

transfers() { sql -d "$1" -c 'SELECT count(*) FROM wallet_data.transfers'; }
bytes() { sql -d "$DB" -c "SELECT pg_total_relation_size('wallet_data.transfers')"; }

prepare
bytes_before=$(bytes)
rows_before=$(transfers "$DB")
arm post "$DB" post $CLIENTS
arm insert "$DB" insert $CLIENTS
arm app "$DB" app $CLIENTS
arm keyed "$DB" post_keyed $CLIENTS
arm hold "$DB" hold_capture $CLIENTS
arm striped "$DB" post_to $CLIENTS -D target=platform:striped
arm hot "$DB" post_to $CLIENTS -D target=platform:hot
arm apart "$DB" post_apart $CLIENTS
note "warming up"
bench "$DB" post 2 -T 1 >/dev/null
bench "$DB" insert 2 -T 1 >/dev/null
bench "$DB" app 2 -T 1 >/dev/null

if part 1 || part 2; then
    measure post insert app
    pair "1 post_transfer, $CLIENTS clients, 1,000 accounts" post insert '>= 0.75' 1 /s 'bare INSERT'
    pair '2 the same' post app '>= 3' 1 /s 'application flow'
fi
if part 6; then
    sql -d "$DB" -c 'VACUUM wallet_data.transfers'
    singles=$(($(transfers "$DB") - rows_before))
    single_bytes=$((($(bytes) - bytes_before) / (singles > 0 ? singles : 1)))
fi
if part 3; then
    measure striped apart hot
    pair "3 $CLIENTS clients credit one account of 16 stripes" striped apart '>= 0.9' 1 /s 'accounts of their own'
    pair '  one account without stripes' hot apart '' 1 /s 'accounts of their own'
fi
if part 8; then
    measure keyed post
    pair '  post_transfer with an idempotency key' keyed post '' 1 /s 'without'
    measure hold
    row '  hold_funds + capture_hold, pairs' "$(rate hold)/s" '' '' ''
fi
if part 4 || part 6; then
    calls_1000=30 calls_8190=4
    script -d "$DB" -v batches_1000=$((ROUNDS * calls_1000)) -v batches_8190=$((ROUNDS * calls_8190)) -f "$HERE/sql/batches.sql"
    note "batches staged"
    bytes_before=$(bytes)
    rows_before=$(transfers "$DB")
    arm hundred "$DB" batch 1 -D size=100 -D first_set=0 -t 200
    measure hundred
    row '  post_transfers, 100 items, 1 client, items' "$(rate hundred 100)/s" '' '' ''
    for size in 1000 8190; do
        calls=calls_$size
        for clients in 1 2; do
            arm batch "$DB" batch "$clients" -D "size=$size" -D first_set=$((clients - 1)) -t "${!calls}"
            arm rows "$DB" batch_insert "$clients" -D "size=$size" -D first_set=$((clients - 1)) -t "${!calls}" \
                -D round=ROUND -D "calls=${!calls}"
            measure batch rows
            pair "4 post_transfers, $size items, $clients client(s), items" batch rows '>= 0.8' "$size" /s 'INSERT … SELECT'
        done
    done
    arm text "$DB" batch_text 1 -D size=8190 -D first_set=0 -t "$calls_8190"
    measure text
    row '  8190 items as text, all result rows sent, items' "$(rate text 8190)/s" '' '' ''
fi
if part 6; then
    sql -d "$DB" -c 'VACUUM wallet_data.transfers'
    batched=$(($(transfers "$DB") - rows_before))
    row "6 bytes a transfer, $singles posted one by one" "$single_bytes" '' "$single_bytes" '<= 350'
    batch_bytes=$((($(bytes) - bytes_before) / batched))
    row "6 bytes a transfer, $batched posted in arrays" "$batch_bytes" '' "$batch_bytes" '<= 350'
fi
if part 5 || part 7; then
    fill
    have=$(transfers "$FULL")
fi
if part 5; then
    arm full "$FULL" post $CLIENTS -D wallet=fill:wallets: -D accounts=10000
    arm empty "$DB" post $CLIENTS -D wallet=fill:wallets: -D accounts=10000
    bench "$FULL" post $CLIENTS -D wallet=fill:wallets: -D accounts=10000 >/dev/null
    measure full empty
    pair "5 post_transfer, $have transfers there" full empty '>= 0.8' 1 /s 'an empty ledger'
fi
if part 7; then
    arm million "$FULL" statement 1 -D account=fill:hot -D lines=$PROBE_LINES
    arm hundred "$FULL" statement 1 -D account=short:hot -D lines=100
    measure hundred million
    row "7 page of 50 lines, account with $PROBE_LINES" "$(awk -v t="$(median million)" 'BEGIN { printf "%.0f us", 1e6 / t }')" \
        "$(awk -v t="$(median hundred)" 'BEGIN { printf "%.0f us with 100 lines", 1e6 / t }')" "$(ratio hundred million)" '<= 1.5'
fi
if part 8 && part 5; then
    note "verifying $have transfers"
    at=$SECONDS
    findings=$(sql -d "$FULL" -c 'SET statement_timeout = 240000' -c "SELECT count(*) FROM wallet_ledger.verify_ledger('bench')") || findings='no result,'
    row "  verify_ledger, $have transfers" "$((SECONDS - at)) s" '' "$findings findings" ''
fi

if part 9; then
    body_calls=30 mutation_calls=1000
    half=$((ROUNDS * body_calls + 60)) singles=$((ROUNDS * mutation_calls * 2 + 200))
    bodies=$((2 * half))
    note "staging $bodies webhooks of 200 lines and $singles mutations for 100,000 intents"
    script -d "$DB" -v "bodies=$bodies" -v "singles=$singles" -v "spread=${WL_BENCH_SPREAD:-10000}" -f "$HERE/sql/intake.sql"
    bench "$DB" webhook 1 -t 20 -D next=bench.next_body >/dev/null
    bench "$DB" webhook 1 -t 20 -D next=bench.next_platform_body >/dev/null
    bench "$DB" mutation 1 -t 200 >/dev/null
    sql -d "$DB" -c 'ANALYZE wallet_data.mutations, wallet_data.intents'
    turns $((2 * body_calls)) webhook webhook_items "$DB" -D next=bench.next_body -D "first=$((half + 1))" -D "last=$bodies"
    pair '9 receive_webhook, 200 lines matched, lines' webhook webhook_items '>= 0.4' 200 /s 'post_transfers, 200 items'
    turns $((2 * body_calls)) webhook webhook_items "$DB" -D next=bench.next_platform_body -D first=1 -D "last=$half"
    pair '9 the same, unique codes apart, transfers' webhook webhook_items '>= 0.4' 400 /s 'post_transfers, 400 items'
    arm mutation "$DB" mutation 1 -t $mutation_calls
    arm transfer "$DB" mutation_transfer 1 -D bank=banks:intake -D "singles=$singles" -t $mutation_calls
    measure mutation transfer
    pair '9 match_mutation, single calls, 1 client' mutation transfer '>= 0.4' 1 /s 'post_transfer'
    arm mutation "$DB" mutation 2 -t $((mutation_calls / 2))
    arm transfer "$DB" mutation_transfer 2 -D bank=banks:intake -D "singles=$singles" -t $((mutation_calls / 2))
    measure mutation transfer
    pair '9 match_mutation, single calls, 2 clients' mutation transfer '>= 0.4' 1 /s 'post_transfer'
    matched=$(sql -d "$DB" -c "SELECT count(*) FROM wallet_data.mutations WHERE state_id = 1")
    wrong=$(sql -d "$DB" -c "SELECT count(*) FROM wallet_data.mutations WHERE state_id <> 1")
    row '  mutations matched, and not' "$matched" "$wrong not matched" '' ''
fi

if part 10; then
    release_calls=500 due_calls=4
    escrows=$((ROUNDS * release_calls * 3 + 200)) due=$((ROUNDS * due_calls * 4 * 100 + 400))
    note "opening $((2 * escrows + due)) escrows"
    PGOPTIONS='-c client_min_messages=warning' script -d "$DB" -v "escrows=$escrows" -v "due=$due" \
        -v "first_items=$((escrows + 1))" -f "$HERE/sql/escrow.sql"
    bench "$DB" release 1 -t 100 >/dev/null
    bench "$DB" release_items 1 -t 100 >/dev/null
    for clients in 1 2; do
        arm release "$DB" release $clients -t $((release_calls / clients))
        arm items "$DB" release_items $clients -t $((release_calls / clients))
        measure release items
        pair "10 release_escrow, 2 lines, clients: $clients" release items '' 1 /s 'post_transfers, the same 4 transfers'
    done
    arm due "$DB" release_due 4 -t $due_calls
    arm release "$DB" release 4 -t $((release_calls / 5))
    measure due release
    row '10 release_due_escrows(100), 4 clients, releases' "$(rate due 100)/s" "$(rate release)/s release_escrow, 4 clients" '' ''
    failed=$(sql -d "$DB" -c "SELECT count(*) FROM wallet_data.events WHERE topic = 'escrow.release_failed'")
    row '  releases that failed' "$failed" '' '' ''
fi

# percentile FILE PART: of the latencies in pgbench's log, in milliseconds.
percentile() { awk '{ print $3 }' "$1"* | sort -n | awk -v part="$2" '{ v[NR] = $1 } END { printf "%.1f", v[int((NR - 1) * part) + 1] / 1000 }'; }

if part 11; then
    merchants=100
    note "a school of 1,000 pupils"
    PGOPTIONS='-c client_min_messages=warning' script -d "$DB" -v merchants=$merchants -f "$HERE/sql/school.sql"
    # Until every pupil has bought once: the first purchase counts what was spent before.
    bench "$DB" purchase 2 -t 4000 -D merchants=$merchants >/dev/null
    bench "$DB" sync $CLIENTS -t 5 -D size=20 >/dev/null
    sql -d "$DB" -c 'ANALYZE wallet_data.transfers, wallet_data.accounts, wallet_data.purchases'
    arm bought "$DB" purchase $CLIENTS -D merchants=$merchants
    arm paid "$DB" payment $CLIENTS -D merchants=$merchants -D payee=merchants:canteen -D payer=wallets:plain
    arm limited "$DB" payment $CLIENTS -D merchants=$merchants -D payee=merchants:canteen -D payer=wallets:pupil
    arm synced "$DB" sync $CLIENTS -D size=20
    measure bought paid limited synced
    pair "11 purchase of 2 items, three limits, $CLIENTS clients" bought paid '>= 0.6' 1 /s 'post_transfer, no limits'
    row '  the same, 20 in a call of sync_purchases' "$(rate synced 20)/s" "$(rate paid)/s post_transfer, no limits" \
        "$(ratio synced paid 20)" ''
    pair '  post_transfer, three limits' limited paid '' 1 /s 'post_transfer, no limits'
    # The break: 500 purchases at four canteens, far faster than in fifteen minutes.
    bench "$DB" purchase 4 -t 125 -R 50 -D merchants=4 -l --log-prefix="$WORK/break" >/dev/null
    row '11 500 purchases, 4 tills, 50 a second, p50' "$(percentile "$WORK/break" 0.5) ms" '' "$(percentile "$WORK/break" 0.5)" '<= 500'
    row '11 the same, p99' "$(percentile "$WORK/break" 0.99) ms" '' "$(percentile "$WORK/break" 0.99)" '<= 500'
fi

{
    printf 'wallet_ledger %s, %s\n' "$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || echo '(no commit)')$(git -C "$ROOT" diff --quiet HEAD -- src sql 2>/dev/null || echo ' and changes')" "$(date -u +%Y-%m-%dT%H:%MZ)"
    printf 'PostgreSQL %s, %s cores, synchronous_commit %s, fsync %s, shared_buffers %s\n' "$(sql -c 'SHOW server_version')" "$(nproc)" \
        "$(sql -c 'SHOW synchronous_commit')" "$(sql -c 'SHOW fsync')" "$(sql -c 'SHOW shared_buffers')"
    printf 'Medians of %s runs a side, in turns; the whole took %s s.\n\n' "$ROUNDS" $((SECONDS - STARTED))
    cat <(printf 'workload|measured|compared with|ratio|target|reached\n') "$TABLE" | column -t -s '|'
} | tee "${WL_BENCH_OUT:-$WORK/out}"
