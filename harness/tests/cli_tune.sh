#!/usr/bin/env bash
# convoy tune: what may win and what may not, on a plugin with a clock of its own; and what a GPU backend keeps in its file.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }

plugin=$build/tests/plugins/convoy_tunable.so
export CONVOY_TUNABLE_FILE=$dir/kept
tune() { "$convoy" tune -q -b tunable --plugin "$plugin" "$@" >"$dir/out" 2>&1; }
says() { grep -q -- "$1" "$dir/out"; }

tune relu:n1000; code=$?
tap "$([ $code = 0 ] && [ "$(cat "$dir/kept")" = quicker ]; echo $?)" "the fastest right one is kept: $(cat "$dir/kept")"
tap "$(says 'relu quicker, 4.0 us, the default 10.0 us (device clock)'; echo $?)" "by the device's clock"
for reason in "scaled is out: its result is" "not-finite is out: its result is" "lazy is out: its result is" "refuses is out: the compiler gave up" \
    "6  is out: CRASH" "weaker is out: its class is strict, the default's exact" "by-integers is out: FAIL"; do
    tap "$(says "$reason"; echo $?)" "configuration $reason"
done
"$convoy" bench -q -b tunable --plugin "$plugin" --rounds 1 --threads 1 relu:n1000 -o "$dir/bench.csv" >"$dir/out" 2>&1
tap "$([ $? = 0 ] && grep -q ',relu quicker,' "$dir/bench.csv"; echo $?)" "the next run takes it, and its rows say so"
echo slow >"$dir/kept"
tune relu:n1000
tap "$([ "$(cat "$dir/kept")" = quicker ] && says 'the default 10.0 us'; echo $?)" "an earlier choice does not pass for the default"

rm -f "$dir/kept"
CONVOY_TUNABLE_SOFTWARE=1 tune relu:n1000; code=$?
tap "$([ $code = 3 ] && says 'a device is a CPU that plays a device: nothing is tuned for it' && [ ! -e "$dir/kept" ]; echo $?)" "software devices are left alone: exit code $code"
CONVOY_TUNABLE_SOFTWARE=1 tune --force relu:n1000; code=$?
tap "$([ $code = 0 ] && [ -e "$dir/kept" ]; echo $?)" "unless --force"
CONVOY_TUNABLE_FILE=/nonexistent/kept tune relu:n1000; code=$?
tap "$([ $code = 1 ] && says 'nothing is kept: there is no file'; echo $?)" "no place for the choice: exit code $code"
tune tanh:n10; code=$?
tap "$([ $code = 3 ] && says 'not tuned: only ReLU'; echo $?)" "a problem that is declined: exit code $code"
"$convoy" tune -q -b naive relu:n10 >"$dir/out" 2>&1; code=$?
tap "$([ $code = 3 ] && says 'not tuned: the plugin has nothing to choose from'; echo $?)" "a backend without configurations: exit code $code"
"$convoy" tune -q -b naive >"$dir/out" 2>&1; code=$?
tap "$([ $code = 4 ] && says 'tune needs a problem or a --table'; echo $?)" "without a problem: exit code $code"
"$convoy" tune --help >"$dir/out" 2>&1
tap "$(says 'examples:' && says '--force' && says 'Exit code: 0'; echo $?)" "the help has examples and exit codes"

# A backend with devices: whichever is here. Direct sums, because their kernels compile fast.
backend=
for name in vulkan opencl; do
    [ -n "$backend" ] || [ ! -e "$build/plugins/convoy_$name.so" ] || "$convoy" list -b $name 2>/dev/null | grep -q unavailable || backend=$name
done
if [ -z "$backend" ]; then
    echo "no device here"
    echo "ok $((count += 1)) # SKIP a device's file"
    echo "1..$count"
    exit $failed
fi
export CONVOY_CACHE_PATH=$dir/cache
mkdir "$CONVOY_CACHE_PATH"
file=$CONVOY_CACHE_PATH/tuning-$backend.txt problem=conv_fwd:c4h6k4kh3p1
tune_device() { "$convoy" tune -q -b $backend:direct --force --budget 60 $problem >"$dir/out" 2>&1; }
algorithm() { rm -f "$dir/row.csv"; "$convoy" verify -q -b $backend:direct $problem -o "$dir/row.csv" >"$dir/out" 2>&1 && grep -o 'direct[^"]*tuned' "$dir/row.csv"; }

if "$convoy" list --devices -b $backend | grep -q "^$backend *0: .*\[software"; then
    "$convoy" tune -q -b $backend:direct $problem >"$dir/out" 2>&1; code=$?
    tap "$([ $code = 3 ] && says 'nothing is tuned for it' && [ ! -e "$file" ]; echo $?)" "$backend: a software device is left alone: exit code $code"
fi
tune_device; code=$?
tap "$([ $code = 0 ] && [ "$(grep -vc '^#' "$file")" = 1 ] && says ' tuned' && says "kept in $file"; echo $?)" "$backend: $(grep "$problem" "$dir/out")"
tap "$([ -n "$(algorithm)" ]; echo $?)" "the next run takes it: $(algorithm)"
cp "$file" "$dir/good"
sed 's/\t[^\t]*$/\tg17/' "$dir/good" >"$file"
tap "$([ -z "$(algorithm)" ] && says '"g17" that was kept is none of this problem'; echo $?)" "a configuration that the problem has not is passed over"
awk -F'\t' -v OFS='\t' '!/^#/ { $2 = "another driver" } { print }' "$dir/good" >"$file"
tap "$([ -z "$(algorithm)" ]; echo $?)" "another driver's choice is none"
sed "s/\t$backend 1\.[0-9]*\t/\t$backend 0.1\t/" "$dir/good" >"$file"
tap "$([ -z "$(algorithm)" ]; echo $?)" "another version's choice is none"
{ cat "$dir/good"; printf 'some\tdevice\tcut off'; } >"$file"
tap "$([ -n "$(algorithm)" ] && says "$file:3: it does not end; the line is ignored"; echo $?)" "a damaged line is named: $(grep -o 'tuning-.*' "$dir/out")"
tune_device
tap "$([ "$(grep -vc '^#' "$file")" = 3 ] && grep -q 'cut off$' "$file" && [ -n "$(algorithm)" ]; echo $?)" "and a new choice leaves it and all others where they are"
echo "1..$count"
exit $failed
