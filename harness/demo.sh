#!/usr/bin/env bash
# The main job, end to end: which backends are here, are they right, how fast are they, and what is each worth in a whole network?
# Usage: demo.sh BUILD. Rows go to results/<machine-id>/.
set -euo pipefail
build=$1
convoy=$build/bin/convoy
step() { printf '\n== %s\n\n' "$*"; }

step 'Backends'
"$convoy" list
step 'Verification: the lecture shapes, and every layer of VGG-16 and ResNet-50 at batch 1, all passes'
"$convoy" verify --table lecture --table vgg-d --table resnet50 -o results/
step 'Timing, forward: the lecture shapes with one thread'
"$convoy" bench --table lecture --threads 1 --rounds 3 --budget 0.5 -o results/
step 'Timing, forward: VGG-16 and ResNet-50 at batch 1 with all threads'
"$convoy" bench --table vgg-d --table resnet50 --threads "$(nproc)" --rounds 5 --budget 0.5 -o results/
