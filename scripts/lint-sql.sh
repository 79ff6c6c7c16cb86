#!/usr/bin/env bash
# Checks the SQL files: layout, upper-case keywords, and what an extension's script must keep to.
# Needs awk and grep only. Prints file:line for every finding and fails if there is any.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
findings=$(mktemp)
plain=$(mktemp)
trap 'rm -f "$findings" "$plain"' EXIT
report() { # report MESSAGE: stdin is grep -n output of the current file
    sed "s|^\([0-9]*\):.*|$file:\1: $1|" >>"$findings"
}

# Blanks out comments and strings, keeping the lines; with bodies=0 also what
# stands between dollar quotes.
strip() {
    awk -v bodies="$1" '
        { text = text $0 "\n" }
        END {
            n = length(text)
            for (i = 1; i <= n; i++) {
                rest = substr(text, i, 64); c = substr(rest, 1, 1); two = substr(rest, 1, 2)
                if (two == "--") { while (substr(text, i, 1) != "\n") i++; printf "\n"; continue }
                if (two == "/*") { skip("*/", 2); continue }
                if (c == "\x27") { printf "%s", c; skip(c, 1); printf "%s", c; continue }
                if (c == "$" && match(rest, /^\$[A-Za-z_]*\$/)) {
                    tag = substr(rest, 1, RLENGTH)
                    if (!bodies) { skip(tag, length(tag)); continue }
                }
                printf "%s", c
            }
        }
        # Goes to the end of what starts at i and ends with mark; prints its line breaks.
        function skip(mark, opening,   found) {
            i += opening
            found = index(substr(text, i), mark)
            if (!found) found = n
            printf "%s", breaks(substr(text, i, found))
            i += found + length(mark) - 2
        }
        function breaks(s) { gsub(/[^\n]/, "", s); return s }
    ' "$2"
}

# Reserved words, which nobody can use as a name without quoting it.
keywords='select|create|from|where|order|group|having|returning|references|primary|foreign|unique|constraint|grant|union'

while IFS= read -r file; do
    { grep -n $'\t' "$file" || true; } | report "a tab"
    { grep -nE '[[:space:]]$' "$file" || true; } | report "blanks at the end of the line"
    [ -z "$(tail -c 1 "$file")" ] || echo "$file: no line break at the end" >>"$findings"
    strip 1 "$file" >"$plain"
    { sed 's/"[^"]*"//g' "$plain" | grep -nwE "$keywords" || true; } | report "a keyword in lower case"
    { sed 's/COLLATE "[^"]*"//g' "$plain" | grep -nE '"[^"]*[A-Z][^"]*"|\b[a-z_]+[A-Z]' || true; } |
        report "a name with capitals"
done < <(find sql examples benches tests -name '*.sql' 2>/dev/null | sort)

# What CREATE … makes must have a COMMENT ON …; SECURITY DEFINER must pin the search path.
while IFS= read -r file; do
    strip 0 "$file" >"$plain"
    awk -v file="$file" '
        BEGIN { RS = ";" }
        {
            statement = $0
            match(statement, /^[ \t\n]*/)
            blank = substr(statement, 1, RLENGTH)
            start = line + 1 + gsub(/\n/, "", blank)
            line += gsub(/\n/, " ", statement)
            gsub(/[ \t]+/, " ", statement); sub(/^ /, "", statement)
            if (match(statement, /^CREATE (OR REPLACE )?(UNLOGGED )?(TABLE|VIEW|FUNCTION|PROCEDURE) (IF NOT EXISTS )?/)) {
                split(substr(statement, 1, RLENGTH), words, " ")
                kind = ""
                for (w in words) if (words[w] ~ /^(TABLE|VIEW|FUNCTION|PROCEDURE)$/) kind = words[w]
                name = substr(statement, RLENGTH + 1); sub(/[ (].*/, "", name)
                made[kind " " name] = start
            }
            if (match(statement, /^COMMENT ON (TABLE|VIEW|FUNCTION|PROCEDURE) /)) {
                split(statement, words, " ")
                name = words[4]; sub(/\(.*/, "", name)
                commented[words[3] " " name] = 1
            }
            if (statement ~ /SECURITY DEFINER/ && statement !~ /SET search_path/)
                print file ":" start ": SECURITY DEFINER without SET search_path"
        }
        END { for (m in made) if (!(m in commented)) print file ":" made[m] ": no COMMENT ON " m }
    ' "$plain" | sort >>"$findings"
    # The extension's own scripts must not take over objects that somebody else has put there
    # (CVE-2022-2625). The data schema, which install() makes, is not one of them.
    case $file in
        sql/data/*) ;;
        *) { grep -nE 'CREATE OR REPLACE|IF NOT EXISTS' "$plain" || true; } |
            report "CREATE OR REPLACE or IF NOT EXISTS in an extension script" ;;
    esac
done < <(find sql -name '*.sql' | sort)

cat "$findings"
[ ! -s "$findings" ] || die "$(wc -l <"$findings") findings in the SQL files"
