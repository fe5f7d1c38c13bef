#!/usr/bin/env bash
# convoy regress: one command keeps a failing case with a sentence why; verify then runs it.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
refused() { tap "$([ "$1" = 4 ] && cmp -s "$dir/regress.csv" "$dir/before.csv"; echo $?)" "$2 is refused and nothing is written"; }

printf 'network,layer,count,problem,note\nregress,first,1,conv_fwd:c1h5k1kh3,The first.\n' >"$dir/regress.csv"
"$convoy" regress 'conv_fwd:c3h9k4kh3s2p1' --table "$dir/regress.csv" --name odd-stride --why 'The last row, and "more", was dropped.' >/dev/null
tap $? "a case is added"
tap "$(grep -qx 'regress,odd-stride,1,conv_fwd:c3h9k4kh3s2p1,"The last row, and ""more"", was dropped."' "$dir/regress.csv"; echo $?)" "with its sentence"
"$convoy" verify -q -b naive --table "$dir/regress.csv" --pass fwd >"$dir/out"
tap $? "the table verifies"
tap "$(grep -q '^2 rows: 2 PASS' "$dir/out"; echo $?)" "with both cases"
cp "$dir/regress.csv" "$dir/before.csv"
"$convoy" regress 'conv_fwd:n1c3h9k4kh3s2p1' --table "$dir/regress.csv" --name again --why 'The same once more.' 2>/dev/null; refused $? "a problem that is there already"
"$convoy" regress 'conv_fwd:c3h9k4kh3' --table "$dir/regress.csv" --name first --why 'Another one.' 2>/dev/null; refused $? "a name that is taken"
"$convoy" regress 'conv_fwd:c3h9k4kh3' --table "$dir/regress.csv" --name other 2>/dev/null; refused $? "a case without a sentence"
"$convoy" regress 'conv_fwd:c3h9k4kh33' --table "$dir/regress.csv" --name other --why 'It is impossible.' 2>/dev/null; refused $? "an impossible problem"
"$convoy" regress 'conv_fwd:c3h9k4kh3' --table nosuch --name other --why 'No table.' 2>/dev/null; refused $? "an unknown table"
echo "1..$count"
exit $failed
