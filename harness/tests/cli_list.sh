#!/usr/bin/env bash
# convoy list: the accuracy classes behind the variants, as plans of them tell.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }

"$convoy" list >"$dir/out" 2>&1
tap "$(grep -Eq '^naive .*threads \(exact\)$' "$dir/out"; echo $?)" "naive is exact"
tap "$(grep -Eq '^template .*threads \(strict\)$' "$dir/out"; echo $?)" "template is strict"
if [ -e "$build/plugins/convoy_winograd.so" ]; then
    tap "$(grep -Eq '^winograd .*f2 \(strict\).* f6 \(fast\)' "$dir/out"; echo $?)" "winograd has both classes"
fi
# A plugin whose plans fail, or end the worker, is listed all the same.
"$convoy" list --plugin "$build/tests/plugins/convoy_misbehave.so" -b misbehave --timeout 5 >"$dir/out" 2>&1
tap "$([ $? = 0 ] && grep -q '^misbehave ' "$dir/out"; echo $?)" "a plugin that misbehaves is listed"
echo "1..$count"
exit $failed
