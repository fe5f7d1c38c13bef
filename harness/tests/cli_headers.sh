#!/bin/bash
# Every public header compiles alone, and twice, as C11, C17 and C++17 with each compiler that is here; the structs of
# convoy.h have no padding. TAP on stdout; exits 1 if a line is "not ok".
set -u
include=$(cd "$(dirname "$0")/../include" && pwd) || exit 1
warnings=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$include")
count=0 failed=0
messages=$(mktemp) || exit 1
trap 'rm -f "$messages"' EXIT

# check COMPILER LANGUAGE STANDARD HEADER [OPTION...]
check()
{
    local compiler=$1 language=$2 standard=$3 header=$4
    shift 4
    local name="$header as $standard with $compiler${*:+ $*}"
    count=$((count + 1))
    if ! command -v "$compiler" > /dev/null; then
        echo "ok $count - $name # SKIP no $compiler here"
    elif printf '#include <convoy/%s>\n#include <convoy/%s>\n' "$header" "$header" |
        "$compiler" -x "$language" -std="$standard" "${warnings[@]}" "$@" - > "$messages" 2>&1; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        sed 's/^/# /' "$messages"
        failed=$((failed + 1))
    fi
}

for path in "$include"/convoy/*.h; do
    header=$(basename "$path")
    for compiler in gcc clang; do
        for standard in c11 c17; do
            check "$compiler" c "$standard" "$header"
        done
    done
    for compiler in g++ clang++; do
        check "$compiler" c++ c++17 "$header"
    done
done
for compiler in gcc clang; do
    check "$compiler" c c11 convoy.h -Wpadded
done

echo "1..$count"
[ "$failed" -eq 0 ]
