#!/usr/bin/env bash
# kill -9 of the program or of a worker in the middle of a run loses no finished row, and --resume completes the run: no row lost,
# none doubled.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
rows() { awk 'END { print NR - 1 }' "$1"; }
keys() { tail -n +2 "$1" | cut -d, -f2-6,9,10 | sort; }

run() { "$convoy" verify -q -b naive --table smoke --threads 1 "$@" >>"$dir/log" 2>&1; }
run -o "$dir/whole.csv"
tap $? "the unbroken run passes"
total=$(rows "$dir/whole.csv")

for part in 3 4 2; do
    file=$dir/killed$part.csv
    run -o "$file" & program=$!
    while [ "$(wc -l <"$file" 2>/dev/null || echo 0)" -lt $((total / part)) ] && kill -0 $program 2>/dev/null; do sleep 0.01; done
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

run -o "$dir/worker.csv" & program=$!
for _ in 1 2 3; do
    sleep 0.05
    pkill -9 -P $program 2>/dev/null
done
wait $program
tap $? "a worker killed from outside gets its case again: the run passes"
tap "$(diff -q <(keys "$dir/worker.csv") <(keys "$dir/whole.csv") >/dev/null; echo $?)" "and has every row once"

run -o "$dir/whole.csv"
tap $([ $? = 4 ]; echo $?) "an existing file is not touched without --resume"
tap "$([ "$(rows "$dir/whole.csv")" = "$total" ]; echo $?)" "and keeps its rows"
echo "1..$count"
exit $failed
