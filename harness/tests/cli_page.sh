#!/usr/bin/env bash
# convoy report as a whole: what it takes and writes; and its page in a real browser, headless Chromium: no error, working filters, and
# every number equal to the file's. Without Chromium the second half is skipped.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
skip() { count=$((count + 1)); echo "ok $count - $2 # SKIP $1"; }
code() { local wanted=$1; shift; "$@" > "$dir/out" 2>&1; local rc=$?; [ $rc = "$wanted" ] || { echo "exit code $rc, wanted $wanted:"; cat "$dir/out"; } >&2; [ $rc = "$wanted" ]; }
holds() { grep -q -- "$2" "$1"; echo $?; }

# ---- two machines, three candidates, all passes, one failure, hot and cold, one comparison; names that try to break out ----
head='command,network,layer,count,problem,op,pass,backend,variant,algorithm,numerics,accuracy_class,threads,cache,verdict,reason,error_in_bounds,l2_rel,median_ns,min_ns,mad_ns,rounds,low_ns,high_ns,gflops,pct_peak,peak_gflops,workspace_bytes,prepared_bytes,baseline_ns,ratio,ratio_low,ratio_high,p_holm,seed,machine,cpu,plugin_hash,utc,pct_roof,roof_gbps,roof,phases,without_moves_ns'
rows() { # MACHINE SPEED
    local pass layer threads backend n=0
    echo "$head"
    for threads in 1 2; do for pass in fwd bwd-data; do for layer in 1 2 3; do for backend in a,,direct,direct b,f4,"winograd(4,3)","\"winograd(4,3)\"" c,,"gemm, software device",gemm; do
        n=$((n + 1))
        IFS=, read -r name variant _ <<< "$backend"
        local numerics=direct algorithm=direct
        [ "$name" != b ] || numerics='"winograd(4,3)"' algorithm='"F(4,3)"'
        [ "$name" != c ] || numerics=gemm algorithm='"gemm, software device"'
        local ns=$((layer * 100000 * $2 / threads + n * 7777)) op=conv_${pass//-/_}
        local case="net,l$layer,$layer,$op:c$((layer * 8))h16k8kh3p1,$op,$pass,$name,$variant,$algorithm,$numerics,strict,$threads"
        if [ "$name$layer" = b3 ]; then
            echo "bench,$case,hot,UNSUPPORTED,\"says \"\"no\"\", for the test\",,,,,,,,,,,,,,,,,,,1,$1,Processor of $1,00$name,2026-01-01T00:00:00Z,,,,,"
        else
            echo "verify,$case,,PASS,,0.0$n,1.2$n,,,,,,,,,,$((n * 1024)),0,,,,,,1,$1,Processor of $1,00$name,2026-01-01T00:00:00Z,,,,,"
            echo "bench,$case,hot,PASS,,0.0$n,1.2e-07,$ns,$((ns - 99)),$((ns / 50)),8,$((ns - 500)),$((ns + 500)),$n.25,$n.5,200.125,$((n * 1024)),$((n * 100)),,,,,,1,$1,Processor of $1,00$name,2026-01-01T00:00:00Z,$n.75,50.5,L3,multiply=5 reorder=2,7"
        fi
    done; done; done; done
    echo "verify,</script><script>alert(1)</script>,<!--<script>,1,relu:n4,relu,fwd,\"<img src=x onerror=alert(1)>\",,x,exact,exact,1,,FAIL,\"<b>wrong</b>\",2.5,,,,,,,,,,,0,0,,,,,,1,$1,Processor of $1,00x,2026-01-01T00:00:00Z,,,,,"
    echo "bench,net,l1,1,conv_fwd:c8h16k8kh3p1,conv_fwd,fwd,a,,direct,direct,strict,1,cold,PASS,,0.01,1e-07,987654,987000,99,8,987000,988000,1.5,0.75,200.125,0,0,,,,,,1,$1,Processor of $1,00a,2026-01-01T00:00:00Z,,,,,"
    echo "compare,net,(network),1,,,fwd,a,,,,,1,hot,REGRESSED,slower,,,250000,,,8,,,,,,,,200000,1.25,1.2,1.3,0.001,1,$1,Processor of $1,00a,2026-01-01T00:00:00Z,,,,,"
}
rows one 3 > "$dir/one.csv"
rows two 5 > "$dir/two.csv"
echo 'network,backend,step,loss,accuracy,gradient_difference,gradient_bound,gradient_tensor' > "$dir/training.csv"
for step in 1 2 3; do echo "net,a,$step,$((9 / step)).5,0.5,,,"; echo "net,b,$step,$((9 / step)).25,0.5,1e-06,1e-05,conv1.w"; done >> "$dir/training.csv"
{ echo '# machine one'; echo 'network,layer,backend,ms'; echo 'net,l1,a,0.25'; } > "$dir/select.csv"

code 4 "$convoy" report; tap $? "no file: exit code 4"
code 4 "$convoy" report "$dir/nosuch.csv" -o "$dir/x.html"; tap $? "a file that is not there"
tap "$([ ! -e "$dir/x.html" ]; echo $?)" "writes nothing"
code 4 "$convoy" report "$dir/training.csv" --training "$dir/nosuch.csv" -o "$dir/x.html"; tap $? "nor does one that is no result file"
code 0 "$convoy" report "$dir/one.csv" "$dir/two.csv" --training "$dir/training.csv" --select "$dir/select.csv" -o "$dir/page.html" --markdown "$dir/page.md"; tap $? "two machines in one report"
tap "$(holds "$dir/out" "^report: $dir/page.html$")" "the path is printed last"
tap "$(holds "$dir/out" 'Best single backend: a')" "and the best single backend"
tap "$(holds "$dir/page.md" '^## Is it right?')" "Markdown has sections"
tap "$(holds "$dir/page.md" '^### net fwd, 1 thread, hot cache: REGRESSED')" "and the comparison"
tap "$(holds "$dir/page.md" '(software device)')" "and marks software devices"
tap "$([ "$(stat -c %s "$dir/page.html")" -lt 500000 ]; echo $?)" "the page is small"
CONVOY_CHART_JS=/nonexistent "$convoy" report -q "$dir/one.csv" -o "$dir/bare.html" > /dev/null 2> "$dir/err"
tap "$(holds "$dir/err" 'libjs-chart.js')" "without Chart.js the package is named"
"$convoy" report -q "$dir/one.csv" -o "$dir/again.html" > /dev/null 2>&1 && "$convoy" report -q "$dir/one.csv" -o "$dir/again2.html" > /dev/null 2>&1
tap "$(cmp -s "$dir/again.html" "$dir/again2.html"; echo $?)" "the same files make the same page"

# ---- in the browser ----
browser=
for name in chromium chromium-browser google-chrome; do [ -n "$browser" ] || browser=$(command -v $name); done
dump() { timeout 100 "$browser" --headless=new --no-sandbox --disable-gpu --user-data-dir="$dir/profile" --virtual-time-budget=10000 \
    --enable-logging=stderr --dump-dom "file://$1#check" > "$dir/dom" 2> "$dir/log"; }
attribute() { sed -n "s/^<html[^>]* data-$1=\"\([^\"]*\)\".*/\1/p" "$dir/dom"; }

# Each element's row, column and text against the file's; the sum of a network against one made here.
numbers() {
    grep -o 'data-s="[0-9]*" data-c="[a-z0-9_]*" data-v="[^"]*"' "$dir/dom" | sort -u > "$dir/shown"
    awk -v shown="$dir/shown" '
    function split_row(line, field,    n, at, c, quoted, text) {
        n = 1; field[1] = ""
        for (at = 1; at <= length(line); at++) {
            c = substr(line, at, 1)
            if (quoted && c == "\"" && substr(line, at + 1, 1) == "\"") { field[n] = field[n] c; at++ }
            else if (c == "\"") quoted = !quoted
            else if (c == "," && !quoted) field[++n] = ""
            else field[n] = field[n] c
        }
        return n
    }
    FNR == 1 { n = split_row($0, field); for (k = 1; k <= n; k++) column[field[k]] = k; next }
    { n = split_row($0, field); for (k = 1; k <= n; k++) value[row + 0, k] = field[k]; row++ }
    END {
        while ((getline line < shown) > 0) {
            split(line, part, "\"")
            total++
            if (!((part[2], column[part[4]]) in value) || value[part[2], column[part[4]]] != part[6]) { print "wrong: " line; wrong++ }
        }
        print total " numbers"
        exit wrong || total < 80
    }' "$dir/one.csv" "$dir/two.csv"
}
if [ -z "$browser" ]; then
    skip "no chromium here" "the page in a browser"
else
    dump "$dir/page.html"
    tap "$([ -n "$(attribute ready)" ]; echo $?)" "the page is built"
    tap "$(! grep -q 'data-errors=' "$dir/dom" && ! grep -Eq 'CONSOLE.*(Error|error|Uncaught|Refused|Failed)' "$dir/log"; echo $?)" "without an error on the console"
    tap "$([ "$(attribute ready)" -lt 2000 ]; echo $?)" "in under 2 s"
    tap "$(grep -q ' data-findings=""' "$dir/dom"; echo $?)" "filters and sorting work, and numbers are shown as they are: $(attribute findings)"
    numbers > "$dir/numbers"; tap $? "every number is the file's: $(tail -n 3 "$dir/numbers" | tr '\n' ' ')"
    best=$(awk -F, '$1 == "bench" && $0 ~ /,fwd,.*,strict,1,hot,PASS,/ { split($0, f, ",hot,PASS,,"); split(f[2], g, ","); if (!($3 in least) || g[3] < least[$3]) least[$3] = g[3]; times[$3] = $4 }
        END { for (l in least) sum += times[l] * least[l]; printf "%d", sum }' "$dir/one.csv")
    tap "$(grep -q "data-v=\"$best\" data-formula" "$dir/dom"; echo $?)" "the network's sum is right: $best ns"
    tap "$(! grep -q '<img src=x' "$dir/dom" && grep -q '&lt;img src=x' "$dir/dom"; echo $?)" "names stay text"
    if grep -q 'Chart.js was not on the machine' "$dir/page.html" && [ "$(attribute charts)" = 0 ]; then
        skip "no Chart.js here (libjs-chart.js)" "charts"
    else
        tap "$([ "$(attribute charts)" -ge 5 ]; echo $?)" "charts are drawn: $(attribute charts)"
    fi
    dump "$dir/bare.html"
    tap "$(grep -q ' data-findings=""' "$dir/dom" && ! grep -q 'data-errors=' "$dir/dom" && grep -q 'id="no-charts"' "$dir/dom"; echo $?)" "without Chart.js the page has its tables, and says so"
fi
echo "1..$count"
exit $failed
