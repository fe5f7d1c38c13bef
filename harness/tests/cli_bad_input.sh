#!/usr/bin/env bash
# Bad input: one clear sentence that names the thing, exit code 4, and nothing lost.
set -u
build=$1
convoy=$build/bin/convoy
export CONVOY_TABLE_PATH=$(dirname "$0")/../tables
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0

# refuse PATTERN ARGS...: exit 4, and the one line on stderr matches.
refuse() {
    local pattern=$1 out code; shift
    out=$("$convoy" "$@" 2>&1 >/dev/null); code=$?
    count=$((count + 1))
    if [ $code = 4 ] && grep -qE -- "$pattern" <<<"$out" && [ "$(wc -l <<<"$out")" = 1 ]; then
        echo "ok $count - $* : $out"
    else
        echo "not ok $count - $* (exit $code, wanted 4 and /$pattern/)"; sed 's/^/# /' <<<"$out"; failed=1
    fi
}
accept() {
    local what=$1; shift
    count=$((count + 1))
    if "$@" >"$dir/out" 2>&1; then echo "ok $count - $what"; else echo "not ok $count - $what"; sed 's/^/# /' "$dir/out"; failed=1; fi
}

refuse 'conv_sideways' verify 'conv_sideways:n1c1h4k1kh3'
refuse 'kernel.*9|9.*kernel' verify -b naive 'conv_fwd:n1c1h4k1kh9'
refuse 'groups|g ?3' verify -b naive 'conv_fwd:n1c4h8k4kh3g3'
refuse 'h' verify -b naive 'conv_fwd:n1c4k4kh3'
refuse 'zz' verify -b naive 'conv_fwd:n1c4h8k4kh3zz2'
refuse '99999999999' verify -b naive 'conv_fwd:n1c99999999999h8k4kh3'
refuse '.' verify -b naive 'conv_fwd:n2000000000c2000000000h2000000k4kh3'
refuse 'nosuch' verify -b nosuch
refuse 'im2col.*nosuch|nosuch.*im2col' verify -b im2col:nosuch
refuse 'nosuchtable' verify --table nosuchtable
refuse 'unknown option --frobnicate' verify --frobnicate
refuse '--pass' verify --pass sideways
refuse '--threads' verify --threads 0
refuse '--seed' verify --seed banana
refuse '--mem-limit' verify --mem-limit 12Q
refuse 'needs a value' verify --table
refuse '--resume' verify --resume
refuse 'No such file|no such' list --plugin "$dir/absent.so" -b absent

printf 'network,layer,count,problem\nnet,a,1,conv_fwd:n1c1h4k1kh3\nnet,b,x,conv_fwd:n1c1h4k1kh3\n' >"$dir/count.csv"
refuse 'count\.csv:3.*count' verify -b naive --table "$dir/count.csv"
printf 'network,layer,count,problem\nnet,a,1,conv_fwd:n1c1h4k1kh7\n' >"$dir/shape.csv"
refuse 'shape\.csv:2.*problem' verify -b naive --table "$dir/shape.csv"
printf 'network,layer,count\nnet,a,1\n' >"$dir/header.csv"
refuse 'header\.csv:1.*problem' verify -b naive --table "$dir/header.csv"
printf 'network,layer,count,problem\nnet,"a,1,conv_fwd:n1c1h4k1kh3\n' >"$dir/quote.csv"
refuse 'quote\.csv' verify -b naive --table "$dir/quote.csv"
echo 'no plugin' >"$dir/convoy_text.so"
refuse 'convoy_text.so' verify -b text --plugin "$dir/convoy_text.so"
refuse 'convoy_plugin_v1' verify -b no_symbol --plugin "$build/tests/plugins/convoy_no_symbol.so"
refuse 'ABI 2' verify -b wrong_major --plugin "$build/tests/plugins/convoy_wrong_major.so"

count=$((count + 1))
"$convoy" verify -q -b im2col:whole --mem-limit 1K -o "$dir/limit.csv" 'conv_fwd:n1c16h32k16kh3p1' >"$dir/out" 2>&1
if [ $? = 0 ] && grep -q ',SKIPPED,.*limit' "$dir/limit.csv"; then echo "ok $count - a workspace over --mem-limit is SKIPPED with the sizes"; else
    echo "not ok $count - a workspace over --mem-limit"; sed 's/^/# /' "$dir/out"; failed=1; fi

if [ -w /dev/full ]; then
    ln -s /dev/full "$dir/full.csv"
    refuse 'No space left' verify -q -b naive -o "$dir/full.csv" 'conv_fwd:n1c1h4k1kh3'
fi
accept "list goes on beside a plugin that does not load" "$convoy" list --plugin "$build/tests/plugins"
for command in list table verify bench run new-kernel; do
    accept "$command --help shows examples" bash -c "'$convoy' $command --help | grep -q 'convoy $command'"
done

echo "1..$count"
exit $failed
