#!/usr/bin/env bash
# Checks that the source keeps to its layers: imports point down only, SQL stands in the stores
# only, the pure modules stay pure, and no file is too long to read.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
MAX_LINES=400
BUSINESS='bank|escrow|limit|payout|purchase'
failed=0

# deny PATTERN MESSAGE FILE…: no line of code, comments aside, may match.
deny() {
    local pattern=$1 message=$2 file hits
    shift 2
    for file in "$@"; do
        [ -f "$file" ] || continue
        hits=$(sed -E 's#(^|[[:space:]])//.*##' "$file" | grep -nE "$pattern") || continue
        printf '%s\n' "$hits" | sed "s|^|$file:|; s|\$|    <- $message|"
        failed=1
    done
}

mapfile -t all < <(find src -name '*.rs' | sort)
mapfile -t pure < <(find src -name rules.rs -o -path '*/rules/*.rs' -o -path src/money.rs -o -path src/error.rs -o -path src/address.rs)
mapfile -t stores < <(find src -name store.rs -o -path '*/store/*.rs')
mapfile -t flows < <(find src -mindepth 2 -name mod.rs)
mapfile -t no_sql < <(find src -name '*.rs' ! -name store.rs ! -path '*/store/*' ! -path 'src/spi*' ! -path 'src/install*')
mapfile -t not_posting < <(find src -name '*.rs' ! -path 'src/posting/store*')

deny '\bpgrx\b|\bSpi\b' 'a pure module must not know pgrx' "${pure[@]}"
deny '::(store|api)\b|crate::(spi|report)\b' 'rules import nothing above them' "${pure[@]}"
deny '::api\b' 'a store or a flow must not import an api' "${stores[@]}" "${flows[@]}"

# Calls of our own functions, as hints have them, are no statements.
sql='SELECT +([^w" ]|w[^a]|wallet_data)|INSERT INTO |\bUPDATE +[a-z{]|DELETE FROM '
deny "$sql" 'SQL belongs into a store.rs' "${no_sql[@]}"
deny 'INSERT INTO wallet_data\.transfers\b' 'only posting::store writes transfers' "${not_posting[@]}"

for noun in ${BUSINESS//|/ }; do
    others=$(printf '%s' "$BUSINESS" | tr '|' '\n' | grep -vx "$noun" | paste -sd '|')
    mapfile -t files < <(find src -path "src/$noun/*.rs" -o -path "src/${noun}s/*.rs")
    deny "crate::($others)s?\\b" 'the business nouns do not import each other' "${files[@]}"
done

for file in "${all[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$MAX_LINES" ]; then
        echo "$file: $lines lines, at most $MAX_LINES"
        failed=1
    fi
done

[ "$failed" -eq 0 ] || die "the source strays from its layers"
