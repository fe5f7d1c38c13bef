#!/usr/bin/env bash
# run.sh FOLDER SECONDS: each fuzzer in FOLDER for SECONDS, from a copy of the committed corpus; a finding stays in FOLDER and fails.
set -eu
folder=$1 seconds=$2
here=$(dirname "$0")
for fuzzer in "$folder"/fuzz_*; do
    [ -x "$fuzzer" ] && [ ! -d "$fuzzer" ] || continue
    name=${fuzzer##*/fuzz_}
    case $name in *.*) continue ;; esac
    mkdir -p "$folder/corpus/$name"
    "$fuzzer" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$folder/finding-$name-" -print_final_stats=1 \
        -close_fd_mask=1 "$folder/corpus/$name" "$here/corpus/$name" 2>"$folder/$name.log" || { tail -40 "$folder/$name.log"; exit 1; }
    printf 'fuzz %-10s %s s, no finding, %s\n' "$name" "$seconds" "$(sed -n 's/stat::number_of_executed_units: */executions: /p' "$folder/$name.log")"
done
