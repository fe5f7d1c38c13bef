#!/usr/bin/env bash
# The fuzz corpora as tests: every file through its target, TAP renumbered into one plan.
set -u
build=$1
here=$(dirname "$0")
count=0; failed=0
for target in "$here"/fuzz/fuzz_*.c; do
    name=${target##*/fuzz_}; name=${name%.c}
    for file in "$here/fuzz/corpus/$name"/*; do
        count=$((count + 1))
        if out=$("$build/tests/replay_$name" "$file" 2>&1); then echo "ok $count - $name ${file##*/}"; else
            echo "not ok $count - $name ${file##*/}"; sed 's/^/# /' <<<"$out"; failed=1; fi
    done
done
echo "1..$count"
exit $failed
