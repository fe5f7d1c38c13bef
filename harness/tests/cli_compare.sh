#!/usr/bin/env bash
# convoy compare and convoy history as a whole: what they take, write and answer. What depends on speed is studied by study_compare.sh; the
# only times judged here are those of result files made by hand.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export TMPDIR=$dir
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
says() { grep -q -- "$1" "$dir/out"; echo $?; }
code() { local wanted=$1; shift; "$@" > "$dir/out" 2>&1; local rc=$?; [ $rc = "$wanted" ] || { echo "exit code $rc, wanted $wanted:"; cat "$dir/out"; } >&2; [ $rc = "$wanted" ]; }

# ---- two result files ----
rows() { # MACHINE PERCENT
    echo command,network,layer,count,problem,pass,backend,threads,cache,verdict,median_ns,mad_ns,rounds,seed,machine,utc
    for layer in 1 2 3; do
        echo "bench,net,l$layer,$layer,conv_fwd:c${layer}h5k4kh3,fwd,x,1,hot,PASS,$((layer * 10000 * $2)),$((layer * 1000)),15,1,$1,2026-01-0$layer"
    done
}
rows m 100 > "$dir/old.csv"
rows m 130 > "$dir/slow.csv"
rows m 101 > "$dir/same.csv"
rows m 70 > "$dir/fast.csv"
rows other 130 > "$dir/other.csv"
code 2 "$convoy" compare "$dir/old.csv" "$dir/slow.csv" --summary "$dir/summary.md" --junit "$dir/junit.xml"; tap $? "30 % slower by two files: exit code 2"
tap "$(says 'networks: 1 regressed, 0 improved')" "and the network is called regressed"
tap "$(says 'layers: 3 regressed')" "and so are its layers"
tap "$(says 'Weaker evidence')" "and it is said that files are weaker evidence"
tap "$(grep -q '^### net fwd, 1 thread, hot cache: REGRESSED' "$dir/summary.md"; echo $?)" "the summary says so"
tap "$(grep -q '<failure type="REGRESSED"' "$dir/junit.xml" && [ "$(grep -c '<testcase' "$dir/junit.xml")" = 4 ]; echo $?)" "and the JUnit file"
code 0 "$convoy" compare "$dir/old.csv" "$dir/same.csv" --summary "$dir/summary.md"; tap $? "1 % apart: exit code 0"
tap "$(says '1 equivalent'; )" "and equivalent"
tap "$([ "$(grep -c '^## Convoy' "$dir/summary.md")" = 2 ]; echo $?)" "a summary is appended to"
code 0 "$convoy" compare "$dir/old.csv" "$dir/fast.csv"; tap $? "30 % faster: exit code 0"
tap "$(says 'networks: 0 regressed, 1 improved')" "and improved"
code 3 "$convoy" compare "$dir/old.csv" "$dir/other.csv"; tap $? "another machine: inconclusive"
code 0 "$convoy" compare "$dir/old.csv" "$dir/slow.csv" --threshold 50; tap $? "30 % is no change where the threshold is 50"
code 4 "$convoy" compare "$dir/old.csv" "$dir/nosuch.csv"; tap $? "a file that is not there"

# ---- two builds ----
plugin=$build/plugins/convoy_direct.so
code 4 "$convoy" compare "$plugin"; tap $? "one build alone"
code 4 "$convoy" compare "$plugin" "$dir/convoy_nosuch.so"; tap $? "a plugin that is not there"
code 4 "$convoy" compare nosuch direct; tap $? "a backend that is not there"
code 4 "$convoy" compare direct direct --variant nosuch; tap $? "a variant that is not there"
code 4 "$convoy" compare direct direct --gate nosuch; tap $? "a gate that is not there"
mkdir "$dir/new"
cp "$plugin" "$dir/new/"
"$convoy" compare "$plugin" "$dir/new/convoy_direct.so" --rounds 1 'conv_fwd:c4h9k4kh3' 'conv_fwd:c3h5k2kh1' -o "$dir/c.csv" > "$dir/out" 2>&1
tap "$([ $? = 3 ]; echo $?)" "one round decides nothing: exit code 3"
tap "$([ "$(wc -l < "$dir/c.csv")" = 4 ] && grep -q 'compare,,(network),1' "$dir/c.csv"; echo $?)" "a row per layer and one for the network"
tap "$([ "$(grep -c ',old,\|,old-twin,\|,new,\|,new-twin,' "$dir/c.samples.csv")" = 16 ]; echo $?)" "and every batch of two runs and four workers in the sample file"
tap "$([ -z "$(ls -d "$dir"/convoy-* 2>/dev/null)" ]; echo $?)" "the copies are gone"

# ---- bench ----
"$convoy" bench -q -b direct --rounds 2 --threads 1 'conv_fwd:c4h9k4kh3' -o "$dir/b.csv" > /dev/null
tap $? "a quick bench"
tap "$([ "$(wc -l < "$dir/b.samples.csv")" = 3 ]; echo $?)" "has its batches in the sample file"
"$convoy" bench -q -b direct --rounds 2 --threads 1 --cache cold 'conv_fwd:c4h9k4kh3' -o "$dir/b.csv" --resume > /dev/null
tap $? "a cold one is another case"
tap "$([ "$(wc -l < "$dir/b.csv")" = 3 ] && [ "$(wc -l < "$dir/b.samples.csv")" = 5 ]; echo $?)" "and both files grow"
"$convoy" bench -q -b direct --rounds 2 --threads 1 'conv_fwd:c4h9k4kh3' -o "$dir/b.csv" --resume > /dev/null
tap "$([ "$(wc -l < "$dir/b.csv")" = 3 ] && [ "$(wc -l < "$dir/b.samples.csv")" = 5 ]; echo $?)" "what is there is not measured again"

# ---- history ----
mkdir -p "$dir/results/m"
cp "$dir/old.csv" "$dir/results/m/1.csv"
sed 's/2026-01/2026-02/' "$dir/slow.csv" > "$dir/results/m/2.csv"
cp "$dir/b.samples.csv" "$dir/results/m/2.samples.csv"
echo 'network,winner' > "$dir/results/m/select.csv"
code 0 "$convoy" history "$dir/results"; tap $? "history reads a folder"
tap "$(says '^m: net fwd, batch 1, 1 thread, hot cache, 3 layers')" "and finds the network"
tap "$(says '+30.0 \*')" "and marks the step, which gates nothing"
code 4 "$convoy" history "$dir/nosuch"; tap $? "a folder that is not there"
echo "1..$count"
exit $failed
