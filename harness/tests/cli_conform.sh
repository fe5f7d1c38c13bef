#!/usr/bin/env bash
# convoy conform: a report that tells a good plugin from one that breaks the contract; and the verdicts as JUnit XML.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }
says() { grep -qE -- "$1" "$dir/out"; tap $? "it says $1"; }
misbehave=$build/tests/plugins/convoy_misbehave.so

"$convoy" conform "$build/plugins/convoy_template.so" >"$dir/out" 2>&1
tap $? "the template conforms, taken as a file"
says '^conforms: 0 findings'
says '3x3 stride 1 +conv_fwd +yes'
says 'stride 2 +conv_fwd +no \(stride\): .+'
says '^  direct +strict +[0-9]+ passed, 0 failed'
says 'conv_fwd:c64h56k64kh3p1 +[0-9.]+ ms'

"$convoy" conform -b misbehave:healthy --plugin "$misbehave" >"$dir/out" 2>&1
tap $? "the healthy one conforms"
"$convoy" conform -b misbehave:leak --plugin "$misbehave" >"$dir/out" 2>&1
tap "$([ $? = 1 ]; echo $?)" "one that leaks does not: exit code 1"
says 'LEAK +execute-heap'
"$convoy" conform -b misbehave:crash --plugin "$misbehave" >"$dir/out" 2>&1
tap "$([ $? = 1 ]; echo $?)" "nor does one that crashes"
says 'CRASH .*SIGSEGV'
says '^does not conform: [0-9]+ findings'
"$convoy" conform -b misbehave:liar --plugin "$misbehave" >"$dir/out" 2>&1
tap "$([ $? = 1 ]; echo $?)" "nor does a liar"
says 'LIAR'
"$convoy" conform "$dir/absent.so" >"$dir/out" 2>&1
tap "$([ $? = 4 ]; echo $?)" "a file that is not there: exit code 4"
"$convoy" conform >"$dir/out" 2>&1
tap "$([ $? = 4 ]; echo $?)" "nothing to judge: exit code 4"

"$convoy" verify -q -b misbehave:healthy -b misbehave:nan --plugin "$misbehave" --threads 1 --junit "$dir/out.xml" 'conv_fwd:c4h9k6kh3p1' 'relu:n8' >"$dir/out" 2>&1
tap "$([ $? = 1 ]; echo $?)" "a run with a failure writes its verdicts as XML"
cp "$dir/out.xml" "$dir/out"
says '<testsuite name="misbehave:nan" .*tests="2" failures="1" errors="0" skipped="1"'
says '<failure type="FAIL" message="FAIL: .+">convoy verify -b misbehave:nan'
if python3 -c 'import xml.dom.minidom' 2>/dev/null; then
    python3 -c "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])" "$dir/out.xml"
    tap $? "it is well-formed XML"
else
    count=$((count + 1)); echo "ok $count - it is well-formed XML # SKIP python3 is not here"
fi
echo "1..$count"
exit $failed
