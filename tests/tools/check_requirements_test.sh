#!/usr/bin/env bash
# Every rule of tools/check-requirements: a good table passes, each kind of fault is found and named.
set -uo pipefail
root=${RK_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# table ROW...: writes a table with one section, EF-1.1, and these rows.
table() {
    {
        echo "# Requirements"
        echo "### EF-1.1 Something"
        echo
        echo "| id | requirement | implemented | test | state | note |"
        echo "|---|---|---|---|---|---|"
        printf '%s\n' "$@"
    } >"$work/table.md"
}

accepts() {
    local name=$1 expected=$2
    shift 2
    table "$@"
    local output
    if ! output=$("$root/tools/check-requirements" "$work/table.md" 2>&1) ||
        [[ $output != *"$expected"* ]]; then
        printf '%s: expected acceptance and "%s", got:\n%s\n' "$name" "$expected" "$output" >&2
        failed=$((failed + 1))
    fi
}

refuses() {
    local name=$1 expected=$2
    shift 2
    table "$@"
    local output
    if output=$("$root/tools/check-requirements" "$work/table.md" 2>&1) ||
        [[ $output != *"$expected"* ]]; then
        printf '%s: expected refusal with "%s", got:\n%s\n' "$name" "$expected" "$output" >&2
        failed=$((failed + 1))
    fi
}

open='| EF-1.1-01 | A thing. | - | - | open | |'

# shellcheck disable=SC2016 # the backticks are Markdown
accepts "all states" "3 requirements: 1 done, 1 partial, 1 open" "$open" \
    '| EF-1.1-02 | A thing. | `LICENSE`, tools | tools/check-requirements | done | |' \
    '| EF-1.1-03 | A thing. | LICENSE | - | partial | Missing: the rest |'
accepts "three digits" "1 requirements" '| EF-1.1-100 | A thing. | - | - | open | |'

refuses "no rows" "there is no row"
refuses "id used twice" "EF-1.1-01 is used already in line 6" "$open" "$open"
refuses "wrong section" "move it under EF-1.2" '| EF-1.2-01 | A thing. | - | - | open | |'
refuses "malformed id" '"EF-1.1-1" is not an id' '| EF-1.1-1 | A thing. | - | - | open | |'
refuses "foreign row" "this table row has no id" "$open" '| XX-1 | A thing. | - | - | open | |'
refuses "cell missing" "has 5 cells instead of 6" '| EF-1.1-01 | A thing. | - | - | open |'
refuses "cell too many" "instead of 6" '| EF-1.1-01 | A | B. | - | - | open | |'
refuses "no text" "has no requirement text" '| EF-1.1-01 |  | - | - | open | |'
refuses "illegal state" 'has the state "finished"' '| EF-1.1-01 | A thing. | - | - | finished | |'
refuses "done without test" "names no implementation or no test" \
    '| EF-1.1-01 | A thing. | LICENSE | - | done | |'
refuses "partial without path" "names no implementation" \
    '| EF-1.1-01 | A thing. | - | - | partial | Missing: most |'
refuses "partial without reason" 'after "Missing:"' \
    '| EF-1.1-01 | A thing. | LICENSE | - | partial | soon |'
refuses "open with path" "is open but names paths" '| EF-1.1-01 | A thing. | LICENSE | - | open | |'
refuses "absent path" "no/such/file does not exist" \
    '| EF-1.1-01 | A thing. | LICENSE, no/such/file | LICENSE | done | |'
refuses "absolute path" "is not relative" '| EF-1.1-01 | A thing. | /etc/passwd | LICENSE | done | |'
refuses "path that climbs" "is not relative" '| EF-1.1-01 | A thing. | lib/../LICENSE | LICENSE | done | |'
refuses "build product" "is a product of the build" \
    '| EF-1.1-01 | A thing. | build/bin/rk | LICENSE | done | |'
refuses "paths without comma" "separate paths with commas" \
    '| EF-1.1-01 | A thing. | LICENSE tools | LICENSE | done | |'
refuses "empty path" "empty entry" '| EF-1.1-01 | A thing. | LICENSE, | LICENSE | done | |'

if "$root/tools/check-requirements" "$work/absent.md" 2>/dev/null; then
    echo "an absent file was accepted" >&2
    failed=$((failed + 1))
fi

[ "$failed" -eq 0 ] && echo "all cases passed"
[ "$failed" -eq 0 ]
