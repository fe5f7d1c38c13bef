#!/usr/bin/env bash
# convoy-train from outside: the same bits from the same seed, after kill -9 and for every number of threads; accumulation and processes
# equal to the large batch; files that others can read; errors that name what is wrong.
set -u
build=$1
train=$build/bin/convoy-train
if [ ! -x "$train" ]; then
    echo "1..0 # SKIP convoy-train is not built here"
    exit 77
fi
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi; }
skip() { count=$((count + 1)); echo "ok $count - # SKIP $1"; }
same() { cmp -s "$1/weights.safetensors" "$2/weights.safetensors"; }
# Says whether column $3 of the first epoch's rows of two runs differs by at most $4: rounding grows with every step.
near() { paste -d, <(sed -n 2p "$1/metrics.csv") <(sed -n 2p "$2/metrics.csv") | awk -F, -v c="$3" -v most="$4" '{ d = $c - $(c + 18); exit !(d <= most && d >= -most) }'; }

short=(run lenet5 --limit 640 --epochs 2 --lr 0.02 --backend im2col --quiet)
run() { "$train" "${short[@]}" "$@" >"$dir/log" 2>&1; }

run --batch 32 --threads 1 --out "$dir/a"; tap $? "a short training ends well"
run --batch 32 --threads 1 --out "$dir/b"; same "$dir/a" "$dir/b"; tap $? "the same seed gives the same bits"
run --batch 32 --threads 1 --no-loader --out "$dir/c"; same "$dir/a" "$dir/c"; tap $? "the loader's thread changes no bit"
run --batch 32 --threads 1 --seed 2 --out "$dir/d"; ! same "$dir/a" "$dir/d"; tap $? "another seed gives another model"
grep -qa "zeros/relu1" "$dir"/a/events.out.* && grep -qa "gradient/conv1.weight" "$dir"/a/events.out.*; tap $? "zeros and gradients are among the events, layer by layer"
run --batch 16 --accumulate 2 --threads 1 --out "$dir/e"; near "$dir/a" "$dir/e" 4 1e-4; tap $? "accumulated gradients are those of the large batch"

for steps in 3 11 25; do
    rm -rf "$dir/k"
    "$train" "${short[@]}" --batch 32 --threads 1 --out "$dir/k" --save-every 1 >/dev/null 2>&1 & program=$!
    while [ "$(grep -ao '"step":"[0-9]*"' "$dir/k/state.safetensors" 2>/dev/null | tr -dc 0-9 || echo 0)" -lt $steps ] 2>/dev/null && kill -0 $program 2>/dev/null; do sleep 0.002; done
    kill -9 $program 2>/dev/null; wait $program 2>/dev/null
    run --batch 32 --threads 1 --out "$dir/k" --save-every 1 --resume; tap $? "a run killed after about $steps steps goes on"
    same "$dir/a" "$dir/k"; tap $? "and ends with the bits of the unbroken run"
    tap "$([ "$(cut -d, -f1-8 "$dir/a/metrics.csv")" = "$(cut -d, -f1-8 "$dir/k/metrics.csv")" ]; echo $?)" "and with its metrics"
done

rm -rf "$dir/k"
"$train" "${short[@]}" --epochs 500 --batch 32 --threads 1 --out "$dir/k" >"$dir/log" 2>&1 & program=$!
sleep 0.5; kill -TERM $program; wait $program
tap "$([ $? = 130 ]; echo $?)" "SIGTERM ends with exit code 130"
tap "$([ -s "$dir/k/state.safetensors" ]; echo $?)" "and leaves the state"

"$train" eval lenet5 --load "$dir/a/weights.safetensors" --backend im2col >"$dir/log" 2>&1; tap $? "saved weights are judged"
"$train" eval lenet5 --load "$dir/a/weights.safetensors" --load "$dir/d/weights.safetensors" --backend im2col >"$dir/log" 2>&1
tap "$(grep -q 'mean of 2' "$dir/log"; echo $?)" "two files are an ensemble"
once=$("$train" eval lenet5 --load "$dir/a/weights.safetensors" --backend im2col)
twice=$("$train" eval lenet5 --load "$dir/a/weights.safetensors" --load "$dir/b/weights.safetensors" --average --backend im2col)
tap "$([ -n "$once" ] && [ "$once" = "$twice" ]; echo $?)" "the average of equal weights are these weights"
small=(resnet20 --width 0.25 --backend im2col --threads 1)
"$train" run "${small[@]}" --limit 320 --epochs 2 --batch 32 --lr 0.05 --quiet --out "$dir/bn" >"$dir/log" 2>&1
once=$("$train" eval "${small[@]}" --load "$dir/bn/weights.safetensors" | sed 's/.*accuracy/accuracy/')
folded=$("$train" eval "${small[@]}" --load "$dir/bn/weights.safetensors" --fold-bn | sed 's/.*accuracy/accuracy/')
tap "$([ -n "$once" ] && [ "$once" = "$folded" ]; echo $?)" "folded batch norms judge alike"
run --batch 32 --threads 1 --lr-scale conv=1 --class-weights 1,1,1,1,1,1,1,1,1,1 --out "$dir/h"; same "$dir/a" "$dir/h"; tap $? "factors and weights of 1 change no bit"
run --batch 32 --load "$dir/a/weights.safetensors" --load-exclude fc5 --freeze conv --out "$dir/f"; tap $? "old weights are tuned, with the first layers frozen"
"$train" run lenet5 --overfit 32 --batch 32 --epochs 60 --lr 0.05 --backend im2col --target-accuracy 1 --quiet >"$dir/log" 2>&1
tap $? "a tiny set is learnt by heart"
"$train" run lenet5 --limit 64 --epochs 1 --lr 1e-9 --backend im2col --target-accuracy 0.99 --quiet >"$dir/log" 2>&1
tap "$([ $? = 1 ]; echo $?)" "a target that is missed is exit code 1"
"$train" run lenet5 --limit 640 --epochs 3 --lr 1e6 --backend im2col --quiet >"$dir/log" 2>&1
tap "$([ $? = 4 ] && grep -q 'the loss is no number' "$dir/log"; echo $?)" "a loss that is no number stops the run and names where it starts"
"$train" compare lenet5 --backends im2col --steps 3 --batch 16 --limit 64 >"$dir/log" 2>&1; tap $? "im2col trains as the reference does"
"$train" check lenet5 --width 0.5 --batch 2 --backend naive >"$dir/log" 2>&1; tap $? "gradients are checked"
for command in run eval summary compare check time list; do "$train" $command --help | grep -q "example.*:"; tap $? "$command has help with examples"; done
"$train" summary lenet5 --backend im2col >"$dir/log" 2>&1; tap "$(grep -q '^parameters  *61706 ' "$dir/log" && grep -q '416520' "$dir/log"; echo $?)" "the summary has the known totals"
run --batch 32 --filters "$dir/filters.png" --out "$dir/g"; tap "$(head -c 4 "$dir/filters.png" | grep -q PNG; echo $?)" "filters become a picture"

refused() { local words=$1; shift; "$train" "$@" >"${out:-/dev/null}" 2>"$dir/log"; local rc=$?; [ $rc = 4 ] && grep -q -- "$words" "$dir/log"; tap $? "refused: $words"; }
refused "no network is named lenet6" run lenet6
refused "no option --bathc" run lenet5 --bathc 3
refused "--batch: 'x'" run lenet5 --batch x
refused "--input: '3x3'" run lenet5 --input 3x3
refused "no backend is named nosuch" run lenet5 --backend nosuch --limit 64
refused "/nonexistent: no such folder" run lenet5 --data /nonexistent
refused "holds a run already" "${short[@]}" --batch 32 --out "$dir/a"
refused "batch=32\*1 there, batch=16\*1 now" "${short[@]}" --batch 16 --out "$dir/a" --resume
refused "2 weights for 10 classes" run lenet5 --class-weights 1,2 --limit 64 --backend im2col
refused "is not PREFIX=X" run lenet5 --lr-scale conv1 --limit 64 --backend im2col
refused "eval needs --load" eval lenet5
refused "needs --out" run lenet5 --resume
refused "needs --step-epochs" run lenet5 --schedule step
refused "no activation follows" run perceptron --bn after
cp -r "$dir/a" "$dir/broken"; head -c 3000 "$dir/a/state.safetensors" >"$dir/broken/state.safetensors"
refused "broken/state.safetensors" "${short[@]}" --batch 32 --threads 1 --out "$dir/broken" --resume
cp "$dir/a/weights.safetensors" "$dir/broken/state.safetensors"
refused "broken/state.safetensors" "${short[@]}" --batch 32 --threads 1 --out "$dir/broken" --resume
head -c 3000 "$dir/a/weights.safetensors" >"$dir/cut.safetensors"
refused "cut.safetensors" eval lenet5 --load "$dir/cut.safetensors" --backend im2col
mkdir -p "$dir/pictures/train/cat" "$dir/pictures/test/dog"
cp "$dir/filters.png" "$dir/pictures/train/cat/1.png"; cp "$dir/filters.png" "$dir/pictures/test/dog/1.png"
refused "class 0 is cat in training and dog in test" run lenet5 --data "$dir/pictures" --backend im2col
rm -r "$dir/pictures/test"
refused "val-fraction" run lenet5 --data "$dir/pictures" --backend im2col
head -c 60 "$dir/filters.png" >"$dir/pictures/train/cat/1.png"
refused "cat/1.png" run lenet5 --data "$dir/pictures" --backend im2col
if [ -w /dev/full ]; then out=/dev/full refused "standard output" list; else skip "no /dev/full"; fi
refused "names differ" eval lenet-caffe --load "$dir/a/weights.safetensors" --backend im2col

# Parameters in the memory of a device are freed before the device is closed; what is freed is overwritten, so that a late look shows.
for device in vulkan opencl; do
    if "$train" summary lenet5 --backend $device:gemm 2>/dev/null | grep -q "$device:gemm"; then
        MALLOC_PERTURB_=165 "$train" run lenet5 --limit 64 --epochs 1 --batch 32 --backend $device:gemm --quiet >"$dir/log" 2>&1
        tap $? "training on $device ends well"
    else
        skip "no device for $device here"
    fi
done

if command -v mpirun >/dev/null 2>&1 && ldd "$train" | grep -q libmpi; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mpirun --oversubscribe -n 2 "$train" "${short[@]}" --batch 16 --threads 1 --out "$dir/m" >"$dir/log" 2>&1; tap $? "two processes train together"
    near "$dir/a" "$dir/m" 4 1e-4; tap $? "their loss is that of one process with the whole batch"
    mpirun --oversubscribe -n 2 "$train" "${short[@]}" --batch 16 --threads 1 --out "$dir/n" >"$dir/log" 2>&1; same "$dir/m" "$dir/n"
    tap $? "and the same bits every time"
    bn=(run resnet18 --input 3x32x32 --width 0.125 --classes 10 --limit 64 --epochs 1 --lr 0.01 --backend im2col --quiet --threads 1)
    "$train" "${bn[@]}" --batch 16 --out "$dir/bn1" >"$dir/log" 2>&1
    mpirun --oversubscribe -n 2 "$train" "${bn[@]}" --batch 8 --sync-bn --out "$dir/bn2" >"$dir/log" 2>&1
    near "$dir/bn1" "$dir/bn2" 4 2e-3; tap $? "with shared batch statistics the loss is that of one process too"
    # A process is lost once there is a state to go on from: mpirun stops the other, which saves where it is.
    cat >"$dir/lose.sh" <<'END'
#!/bin/sh
state=$1; shift
[ "$OMPI_COMM_WORLD_RANK" = 0 ] && exec "$@"
"$@" & rank=$!
while [ ! -s "$state" ] && kill -0 $rank; do sleep 0.05; done
kill -9 $rank; wait $rank
END
    chmod +x "$dir/lose.sh"
    long=("$train" "${short[@]}" --epochs 20 --batch 16 --threads 1 --save-every 3)
    timeout 60 mpirun --oversubscribe -n 2 "$dir/lose.sh" "$dir/o/state.safetensors" "${long[@]}" --out "$dir/o" >"$dir/log" 2>&1
    rc=$?; [ $rc != 0 ] && [ $rc != 124 ] && grep -q "stopped while waiting for the others.*the state is saved\|another process is lost" "$dir/log"
    tap $? "a lost process ends the run with an error that says so"
    timeout 60 mpirun --oversubscribe -n 2 "${long[@]}" --out "$dir/o" --resume >"$dir/log" 2>&1; tap $? "its state can be resumed"
    timeout 60 mpirun --oversubscribe -n 2 "${long[@]}" --out "$dir/p" >"$dir/log" 2>&1; same "$dir/o" "$dir/p"
    tap $? "and ends with the bits of the unbroken run"
else
    for what in train bits loss statistics loss-of-one its-state its-bits; do skip "no mpirun, or built without OpenMPI ($what of two processes)"; done
fi

if command -v protoc >/dev/null 2>&1; then
    skip_bytes=12
    length=$(od -An -tu8 -N8 "$dir"/a/events.out.* | tr -d ' ')
    tail -c +$((skip_bytes + 1)) "$dir"/a/events.out.* | head -c "$length" | protoc --decode_raw >"$dir/log" 2>&1
    tap "$(grep -q 'brain.Event:2' "$dir/log"; echo $?)" "protoc reads the first event"
else
    skip "no protoc to read events with"
fi
echo "1..$count"
exit $failed
