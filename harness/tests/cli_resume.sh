#!/usr/bin/env bash
# kill -9 of the program or of a worker in the middle of a run loses no finished row, and --resume completes the run: no row lost,
# none doubled.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
rows() { awk 'END { print NR - 1 }' "$1"; }
keys() { tail -n +2 "$1" | cut -d, -f2-6,9,10 | sort; }

arguments=(verify -q -b naive --table smoke --threads 1)
run() { "$convoy" "${arguments[@]}" "$@" >>"$dir/log" 2>&1; }
# In the background, so that $program is the program itself and not a shell around it.
start() { "$convoy" "${arguments[@]}" "$@" >>"$dir/log" 2>&1 & program=$!; }
run -o "$dir/whole.csv"
tap $? "the unbroken run passes"
total=$(rows "$dir/whole.csv")

for part in 8 4 3; do
    file=$dir/killed$part.csv
    start -o "$file"
    while [ "$(cat "$file" 2>/dev/null | wc -l)" -lt $((total / part)) ] && kill -0 $program 2>/dev/null; do sleep 0.002; done
    kill -9 $program 2>/dev/null; wait $program 2>/dev/null
    before=$(rows "$file")
    cp "$file" "$dir/before.csv"
    run -o "$file" --resume
    tap $? "a run killed after $before of $total rows is completed by --resume"
    tap "$(cmp -s -n "$(head -n "$before" "$dir/before.csv" | wc -c)" "$file" "$dir/before.csv"; echo $?)" "the rows that were there are untouched"
    tap "$(diff -q <(keys "$file") <(keys "$dir/whole.csv") >/dev/null; echo $?)" "no row is lost and none is doubled"
done

cp "$dir/whole.csv" "$dir/half.csv"
truncate -s -40 "$dir/half.csv"
run -o "$dir/half.csv" --resume
tap $? "a file that ends in half a row is completed"
tap "$(diff -q <(keys "$dir/half.csv") <(keys "$dir/whole.csv") >/dev/null; echo $?)" "with exactly the rows of the unbroken run"

start -o "$dir/worker.csv"
for part in 4 2; do
    while [ "$(cat "$dir/worker.csv" 2>/dev/null | wc -l)" -lt $((total / part)) ] && kill -0 $program 2>/dev/null; do sleep 0.002; done
    pkill -9 -P $program
done
wait $program
tap $? "a worker killed from outside gets its case again: the run passes"
tap "$(diff -q <(keys "$dir/worker.csv") <(keys "$dir/whole.csv") >/dev/null; echo $?)" "and has every row once"

run -o "$dir/whole.csv"
tap $([ $? = 4 ]; echo $?) "an existing file is not touched without --resume"
tap "$([ "$(rows "$dir/whole.csv")" = "$total" ]; echo $?)" "and keeps its rows"
echo "1..$count"
exit $failed
