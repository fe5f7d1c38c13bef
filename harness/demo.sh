#!/usr/bin/env bash
# The main job, end to end: which backends are here, are they right, how fast are they, and what is each worth in a whole network?
# Usage: demo.sh BUILD. Each backend takes part with its default variant. Rows go to results/<machine-id>/, the page to BUILD/report.html.
# CONVOY_DEMO_DATA: a folder of MNIST-like files for the training at the end (default: a made set).
set -euo pipefail
build=$1
convoy=$build/bin/convoy
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() { printf '\n== %s\n\n' "$*"; }

step 'Backends'
"$convoy" list
step 'Are they right? The lecture shapes in all passes'
"$convoy" verify --first-variants --table lecture -o results/ | tee -a "$log"
# A processor that plays a GPU would take minutes for whole networks, and its times say nothing.
if ! "$convoy" list --devices | grep -Eqi 'discrete|integrated|virtual|accelerator'; then
    echo; echo 'No GPU here: the backends of software devices take no part in what follows.'
    export VK_DRIVER_FILES=/dev/null VK_ICD_FILENAMES=/dev/null OCL_ICD_VENDORS=/nonexistent
fi
step 'Are they right? Every layer of VGG-16 and ResNet-50 at batch 1, forward'
"$convoy" verify --first-variants --table vgg-d --table resnet50 --pass fwd -o results/ | tee -a "$log"
verified=$(sed -n 's/^rows: //p' "$log" | tail -n 1)
step 'How fast? The lecture shapes, forward'
"$convoy" bench --first-variants --table lecture --op conv --threads 1 --rounds 3 --budget 0.2 -o results/ | tee -a "$log"
step 'How fast, and what is it worth? VGG-16 and ResNet-50 at batch 1, forward, all threads'
"$convoy" bench --first-variants --table vgg-d --table resnet50 --threads "$(nproc)" --rounds 3 --budget 0.2 --verified "$verified" -o results/ | tee -a "$log"
if [ -x "$build/bin/convoy-train" ]; then
    step 'What is it worth in training? LeNet-5 for a short while, with the backends that win each layer and pass here'
    XDG_CACHE_HOME=$build/cache "$build/bin/convoy-train" run lenet5 --epochs 2 --batch 64 --lr 0.02 --select-budget 10 --quiet ${CONVOY_DEMO_DATA:+--data "$CONVOY_DEMO_DATA"}
fi
step 'All of it on one page'
mapfile -t files < <(sed -n 's/^rows: //p' "$log")
"$convoy" report -q "${files[@]}" -o "$build/report.html"
