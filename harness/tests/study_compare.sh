#!/usr/bin/env bash
# How often does `convoy compare` cry wolf, and how often does it miss? Not part of `make check`, because it measures.
#
#     study_compare.sh BUILD [RUNS [KIND...]]
#
# The plugin that BASE names (default: direct), slowed by a busy loop (tests/plugins/slowed.c), against itself, RUNS (5) times each, with a
# busy loop on one core all the while (LOAD=0: without):
#     control  1.00 against 1.00 on 50 layers    wanted: no layer and no network regressed or improved
#     small    1.05 against 1.00 on 12 layers    wanted: the network regressed
#     large    1.50 against 1.00 on 12 layers    wanted: the network and every layer regressed
# One line per run; exit code 1 if any is not as wanted.
set -u
build=$1 runs=${2:-5}
shift; [ $# -gt 0 ] && shift
kinds=(${@:-control small large})
export CONVOY_SLOWED_BASE=$(readlink -f "$build/plugins/convoy_${BASE:-direct}.so")
slowed=$build/tests/plugins/convoy_slowed.so
dir=$(mktemp -d)
load=
trap 'rm -rf "$dir"; [ -z "$load" ] || kill "$load"' EXIT
if [ "${LOAD:-1}" != 0 ]; then
    (while :; do :; done) &
    load=$!
fi

{
    echo network,layer,count,problem
    for c in 16 32 64 96 128; do
        for shape in h7k64kh3p1 h14k32kh3p1 h28k16kh3p1 h14k96kh1 h28k32kh1 h56k16kh1 h28k32kh3s2p1 h14k16kh5p2 h20k24kh3 h40k48kh1s2; do
            echo "study,c$c-$shape,1,conv_fwd:c$c$shape"
        done
    done
} > "$dir/50.csv"
awk -F, 'NR == 1 || NR % 4 == 2' "$dir/50.csv" | head -13 > "$dir/12.csv"

failed=0
for kind in "${kinds[@]}"; do
    case $kind in
    control) factor=1.00 table=$dir/50.csv ;;
    small) factor=1.05 table=$dir/12.csv ;;
    large) factor=1.50 table=$dir/12.csv ;;
    *) echo "no such kind: $kind" >&2; exit 4 ;;
    esac
    for run in $(seq "$runs"); do
        begin=$SECONDS
        "$build/bin/convoy" compare -q --seed "$run" "$slowed:1.00" "$slowed:$factor" --table "$table" -o "$dir/$kind-$run.csv" > "$dir/out"
        code=$?
        networks=$(sed -n 's/^networks: //p' "$dir/out") layers=$(sed -n 's/^layers: //p' "$dir/out")
        word=ok
        case $kind in
        control) [[ $code != 2 && $networks == "0 regressed, 0 improved"* && $layers == "0 regressed, 0 improved"* ]] || word=WRONG ;;
        small) [[ $code = 2 && $networks == "1 regressed"* ]] || word=WRONG ;;
        large) [[ $code = 2 && $networks == "1 regressed"* && $layers == "12 regressed"* ]] || word=WRONG ;;
        esac
        [ $word = ok ] || failed=1
        reason=$(grep '(network)' "$dir/$kind-$run.csv" | grep -o '[0-9.]* % [a-z]* (95 % interval [^)]*), noise floor [0-9.]* %')
        echo "$word $kind $run: exit $code, network: $reason; layers: $layers; $((SECONDS - begin)) s"
        [ -z "${KEEP:-}" ] || cp "$dir/$kind-$run".* "$KEEP"
    done
done
exit $failed
