#!/usr/bin/env bash
# Every way of misbehaving gets its own verdict, in all three passes, and the healthy rows of the same run are not harmed.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }

expect() { # variant verdict
    local rows
    rows=$(awk -F, -v v="$1" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } $at["backend"] == "misbehave" && $at["variant"] == v { print $at["verdict"] }' "$dir/rows.csv" | sort | uniq -c | tr -s ' \n' ' ')
    [ "$rows" = " 3 $2 " ]
    tap $? "$1 -> $2 in three passes (found:$rows)"
}

"$convoy" verify -q --plugin "$build/tests/plugins/convoy_misbehave.so" -b misbehave -b naive --pass all --timeout 3 --threads 1 \
    -o "$dir/rows.csv" 'conv_fwd:n2c4h9k6kh3p1' >"$dir/out" 2>&1
tap $([ $? = 1 ]; echo $?) "the run ends with exit code 1"
expect healthy PASS
expect crash CRASH
expect abort CRASH
expect exit CRASH
expect hang TIMEOUT
expect liar LIAR
expect fails FAIL
expect overrun OOB_WRITE
expect underrun OOB_WRITE
expect overread OOB_READ
expect underread OOB_READ
expect overrun_workspace OOB_WRITE
expect partial UNWRITTEN
expect nan FAIL
expect scribble DIRTY_INPUT
expect replay FAIL
expect rounding FPENV
expect flush FPENV
expect leak LEAK
expect random NONDETERMINISTIC
expect no_memory OOM
expect sleep PASS
expect lazy PASS
rows=$(grep -c '^verify,' "$dir/rows.csv")
tap $([ "$rows" = 72 ]; echo $?) "no row is lost: 72 of $rows"
naive=$(awk -F, '/,naive,/ && /,PASS,/' "$dir/rows.csv" | wc -l)
tap $([ "$naive" = 3 ]; echo $?) "the healthy backend beside it passes ($naive of 3)"
"$convoy" bench -q --plugin "$build/tests/plugins/convoy_misbehave.so" -b misbehave:lazy -b misbehave:sleep --threads 1 --rounds 100 \
    -o "$dir/bench.csv" 'conv_fwd:c16h14k16kh3p1' >"$dir/out" 2>&1
tap "$([ $? = 1 ]; echo $?)" "a bench with an impossible time ends with exit code 1"
tap "$(grep -q ',lazy,.*,INVALID_PERF,' "$dir/bench.csv"; echo $?)" "lazy, which stops computing once it was verified, is found out: INVALID_PERF"
tap "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } /,sleep,/ { exit !($at["min_ns"] >= 2000000) }' "$dir/bench.csv"; echo $?)" "sleep is never timed below what it sleeps"
echo "1..$count"
exit $failed
